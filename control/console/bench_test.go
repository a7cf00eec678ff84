package console_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/onetouchjoin/onetouchjoin/calendar"
	"github.com/onetouchjoin/onetouchjoin/control"
	"github.com/onetouchjoin/onetouchjoin/control/api"
	"github.com/onetouchjoin/onetouchjoin/control/console"
	"github.com/onetouchjoin/onetouchjoin/control/sqlite"
)

// BenchmarkOverview serves the overview of a company with 1,000 rooms from
// SQLite, as a signed-in administrator gets it. KB/page is its size without
// compression.
func BenchmarkOverview(b *testing.B) {
	ctx := b.Context()
	store, err := sqlite.Open(ctx, filepath.Join(b.TempDir(), "centre.db"))
	require.NoError(b, err)
	b.Cleanup(func() { store.Close() })
	keys, err := control.NewKeys()
	require.NoError(b, err)
	live := &service{states: map[string]control.LiveState{}, events: map[string][]calendar.Event{}}
	centre, err := control.New(store, keys, &control.Options{Live: live, Folders: []string{"/srv"}})
	require.NoError(b, err)
	org, user, err := centre.Setup(ctx, control.Company, "Acme", "ann@acme.example", "Ann")
	require.NoError(b, err)
	ann := control.Actor{User: user}
	_, err = centre.SaveProvider(ctx, ann, control.Provider{Company: org.ID, Name: "Files", Kind: control.ICSFolder, Folder: "/srv/acme"})
	require.NoError(b, err)
	mailboxes, systems := "address\n", "name,kind,mailbox,enabled\n"
	for i := range 1000 {
		mailboxes += fmt.Sprintf("room%04d@acme.example\n", i)
		systems += fmt.Sprintf("Meeting room %d on floor %d,feed,room%04d@acme.example,yes\n", i, i/40, i)
	}
	in, err := centre.ImportMailboxes(ctx, ann, org.ID, control.CSV{Data: []byte(mailboxes), Commit: true})
	require.NoError(b, err)
	require.True(b, in.Committed)
	in, err = centre.ImportSystems(ctx, ann, org.ID, control.CSV{Data: []byte(systems), Commit: true})
	require.NoError(b, err)
	require.True(b, in.Committed)
	for after := ""; ; {
		p, err := centre.Systems(ctx, ann, org.ID, after, control.PageLimit)
		require.NoError(b, err)
		for i, s := range p.Items {
			if i%10 == 0 {
				live.states[s.ID] = control.LiveState{Problem: "the device has not been seen for 3 hours"}
			} else {
				live.states[s.ID] = control.LiveState{}
			}
		}
		if after = p.Next; after == "" {
			break
		}
	}
	secret, err := centre.SignInLink(ctx, "ann@acme.example")
	require.NoError(b, err)
	session, err := centre.SignInByLink(ctx, secret, "")
	require.NoError(b, err)
	site := console.New(centre, &console.Options{Guard: api.NewGuard(&api.GuardOptions{Rate: 1e9, Burst: 1e9})})

	size := 0
	for b.Loop() {
		req := httptest.NewRequestWithContext(ctx, http.MethodGet, "/o/"+org.ID, nil)
		req.AddCookie(api.NewSessionCookie(session))
		w := httptest.NewRecorder()
		site.ServeHTTP(w, req)
		require.Equal(b, http.StatusOK, w.Code)
		size = w.Body.Len()
	}
	require.Less(b, size, 100_000)
	b.ReportMetric(float64(size)/1000, "KB/page")
}
