// Package rulestest runs rules over a corpus: invites, and beside each one what
// has to be found in it.
//
// A corpus is a folder of file pairs. The invite is a file in any of the forms
// that package calendar/invite reads; its expectation has the same name with
// the ending .want.json:
//
//	zoom/0001-plain.txt
//	zoom/0001-plain.want.json
//
// The expectation is a JSON array, with comments if need be, that has one entry
// for each event of the file, in order: null where there is no meeting to join,
// or an object with any of the members of [Want]. What is left out is not
// compared.
//
// [Replay] is the corpus as a Go test. [Run], [Diff] and [Update] are for
// programs.
package rulestest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/onetouchjoin/onetouchjoin/calendar"
	"github.com/onetouchjoin/onetouchjoin/calendar/invite"
	"github.com/onetouchjoin/onetouchjoin/internal/jsonc"
	"github.com/onetouchjoin/onetouchjoin/rules"
)

// Want is what has to be found in an event. An empty member is not compared.
type Want struct {
	Service   string `json:"service,omitempty"`
	URI       string `json:"uri,omitempty"`        // the join link
	Dial      string `json:"dial,omitempty"`       // the first SIP or H.323 address
	MeetingID string `json:"meeting_id,omitempty"` // without spaces
	Passcode  string `json:"passcode,omitempty"`
	Rule      string `json:"rule,omitempty"`
	Field     string `json:"field,omitempty"`
}

// wantSuffix ends the names of expectations.
const wantSuffix = ".want.json"

// maxWant is the most bytes that an expectation may have.
const maxWant = 1 << 20

// Found returns what a match is in the form of an expectation.
func Found(m rules.Match) *Want {
	w := &Want{Service: m.Service, MeetingID: m.MeetingID, Passcode: string(m.Passcode), Rule: m.Rule, Field: m.Field.String()}
	for _, a := range m.Addresses {
		switch {
		case a.Scheme == rules.HTTPS && w.URI == "":
			w.URI = a.URI
		case (a.Scheme == rules.SIP || a.Scheme == rules.SIPS || a.Scheme == rules.H323) && w.Dial == "":
			w.Dial = a.URI
		}
	}
	return w
}

// members lists names and values in the order of Want.
func (w *Want) members() [7][2]string {
	return [7][2]string{
		{"service", w.Service}, {"uri", w.URI}, {"dial", w.Dial}, {"meeting_id", w.MeetingID},
		{"passcode", w.Passcode}, {"rule", w.Rule}, {"field", w.Field},
	}
}

// File is one pair of a corpus.
type File struct {
	// Name is the invite's path in the corpus.
	Name string
	// Events are those of the invite, in order.
	Events []Event
	// Err says why the pair cannot be used: an invite that cannot be read, an
	// expectation that is missing or wrong. There are no events then.
	Err error
}

// Event is one event of a corpus with what was found and what was expected.
type Event struct {
	// Index is the event's place in its file, from 0, and Subject its subject,
	// without passcodes; "(private)" for events that are not for everybody.
	Index   int
	Subject string
	// Got is what the rules found, nil for nothing; Why then says why.
	Got *Want
	Why string
	// Want is what has to be found, nil for nothing.
	Want *Want
	// Diffs are the members that differ. It is empty where the event is right.
	Diffs []string

	event *calendar.Event
}

// OK reports whether the rules found what they have to.
func (e *Event) OK() bool { return len(e.Diffs) == 0 }

// Score counts the events of one service. An event counts for the service that
// it has, and one found wrongly for the service that was found.
type Score struct {
	Service string
	// Right are the events of this service that were found as expected. Missed
	// are those in which nothing, or something else, was found. False are
	// events in which this service was found and something else, or nothing, is
	// there.
	Right, Missed, False int
}

// Recall is the part of the service's events that were found, from 0 to 1. It
// is 1 where there are none.
func (s Score) Recall() float64 { return part(s.Right, s.Right+s.Missed) }

// Precision is the part of what was found that is right, from 0 to 1. It is 1
// where nothing was found.
func (s Score) Precision() float64 { return part(s.Right, s.Right+s.False) }

func part(n, of int) float64 {
	if of == 0 {
		return 1
	}
	return float64(n) / float64(of)
}

// Report is what came of a run.
type Report struct {
	Files []File
	// Scores has one entry a service, in alphabetical order, and Total the sum.
	// The events without a meeting are in none of them, but for those in which
	// something was found.
	Scores []Score
	Total  Score
	// None is how many events have no meeting, and NoneRight in how many of
	// these none was found.
	None, NoneRight int
}

// OK reports whether every event is right and every file could be used.
func (r *Report) OK() bool {
	for i := range r.Files {
		f := &r.Files[i]
		if f.Err != nil || slices.ContainsFunc(f.Events, func(e Event) bool { return !e.OK() }) {
			return false
		}
	}
	return true
}

// Run runs rules over a corpus. An error in one file is in its File; the error
// that is returned is for a corpus that cannot be read at all, or is empty.
func Run(corpus fs.FS, e *rules.Engine) (*Report, error) {
	names, err := invites(corpus)
	if err != nil {
		return nil, err
	}
	r := &Report{}
	for _, name := range names {
		r.Files = append(r.Files, runFile(corpus, name, e))
	}
	r.score()
	return r, nil
}

// invites lists the invites of a corpus: every file that has an expectation,
// and every file without one that looks like an invite, so that a forgotten
// expectation is no silent gap.
func invites(corpus fs.FS) ([]string, error) {
	wants := map[string]bool{}
	var files []string
	err := fs.WalkDir(corpus, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir():
			if strings.HasPrefix(d.Name(), ".") && name != "." {
				return fs.SkipDir
			}
		case strings.HasSuffix(name, wantSuffix):
			wants[strings.TrimSuffix(name, wantSuffix)] = true
		case slices.Contains([]string{".ics", ".eml", ".html", ".htm", ".txt", ".json"}, strings.ToLower(path.Ext(name))):
			files = append(files, name)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("corpus: %w", err)
	}
	if len(wants) == 0 {
		return nil, fmt.Errorf("no expectation in the corpus: beside each invite x.ics there has to be x%s", wantSuffix)
	}
	for _, f := range files {
		delete(wants, stem(f))
	}
	for w := range wants { // expectations without an invite
		files = append(files, w+wantSuffix)
	}
	slices.Sort(files)
	return files, nil
}

func stem(name string) string { return strings.TrimSuffix(name, path.Ext(name)) }

func runFile(corpus fs.FS, name string, e *rules.Engine) File {
	f := File{Name: name}
	if strings.HasSuffix(name, wantSuffix) {
		f.Err = fmt.Errorf("%s: there is no invite beside it", name)
		return f
	}
	events, err := read(corpus, name)
	if err != nil {
		f.Err = err
		return f
	}
	wants, err := readWant(corpus, stem(name)+wantSuffix)
	if err != nil {
		f.Err = err
		return f
	}
	if len(wants) != len(events) {
		f.Err = fmt.Errorf("%s: %d entries for %d events in %s", stem(name)+wantSuffix, len(wants), len(events), name)
		return f
	}
	for i := range events {
		ev := Event{Index: i, Want: wants[i], event: &events[i]}
		ev.Got, ev.Why = find(e, ev.event)
		ev.Subject = subject(ev.event, ev.Got, ev.Want)
		ev.Diffs = diffs(ev.Got, ev.Want)
		f.Events = append(f.Events, ev)
	}
	return f
}

func find(e *rules.Engine, ev *calendar.Event) (*Want, string) {
	m, ok := e.Find(ev)
	if !ok {
		return nil, e.Why(ev)
	}
	return Found(m), ""
}

// read reads the events of an invite.
func read(corpus fs.FS, name string) ([]calendar.Event, error) {
	in, err := corpus.Open(name)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	items, err := invite.Read(name, in, nil)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	var out []calendar.Event
	for i := range items {
		if items[i].Err != nil {
			return nil, fmt.Errorf("%s: event %d: %w", name, i+1, items[i].Err)
		}
		out = append(out, items[i].Event)
	}
	return out, nil
}

func readWant(corpus fs.FS, name string) ([]*Want, error) {
	info, err := fs.Stat(corpus, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s is missing: write what has to be found, or [null] for nothing", name)
	}
	if err != nil {
		return nil, err
	}
	if info.Size() > maxWant {
		return nil, fmt.Errorf("%s has %d bytes; at most %d are read", name, info.Size(), maxWant)
	}
	data, err := fs.ReadFile(corpus, name)
	if err != nil {
		return nil, err
	}
	var out []*Want
	if err := jsonc.Unmarshal(name, data, &out); err != nil {
		return nil, err
	}
	return out, nil
}

// diffs says how what was found differs from what has to be found.
func diffs(got, want *Want) []string {
	switch {
	case got == nil && want == nil:
		return nil
	case got == nil:
		return []string{"nothing was found"}
	case want == nil:
		return []string{fmt.Sprintf("found %s by rule %s in %s, and there is nothing to join", got.Service, got.Rule, got.Field)}
	}
	var out []string
	shown := shownOf(got, want)
	g := got.members()
	for i, w := range want.members() {
		if w[1] != "" && w[1] != g[i][1] {
			is, wanted := shown(w[0], g[i][1]), shown(w[0], w[1])
			switch {
			case w[0] == "passcode" && is != "":
				out = append(out, "passcode is another one")
			case is == wanted:
				out = append(out, fmt.Sprintf("%s is %q, with another passcode", w[0], is))
			default:
				out = append(out, fmt.Sprintf("%s is %q, want %q", w[0], is, wanted))
			}
		}
	}
	return out
}

// subject is what a report calls an event: reports are read by more people than
// the corpus.
func subject(ev *calendar.Event, found ...*Want) string {
	if ev.Sensitivity != calendar.Normal {
		return "(private)"
	}
	return hide(found...).Replace(ev.Subject)
}

// hide takes the passcodes of expectations out of a text, wherever a rule has
// put them.
func hide(all ...*Want) *strings.Replacer {
	var pairs []string
	for _, w := range all {
		if w != nil && len(w.Passcode) >= 3 {
			pairs = append(pairs, string(w.Passcode), calendar.Secret(w.Passcode).String())
		}
	}
	return strings.NewReplacer(pairs...)
}

// shownOf returns what shows the value of a member of two answers in a report.
func shownOf(a, b *Want) func(member, value string) string {
	hidden := hide(a, b)
	return func(member, value string) string { return hidden.Replace(redacted(member, value)) }
}

// redacted hides passcodes, which may be a customer's: also those in addresses.
func redacted(member, value string) string {
	switch member {
	case "passcode":
		return calendar.Secret(value).String()
	case "uri", "dial":
		if a := rules.ParseAddress(value); !a.IsZero() {
			return a.String()
		}
		// An expectation that somebody wrote without the scheme.
		return strings.TrimPrefix(rules.Address{Scheme: rules.SIP, URI: "sip:" + value}.String(), "sip:")
	}
	return value
}

func (r *Report) score() {
	by := map[string]*Score{}
	of := func(service string) *Score {
		if service == "" {
			service = "unnamed"
		}
		if by[service] == nil {
			by[service] = &Score{Service: service}
		}
		return by[service]
	}
	for i := range r.Files {
		for j := range r.Files[i].Events {
			e := &r.Files[i].Events[j]
			switch {
			case e.Want == nil:
				r.None++
				if e.Got == nil {
					r.NoneRight++
				} else {
					of(e.Got.Service).False++
				}
			case e.OK():
				of(e.Want.Service).Right++
			default:
				of(e.Want.Service).Missed++
				if e.Got != nil {
					of(e.Got.Service).False++
				}
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(by)) {
		s := by[name]
		r.Scores = append(r.Scores, *s)
		r.Total.Right += s.Right
		r.Total.Missed += s.Missed
		r.Total.False += s.False
	}
	r.Total.Service = "all"
}

// Change is an event for which two rule sets give different answers.
type Change struct {
	File    string
	Index   int
	Subject string // as that of Event
	// Old and New are the two answers; nil is none.
	Old, New *Want
	// What lists the members that change.
	What []string
}

// Diff lists the events of a corpus for which two rule sets give different
// answers, in order. Expectations are not looked at, and need not be there. The
// files that cannot be read are joined in the error, beside the changes in the
// others.
func Diff(corpus fs.FS, before, after *rules.Engine) ([]Change, error) {
	names, err := readable(corpus)
	if err != nil {
		return nil, err
	}
	var out []Change
	var errs []error
	for _, name := range names {
		events, err := read(corpus, name)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		for i := range events {
			a, _ := find(before, &events[i])
			b, _ := find(after, &events[i])
			if what := changes(a, b); len(what) > 0 {
				out = append(out, Change{name, i, subject(&events[i], a, b), a, b, what})
			}
		}
	}
	return out, errors.Join(errs...)
}

// readable lists the invites of a folder, with an expectation or without.
func readable(corpus fs.FS) ([]string, error) {
	names, err := invites(corpus)
	if err != nil && len(names) == 0 {
		err = fs.WalkDir(corpus, ".", func(name string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() && !strings.HasPrefix(d.Name(), ".") {
				names = append(names, name)
			}
			return err
		})
	}
	names = slices.DeleteFunc(names, func(n string) bool { return strings.HasSuffix(n, wantSuffix) })
	return names, err
}

func changes(a, b *Want) []string {
	switch {
	case a == nil && b == nil:
		return nil
	case a == nil:
		return []string{fmt.Sprintf("%s is found by rule %s in %s, where nothing was found before", b.Service, b.Rule, b.Field)}
	case b == nil:
		return []string{fmt.Sprintf("nothing is found any more; before it was %s by rule %s in %s", a.Service, a.Rule, a.Field)}
	}
	var out []string
	shown := shownOf(a, b)
	old := a.members()
	for i, m := range b.members() {
		if m[1] != old[i][1] {
			was, is := shown(m[0], old[i][1]), shown(m[0], m[1])
			switch {
			case was != is:
				out = append(out, fmt.Sprintf("%s: %q becomes %q", m[0], was, is))
			case m[0] == "passcode":
				out = append(out, "passcode: becomes another one")
			default:
				out = append(out, fmt.Sprintf("%s: %q gets another passcode", m[0], is))
			}
		}
	}
	return out
}

// Update returns the expectations that make a run right, by their names in the
// corpus: those of the files in which something differs, and of those that have
// none. An entry that is right stays as it is; one that is wrong keeps the
// members that it compares, with what was found. The caller writes them, and
// somebody should read them first.
func Update(corpus fs.FS, e *rules.Engine) (map[string][]byte, error) {
	names, err := readable(corpus)
	if err != nil {
		return nil, err
	}
	out := map[string][]byte{}
	for _, name := range names {
		events, err := read(corpus, name)
		if err != nil {
			continue // as Run reports it
		}
		file := stem(name) + wantSuffix
		old, err := readWant(corpus, file)
		if err != nil || len(old) != len(events) {
			old = nil
		}
		wants, same := make([]*Want, len(events)), old != nil
		for i := range events {
			got, _ := find(e, &events[i])
			if old == nil {
				wants[i] = got
				continue
			}
			if wants[i] = old[i]; len(diffs(got, old[i])) > 0 {
				wants[i], same = merged(got, old[i]), false
			}
		}
		if !same {
			out[file] = format(wants)
		}
	}
	return out, nil
}

// merged returns what was found, with the members that the old entry compares.
func merged(got, old *Want) *Want {
	if got == nil || old == nil {
		return got
	}
	out, compared := *got, old.members()
	for i, p := range []*string{&out.Service, &out.URI, &out.Dial, &out.MeetingID, &out.Passcode, &out.Rule, &out.Field} {
		if compared[i][1] == "" {
			*p = ""
		}
	}
	return &out
}

// format writes expectations, an entry a line.
func format(wants []*Want) []byte {
	var b bytes.Buffer
	b.WriteString("[\n")
	for i, w := range wants {
		b.WriteString("  ")
		var line bytes.Buffer
		enc := json.NewEncoder(&line)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(w); err != nil {
			panic(err) // strings only
		}
		b.Write(bytes.TrimSpace(line.Bytes()))
		if i < len(wants)-1 {
			b.WriteByte(',')
		}
		b.WriteByte('\n')
	}
	b.WriteString("]\n")
	return b.Bytes()
}
