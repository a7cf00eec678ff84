package calendar

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestWindowOverlaps(t *testing.T) {
	at := func(hour, minute int) time.Time { return time.Date(2026, 3, 2, hour, minute, 0, 0, time.UTC) }
	w := Window{From: at(9, 0), To: at(17, 0)}
	for _, tt := range []struct {
		name       string
		start, end time.Time
		want       bool
	}{
		{"before", at(7, 0), at(8, 0), false},
		{"up to From", at(8, 0), at(9, 0), false},
		{"over From", at(8, 0), at(9, 1), true},
		{"inside", at(10, 0), at(11, 0), true},
		{"all of it", at(9, 0), at(17, 0), true},
		{"longer", at(1, 0), at(23, 0), true},
		{"over To", at(16, 59), at(18, 0), true},
		{"from To on", at(17, 0), at(18, 0), false},
		{"no length at From", at(9, 0), at(9, 0), true},
		{"no length inside", at(12, 0), at(12, 0), true},
		{"no length at To", at(17, 0), at(17, 0), false},
		{"end before start, start inside", at(12, 0), at(8, 0), true},
		{"end before start, start outside", at(18, 0), at(12, 0), false},
	} {
		t.Run(tt.name, func(t *testing.T) { assert.Equal(t, tt.want, w.Overlaps(tt.start, tt.end)) })
	}
	// What has a length is in no empty window; nor is what has none.
	empty := Window{From: at(9, 0), To: at(9, 0)}
	assert.False(t, empty.Overlaps(at(9, 0), at(9, 0)))
	assert.False(t, empty.Overlaps(at(9, 0), at(10, 0)))
	// Windows that touch share no event without a length, and miss none.
	a, b := Window{at(9, 0), at(10, 0)}, Window{at(10, 0), at(11, 0)}
	assert.NotEqual(t, a.Overlaps(at(10, 0), at(10, 0)), b.Overlaps(at(10, 0), at(10, 0)))
}

func TestNamesOfValues(t *testing.T) {
	for want, got := range map[string]fmt.Stringer{
		"confirmed": Status(0), "tentative": Tentative, "cancelled": Cancelled,
		"unknown": Response(0), "organizer": Organizer, "accepted": Accepted, "declined": Declined, "not responded": NotResponded,
		"normal": Sensitivity(0), "personal": Personal, "private": Private, "confidential": Confidential,
	} {
		assert.Equal(t, want, got.String())
	}
	assert.Equal(t, "tentative", TentativelyAccepted.String())
	for _, got := range []fmt.Stringer{Status(99), Response(99), Sensitivity(99)} {
		assert.Equal(t, "invalid", got.String())
	}
}

func TestSecretIsNotShown(t *testing.T) {
	const hidden = "hunter2"
	s := Secret(hidden)
	link := Link{URI: "https://example.com", Passcode: s}
	var log bytes.Buffer
	text := slog.New(slog.NewTextHandler(&log, nil))
	text.Info("x", "secret", s, "link", link)
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "secret", s, "link", link)
	js, err := json.Marshal(map[string]any{"secret": s, "link": link})
	require.NoError(t, err)
	for _, shown := range []string{
		fmt.Sprint(s), fmt.Sprintf("%s %q %v %+v %#v", s, s, s, s, s), fmt.Sprintf("%v %+v %#v", link, link, link), log.String(), string(js),
	} {
		assert.NotContains(t, shown, hidden)
		assert.Contains(t, shown, "[redacted]")
	}
	assert.Equal(t, hidden, string(s))
	// That there is none may be seen.
	assert.Empty(t, Secret("").String())
	assert.Equal(t, `""`, Secret("").GoString())
}

func TestErrorSaysWhatWhereAndWhatToDo(t *testing.T) {
	err := &Error{Op: "read calendar", Mailbox: "fjord@example.com", RetryAfter: time.Minute, Fix: "Wait", Err: ErrThrottled}
	assert.EqualError(t, err, "read calendar of fjord@example.com: throttled (retry after 1m0s). Wait")
	err.RetryAfter = 2*time.Minute - 8309
	assert.ErrorContains(t, err, "(retry after 2m0s)", "whole seconds, and none too few")
	assert.ErrorIs(t, fmt.Errorf("x: %w", err), ErrThrottled)
	assert.NotErrorIs(t, err, ErrNotFound)
	assert.EqualError(t, &Error{Op: "read calendar", Err: ErrNotFound}, "read calendar: mailbox not found")
	assert.ErrorIs(t, &Error{Op: "read calendar", Err: context.Canceled}, context.Canceled)
}

func TestPartialErrorNamesTheEvents(t *testing.T) {
	cause := io.ErrUnexpectedEOF
	err := error(&PartialError{Mailbox: "fjord@example.com", Bad: []EventError{
		{UID: "u1", Line: 12, Err: cause}, {ID: "i2", Err: errors.New("second")}, {Line: 3, Err: errors.New("third")}, {Err: errors.New("fourth")},
	}})
	assert.EqualError(t, err, `fjord@example.com: 4 of the events could not be read; first: event UID "u1", line 12: unexpected EOF`)
	assert.ErrorIs(t, err, cause)
	var one EventError
	require.ErrorAs(t, err, &one)
	assert.Equal(t, "u1", one.UID)
	bad := err.(*PartialError).Bad
	assert.EqualError(t, bad[1], `event id "i2": second`)
	assert.EqualError(t, bad[2], "event line 3: third")
	assert.EqualError(t, bad[3], "event: fourth")
	assert.EqualError(t, &PartialError{Bad: bad[3:]}, "1 of the events could not be read; first: event: fourth")
}
