package rules

import (
	"slices"
	"strings"
	"unsafe"

	"github.com/onetouchjoin/onetouchjoin/calendar"
)

// A match that Append wrote carries the memory of its strings with it, in the
// last element of its Addresses that is beyond their length. It is found there
// again when Append writes to the same slot of a slice, which is what lets
// Append work without an allocation. The mark is a scheme that nobody else has.
const memoryMark Scheme = 0xA7

// memory returns the slots for addresses and the bytes for strings that an
// earlier result has. Both may be nil.
func memory(addrs []Address) (slots []Address, bytes []byte) {
	n := cap(addrs)
	if n == 0 || len(addrs) == n {
		return nil, nil
	}
	slots = addrs[:n]
	last := slots[n-1]
	if last.Scheme != memoryMark {
		return nil, nil
	}
	return slots, unsafe.Slice(unsafe.StringData(last.URI), len(last.URI))[:0]
}

// remember puts n addresses' memory into the last slot.
func remember(slots []Address, n int, bytes []byte) []Address {
	bytes = bytes[:cap(bytes)]
	slots[len(slots)-1] = Address{memoryMark, unsafe.String(unsafe.SliceData(bytes), len(bytes))}
	return slots[:n]
}

// Clone returns a copy of m that shares no memory with it or with an event.
func (m Match) Clone() Match {
	m.Service = strings.Clone(m.Service)
	m.Rule = strings.Clone(m.Rule)
	m.Span.Source = strings.Clone(m.Span.Source)
	m.MeetingID = strings.Clone(m.MeetingID)
	m.Passcode = calendar.Secret(strings.Clone(string(m.Passcode)))
	m.Addresses = slices.Clip(slices.Clone(m.Addresses))
	for i := range m.Addresses {
		m.Addresses[i].URI = strings.Clone(m.Addresses[i].URI)
	}
	return m
}
