package otj

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Status is what a Service is doing. It holds no secret: the encodings of
// addresses hide passcodes.
type Status struct {
	// Rooms are by name, those that were removed and are not yet cleared last.
	Rooms []RoomStatus `json:"rooms"`
}

// RoomStatus is the state of one room. Times are in UTC; a zero time means
// never.
type RoomStatus struct {
	Name   string `json:"name"`
	Device string `json:"device,omitempty"`
	// Removed says that the room was removed and its device is not cleared yet.
	Removed bool `json:"removed,omitempty"`

	Sources []SourceStatus `json:"sources"`

	// Planned is when Meetings, NoButton and Skipped were made.
	Planned  time.Time `json:"planned,omitzero"`
	Meetings []Meeting `json:"meetings"`
	NoButton []Note    `json:"no_button"`
	Skipped  []Note    `json:"skipped"`

	// Shown is when Show last succeeded, Changed when it last did with other
	// meetings than before, UpToDate whether that was with Meetings, and NextTry
	// when Show is called again after a failure. A device that fetches its meetings
	// has them from its next call on, and not before.
	Shown    time.Time `json:"shown,omitzero"`
	Changed  time.Time `json:"changed,omitzero"`
	UpToDate bool      `json:"up_to_date"`
	NextTry  time.Time `json:"next_try,omitzero"`
	// LastCall is when a device that fetches its meetings last did, and Awaited says
	// that it has not since the endpoint was made: nobody knows what it shows.
	LastCall time.Time `json:"last_call,omitzero"`
	Awaited  bool      `json:"awaited,omitempty"`
	// Error is that of the last Show, empty if it succeeded.
	Error string `json:"error,omitempty"`

	// Alarms are those of the service and of the endpoint, by code.
	Alarms []Alarm `json:"alarms"`
}

// SourceStatus is the state of one calendar.
type SourceStatus struct {
	Mailbox string `json:"mailbox"`
	// LastRead is when the calendar was last read, NextRead when it will be.
	LastRead time.Time `json:"last_read,omitzero"`
	NextRead time.Time `json:"next_read,omitzero"`
	// Events is how many events were read.
	Events int `json:"events"`
	// Notified says that the provider tells of changes by itself.
	Notified bool `json:"notified"`
	// Error is that of the last reading, empty if it succeeded.
	Error string `json:"error,omitempty"`
}

// The codes of a Service's own alarms.
const (
	AlarmCalendar     = "calendar-unreadable" // a calendar cannot be read
	AlarmEvents       = "events-unreadable"   // some events of a calendar cannot
	AlarmNotify       = "notify-failed"       // a provider does not tell of changes; it is polled
	AlarmUnreachable  = "device-unreachable"
	AlarmUnauthorized = "device-unauthorized"
	AlarmCertificate  = "device-certificate"
	AlarmBusy         = "device-busy"
	AlarmRejected     = "device-rejected"
	AlarmNotDevice    = "not-a-device"
	AlarmForeign      = "foreign-bookings"
	AlarmDevice       = "device-failed" // any other error of Show
	AlarmWatch        = "watch-failed"  // the device's own messages are not heard
	AlarmRestless     = "device-restless"
	AlarmNotCleared   = "not-cleared" // a removed room's device still shows its meetings
	AlarmStore        = "store-failed"
)

// alarms keeps alarms by their code, each with the time since when it holds.
type alarms map[string]Alarm

// set raises the alarm, or ends it if text is empty.
func (a alarms) set(code, text string) {
	if text == "" {
		delete(a, code)
		return
	}
	al, ok := a[code]
	if !ok {
		al = Alarm{Code: code, Since: time.Now().UTC()}
	}
	al.Text = text
	a[code] = al
}

func (a alarms) sorted() []Alarm {
	return slices.SortedFunc(maps.Values(a), func(x, y Alarm) int { return strings.Compare(x.Code, y.Code) })
}

// Status returns what the service is doing.
func (s *Service) Status() Status {
	s.mu.Lock()
	keepers := slices.Collect(maps.Values(s.keepers))
	s.mu.Unlock()
	out := Status{Rooms: make([]RoomStatus, 0, len(keepers))}
	for _, k := range keepers {
		out.Rooms = append(out.Rooms, k.snapshot())
	}
	slices.SortFunc(out.Rooms, func(a, b RoomStatus) int {
		if a.Removed != b.Removed {
			if a.Removed {
				return 1
			}
			return -1
		}
		return strings.Compare(a.Name, b.Name)
	})
	return out
}

// StatusOf returns the state of the room whose Room.Device is device, which is
// not empty; false if there is none. It costs the same however many rooms there
// are.
func (s *Service) StatusOf(device string) (RoomStatus, bool) {
	s.mu.Lock()
	k := s.keepers[(&Room{Device: device}).key()]
	s.mu.Unlock()
	if k == nil || device == "" {
		return RoomStatus{}, false
	}
	return k.snapshot(), true
}

func (k *keeper) snapshot() RoomStatus {
	k.mu.Lock()
	st := k.status
	st.Meetings = slices.Clone(st.Meetings)
	st.NoButton = slices.Clone(st.NoButton)
	st.Skipped = slices.Clone(st.Skipped)
	all := maps.Clone(k.alarms)
	room, feeds := k.room, k.feeds
	st.Name, st.Device, st.Removed = room.Name, room.Device, k.retired
	k.mu.Unlock()

	st.Sources = make([]SourceStatus, 0, len(feeds))
	for _, f := range feeds {
		src, raised := f.snapshot()
		st.Sources = append(st.Sources, src)
		for code, a := range raised {
			// The same code of a second calendar: both texts, since the first.
			if other, ok := all[code]; ok {
				a.Text = other.Text + " " + a.Text
				if other.Since.Before(a.Since) {
					a.Since = other.Since
				}
			}
			all[code] = a
		}
	}
	if c, ok := room.Endpoint.(Caller); ok {
		err := k.svc.guard("the adapter of the device", func() error {
			st.LastCall, _ = c.LastCall()
			return nil
		})
		st.Awaited = err == nil && st.LastCall.IsZero()
	}
	st.Alarms = all.sorted()
	if a, ok := room.Endpoint.(Alarmer); ok {
		err := k.svc.guard("the adapter of the device", func() error {
			st.Alarms = append(st.Alarms, a.Alarms()...)
			return nil
		})
		if err != nil {
			st.Alarms = append(st.Alarms, Alarm{Code: AlarmDevice, Text: fmt.Sprintf("The alarms of the device are not known: %v", err), Since: time.Now().UTC()})
		}
		slices.SortStableFunc(st.Alarms, func(x, y Alarm) int { return strings.Compare(x.Code, y.Code) })
	}
	return st
}
