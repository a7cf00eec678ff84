package app

import (
	"errors"
	"net"
	"net/url"
	"os"
	"strings"

	"github.com/onetouchjoin/onetouchjoin/internal/jsonc"
)

func (k *checker) site(at string, s *SiteConfig) {
	if !k.c.doc.Has(at) {
		return
	}
	shared := s.Listen == "" && k.c.Control != nil // with the control centre
	if _, _, err := net.SplitHostPort(s.Listen); err != nil && !shared {
		k.bad(child(at, "listen"), `must be an address with a port, as in ":8443"`)
	}
	u, err := url.Parse(s.URL)
	if shared && s.URL == "" {
		u, err = url.Parse("https://the.control.centre")
	}
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || strings.Trim(u.Path, "/") != "" {
		k.bad(child(at, "url"), `must be how devices reach this program, as in "https://otj.fabrikam.example:8443"`)
		s.URL = ""
	}
	switch {
	case !shared:
		k.certificate(at, s.HTTP, &s.CertFile, &s.KeyFile, "devices send passwords")
	case s.HTTP || s.CertFile != "" || s.KeyFile != "":
		k.bad(at, `without "listen" devices call where administrators do: the certificate is that of "control"`)
	}
	if s.State != "" {
		s.State = k.c.path(s.State)
		if info, err := os.Stat(s.State); err != nil {
			k.bad(child(at, "state"), "%v", err)
		} else if !info.IsDir() {
			k.bad(child(at, "state"), "%s is no folder", s.State)
		}
	}
}

func (k *checker) webex(at string, w *Webex) {
	if w.BaseURL != "" {
		if u, err := url.Parse(w.BaseURL); err != nil || u.Scheme != "https" || u.Host == "" {
			k.bad(child(at, "base_url"), "must begin with https://")
		}
	}
	if w.CAFile != "" {
		w.CAFile = k.c.path(w.CAFile)
		if _, err := readPool(w.CAFile); err != nil {
			k.bad(child(at, "ca_file"), "%v", err)
		}
	}
	ok := k.secret(at, "token", &w.Token, w.TokenFile, w.TokenEnv)
	ok = k.secret(at, "client_secret", &w.ClientSecret, w.ClientSecretFile, w.ClientSecretEnv) && ok
	ok = k.secret(at, "refresh_token", &w.RefreshToken, w.RefreshTokenFile, w.RefreshTokenEnv) && ok
	integration := w.ClientID != "" && w.ClientSecret != "" && w.RefreshToken != ""
	if ok && integration == (w.Token != "") {
		k.bad(at, `give the "token" of a bot, or the "client_id", "client_secret" and "refresh_token" of a workspace integration`)
	}
}

func (k *checker) device(at string, r *Room, builders map[string]Builder, scratch *Site) {
	d := &r.Device
	types := strings.Join(sortedKeys(builders), ", ")
	build := builders[d.Type]
	switch {
	case d.Type == "":
		k.bad(child(at, "type"), `the device needs a "type": %s`, types)
		return
	case build == nil:
		k.bad(child(at, "type"), "there is no device type %q: use %s", d.Type, types)
		return
	}
	if !k.secret(at, "password", &d.Password, d.PasswordFile, d.PasswordEnv) {
		return
	}
	if d.CAFile != "" {
		d.CAFile = k.c.path(d.CAFile)
	}
	if d.Webex != "" {
		w, ok := k.c.Webex[d.Webex]
		if !ok {
			k.bad(child(at, "webex"), "there is no %q in \"webex\"%s", d.Webex, jsonc.Suggest(d.Webex, sortedKeys(k.c.Webex)))
			return
		}
		d.webex = w
	}
	if _, err := build(scratch, r.Name, *d); err != nil {
		var m *MemberError
		if errors.As(err, &m) {
			at = child(at, m.Member)
		}
		k.bad(at, "%v", err)
	}
}
