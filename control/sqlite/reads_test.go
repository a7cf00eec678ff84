package sqlite_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/onetouchjoin/onetouchjoin/calendar"
	"github.com/onetouchjoin/onetouchjoin/control"
	"github.com/onetouchjoin/onetouchjoin/control/api"
	"github.com/onetouchjoin/onetouchjoin/control/sqlite"
)

// office fills a store with companies of a partner, each with systems and their
// mailboxes, and returns a token of a user of each of the first companies.
func office(b *testing.B, store *sqlite.Store, centre *control.Centre, companies, systems int) (tokens []calendar.Secret, orgs []string) {
	b.Helper()
	put := func(tx control.Tx, kind, id, owner, key string, v any) {
		data, err := json.Marshal(v)
		require.NoError(b, err)
		_, err = tx.Put(control.Record{Kind: kind, ID: id, Owner: owner, Key: key, Data: data})
		require.NoError(b, err)
	}
	const withUser = 20
	require.NoError(b, store.Update(b.Context(), func(tx control.Tx) error {
		for c := range companies {
			org := fmt.Sprintf("company%06d", c)
			orgs = append(orgs, org)
			put(tx, "org", org, "msp", "", control.Org{Kind: control.Company, Name: org, Partner: "msp", Enabled: true})
			put(tx, "provider", org+"p", org, "files", control.Provider{Company: org, Name: "files", Kind: control.ICSFolder})
			for i := range systems {
				m := fmt.Sprintf("%s-m%04d", org, i)
				address := fmt.Sprintf("room%04d@%s.example", i, org)
				put(tx, "mailbox", m, org, address, control.Mailbox{Company: org, Provider: org + "p", Address: address, Kind: control.RoomMailbox})
				name := fmt.Sprintf("room %04d", i)
				put(tx, "system", fmt.Sprintf("%s-s%04d", org, i), org, name, control.System{Company: org, Name: name, Kind: control.CiscoHTTPS, Mailbox: m, Host: "room.example.com", Enabled: true})
			}
			if c < withUser {
				u := control.User{Org: org, Email: org + "@example.com"}
				for _, r := range control.Roles {
					u.Grants = append(u.Grants, control.Grant{Org: org, Role: r})
				}
				put(tx, "user", org+"u", org, u.Email, u)
				put(tx, "email", org+"u", "", u.Email, struct{}{})
			}
		}
		return nil
	}))
	for c := range withUser {
		u := control.User{Meta: control.Meta{ID: orgs[c] + "u"}, Org: orgs[c]}
		for _, r := range control.Roles {
			u.Grants = append(u.Grants, control.Grant{Org: orgs[c], Role: r})
		}
		_, text, err := centre.CreateToken(b.Context(), control.Actor{User: u}, "bench", control.Actions[:], time.Hour)
		require.NoError(b, err)
		tokens = append(tokens, text)
	}
	return tokens, orgs
}

// BenchmarkReads is the API on one core with 1,000 companies and 100,000 rooms, at
// 200 requests a second, whether or not earlier ones are done. Times count from
// when a request was due. Run it with -benchtime=4000x or more.
func BenchmarkReads(b *testing.B) {
	store, err := sqlite.Open(b.Context(), filepath.Join(b.TempDir(), "otj.db"))
	require.NoError(b, err)
	defer store.Close()
	keys, err := control.NewKeys()
	require.NoError(b, err)
	centre, err := control.New(store, keys, nil)
	require.NoError(b, err)
	tokens, orgs := office(b, store, centre, 1000, 100)
	server := api.New(centre, &api.Options{Guard: api.NewGuard(&api.GuardOptions{Rate: 1e6, Burst: 1e6})})
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))

	const rate = 200
	var mu sync.Mutex
	took := map[string][]time.Duration{}
	var wg sync.WaitGroup
	began := time.Now()
	b.ResetTimer()
	for i := range b.N {
		due := began.Add(time.Duration(i) * time.Second / rate)
		time.Sleep(time.Until(due))
		c := i % len(tokens)
		kinds := []struct{ name, path string }{
			{"list", "/orgs/" + orgs[c] + "/systems?limit=50"}, {"get", fmt.Sprintf("/systems/%s-s%04d", orgs[c], i%100)},
			{"list", "/orgs/" + orgs[c] + "/mailboxes?limit=50"}, {"get", fmt.Sprintf("/mailboxes/%s-m%04d", orgs[c], i%100)},
			{"get", "/me"}, {"get", "/orgs/" + orgs[c]}, {"get", "/orgs/" + orgs[c] + "/processing"}, {"overview", "/orgs/" + orgs[c] + "/overview"},
		}
		k := kinds[(i/len(tokens))%len(kinds)]
		wg.Go(func() {
			r := httptest.NewRequestWithContext(b.Context(), http.MethodGet, "/api/v1"+k.path, nil)
			r.Header.Set("Authorization", "Bearer "+string(tokens[c]))
			rec := httptest.NewRecorder()
			server.ServeHTTP(rec, r)
			d := time.Since(due)
			if rec.Code != http.StatusOK {
				b.Errorf("%s: %d %s", k.path, rec.Code, rec.Body)
			}
			mu.Lock()
			took[k.name] = append(took[k.name], d)
			took["all"] = append(took["all"], d)
			mu.Unlock()
		})
	}
	wg.Wait()
	b.StopTimer()
	for name, list := range took {
		slices.Sort(list)
		b.ReportMetric(float64(list[len(list)/2].Microseconds())/1000, name+"-p50-ms")
		b.ReportMetric(float64(list[len(list)*99/100].Microseconds())/1000, name+"-p99-ms")
	}
}
