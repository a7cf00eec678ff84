package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// roomJSON is what otj demo --json prints for a room.
type roomJSON struct {
	Room     string
	Endpoint string
	Meetings []shownMeeting
}

func runDemoJSON(t *testing.T, args ...string) (rooms []roomJSON, code int, errOut string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = demo(t.Context(), append(args, "--json"), stdio{out: &out, err: &errs})
	dec := json.NewDecoder(&out)
	dec.DisallowUnknownFields()
	for dec.More() {
		var r roomJSON
		require.NoError(t, dec.Decode(&r))
		rooms = append(rooms, r)
	}
	return rooms, code, errs.String()
}

func TestDemo(t *testing.T) {
	rooms, code, errOut := runDemoJSON(t)
	require.Zero(t, code, errOut)
	assert.Empty(t, errOut)
	require.Len(t, rooms, 3)
	type meeting struct {
		title, service, dial string
		button               bool
	}
	got := map[string][]meeting{}
	for _, r := range rooms {
		assert.Equal(t, map[string]string{"Fjord": "cisco", "Atrium": "poly", "Summit": "feed"}[r.Room], r.Endpoint)
		for _, m := range r.Meetings {
			got[r.Room] = append(got[r.Room], meeting{m.Title, m.Service, m.Dial, m.Button})
			assert.Equal(t, m.Service != "", m.Rule != "", m.Title)
			assert.True(t, m.End.After(m.Start))
			assert.Less(t, time.Until(m.Start).Abs(), 9*24*time.Hour)
		}
	}
	assert.Equal(t, map[string][]meeting{
		"Fjord": {
			{"Steering group", "teams", "sip:1144720386@vc.fabrikam.example", true},
			{"Ines Calder", "zoom", "sip:84512200317.550917@zoomcrc.com", true}, // private
		},
		"Atrium": {
			{"Weekly planning", "zoom", "sip:81177003344.271828@zoomcrc.com", true},
			{"Mara Lindqvist", "sip", "", false}, // private
			{"Weekly planning", "zoom", "sip:81177003344.271828@zoomcrc.com", true},
		},
		"Summit": {
			{"Supplier call", "sip", "sip:supplier.day@meet.northwind.example", true},
			{"Lunch with the new colleagues", "", "", false},
		},
	}, got)
}

func TestDemoForPeople(t *testing.T) {
	var out, errs bytes.Buffer
	require.Zero(t, demo(t.Context(), nil, stdio{out: &out, err: &errs}), errs.String())
	text := out.String()
	for _, want := range []string{
		"Fjord (cisco)", "Atrium (poly)", "Summit (feed)", "[ Join ]  Steering group\n", "teams, found by rule teams",
		"Ines Calder (private)", "no button: private meetings get no button",
		"no button: no address found", "not on the screen: 1 cancelled",
	} {
		assert.Contains(t, text, want)
	}
	assert.NotContains(t, text, "Salary")
	assert.NotContains(t, text, "Merger")
	assert.NotContains(t, text, "Webinar")
}

func TestDemoWithOwnCalendars(t *testing.T) {
	dir := t.TempDir()
	start := time.Now().UTC().Add(time.Hour)
	event := "BEGIN:VEVENT\r\nUID:%\r\nDTSTART:" + start.Format("20060102T150405Z") + "\r\nSUMMARY:%\r\nDURATION:PT1H\r\nLOCATION:sip:%@example.com\r\nEND:VEVENT\r\n"
	file := func(names ...string) string {
		s := "BEGIN:VCALENDAR\r\nVERSION:2.0\r\n"
		for _, n := range names {
			s += strings.ReplaceAll(event, "%", n)
		}
		return s + "END:VCALENDAR\r\n"
	}
	for name, text := range map[string]string{"a.ics": file("one", "two"), "b.ics": "no calendar", "c.ICS": file(), "notes.txt": "x"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}

	rooms, code, errOut := runDemoJSON(t, "--ics", filepath.Join(dir, "a.ics"))
	require.Zero(t, code, errOut)
	require.Len(t, rooms, 1)
	require.Len(t, rooms[0].Meetings, 2)
	assert.ElementsMatch(t, []string{"sip:one@example.com", "sip:two@example.com"}, []string{rooms[0].Meetings[0].Dial, rooms[0].Meetings[1].Dial})

	// One that cannot be read is said, and the others go on.
	rooms, code, errOut = runDemoJSON(t, "--ics", dir)
	assert.Equal(t, 1, code)
	assert.Contains(t, errOut, "room b: The calendar cannot be read")
	require.Len(t, rooms, 3)
	assert.Len(t, rooms[0].Meetings, 2)
	assert.NotNil(t, rooms[1].Meetings)
	assert.Empty(t, rooms[2].Meetings)
}

func TestDemoCalledWrongly(t *testing.T) {
	for _, tt := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"--nothing"}, 2, "flag provided but not defined"},
		{[]string{"calendar.ics"}, 2, `unexpected "calendar.ics"; your calendars are given by --ics`},
		{[]string{"--ics", filepath.Join(t.TempDir(), "nothing")}, 1, "no such file"},
		{[]string{"--ics", t.TempDir()}, 1, "there is no .ics file in"},
		{[]string{"-h"}, 0, "usage: otj demo"},
	} {
		var out, errs bytes.Buffer
		assert.Equal(t, tt.code, demo(t.Context(), tt.args, stdio{out: &out, err: &errs}), tt.args)
		assert.Contains(t, out.String()+errs.String(), tt.want)
	}
}
