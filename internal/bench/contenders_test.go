package bench

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/onetouchjoin/onetouchjoin/rules"
)

// A row that finds nothing has not done the work that its figure stands for.
func TestContendersFindWhatIsThere(t *testing.T) {
	// How many of the fifty patterns, links or hosts a contender must find in
	// the Zoom body, which no gateway has touched.
	least := map[string]int{UsualID: 4, "A2": 3, "E": 3, "F": 3, HyperID: 4, ParseID: 1, "B": 100, "D": 3, "H1": 2, "H2": 3, IndexID: 4}
	zoom := Bodies()[2]
	for _, c := range Contenders() {
		t.Run(c.ID, func(t *testing.T) {
			want, ok := least[c.ID]
			if !ok {
				return
			}
			fn, err := c.New()
			if err != nil {
				t.Skipf("%s: %v", c.Name, err)
			}
			assert.GreaterOrEqual(t, fn(zoom), want, "%s on the body with Zoom's links", c.Name)
		})
	}
}

func TestOursFindsTheMeetingOfEachBody(t *testing.T) {
	e := rules.Default()
	for _, b := range Bodies() {
		got := e.Append(nil, b.Event())
		if b.Service == "" {
			assert.Empty(t, got, "body %s has no meeting", b.Name)
			continue
		}
		require.NotEmpty(t, got, "body %s has a meeting", b.Name)
		assert.Equal(t, b.Service, got[0].Service, b.Name)
		var uris []string
		for _, a := range got[0].Addresses {
			uris = append(uris, a.URI)
		}
		assert.Contains(t, uris, b.URI, b.Name)
	}
}

func TestPatternsAreFifty(t *testing.T) {
	require.Len(t, Patterns, 50)
	uris := 0
	for _, p := range Patterns {
		if p.URI {
			uris++
		}
	}
	assert.Equal(t, 40, uris)
	_, err := compileAll()
	assert.NoError(t, err)
}
