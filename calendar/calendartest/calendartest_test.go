package calendartest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/onetouchjoin/onetouchjoin/calendar"
)

// harnessFor makes a harness on a Memory, with a provider made of it.
func harnessFor(provider func(m *Memory) calendar.Provider) NewHarness {
	return func() (*Harness, error) {
		m := NewMemory()
		m.Set("fjord@example.com")
		m.Set("annex@example.com")
		return &Harness{
			Provider: provider(m),
			Mailbox:  "fjord@example.com", Other: "annex@example.com", Missing: "nobody@example.com",
			Set: func(mailbox string, entries []Entry) error {
				setEntries(m, mailbox, entries)
				return nil
			},
			Fail: func(sentinel error) error {
				m.SetError("", sentinel)
				return nil
			},
			Stall: func() error {
				m.Block("")
				return nil
			},
			Expire: func() error {
				m.ExpireTokens()
				return nil
			},
			Interrupt: func() (func(), error) { return m.Interrupt(), nil },
			Patience:  time.Second, // also when other tests keep the machine busy
		}, nil
	}
}

func setEntries(m *Memory, mailbox string, entries []Entry) {
	var events []calendar.Event
	var bad []calendar.EventError
	for _, e := range entries {
		if e.Broken {
			bad = append(bad, calendar.EventError{UID: e.UID, Err: errors.New("broken")})
			continue
		}
		for day := range max(1, e.Days) {
			ev := calendar.Event{
				ID: fmt.Sprintf("%s-%d", e.UID, day), UID: e.UID, Subject: e.Subject,
				Start: e.Start.AddDate(0, 0, day), End: e.End.AddDate(0, 0, day),
				Links:      []calendar.Link{{URI: "https://example.com/" + e.UID}},
				Properties: map[string]string{"X-TEST": e.UID},
			}
			if e.Days > 1 {
				ev.SeriesID = e.UID
			}
			if e.Cancelled {
				ev.Status = calendar.Cancelled
			}
			if e.Declined {
				ev.Response = calendar.Declined
			}
			events = append(events, ev)
		}
	}
	m.Set(mailbox, events...)
	m.SetBad(mailbox, bad...)
}

func TestMemory(t *testing.T) {
	Run(t, harnessFor(func(m *Memory) calendar.Provider { return m }))
}

// In a bubble, a goroutine that a case leaves behind fails the test.
func TestMemoryLeavesNoGoroutine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		require.NoError(t, Test(harnessFor(func(m *Memory) calendar.Provider { return m })))
	})
}

// broken is a Memory of which some methods are replaced.
type broken struct {
	*Memory
	events func(ctx context.Context, mailbox string, w calendar.Window) ([]calendar.Event, error)
	sync   func(ctx context.Context, mailbox string, w calendar.Window, token string) (calendar.Delta, error)
	notify func(ctx context.Context, mailboxes []string, wake func(string)) error
	covers func(mailbox string) (bool, error)
}

func (b *broken) Events(ctx context.Context, mailbox string, w calendar.Window) ([]calendar.Event, error) {
	if b.events == nil {
		return b.Memory.Events(ctx, mailbox, w)
	}
	return b.events(ctx, mailbox, w)
}

func (b *broken) Sync(ctx context.Context, mailbox string, w calendar.Window, token string) (calendar.Delta, error) {
	if b.sync == nil {
		return b.Memory.Sync(ctx, mailbox, w, token)
	}
	return b.sync(ctx, mailbox, w, token)
}

func (b *broken) Notify(ctx context.Context, mailboxes []string, wake func(string)) error {
	if b.notify == nil {
		return b.Memory.Notify(ctx, mailboxes, wake)
	}
	return b.notify(ctx, mailboxes, wake)
}

func (b *broken) Notified(mailbox string) (bool, error) {
	if b.covers == nil {
		return b.Memory.Notified(mailbox)
	}
	return b.covers(mailbox)
}

// Each of these breaks one rule, and the case for that rule finds it, and no
// other case does.
func TestBrokenProvidersFailTheirCase(t *testing.T) {
	wide := func(w calendar.Window) calendar.Window {
		return calendar.Window{From: w.From.AddDate(0, 0, -30), To: w.To.AddDate(0, 0, 30)}
	}
	for name, breakIt := range map[string]func(m *Memory, b *broken){
		"provider/window": func(m *Memory, b *broken) {
			b.events = func(ctx context.Context, mailbox string, w calendar.Window) ([]calendar.Event, error) {
				events, err := m.Events(ctx, mailbox, w)
				return slices.DeleteFunc(events, func(ev calendar.Event) bool { return ev.Start.Before(w.From) && ev.End.After(w.To) }), err
			}
		},
		"provider/order": func(m *Memory, b *broken) {
			b.events = func(ctx context.Context, mailbox string, w calendar.Window) ([]calendar.Event, error) {
				events, err := m.Events(ctx, mailbox, w)
				if len(events) == 5 && events[0].UID == "b" {
					events[0], events[1] = events[1], events[0]
				}
				return events, err
			}
		},
		"provider/series": func(m *Memory, b *broken) {
			b.events = func(ctx context.Context, mailbox string, w calendar.Window) ([]calendar.Event, error) {
				events, err := m.Events(ctx, mailbox, w)
				for i := range events {
					events[i].SeriesID = ""
				}
				return events, err
			}
		},
		"provider/cancelled-and-declined": func(m *Memory, b *broken) {
			b.events = func(ctx context.Context, mailbox string, w calendar.Window) ([]calendar.Event, error) {
				events, err := m.Events(ctx, mailbox, w)
				return slices.DeleteFunc(events, func(ev calendar.Event) bool { return ev.Response == calendar.Declined }), err
			}
		},
		"provider/ids": func(m *Memory, b *broken) {
			b.events = func(ctx context.Context, mailbox string, w calendar.Window) ([]calendar.Event, error) {
				events, err := m.Events(ctx, mailbox, w)
				for i := range events { // numbered from the start of the window
					events[i].ID = fmt.Sprintf("%03d", i)
				}
				return events, err
			}
		},
		"provider/partial": func(m *Memory, b *broken) {
			b.events = func(ctx context.Context, mailbox string, w calendar.Window) ([]calendar.Event, error) {
				events, err := m.Events(ctx, mailbox, w)
				if pe := (*calendar.PartialError)(nil); errors.As(err, &pe) {
					return events, nil
				}
				return events, err
			}
		},
		"provider/errors": func(m *Memory, b *broken) {
			b.events = func(ctx context.Context, mailbox string, w calendar.Window) ([]calendar.Event, error) {
				events, err := m.Events(ctx, mailbox, w)
				if errors.Is(err, calendar.ErrThrottled) {
					return nil, errors.New("429")
				}
				return events, err
			}
		},
		"provider/context": func(m *Memory, b *broken) {
			b.events = func(ctx context.Context, mailbox string, w calendar.Window) ([]calendar.Event, error) {
				events, err := m.Events(ctx, mailbox, w)
				if ctx.Err() != nil {
					return nil, errors.New("stopped")
				}
				return events, err
			}
		},
		"provider/concurrent": func(m *Memory, b *broken) {
			var mu sync.Mutex
			busy := 0
			b.events = func(ctx context.Context, mailbox string, w calendar.Window) ([]calendar.Event, error) {
				mu.Lock()
				busy++
				mine := busy
				mu.Unlock()
				defer func() {
					mu.Lock()
					busy--
					mu.Unlock()
				}()
				if mine > 1 {
					return nil, nil // as if the other call had taken the answer
				}
				<-time.After(time.Millisecond) // long enough for others to come
				return m.Events(ctx, mailbox, w)
			}
		},
		"provider/ownership": func(m *Memory, b *broken) {
			shared := map[string]string{"X-SHARED": "1"}
			b.events = func(ctx context.Context, mailbox string, w calendar.Window) ([]calendar.Event, error) {
				events, err := m.Events(ctx, mailbox, w)
				for i := range events {
					events[i].Properties = shared
				}
				return events, err
			}
		},
		"syncer/full": func(m *Memory, b *broken) {
			b.sync = func(ctx context.Context, mailbox string, w calendar.Window, token string) (calendar.Delta, error) {
				d, err := m.Sync(ctx, mailbox, w, token)
				d.Full = false
				return d, err
			}
		},
		"syncer/changed": func(m *Memory, b *broken) {
			b.sync = func(ctx context.Context, mailbox string, w calendar.Window, token string) (calendar.Delta, error) {
				d, err := m.Sync(ctx, mailbox, w, token)
				if token != "" {
					d.Changed = slices.DeleteFunc(d.Changed, func(ev calendar.Event) bool { return ev.UID == "b" && ev.Subject == "Moved" })
				}
				return d, err
			}
		},
		"syncer/removed": func(m *Memory, b *broken) {
			b.sync = func(ctx context.Context, mailbox string, w calendar.Window, token string) (calendar.Delta, error) {
				d, err := m.Sync(ctx, mailbox, w, token)
				all, _ := m.Events(ctx, mailbox, wide(w))
				// It tells of events that are deleted, not of those that left the window.
				d.Removed = slices.DeleteFunc(d.Removed, func(id string) bool {
					return slices.ContainsFunc(all, func(ev calendar.Event) bool { return ev.ID == id })
				})
				return d, err
			}
		},
		"syncer/continues": func(m *Memory, b *broken) {
			b.sync = func(ctx context.Context, mailbox string, w calendar.Window, token string) (calendar.Delta, error) {
				d, err := m.Sync(ctx, mailbox, w, token)
				if pe := (*calendar.PartialError)(nil); errors.As(err, &pe) {
					d.Token = token
					d.Changed = nil
				}
				return d, err
			}
		},
		"syncer/token-expired": func(m *Memory, b *broken) {
			b.sync = func(ctx context.Context, mailbox string, w calendar.Window, token string) (calendar.Delta, error) {
				d, err := m.Sync(ctx, mailbox, w, token)
				if errors.Is(err, calendar.ErrTokenExpired) {
					return m.Sync(ctx, mailbox, w, "")
				}
				return d, err
			}
		},
		"notifier/missed": func(m *Memory, b *broken) {
			b.notify = func(ctx context.Context, mailboxes []string, wake func(string)) error {
				return m.Notify(ctx, mailboxes, func(mailbox string) {
					m.mu.Lock()
					missed := m.boxes[mailbox].events
					tell := len(missed) != 1 || missed[0].UID != "missed"
					m.mu.Unlock()
					if tell {
						wake(mailbox)
					}
				})
			}
		},
		"notifier/goroutines": func(m *Memory, b *broken) {
			b.notify = func(ctx context.Context, mailboxes []string, wake func(string)) error {
				return m.Notify(ctx, mailboxes, func(mailbox string) {
					wake(mailbox)
					wake(strings.ToUpper(mailbox))
				})
			}
		},
		"notifier/blocks": func(m *Memory, b *broken) {
			var stopped atomic.Bool
			b.notify = func(ctx context.Context, mailboxes []string, wake func(string)) error {
				go m.Notify(context.WithoutCancel(ctx), mailboxes, wake)
				<-ctx.Done()
				stopped.Store(true)
				return nil
			}
			b.covers = func(mailbox string) (bool, error) {
				ok, err := m.Notified(mailbox)
				return ok && !stopped.Load(), err
			}
		},
		"notifier/lasts": func(m *Memory, b *broken) {
			b.notify = func(ctx context.Context, mailboxes []string, wake func(string)) error {
				ctx, cancel := context.WithCancelCause(ctx)
				defer cancel(nil)
				err := m.Notify(ctx, mailboxes, func(mailbox string) {
					if _, err := m.Events(ctx, mailbox, week); errors.Is(err, calendar.ErrUnavailable) {
						cancel(err)
						return
					}
					wake(mailbox)
				})
				return errors.Join(err, context.Cause(ctx))
			}
		},
		"coverage/covered": func(m *Memory, b *broken) {
			b.covers = func(mailbox string) (bool, error) {
				ok, err := m.Notified(mailbox)
				return ok || err == nil, err
			}
		},
		"coverage/why": func(m *Memory, b *broken) {
			b.covers = func(mailbox string) (bool, error) {
				ok, _ := m.Notified(mailbox)
				return ok, nil
			}
		},
		"coverage/wakes": func(m *Memory, b *broken) {
			b.notify = func(ctx context.Context, mailboxes []string, wake func(string)) error {
				begun := map[string]bool{}
				return m.Notify(ctx, mailboxes, func(mailbox string) {
					if begun[mailbox] {
						wake(mailbox)
					}
					begun[mailbox] = true
				})
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := Test(harnessFor(func(m *Memory) calendar.Provider {
				b := &broken{Memory: m}
				breakIt(m, b)
				return b
			}))
			require.Error(t, err)
			assert.Equal(t, []string{name}, failed(err), "%v", err)
			rule := cases[slices.IndexFunc(cases, func(c testCase) bool { return c.name == name })].rule
			assert.ErrorContains(t, err, rule)
		})
	}
}

// A notifier that does not wake fails every case of notifiers: without wakes
// none of the other rules can be seen.
func TestDeafNotifierFails(t *testing.T) {
	err := Test(harnessFor(func(m *Memory) calendar.Provider {
		return &broken{Memory: m, notify: func(ctx context.Context, _ []string, _ func(string)) error {
			<-ctx.Done()
			return nil
		}}
	}))
	assert.Contains(t, failed(err), "notifier/wakes")
}

// failed returns the names of the cases in an error of Test.
func failed(err error) []string {
	names := make(map[string]bool)
	for _, m := range regexp.MustCompile(`(?m)^([a-z]+/[a-z-]+): `).FindAllStringSubmatch(err.Error(), -1) {
		names[m[1]] = true
	}
	return slices.Sorted(maps.Keys(names))
}

func TestCasesAreSkippedWithAReason(t *testing.T) {
	bare := func() (*Harness, error) {
		return &Harness{Provider: struct{ calendar.Provider }{NewMemory()}, Mailbox: "fjord@example.com"}, nil
	}
	require.NoError(t, Test(bare))
	for _, c := range cases {
		if c.name == "provider/context" {
			continue // it needs nothing
		}
		var skip skipped
		require.ErrorAs(t, c.run(bare), &skip, c.name)
		assert.NotEmpty(t, string(skip))
	}
}

// The rules that cases print are those of the contract, each once.
func TestCasesCoverTheContract(t *testing.T) {
	source, err := os.ReadFile("../provider.go")
	require.NoError(t, err)
	want := map[string][]string{}
	for _, m := range regexp.MustCompile(`(?m)((?:^//.*\n)+)^type (\w+) interface`).FindAllStringSubmatch(string(source), -1) {
		doc := regexp.MustCompile(`(?m)^// ?`).ReplaceAllString(m[1], "")
		for i, rule := range strings.Split(doc, "\n  - ") {
			if i > 0 {
				rule, _, _ = strings.Cut(rule, "\n\n")
				want[m[2]] = append(want[m[2]], strings.Join(strings.Fields(rule), " "))
			}
		}
	}
	got := map[string][]string{}
	for _, c := range cases {
		got[c.iface] = append(got[c.iface], c.rule)
		assert.Regexp(t, `^\w+\.go:\d+$`, c.source)
	}
	assert.Equal(t, want, got)
}

func TestMemoryForTests(t *testing.T) {
	ctx := t.Context()
	m := NewMemory()
	m.Set("fjord@example.com", calendar.Event{UID: "u", Start: monday, End: monday.Add(time.Hour)})
	events, err := m.Events(ctx, "fjord@example.com", week)
	require.NoError(t, err)
	require.Len(t, events, 1)
	assert.Equal(t, "u/20260302T000000Z", events[0].ID)

	m.SetError("fjord@example.com", &calendar.Error{Op: "read calendar", RetryAfter: time.Minute, Err: calendar.ErrThrottled})
	_, err = m.Events(ctx, "fjord@example.com", week)
	var e *calendar.Error
	require.ErrorAs(t, err, &e)
	assert.Equal(t, time.Minute, e.RetryAfter)
	m.SetError("fjord@example.com", nil)

	unblock := m.Block("fjord@example.com")
	done := make(chan error)
	go func() {
		_, err := m.Events(ctx, "fjord@example.com", week)
		done <- err
	}()
	unblock()
	require.NoError(t, <-done)
	assert.Equal(t, 3, m.Calls("fjord@example.com"))
}
