package app

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/onetouchjoin/onetouchjoin/calendar"
	"github.com/onetouchjoin/onetouchjoin/control"
	"github.com/onetouchjoin/onetouchjoin/otj"
	"github.com/onetouchjoin/onetouchjoin/readiness"
	"github.com/onetouchjoin/onetouchjoin/rules"
)

// live is what the control centre asks about: it is made with the rooms and not
// changed afterwards, so that nobody waits for a configuration that is read.
type live struct {
	systems   map[string]*liveSystem // by ID
	mailboxes map[string]liveMailbox // by ID
	network   readiness.Network
	quotas    map[string]grapher // by the ID of the control centre's provider
	graphs    []tenantGraph
}

// tenantGraph is what reads a tenant's calendars.
type tenantGraph struct {
	tenant string
	grapher
}

func newLive() *live {
	return &live{systems: map[string]*liveSystem{}, mailboxes: map[string]liveMailbox{}, quotas: map[string]grapher{}}
}

// liveSystem is a system of the control centre.
type liveSystem struct {
	room     *Room
	name     string // of the service's room
	device   string // otj.Room.Device
	endpoint otj.Endpoint
	extras   *extras
	problem  error // why there is no room; then there is no endpoint either
}

// liveMailbox is a mailbox of the control centre.
type liveMailbox struct {
	provider calendar.Provider
	address  string
	err      error // why there is no provider
}

// liveOf is what the control centre sees of the program. It is made before the
// program is, since the control centre needs it.
type liveOf struct{ app *App }

var _ control.Live = (*liveOf)(nil)

// Live returns what the control centre sees of the program.
func (a *App) Live() control.Live { return &liveOf{a} }

func (l *liveOf) system(id string) (*liveSystem, error) {
	if now := l.app.live.Load(); now != nil && now.systems[id] != nil {
		return now.systems[id], nil
	}
	return nil, fmt.Errorf("system %s: %w", id, control.ErrNotFound)
}

// kept returns a system that has a room.
func (l *liveOf) kept(id string) (*liveSystem, error) {
	s, err := l.system(id)
	if err == nil && s.problem != nil {
		return nil, s.problem
	}
	return s, err
}

// State returns what the service knows of a system. What it shows includes test
// meetings.
func (l *liveOf) State(system string) (control.LiveState, error) {
	s, err := l.system(system)
	if err != nil {
		return control.LiveState{}, err
	}
	if s.problem != nil {
		return control.LiveState{Problem: sentence(s.problem)}, nil //nolint:nilerr // it is the state
	}
	status, ok := l.app.svc.StatusOf(s.device)
	if !ok {
		return control.LiveState{}, fmt.Errorf("system %s: %w", system, control.ErrNotFound)
	}
	status.Meetings, _ = s.extras.with(status.Meetings, time.Now())
	out := control.LiveState{Room: status}
	if c, ok := s.endpoint.(otj.Caller); ok {
		_, out.Agent = c.LastCall()
		out.Offered = status.LastCall.Before(status.Changed)
	}
	return out, nil
}

// sentence makes one of an error.
func sentence(err error) string {
	text := err.Error()
	first, size := utf8.DecodeRuneInString(text)
	text = string(unicode.ToUpper(first)) + text[size:]
	if !strings.HasSuffix(text, ".") {
		text += "."
	}
	return text
}

// Events reads a mailbox.
func (l *liveOf) Events(ctx context.Context, mailbox string, w calendar.Window) ([]calendar.Event, error) {
	m, ok := liveMailbox{}, false
	if now := l.app.live.Load(); now != nil {
		m, ok = now.mailboxes[mailbox]
	}
	switch {
	case !ok:
		return nil, fmt.Errorf("mailbox %s: %w", mailbox, control.ErrNotFound)
	case m.err != nil:
		return nil, m.err
	}
	return m.provider.Events(ctx, m.address, w)
}

// Dials says whether a system's device can join by an address.
func (l *liveOf) Dials(system string, address rules.Address) (bool, error) {
	s, err := l.kept(system)
	if err != nil {
		return false, err
	}
	return s.endpoint.Dials(address), nil
}

// Wake reads the calendars of a system and brings its device up to date.
func (l *liveOf) Wake(system string) error {
	s, err := l.kept(system)
	if err != nil {
		return err
	}
	if !l.app.svc.Wake(s.name) {
		return fmt.Errorf("system %s: %w", system, control.ErrNotFound)
	}
	return nil
}

// Test shows a meeting on a system's device until it ends. It returns when the
// device has taken it, or has not.
func (l *liveOf) Test(ctx context.Context, system string, m otj.Meeting) error {
	s, err := l.kept(system)
	if err != nil {
		return err
	}
	status, _ := l.app.svc.StatusOf(s.device)
	switch {
	case m.ID == "" || !m.End.After(m.Start) || !over(&m).After(time.Now()):
		return errors.New("test meeting: it has no ID, or ends before it starts or in the past")
	case status.Planned.IsZero():
		// Without the other meetings the device would lose them.
		return control.ErrUnread
	}
	return s.extras.test(ctx, m, func() { l.app.svc.Wake(s.name) })
}

// Quota says how a provider gets on with its quota.
func (l *liveOf) Quota(provider string) (control.Quota, error) {
	now := l.app.live.Load()
	if now == nil || now.quotas[provider] == nil {
		return control.Quota{}, fmt.Errorf("provider %s: %w", provider, control.ErrNotFound)
	}
	s := now.quotas[provider].Status()
	q := control.Quota{
		PerDay: s.Quota.PerDay, Used: s.Quota.Used, Available: s.Quota.Available, Mailboxes: s.Quota.Mailboxes, RequestsPerRead: s.Quota.RequestsPerRead,
		ForPolling: s.Quota.ForPolling, PollSeconds: s.Quota.PollSeconds, MinPollSeconds: s.Quota.MinPollSeconds, Arithmetic: s.Quota.Arithmetic,
		Waiting: s.Waiting, Throttled: s.Throttled,
	}
	if s.PausedUntil != nil {
		q.PausedUntil = *s.PausedUntil
	}
	return q, nil
}

// Network is what of the configurations matters to a firewall.
func (l *liveOf) Network() readiness.Network {
	if now := l.app.live.Load(); now != nil {
		return now.network
	}
	return readiness.Network{}
}

// Check asks a system's device how it is.
func (l *liveOf) Check(ctx context.Context, system string) ([]readiness.Finding, error) {
	s, err := l.system(system)
	if err != nil {
		return nil, err
	}
	if s.problem != nil {
		return []readiness.Finding{{Check: "device", Subject: s.room.title, Result: readiness.Fail, Why: sentence(s.problem), Fix: "Correct the system's configuration."}}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	out := checkEndpoint(ctx, s.room.title, l.app.site.config.URL, s.room.Device, s.endpoint)
	return out, ctx.Err()
}
