package endpointtest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/onetouchjoin/onetouchjoin/otj"
	"github.com/onetouchjoin/onetouchjoin/rules"
)

// The rules, as the documentation of the interfaces has them. A test compares
// them with it.
const (
	ruleDials      = "answers Dials at once, without any I/O, from what it knows of the device"
	ruleComplete   = "makes the meetings of Show the complete set that the device has: what is not among them is gone, and an empty set clears it"
	ruleIdempotent = "shows the same after two equal calls of Show as after one"
	ruleAsTheyAre  = "shows the meetings as they are, each with its ID, and chooses, hides and changes nothing: where a device can hold fewer, the nearest ones stay and an [Alarm] says so"
	ruleNoButton   = "gives a meeting without a Join address no button"
	ruleAtomic     = "leaves the device with the old set or the new one after an error, or with what the next Show repairs"
	ruleErrors     = "returns an [*EndpointError] that wraps one of the sentinel errors where one fits"
	ruleErrorText  = "puts no title and no address of a meeting into an error, which ends in logs"
	ruleContext    = "returns soon after ctx is done, with an error that wraps ctx.Err()"
	ruleSlice      = "keeps no reference to the slice after it returns"
	ruleConcurrent = "is safe for concurrent use, though a [Service] calls Show of one endpoint from one goroutine at a time"

	ruleWake   = "calls wake when Show should be called again although the meetings are the same: the device has restarted, has lost or changed its meetings, or can now dial something else"
	ruleBlocks = "blocks until ctx is done, reconnects by itself, and has stopped every goroutine that it started when it returns"

	ruleAlarms = "returns the conditions that hold now, without any I/O"
)

var cases = []testCase{
	{"dials", "an endpoint", ruleDials, dials},
	{"dials-unplugged", "an endpoint", ruleDials, dialsUnplugged},
	{"complete-set", "an endpoint", ruleComplete, completeSet},
	{"empty-clears", "an endpoint", ruleComplete, emptyClears},
	{"idempotent", "an endpoint", ruleIdempotent, idempotent},
	{"as-they-are", "an endpoint", ruleAsTheyAre, asTheyAre},
	{"passcodes", "an endpoint", ruleAsTheyAre, passcodes},
	{"small-changes", "an endpoint", ruleAsTheyAre, smallChanges},
	{"capacity", "an endpoint", ruleAsTheyAre, capacity},
	{"no-button", "an endpoint", ruleNoButton, noButton},
	{"error-repairs", "an endpoint", ruleAtomic, errorRepairs},
	{"lost-set", "an endpoint", ruleAtomic, lostSet},
	{"error-unreachable", "an endpoint", ruleErrors, unreachable},
	{"error-unauthorized", "an endpoint", ruleErrors, errorKind(otj.ErrUnauthorized)},
	{"error-certificate", "an endpoint", ruleErrors, errorKind(otj.ErrCertificate)},
	{"error-busy", "an endpoint", ruleErrors, errorKind(otj.ErrBusy)},
	{"error-rejected", "an endpoint", ruleErrors, errorKind(otj.ErrRejected)},
	{"error-not-device", "an endpoint", ruleErrors, errorKind(otj.ErrNotDevice)},
	{"error-foreign-bookings", "an endpoint", ruleErrors, errorKind(otj.ErrForeignBookings)},
	{"error-text", "an endpoint", ruleErrorText, errorText},
	{"context-done", "an endpoint", ruleContext, contextDone},
	{"context-stalled", "an endpoint", ruleContext, contextStalled},
	{"slice", "an endpoint", ruleSlice, slice},
	{"concurrent", "an endpoint", ruleConcurrent, concurrent},

	{"watch-reset", "a watcher", ruleWake, watchEvent("Reset", func(h *Harness) func() { return h.Reset })},
	{"watch-tamper", "a watcher", ruleWake, watchEvent("Tamper", func(h *Harness) func() { return h.Tamper })},
	{"watch-learn", "a watcher", ruleWake, watchEvent("Learn", func(h *Harness) func() { return h.Learn })},
	{"watch-reconnect", "a watcher", ruleBlocks, watchReconnect},
	{"watch-stop", "a watcher", ruleBlocks, watchStop},

	{"alarms", "an alarmer", ruleAlarms, alarms},
}

func dials(ctx context.Context, h *Harness) error {
	// Some endpoints know what their device can dial once they have met it.
	if err := h.show(ctx, nil); err != nil {
		return err
	}
	before := h.requests()
	for _, a := range h.Dialable {
		if !h.Endpoint.Dials(a) {
			return fmt.Errorf("Dials says no to the dialable %s %q", a.Scheme, a.URI)
		}
	}
	for _, a := range append(slices.Clone(h.Undialable), rules.Address{}) {
		if h.Endpoint.Dials(a) {
			return fmt.Errorf("Dials says yes to the undialable %s %q", a.Scheme, a.URI)
		}
	}
	if n := h.requests() - before; n != 0 {
		return fmt.Errorf("Dials caused %d requests to the device", n)
	}
	return nil
}

func dialsUnplugged(ctx context.Context, h *Harness) error {
	if h.Unplug == nil && h.Stall == nil {
		return skip("needs Harness.Unplug or Stall")
	}
	if err := h.show(ctx, nil); err != nil {
		return err
	}
	for _, fault := range []func(){h.Unplug, h.Stall} {
		if fault == nil {
			continue
		}
		fault()
		done := make(chan error, 1)
		go func() {
			for _, a := range h.Dialable {
				if !h.Endpoint.Dials(a) {
					done <- fmt.Errorf("Dials says no to %s %q while the device cannot be asked", a.Scheme, a.URI)
					return
				}
			}
			done <- nil
		}()
		select {
		case err := <-done:
			if err != nil {
				return err
			}
		case <-time.After(h.patience()):
			h.Plug()
			return errors.New("Dials does not return while the device does not answer")
		}
		h.Plug()
	}
	return nil
}

func completeSet(ctx context.Context, h *Harness) error {
	first, second := meetings(h, 1, 3), meetings(h, 2, 3)
	if err := h.showAndSee(ctx, first); err != nil {
		return fmt.Errorf("first set: %w", err)
	}
	if err := h.showAndSee(ctx, second); err != nil {
		return fmt.Errorf("second set, nothing in common with the first: %w", err)
	}
	mixed := []otj.Meeting{second[0], first[1], second[2]}
	if err := h.showAndSee(ctx, mixed); err != nil {
		return fmt.Errorf("third set, partly that of before: %w", err)
	}
	if err := h.showAndSee(ctx, mixed[1:2]); err != nil {
		return fmt.Errorf("fourth set, one meeting left: %w", err)
	}
	return nil
}

func emptyClears(ctx context.Context, h *Harness) error {
	for _, empty := range [][]otj.Meeting{nil, {}} {
		if err := h.showAndSee(ctx, meetings(h, 1, 2)); err != nil {
			return err
		}
		if err := h.showAndSee(ctx, empty); err != nil {
			return fmt.Errorf("empty set: %w", err)
		}
	}
	return nil
}

func idempotent(ctx context.Context, h *Harness) error {
	set := meetings(h, 1, 3)
	for i := range 3 {
		if err := h.showAndSee(ctx, set); err != nil {
			return fmt.Errorf("call %d: %w", i+1, err)
		}
	}
	return nil
}

// asTheyAre shows what adapters get wrong: characters that a format reserves,
// long texts, identifiers of every form, equal meetings, odd times.
func asTheyAre(ctx context.Context, h *Harness) error {
	set := meetings(h, 1, 12)
	set[0].Title = `Q&A <b>"today"</b> it's 5 > 4 ]]> {{subject}} %s \n $(id)`
	set[1].Title = "予算会議 – Größe, Ελλάδα, עברית, 🎉"
	set[2].Title = strings.Repeat("long title ", 22) + "..."
	set[2].Organizer.Name = strings.Repeat("Name ", 24) + "Last"
	set[3].Title = ""
	set[4].Organizer.Name = ""
	set[5].Organizer.Email = ""
	set[6].Organizer.Name, set[6].Organizer.Email = "", ""
	set[7].ID = strings.Repeat("aZ09-_xy", 8)
	set[8].ID = "7"
	set[9].Private = true
	set[10].StartBuffer, set[10].EndBuffer = 0, 180*time.Minute
	set[10].Organizer.Name = "O'Brien <Zoë> & \"Co\""
	// The last two are the same but for the ID, at the same time; and not on a
	// full minute.
	set[10].Start, set[10].End = set[10].Start.Add(7*time.Second), set[10].End.Add(30*time.Minute+42*time.Second)
	id := set[11].ID
	set[11] = set[10]
	set[11].ID = id
	for i := range set {
		if h.Capacity > 0 && h.Capacity < len(set) {
			// Too small for all of them at once.
			if err := h.showAndSee(ctx, set[i:i+1]); err != nil {
				return fmt.Errorf("meeting %d of the set: %w", i, err)
			}
		}
	}
	if h.Capacity > 0 && h.Capacity < len(set) {
		return nil
	}
	return h.showAndSee(ctx, set)
}

// secret is the passcode of the addresses that withPasscode makes.
const secret = "482913"

// withPasscode returns the dialable addresses that have a passcode, and those that
// get one here and can still be dialled.
func (h *Harness) withPasscode() []rules.Address {
	var out []rules.Address
	for _, a := range h.Dialable {
		if a.String() == a.URI {
			switch a.Scheme {
			case rules.SIP, rules.SIPS:
				a.URI = strings.Replace(a.URI, "@", "."+secret+"@", 1)
			case rules.H323:
				if strings.Contains(a.URI, "##") {
					a.URI += "#" + secret
				}
			}
		}
		if a.String() != a.URI && h.Endpoint.Dials(a) {
			out = append(out, a)
		}
	}
	return out
}

// passcodes shows addresses that hide a part of themselves when they are printed.
func passcodes(ctx context.Context, h *Harness) error {
	// Some endpoints know what their device can dial once they have met it.
	if err := h.show(ctx, nil); err != nil {
		return err
	}
	with := h.withPasscode()
	if len(with) == 0 {
		return skip("Harness.Dialable has no address with a passcode, and the endpoint dials none")
	}
	for _, a := range with {
		set := meetings(h, 1, 1)
		set[0].Join = a
		if err := h.showAndSee(ctx, set); err != nil {
			return fmt.Errorf("an address with a passcode; the device has to get Join.URI, since an Address itself hides it in texts and JSON: %w", err)
		}
	}
	return nil
}

// smallChanges changes one field at a time: an endpoint that compares what it
// sent before must see each.
func smallChanges(ctx context.Context, h *Harness) error {
	set := meetings(h, 1, 2)
	if err := h.showAndSee(ctx, set); err != nil {
		return err
	}
	for _, change := range []struct {
		what string
		do   func(m *otj.Meeting)
	}{
		{"title", func(m *otj.Meeting) { m.Title = "Other title" }},
		{"organizer's name", func(m *otj.Meeting) { m.Organizer.Name = "Bob Example" }},
		{"organizer's address", func(m *otj.Meeting) { m.Organizer.Email = "bob@example.com" }},
		{"end", func(m *otj.Meeting) { m.End = m.End.Add(time.Minute) }},
		{"start", func(m *otj.Meeting) { m.Start = m.Start.Add(time.Minute) }},
		{"start buffer", func(m *otj.Meeting) { m.StartBuffer = 10 * time.Minute }},
		{"end buffer", func(m *otj.Meeting) { m.EndBuffer = 3 * time.Minute }},
		{"address", func(m *otj.Meeting) { m.Join = h.Dialable[0] }},
		{"privacy", func(m *otj.Meeting) { m.Private = true }},
		{"address to none", func(m *otj.Meeting) { m.Join = rules.Address{} }},
		{"address from none", func(m *otj.Meeting) { m.Join = h.Dialable[1] }},
		{"ID", func(m *otj.Meeting) { m.ID = "other" }},
	} {
		set = slices.Clone(set)
		change.do(&set[1])
		if err := h.showAndSee(ctx, set); err != nil {
			return fmt.Errorf("change of the %s: %w", change.what, err)
		}
	}
	return nil
}

func capacity(ctx context.Context, h *Harness) error {
	if h.Capacity == 0 {
		return skip("Harness.Capacity is 0: the device holds all")
	}
	set := meetings(h, 1, h.Capacity+2)
	if err := h.show(ctx, set); err != nil {
		return err
	}
	if err := h.shows(ctx, set[:h.Capacity]); err != nil {
		return fmt.Errorf("%d meetings on a device for %d: %w", len(set), h.Capacity, err)
	}
	a, ok := h.Endpoint.(otj.Alarmer)
	if !ok {
		return fmt.Errorf("the device holds %d meetings of %d, and the endpoint has no Alarms to say so", h.Capacity, len(set))
	}
	raised := a.Alarms()
	if len(raised) == 0 {
		return fmt.Errorf("the device holds %d meetings of %d, and no alarm says so", h.Capacity, len(set))
	}
	if err := h.showAndSee(ctx, set[:h.Capacity]); err != nil {
		return err
	}
	if still := a.Alarms(); len(still) >= len(raised) {
		return fmt.Errorf("all meetings fit again, and there are still %d alarms", len(still))
	}
	return nil
}

func noButton(ctx context.Context, h *Harness) error {
	set := meetings(h, 1, 3)
	set[1].Join = rules.Address{}
	set[1].Service, set[1].Rule = "", ""
	set[2].Join = rules.Address{} // found, but the device cannot dial it
	set[2].Service = "zoom"
	if err := h.show(ctx, set); err != nil {
		return err
	}
	got, err := h.shown(ctx)
	if err != nil {
		return err
	}
	for _, m := range got {
		if m.ID != set[0].ID && !m.Join.IsZero() {
			return fmt.Errorf("meeting %s has the button %s %q", m.ID, m.Join.Scheme, m.Join.URI)
		}
	}
	if d := h.diff(set, got); d != "" {
		return fmt.Errorf("the device does not show what it should (- missing, + too much):\n%s", d)
	}
	return nil
}

func errorRepairs(ctx context.Context, h *Harness) error {
	if h.Unplug == nil {
		return skip("needs Harness.Unplug and Plug")
	}
	before, after := meetings(h, 1, 3), meetings(h, 2, 3)
	fail := func(set []otj.Meeting) error {
		h.Unplug()
		defer h.Plug()
		fctx, cancel := context.WithTimeout(ctx, h.patience())
		defer cancel()
		if h.Endpoint.Show(fctx, set) == nil {
			return errors.New("Show returned no error while the device was unreachable")
		}
		return nil
	}
	if err := h.showAndSee(ctx, before); err != nil {
		return err
	}
	// An endpoint that remembers the failed set as shown leaves it out now.
	if err := fail(after); err != nil {
		return err
	}
	if err := h.showAndSee(ctx, after); err != nil {
		return fmt.Errorf("the same set after a failed Show of it: %w", err)
	}
	// One that thinks that nothing has changed since would leave the device
	// with what the failed call may have put there.
	if err := fail(before); err != nil {
		return err
	}
	if err := h.showAndSee(ctx, after); err != nil {
		return fmt.Errorf("the set of before after a failed Show of another: %w", err)
	}
	return nil
}

// lostSet checks the repair after a restart that no error told of.
func lostSet(ctx context.Context, h *Harness) error {
	if h.Reset == nil {
		return skip("needs Harness.Reset")
	}
	set := meetings(h, 1, 3)
	if err := h.showAndSee(ctx, set); err != nil {
		return err
	}
	h.Reset()
	if err := h.showAndSee(ctx, set); err != nil {
		return fmt.Errorf("Show of the same set after the device has restarted: %w", err)
	}
	return nil
}

func slice(ctx context.Context, h *Harness) error {
	set := meetings(h, 1, 3)
	given := slices.Clone(set)
	if err := h.show(ctx, given); err != nil {
		return err
	}
	if !slices.Equal(given, set) {
		return errors.New("Show changed the slice that it was given")
	}
	for i := range given {
		given[i] = otj.Meeting{ID: "overwritten", Title: "Overwritten", Start: set[i].Start, End: set[i].End}
	}
	if err := h.shows(ctx, set); err != nil {
		return fmt.Errorf("after the caller has used the slice for something else: %w", err)
	}
	if err := h.showAndSee(ctx, given[:1]); err != nil {
		return fmt.Errorf("same slice, other meetings: %w", err)
	}
	return nil
}

func concurrent(ctx context.Context, h *Harness) error {
	const callers, calls = 4, 3
	var wg sync.WaitGroup
	errs := make([]error, callers)
	for i := range callers {
		wg.Go(func() {
			for range calls {
				if err := h.Endpoint.Show(ctx, meetings(h, i, 2)); err != nil && !errors.Is(err, otj.ErrBusy) {
					errs[i] = err
				}
				h.Endpoint.Dials(h.Dialable[0])
				if a, ok := h.Endpoint.(otj.Alarmer); ok {
					a.Alarms()
				}
			}
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("Show from several goroutines: %w", err)
	}
	got, err := h.shown(ctx)
	if err != nil {
		return err
	}
	one := false
	for i := range callers {
		one = one || h.diff(meetings(h, i, 2), got) == ""
	}
	if !one {
		return fmt.Errorf("the device shows a mixture of what several calls of Show gave it:\n\t%s", strings.Join(h.lines(got), "\n\t"))
	}
	if err := h.showAndSee(ctx, meetings(h, callers, 2)); err != nil {
		return fmt.Errorf("one call after several at once: %w", err)
	}
	return nil
}

func alarms(ctx context.Context, h *Harness) error {
	a, ok := h.Endpoint.(otj.Alarmer)
	if !ok {
		return skip("the endpoint is no Alarmer")
	}
	if err := h.show(ctx, meetings(h, 1, 2)); err != nil {
		return err
	}
	if h.Capacity > 0 {
		if err := h.show(ctx, meetings(h, 1, h.Capacity+1)); err != nil {
			return err
		}
	}
	if h.Stall != nil {
		h.Stall()
		defer h.Plug()
	}
	before := h.requests()
	done := make(chan []otj.Alarm, 1)
	go func() { done <- a.Alarms() }()
	var got []otj.Alarm
	select {
	case got = <-done:
	case <-time.After(h.patience()):
		return errors.New("Alarms does not return while the device does not answer")
	}
	if n := h.requests() - before; n != 0 {
		return fmt.Errorf("Alarms caused %d requests to the device", n)
	}
	for _, al := range got {
		switch {
		case al.Code == "" || strings.ContainsFunc(al.Code, func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' }):
			return fmt.Errorf("alarm %q has no Code of the form %q", al.Code, "foreign-bookings")
		case al.Text == "":
			return fmt.Errorf("alarm %s has no Text", al.Code)
		case al.Since.IsZero() || al.Since.Location() != time.UTC:
			return fmt.Errorf("alarm %s has no Since in UTC: %v", al.Code, al.Since)
		}
	}
	return nil
}

func (h *Harness) requests() int {
	if h.Requests == nil {
		return 0
	}
	return h.Requests()
}
