package control_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/onetouchjoin/onetouchjoin/control"
)

func TestProviderQuota(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	p := w.provider()
	get := func() control.Quota { return must(w.centre.ProviderQuota(ctx, w.admin, p.ID))(t) }
	assert.Contains(t, get().Why, "has agreed")
	assert.Equal(t, control.DefaultDailyQuota, get().PerDay)

	link := must(w.centre.ConsentLink(ctx, w.admin, p.ID))(t)
	w.consent.tenants["acme.example"] = "guid"
	p = must(w.centre.FinishConsent(ctx, link[strings.Index(link, "state=")+6:], "guid", ""))(t)
	assert.Contains(t, get().Why, "Nothing is read yet")

	known := control.Quota{PerDay: 20_000, Used: 12, PollSeconds: 60, Arithmetic: "2 mailboxes"}
	w.live.quotas = map[string]control.Quota{p.ID: known}
	assert.Equal(t, known, get())

	p.Paused = true
	p = must(w.centre.SaveProvider(ctx, w.admin, p))(t)
	assert.Contains(t, get().Why, "paused")

	files := must(w.centre.SaveProvider(ctx, w.admin, control.Provider{Company: w.acme.ID, Name: "Files", Kind: control.ICSFolder, Folder: "/srv/calendars/a"}))(t)
	_, err := w.centre.ProviderQuota(ctx, w.admin, files.ID)
	assert.Equal(t, []string{"kind"}, fieldsOf(t, err))
	_, err = w.centre.ProviderQuota(ctx, control.Actor{User: control.User{Org: w.acme.ID}}, p.ID)
	require.ErrorIs(t, err, control.ErrNotFound)
}
