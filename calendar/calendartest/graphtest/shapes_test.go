package graphtest_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/onetouchjoin/onetouchjoin/calendar"
	"github.com/onetouchjoin/onetouchjoin/calendar/calendartest/graphtest"
	"github.com/onetouchjoin/onetouchjoin/calendar/msgraph"
)

// shapesDay is a Wednesday in winter; the series that is older than the window
// began in summer time.
var shapesDay = time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC)

// The JSON of each shape is in testdata/shapes: calendarView's answer, as the
// fake gave it on a fixed date. -update makes it anew.
func TestShapes(t *testing.T) {
	names := map[string]bool{}
	for _, s := range graphtest.Shapes() {
		require.False(t, names[s.Name], "two are named %s", s.Name)
		names[s.Name] = true
		t.Run(s.Name, func(t *testing.T) {
			c := newClient(t, &graphtest.Options{Now: func() time.Time { return time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC) }})
			require.NoError(t, s.Add(c.site.Room, shapesDay))
			a := c.get(room(c.site.Room)+"/calendarView"+span(s.Window(shapesDay)), immutable)
			require.Equal(t, http.StatusOK, a.status, "%v", a.body)
			var out bytes.Buffer
			enc := json.NewEncoder(&out)
			enc.SetEscapeHTML(false)
			enc.SetIndent("", "  ")
			require.NoError(t, enc.Encode(a.body))
			file := filepath.Join("testdata", "shapes", strings.ReplaceAll(s.Name, " ", "-")+".json")
			if *update {
				require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755)) //nolint:gosec // not secret
				require.NoError(t, os.WriteFile(file, out.Bytes(), 0o644)) //nolint:gosec // not secret
			}
			want, err := os.ReadFile(file)
			require.NoError(t, err)
			assert.Equal(t, string(want), out.String())
		})
	}
	assert.GreaterOrEqual(t, len(names), 14)
}

// What the light provider makes of each shape, on days in and out of summer time.
func TestShapesOfLightProvider(t *testing.T) {
	for _, s := range graphtest.Shapes() {
		t.Run(s.Name, func(t *testing.T) {
			for _, day := range []time.Time{shapesDay, shapesDay.AddDate(0, 7, 0)} {
				site := graphtest.NewSite(nil)
				defer site.Close()
				require.NoError(t, s.Add(site.Room, day))
				p := msgraph.New(secretCredential(t, site), &msgraph.Options{Cloud: msgraph.Cloud{Graph: site.URL}, Transport: site.Client().Transport})
				got, err := p.Events(t.Context(), site.Room.Address(), s.Window(day))
				require.NoError(t, err)
				require.NoError(t, s.Check(got, day))
			}
		})
	}
}

// Check sees what is wrong.
func TestShapeCheck(t *testing.T) {
	s := graphtest.Shapes()[1]
	good := func() []calendar.Event {
		got := s.Want(shapesDay)
		got[0].ID, got[0].Revision, got[0].Modified = "1", "2", time.Now()
		return got
	}
	require.NoError(t, s.Check(good(), shapesDay))
	require.Error(t, s.Check(nil, shapesDay))
	for want, breakIt := range map[string]func(*calendar.Event){
		"no ID":      func(e *calendar.Event) { e.ID = "" },
		"SeriesID":   func(e *calendar.Event) { e.SeriesID = "" },
		"UID is":     func(e *calendar.Event) { e.UID = "other" },
		"Links is":   func(e *calendar.Event) { e.Links = nil },
		"Start is":   func(e *calendar.Event) { e.Start = e.Start.Add(time.Hour) },
		"Status is":  func(e *calendar.Event) { e.Status = calendar.Cancelled },
		"Subject is": func(e *calendar.Event) { e.Subject = "" },
	} {
		got := good()
		breakIt(&got[0])
		require.ErrorContains(t, s.Check(got, shapesDay), want)
	}
}
