package cisco

import (
	"context"
	"crypto/sha256"
	"fmt"
	"hash/maphash"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/onetouchjoin/onetouchjoin/endpoints/cisco/internal/roomos"
	"github.com/onetouchjoin/onetouchjoin/otj"
)

// listing is what a device has.
type listing struct {
	have    []held
	count   int
	total   int // what the device says; -1 if it does not
	foreign int // of another system
	ours    int
	sum     [32]byte // the same for the same bookings
	raw     [32]byte // of the bytes of the answer
}

func (l *listing) empty() bool { return l.count == 0 && l.total <= 0 }

// list reads what the device has.
func (e *Endpoint) list(ctx context.Context) (*listing, error) {
	l := &listing{}
	err := e.limited(ctx, func(ctx context.Context) error {
		c := command{name: "Bookings List", args: []argument{{"Days", "365"}, {"DayOffset", "0"}}}
		var n *roomos.Node
		var err error
		if h, ok := e.link.(*httpLink); ok {
			var data []byte
			if data, err = h.call(ctx, http.MethodPost, "/putxml", c.xml()); err != nil {
				return err
			}
			// The same answer as after the last write is not read again: it costs
			// more than all else.
			if l.raw = sha256.Sum256(data); e.known && l.raw == e.raw {
				l.sum, l.count, l.total = e.back, -1, -1
				return nil
			}
			n, err = h.result(c.name, data)
		} else {
			n, err = e.link.command(ctx, c)
		}
		if err != nil {
			return err
		}
		l.have, l.total = readList(n)
		l.count, l.sum = len(l.have), sumOf(l.have)
		for i := range l.have {
			if strings.HasPrefix(l.have[i].id, IDPrefix) {
				l.ours++
			} else {
				l.foreign++
			}
		}
		return nil
	})
	return l, err
}

// checkForeign looks for bookings of others. At first contact they are left
// alone; later, and where there are some of ours beside them from before a
// restart of this program, the device is ours, and an alarm says who else writes.
func (e *Endpoint) checkForeign(ctx context.Context, l *listing) error {
	var writer string
	switch {
	case l.foreign > 0:
		writer = e.writer(ctx)
	case e.strange(l) > 0:
		writer = "another One-Touch Join like this one"
	default:
		if time.Since(e.foreignAt) > time.Hour {
			e.alarm(AlarmForeign, "")
		}
		return nil
	}
	e.foreignAt = time.Now()
	if l.ours == 0 && !e.owned && !e.taken.Load() {
		e.alarm(AlarmForeign, "%s has %s of another system (%s); nothing was overwritten. %s", e.opts.Name, bookings(l.foreign), writer, fixForeign)
		return &fault{kind: otj.ErrForeignBookings, text: fmt.Sprintf("%s, perhaps of %s", bookings(l.foreign), writer), fix: fixForeign}
	}
	e.alarm(AlarmForeign, "Another system (%s) writes bookings to %s too: the lists overwrite each other. Stop one of them", writer, e.opts.Name)
	return nil
}

// strange counts the bookings that look like ours and were not put by this
// endpoint, once it is known what was.
func (e *Endpoint) strange(l *listing) (n int) {
	if !e.known || l.sum == e.back {
		return 0
	}
	for i := range l.have {
		if !slices.Contains(e.ids, idSum(l.have[i].id)) {
			n++
		}
	}
	return n
}

var idSeed = maphash.MakeSeed()

// idSum stands for the Id of a booking where thousands of lists are kept.
func idSum(id string) uint64 { return maphash.String(idSeed, id) }

// writer guesses who else writes bookings, from the device's configuration.
func (e *Endpoint) writer(ctx context.Context) string {
	var n *roomos.Node
	err := e.limited(ctx, func(ctx context.Context) (err error) {
		n, err = e.link.config(ctx, "Provisioning")
		return err
	})
	switch {
	case err == nil && strings.EqualFold(n.Value("Mode"), "TMS"):
		return clean("TMS at " + firstOf(n.Value("ExternalManager", "Address"), "an address not set"))
	case e.can.Load().spark:
		return "TMS, Webex Hybrid Calendar, or a program that pushes"
	}
	return "TMS, a program that pushes, or a person at the panel"
}

// bookings counts them in words.
func bookings(n int) string {
	if n == 1 {
		return "1 booking"
	}
	return fmt.Sprintf("%d bookings", n)
}

// confirm reads the list back and compares it with what was written, by Id: an
// organizer, for one, comes back in another form.
func (e *Endpoint) confirm(ctx context.Context, list []putBooking) (*listing, error) {
	l, err := e.list(ctx)
	if err != nil {
		return nil, err
	}
	if len(list) == 0 && !l.empty() {
		// Not every software takes an empty list for one.
		err := e.limited(ctx, func(ctx context.Context) error {
			_, err := e.link.command(ctx, command{name: "Bookings Clear"})
			return err
		})
		if err != nil {
			return nil, err
		}
		if l, err = e.list(ctx); err != nil {
			return nil, err
		}
		if !l.empty() {
			return nil, &fault{kind: otj.ErrRejected, text: fmt.Sprintf("%s left after the list was cleared", bookings(max(l.total, l.count))),
				fix: "Clear the bookings on the device: xCommand Bookings Clear"}
		}
		return l, nil
	}
	have := l.have
	byID := make(map[string]*held, len(have))
	for i := range have {
		byID[have[i].id] = &have[i]
	}
	now, missing, differ := time.Now(), 0, 0
	for i := range list {
		b := &list[i]
		h := byID[b.ID]
		start, _ := time.Parse(utc, b.Time.StartTime)
		switch {
		case h == nil && start.After(now):
			missing++
		case h != nil && (!h.start.Equal(start) || h.number != b.Number && b.Number != ""):
			differ++
		}
	}
	if differ > 0 || missing > 0 && l.total < len(list) && !e.clockWrong() {
		return nil, &fault{kind: otj.ErrRejected, text: fmt.Sprintf("of %s the device lacks %d and has %d otherwise", bookings(len(list)), missing, differ),
			fix: "The device accepted the list and does not have it: look at its log, and give it fewer bookings"}
	}
	return l, nil
}

func (e *Endpoint) clockWrong() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	_, ok := e.alarms[AlarmClock]
	return ok
}
