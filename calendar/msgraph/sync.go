package msgraph

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/onetouchjoin/onetouchjoin/calendar"
)

const (
	// maxStates is how many sync tokens of a mailbox are good at a time: one for
	// each caller that follows it.
	maxStates = 4
	// maxQuestions is how many series a round asks about one by one. For more,
	// reading the calendar is cheaper.
	maxQuestions = 4
	// noDelta is for how long the calendar is read whole after a delta query
	// that did not work.
	noDelta = time.Hour
)

// itemNotFound is Graph's code for an event that is not there.
const itemNotFound = "ErrorItemNotFound"

// state is what a sync token stands for. It is never changed, only replaced.
type state struct {
	token  string
	window calendar.Window
	// link is where the delta query goes on. It is empty if there is none: the
	// window is short, or until some time, because Graph's pages did not end.
	link  string
	until time.Time
	// series are the occurrences that the caller holds, by the ID of their
	// series. A delta query does not say reliably which of them are gone.
	series map[string][]string
}

// find returns what a token stands for, or nil.
func (b *box) find(token string) *state {
	b.mu.Lock()
	defer b.mu.Unlock()
	if i := slices.IndexFunc(b.states, func(s *state) bool { return s.token == token }); i >= 0 {
		return b.states[i]
	}
	return nil
}

// replace puts a new state in the place of an old one. Either may be nil.
func (b *box) replace(old, s *state) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.states = slices.DeleteFunc(b.states, func(x *state) bool { return x == old })
	if s == nil {
		return
	}
	if len(b.states) == maxStates {
		b.states = slices.Delete(b.states, 0, 1)
	}
	b.states = append(b.states, s)
}

// Sync implements [calendar.Syncer].
//
// A window up to Options.DeltaWindow is read whole, which is one request. For a
// longer one a delta query asks for changes: one request too if there are none.
// What it lists of a series is only when the occurrences are; the rest comes
// from the master of the series, which is asked for where it was not listed.
// Which occurrences are gone, a delta query does not say reliably: where one is
// missing, the series is asked about.
//
// A token is good in the process that made it, until the next one that follows
// from it is made. Otherwise, and when Graph does not continue from it any more,
// the error wraps [calendar.ErrTokenExpired].
func (p *Provider) Sync(ctx context.Context, mailbox string, w calendar.Window, token string) (calendar.Delta, error) {
	r := &request{op: readCalendar, mailbox: mailbox}
	if _, err := p.user(r); err != nil {
		return calendar.Delta{}, err
	}
	if err := p.checkWindow(r, w); err != nil {
		return calendar.Delta{}, err
	}
	b := p.box(mailbox)
	var old *state
	if token != "" {
		if old = b.find(token); old == nil || !old.window.From.Equal(w.From) || !old.window.To.Equal(w.To) {
			return calendar.Delta{}, p.fail(r, fmt.Errorf("%w: it is not of this process, mailbox and window", calendar.ErrTokenExpired), "")
		}
	}
	s := &round{p: p, ctx: ctx, mailbox: mailbox, w: w, old: old}
	d, next, err := s.run()
	p.readers.read(mailbox, s.pages.requests)
	var partial *calendar.PartialError
	switch {
	case err == nil, errors.As(err, &partial):
		p.worked.Store(true)
		next.token = rand.Text()
		d.Token = next.token
		b.replace(old, next)
	case errors.Is(err, calendar.ErrTokenExpired):
		b.replace(old, nil)
	}
	return d, err
}

// round is one call of Sync.
type round struct {
	p       *Provider
	ctx     context.Context
	mailbox string
	w       calendar.Window
	old     *state // nil in a round from the beginning
	pages   pages

	singles map[string]*item
	masters map[string]*item
	series  map[string]map[string]*item // occurrences, by the ID of the series
	removed map[string]bool
	unnamed []*item // that cannot be read and have no ID
}

func (s *round) run() (calendar.Delta, *state, error) {
	next := &state{window: s.w}
	switch {
	case s.w.To.Sub(s.w.From) <= s.p.opts.DeltaWindow:
		return s.all(next)
	case s.old != nil && s.old.link == "" && time.Now().Before(s.old.until):
		next.until = s.old.until
		return s.all(next)
	case s.old != nil && s.old.link == "":
		s.old = nil // try delta queries again
	}
	link, err := s.delta()
	switch {
	case errors.Is(err, errEndless), s.old == nil && expired(err):
		next.until = time.Now().Add(noDelta)
		return s.all(next)
	case err != nil && expired(err):
		return calendar.Delta{}, nil, s.p.fail(s.request(""), fmt.Errorf("%w: %w", calendar.ErrTokenExpired, unwrapped(err)), "")
	case err != nil:
		return calendar.Delta{}, nil, err
	}
	next.link = link
	if enough, err := s.ask(); err != nil || !enough {
		if err != nil {
			return calendar.Delta{}, nil, err
		}
		return s.all(next)
	}
	return s.finish(next)
}

func (s *round) request(at string) *request {
	return &request{op: readCalendar, mailbox: s.mailbox, url: at, prefer: preferences}
}

// all reads the whole calendar. A delta link that was made before stays good:
// what changed in between is only told twice.
func (s *round) all(next *state) (calendar.Delta, *state, error) {
	events, err := s.p.view(s.ctx, s.mailbox, s.w, &s.pages)
	var partial *calendar.PartialError
	if err != nil && !errors.As(err, &partial) {
		return calendar.Delta{}, nil, err
	}
	next.series = map[string][]string{}
	if next.link != "" {
		for i := range events {
			if id := events[i].SeriesID; id != "" {
				next.series[id] = append(next.series[id], events[i].ID)
			}
		}
	}
	return calendar.Delta{Full: true, Changed: events}, next, err
}

// delta goes through the pages of a delta query, and returns the link to the
// next round. A round from the beginning that Graph breaks off begins once more.
func (s *round) delta() (link string, err error) {
	for range 2 {
		s.singles, s.masters, s.series, s.removed = map[string]*item{}, map[string]*item{}, map[string]map[string]*item{}, map[string]bool{}
		s.unnamed = nil
		s.pages.begin()
		if link, err = s.once(); err == nil || s.old != nil || !expired(err) || s.ctx.Err() != nil {
			break
		}
	}
	return link, err
}

func (s *round) once() (string, error) {
	r := s.request("")
	r.prefer = s.p.prefer
	if s.old != nil {
		r.url = s.old.link
	} else {
		at, err := s.p.user(r)
		if err != nil {
			return "", err
		}
		r.url = at + "/calendarView/delta?" + url.Values{"startDateTime": {stamp(s.w.From)}, "endDateTime": {stamp(s.w.To)}}.Encode()
	}
	for {
		out, err := s.p.page(s.ctx, r, &s.pages)
		if err != nil {
			return "", err
		}
		for i := range out.Value {
			s.add(&out.Value[i])
		}
		switch {
		case out.Delta != "":
			return out.Delta, nil
		case out.Next == "":
			return "", s.p.fail(r, fmt.Errorf("%w: a page has no link to the next", calendar.ErrUnavailable), "")
		}
		r.url = out.Next
	}
}

// add takes note of what a page lists. The same may be listed again, in another
// state: what is newer counts, as far as it can be told.
func (s *round) add(i *item) {
	switch {
	case i.ID == "":
		s.unnamed = append(s.unnamed, i)
	case i.Removed != nil:
		s.removed[i.ID] = true
		delete(s.singles, i.ID)
		delete(s.masters, i.ID)
		for _, occurrences := range s.series {
			delete(occurrences, i.ID)
		}
	case strings.EqualFold(i.Type, "seriesMaster"):
		if old := s.masters[i.ID]; old == nil || old.LastModified <= i.LastModified {
			s.masters[i.ID] = i
		}
	case i.SeriesMasterID != "":
		delete(s.removed, i.ID)
		if s.series[i.SeriesMasterID] == nil {
			s.series[i.SeriesMasterID] = map[string]*item{}
		}
		s.series[i.SeriesMasterID][i.ID] = i
	default:
		delete(s.removed, i.ID)
		if old := s.singles[i.ID]; old == nil || old.LastModified <= i.LastModified {
			s.singles[i.ID] = i
		}
	}
}

// known are the occurrences of a series that the caller holds.
func (s *round) known(series string) []string {
	if s.old == nil {
		return nil
	}
	return s.old.series[series]
}

// doubtful reports whether the list of a series' occurrences may be incomplete.
func (s *round) doubtful(id string) bool {
	listed := s.series[id]
	if s.removed[id] {
		return len(listed) > 0
	}
	if s.old == nil {
		return false
	}
	return len(listed) == 0 && s.masters[id] != nil || slices.ContainsFunc(s.known(id), func(o string) bool { return listed[o] == nil && !s.removed[o] })
}

// touched are the series that the round has listed anything of.
func (s *round) touched() []string {
	ids := map[string]bool{}
	for id := range s.masters {
		ids[id] = true
	}
	for id := range s.series {
		ids[id] = true
	}
	for id := range s.removed {
		if s.known(id) != nil {
			ids[id] = true
		}
	}
	return slices.Sorted(maps.Keys(ids))
}

// ask fetches what the pages lacked: masters, and the occurrences of doubtful
// series. It returns false if the calendar has to be read instead.
func (s *round) ask() (enough bool, _ error) {
	at, err := s.p.user(s.request(""))
	if err != nil {
		return false, err
	}
	var rs []*request
	var ids []string
	query := func(id, path string, q url.Values, out any) {
		q.Set("$select", fields)
		r := s.request(at + "/events/" + url.PathEscape(id) + path + "?" + q.Encode())
		r.out = out
		rs, ids = append(rs, r), append(ids, id)
	}
	for _, id := range s.touched() {
		switch {
		case s.doubtful(id):
			query(id, "/instances", url.Values{"startDateTime": {stamp(s.w.From)}, "endDateTime": {stamp(s.w.To)}, "$top": {fmt.Sprint(s.p.opts.PageSize)}}, &page{})
		case s.masters[id] == nil && slices.ContainsFunc(slices.Collect(maps.Values(s.series[id])), (*item).sparse):
			query(id, "", url.Values{}, &item{})
		}
	}
	if len(rs) == 0 {
		return true, nil
	}
	if len(rs) > maxQuestions {
		return false, nil
	}
	errs := s.p.sendAll(s.ctx, rs)
	s.pages.requests += len(rs)
	for n, r := range rs {
		id := ids[n]
		var ref *Refusal
		switch err := errs[n]; {
		case errors.As(err, &ref) && ref.Code == itemNotFound:
			// Deleted meanwhile, says Graph. The calendar shows whether that is so.
			return false, nil
		case err != nil:
			return false, err
		default:
			if m, ok := r.out.(*item); ok {
				s.masters[id] = m
			} else if err := s.instances(id, r); err != nil {
				return false, err
			}
		}
	}
	return true, nil
}

// instances reads the rest of the pages of a series' occurrences.
func (s *round) instances(id string, r *request) error {
	s.series[id] = map[string]*item{}
	own := pages{}
	defer func() { s.pages.requests += own.requests }()
	for out := r.out.(*page); ; {
		if out.Value == nil {
			return s.p.notAList(r)
		}
		for i := range out.Value {
			s.series[id][out.Value[i].ID] = &out.Value[i]
		}
		if out.Next == "" {
			return nil
		}
		r.url = out.Next
		var err error
		if out, err = s.p.page(s.ctx, r, &own); err != nil {
			return err
		}
	}
}

// sparse reports whether an occurrence has nothing but its times.
func (i *item) sparse() bool {
	return strings.EqualFold(i.Type, "occurrence") && i.Subject == "" && i.Body == nil && i.Organizer == nil && i.err == nil
}

// hydrate makes a whole event of a sparse occurrence and its master.
func hydrate(o, master *item) *item {
	e := master.Event
	e.ID, e.SeriesMasterID, e.Type, e.Start, e.End = o.ID, o.SeriesMasterID, o.Type, o.Start, o.End
	// It changes when either does.
	e.ETag = cmp.Or(o.ETag, o.ChangeKey) + cmp.Or(master.ETag, master.ChangeKey)
	return &item{Event: e, err: master.err}
}

// finish makes the Delta.
func (s *round) finish(next *state) (calendar.Delta, *state, error) {
	var found collection
	removed := map[string]bool{}
	for id := range s.removed {
		if s.known(id) == nil {
			removed[id] = true
		}
	}
	for id, i := range s.singles {
		if found.add(i, s.w); found.byID[id].ID == "" && i.err == nil {
			removed[id] = true
		}
	}
	if next.series = map[string][]string{}; s.old != nil {
		next.series = s.old.series
	}
	if touched := s.touched(); len(touched)+len(s.removed) > 0 {
		next.series = maps.Clone(next.series)
		for id, held := range next.series {
			if slices.ContainsFunc(held, func(o string) bool { return s.removed[o] }) {
				next.series[id] = slices.DeleteFunc(slices.Clone(held), func(o string) bool { return s.removed[o] })
			}
		}
		for _, id := range touched {
			s.occurrences(id, &found, removed, next.series)
		}
	}
	for _, i := range s.unnamed {
		found.add(i, s.w)
	}
	for _, bad := range found.bad {
		delete(removed, bad.ID) // what broke is not gone
	}
	events, err := found.events(s.mailbox)
	d := calendar.Delta{Full: s.old == nil, Changed: events}
	if !d.Full {
		d.Removed = slices.Sorted(maps.Keys(removed))
	}
	return d, next, err
}

// occurrences takes those of a series into what was found, and finds out which
// of those that the caller holds are gone.
func (s *round) occurrences(id string, found *collection, removed map[string]bool, series map[string][]string) {
	var held []string
	for _, o := range s.series[id] {
		if o.sparse() {
			if s.masters[id] == nil {
				continue
			}
			o = hydrate(o, s.masters[id])
		}
		bad := len(found.bad)
		found.add(o, s.w)
		if _, ok := found.byID[o.ID]; ok || len(found.bad) > bad && slices.Contains(s.known(id), o.ID) {
			held = append(held, o.ID)
		}
	}
	slices.Sort(held)
	for _, o := range s.known(id) {
		if _, still := slices.BinarySearch(held, o); !still {
			removed[o] = true
		}
	}
	if delete(series, id); len(held) > 0 {
		series[id] = held
	}
}

// expired reports whether an answer means that Graph does not continue a delta
// query: 410, or another error of the 400s that the documentation allows for it.
// What is about the mailbox is none.
func expired(err error) bool {
	var ref *Refusal
	if !errors.As(err, &ref) {
		return false
	}
	switch ref.Status {
	case http.StatusGone, http.StatusBadRequest:
		return true
	case http.StatusNotFound:
		code := strings.ToLower(ref.Code)
		return strings.Contains(code, "syncstate") || strings.Contains(code, "resync") || code == strings.ToLower(itemNotFound)
	}
	return false
}

// unwrapped returns what a calendar.Error is about.
func unwrapped(err error) error {
	var ce *calendar.Error
	if errors.As(err, &ce) {
		return ce.Err
	}
	return err
}
