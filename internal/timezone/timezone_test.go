package timezone

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestWindowsZonesLoad(t *testing.T) {
	seen := map[string]bool{}
	for _, z := range windowsZones {
		assert.False(t, seen[z.windows], "twice: %s", z.windows)
		seen[z.windows] = true
		_, err := time.LoadLocation(z.iana)
		assert.NoError(t, err, z.windows)
	}
	assert.GreaterOrEqual(t, len(windowsZones), 139)
}

func TestLoad(t *testing.T) {
	// The offsets in January and July 2025 tell zones apart.
	for _, tt := range []struct {
		name     string
		jan, jul float64 // hours
	}{
		{"Europe/Oslo", 1, 2},
		{"America/Argentina/Buenos_Aires", -3, -3},
		{"UTC", 0, 0},
		{"tzone://Microsoft/Utc", 0, 0},
		{"W. Europe Standard Time", 1, 2},
		{"w. europe standard time", 1, 2},
		{`"Pacific Standard Time"`, -8, -7},
		{"India Standard Time", 5.5, 5.5},
		{"UTC-11", -11, -11},
		{"/mozilla.example/20050126_1/Europe/Oslo", 1, 2},
		{"/freeassociation.example/Tzfile/America/Argentina/Buenos_Aires", -3, -3},
		{"/example.com/UTC", 0, 0},
		{"/Europe/Oslo", 1, 2},
		{"(UTC+01:00) Amsterdam, Berlin, Bern, Rome, Stockholm, Vienna", 1, 2},
		{"(UTC+01:00) Amsterdam, Berlin, Bern, Rom, Stockholm, Wien", 1, 2},
		{"(GMT+01:00) Amsterdam / Berlin", 1, 1},
		{"(UTC-08:00) Pacific Time (US & Canada)", -8, -7},
		{"(UTC-03:00) Brasília", -3, -3},
		{"(UTC) Coordinated Universal Time", 0, 0},
		{"GMT+0100", 1, 1},
		{"GMT -0330", -3.5, -3.5},
		{"UTC+11", 11, 11},
		{"UTC+5:30", 5.5, 5.5},
		{"Eastern Time (US & Canada)", -5, -4},
		{"US/Eastern", -5, -4},
	} {
		t.Run(tt.name, func(t *testing.T) {
			loc, err := Load(tt.name)
			require.NoError(t, err)
			_, jan := time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC).In(loc).Zone()
			_, jul := time.Date(2025, 7, 1, 0, 0, 0, 0, time.UTC).In(loc).Zone()
			assert.Equal(t, fmt.Sprint(tt.jan, tt.jul), fmt.Sprint(float64(jan)/3600, float64(jul)/3600))
		})
	}
}

func TestLoadUnknown(t *testing.T) {
	for _, name := range []string{
		"", "Local", "local", "Customized Time Zone", "Nowhere/Middle", "../../etc/passwd", "/etc/localtime",
		"GMT +0100 (Standard) / GMT +0200 (Daylight)", "UTC+99", "Western/Central Europe", "tzone://Microsoft/Custom",
	} {
		_, err := Load(name)
		assert.ErrorContains(t, err, fmt.Sprintf("unknown time zone %q", name))
	}
}

func TestGuessComparesOffsets(t *testing.T) {
	loc, ok := Guess("(UTC+02:00) Helsinki, Kyiv, Riga, Sofia, Tallinn, Vilnius")
	require.True(t, ok)
	assert.Equal(t, "Europe/Kiev", loc.String())
	// A place of another offset is not believed.
	loc, ok = Guess("(UTC+05:00) Helsinki")
	require.True(t, ok)
	_, sec := time.Date(2025, 7, 1, 0, 0, 0, 0, time.UTC).In(loc).Zone()
	assert.Equal(t, 5*3600, sec)
}
