package ics

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// roomCalendar is a calendar of the size and shape that a busy room has: single
// meetings and series, each with a body of about 3 KB.
func roomCalendar(events int) string {
	body := strings.Repeat(`________________\nMicrosoft Teams meeting\nJoin on your computer\, mobile app or room device\n`, 35)
	var folded strings.Builder
	for i := 0; i < len(body); i += 74 {
		folded.WriteString("\r\n " + body[i:min(i+74, len(body))])
	}
	var b strings.Builder
	b.WriteString("BEGIN:VCALENDAR\r\nVERSION:2.0\r\n" + strings.ReplaceAll(customZone, "\n", "\r\n") + "\r\n")
	for i := range events {
		fmt.Fprintf(&b, "BEGIN:VEVENT\r\nUID:%08d@example.com\r\nSUMMARY:Meeting %d\r\n", i, i)
		fmt.Fprintf(&b, "DTSTART;TZID=W. Europe Standard Time:2026%02d%02dT%02d0000\r\nDURATION:PT1H\r\n", 1+i%12, 1+i%28, 8+i%9)
		if i%5 == 0 {
			b.WriteString("RRULE:FREQ=WEEKLY;BYDAY=MO,WE;UNTIL=20301231T000000Z\r\n")
		}
		b.WriteString("ORGANIZER;CN=Ada Alm:mailto:ada@example.com\r\nATTENDEE;PARTSTAT=ACCEPTED;CN=Fjord:mailto:fjord@example.com\r\n")
		b.WriteString("DESCRIPTION:" + folded.String() + "\r\nX-MICROSOFT-SKYPETEAMSMEETINGURL:https://teams.example.com/l/meetup-join/1\r\nEND:VEVENT\r\n")
	}
	b.WriteString("END:VCALENDAR\r\n")
	return b.String()
}

func BenchmarkDecode(b *testing.B) {
	for _, n := range []int{1, 500} {
		text := roomCalendar(n)
		b.Run(fmt.Sprint(n, "events"), func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				if _, err := Decode(strings.NewReader(text), nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkEvents(b *testing.B) {
	c, err := Decode(strings.NewReader(roomCalendar(500)), nil)
	require.NoError(b, err)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Events(b.Context(), "fjord@example.com", anyWeek); err != nil {
			b.Fatal(err)
		}
	}
}

// A week of a series that began long ago.
func BenchmarkRule(b *testing.B) {
	for _, rule := range []string{"FREQ=DAILY", "FREQ=DAILY;COUNT=1000000", "FREQ=WEEKLY;BYDAY=MO,WE,FR;COUNT=1000000", "FREQ=MONTHLY;BYDAY=-1FR"} {
		c, err := Decode(strings.NewReader(vcal("BEGIN:VEVENT\nUID:u\nDTSTART;TZID=Europe/Oslo:20100104T090000\nDURATION:PT1H\nRRULE:"+rule+"\nEND:VEVENT")), nil)
		require.NoError(b, err)
		b.Run(rule, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.Events(b.Context(), "", anyWeek); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// One calendar of a folder with 100,000. The other files are empty, so that
// making them does not take long: nothing opens them.
func BenchmarkFolder(b *testing.B) {
	for _, n := range []int{1, 100_000} {
		b.Run(fmt.Sprint(n, "files"), func(b *testing.B) {
			dir := b.TempDir()
			require.NoError(b, os.WriteFile(filepath.Join(dir, "room0.ics"), []byte(roomCalendar(20)), 0o600))
			for i := range n - 1 {
				require.NoError(b, os.WriteFile(filepath.Join(dir, fmt.Sprintf("room%d.ics", i+1)), nil, 0o600))
			}
			f := NewFolder(dir, nil)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := f.Events(b.Context(), "room0", anyWeek); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
