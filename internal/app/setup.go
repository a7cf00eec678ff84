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

	"github.com/onetouchjoin/onetouchjoin/calendar"
	"github.com/onetouchjoin/onetouchjoin/control"
	"github.com/onetouchjoin/onetouchjoin/endpoints/cisco"
	"github.com/onetouchjoin/onetouchjoin/endpoints/feed"
	"github.com/onetouchjoin/onetouchjoin/endpoints/poly"
	"github.com/onetouchjoin/onetouchjoin/internal/jsonc"
	"github.com/onetouchjoin/onetouchjoin/otj"
)

// Setup writes what has to be done at the device of a room, as an installer
// reads it. A device that can be called is asked for what it lacks; with apply
// that is set, and nothing else. For a device with a macro it makes a new
// enrolment code, and the one before is void.
func (c *Config) Setup(ctx context.Context, room string, apply bool, w io.Writer) error {
	d, err := c.device(room)
	if err != nil {
		return err
	}
	pushed := d.Type == "cisco" && slices.Contains([]string{"", "https", "websocket"}, d.Via)
	if apply && !pushed {
		return errors.New("--apply is for Cisco devices that are called over HTTPS or a WebSocket, and for Poly devices with --device: what others need is set at the device")
	}
	s, err := newSite(c.devices())
	if err != nil {
		return err
	}
	build := Builders()[d.Type]
	if build == nil {
		return fmt.Errorf("no device type %q", d.Type)
	}
	e, err := build(s, room, d)
	if err != nil {
		return err
	}
	if device, ok := e.(*cisco.Endpoint); ok {
		defer closeDevice(ctx, device)
	}
	i := installer{site: s, password: "the one in the configuration file", code: func(ctx context.Context) (calendar.Secret, error) {
		return s.macros.NewCode(ctx, d.ID)
	}}
	steps, set, err := i.steps(ctx, room, d, e)
	if err != nil {
		return err
	}
	out := &printer{w: w}
	for n, step := range steps {
		if n > 0 {
			out.printf("\n")
		}
		out.printf("%s\n", step.Title)
		for _, l := range step.Lines {
			out.printf("  %s\n", strings.ReplaceAll(l, "\n", "\n  "))
		}
	}
	switch {
	case set == nil:
	case !apply:
		out.printf("\nNothing was changed; --apply sets it.\n")
	default:
		if err := set(ctx); err != nil {
			return err
		}
		out.printf("\nSet.\n")
	}
	return out.err
}

// device returns the device of a room.
func (c *Config) device(room string) (Device, error) {
	var names []string
	for i := range c.Rooms {
		if c.Rooms[i].Name == room {
			return c.Rooms[i].Device, nil
		}
		names = append(names, c.Rooms[i].Name)
	}
	return Device{}, fmt.Errorf("there is no room %q%s", room, jsonc.Suggest(room, names))
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

func closeDevice(ctx context.Context, e *cisco.Endpoint) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	_ = e.Close(ctx) // the session ends by itself too
}

// installer says what has to be done at devices.
type installer struct {
	site     *Site
	password string // which one a device that calls gets
	// code makes the enrolment code of a device with a macro.
	code func(context.Context) (calendar.Secret, error)
}

// Where something is done.
const (
	atDevice   = "device"
	atComputer = "this computer"
	atProvider = "provisioning server"
	atHub      = "Webex Control Hub"
)

// steps says what has to be done at a device. One that can be called is asked for
// what it lacks; set sets that, and is nil if it lacks nothing.
func (i *installer) steps(ctx context.Context, room string, d Device, e otj.Endpoint) (steps []control.SetupStep, set func(context.Context) error, err error) {
	base, err := url.Parse(i.site.config.URL)
	if err != nil {
		return nil, nil, err
	}
	switch {
	case d.Type == "cisco" && d.Via == "macro":
		steps, err = i.macro(ctx, room, d)
	case d.Type == "cisco" && d.Via == "tms":
		steps = i.managed(base)
	case d.Type == "cisco":
		return i.cisco(ctx, room, d, e)
	case d.Type == "poly":
		steps, err = i.poly(base, d)
	case d.Type == "feed":
		steps = []control.SetupStep{
			{Title: fmt.Sprintf("Let the device in %s poll one of these, once a minute, with the user name and the password: %s.", room, i.password), Where: atDevice,
				Lines: []string{"user name     " + d.Username, "as JSON       " + base.JoinPath("/v1/meetings").String(), "as iCalendar  " + base.JoinPath("/v1/calendar.ics").String()}},
			{Title: "A client that wants OAuth gets its token here. docs/writing-an-endpoint.md describes all three.", Where: atDevice,
				Lines: []string{base.JoinPath("/oauth/token").String()}},
		}
	case d.Type == "webhook":
		steps = []control.SetupStep{
			{Title: fmt.Sprintf("Let the program at the webhook's address take a POST with all meetings of %s as JSON, whenever they change, and answer with a status of 200 to 299.", room), Where: atDevice},
			{Title: "Let it check who sends: the key is " + i.password + ". docs/writing-an-endpoint.md describes the message.", Where: atDevice,
				Lines: []string{"signature  " + feed.SignatureHeader + ": the hex HMAC-SHA256, with the key, of the timestamp, a full stop and the body", "timestamp  " + feed.TimestampHeader + ": seconds since 1970; refuse old ones"}},
		}
	default:
		steps = []control.SetupStep{{Title: fmt.Sprintf("Nothing has to be set at the device of %s.", room), Done: true}}
	}
	called := false
	if c, ok := e.(otj.Caller); ok {
		when, _ := c.LastCall()
		called = !when.IsZero()
	}
	switch {
	case called:
		for n := range steps {
			steps[n].Done = true
		}
	case (d.Type == "poly" || d.Type == "feed" || d.Type == "cisco") && i.site.config.here():
		steps = slices.Insert(steps, 0, i.moved())
	}
	return steps, nil, err
}

// moved says that the program has to get another address before a device can
// call it.
func (i *installer) moved() control.SetupStep {
	c := &i.site.config
	s := control.SetupStep{Title: fmt.Sprintf("Other machines cannot reach this program at %s. ", c.URL), Where: atComputer}
	if c.noFile {
		s.Title += "Write such a file, with a name and a certificate of your own, and start it with otj serve --config FILE; what was entered stays. Then come back: the addresses below are others then."
		s.Lines = []string{c.reachable()}
		return s
	}
	s.Title += fmt.Sprintf("The address is this machine's alone. In the configuration file, change the \"url\" of %q to one that devices reach, and what it listens at and its certificate with it, and start the program again. Then come back: the addresses below are others then.", c.urlIn)
	return s
}

func (i *installer) macro(ctx context.Context, room string, d Device) ([]control.SetupStep, error) {
	code, err := i.code(ctx)
	if err != nil {
		return nil, err
	}
	page := i.site.macros.EnrolURL(d.ID)
	return []control.SetupStep{
		{Title: fmt.Sprintf("Fetch the macro of %s: open this page and enter this code, which works once within 24 hours.", room), Where: atComputer,
			Lines: []string{page, string(code)}},
		{Title: "Or fetch it on a command line. " + cisco.FetchHint, Where: atComputer, Lines: []string{i.site.macros.FetchCommand(d.ID, code)}},
		{Title: "On a terminal of the device, switch macros on and let them call this program.", Where: atDevice, Lines: i.site.macros.DeviceCommands()},
		{Title: "In the device's web interface, under Settings, Macro Editor: import the file and switch it on.", Where: atDevice},
	}, nil
}

func (i *installer) managed(base *url.URL) []control.SetupStep {
	step := control.SetupStep{Title: "Enter this on a terminal of the device, with the password in the place of SECRET. The password is " + i.password + ".", Where: atDevice}
	for _, c := range []string{
		"ExternalManager Address: " + base.Host, "ExternalManager Path: " + managerPath[1:] + "/SECRET", "ExternalManager Protocol: HTTPS",
		"TlsVerify: On", "HttpMethod: POST", "Mode: TMS",
	} {
		step.Lines = append(step.Lines, "xConfiguration Provisioning "+c)
	}
	return []control.SetupStep{step}
}

func (i *installer) poly(base *url.URL, d Device) ([]control.SetupStep, error) {
	setup := polySetup(i.site.config.URL, d, "SECRET")
	commands, cerr := setup.Commands()
	profile, perr := setup.File(poly.NamesExchange)
	return []control.SetupStep{
		{Title: "Set the calendar in the device's web interface, and leave the domain empty. The password is " + i.password + ".", Where: atDevice,
			Lines: []string{"Exchange server  " + base.JoinPath("/EWS/Exchange.asmx").String(), "User name        " + d.Username}},
		{Title: "Or do the same on the command line of a Group device, with the password in the place of SECRET.", Where: atDevice, Lines: commands},
		{Title: "Or give a provisioning server for VideoOS this profile, with the password in the place of SECRET.", Where: atProvider, Lines: []string{strings.TrimSpace(string(profile))}},
	}, errors.Join(cerr, perr)
}

// ciscoWays are the ways to a Cisco device, as they are in Device.Via.
var ciscoWays = map[string]cisco.Way{"": cisco.WayHTTPS, "https": cisco.WayHTTPS, "websocket": cisco.WayWebSocket, "cloud": cisco.WayCloud}

// cisco asks a device that can be called for what it lacks. Where its WebSocket
// is missing it is asked over HTTPS, since the setting cannot be seen otherwise.
func (i *installer) cisco(ctx context.Context, room string, d Device, e otj.Endpoint) ([]control.SetupStep, func(context.Context) error, error) {
	device, ok := e.(*cisco.Endpoint)
	if !ok {
		return nil, nil, fmt.Errorf("the endpoint of %s is a %T", room, e)
	}
	findings, err := device.Check(ctx, ciscoWays[d.Via])
	if d.Via == "websocket" && errors.Is(err, otj.ErrNotDevice) {
		https := d
		https.Via, https.FeedbackSlot = "https", 0
		other, oerr := newCiscoPush(i.site, room, https)
		if oerr != nil {
			return nil, nil, oerr
		}
		device = other.(*cisco.Endpoint)
		defer closeDevice(ctx, device)
		if found, oerr := device.Check(ctx, ciscoWays[d.Via]); oerr == nil && len(found) > 0 {
			findings, err = found, nil
		}
	}
	if err != nil {
		return nil, nil, err
	}
	if len(findings) == 0 {
		return []control.SetupStep{{Title: fmt.Sprintf("The device of %s answers and has the settings that it needs. Whether its account may write bookings, and whether the device takes them, is seen when the service writes the first ones.", room), Where: atDevice, Done: true}}, nil, nil
	}
	var steps []control.SetupStep
	for _, f := range findings {
		step := control.SetupStep{Title: sentence(errors.New(f.Text)), Where: atDevice}
		if f.Command != "" {
			step.Lines = []string{f.Command}
		}
		steps = append(steps, step)
	}
	if !slices.ContainsFunc(findings, func(f cisco.Finding) bool { return f.Code == cisco.FindingConfig }) {
		return steps, nil, nil // nothing that Apply sets
	}
	return steps, func(ctx context.Context) error {
		defer closeDevice(ctx, device)
		return device.Apply(ctx, findings)
	}, nil
}

// beforehand are the steps for a Cisco device that cannot be asked: because it
// cannot be reached, or refuses the account.
func beforehand(d Device, err error) []control.SetupStep {
	var steps []control.SetupStep
	if d.Via == "cloud" {
		steps = []control.SetupStep{
			{Title: "Make a bot on developer.webex.com, and enter its token as the password of the system.", Where: atComputer},
			{Title: "Give the bot full access to the API of the device: in the workspace's settings, under Edit API access.", Where: atHub},
		}
	} else {
		steps = []control.SetupStep{
			{Title: "Make a local account for this program, with the role Admin, and enter its name and password here.", Where: atDevice,
				Lines: []string{`xCommand UserManagement User Add Username: "` + d.Username + `" Role: Admin PassphraseChangeRequired: False Passphrase: "SECRET"`}},
			{Title: "Let the device answer over HTTPS.", Where: atDevice, Lines: []string{"xConfiguration NetworkServices HTTP Mode: HTTPS"}},
		}
		if d.Via == "websocket" {
			steps = append(steps, control.SetupStep{Title: "Let it answer over a WebSocket.", Where: atDevice, Lines: []string{"xConfiguration NetworkServices Websocket: FollowHTTPService"}})
		}
	}
	return append(steps, control.SetupStep{Title: "This program asks the device then whether anything is missing. Now it cannot: " + err.Error() + ".", Where: atComputer})
}

// setupTime is how long a device may take to say what it lacks.
const setupTime = 10 * time.Second

// Setup says what has to be done at a system's device.
func (l *liveOf) Setup(ctx context.Context, system string) ([]control.SetupStep, error) {
	s, err := l.kept(system)
	if err != nil {
		return nil, err
	}
	i := installer{
		site: l.app.site, password: "the one that was shown when it was generated; if it is lost, generate a new one",
		code: func(ctx context.Context) (calendar.Secret, error) { return l.app.site.code(ctx, s.room.Device.ID) },
	}
	sctx, cancel := context.WithTimeout(ctx, setupTime)
	defer cancel()
	steps, _, err := i.steps(sctx, s.room.title, s.room.Device, s.endpoint)
	if _, called := s.endpoint.(*cisco.Endpoint); err != nil && called && ctx.Err() == nil {
		return beforehand(s.room.Device, err), nil
	}
	return steps, err
}

// code returns an enrolment code for a device with a macro. It is the same one
// again while that can be used, so that looking at a page twice voids nothing.
func (s *Site) code(ctx context.Context, device string) (calendar.Secret, error) {
	s.codesMu.Lock()
	defer s.codesMu.Unlock()
	if code := s.codes[device]; code != "" {
		if good, err := s.macros.Accepts(ctx, device, code); err != nil || good {
			return code, err
		}
	}
	code, err := s.macros.NewCode(ctx, device)
	if err == nil {
		s.codes[device] = code
	}
	return code, err
}
