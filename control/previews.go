package control

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// The limits of previews that go on by themselves.
const (
	previewLife = 15 * time.Minute // to read all calendars
	previewKept = 10 * time.Minute // from its end on
	maxPreviews = 2                // of one company that go on
	maxResults  = 5                // of one company that are kept
)

// Preview is a PreviewChange that goes on by itself, for programs that ask now and
// then how far it is. It is kept in memory, and for ten minutes after its end: it
// does not outlive the program.
type Preview struct {
	ID      string    `json:"id"`
	Company string    `json:"company"`
	Begun   time.Time `json:"begun"` // UTC
	// Done of Total calendars are read.
	Done  int `json:"done"`
	Total int `json:"total"`
	// Ended is when it ended, in UTC; zero while it goes on.
	Ended time.Time `json:"ended,omitzero"`
	// Result is there once it has ended well; Error says, as a sentence, why it has
	// ended otherwise.
	Result *Change `json:"result,omitempty"`
	Error  string  `json:"error,omitempty"`
}

// ErrBusy is the error of a call that has to wait for others to end.
var ErrBusy = errors.New("too many at a time")

// previews are those that go on, or have ended a moment ago.
type previews struct {
	mu   sync.Mutex
	byID map[string]*running
}

type running struct {
	Preview
	cancel context.CancelFunc
}

// sweep forgets what has ended long ago. p.mu is held.
func (p *previews) sweep(now time.Time) {
	for id, r := range p.byID {
		if !r.Ended.IsZero() && now.Sub(r.Ended) > previewKept {
			delete(p.byID, id)
		}
	}
}

// room makes room for one more of a company, or reports that there is none.
// p.mu is held.
func (p *previews) room(company string) bool {
	var ended []*running
	going := 0
	for _, r := range p.byID {
		switch {
		case r.Company != company:
		case r.Ended.IsZero():
			going++
		default:
			ended = append(ended, r)
		}
	}
	slices.SortFunc(ended, func(a, b *running) int { return b.Ended.Compare(a.Ended) })
	for _, r := range ended[min(len(ended), maxResults-1):] {
		delete(p.byID, r.ID)
	}
	return going < maxPreviews
}

// StartPreview begins a PreviewChange that goes on when the call has returned, for
// a quarter of an hour at most. A draft with mistakes is refused at once. The error
// wraps ErrBusy if two of the company go on already.
func (c *Centre) StartPreview(ctx context.Context, actor Actor, draft Processing) (Preview, error) {
	l, err := c.look(ctx, actor, draft)
	if err != nil {
		return Preview{}, err
	}
	now := time.Now().UTC()
	p := &c.previews
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sweep(now)
	if !p.room(l.company) {
		return Preview{}, fmt.Errorf("%w: %d previews of the company go on; delete one, or wait for its end", ErrBusy, maxPreviews)
	}
	run, cancel := context.WithTimeout(context.WithoutCancel(ctx), previewLife)
	r := &running{Preview{ID: newID(), Company: l.company, Begun: now, Total: len(l.rooms)}, cancel}
	p.byID[r.ID] = r
	go func() {
		defer cancel()
		change, err := l.run(run, func(done, total int) {
			p.mu.Lock()
			defer p.mu.Unlock()
			r.Done, r.Total = done, total
		})
		p.mu.Lock()
		defer p.mu.Unlock()
		r.Ended = time.Now().UTC()
		switch {
		case err == nil:
			r.Result = &change
		case errors.Is(err, context.DeadlineExceeded):
			r.Error = fmt.Sprintf("The calendars were not read within %d minutes.", int(previewLife.Minutes()))
		default:
			r.Error = "It was stopped."
		}
	}()
	return r.Preview, nil
}

// preview returns one that the actor may see, and its company. c.previews.mu is
// not held.
func (c *Centre) preview(ctx context.Context, actor Actor, id string) (*running, Org, error) {
	p := &c.previews
	p.mu.Lock()
	p.sweep(time.Now())
	r := p.byID[id]
	p.mu.Unlock()
	if r == nil {
		return nil, Org{}, fmt.Errorf("preview %.40s: %w", id, ErrNotFound)
	}
	var o Org
	err := c.store.View(ctx, func(tx Tx) (err error) {
		o, err = actor.org(tx, r.Company, Configure)
		return err
	})
	return r, o, err
}

// Preview says how far a preview is, or what it has found.
func (c *Centre) Preview(ctx context.Context, actor Actor, id string) (Preview, error) {
	r, o, err := c.preview(ctx, actor, id)
	if err != nil {
		return Preview{}, err
	}
	c.previews.mu.Lock()
	out := r.Preview
	c.previews.mu.Unlock()
	if out.Result == nil || out.Result.SubjectsHidden {
		return out, nil
	}
	// Somebody else may have begun it, who sees more.
	seen, err := c.subjects(ctx, actor, o, "processing", o.ID, "preview")
	if err != nil {
		return Preview{}, err
	}
	if !seen {
		hidden := out.Result.withoutSubjects()
		out.Result = &hidden
	}
	return out, nil
}

// StopPreview ends a preview and forgets what it has found.
func (c *Centre) StopPreview(ctx context.Context, actor Actor, id string) error {
	r, _, err := c.preview(ctx, actor, id)
	if err != nil {
		return err
	}
	r.cancel()
	c.previews.mu.Lock()
	defer c.previews.mu.Unlock()
	delete(c.previews.byID, id)
	return nil
}

// withoutSubjects returns a copy that names no meeting.
func (v *Change) withoutSubjects() Change {
	hide := func(m *ScreenMeeting) *ScreenMeeting {
		if m == nil {
			return nil
		}
		out := *m
		out.Title, out.Organizer = "", ""
		return &out
	}
	out := *v
	out.SubjectsHidden = true
	out.Rooms = make([]RoomChange, len(v.Rooms))
	for i, r := range v.Rooms {
		out.Rooms[i] = r
		out.Rooms[i].Meetings = make([]MeetingChange, len(r.Meetings))
		for j, m := range r.Meetings {
			m.Before, m.After = hide(m.Before), hide(m.After)
			out.Rooms[i].Meetings[j] = m
		}
	}
	return out
}
