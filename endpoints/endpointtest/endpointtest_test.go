package endpointtest

import (
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/onetouchjoin/onetouchjoin/otj"
	"github.com/onetouchjoin/onetouchjoin/rules"
)

// harness is that of a Screen; wrap puts a broken adapter in front of it.
func harness(opts *ScreenOptions, wrap func(*Screen) otj.Endpoint) func() (*Harness, error) {
	return func() (*Harness, error) {
		s := NewScreen(opts)
		faults := map[error]func(){}
		for _, e := range []error{otj.ErrUnauthorized, otj.ErrCertificate, otj.ErrBusy, otj.ErrRejected, otj.ErrNotDevice, otj.ErrForeignBookings} {
			faults[e] = func() { s.Fail(e) }
		}
		h := &Harness{
			Endpoint: s,
			Shown:    func(context.Context) ([]otj.Meeting, error) { return s.Meetings(), nil },
			Dialable: []rules.Address{
				{Scheme: rules.SIP, URI: "sip:1@example.com"},
				{Scheme: rules.H323, URI: "h323:192.0.2.1##2"},
			},
			Undialable: []rules.Address{{Scheme: rules.HTTPS, URI: "https://zoom.us/j/1"}},
			Capacity:   s.opts.Capacity,
			Patience:   300 * time.Millisecond,
			Unplug:     s.Unplug,
			Plug:       s.Plug,
			Stall:      s.Stall,
			Faults:     faults,
			Reset:      s.Restart,
			Tamper:     s.Tamper,
			Learn:      func() { s.Learn(rules.SIP, rules.H323, rules.HTTPS) },
		}
		if wrap != nil {
			h.Endpoint = wrap(s)
		}
		return h, nil
	}
}

func TestScreen(t *testing.T) {
	t.Run("unlimited", func(t *testing.T) { Run(t, harness(nil, nil)) })
	t.Run("capacity", func(t *testing.T) { Run(t, harness(&ScreenOptions{Capacity: 5}, nil)) })
}

func TestScreenWithoutTestingT(t *testing.T) {
	require.NoError(t, Test(harness(&ScreenOptions{Capacity: 20}, nil)))
}

// The harness may be made and used within a synctest bubble.
func TestScreenFakeTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		require.NoError(t, Test(harness(&ScreenOptions{Capacity: 20}, nil)))
	})
}

// A harness that can do nothing to its device still checks what remains.
func TestScreenPoorHarness(t *testing.T) {
	require.NoError(t, Test(func() (*Harness, error) {
		s := NewScreen(nil)
		return &Harness{
			Endpoint: struct{ otj.Endpoint }{s},
			Shown:    func(context.Context) ([]otj.Meeting, error) { return s.Meetings(), nil },
			Dialable: []rules.Address{{Scheme: rules.SIP, URI: "sip:1@example.com"}, {Scheme: rules.SIP, URI: "sip:2@example.com"}},
		}, nil
	}))
}

// The rules are those of the documentation, all of them, word for word.
func TestRulesAreTheDocumentation(t *testing.T) {
	f, err := parser.ParseFile(token.NewFileSet(), "../../otj/endpoint.go", nil, parser.ParseComments)
	require.NoError(t, err)
	var bullets []string
	var alarms string
	for _, d := range f.Decls {
		g, ok := d.(*ast.GenDecl)
		if !ok || g.Tok != token.TYPE {
			continue
		}
		switch name := g.Specs[0].(*ast.TypeSpec).Name.Name; name {
		case "Endpoint", "Watcher":
			for _, p := range strings.Split(g.Doc.Text(), "\n  - ")[1:] {
				p, _, _ = strings.Cut(p, "\n\n")
				bullets = append(bullets, strings.TrimRight(strings.Join(strings.Fields(p), " "), ";."))
			}
		case "Alarmer":
			alarms = g.Specs[0].(*ast.TypeSpec).Type.(*ast.InterfaceType).Methods.List[0].Doc.Text()
		}
	}
	require.Len(t, bullets, 13)
	assert.Contains(t, alarms, ruleAlarms)
	var checked []string
	for _, c := range cases {
		checked = append(checked, c.rule)
	}
	for _, b := range bullets {
		assert.Contains(t, checked, b, "no case checks this bullet")
	}
	for _, c := range cases {
		if c.rule != ruleAlarms {
			assert.Contains(t, bullets, c.rule, "case %s checks a rule that is not in the documentation", c.name)
		}
	}
}

// broken changes what a Screen does. Nil functions leave it as it is.
type broken struct {
	*Screen
	dials  func(rules.Address) bool
	show   func(context.Context, []otj.Meeting) error
	watch  func(context.Context, func()) error
	alarms func() []otj.Alarm
}

func (b *broken) Dials(a rules.Address) bool {
	if b.dials != nil {
		return b.dials(a)
	}
	return b.Screen.Dials(a)
}

func (b *broken) Show(ctx context.Context, ms []otj.Meeting) error {
	if b.show != nil {
		return b.show(ctx, ms)
	}
	return b.Screen.Show(ctx, ms)
}

func (b *broken) Watch(ctx context.Context, wake func()) error {
	if b.watch != nil {
		return b.watch(ctx, wake)
	}
	return b.Screen.Watch(ctx, wake)
}

func (b *broken) Alarms() []otj.Alarm {
	if b.alarms != nil {
		return b.alarms()
	}
	return b.Screen.Alarms()
}

// change returns a Show that gives the screen something else than it was given.
func change(s *Screen, f func([]otj.Meeting) []otj.Meeting) func(context.Context, []otj.Meeting) error {
	return func(ctx context.Context, ms []otj.Meeting) error { return s.Show(ctx, f(slices.Clone(ms))) }
}

func each(f func(*otj.Meeting)) func([]otj.Meeting) []otj.Meeting {
	return func(ms []otj.Meeting) []otj.Meeting {
		for i := range ms {
			f(&ms[i])
		}
		return ms
	}
}

// Every rule has adapters that break it, and the suite finds each of them with
// the case that is made for it.
func TestBrokenEndpointsFail(t *testing.T) {
	for _, tt := range []struct {
		name  string
		cases []string // that must fail, among others
		opts  *ScreenOptions
		make  func(*Screen) *broken
	}{
		{"dials everything", []string{"dials"}, nil, func(s *Screen) *broken {
			return &broken{dials: func(rules.Address) bool { return true }}
		}},
		{"dials nothing", []string{"dials"}, nil, func(s *Screen) *broken {
			return &broken{dials: func(rules.Address) bool { return false }}
		}},
		{"asks the device what it dials", []string{"dials-unplugged"}, nil, func(s *Screen) *broken {
			return &broken{dials: func(a rules.Address) bool { return s.reach(context.Background()) == nil && s.Dials(a) }}
		}},
		{"adds to what is there", []string{"complete-set", "empty-clears"}, nil, func(s *Screen) *broken {
			return &broken{show: change(s, func(ms []otj.Meeting) []otj.Meeting {
				for _, old := range s.Meetings() {
					if !slices.ContainsFunc(ms, func(m otj.Meeting) bool { return m.ID == old.ID }) {
						ms = append(ms, old)
					}
				}
				return ms
			})}
		}},
		{"ignores an empty set", []string{"empty-clears"}, nil, func(s *Screen) *broken {
			return &broken{show: func(ctx context.Context, ms []otj.Meeting) error {
				if len(ms) == 0 {
					return ctx.Err()
				}
				return s.Show(ctx, ms)
			}}
		}},
		{"duplicates when repeated", []string{"idempotent"}, nil, func(s *Screen) *broken {
			var last []otj.Meeting
			return &broken{show: change(s, func(ms []otj.Meeting) []otj.Meeting {
				if slices.Equal(ms, last) {
					return append(ms, ms...)
				}
				last = slices.Clone(ms)
				return ms
			})}
		}},
		{"strips markup", []string{"as-they-are"}, nil, func(s *Screen) *broken {
			return &broken{show: change(s, each(func(m *otj.Meeting) { m.Title = strings.ReplaceAll(m.Title, "<b>", "") }))}
		}},
		{"sends an address as it is printed", []string{"passcodes"}, nil, func(s *Screen) *broken {
			return &broken{show: change(s, each(func(m *otj.Meeting) { m.Join.URI = m.Join.String() }))}
		}},
		{"repeats titles in errors", []string{"error-text"}, nil, func(s *Screen) *broken {
			return &broken{show: func(ctx context.Context, ms []otj.Meeting) error {
				err := s.Show(ctx, ms)
				if errors.Is(err, otj.ErrRejected) {
					return fmt.Errorf("%w: %s", err, ms[0].Title)
				}
				return err
			}}
		}},
		{"repeats addresses in errors", []string{"error-text"}, nil, func(s *Screen) *broken {
			return &broken{show: func(ctx context.Context, ms []otj.Meeting) error {
				err := s.Show(ctx, ms)
				if errors.Is(err, context.DeadlineExceeded) {
					return fmt.Errorf("%w: dial %s", err, ms[0].Join.URI)
				}
				return err
			}}
		}},
		{"hides private titles again", []string{"as-they-are", "small-changes"}, nil, func(s *Screen) *broken {
			return &broken{show: change(s, each(func(m *otj.Meeting) {
				if m.Private {
					m.Title = "Private"
				}
			}))}
		}},
		{"folds equal meetings", []string{"as-they-are"}, nil, func(s *Screen) *broken {
			return &broken{show: change(s, func(ms []otj.Meeting) []otj.Meeting {
				return slices.CompactFunc(ms, func(a, b otj.Meeting) bool { return a.Title == b.Title && a.Start.Equal(b.Start) })
			})}
		}},
		{"cuts identifiers", []string{"as-they-are"}, nil, func(s *Screen) *broken {
			return &broken{show: change(s, each(func(m *otj.Meeting) { m.ID = m.ID[:min(len(m.ID), 32)] }))}
		}},
		{"loses seconds", []string{"as-they-are"}, nil, func(s *Screen) *broken {
			return &broken{show: change(s, each(func(m *otj.Meeting) { m.Start = m.Start.Truncate(time.Minute) }))}
		}},
		{"compares IDs only", []string{"small-changes"}, nil, func(s *Screen) *broken {
			return &broken{show: func(ctx context.Context, ms []otj.Meeting) error {
				if slices.EqualFunc(ms, s.Meetings(), func(a, b otj.Meeting) bool { return a.ID == b.ID }) {
					return ctx.Err()
				}
				return s.Show(ctx, ms)
			}}
		}},
		{"forgets buffers when comparing", []string{"small-changes"}, nil, func(s *Screen) *broken {
			return &broken{show: func(ctx context.Context, ms []otj.Meeting) error {
				key := each(func(m *otj.Meeting) { m.StartBuffer, m.EndBuffer = 0, 0 })
				if slices.Equal(key(slices.Clone(ms)), key(s.Meetings())) {
					return ctx.Err()
				}
				return s.Show(ctx, ms)
			}}
		}},
		{"keeps the last ones", []string{"capacity"}, &ScreenOptions{Capacity: 20}, func(s *Screen) *broken {
			return &broken{show: change(s, func(ms []otj.Meeting) []otj.Meeting { return ms[max(0, len(ms)-20):] })}
		}},
		{"drops meetings silently", []string{"capacity"}, &ScreenOptions{Capacity: 20}, func(s *Screen) *broken {
			return &broken{alarms: func() []otj.Alarm { return nil }}
		}},
		{"never takes an alarm back", []string{"capacity"}, &ScreenOptions{Capacity: 20}, func(s *Screen) *broken {
			var last []otj.Alarm
			var mu sync.Mutex
			return &broken{alarms: func() []otj.Alarm {
				mu.Lock()
				defer mu.Unlock()
				if now := s.Alarms(); now != nil {
					last = now
				}
				return last
			}}
		}},
		{"gives everything a button", []string{"no-button"}, nil, func(s *Screen) *broken {
			return &broken{show: change(s, each(func(m *otj.Meeting) {
				if m.Join.IsZero() {
					m.Join = rules.Address{Scheme: rules.SIP, URI: "sip:guess@example.com"}
				}
			}))}
		}},
		{"hides what has no button", []string{"no-button"}, nil, func(s *Screen) *broken {
			return &broken{show: change(s, func(ms []otj.Meeting) []otj.Meeting {
				return slices.DeleteFunc(ms, func(m otj.Meeting) bool { return m.Join.IsZero() })
			})}
		}},
		{"remembers a failed set as shown", []string{"error-repairs"}, nil, func(s *Screen) *broken {
			var last []otj.Meeting
			return &broken{show: func(ctx context.Context, ms []otj.Meeting) error {
				if last != nil && slices.Equal(ms, last) {
					return ctx.Err()
				}
				last = slices.Clone(ms)
				return s.Show(ctx, ms)
			}}
		}},
		{"claims success", []string{"error-repairs", "error-unreachable"}, nil, func(s *Screen) *broken {
			return &broken{show: func(ctx context.Context, ms []otj.Meeting) error {
				if err := s.Show(ctx, ms); err != nil && ctx.Err() != nil {
					return err
				}
				return nil
			}}
		}},
		{"trusts its memory of the device", []string{"lost-set", "watch-reset"}, nil, func(s *Screen) *broken {
			var last []otj.Meeting
			return &broken{show: func(ctx context.Context, ms []otj.Meeting) error {
				if last != nil && slices.Equal(ms, last) {
					return ctx.Err()
				}
				err := s.Show(ctx, ms)
				if err == nil {
					last = slices.Clone(ms)
				}
				return err
			}}
		}},
		{"untyped errors", []string{"error-unreachable", "error-unauthorized", "error-certificate", "error-busy", "error-rejected", "error-not-device", "error-foreign-bookings"}, nil, func(s *Screen) *broken {
			return &broken{show: func(ctx context.Context, ms []otj.Meeting) error {
				if err := s.Show(ctx, ms); err != nil {
					return errors.Join(ctx.Err(), errors.New("something went wrong"))
				}
				return nil
			}}
		}},
		{"nameless errors", []string{"error-unreachable"}, nil, func(s *Screen) *broken {
			return &broken{show: func(ctx context.Context, ms []otj.Meeting) error {
				err := s.Show(ctx, ms)
				if e := (*otj.EndpointError)(nil); errors.As(err, &e) {
					e.Endpoint = ""
				}
				return err
			}}
		}},
		{"ignores its context", []string{"context-done"}, nil, func(s *Screen) *broken {
			return &broken{show: func(ctx context.Context, ms []otj.Meeting) error {
				if ctx.Err() != nil {
					ctx = context.Background()
				}
				return s.Show(ctx, ms)
			}}
		}},
		{"waits for ever", []string{"context-stalled"}, nil, func(s *Screen) *broken {
			return &broken{show: func(ctx context.Context, ms []otj.Meeting) error {
				return s.Show(context.WithoutCancel(ctx), ms)
			}}
		}},
		{"keeps the slice", []string{"slice"}, nil, func(s *Screen) *broken {
			return &broken{show: func(ctx context.Context, ms []otj.Meeting) error {
				err := s.Show(ctx, ms)
				if err == nil {
					s.mu.Lock()
					s.meetings = ms
					s.mu.Unlock()
				}
				return err
			}}
		}},
		{"sorts the caller's slice", []string{"slice"}, nil, func(s *Screen) *broken {
			return &broken{show: func(ctx context.Context, ms []otj.Meeting) error {
				slices.Reverse(ms)
				return s.Show(ctx, ms)
			}}
		}},
		{"mixes simultaneous calls", []string{"concurrent"}, nil, func(s *Screen) *broken {
			var mu sync.Mutex
			seen := map[string][]otj.Meeting{}
			return &broken{show: func(ctx context.Context, ms []otj.Meeting) error {
				mu.Lock()
				defer mu.Unlock()
				if len(ms) == 2 {
					seen[ms[0].ID] = slices.Clone(ms)
				}
				if len(seen) < 2 {
					return s.Show(ctx, ms)
				}
				var all []otj.Meeting
				for _, set := range seen {
					all = append(all, set...)
				}
				return s.Show(ctx, all)
			}}
		}},
		{"does not hear", []string{"watch-reset", "watch-tamper", "watch-learn", "watch-reconnect"}, nil, func(s *Screen) *broken {
			return &broken{watch: func(ctx context.Context, _ func()) error { <-ctx.Done(); return ctx.Err() }}
		}},
		{"hears once", []string{"watch-reconnect"}, nil, func(s *Screen) *broken {
			return &broken{watch: func(ctx context.Context, wake func()) error {
				ctx, cancel := context.WithCancel(ctx)
				defer cancel()
				ch := make(chan error)
				go func() { ch <- s.Watch(ctx, wake) }()
				for {
					select {
					case err := <-ch:
						return err
					case <-time.After(10 * time.Millisecond):
						if s.reach(ctx) != nil { // connection lost
							cancel()
							<-ch
							select {}
						}
					}
				}
			}}
		}},
		{"stops watching at once", []string{"watch-reset", "watch-stop"}, nil, func(s *Screen) *broken {
			return &broken{watch: func(context.Context, func()) error { return nil }}
		}},
		{"does not stop watching", []string{"watch-stop"}, nil, func(s *Screen) *broken {
			return &broken{watch: func(ctx context.Context, wake func()) error {
				return s.Watch(context.WithoutCancel(ctx), wake)
			}}
		}},
		{"leaves a goroutine", []string{"watch-stop"}, nil, func(s *Screen) *broken {
			return &broken{watch: func(ctx context.Context, wake func()) error {
				go s.Watch(context.WithoutCancel(ctx), wake)
				<-ctx.Done()
				return ctx.Err()
			}}
		}},
		{"asks the device for alarms", []string{"alarms"}, nil, func(s *Screen) *broken {
			return &broken{alarms: func() []otj.Alarm { s.reach(context.Background()); return s.Alarms() }}
		}},
		{"alarms without a time", []string{"alarms"}, nil, func(s *Screen) *broken {
			return &broken{alarms: func() []otj.Alarm { return []otj.Alarm{{Code: "x", Text: "X."}} }}
		}},
		{"alarms without a code", []string{"alarms"}, nil, func(s *Screen) *broken {
			return &broken{alarms: func() []otj.Alarm {
				return []otj.Alarm{{Code: "Something Bad!", Text: "X.", Since: time.Now().UTC()}}
			}}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			newHarness := harness(tt.opts, func(s *Screen) otj.Endpoint {
				b := tt.make(s)
				b.Screen = s
				return b
			})
			for _, name := range tt.cases {
				i := slices.IndexFunc(cases, func(c testCase) bool { return c.name == name })
				require.GreaterOrEqual(t, i, 0, name)
				err := cases[i].check(newHarness)
				require.Error(t, err, "case %s passes", name)
				require.ErrorContains(t, err, cases[i].rule)
			}
		})
	}
}

func TestHarnessValidation(t *testing.T) {
	for _, tt := range []struct {
		want  string
		spoil func(*Harness)
	}{
		{"Harness.Endpoint is nil", func(h *Harness) { h.Endpoint = nil }},
		{"Harness.Shown is nil", func(h *Harness) { h.Shown = nil }},
		{"less than two", func(h *Harness) { h.Dialable = h.Dialable[:1] }},
		{"same address twice", func(h *Harness) { h.Dialable[1] = h.Dialable[0] }},
		{"only one of Unplug and Plug", func(h *Harness) { h.Plug = nil }},
		{"Normalize changes", func(h *Harness) { h.Normalize = func(otj.Meeting) otj.Meeting { return otj.Meeting{} } }},
		{"Harness.Reset is nil", func(h *Harness) { h.Reset = nil }},
	} {
		err := Test(func() (*Harness, error) {
			h, err := harness(nil, nil)()
			tt.spoil(h)
			return h, err
		})
		require.ErrorContains(t, err, tt.want)
		assert.NotContains(t, err.Error(), "\n", "once, and not for every case")
	}
	err := Test(func() (*Harness, error) { return nil, errors.New("no device today") })
	require.EqualError(t, err, "the harness could not be made: no device today")
}

// A device that rounds passes with a Normalize that says so, and only with it.
func TestNormalize(t *testing.T) {
	minutes := func(m otj.Meeting) otj.Meeting {
		m.Start, m.End = m.Start.Truncate(time.Minute), m.End.Truncate(time.Minute)
		m.Organizer.Email = ""
		return m
	}
	newHarness := func(normalize func(otj.Meeting) otj.Meeting) func() (*Harness, error) {
		return func() (*Harness, error) {
			h, err := harness(nil, func(s *Screen) otj.Endpoint {
				return &broken{Screen: s, show: change(s, each(func(m *otj.Meeting) { *m = minutes(*m) }))}
			})()
			h.Normalize = normalize
			return h, err
		}
	}
	require.NoError(t, Test(newHarness(minutes)))
	require.Error(t, Test(newHarness(nil)))
}
