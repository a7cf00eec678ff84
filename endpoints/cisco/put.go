package cisco

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"github.com/onetouchjoin/onetouchjoin/otj"
)

// put writes the list. A device that refuses one way is tried the other way,
// once for a software version.
func (e *Endpoint) put(ctx context.Context, list []putBooking, body string) error {
	err := e.putBy(ctx, e.push, list, body)
	var refused *CommandError
	var status *statusError
	other := PushLegacy
	tryOther := false
	switch {
	case err == nil:
		e.alarm(AlarmTeams, "")
		return nil
	case errors.As(err, &refused) && refused.inTeams():
		e.alarm(AlarmTeams, "%s refuses bookings in Microsoft Teams Rooms mode. Take the room out of One-Touch Join, or the device out of that mode", e.opts.Name)
	case errors.As(err, &refused):
		tryOther = e.push == PushBookings && refused.Status != "ParameterError" && errors.Is(err, otj.ErrRejected)
	case errors.As(err, &status):
		other, tryOther = PushBookings, e.push == PushLegacy && (status.code == 404 || status.code == 400 || status.code == 405)
	}
	if !tryOther || e.opts.Push != PushAuto || e.otherWay == e.pushFor {
		return err
	}
	if oerr := e.putBy(ctx, other, list, body); oerr != nil {
		if errors.Is(oerr, otj.ErrRejected) || errors.Is(oerr, otj.ErrNotDevice) || errors.Is(oerr, errNoLegacy) {
			e.otherWay = e.pushFor // that is its answer to both
		}
		return err // the first refusal says more
	}
	e.opts.Logger.Info("cisco device takes bookings another way than expected", "device", e.opts.Name, "way", string(other), "version", e.pushFor)
	e.push = other
	can := *e.can.Load()
	can.legacy = other == PushLegacy
	e.adopt(&can)
	return nil
}

// halves reports whether a device may take a part of a list that it has refused.
func halves(err error) bool {
	var refused *CommandError
	return errors.Is(err, otj.ErrRejected) && !(errors.As(err, &refused) && refused.inTeams())
}

func (e *Endpoint) putBy(ctx context.Context, way Push, list []putBooking, body string) error {
	return e.limited(ctx, func(ctx context.Context) error {
		if way == PushLegacy {
			plain := slices.Clone(list)
			for i := range plain {
				if plain[i].Protocol == "WebRTC" || plain[i].Protocol == "None" {
					plain[i].Number = ""
				}
			}
			return e.link.putLegacy(ctx, legacyTree(plain, ` item="1" status="OK"`))
		}
		_, err := e.link.command(ctx, command{name: "Bookings Put", body: body})
		return err
	})
}

// redact takes what bookings say out of a text of the device, also where clean
// has cut it off.
func redact(text string, list []putBooking) string {
	var said []string
	for i := range list {
		for _, s := range []string{list[i].Number, list[i].Title, list[i].Organizer.Name, list[i].Organizer.Email} {
			if len(s) >= minRedacted {
				quoted, _ := json.Marshal(s) // a device may repeat the body that it got
				said = append(said, clean(s), string(quoted[1:len(quoted)-1]))
			}
		}
	}
	// The longest first: it may contain another.
	slices.SortFunc(said, func(a, b string) int { return cmp.Compare(len(b), len(a)) })
	start, cut := strings.CutSuffix(text, "…")
	if cut {
		start = redactEnd(start, said)
	}
	for _, s := range slices.Compact(said) {
		start = strings.ReplaceAll(start, s, redacted)
	}
	if cut {
		return start + "…"
	}
	return start
}

// redactEnd takes off the end of a text what may be the beginning of one of said.
func redactEnd(text string, said []string) string {
	for _, s := range said {
		for n := len(s) - 1; n >= minRedacted; n-- {
			if rest, ok := strings.CutSuffix(text, s[:n]); ok {
				return rest + redacted
			}
		}
	}
	return text
}

// Shorter texts are in too many others.
const (
	minRedacted = 4
	redacted    = "[redacted]"
)

// masked takes out of an error what the device repeats of the bookings: titles,
// and numbers with their passcodes.
func (e *Endpoint) masked(err error, list []putBooking) error {
	var f *fault
	if !errors.As(err, &f) {
		return err
	}
	m := *f
	m.text = redact(m.text, list)
	if m.text != f.text {
		m.cause = nil // it has the words too
	}
	return &m
}
