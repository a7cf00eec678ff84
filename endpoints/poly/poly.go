// Package poly shows meetings on Poly devices, which poll what they believe is
// an Exchange server: [Server] answers the part of Exchange Web Services (EWS)
// that they need, and each [Room] of it is an endpoint.
//
// Known gaps: FindItem, GetItem and GetFolder are served, over Basic only. Every
// other operation, ConvertId, Autodiscover, SyncFolderItems and subscriptions
// among them, gets the fault ErrorInvalidOperation. NTLM, provisioning of
// devices, alarms and capture files are missing. Nothing here has been tried
// on a real device. Serve it over TLS only: Basic sends the password.
package poly

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/onetouchjoin/onetouchjoin/calendar"
	"github.com/onetouchjoin/onetouchjoin/otj"
	"github.com/onetouchjoin/onetouchjoin/rules"
)

// Credential is what a server keeps of a device's password. It can be stored.
type Credential struct {
	User string   `json:"user"`
	Salt []byte   `json:"salt"`
	Hash [32]byte `json:"hash"` // SHA-256 of Salt and the password
}

// NewCredential returns a generated user and its password of at least 128
// random bits, which is to be shown once and not kept.
func NewCredential() (Credential, calendar.Secret) {
	password := rand.Text()
	c := Credential{User: "room-" + strings.ToLower(rand.Text()[:10]), Salt: []byte(rand.Text())}
	c.Hash = c.sum(password)
	return c, calendar.Secret(password)
}

func (c Credential) sum(password string) [32]byte {
	return sha256.Sum256(append(slices.Clone(c.Salt), password...))
}

// Server is the http.Handler that devices poll. It is safe for concurrent use.
type Server struct {
	mu       sync.Mutex
	rooms    map[string]*Room         // by Credential.User
	failures map[string]*rate.Limiter // by address
}

// New returns a server without rooms. It starts no goroutine.
func New() *Server {
	return &Server{rooms: map[string]*Room{}, failures: map[string]*rate.Limiter{}}
}

// Room is the endpoint of one device. It is safe for concurrent use.
type Room struct {
	name string
	cred Credential

	mu       sync.RWMutex
	meetings []otj.Meeting
}

var _ otj.Endpoint = (*Room)(nil)

// Add returns a new room without meetings, whose device has the password of c.
func (s *Server) Add(name string, c Credential) (*Room, error) {
	if c.User == "" || len(c.Salt) == 0 {
		return nil, fmt.Errorf("poly: room %q has an incomplete credential; make one with NewCredential", name)
	}
	c.Salt = slices.Clone(c.Salt)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.rooms[c.User] != nil {
		return nil, fmt.Errorf("poly: user %q is in use; each device needs its own credential", c.User)
	}
	r := &Room{name: name, cred: c}
	s.rooms[c.User] = r
	return r, nil
}

// Remove ends a room: its device is refused from now on.
func (s *Server) Remove(r *Room) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.rooms[r.cred.User] == r {
		delete(s.rooms, r.cred.User)
	}
}

// Dials reports whether a is a SIP or H.323 address.
func (r *Room) Dials(a rules.Address) bool {
	return !a.IsZero() && (a.Scheme == rules.SIP || a.Scheme == rules.SIPS || a.Scheme == rules.H323)
}

// Show makes meetings what the device gets at its next poll.
func (r *Room) Show(ctx context.Context, meetings []otj.Meeting) error {
	if err := ctx.Err(); err != nil {
		return &otj.EndpointError{Op: "show meetings", Endpoint: r.name, Err: err}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.meetings = slices.Clone(meetings)
	return nil
}

const (
	soapNS  = "http://schemas.xmlsoap.org/soap/envelope/"
	msgNS   = "http://schemas.microsoft.com/exchange/services/2006/messages"
	typeNS  = "http://schemas.microsoft.com/exchange/services/2006/types"
	errNS   = "http://schemas.microsoft.com/exchange/services/2006/errors"
	maxBody = 256 << 10
	maxDeep = 32
	maxIDs  = 200
)

// request is what is read of a SOAP request.
type request struct {
	op         string
	start, end time.Time
	max        int
	ids        []string // of items
	folders    []string // distinguished names or ids
}

// read reads a request by namespace, whatever its prefixes.
func read(in io.Reader) (q request, _ error) {
	d := xml.NewDecoder(in)
	for depth := 0; ; {
		t, err := d.Token()
		if errors.Is(err, io.EOF) {
			if q.op == "" {
				return q, errors.New("the SOAP body has no operation")
			}
			return q, nil
		}
		if err != nil {
			return q, errors.New("the request is no XML, too large or cut off")
		}
		switch t := t.(type) {
		case xml.Directive:
			return q, errors.New("the request has a DTD")
		case xml.EndElement:
			depth--
		case xml.StartElement:
			if depth++; depth > maxDeep {
				return q, errors.New("the request is too deep")
			}
			if depth == 1 && (t.Name != xml.Name{Space: soapNS, Local: "Envelope"}) {
				return q, errors.New("the request is not SOAP 1.1")
			}
			if depth == 3 && t.Name.Space == msgNS && q.op == "" {
				q.op = t.Name.Local
			}
			if err := q.element(t); err != nil {
				return q, err
			}
		}
	}
}

func (q *request) element(t xml.StartElement) (err error) {
	attr := func(name string) string {
		for _, a := range t.Attr {
			if a.Name.Local == name && a.Name.Space == "" {
				return a.Value
			}
		}
		return ""
	}
	switch t.Name {
	case xml.Name{Space: msgNS, Local: "CalendarView"}:
		var err2, err3 error
		q.start, err = time.Parse(time.RFC3339, attr("StartDate"))
		q.end, err2 = time.Parse(time.RFC3339, attr("EndDate"))
		if n := attr("MaxEntriesReturned"); n != "" {
			if q.max, err3 = strconv.Atoi(n); q.max < 1 && err3 == nil {
				err3 = errors.New("not positive")
			}
		}
		if errors.Join(err, err2, err3) != nil || !q.end.After(q.start) {
			return errors.New("the CalendarView is wrong")
		}
	case xml.Name{Space: typeNS, Local: "ItemId"}:
		q.ids = append(q.ids, attr("Id"))
	case xml.Name{Space: typeNS, Local: "DistinguishedFolderId"}, xml.Name{Space: typeNS, Local: "FolderId"}:
		q.folders = append(q.folders, attr("Id"))
	}
	if len(q.ids)+len(q.folders) > maxIDs {
		return errors.New("the request has too many ids")
	}
	return nil
}

// room returns the room whose device sent r, or answers it and returns nil.
func (s *Server) room(w http.ResponseWriter, r *http.Request) *Room {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	user, password, _ := r.BasicAuth()
	if _, u, ok := strings.Cut(user, `\`); ok { // DOMAIN\user
		user = u
	}
	s.mu.Lock()
	l := s.failures[host]
	if l == nil {
		if len(s.failures) >= 10_000 {
			clear(s.failures)
		}
		l = rate.NewLimiter(rate.Every(6*time.Second), 20)
		s.failures[host] = l
	}
	room := s.rooms[user]
	s.mu.Unlock()
	if l.Tokens() < 1 {
		w.Header().Set("Retry-After", "6")
		http.Error(w, "too many failed attempts", http.StatusTooManyRequests)
		return nil
	}
	c := Credential{Salt: make([]byte, 26)} // the same work for unknown users
	if room != nil {
		c = room.cred
	}
	sum := c.sum(password)
	if subtle.ConstantTimeCompare(sum[:], c.Hash[:]) != 1 || room == nil {
		if r.Header.Get("Authorization") != "" {
			l.Allow()
		}
		w.Header().Set("WWW-Authenticate", `Basic realm="onetouchjoin"`)
		http.Error(w, "sign in", http.StatusUnauthorized)
		return nil
	}
	return room
}

// ServeHTTP answers a device at /EWS/Exchange.asmx.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !strings.EqualFold(r.URL.Path, "/EWS/Exchange.asmx") {
		http.NotFound(w, r)
		return
	}
	room := s.room(w, r)
	if room == nil {
		return
	}
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", "POST")
		http.Error(w, "use POST", http.StatusMethodNotAllowed)
		return
	}
	q, err := read(http.MaxBytesReader(w, r.Body, maxBody))
	room.mu.RLock()
	all := room.meetings // never changed in place
	room.mu.RUnlock()
	var b strings.Builder
	switch {
	case err != nil:
		fault(w, "ErrorSchemaValidation", err.Error())
		return
	case q.op == "FindItem":
		findItem(&b, q, all)
	case q.op == "GetItem":
		getItem(&b, q, all)
	case q.op == "GetFolder":
		getFolder(&b, q, len(all))
	default:
		fault(w, "ErrorInvalidOperation", "Not supported.")
		return
	}
	envelope(w, http.StatusOK, b.String())
}

func envelope(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "text/xml; charset=utf-8")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, `<?xml version="1.0" encoding="utf-8"?><s:Envelope xmlns:s="`+soapNS+`"><s:Header>`+
		`<t:ServerVersionInfo xmlns:t="`+typeNS+`" MajorVersion="15" MinorVersion="1" MajorBuildNumber="2507" MinorBuildNumber="6" Version="V2017_07_11"/>`+
		`</s:Header><s:Body>`+body+`</s:Body></s:Envelope>`)
}

func fault(w http.ResponseWriter, code, text string) {
	envelope(w, http.StatusInternalServerError, `<s:Fault><faultcode xmlns:a="`+typeNS+`">a:`+code+`</faultcode><faultstring xml:lang="en-US">`+esc(text)+
		`</faultstring><detail><e:ResponseCode xmlns:e="`+errNS+`">`+code+`</e:ResponseCode><e:Message xmlns:e="`+errNS+`">`+esc(text)+`</e:Message></detail></s:Fault>`)
}

func esc(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s))
	return b.String()
}

func open(b *strings.Builder, op string) {
	fmt.Fprintf(b, `<m:%sResponse xmlns:m="%s" xmlns:t="%s"><m:ResponseMessages>`, op, msgNS, typeNS)
}

func findItem(b *strings.Builder, q request, all []otj.Meeting) {
	var found []otj.Meeting
	last := true
	for _, m := range all {
		if len(q.folders) != 1 || q.folders[0] != "calendar" || !m.End.After(q.start) || !m.Start.Before(q.end) {
			continue
		}
		if q.max > 0 && len(found) == q.max {
			last = false
			break
		}
		found = append(found, m)
	}
	open(b, q.op)
	fmt.Fprintf(b, `<m:FindItemResponseMessage ResponseClass="Success"><m:ResponseCode>NoError</m:ResponseCode><m:RootFolder TotalItemsInView="%d" IncludesLastItemInRange="%t"><t:Items>`, len(found), last)
	for _, m := range found {
		item(b, m, false)
	}
	b.WriteString(`</t:Items></m:RootFolder></m:FindItemResponseMessage></m:ResponseMessages></m:FindItemResponse>`)
}

func getItem(b *strings.Builder, q request, all []otj.Meeting) {
	open(b, q.op)
	for _, id := range q.ids {
		i := slices.IndexFunc(all, func(m otj.Meeting) bool { return m.ID == id })
		if i < 0 {
			b.WriteString(`<m:GetItemResponseMessage ResponseClass="Error"><m:MessageText>The item was not found.</m:MessageText><m:ResponseCode>ErrorItemNotFound</m:ResponseCode><m:Items/></m:GetItemResponseMessage>`)
			continue
		}
		b.WriteString(`<m:GetItemResponseMessage ResponseClass="Success"><m:ResponseCode>NoError</m:ResponseCode><m:Items>`)
		item(b, all[i], true)
		b.WriteString(`</m:Items></m:GetItemResponseMessage>`)
	}
	b.WriteString(`</m:ResponseMessages></m:GetItemResponse>`)
}

func getFolder(b *strings.Builder, q request, n int) {
	open(b, q.op)
	for range q.folders {
		fmt.Fprintf(b, `<m:GetFolderResponseMessage ResponseClass="Success"><m:ResponseCode>NoError</m:ResponseCode><m:Folders><t:CalendarFolder><t:FolderId Id="calendar" ChangeKey="Y2s="/><t:ParentFolderId Id="cm9vdA==" ChangeKey="Y2s="/><t:FolderClass>IPF.Appointment</t:FolderClass><t:DisplayName>Calendar</t:DisplayName><t:TotalCount>%d</t:TotalCount><t:ChildFolderCount>0</t:ChildFolderCount></t:CalendarFolder></m:Folders></m:GetFolderResponseMessage>`, n)
	}
	b.WriteString(`</m:ResponseMessages></m:GetFolderResponse>`)
}

// item writes m in the order of the schema. String-based clients need every
// element.
func item(b *strings.Builder, m otj.Meeting, body bool) {
	sum := sha256.Sum256(fmt.Append(nil, m.Title, m.Organizer.Name, m.Start.UnixNano(), m.End.UnixNano(), m.Private, m.Join.URI))
	sensitivity := "Normal"
	if m.Private {
		sensitivity = "Private"
	}
	fmt.Fprintf(b, `<t:CalendarItem><t:ItemId Id="%s" ChangeKey="%s"/><t:ItemClass>IPM.Appointment</t:ItemClass><t:Subject>%s</t:Subject><t:Sensitivity>%s</t:Sensitivity>`,
		esc(m.ID), base64.RawURLEncoding.EncodeToString(sum[:12]), esc(m.Title), sensitivity)
	if body {
		text := ""
		if !m.Join.IsZero() {
			text = m.Join.URI + "\n" + vmrToken(m.Join)
		}
		fmt.Fprintf(b, `<t:Body BodyType="Text">%s</t:Body>`, esc(text))
	}
	email := "" // the schema allows no empty address
	if m.Organizer.Email != "" {
		email = "<t:EmailAddress>" + esc(m.Organizer.Email) + "</t:EmailAddress>"
	}
	const utc = "2006-01-02T15:04:05Z"
	fmt.Fprintf(b, `<t:UID>%s</t:UID><t:Start>%s</t:Start><t:End>%s</t:End><t:IsAllDayEvent>false</t:IsAllDayEvent><t:LegacyFreeBusyStatus>Busy</t:LegacyFreeBusyStatus><t:Location>%s</t:Location><t:IsCancelled>false</t:IsCancelled><t:CalendarItemType>Single</t:CalendarItemType><t:MyResponseType>Accept</t:MyResponseType><t:Organizer><t:Mailbox><t:Name>%s</t:Name>%s<t:RoutingType>SMTP</t:RoutingType></t:Mailbox></t:Organizer></t:CalendarItem>`,
		esc(m.ID), m.Start.UTC().Format(utc), m.End.UTC().Format(utc), esc(m.Join.URI), esc(m.Organizer.Name), email)
}

// vmrToken writes what Polycom's clients look for in a body: KEY=VALUE lines,
// the full alias in VMRNUMBER.
func vmrToken(a rules.Address) string {
	scheme, alias, _ := strings.Cut(a.URI, ":")
	text := "POLYCOM-VERSION=1\nPOLYCOM-VMRNUMBER=" + alias + "\nPOLYCOM-SIGNALINGPREFIX=" + scheme + "\nPOLYCOM-SIGNALINGPOSTFIX=\n"
	return "--=BEGIN POLYCOM VMR ENCODED TOKEN=--\n" + base64.StdEncoding.EncodeToString([]byte(text)) + "\n--=END POLYCOM VMR ENCODED TOKEN=--\n"
}
