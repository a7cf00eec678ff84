// Package polytest simulates Poly room devices, for tests of servers that they
// poll.
//
// A [Device] polls as the one public client of Polycom's does: FindItem for the
// next day, then GetItem for what it found, over Basic or NTLM. It looks for
// tags as strings and drops an item that misses one. [Device.Panel] says what
// the room sees, and [Device.ServeHTTP] shows it as a page and answers the
// REST calls by which a device is set up.
//
// The device is made from what public programs send and expect. It has not been
// compared with hardware.
package polytest

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/onetouchjoin/onetouchjoin/endpoints/poly/internal/ntlm"
)

// Options say what a device is. The zero value of a field is its default.
type Options struct {
	// Name is the device's name. Default "Room".
	Name string
	// Server is what it polls: a URL or a host name, to which /EWS/Exchange.asmx
	// is added. User, Password and Domain are for it. All can be set over REST.
	Server, User, Password, Domain string
	// Mailbox is the calendar that it asks for; empty is that of the user.
	Mailbox string
	// NTLM authenticates with NTLM instead of Basic.
	NTLM bool
	// Transport is what the device is connected by. Default a transport of its
	// own with one connection. NTLM needs one connection.
	Transport http.RoundTripper
	// Before and Ahead are the window that it asks for. Default 2 hours and 1
	// day. Max is how many meetings it takes. Default 100.
	Before, Ahead time.Duration
	Max           int
	// Exchange lets REST know the settings by the names exchange.* instead of
	// cal.*. Admin is the password of the user "admin" there.
	Exchange bool
	Admin    string
}

// Device is a simulated device. It is safe for concurrent use.
type Device struct {
	opts   Options
	client *http.Client

	polling sync.Mutex // one poll at a time

	mu       sync.Mutex
	settings map[string]string // by the name without its prefix
	items    []Item
	dropped  int
	polls    int
	failure  error // of the last poll
	sessions map[string]bool
}

// Item is a meeting as the device has it.
type Item struct {
	ID, ChangeKey, UID string
	Subject, Organizer string
	OrganizerEmail     string
	Start, End         time.Time
	Private            bool
	Location, Body     string
	// Dial is what the button dials; empty without a button.
	Dial string
}

// New returns a device, which polls nothing until it is told to.
func New(opts *Options) *Device {
	d := &Device{sessions: map[string]bool{}}
	if opts != nil {
		d.opts = *opts
	}
	if d.opts.Name == "" {
		d.opts.Name = "Room"
	}
	if d.opts.Before == 0 {
		d.opts.Before = 2 * time.Hour
	}
	if d.opts.Ahead == 0 {
		d.opts.Ahead = 24 * time.Hour
	}
	if d.opts.Max == 0 {
		d.opts.Max = 100
	}
	if d.opts.Transport == nil {
		d.opts.Transport = &http.Transport{MaxConnsPerHost: 1, MaxIdleConnsPerHost: 1}
	}
	d.client = &http.Client{Transport: d.opts.Transport, Timeout: 30 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	d.settings = map[string]string{"enabled": fmt.Sprint(d.opts.Server != ""), "server": d.opts.Server, "user": d.opts.User,
		"password": d.opts.Password, "domain": d.opts.Domain, "mailbox": d.opts.Mailbox}
	return d
}

// Run polls until ctx is done. A poll that fails leaves the meetings.
func (d *Device) Run(ctx context.Context, every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		_ = d.Poll(ctx) // the state says it
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// Poll gets the meetings.
func (d *Device) Poll(ctx context.Context) error {
	d.polling.Lock()
	defer d.polling.Unlock()
	items, dropped, err := d.fetch(ctx)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.polls++
	if d.failure = err; err == nil {
		d.items, d.dropped = items, dropped
	}
	return err
}

func (d *Device) fetch(ctx context.Context) (items []Item, dropped int, err error) {
	now := time.Now().UTC()
	const stamp = "2006-01-02T15:04:05Z"
	mailbox := d.setting("mailbox")
	if mailbox != "" {
		mailbox = "<Mailbox><EmailAddress>" + escape(mailbox) + "</EmailAddress></Mailbox>"
	}
	text, err := d.call(ctx, "FindItem", `<FindItem Traversal="Shallow" xmlns="`+messages+`"><ItemShape><BaseShape xmlns="`+types+`">Default</BaseShape>`+
		`<AdditionalProperties xmlns="`+types+`"><FieldURI FieldURI="item:ItemClass"/><FieldURI FieldURI="calendar:MyResponseType"/></AdditionalProperties></ItemShape>`+
		fmt.Sprintf(`<CalendarView MaxEntriesReturned="%d" StartDate="%s" EndDate="%s"/>`, d.opts.Max, now.Add(-d.opts.Before).Format(stamp), now.Add(d.opts.Ahead).Format(stamp))+
		`<ParentFolderIds><DistinguishedFolderId Id="calendar" xmlns="`+types+`">`+mailbox+`</DistinguishedFolderId></ParentFolderIds></FindItem>`)
	if err != nil {
		return nil, 0, err
	}
	if !strings.Contains(text, `<m:FindItemResponseMessage ResponseClass="Success">`) {
		return nil, 0, fmt.Errorf("FindItem: %s", between(text, "<m:ResponseCode>", "</m:ResponseCode>"))
	}
	var ids strings.Builder
	for rest := text; ; {
		var item string
		if item, rest = next(rest, "<t:CalendarItem>", "</t:CalendarItem>"); item == "" {
			break
		}
		fmt.Fprintf(&ids, `<ItemId xmlns="%s" Id="%s" ChangeKey="%s"/>`, types, between(item, `<t:ItemId Id="`, `"`), between(item, `ChangeKey="`, `"`))
	}
	if ids.Len() == 0 {
		return nil, 0, nil
	}
	fields := ""
	for _, f := range []string{"item:ItemClass", "item:Subject", "item:Body", "calendar:MyResponseType", "calendar:Start", "calendar:End", "calendar:Organizer", "calendar:UID"} {
		fields += `<FieldURI FieldURI="` + f + `"/>`
	}
	text, err = d.call(ctx, "GetItem", `<GetItem xmlns="`+messages+`"><ItemShape><BaseShape xmlns="`+types+`">Default</BaseShape><BodyType xmlns="`+types+`">Text</BodyType>`+
		`<AdditionalProperties xmlns="`+types+`">`+fields+`</AdditionalProperties></ItemShape><ItemIds>`+ids.String()+`</ItemIds></GetItem>`)
	if err != nil {
		return nil, 0, err
	}
	for rest := text; ; {
		var message string
		if message, rest = next(rest, `<m:GetItemResponseMessage `, "</m:GetItemResponseMessage>"); message == "" {
			break
		}
		if !strings.HasPrefix(message, `ResponseClass="Success">`) {
			continue // it is gone since
		}
		if i, ok := parseItem(message); ok {
			items = append(items, i)
		} else {
			dropped++
		}
	}
	return items, dropped, nil
}

// required are the tags without which an item is dropped.
var required = []string{"<t:ItemId Id=", "<t:ItemClass>", "<t:Subject>", "<t:Body BodyType=", "<t:UID>", "<t:Start>", "<t:End>", "<t:MyResponseType>",
	"<t:Organizer><t:Mailbox><t:Name>"}

func parseItem(s string) (i Item, ok bool) {
	for _, tag := range required {
		if !strings.Contains(s, tag) {
			return i, false
		}
	}
	value := func(tag string) string { return unescape(between(s, "<t:"+tag+">", "</t:"+tag+">")) }
	i = Item{ID: between(s, `<t:ItemId Id="`, `"`), ChangeKey: between(s, `ChangeKey="`, `"`), UID: value("UID"), Subject: value("Subject"),
		Organizer: unescape(between(s, "<t:Organizer><t:Mailbox><t:Name>", "</t:Name>")), OrganizerEmail: value("EmailAddress"),
		Private: value("Sensitivity") == "Private", Location: value("Location"), Body: unescape(between(s, `<t:Body BodyType="Text">`, "</t:Body>"))}
	var err1, err2 error
	i.Start, err1 = time.Parse(time.RFC3339, value("Start"))
	i.End, err2 = time.Parse(time.RFC3339, value("End"))
	if errors.Join(err1, err2) != nil || !i.End.After(i.Start) || value("MyResponseType") == "Decline" {
		return i, false
	}
	i.Dial = dial(i)
	return i, true
}

// dial returns what the token says, or else the location or the first line of
// the body where it is an address.
func dial(i Item) string {
	if t := DecodeToken(i.Body); t != nil {
		number := t["POLYCOM-VMRNUMBER"]
		if postfix := t["POLYCOM-SIGNALINGPOSTFIX"]; postfix != "" {
			number += "@" + postfix
		}
		return strings.TrimSuffix(t["POLYCOM-SIGNALINGPREFIX"], ":") + ":" + number
	}
	first, _, _ := strings.Cut(i.Body, "\n")
	for _, s := range []string{i.Location, first} {
		for _, scheme := range []string{"sip:", "sips:", "h323:"} {
			if strings.HasPrefix(s, scheme) {
				return s
			}
		}
	}
	return ""
}

// DecodeToken returns the keys of the VMR token in a body, as Polycom's client
// reads it: a last line without its end is ignored. It is nil without a token.
func DecodeToken(body string) map[string]string {
	text := between(body, "--=BEGIN POLYCOM VMR ENCODED TOKEN=--", "--=END POLYCOM VMR ENCODED TOKEN=--")
	text = strings.NewReplacer("\r", "", "\n", "").Replace(text)
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(raw) == 0 {
		return nil
	}
	keys := map[string]string{}
	lines := strings.Split(string(raw), "\n")
	for _, line := range lines[:len(lines)-1] {
		key, value, _ := strings.Cut(line, "=")
		keys[key] = value
	}
	return keys
}

// Items returns the meetings that the device has.
func (d *Device) Items() []Item {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.items)
}

// Stats returns how often the device has polled, how many items of its last
// poll it could not read, and the error of that poll.
func (d *Device) Stats() (polls, dropped int, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.polls, d.dropped, d.failure
}

const (
	messages = "http://schemas.microsoft.com/exchange/services/2006/messages"
	types    = "http://schemas.microsoft.com/exchange/services/2006/types"
)

// call sends one operation, and the messages of NTLM before it.
func (d *Device) call(ctx context.Context, op, body string) (string, error) {
	body = `<?xml version="1.0" encoding="utf-8"?><Envelope xmlns="http://schemas.xmlsoap.org/soap/envelope/"><Header><RequestServerVersion Version="Exchange2007_SP1" xmlns="` +
		types + `"/></Header><Body>` + body + `</Body></Envelope>`
	user, domain, password := d.setting("user"), d.setting("domain"), d.setting("password")
	if !d.opts.NTLM {
		if domain != "" {
			user = domain + `\` + user
		}
		text, _, err := d.send(ctx, op, body, "Basic "+base64.StdEncoding.EncodeToString([]byte(user+":"+password)))
		return text, err
	}
	text, _, err := d.send(ctx, op, body, "") // the connection may be authenticated
	if !errors.Is(err, errUnauthorized) {
		return text, err
	}
	negotiate := ntlm.Negotiate()
	_, challenge, err := d.send(ctx, op, "", "NTLM "+base64.StdEncoding.EncodeToString(negotiate))
	if !errors.Is(err, errUnauthorized) || challenge == nil {
		return "", fmt.Errorf("%s: no NTLM challenge (%w)", op, err)
	}
	answer, err := ntlm.Authenticate(negotiate, challenge, user, domain, password)
	if err != nil {
		return "", fmt.Errorf("%s: %w", op, err)
	}
	text, _, err = d.send(ctx, op, body, "NTLM "+base64.StdEncoding.EncodeToString(answer))
	return text, err
}

var errUnauthorized = errors.New("unauthorized")

func (d *Device) send(ctx context.Context, op, body, auth string) (text string, challenge []byte, _ error) {
	url := d.setting("server")
	if !strings.Contains(url, "://") {
		url = "https://" + url
	}
	if !strings.HasSuffix(url, ".asmx") {
		url = strings.TrimRight(url, "/") + "/EWS/Exchange.asmx"
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		return "", nil, err
	}
	r.Header.Set("Content-Type", "text/xml; charset=utf-8")
	r.Header.Set("SOAPAction", messages+"/"+op)
	r.Header.Set("User-Agent", "polytest/1.0")
	if auth != "" {
		r.Header.Set("Authorization", auth)
	}
	w, err := d.client.Do(r)
	if err != nil {
		return "", nil, err
	}
	defer w.Body.Close()
	b, err := io.ReadAll(io.LimitReader(w.Body, 8<<20))
	if err != nil {
		return "", nil, err
	}
	switch w.StatusCode {
	case http.StatusOK:
		return string(b), nil, nil
	case http.StatusUnauthorized:
		for _, h := range w.Header.Values("WWW-Authenticate") {
			if message, ok := strings.CutPrefix(h, "NTLM "); ok {
				challenge, _ = base64.StdEncoding.DecodeString(message)
			}
		}
		return "", challenge, fmt.Errorf("%s: %w", op, errUnauthorized)
	}
	return "", nil, fmt.Errorf("%s: status %d %s", op, w.StatusCode, between(string(b), "<faultstring", "</faultstring>"))
}

// between returns what is between the first begin and the end after it.
func between(s, begin, end string) string {
	text, _ := next(s, begin, end)
	return text
}

func next(s, begin, end string) (text, rest string) {
	_, s, ok := strings.Cut(s, begin)
	if !ok {
		return "", ""
	}
	text, rest, _ = strings.Cut(s, end)
	return text, rest
}

var (
	unescaper = strings.NewReplacer("&lt;", "<", "&gt;", ">", "&quot;", `"`, "&#xD;", "\r", "&amp;", "&")
	escaper   = strings.NewReplacer("<", "&lt;", ">", "&gt;", `"`, "&quot;", "&", "&amp;")
)

func unescape(s string) string { return unescaper.Replace(s) }

func escape(s string) string { return escaper.Replace(s) }
