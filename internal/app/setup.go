package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/onetouchjoin/onetouchjoin/endpoints/cisco"
	"github.com/onetouchjoin/onetouchjoin/endpoints/poly"
	"github.com/onetouchjoin/onetouchjoin/internal/jsonc"
)

// Setup writes what has to be done at the device of a room, as an installer
// reads it. A device that can be called is asked for what it lacks; with apply
// that is set, and nothing else. For a device with a macro it makes a new
// enrolment code, and the one before is void.
func (c *Config) Setup(ctx context.Context, room string, apply bool, w io.Writer) error {
	var names []string
	for i := range c.Rooms {
		names = append(names, c.Rooms[i].Name)
	}
	at := slices.Index(names, room)
	if at < 0 {
		return fmt.Errorf("there is no room %q%s", room, jsonc.Suggest(room, names))
	}
	d := c.Rooms[at].Device
	if apply && !(d.Type == "cisco" && slices.Contains([]string{"", "https", "websocket"}, d.Via)) {
		return errors.New("--apply is for Cisco devices that are called over HTTPS or a WebSocket: what others need is set at the device")
	}
	s, err := newSite(c.Site)
	if err != nil {
		return err
	}
	site, err := url.Parse(c.Site.URL)
	if err != nil {
		return err
	}
	out := &printer{w: w}
	switch d.Type {
	case "cisco":
		err = s.setupCisco(ctx, out, room, d, site, apply)
	case "poly":
		out.printf("Calendar of the Poly device in %s, in its web interface or by provisioning:\n\n", room)
		out.printf("  Exchange server  %s\n  User name        %s\n  Password         the one in the configuration file\n  Domain           empty\n",
			site.JoinPath("/EWS/Exchange.asmx"), d.Username)
		setup := poly.Setup{Server: c.Site.URL, User: d.Username, Password: "SECRET", ShowPrivate: true}
		commands, cerr := setup.Commands()
		profile, perr := setup.File(poly.NamesExchange)
		if err = errors.Join(cerr, perr); err != nil {
			return err
		}
		out.printf("\nThe same on the command line of a Group device, with the password in the place of SECRET:\n\n  %s\n\nand as a profile of a provisioning server for VideoOS:\n\n%s",
			strings.Join(commands, "\n  "), profile)
	case "feed":
		out.printf("What the device in %s polls, once a minute, with the user name %s and the password in the configuration file:\n\n", room, d.Username)
		out.printf("  as JSON       %s\n  as iCalendar  %s\n  token         %s\n\ndocs/writing-an-endpoint.md describes all three.\n",
			site.JoinPath("/v1/meetings"), site.JoinPath("/v1/calendar.ics"), site.JoinPath("/oauth/token"))
	default:
		out.printf("Nothing has to be set at the device of %s.\n", room)
	}
	return errors.Join(err, out.err)
}

// printer remembers that a write has failed.
type printer struct {
	w   io.Writer
	err error
}

func (p *printer) printf(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format, args...)
	}
}

func (s *Site) setupCisco(ctx context.Context, out *printer, room string, d Device, site *url.URL, apply bool) error {
	switch d.Via {
	case "macro":
		if _, err := newCiscoMacro(s, room, d); err != nil {
			return err
		}
		code, err := s.macros.NewCode(ctx, d.ID)
		if err != nil {
			return err
		}
		out.printf("The macro of %s is fetched once with this code, within 24 hours:\n\n  code  %s\n  page  %s\n\nor\n\n  curl -o otj.js -d code=%s %s\n\nThe page says how it gets onto the device.\n",
			room, string(code), s.macros.EnrolURL(d.ID), string(code), s.macros.EnrolURL(d.ID))
		return nil
	case "tms":
		out.printf("On a terminal of the device in %s, with the secret of the configuration file in the place of SECRET:\n\n", room)
		for _, c := range []string{
			"ExternalManager Address: " + site.Host, "ExternalManager Path: " + managerPath[1:] + "/SECRET", "ExternalManager Protocol: HTTPS",
			"TlsVerify: On", "HttpMethod: POST", "Mode: TMS",
		} {
			out.printf("  xConfiguration Provisioning %s\n", c)
		}
		return nil
	}
	e, err := newCisco(s, room, d)
	if err != nil {
		return err
	}
	device := e.(*cisco.Endpoint)
	defer func() {
		cctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		_ = device.Close(cctx) // the session ends by itself too
	}()
	way := cisco.Way(d.Via)
	if way == "" {
		way = cisco.WayHTTPS
	}
	findings, err := device.Check(ctx, way)
	if err != nil {
		return err
	}
	if len(findings) == 0 {
		out.printf("The device of %s answers, and has what it needs.\n", room)
		return nil
	}
	for _, f := range findings {
		out.printf("%s\n", f.Text)
		if f.Command != "" {
			out.printf("  %s\n", f.Command)
		}
	}
	if !apply {
		out.printf("\nNothing was changed; --apply sets it.\n")
		return nil
	}
	if err := device.Apply(ctx, findings); err != nil {
		return err
	}
	out.printf("\nSet.\n")
	return nil
}
