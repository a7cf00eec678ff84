// Package roomos holds facts of Cisco's RoomOS that the adapter and the
// simulated device share: versions, the Bookings commands of each generation,
// and the trees of values in which a device answers.
package roomos

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
)

// Version is a software version of a device, as in "ce11.14.4.0.abc". The zero
// Version is unknown.
type Version struct {
	Major, Minor, Patch int
	Raw                 string
}

// ParseVersion reads what a device says of its software. It takes the first
// number with a dot: "ce9.15.17.4", "RoomOS 11.14.4.0", "TC7.3.9.abc".
func ParseVersion(raw string) (Version, bool) {
	raw = strings.TrimSpace(raw)
	s := strings.TrimLeftFunc(raw, func(r rune) bool { return r < '0' || r > '9' })
	v := Version{Raw: strings.Clone(raw)} // not with all that the device has said
	parts := strings.SplitN(s, ".", 4)
	if len(parts) < 2 {
		return v, false
	}
	for i, to := range []*int{&v.Major, &v.Minor, &v.Patch} {
		if i == len(parts) {
			break
		}
		n, err := strconv.Atoi(parts[i])
		if err != nil || n < 0 || n > 1_000_000 {
			if i < 2 {
				return Version{Raw: v.Raw}, false
			}
			break
		}
		*to = n
	}
	return v, true
}

// AtLeast reports whether v is major.minor or later. An unknown version is not.
func (v Version) AtLeast(major, minor int) bool {
	return cmp.Or(cmp.Compare(v.Major, major), cmp.Compare(v.Minor, minor)) >= 0
}

// IsZero reports whether the version is unknown.
func (v Version) IsZero() bool { return v.Major == 0 }

// String returns the numbers.
func (v Version) String() string {
	if v.IsZero() {
		return "unknown"
	}
	return fmt.Sprintf("%d.%d.%d", v.Major, v.Minor, v.Patch)
}
