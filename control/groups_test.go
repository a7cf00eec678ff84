package control_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/onetouchjoin/onetouchjoin/control"
	"github.com/onetouchjoin/onetouchjoin/otj"
	"github.com/onetouchjoin/onetouchjoin/rules"
)

// other has another value in every setting than the defaults.
var other = otj.Settings{
	DaysAhead: 1, StartBuffer: 2, EndBuffer: 3, ReplaceSubject: otj.ReplaceAll, SubjectTemplate: "Booked", AllDay: otj.ShowNone,
	Prefer: []rules.Scheme{rules.HTTPS},
}

// Every setting that there is can be a group's own, alone.
func TestOwnSettingsHaveEverySetting(t *testing.T) {
	standard := otj.DefaultSettings()
	whole := control.Differing(other, standard)
	all := reflect.TypeFor[otj.Settings]()
	var names []string
	for i := range all.NumField() {
		name := all.Field(i).Tag.Get("json")
		names = append(names, name)
		data, err := json.Marshal(whole)
		require.NoError(t, err)
		var members map[string]json.RawMessage
		require.NoError(t, json.Unmarshal(data, &members))
		require.Contains(t, members, name)
		one, err := json.Marshal(map[string]json.RawMessage{name: members[name]})
		require.NoError(t, err)
		var o control.OwnSettings
		require.NoError(t, json.Unmarshal(one, &o))
		assert.Equal(t, []string{name}, o.Decides())

		want := reflect.New(all).Elem()
		want.Set(reflect.ValueOf(standard))
		want.Field(i).Set(reflect.ValueOf(other).Field(i))
		assert.Empty(t, cmp.Diff(want.Interface(), o.Over(standard)), name)
	}
	assert.Equal(t, names, whole.Decides())
	assert.Empty(t, cmp.Diff(other, whole.Over(standard)))
	assert.Nil(t, control.Differing(standard, standard))
	assert.Empty(t, cmp.Diff(other, (*control.OwnSettings)(nil).Over(other)))
}

func TestSettingsOfAGroup(t *testing.T) {
	w := newWorld(t)
	n := 181
	_, err := w.centre.SaveGroup(t.Context(), w.admin, control.Group{Company: w.acme.ID, Name: "Oslo", Settings: &control.OwnSettings{StartBuffer: &n}})
	var invalid *control.InvalidError
	require.ErrorAs(t, err, &invalid)
	require.Len(t, invalid.Fields, 1)
	assert.Equal(t, "settings", invalid.Fields[0].Field)
	assert.True(t, strings.HasPrefix(invalid.Fields[0].Msg, "start_buffer: "), invalid.Fields[0].Msg)

	g := must(w.centre.SaveGroup(t.Context(), w.admin, control.Group{Company: w.acme.ID, Name: "Oslo", Settings: &control.OwnSettings{Prefer: []rules.Scheme{}}}))(t)
	assert.Nil(t, g.Settings, "what decides nothing is nothing")
}
