package app

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/onetouchjoin/onetouchjoin/control"
)

func TestAdmin(t *testing.T) {
	d := newDevices()
	ctx := t.Context()
	c := localConfig(t)
	a, err := NewAdmin(c)
	require.NoError(t, err)
	_, err = a.Link(ctx, "")
	require.ErrorContains(t, err, "start otj serve first")
	backup := filepath.Join(t.TempDir(), "backup.db")
	var keys string
	var fjord control.System
	t.Run("while the program runs", func(t *testing.T) {
		f := startFabrikam(t, c, d.builders())
		fjord, _ = f.add(control.System{Name: "Fjord", Kind: control.CiscoHTTPS, Host: "192.0.2.1", User: "otj"})
		f.upToDate(fjord)
		_, err := a.Link(ctx, "")
		require.ErrorContains(t, err, "set-up has been done")
		_, err = a.Link(ctx, "eve@fabrikam.example")
		require.ErrorContains(t, err, "no user with the address eve@fabrikam.example")
		link, err := a.Link(ctx, "ann@fabrikam.example")
		require.NoError(t, err)
		resp, err := http.Get(link)
		require.NoError(t, err)
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		assert.Equal(t, http.StatusOK, resp.StatusCode)
		assert.Contains(t, string(body), "<form")

		keys, err = a.Backup(ctx, backup)
		require.NoError(t, err)
		_, err = a.Backup(ctx, backup)
		require.ErrorContains(t, err, "is there already")
		_, err = a.Restore(ctx, backup, "")
		require.ErrorIs(t, err, errLocked)
		_, err = a.RotateKeys(ctx)
		require.ErrorIs(t, err, errLocked)
	})
	old, err := os.ReadFile(keys)
	require.NoError(t, err)
	n, err := a.RotateKeys(ctx)
	require.NoError(t, err)
	assert.Equal(t, 1, n)
	now, err := os.ReadFile(keys)
	require.NoError(t, err)
	assert.NotEqual(t, old, now)

	// The backup is from before the rotation, and opens with the keys of now.
	kept, err := a.Restore(ctx, backup, "")
	require.NoError(t, err)
	assert.FileExists(t, filepath.Join(kept, storeFile))
	password := func() string {
		store, ring, err := openData(ctx, c.Control.Data)
		require.NoError(t, err)
		defer store.Close()
		centre, err := control.New(store, ring, nil)
		require.NoError(t, err)
		p, err := centre.Password(ctx, fjord.ID)
		require.NoError(t, err)
		return string(p)
	}
	assert.Equal(t, "secret-of-the-device", password())

	// Neither a backup with other keys nor a broken one changes anything.
	other, err := control.NewKeys()
	require.NoError(t, err)
	wrong := filepath.Join(t.TempDir(), "keys.json")
	require.NoError(t, writeKeys(wrong, other))
	_, err = a.Restore(ctx, backup, wrong)
	require.ErrorContains(t, err, "nothing was changed")
	broken := write(t, t.TempDir(), "broken.db", strings.Repeat("nonsense ", 1000))
	_, err = a.Restore(ctx, broken, "")
	require.ErrorContains(t, err, "nothing was changed")
	_, err = a.Restore(ctx, filepath.Join(t.TempDir(), "nothing"), "")
	require.ErrorIs(t, err, os.ErrNotExist)
	assert.Equal(t, "secret-of-the-device", password())
	assert.NoFileExists(t, filepath.Join(c.Control.Data, storeFile+".restored"))

	_, err = NewAdmin(&Config{Poll: time.Second})
	require.ErrorContains(t, err, "no control centre")
}
