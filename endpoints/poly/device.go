package poly

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/onetouchjoin/onetouchjoin/calendar"
	"github.com/onetouchjoin/onetouchjoin/otj"
)

// DeviceOptions change how a device is called.
type DeviceOptions struct {
	// Fingerprint is the SHA-256 of the certificate that the device must have,
	// in hex; devices come with one of their own making. CA are the authorities
	// otherwise; nil are those of the system.
	Fingerprint string
	CA          *x509.CertPool
	// Timeout is that of a request. Default 10 seconds.
	Timeout time.Duration
}

// Device is the REST interface of a VideoOS or Group device, to set its
// calendar up and to ask for its state. It is safe for concurrent use.
type Device struct {
	base, user string
	password   calendar.Secret
	client     *http.Client

	mu      sync.Mutex
	session string
}

// NewDevice returns the device at a host name or IP address, with the account
// of its administrator. It calls nothing yet.
func NewDevice(address, user string, password calendar.Secret, opts *DeviceOptions) (*Device, error) {
	var o DeviceOptions
	if opts != nil {
		o = *opts
	}
	u, err := url.Parse("https://" + address)
	if err != nil || u.Host == "" || u.Host != address {
		return nil, fmt.Errorf("poly: %q is no address of a device; write its host name or IP address", address)
	}
	conf := &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: o.CA}
	if o.Fingerprint != "" {
		want, err := hex.DecodeString(strings.ReplaceAll(o.Fingerprint, ":", ""))
		if err != nil || len(want) != sha256.Size {
			return nil, errors.New("poly: the fingerprint must be the SHA-256 of the device's certificate: 64 digits of hex")
		}
		conf.InsecureSkipVerify = true // what is checked is that it is this very certificate
		conf.VerifyConnection = func(c tls.ConnectionState) error {
			if sum := sha256.Sum256(c.PeerCertificates[0].Raw); subtle.ConstantTimeCompare(sum[:], want) != 1 {
				return fmt.Errorf("%w: its fingerprint is %x", otj.ErrCertificate, sum)
			}
			return nil
		}
	}
	if o.Timeout <= 0 {
		o.Timeout = 10 * time.Second
	}
	return &Device{base: "https://" + address, user: user, password: password, client: &http.Client{
		Timeout:       o.Timeout,
		Transport:     &http.Transport{TLSClientConfig: conf, MaxIdleConnsPerHost: 1, IdleConnTimeout: 30 * time.Second},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

func (d *Device) fault(op string, err error) *otj.EndpointError {
	return &otj.EndpointError{Op: op, Endpoint: strings.TrimPrefix(d.base, "https://"), Err: err}
}

// maxReply is the most that is read of an answer.
const maxReply = 1 << 20

// errSession says that a session has ended.
var errSession = errors.New("no session")

// call sends a request in a session, which is opened when there is none.
func (d *Device) call(ctx context.Context, method, path string, body, into any) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	for try := 0; ; try++ {
		if d.session == "" {
			if err := d.login(ctx); err != nil {
				return err
			}
		}
		err := d.send(ctx, method, path, body, into)
		if !errors.Is(err, errSession) {
			return err
		}
		if d.session = ""; try > 0 {
			return otj.ErrUnauthorized
		}
	}
}

func (d *Device) login(ctx context.Context) error {
	var answer struct {
		Success bool
		Session struct {
			SessionID string `json:"sessionId"`
		}
	}
	body := map[string]string{"action": "Login", "user": d.user, "password": string(d.password)}
	err := d.send(ctx, http.MethodPost, "/rest/session", body, &answer)
	if errors.Is(err, otj.ErrNotDevice) { // newer devices have another path
		err = d.send(ctx, http.MethodPost, "/rest/current/session", body, &answer)
	}
	switch {
	case errors.Is(err, errSession):
		return otj.ErrUnauthorized
	case err != nil:
		return err
	case !answer.Success || answer.Session.SessionID == "" || strings.ContainsAny(answer.Session.SessionID, ";\r\n"):
		return fmt.Errorf("%w: it opened no session", otj.ErrNotDevice)
	}
	d.session = answer.Session.SessionID
	return nil
}

// send sends one request, without the password or the answer in its errors.
func (d *Device) send(ctx context.Context, method, path string, body, into any) error {
	var b bytes.Buffer
	if body != nil {
		if err := json.NewEncoder(&b).Encode(body); err != nil {
			return err
		}
	}
	r, err := http.NewRequestWithContext(ctx, method, d.base+path, &b)
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	if d.session != "" {
		r.Header.Set("Cookie", "session_id="+d.session)
	}
	w, err := d.client.Do(r)
	if err != nil {
		var certificate *tls.CertificateVerificationError
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, otj.ErrCertificate):
			return err
		case errors.As(err, &certificate):
			return fmt.Errorf("%w: %w", otj.ErrCertificate, certificate.Err)
		}
		return fmt.Errorf("%w: %w", otj.ErrUnreachable, err)
	}
	defer w.Body.Close()
	text, err := io.ReadAll(io.LimitReader(w.Body, maxReply))
	if err != nil {
		return fmt.Errorf("%w: its answer was cut off", otj.ErrUnreachable)
	}
	switch c := w.StatusCode; {
	case c == http.StatusOK:
		if json.Unmarshal(text, into) != nil {
			return fmt.Errorf("%w: its answer is no JSON", otj.ErrNotDevice)
		}
		return nil
	case c == http.StatusUnauthorized || c == http.StatusForbidden:
		return errSession
	case c == http.StatusNotFound || c >= 300 && c < 400:
		return fmt.Errorf("%w: status %d", otj.ErrNotDevice, c)
	case c == http.StatusTooManyRequests || c == http.StatusServiceUnavailable || bytes.Contains(text, []byte("SessionAlreadyActive")):
		return fmt.Errorf("%w: status %d", otj.ErrBusy, c)
	default:
		return fmt.Errorf("%w: status %d", otj.ErrRejected, c)
	}
}

// variable is a setting in REST's answers.
type variable struct {
	Name   string `json:"name"`
	Value  string `json:"value"`
	Result string `json:"result,omitempty"`
}

// Setup reads the device's calendar settings and the names that it has for
// them. The password cannot be read.
func (d *Device) Setup(ctx context.Context) (Setup, Names, error) {
	const op = "read calendar settings"
	for _, names := range []Names{NamesCal, NamesExchange} {
		keys, err := Setup{Server: "x", User: "x", Password: "x"}.keys(names)
		if err != nil {
			return Setup{}, "", d.fault(op, err)
		}
		var ask []string
		for _, k := range keys[:6] {
			ask = append(ask, k[0])
		}
		var answer struct{ Vars []variable }
		if err := d.call(ctx, http.MethodPost, "/rest/config", map[string]any{"names": ask}, &answer); err != nil {
			return Setup{}, "", d.fault(op, err)
		}
		if len(answer.Vars) != len(ask) || slices.ContainsFunc(answer.Vars, func(v variable) bool { return v.Result != "NOERROR" }) {
			continue
		}
		value := map[string]string{}
		for _, v := range answer.Vars {
			value[v.Name] = v.Value
		}
		return Setup{Server: value[ask[1]], User: value[ask[2]], Domain: value[ask[4]], Mailbox: value[ask[5]]}, names, nil
	}
	return Setup{}, "", d.fault(op, fmt.Errorf("%w: it knows neither cal.* nor exchange.* settings", otj.ErrNotDevice))
}

// Configure makes the device poll as s says, and reads its settings back.
func (d *Device) Configure(ctx context.Context, s Setup) error {
	const op = "set calendar settings"
	_, names, err := d.Setup(ctx)
	if err != nil {
		return err
	}
	keys, err := s.keys(names)
	if err != nil {
		return err
	}
	vars := []variable{}
	for _, k := range keys[:6] { // those that every device has
		vars = append(vars, variable{Name: k[0], Value: k[1]})
	}
	var answer struct{ Vars []variable }
	if err := d.call(ctx, http.MethodPost, "/rest/config", map[string]any{"vars": vars}, &answer); err != nil {
		return d.fault(op, err)
	}
	for _, v := range answer.Vars {
		if v.Result != "NOERROR" {
			return d.fault(op, fmt.Errorf("%w: %s", otj.ErrRejected, v.Name))
		}
	}
	got, _, err := d.Setup(ctx)
	if err != nil {
		return err
	}
	if host, _ := s.Host(); got.Server != host || got.User != s.User || got.Domain != s.Domain || got.Mailbox != s.Mailbox {
		return d.fault(op, fmt.Errorf("%w: it has other settings than it was given", otj.ErrRejected))
	}
	return nil
}

// Calendar returns the state of the device's calendar: "up", "down" or "off".
func (d *Device) Calendar(ctx context.Context) (string, error) {
	const op = "read calendar state"
	var list []struct {
		Name      string
		StateList []string
	}
	if err := d.call(ctx, http.MethodGet, "/rest/system/status", nil, &list); err != nil {
		return "", d.fault(op, err)
	}
	for _, s := range list {
		if s.Name == "system.status.calendar" && len(s.StateList) > 0 {
			return s.StateList[0], nil
		}
	}
	return "", d.fault(op, fmt.Errorf("%w: it says nothing of a calendar", otj.ErrNotDevice))
}
