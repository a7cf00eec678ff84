package control

import (
	"context"
	"crypto/rand"
	"errors"
	"strings"
	"time"

	"github.com/onetouchjoin/onetouchjoin/otj"
	"github.com/onetouchjoin/onetouchjoin/readiness"
	"github.com/onetouchjoin/onetouchjoin/rules"
)

// ErrNoService is the error of a call that needs the running service where there
// is none.
var ErrNoService = errors.New("this control centre has no running service")

// live returns the service, and a system that the actor may do action for.
func (c *Centre) live(ctx context.Context, actor Actor, system string, action Action) (s System, o Org, err error) {
	err = c.store.View(ctx, func(tx Tx) error {
		if s, err = get[System](tx, system); err != nil {
			return err
		}
		o, err = actor.org(tx, s.Company, action)
		return err
	})
	if err == nil && c.opts.Live == nil {
		err = ErrNoService
	}
	return s, o, err
}

// notYet makes the service's ErrNotFound a sentence: the object is there, but the
// service does not keep it.
func notYet(err error) error {
	if errors.Is(err, ErrNotFound) {
		return &InvalidError{[]FieldError{{"system", "is not kept by the service: it is off, or was changed a moment ago; try again"}}}
	}
	return err
}

// ErrUnread is the error of [Live.Test] for a system whose calendar has not been
// read yet.
var ErrUnread = errors.New("has a calendar that has not been read yet")

// The limits of a test meeting.
const (
	maxTestMinutes     = 60
	defaultTestMinutes = 10
	testPrefix         = "otj-test-"
)

func isTest(id string) bool { return strings.HasPrefix(id, testPrefix) }

// TestMeeting is a meeting that an administrator sends to a screen to see
// whether the button comes and dials.
type TestMeeting struct {
	// Title is what the screen says. Default: "One-Touch Join test".
	Title string `json:"title,omitempty"`
	// Join is the address that the button dials, as in "sip:test@example.com".
	Join string `json:"join"`
	// Minutes is how long it stays, 1 to 60. Default 10.
	Minutes int `json:"minutes,omitempty"`
}

// TestMeeting shows a test meeting on a system's device beside its other
// meetings, from now on. It returns what was sent.
func (c *Centre) TestMeeting(ctx context.Context, actor Actor, system string, t TestMeeting) (ScreenMeeting, error) {
	s, o, err := c.live(ctx, actor, system, Configure)
	if err != nil {
		return ScreenMeeting{}, err
	}
	if t.Title = strings.TrimSpace(t.Title); t.Title == "" {
		t.Title = "One-Touch Join test"
	}
	if t.Minutes == 0 {
		t.Minutes = defaultTestMinutes
	}
	var ck checks
	ck.text("title", t.Title, 250)
	if t.Minutes < 1 || t.Minutes > maxTestMinutes {
		ck.fail("minutes", "is %d; it is 1 to %d", t.Minutes, maxTestMinutes)
	}
	join := rules.ParseAddress(strings.TrimSpace(t.Join))
	switch {
	case len(t.Join) > 1024 || !isPrintable(t.Join) || strings.ContainsAny(strings.TrimSpace(t.Join), " <>\""):
		ck.fail("join", "is not an address to dial")
	case join.IsZero():
		ck.fail("join", `is not an address to dial: write it with its scheme, as in "sip:test@example.com"`)
	}
	switch {
	case !o.Enabled || !s.Enabled:
		ck.fail("system", "One-Touch Join is off for it")
	case s.Paused:
		ck.fail("system", "is paused: what it shows stays as it is")
	}
	if err := ck.err(); err != nil {
		return ScreenMeeting{}, err
	}
	if yes, err := c.opts.Live.Dials(s.ID, join); err != nil {
		return ScreenMeeting{}, notYet(err)
	} else if !yes {
		return ScreenMeeting{}, &InvalidError{[]FieldError{{"join", "cannot be dialled by this device"}}}
	}
	start := time.Now().UTC().Truncate(time.Second)
	m := otj.Meeting{
		ID: testPrefix + strings.ToLower(rand.Text()[:16]), Title: t.Title, Start: start,
		End: start.Add(time.Duration(t.Minutes) * time.Minute), Join: join, Rule: "test",
	}
	switch err := c.opts.Live.Test(ctx, s.ID, m); {
	case err == nil:
	case errors.Is(err, ErrUnread):
		return ScreenMeeting{}, &InvalidError{[]FieldError{{"system", ErrUnread.Error() + ". Beside a test meeting the device has to be given its others. Try again when it has been read"}}}
	case errors.Is(err, ErrNotFound):
		return ScreenMeeting{}, notYet(err)
	case ctx.Err() != nil:
		return ScreenMeeting{}, err
	default: // what the device said, which is why somebody tests it
		return ScreenMeeting{}, &InvalidError{[]FieldError{{"system", "does not show it: " + err.Error()}}}
	}
	err = c.note(ctx, actor, o.ID, "system", s.ID, s.Name, "test meeting sent")
	return screen([]otj.Meeting{m}, true)[0], err
}

// Wake reads the calendars of a system again and brings its device up to date.
// It does not wait for that.
func (c *Centre) Wake(ctx context.Context, actor Actor, system string) error {
	s, _, err := c.live(ctx, actor, system, Configure)
	if err != nil {
		return err
	}
	return notYet(c.opts.Live.Wake(s.ID))
}

// PauseSystem leaves a device alone, or takes care of it again, at the system's
// revision.
func (c *Centre) PauseSystem(ctx context.Context, actor Actor, system string, revision int64, paused bool) (s System, err error) {
	err = c.update(ctx, actor, "", func(ch *change) error {
		if s, err = own[System](ch, system); err != nil {
			return err
		}
		s.Paused, s.Revision = paused, revision
		return put(ch, &s)
	})
	return s, err
}

// SystemSetup says what has to be done at a system's device, in order.
func (c *Centre) SystemSetup(ctx context.Context, actor Actor, system string) ([]SetupStep, error) {
	s, _, err := c.live(ctx, actor, system, ReadCompany)
	if err != nil {
		return nil, err
	}
	steps, err := c.opts.Live.Setup(ctx, s.ID)
	return steps, notYet(err)
}

// CheckSystem asks a system's device how it is: whether it can be reached, takes
// the credentials, has the right time and what it needs.
func (c *Centre) CheckSystem(ctx context.Context, actor Actor, system string) ([]readiness.Finding, error) {
	s, _, err := c.live(ctx, actor, system, Configure)
	if err != nil {
		return nil, err
	}
	findings, err := c.opts.Live.Check(ctx, s.ID)
	if err != nil {
		return nil, notYet(err)
	}
	readiness.Sort(findings)
	return findings, nil
}
