package control

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/onetouchjoin/onetouchjoin/calendar"
)

// Systems returns a page of the video systems of a company, by name.
func (c *Centre) Systems(ctx context.Context, actor Actor, company, after string, limit int) (Page[System], error) {
	return listPage[System](ctx, c, actor, company, after, limit)
}

// System returns one video system.
func (c *Centre) System(ctx context.Context, actor Actor, id string) (System, error) {
	return one[System](ctx, c, actor, id)
}

// SaveSystem makes a video system, if s has no ID, or changes it at its
// Revision. The kind cannot be changed. A system can be enabled when its company
// is, and when it has a mailbox.
func (c *Centre) SaveSystem(ctx context.Context, actor Actor, s System) (System, error) {
	given := s
	err := c.update(ctx, actor, s.Company, func(ch *change) error {
		s = given
		o, err := actor.org(ch, s.Company, Configure)
		if err != nil {
			return err
		}
		if err := prepareSystem(ch, o, &s, c.opts.PrivateHooks); err != nil {
			return err
		}
		return put(ch, &s)
	})
	if err != nil {
		return System{}, err
	}
	return s, nil
}

// prepareSystem brings a system into the form in which it is stored, and says
// what is wrong with it. private lets webhooks be inside of the server's network.
func prepareSystem(ch *change, o Org, s *System, private bool) error {
	s.Name, s.Host, s.User, s.URL = strings.TrimSpace(s.Name), strings.TrimSpace(s.Host), strings.TrimSpace(s.User), strings.TrimSpace(s.URL)
	s.Fingerprint = strings.ToLower(strings.NewReplacer(":", "", " ", "").Replace(s.Fingerprint))
	s.MAC = strings.ToLower(strings.TrimSpace(s.MAC))
	wasEnabled := false
	if s.ID != "" {
		old, err := own[System](ch, s.ID)
		if err != nil {
			return err
		}
		s.Company, s.Kind, s.Created, s.HasPassword = old.Company, old.Kind, old.Created, old.HasPassword
		if s.Kind.Calls() {
			s.User = old.User
		}
		wasEnabled = old.Enabled
	} else {
		s.Revision, s.HasPassword = 0, false
		if s.Kind.Calls() {
			s.User = "otj-" + strings.ToLower(rand.Text()[:12])
		}
	}
	var ck checks
	checkSystem(&ck, ch, s, private)
	if s.Enabled && !wasEnabled && !o.Enabled {
		ck.fail("enabled", "One-Touch Join is not enabled for %s yet", o.Name)
	}
	return ck.err()
}

func checkSystem(ck *checks, tx Tx, s *System, private bool) {
	ck.text("name", s.Name, 250)
	if !slices.Contains(SystemKinds[:], s.Kind) {
		ck.fail("kind", "%.40q is no kind of video system", s.Kind)
		return
	}
	if s.Group != "" {
		sameCompany[Group](ck, tx, "group", s.Group, s.Company)
	}
	switch {
	case s.Mailbox != "":
		sameCompany[Mailbox](ck, tx, "mailbox", s.Mailbox, s.Company)
	case s.Enabled:
		ck.fail("mailbox", "is missing: a system shows the meetings of a mailbox")
	}
	ck.optional("user", s.User, 250)
	switch s.Kind {
	case CiscoHTTPS, CiscoWebSocket:
		if s.Host == "" && s.Enabled {
			ck.fail("host", "is missing: the device's name or address")
		}
	case CiscoWebex:
		if s.DeviceID == "" && s.Enabled {
			ck.fail("device_id", "is missing: the device's or workspace's ID in the Webex cloud")
		}
	case Webhook:
		if s.URL == "" && s.Enabled {
			ck.fail("url", "is missing: the address that gets the meetings")
		}
		if s.URL != "" {
			ck.hookURL("url", s.URL, private)
		}
	}
	if s.Host != "" {
		ck.host("host", s.Host)
	}
	if raw, err := hex.DecodeString(s.Fingerprint); err != nil || len(raw) != 0 && len(raw) != 32 {
		ck.fail("fingerprint", "is not the SHA-256 of a certificate: 64 hexadecimal digits")
	}
	ck.optional("device_id", s.DeviceID, 512)
	ck.optional("serial", s.Serial, 64)
	if s.MAC != "" {
		if _, err := net.ParseMAC(s.MAC); err != nil {
			ck.fail("mac", "%.40q is not a MAC address such as 00:11:22:aa:bb:cc", s.MAC)
		}
	}
	ck.different(s)
}

// host demands a name or address, with or without a port, and nothing more: it
// becomes part of a URL.
func (c *checks) host(field, value string) {
	name := value
	if h, port, err := net.SplitHostPort(value); err == nil {
		if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
			c.fail(field, "has no port from 1 to 65535 after the colon")
			return
		}
		name = h
	}
	if net.ParseIP(strings.Trim(name, "[]")) != nil {
		return
	}
	if name == "" || len(name) > 253 || strings.Trim(strings.ToLower(name), "abcdefghijklmnopqrstuvwxyz0123456789.-") != "" {
		c.fail(field, "%.60q is not a host name or address, with or without a port", value)
	}
}

// secret is what a record of kind "secret" holds.
type secret struct {
	Sealed []byte `json:"sealed"`
}

// The field of the only secret that a system or group has.
const passwordField = "password"

func secretPlace(kind, id, field string) string { return kind + "/" + id + "/" + field }

// keepSecret stores a secret of an object, or deletes it if it is empty.
func (ch *change) keepSecret(company, kind, id, field string, value calendar.Secret) error {
	place := secretPlace(kind, id, field)
	old, err := ch.Get("secret", place)
	there := err == nil
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	if value == "" {
		if !there {
			return nil
		}
		return ch.Delete("secret", place, old.Revision)
	}
	sealed, err := ch.keys.Seal(value, place)
	if err != nil {
		return err
	}
	data, err := json.Marshal(secret{sealed})
	if err != nil {
		return fmt.Errorf("%s: %w", place, err)
	}
	_, err = ch.Put(Record{Kind: "secret", ID: place, Owner: company, Revision: old.Revision, Changed: ch.now, Data: data})
	return err
}

// secretOf reads a secret of an object; it is empty if there is none.
func secretOf(tx Tx, keys *Keys, kind, id, field string) (calendar.Secret, error) {
	place := secretPlace(kind, id, field)
	r, err := tx.Get("secret", place)
	if errors.Is(err, ErrNotFound) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	var s secret
	if err := json.Unmarshal(r.Data, &s); err != nil {
		return "", fmt.Errorf("%s: %w", place, err)
	}
	return keys.Open(s.Sealed, place)
}

// Password returns the password of a system, or that of its group where it has
// none of its own and is no webhook; it is empty if there is neither. It is for the service that
// talks to the device, and checks nobody's role.
func (c *Centre) Password(ctx context.Context, system string) (password calendar.Secret, err error) {
	err = c.store.View(ctx, func(tx Tx) error {
		s, err := get[System](tx, system)
		if err != nil {
			return err
		}
		password, err = secretOf(tx, c.keys, "system", s.ID, passwordField)
		if err == nil && password == "" && s.Group != "" && s.Kind != Webhook {
			password, err = secretOf(tx, c.keys, "group", s.Group, passwordField)
		}
		return err
	})
	return password, err
}

// Reseal encrypts every secret with the primary key, after Keys.Rotate. It
// returns how many there are.
func (c *Centre) Reseal(ctx context.Context) (n int, err error) {
	err = c.store.Update(ctx, func(tx Tx) error {
		n = 0
		return eachRecord(tx, "secret", "", func(r Record) error {
			var s secret
			if err := json.Unmarshal(r.Data, &s); err != nil {
				return fmt.Errorf("%s: %w", r.ID, err)
			}
			plain, err := c.keys.Open(s.Sealed, r.ID)
			if err != nil {
				return err
			}
			if s.Sealed, err = c.keys.Seal(plain, r.ID); err != nil {
				return err
			}
			if r.Data, err = json.Marshal(s); err != nil {
				return fmt.Errorf("%s: %w", r.ID, err)
			}
			n++
			_, err = tx.Put(r)
			return err
		})
	})
	return n, err
}

// SetPassword stores the password of a device that is called, or of a group's
// devices. An empty one takes it away.
func (c *Centre) SetPassword(ctx context.Context, actor Actor, kind, id string, password calendar.Secret) error {
	if len(password) > 1024 {
		return &InvalidError{[]FieldError{{passwordField, "is longer than 1024 bytes"}}}
	}
	return c.update(ctx, actor, "", func(ch *change) error {
		switch kind {
		case "system":
			s, err := own[System](ch, id)
			if err != nil {
				return err
			}
			if s.Kind.Generates() {
				return &InvalidError{[]FieldError{{passwordField, "is generated for a system of this kind"}}}
			}
			return keepPassword(ch, &s, &s.HasPassword, s.Company, password)
		case "group":
			g, err := own[Group](ch, id)
			if err != nil {
				return err
			}
			return keepPassword(ch, &g, &g.HasPassword, g.Company, password)
		}
		return fmt.Errorf("%s %s: %w", kind, id, ErrNotFound)
	})
}

// NewPassword generates the password of a system that calls the service, or the
// key of a webhook, and returns it. It is never given out again.
func (c *Centre) NewPassword(ctx context.Context, actor Actor, id string) (password calendar.Secret, err error) {
	err = c.update(ctx, actor, "", func(ch *change) error {
		s, err := own[System](ch, id)
		if err != nil {
			return err
		}
		if !s.Kind.Generates() {
			return &InvalidError{[]FieldError{{passwordField, "is the device's own: set it on the device and enter it here"}}}
		}
		var random [16]byte // 128 bits
		rand.Read(random[:])
		password = calendar.Secret(base64.RawURLEncoding.EncodeToString(random[:]))
		return keepPassword(ch, &s, &s.HasPassword, s.Company, password)
	})
	if err != nil {
		return "", err
	}
	return password, nil
}

func keepPassword[T any, P object[T]](ch *change, v *T, has *bool, company string, password calendar.Secret) error {
	kind, _, _ := P(v).place()
	id := P(v).meta().ID
	if err := ch.keepSecret(company, kind, id, passwordField, password); err != nil {
		return err
	}
	*has = password != ""
	if err := put[T, P](ch, v); err != nil {
		return err
	}
	return ch.note(company, kind, id, P(v).title(), "password changed")
}
