package poly

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/onetouchjoin/onetouchjoin/calendar"
)

// Setup is what a device has to know to poll a server.
type Setup struct {
	Server   string // as Options.URL, or a host name
	User     string // Credential.User
	Password calendar.Secret
	// Domain is for devices that insist on one; any will do.
	Domain string
	// Mailbox is the room's address; the device may insist on one.
	Mailbox string
	// ShowPrivate shows private meetings. They have no details here, and without
	// it a device hides them with their buttons.
	ShowPrivate bool
}

// Host is what the device takes as its server: a name, with a port where that
// is another than 443. It fails if Server is no address.
func (s Setup) Host() (string, error) {
	text := s.Server
	if !strings.Contains(text, "://") {
		text = "https://" + text
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil {
		return "", errors.New("poly: Setup.Server is no address; write it as https://host:port")
	}
	return u.Host, nil
}

func (s Setup) validate() error {
	for name, value := range map[string]string{"User": s.User, "Password": string(s.Password), "Domain": s.Domain, "Mailbox": s.Mailbox} {
		if strings.ContainsFunc(value, func(r rune) bool { return r < 0x20 || r == 0x7f || r == '"' }) {
			return fmt.Errorf("poly: Setup.%s has a quotation mark or a control character, which devices cannot be given", name)
		}
	}
	if s.User == "" || s.Password == "" {
		return errors.New("poly: Setup needs a User and a Password; see NewCredential")
	}
	return nil
}

// Names is the family of names that a device has for its settings.
type Names string

// The families of names. VideoOS's provisioning knows NamesExchange, Group
// devices know NamesCal; which one the REST interface of a device takes is
// found out by [Device].
const (
	NamesExchange Names = "exchange"
	NamesCal      Names = "cal"
)

// keys are the settings in their order.
func (s Setup) keys(names Names) ([][2]string, error) {
	host, err := s.Host()
	if err != nil {
		return nil, err
	}
	if err := s.validate(); err != nil {
		return nil, err
	}
	private := fmt.Sprint(s.ShowPrivate)
	if names == NamesCal {
		return [][2]string{{"cal.enabled", "true"}, {"cal.ews.server", host}, {"cal.ews.username", s.User}, {"cal.ews.password", string(s.Password)},
			{"cal.ews.domain", s.Domain}, {"cal.ews.mailbox", s.Mailbox}, {"cal.showprivatemeeting", private}}, nil
	}
	return [][2]string{{"exchange.enable", "true"}, {"exchange.server.url", host}, {"exchange.auth.userName", s.User}, {"exchange.auth.password", string(s.Password)},
		{"exchange.auth.domain", s.Domain}, {"exchange.auth.email", s.Mailbox}, {"exchange.auth.useLoginCredentials", "false"}, {"exchange.showPrivateMeeting", private}}, nil
}

// File returns a profile for a provisioning server, with the settings as
// attributes of one element. The file has the password. The names of the
// settings are documented by the vendor; the file has not been tried.
func (s Setup) File(names Names) ([]byte, error) {
	keys, err := s.keys(names)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	b.WriteString(xml.Header + "<polycomConfig>\n  <" + string(names))
	for _, k := range keys {
		b.WriteString("\n    " + k[0] + `="`)
		_ = xml.EscapeText(&b, []byte(k[1])) // a buffer takes everything
		b.WriteString(`"`)
	}
	b.WriteString("/>\n</polycomConfig>\n")
	return b.Bytes(), nil
}

// Commands returns what an installer types on a Group or HDX device's command
// line (telnet or ssh). Nothing is sent. The second to last has the password.
func (s Setup) Commands() ([]string, error) {
	host, err := s.Host()
	if err != nil {
		return nil, err
	}
	if err := s.validate(); err != nil {
		return nil, err
	}
	out := []string{`calendarserver "` + host + `"`, `calendaruser "` + s.User + `"`}
	if s.Domain != "" {
		out = append(out, `calendardomain set "`+s.Domain+`"`)
	}
	if s.Mailbox != "" {
		out = append(out, `calendarresource "`+s.Mailbox+`"`)
	}
	private := "no"
	if s.ShowPrivate {
		private = "yes"
	}
	return append(out, "calendarshowpvtmeetings "+private, `calendarpassword "`+string(s.Password)+`"`, "calendarregisterwithserver yes"), nil
}
