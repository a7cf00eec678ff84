package msgraph_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/onetouchjoin/onetouchjoin/calendar"
	"github.com/onetouchjoin/onetouchjoin/calendar/calendartest"
	"github.com/onetouchjoin/onetouchjoin/calendar/calendartest/graphtest"
	"github.com/onetouchjoin/onetouchjoin/calendar/msgraph"
)

// app is a credential that needs no fake of Entra.
type app struct{ site *graphtest.Site }

func (a app) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{Token: a.site.Tenant.Token(a.site.App), ExpiresOn: time.Now().Add(time.Hour)}, nil
}

var (
	monday = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	week   = calendar.Window{From: monday, To: monday.AddDate(0, 0, 7)}
)

// local is the fake without a network: a provider's options for it.
func local(s *graphtest.Site) *msgraph.Options {
	return &msgraph.Options{Cloud: msgraph.Cloud{Graph: "https://graph.example", Authority: "https://graph.example"}, Transport: s.Transport()}
}

// quiet is a site that a test in a bubble of synctest can have.
func quiet(opts *graphtest.Options) *graphtest.Site {
	s := graphtest.New(opts)
	site := &graphtest.Site{Server: s, Tenant: s.AddTenant("example.com"), App: s.AddApp("Rooms")}
	site.Tenant.Consent(site.App, graphtest.CalendarsRead)
	site.Room, site.Other = site.Tenant.AddMailbox("fjord@example.com"), site.Tenant.AddMailbox("annex@example.com")
	return site
}

func TestContract(t *testing.T) {
	for name, o := range map[string]graphtest.Options{
		"plain": {}, "small pages": {PageSize: 1, MaxPageSize: 2, OmitOldMasters: true}, "all removals": {ListRemovedOccurrences: true}, "sparse": {SparseSeriesUpdates: true},
	} {
		t.Run(name, func(t *testing.T) {
			// In a bubble, so that what Graph wants to be waited for takes no time.
			synctest.Test(t, func(t *testing.T) {
				require.NoError(t, calendartest.Test(func() (*calendartest.Harness, error) {
					site := quiet(&o)
					opts := local(site)
					opts.PageSize = o.MaxPageSize
					return site.Harness(msgraph.New(app{site}, opts)), nil
				}))
			})
		})
	}
}

// What the options cannot be is said by every call, and nothing is sent.
func TestBadOptions(t *testing.T) {
	site := quiet(nil)
	for want, o := range map[string]msgraph.Options{
		`read calendar of fjord@example.com: the daily quota is 9999; it is 10000 to 10000000. Correct the configuration.`: {DailyQuota: 9_999},
		`the daily quota is 10000001`:                                              {DailyQuota: 10_000_001},
		`the address of Graph, "graph.microsoft.com", is not an https address`:     {Cloud: msgraph.Cloud{Graph: "graph.microsoft.com"}},
		`the address of Graph, "https://a:b@x", is not an https address`:           {Cloud: msgraph.Cloud{Graph: "https://a:b@x"}},
		`"http://graph.example", must begin with https`:                            {Cloud: msgraph.Cloud{Graph: "http://graph.example"}},
		`the proxy "ftp://me:xxxxx@proxy" is not an http, https or socks5 address`: {Proxy: &url.URL{Scheme: "ftp", Host: "proxy", User: url.UserPassword("me", "pw")}},
	} {
		_, err := msgraph.New(app{site}, &o).Events(t.Context(), "fjord@example.com", week)
		require.ErrorContains(t, err, want)
	}
	require.EqualError(t, msgraph.New(nil, local(site)).CheckAccess(t.Context(), "fjord@example.com"),
		"read calendar of fjord@example.com: there is no credential to ask Entra for a token with. Correct the configuration.")
	for _, mailbox := range []string{"", " ", ".", ".."} {
		p := msgraph.New(app{site}, local(site))
		_, err := p.Events(t.Context(), mailbox, week)
		require.ErrorIs(t, err, calendar.ErrNotFound)
		require.ErrorIs(t, p.CheckAccess(t.Context(), mailbox), calendar.ErrNotFound)
	}
	assert.Zero(t, site.Stats().Requests)
}

func TestParseCloud(t *testing.T) {
	for name, want := range map[string]msgraph.Cloud{"": msgraph.Global, "GCC": msgraph.Global, "gcc-high": msgraph.GCCHigh, "DoD": msgraph.DoD, "china": msgraph.China} {
		got, err := msgraph.ParseCloud(name)
		require.NoError(t, err)
		assert.Equal(t, want, got)
	}
	_, err := msgraph.ParseCloud("germany")
	require.EqualError(t, err, `msgraph: "germany" is no cloud of Microsoft's; there are global, gcc, gcc-high, dod and china`)
}

// add puts n meetings, an hour apart, into a mailbox.
func add(m *graphtest.Mailbox, n int) {
	for i := range n {
		m.AddSingle(graphtest.Event{Subject: fmt.Sprint("Meeting ", i), Start: monday.Add(time.Duration(i) * time.Hour), HTML: "<p>Agenda</p>"})
	}
}

// answering answers every request with a text.
type answering string

func (a answering) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(string(a))), Request: r}, nil
}
