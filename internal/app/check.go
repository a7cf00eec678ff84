package app

import (
	"errors"
	"fmt"
	"net"
	"os"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/onetouchjoin/onetouchjoin/calendar"
	"github.com/onetouchjoin/onetouchjoin/endpoints/poly"
	"github.com/onetouchjoin/onetouchjoin/internal/jsonc"
	"github.com/onetouchjoin/onetouchjoin/otj"
)

// checker collects what is wrong in a file.
type checker struct {
	c    *Config
	errs jsonc.Errors
}

func (k *checker) bad(pointer, format string, args ...any) {
	k.errs = append(k.errs, k.c.doc.Errorf(pointer, format, args...))
}

// child is the pointer of a member.
func child(pointer, name string) string {
	return pointer + "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
}

func (c *Config) check(builders map[string]Builder) jsonc.Errors {
	k := &checker{c: c}
	if c.Listen != "" {
		if _, _, err := net.SplitHostPort(c.Listen); err != nil {
			k.bad("/listen", `must be an address with a port, as in "127.0.0.1:8080"`)
		}
	}
	k.duration("/poll", &c.Poll)
	k.duration("/reassert", &c.Reassert)
	k.zone("/time_zone", c.TimeZone)
	k.settings("/settings", &c.Settings)
	for i, d := range c.OwnDomains {
		if d == "" || strings.ContainsAny(d, "@/: ,*") {
			k.bad(fmt.Sprintf("/own_domains/%d", i), `must be a domain alone, as in "fabrikam.example"`)
		}
	}
	k.rules()
	for _, name := range sortedKeys(c.Microsoft365) {
		m := c.Microsoft365[name]
		k.microsoft365(child("/microsoft365", name), &m)
		c.Microsoft365[name] = m
	}
	k.notifications("/notifications", c.Notifications)
	for _, name := range sortedKeys(c.Calendars) {
		cal := c.Calendars[name]
		k.calendar(child("/calendars", name), &cal)
		c.Calendars[name] = cal
	}
	k.site("/site", &c.Site)
	for _, name := range sortedKeys(c.Webex) {
		w := c.Webex[name]
		k.webex(child("/webex", name), &w)
		c.Webex[name] = w
	}
	// The endpoints are made once to see that they can be, on servers that
	// nobody calls.
	site := c.devices()
	for i, a := range site.PolyAuth {
		at := fmt.Sprintf("/site/poly_auth/%d", i)
		switch {
		case a != poly.Basic && a != poly.NTLM:
			k.bad(at, "there is no scheme %q: use %q and %q", a, poly.NTLM, poly.Basic)
			return k.errs
		case a == poly.NTLM && site.HTTP:
			k.bad(at, "NTLM needs the devices' own connections: it cannot be had behind a proxy")
			return k.errs
		}
	}
	scratch, err := newSite(site)
	if err != nil {
		k.bad("/site/url", "%v", err)
		return k.errs
	}
	if c.Control != nil {
		k.control("/control", c.Control)
	}
	if len(c.Rooms) == 0 && c.Control == nil {
		k.bad("/rooms", "there is no room: add one to \"rooms\"")
	}
	names := map[string]bool{}
	devices := map[string]string{}
	for i := range c.Rooms {
		r := &c.Rooms[i]
		at := fmt.Sprintf("/rooms/%d", i)
		switch {
		case r.Name == "":
			k.bad(child(at, "name"), "the room needs a name")
		case names[r.Name]:
			k.bad(child(at, "name"), "there are two rooms named %q", r.Name)
		}
		names[r.Name] = true
		k.sources(at, r)
		k.overlay(child(at, "settings"), &r.Settings, &c.Settings)
		k.settings(child(at, "settings"), &r.Settings)
		k.zone(child(at, "time_zone"), r.TimeZone)
		k.device(child(at, "device"), r, builders, scratch)
		if key := r.Device.key(); key != "" {
			if other := devices[key]; other != "" {
				k.bad(child(at, "device"), "room %q has the same device", other)
			}
			devices[key] = r.Name
		}
	}
	return k.errs
}

func sortedKeys[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// minPoll keeps a typing error such as "1ms" from becoming an attack.
const minPoll = time.Second

func (k *checker) duration(pointer string, d *time.Duration) {
	if k.c.doc.Has(pointer) && *d < minPoll {
		k.bad(pointer, "must be at least %v", minPoll)
	}
}

func (k *checker) zone(pointer, name string) {
	if _, err := time.LoadLocation(name); err != nil || name == "Local" {
		k.bad(pointer, `there is no time zone %q; use a name such as "Europe/Stockholm"`, name)
	}
}

func (k *checker) settings(pointer string, s *otj.Settings) {
	err := s.Validate()
	if err == nil {
		return
	}
	joined, _ := err.(interface{ Unwrap() []error })
	for _, err := range joined.Unwrap() {
		var field *otj.FieldError
		// A mistake in the settings of all rooms is not one of each of them.
		if errors.As(err, &field) && (pointer == "/settings" || k.c.doc.Has(child(pointer, field.Field))) {
			k.bad(child(pointer, field.Field), "%s %s", field.Field, field.Problem)
		}
	}
}

// overlay takes the settings that the file does not have there from base.
func (k *checker) overlay(pointer string, s, base *otj.Settings) {
	v, b := reflect.ValueOf(s).Elem(), reflect.ValueOf(base).Elem()
	for i := range v.NumField() {
		name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
		if !k.c.doc.Has(child(pointer, name)) {
			v.Field(i).Set(b.Field(i))
		}
	}
}

// secret completes a secret that is given in one of three ways, by members of
// which the names of the second and third end in _file and _env. It reports
// whether it could.
func (k *checker) secret(at, name string, value *calendar.Secret, file, env string) bool {
	given := 0
	for _, s := range []string{string(*value), file, env} {
		if s != "" {
			given++
		}
	}
	switch {
	case given > 1:
		k.bad(at, `give one of %q, "%s_file" and "%s_env"`, name, name, name)
		return false
	case file != "":
		var err error
		if *value, err = ReadSecret(k.c.path(file)); err != nil {
			k.bad(child(at, name+"_file"), "%v", err)
			return false
		}
	case env != "":
		v, ok := os.LookupEnv(env)
		if !ok {
			k.bad(child(at, name+"_env"), "the environment variable %s is not set", env)
			return false
		}
		*value = calendar.Secret(v)
	}
	return true
}

// ReadSecret returns what is in a file, without the end of its last line.
func ReadSecret(file string) (calendar.Secret, error) {
	text, err := os.ReadFile(file)
	return calendar.Secret(strings.TrimRight(string(text), "\r\n")), err
}

// certificate demands a certificate unless there is to be none; why says what it
// is for.
func (k *checker) certificate(at string, plain bool, cert, key *string, why string) {
	switch given := *cert != "" || *key != ""; {
	case plain && given:
		k.bad(child(at, "http"), `give "http" or a certificate; with "http" a proxy in front must have it`)
	case plain:
	case *cert == "" || *key == "":
		k.bad(at, `%s: add "cert_file" and "key_file", or "http" if a proxy in front has the certificate`, why)
	default:
		*cert, *key = k.c.path(*cert), k.c.path(*key)
		if _, err := (&keyPair{cert: *cert, key: *key}).get(nil); err != nil {
			k.bad(child(at, "cert_file"), "%v", err)
		}
	}
}
