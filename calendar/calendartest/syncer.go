package calendartest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/onetouchjoin/onetouchjoin/calendar"
)

var syncerCases = []testCase{
	{
		name: "syncer/full", iface: "Syncer", source: here(),
		rule: "does a full read for an empty token, and says so in Delta.Full;",
		check: func(ctx context.Context, h *Harness) error {
			if err := h.set(at("a", 1, 9), at("b", 2, 9), at("outside", 9, 9)); err != nil {
				return err
			}
			c := newClient(h)
			for range 2 { // a full read may be done again at any time
				d, err := c.syncer.Sync(ctx, h.Mailbox, week, "")
				if err != nil {
					return fmt.Errorf("Sync: %w", err)
				}
				if !d.Full {
					return errors.New("for an empty token, Delta.Full is not set")
				}
				c.apply(d)
				if err := c.holds("a", "b"); err != nil {
					return err
				}
			}
			return nil
		},
	},
	{
		name: "syncer/changed", iface: "Syncer", source: here(),
		rule: "returns in Changed the events of the window that are new or different since the token was made; repeats are allowed;",
		check: func(ctx context.Context, h *Harness) error {
			daily := at("daily", 3, 9)
			daily.Days = 2
			if err := h.set(at("a", 1, 9), at("b", 2, 9), daily); err != nil {
				return err
			}
			c := newClient(h)
			if err := c.sync(ctx); err != nil {
				return err
			}
			moved := at("b", 2, 14)
			moved.Subject = "Moved"
			if err := h.set(at("a", 1, 9), moved, at("new", 5, 9), daily); err != nil {
				return err
			}
			if err := c.sync(ctx); err != nil {
				return err
			}
			if err := c.holds("a", "b", "daily", "daily", "new"); err != nil {
				return err
			}
			for _, ev := range c.events {
				if ev.UID == "b" && (!ev.Start.Equal(moved.Start) || ev.Subject != "Moved") {
					return fmt.Errorf("an event that was moved is still %q at %v", ev.Subject, ev.Start)
				}
			}
			return nil
		},
	},
	{
		name: "syncer/removed", iface: "Syncer", source: here(),
		rule: "returns in Removed the IDs of events that left the window or the calendar; IDs that the caller never saw are allowed;",
		check: func(ctx context.Context, h *Harness) error {
			if err := h.set(at("stays", 1, 9), at("goes", 2, 9), at("leaves", 3, 9)); err != nil {
				return err
			}
			c := newClient(h)
			if err := c.sync(ctx); err != nil {
				return err
			}
			if err := h.set(at("stays", 1, 9), at("leaves", 9, 9)); err != nil {
				return err
			}
			if err := c.sync(ctx); err != nil {
				return err
			}
			return c.holds("stays")
		},
	},
	{
		name: "syncer/continues", iface: "Syncer", source: here(),
		rule: "returns a token that the next call continues from, also after a [*PartialError];",
		check: func(ctx context.Context, h *Harness) error {
			c := newClient(h)
			for i, entries := range [][]Entry{
				{at("a", 1, 9)},
				{at("a", 1, 9), {UID: "bad", Broken: true}, at("b", 2, 9)},
				{{UID: "bad", Broken: true}, at("b", 2, 9), at("c", 3, 9)},
				{at("c", 3, 9)},
			} {
				if err := h.set(entries...); err != nil {
					if i == 1 && errors.Is(err, errors.ErrUnsupported) {
						return nil // the rest is checked by the other cases
					}
					return err
				}
				if err := c.sync(ctx); err != nil {
					return fmt.Errorf("call %d: %w", i+1, err)
				}
				var want []string
				for _, e := range entries {
					if !e.Broken {
						want = append(want, e.UID)
					}
				}
				if err := c.holds(want...); err != nil {
					return fmt.Errorf("after call %d: %w", i+1, err)
				}
			}
			return nil
		},
	},
	{
		name: "syncer/token-expired", iface: "Syncer", source: here(),
		rule:  "returns an error that wraps [ErrTokenExpired] for a token that cannot be continued, be it too old, damaged, or made for another mailbox or window: the caller then starts again with an empty token.",
		check: checkTokens,
	},
}

func checkTokens(ctx context.Context, h *Harness) error {
	if err := h.set(at("a", 1, 9)); err != nil {
		return err
	}
	c := newClient(h)
	if err := c.sync(ctx); err != nil {
		return err
	}
	expect := func(what, mailbox string, w calendar.Window, token string) error {
		d, err := c.syncer.Sync(ctx, mailbox, w, token)
		if !errors.Is(err, calendar.ErrTokenExpired) {
			return fmt.Errorf("for a token that is %s the error does not wrap ErrTokenExpired: %v", what, err)
		}
		if len(d.Changed)+len(d.Removed) > 0 {
			return fmt.Errorf("for a token that is %s there are changes beside the error", what)
		}
		return nil
	}
	longer := calendar.Window{From: week.From, To: week.To.AddDate(0, 0, 1)}
	if err := errors.Join(
		expect("damaged", h.Mailbox, week, c.token+"x"),
		expect("invented", h.Mailbox, week, "invented"),
		expect("of another window", h.Mailbox, longer, c.token),
	); err != nil {
		return err
	}
	if h.Other != "" {
		if err := h.setIn(h.Other, at("o", 1, 9)); err != nil {
			return err
		}
		if err := expect("of another mailbox", h.Other, week, c.token); err != nil {
			return err
		}
	}
	if h.Expire != nil {
		if err := h.Expire(); err != nil {
			return fmt.Errorf("harness: Expire: %w", err)
		}
		if err := expect("too old", h.Mailbox, week, c.token); err != nil {
			return err
		}
	}
	// Starting again is possible.
	c.token = ""
	if err := c.sync(ctx); err != nil {
		return err
	}
	return c.holds("a")
}

// client keeps a calendar up to date, as a user of a Syncer does.
type client struct {
	h      *Harness
	syncer calendar.Syncer
	token  string
	events map[string]calendar.Event
}

func newClient(h *Harness) *client {
	return &client{h: h, syncer: h.Provider.(calendar.Syncer), events: make(map[string]calendar.Event)}
}

// sync does one call. A *PartialError is none to it.
func (c *client) sync(ctx context.Context) error {
	d, err := c.syncer.Sync(ctx, c.h.Mailbox, week, c.token)
	var partial *calendar.PartialError
	if err != nil && !errors.As(err, &partial) {
		return fmt.Errorf("Sync: %w", err)
	}
	if d.Token == "" {
		return errors.New("the token is empty")
	}
	c.apply(d)
	return nil
}

func (c *client) apply(d calendar.Delta) {
	if d.Full {
		clear(c.events)
	}
	for _, id := range d.Removed {
		delete(c.events, id)
	}
	for _, ev := range d.Changed {
		c.events[ev.ID] = ev
	}
	c.token = d.Token
}

// holds compares what the client has with the UIDs that it should have.
func (c *client) holds(uids ...string) error {
	var got []string
	for ev := range maps.Values(c.events) {
		got = append(got, ev.UID)
	}
	slices.Sort(got)
	slices.Sort(uids)
	if !slices.Equal(got, uids) {
		return fmt.Errorf("who applies the changes holds %s, not %s", strings.Join(got, ", "), strings.Join(uids, ", "))
	}
	return nil
}
