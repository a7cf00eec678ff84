package control

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/onetouchjoin/onetouchjoin/calendar"
	"github.com/onetouchjoin/onetouchjoin/internal/webaddr"
)

// How alarms are delivered.
const (
	hookTimeout = 10 * time.Second
	hookTries   = 3
	hookWait    = time.Second // before the second try; then twice as long
	hookKey     = "key"
)

// The headers of a message; they are those of package endpoints/feed, so that one
// receiver can check both.
const (
	timestampHeader = "OTJ-Timestamp"
	signatureHeader = "OTJ-Signature"
)

func newHookKey() calendar.Secret {
	var random [32]byte
	rand.Read(random[:])
	return calendar.Secret(base64.RawURLEncoding.EncodeToString(random[:]))
}

// NewAlarmHookKey generates the key that messages to an address are signed with
// and returns it. It is never given out again.
func (c *Centre) NewAlarmHookKey(ctx context.Context, actor Actor, id string) (key calendar.Secret, err error) {
	err = c.update(ctx, actor, "", func(ch *change) error {
		h, err := own[AlarmHook](ch, id)
		if err != nil {
			return err
		}
		key = newHookKey()
		if err := ch.keepSecret(h.Company, "alarm_hook", h.ID, hookKey, key); err != nil {
			return err
		}
		return ch.note(h.Company, "alarm_hook", h.ID, h.Name, "key changed")
	})
	if err != nil {
		return "", err
	}
	return key, nil
}

// TestAlarmHook sends an address a message of type "test", once. That it does
// not arrive is an *InvalidError about "url".
func (c *Centre) TestAlarmHook(ctx context.Context, actor Actor, id string) error {
	var h AlarmHook
	var o Org
	var key calendar.Secret
	err := c.store.View(ctx, func(tx Tx) (err error) {
		if h, err = get[AlarmHook](tx, id); err != nil {
			return err
		}
		if o, err = actor.org(tx, h.Company, Configure); err != nil {
			return err
		}
		key, err = secretOf(tx, c.keys, "alarm_hook", h.ID, hookKey)
		return err
	})
	if err != nil {
		return err
	}
	m := HookMessage{ID: newID(), Type: "test", Company: o.Name, Raised: []OpenAlarm{}, Cleared: []OpenAlarm{}}
	_, sendErr := c.hooks.post(ctx, h.URL, key, m)
	if err := c.note(ctx, actor, o.ID, "alarm_hook", h.ID, h.Name, "test message sent"); err != nil {
		return err
	}
	if err := c.keepHookState(ctx, h, func(s *hookState) { s.Last = resultOf(sendErr) }); err != nil {
		return err
	}
	if sendErr != nil {
		return &InvalidError{[]FieldError{{"url", sendErr.Error()}}}
	}
	return nil
}

func resultOf(err error) HookResult {
	r := HookResult{When: time.Now().UTC().Truncate(time.Second)}
	if err != nil {
		r.Error = err.Error()
	}
	return r
}

// hookURL demands an address that messages may be posted to. Where its name leads
// is looked at again when it is connected to.
func (c *checks) hookURL(field, value string, private bool) {
	u, err := url.Parse(value)
	switch {
	case isConcealed(value):
		c.fail(field, "is shortened: enter the whole address")
	case err != nil || u.Hostname() == "" || !isPrintable(value) || strings.ContainsAny(value, " \\"):
		c.fail(field, "is not a web address such as https://alarms.example.com/otj")
	case len(value) > 2048:
		c.fail(field, "has %d bytes; the most is 2048", len(value))
	case u.Scheme != "https":
		c.fail(field, "begins with %q; it has to begin with https:", u.Scheme+":")
	case u.User != nil:
		c.fail(field, "has a user name or password in it, which would show in logs; the signature is the proof")
	case u.Fragment != "":
		c.fail(field, "has a part behind #, which no server gets")
	default:
		if ip, err := netip.ParseAddr(u.Hostname()); err == nil && !mayCall(ip, private) {
			c.fail(field, "is an address inside of the server's own network, which its configuration does not allow")
		}
	}
}

// reserved are networks that are no public address, beside those that package
// netip knows.
var reserved = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("198.18.0.0/15"), netip.MustParsePrefix("240.0.0.0/4"),
	netip.MustParsePrefix("64:ff9b::/96"), netip.MustParsePrefix("64:ff9b:1::/48"), // NAT64: an IPv4 address in it
	netip.MustParsePrefix("2002::/16"), netip.MustParsePrefix("2001::/32"), netip.MustParsePrefix("fec0::/10"), // 6to4, Teredo, site-local
}

// mayCall reports whether the server may be made to call an address: otherwise
// whoever names a webhook could reach what only the server reaches.
func mayCall(ip netip.Addr, private bool) bool {
	ip = ip.Unmap().WithZone("")
	// The link-local ones have the metadata of clouds: never.
	if !ip.IsValid() || ip.IsUnspecified() || ip.IsMulticast() || ip.IsLinkLocalUnicast() {
		return false
	}
	if private {
		return true
	}
	if ip.IsPrivate() || ip.IsLoopback() {
		return false
	}
	for _, p := range reserved {
		if p.Contains(ip) {
			return false
		}
	}
	return true
}

var errInside = errors.New("the name leads to an address inside of the server's own network, which its configuration does not allow")

// poster posts messages to addresses that customers have named.
type poster struct {
	client *http.Client
}

func newPoster(private bool, roots *tls.Config) *poster { return &poster{HookClient(private, roots)} }

// HookClient returns a client for addresses that customers have named: it follows
// no redirects, connects to nothing inside of the server's own network unless
// private is set, and has time limits. roots, unless nil, is its TLS configuration.
func HookClient(private bool, roots *tls.Config) *http.Client {
	dialer := &net.Dialer{Timeout: 5 * time.Second, Control: func(_, address string, _ syscall.RawConn) error {
		// The address is the one that is connected to, after all look-ups.
		if ap, err := netip.ParseAddrPort(address); err != nil || !mayCall(ap.Addr(), private) {
			return errInside
		}
		return nil
	}}
	if roots != nil {
		roots = roots.Clone()
	}
	return &http.Client{
		Timeout: hookTimeout,
		Transport: &http.Transport{
			DialContext: dialer.DialContext, TLSClientConfig: roots, ForceAttemptHTTP2: true, MaxIdleConns: 20, IdleConnTimeout: time.Minute,
			TLSHandshakeTimeout: 5 * time.Second, MaxResponseHeaderBytes: 64 << 10,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// deliver posts a message, and again after errors that may pass.
func (p *poster) deliver(ctx context.Context, address string, key calendar.Secret, m HookMessage) error {
	wait := hookWait
	for try := 1; ; try++ {
		again, err := p.post(ctx, address, key, m)
		if err == nil || !again || try == hookTries {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(wait):
		}
		wait *= 2
	}
}

// post posts a message once and says whether it is worth trying again. The error
// has no more of the address than its host: the rest may be a secret.
func (p *poster) post(ctx context.Context, address string, key calendar.Secret, m HookMessage) (again bool, err error) {
	now := time.Now().UTC()
	m.Sent = now.Truncate(time.Second)
	body, err := json.Marshal(m)
	if err != nil {
		return false, fmt.Errorf("write the message: %w", err)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return false, errors.New("the address is none")
	}
	at := strconv.FormatInt(now.Unix(), 10)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", "onetouchjoin")
	r.Header.Set(timestampHeader, at)
	r.Header.Set(signatureHeader, signHook(key, at, body))
	w, err := p.client.Do(r)
	if err != nil {
		if errors.Is(err, errInside) {
			return false, errInside
		}
		return ctx.Err() == nil, fmt.Errorf("%s does not answer: %w", r.URL.Hostname(), webaddr.Cause(err))
	}
	_, _ = io.CopyN(io.Discard, w.Body, 4096)
	_ = w.Body.Close()
	switch c := w.StatusCode; {
	case c >= 200 && c < 300:
		return false, nil
	case c >= 300 && c < 400:
		return false, fmt.Errorf("%s answers with status %d, and redirects are not followed; enter the address that it leads to", r.URL.Hostname(), c)
	default:
		return c == 408 || c == 429 || c >= 500, fmt.Errorf("%s answers with status %d", r.URL.Hostname(), c)
	}
}

// signHook is the lower-case hex HMAC-SHA256 of the timestamp, a full stop and
// the body.
func signHook(key calendar.Secret, at string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(at + "."))
	mac.Write(body)
	return hex.EncodeToString(mac.Sum(nil))
}

// hookState is what an address has been told.
type hookState struct {
	// Told are the alarms that it knows as open, by key.
	Told map[string]OpenAlarm `json:"told"`
	Last HookResult           `json:"last,omitzero"`
}

func readHookState(tx Tx, id string) (s hookState, r Record, err error) {
	r, err = tx.Get("hookstate", id)
	if errors.Is(err, ErrNotFound) {
		return hookState{Told: map[string]OpenAlarm{}}, Record{}, nil
	}
	if err == nil {
		err = json.Unmarshal(r.Data, &s)
	}
	if s.Told == nil {
		s.Told = map[string]OpenAlarm{}
	}
	return s, r, err
}

func (c *Centre) keepHookState(ctx context.Context, h AlarmHook, fn func(*hookState)) error {
	return c.store.Update(ctx, func(tx Tx) error {
		if _, err := tx.Get("alarm_hook", h.ID); err != nil {
			if errors.Is(err, ErrNotFound) {
				return nil // it was deleted meanwhile
			}
			return err
		}
		s, r, err := readHookState(tx, h.ID)
		if err != nil {
			return err
		}
		fn(&s)
		data, err := json.Marshal(s)
		if err != nil {
			return fmt.Errorf("state of an alarm hook: %w", err)
		}
		_, err = tx.Put(Record{Kind: "hookstate", ID: h.ID, Owner: h.Company, Revision: r.Revision, Changed: time.Now().UTC().Truncate(time.Microsecond), Data: data})
		return err
	})
}

func (ch *change) dropHookState(id string) error {
	_, r, err := readHookState(ch, id)
	if err != nil || r.Revision == 0 {
		return err
	}
	return ch.Delete("hookstate", id, r.Revision)
}

// last reads how the last delivery went.
func (h *AlarmHook) last(tx Tx) error {
	s, _, err := readHookState(tx, h.ID)
	h.Last = s.Last
	return err
}

// watch is what RunAlarms remembers of an address from one round to the next.
type watch struct {
	before map[string]OpenAlarm // the alarms of the last round
	looked bool
	wait   time.Duration // after failures
	next   time.Time
}

// How RunAlarms goes on.
const (
	alarmRound   = 30 * time.Second
	alarmBackoff = 15 * time.Minute // the longest pause after failures
	alarmSenders = 8
	alarmBatch   = 500 // alarms of one message
)

// RunAlarms tells addresses of alarms until ctx is done. An alarm is told when
// two looks, half a minute apart, have seen it, and its end when two have not; a
// system of which nothing is known changes nothing. What an address did not take
// is sent again, also after a restart of the program: a message may come twice,
// and none is lost.
func (c *Centre) RunAlarms(ctx context.Context) error {
	watches := map[string]*watch{}
	tick := time.NewTicker(alarmRound)
	defer tick.Stop()
	for {
		if err := c.alarmRound(ctx, watches); err != nil && ctx.Err() == nil {
			c.opts.Logger.Error("alarms are not told in this round", "err", err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// delivery is what is to be sent to an address.
type delivery struct {
	hook  AlarmHook
	key   calendar.Secret
	org   Org
	state hookState
	open  map[string]OpenAlarm
	// unknown are the systems of which nothing is known.
	unknown map[string]bool
}

func (c *Centre) alarmRound(ctx context.Context, watches map[string]*watch) error {
	list, err := c.deliveries(ctx)
	if err != nil {
		return err
	}
	now := time.Now()
	seen := map[string]bool{}
	var wg sync.WaitGroup
	slots := make(chan struct{}, alarmSenders)
	for _, d := range list {
		seen[d.hook.ID] = true
		w := watches[d.hook.ID]
		if w == nil {
			w = &watch{}
			watches[d.hook.ID] = w
		}
		m, told := d.message(w)
		w.before, w.looked = d.open, true
		if len(m.Raised)+len(m.Cleared) == 0 || now.Before(w.next) {
			continue
		}
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			sendErr := c.hooks.deliver(ctx, d.hook.URL, d.key, m)
			if ctx.Err() != nil {
				return
			}
			if sendErr == nil {
				w.wait, w.next = 0, time.Time{}
			} else {
				w.wait = min(max(2*w.wait, alarmRound), alarmBackoff)
				w.next = now.Add(w.wait)
				c.opts.Logger.Warn("an address for alarms does not take a message", "hook", d.hook.ID, "err", sendErr)
			}
			err := c.keepHookState(ctx, d.hook, func(s *hookState) {
				if s.Last = resultOf(sendErr); sendErr == nil {
					s.Told = told
				}
			})
			if err != nil {
				c.opts.Logger.Error("what an address for alarms was told is not kept", "hook", d.hook.ID, "err", err)
			}
		})
	}
	wg.Wait()
	for id := range watches {
		if !seen[id] {
			delete(watches, id)
		}
	}
	return nil
}

// deliveries reads the enabled addresses of all companies with what is open there.
func (c *Centre) deliveries(ctx context.Context) (out []delivery, err error) {
	companies := map[string]parts{}
	err = c.store.View(ctx, func(tx Tx) error {
		out = nil
		hooks, err := all[AlarmHook](tx, "")
		if err != nil {
			return err
		}
		for _, h := range hooks {
			if !h.Enabled {
				continue
			}
			f, ok := companies[h.Company]
			if !ok {
				o, err := get[Org](tx, h.Company)
				if err != nil {
					return err
				}
				if f, err = readParts(tx, o); err != nil {
					return err
				}
				companies[h.Company] = f
			}
			d := delivery{hook: h, org: f.org}
			if d.key, err = secretOf(tx, c.keys, "alarm_hook", h.ID, hookKey); err != nil {
				return err
			}
			if d.state, _, err = readHookState(tx, h.ID); err != nil {
				return err
			}
			out = append(out, d)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for i := range out {
		d := &out[i]
		f := companies[d.org.ID]
		var list []OpenAlarm
		list, d.unknown = c.openAlarms(&f)
		d.open = map[string]OpenAlarm{}
		for _, a := range list {
			if a.Colour == Red || !d.hook.SeriousOnly {
				d.open[a.key()] = a
			}
		}
	}
	return out, nil
}

// message is what an address has to be told, and what it knows when it has been.
func (d *delivery) message(w *watch) (m HookMessage, told map[string]OpenAlarm) {
	m = HookMessage{Type: "alarms", Company: d.org.Name, Raised: []OpenAlarm{}, Cleared: []OpenAlarm{}, Open: len(d.open)}
	told = map[string]OpenAlarm{}
	for key, a := range d.state.Told {
		_, is := d.open[key]
		_, was := w.before[key]
		if is || was || !w.looked || d.unknown[a.ID] || len(m.Cleared) == alarmBatch {
			told[key] = a
			continue
		}
		m.Cleared = append(m.Cleared, a)
	}
	for key, a := range d.open {
		_, known := d.state.Told[key]
		_, was := w.before[key]
		if known || !was || len(m.Raised) == alarmBatch {
			continue
		}
		told[key] = a
		m.Raised = append(m.Raised, a)
	}
	for _, list := range [][]OpenAlarm{m.Raised, m.Cleared} {
		sortAlarms(list)
	}
	// The same news have the same ID, so that a receiver knows a repetition.
	var all strings.Builder
	for i, list := range [][]OpenAlarm{m.Raised, m.Cleared} {
		for _, a := range list {
			fmt.Fprintf(&all, "%d %s %d\n", i, a.key(), a.Since.Unix())
		}
	}
	m.ID = hash(d.hook.ID + "\n" + all.String())[:32]
	return m, told
}
