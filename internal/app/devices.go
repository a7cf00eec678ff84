package app

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/onetouchjoin/onetouchjoin/calendar"
	"github.com/onetouchjoin/onetouchjoin/endpoints/cisco"
	"github.com/onetouchjoin/onetouchjoin/endpoints/feed"
	"github.com/onetouchjoin/onetouchjoin/endpoints/poly"
	"github.com/onetouchjoin/onetouchjoin/internal/webaddr"
	"github.com/onetouchjoin/onetouchjoin/otj"
)

// Device is the video system of a room. Which of the members a type needs is
// said by its Builder.
type Device struct {
	Type string `json:"type"`
	// Via is the way to the device, where its type has several.
	Via     string `json:"via"`
	Address string `json:"address"`
	// ID is the device's name in the URLs that it calls: A-Z a-z 0-9 - _.
	ID       string `json:"id"`
	Username string `json:"username"`
	// The password is given in one of three ways: here, as the content of a
	// file, or as that of an environment variable.
	Password     calendar.Secret `json:"password"`
	PasswordFile string          `json:"password_file"`
	PasswordEnv  string          `json:"password_env"`
	// Serial and MAC are those of the device, which are compared where the
	// device says them.
	Serial string `json:"serial"`
	MAC    string `json:"mac"`
	// Webex names an entry of Config.Webex.
	Webex string `json:"webex"`
	// FeedbackSlot is a slot of the device's HttpFeedback that may be used.
	FeedbackSlot int `json:"feedback_slot"`
	// Fingerprint is the SHA-256 of the certificate that the device must have,
	// and CAFile the authority that must have signed it.
	Fingerprint string `json:"fingerprint"`
	CAFile      string `json:"ca_file"`
	// TakeOver overwrites the bookings of another system.
	TakeOver bool `json:"take_over"`
	// What a Cisco device can do is asked of it and known from documents; these
	// are for devices that are different. They are as in cisco.Options.
	Push        string `json:"push"`
	WebRTC      string `json:"webrtc"`
	Encryption  string `json:"encryption"`
	MaxBookings int    `json:"max_bookings"`
	// SocketAuth is how a WebSocket says who it is: empty or "subprotocol".
	SocketAuth string `json:"socket_auth"`
	// ExplicitEmpty is for a device that calls as it does TMS, and keeps its last
	// meeting on the screen.
	ExplicitEmpty bool `json:"explicit_empty"`
	// Token is the form in which a Poly device reads the address: full, split or
	// none.
	Token string `json:"token"`
	// NoPollAlarm says that a Poly device may be silent for longer.
	NoPollAlarm bool `json:"no_poll_alarm"`

	webex     Webex // what Webex names
	ofCompany bool  // the address is a company's own: it may not lead into the server's network
}

// Builder makes the endpoint of a device. The password is already in Password,
// and paths are complete. An error that is a *MemberError is shown at that
// member of the file.
type Builder func(s *Site, room string, d Device) (otj.Endpoint, error)

// MemberError says which member of a device is wrong.
type MemberError struct {
	Member string
	Err    error
}

// Error returns the error without the member: its place is in the file.
func (e *MemberError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *MemberError) Unwrap() error { return e.Err }

func member(name, format string, args ...any) error {
	return &MemberError{name, fmt.Errorf(format, args...)}
}

// Builders are the types of devices that there are.
func Builders() map[string]Builder {
	return map[string]Builder{"cisco": newCisco, "poly": newPoly, "feed": newFeed, "webhook": newWebhook}
}

// ways are those by which a Cisco device gets its meetings, as they are in Via.
var ways = map[string]Builder{
	"https":     newCiscoPush,
	"websocket": newCiscoPush,
	"cloud":     newCiscoCloud,
	"macro":     newCiscoMacro,
	"tms":       newCiscoManaged,
}

func newCisco(s *Site, room string, d Device) (otj.Endpoint, error) {
	if d.Via == "" {
		d.Via = "https"
	}
	way := ways[d.Via]
	if way == nil {
		return nil, member("via", "there is no way %q to a Cisco device: use https, websocket, cloud, macro or tms", d.Via)
	}
	return way(s, room, d)
}

// newCiscoPush makes the endpoint of a device that is called over HTTPS or a
// WebSocket.
func newCiscoPush(s *Site, room string, d Device) (otj.Endpoint, error) {
	switch {
	case d.Address == "":
		return nil, member("address", `a Cisco device needs an "address": its name or IP address`)
	case d.Username == "":
		return nil, member("username", `a Cisco device needs a "username", of an account with the role Admin`)
	case d.Password == "":
		return nil, errors.New(`a Cisco device needs a "password", "password_file" or "password_env"`)
	}
	opts := d.ciscoOptions(room)
	opts.Fingerprint = d.Fingerprint
	if d.CAFile != "" {
		var err error
		if opts.CA, err = readPool(d.CAFile); err != nil {
			return nil, &MemberError{"ca_file", err}
		}
	}
	creds := cisco.Password{User: d.Username, Password: d.Password}
	if d.Via == "websocket" {
		return cisco.NewWebSocket(d.Address, creds, cisco.SocketAuth(d.SocketAuth), opts)
	}
	e, err := cisco.New(d.Address, creds, opts)
	if err != nil || d.FeedbackSlot == 0 {
		return e, err
	}
	if s.feedback == nil {
		return nil, s.needsTLS("feedback_slot")
	}
	if err := s.feedback.Attach(e, d.FeedbackSlot); err != nil {
		return nil, &MemberError{"feedback_slot", err}
	}
	return e, nil
}

func (d *Device) ciscoOptions(room string) *cisco.Options {
	return &cisco.Options{Name: room, TakeOver: d.TakeOver, Push: cisco.Push(d.Push), WebRTC: cisco.WebRTC(d.WebRTC), Encryption: d.Encryption, MaxBookings: d.MaxBookings}
}

func (d *Device) pullOptions() cisco.PullOptions {
	return cisco.PullOptions{WebRTC: cisco.WebRTC(d.WebRTC), Encryption: d.Encryption, MaxBookings: d.MaxBookings}
}

// newCiscoCloud makes the endpoint of a device that is called through Webex.
func newCiscoCloud(s *Site, room string, d Device) (otj.Endpoint, error) {
	switch {
	case d.Address == "":
		return nil, member("address", `a Cisco device in the cloud needs an "address": the device id that Webex gives it`)
	case d.Webex == "":
		return nil, member("webex", `a Cisco device in the cloud needs "webex": the name of an entry of "webex" in the file`)
	}
	o, err := s.organization(d.webex)
	if err != nil {
		return nil, &MemberError{"webex", err}
	}
	return cisco.NewCloud(d.Address, o.tokens, &cisco.CloudOptions{BaseURL: d.webex.BaseURL, Client: o.client}, d.ciscoOptions(room))
}

// newCiscoMacro makes the endpoint of a device on which a macro runs.
func newCiscoMacro(s *Site, _ string, d Device) (otj.Endpoint, error) {
	switch {
	case d.ID == "":
		return nil, member("id", `a Cisco device with a macro needs an "id": its name in the address that it calls, of A-Z a-z 0-9 - _`)
	case s.macros == nil:
		return nil, s.needsTLS("via")
	case s.config.State == "":
		return nil, member("via", `the tokens of macros have to be kept: add "state", a folder, to "site"`)
	}
	var e *cisco.PullEndpoint
	err := s.add("macro "+d.ID, func() (remove func(), err error) {
		if e, err = s.macros.Device(d.ID); err != nil {
			return nil, &MemberError{"id", err}
		}
		return func() { s.macros.Remove(d.ID) }, e.Set(d.pullOptions())
	})
	if err != nil {
		return nil, err
	}
	return e, nil
}

// newCiscoManaged makes the endpoint of a device that takes the program for
// TMS.
func newCiscoManaged(s *Site, room string, d Device) (otj.Endpoint, error) {
	switch {
	case s.macros == nil:
		return nil, s.needsTLS("via")
	case d.Password == "":
		return nil, errors.New(`a Cisco device that calls as it does TMS needs a "password", "password_file" or "password_env": the secret part of the address that it calls`)
	case len(hostAndPort(s.config.URL)) > maxManagerAddress:
		return nil, member("via", "the address of the site, %s, is longer than the %d characters that a device takes for its External Manager", hostAndPort(s.config.URL), maxManagerAddress)
	case d.Serial == "" && d.MAC == "":
		return nil, errors.New(`a Cisco device that calls as it does TMS needs its "serial" or "mac", or both: they are all that tells it from another one`)
	}
	var e *cisco.PullEndpoint
	err := s.add("tms "+string(d.Password), func() (remove func(), err error) {
		e, err = s.manager.Device(cisco.ManagedDevice{Name: room, Path: d.Password, Serial: d.Serial, MAC: d.MAC, ExplicitEmpty: d.ExplicitEmpty})
		if err == nil {
			err = e.Set(d.pullOptions())
		}
		return func() { s.manager.Remove(d.Password) }, err
	})
	if err != nil {
		return nil, err
	}
	return e, nil
}

// needsTLS says why a device cannot call the program.
func (s *Site) needsTLS(name string) error {
	if s.config.URL == "" {
		return member(name, `the device calls the program: add "site" with its "url" to the file`)
	}
	if s.config.here() && s.config.noFile {
		return member(name, "the device calls the program over https: at %s it cannot. Start the program with otj serve --config FILE, with a file such as %s and a name and a certificate of your own; what was entered stays", s.config.URL, s.config.reachable())
	}
	return member(name, `the device calls the program over https: at %s it cannot; give the program a "url" that begins with https:// and a certificate`, s.config.URL)
}

// here reports whether the program's address is one of its own machine alone.
func (c *SiteConfig) here() bool {
	u, err := url.Parse(c.URL)
	return err == nil && webaddr.IsLocal(u.Hostname())
}

// reachable returns a configuration file with which the program of this one is
// reached from other machines, but for the certificate.
func (c *SiteConfig) reachable() string {
	data, _ := json.Marshal(c.State) // a string, as is the other
	folder, _ := json.Marshal(calendarsIn(c.State))
	return fmt.Sprintf(`{"control": {"listen": ":8443", "url": "https://otj.example.com:8443", "cert_file": "otj.crt", "key_file": "otj.key", "data": %s, "folders": [%s]}}`, data, folder)
}

// maxManagerAddress is how long Provisioning ExternalManager Address may be.
const maxManagerAddress = 64

func hostAndPort(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Host
}

// minSecret is the least length of a secret that a device sends us.
const minSecret = 16

// called checks a device that calls with a user name and a password.
func (s *Site) called(kind string, d Device) error {
	switch {
	case s.config.URL == "":
		return member("type", `a %s calls the program: add "site" with its "url" to the file`, kind)
	case d.Username == "":
		return member("username", `a %s needs a "username" of its own`, kind)
	case len(d.Password) < minSecret:
		return fmt.Errorf(`a %s needs a "password", "password_file" or "password_env" of %d characters or more; otj secret makes one`, kind, minSecret)
	}
	return nil
}

// salted returns what a server keeps of a password.
func salted(password calendar.Secret) (salt []byte, hash [32]byte) {
	salt = []byte(rand.Text())
	return salt, sha256.Sum256(append(slices.Clone(salt), password...))
}

func newPoly(s *Site, room string, d Device) (otj.Endpoint, error) {
	if err := s.called("Poly device", d); err != nil {
		return nil, err
	}
	switch poly.Token(d.Token) {
	case "", poly.TokenFull, poly.TokenSplit, poly.TokenNone:
	default:
		return nil, member("token", "there is no form %q of the token: use full, split or none", d.Token)
	}
	c := poly.CredentialFor(d.Username, d.Password)
	if s.ntlmKey != nil {
		var err error
		if c, err = c.WithNTLM(d.Password, s.ntlmKey); err != nil {
			return nil, err
		}
	}
	var e *poly.Room
	// User names of Poly devices are the same in any case.
	err := s.add("poly "+strings.ToLower(d.Username), func() (remove func(), err error) {
		e, err = s.poly.Add(room, c, &poly.RoomOptions{Token: poly.Token(d.Token), NoPollAlarm: d.NoPollAlarm})
		return func() { s.poly.Remove(e) }, err
	})
	if err != nil {
		return nil, err
	}
	return e, nil
}

func newFeed(s *Site, room string, d Device) (otj.Endpoint, error) {
	if err := s.called("client of the feed", d); err != nil {
		return nil, err
	}
	salt, hash := salted(d.Password)
	var e *feed.Room
	err := s.add("feed "+d.Username, func() (remove func(), err error) {
		e, err = s.feed.Add(room, feed.Credential{ID: d.Username, Salt: salt, Hash: hash})
		return func() { s.feed.Remove(e) }, err
	})
	if err != nil {
		return nil, err
	}
	return e, nil
}

func newWebhook(s *Site, room string, d Device) (otj.Endpoint, error) {
	switch {
	case d.Address == "":
		return nil, member("address", `a webhook needs an "address": the https:// URL that gets the meetings`)
	case len(d.Password) < minSecret:
		return nil, fmt.Errorf(`a webhook needs a "password", "password_file" or "password_env" of %d characters or more, which signs what it gets; otj secret makes one`, minSecret)
	}
	opts := &feed.WebhookOptions{Name: room}
	if d.ofCompany {
		opts.Client = s.hooks
	}
	if d.CAFile != "" {
		var err error
		if opts.Client, err = clientFor(d.CAFile, 10*time.Second); err != nil {
			return nil, &MemberError{"ca_file", err}
		}
	}
	h, err := feed.NewWebhook(d.Address, d.Password, opts)
	if err != nil {
		return nil, &MemberError{"address", err}
	}
	return h, nil
}
