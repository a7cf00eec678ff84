package browsertest

import (
	"context"
	"fmt"
	"net"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/onetouchjoin/onetouchjoin/control"
	"github.com/onetouchjoin/onetouchjoin/control/api"
	"github.com/onetouchjoin/onetouchjoin/control/console"
	"github.com/onetouchjoin/onetouchjoin/control/storetest"
)

// zone is a DNS of TXT records.
type zone map[string][]string

func (z zone) LookupTXT(_ context.Context, name string) ([]string, error) {
	if r, ok := z[name]; ok {
		return r, nil
	}
	return nil, &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}
}

// TestPagesOfAPartner looks at the pages that the walk through the set-up of a
// company does not come by: those of a partner, and lists that are empty.
func TestPagesOfAPartner(t *testing.T) {
	keys, err := control.NewKeys()
	require.NoError(t, err)
	centre, err := control.New(new(storetest.Memory), keys, &control.Options{Resolver: zone{}, Folders: []string{"/srv"}})
	require.NoError(t, err)
	site := httptest.NewTLSServer(console.New(centre, &console.Options{
		Guard: api.NewGuard(&api.GuardOptions{Rate: 1e6, Burst: 1e6}), OpenID: &console.OpenID{Name: "Example ID", Path: "/sign-in/openid"},
	}))
	t.Cleanup(site.Close)
	b := newTab(t)
	b.open(site.URL)
	b.look("sign-in-openid")

	ctx := t.Context()
	msp, boss, err := centre.Setup(ctx, control.Partner, "Rooms & Screens Ltd", "boss@msp.example", "Bo Berg")
	require.NoError(t, err)
	secret, err := centre.SignInLink(ctx, "boss@msp.example")
	require.NoError(t, err)
	b.open(site.URL + console.SignInPath(secret))
	b.look("sign-in-link")
	b.click("Sign in")
	b.look("companies-none")
	for i := range 14 {
		_, err := centre.CreateCompany(ctx, control.Actor{User: boss}, msp.ID, fmt.Sprintf("Company %c", 'A'+i))
		require.NoError(t, err)
	}
	b.open(site.URL)
	b.look("companies")
	b.open(site.URL + "/companies")
	b.look("companies-all")
	b.click("Company A")
	for _, p := range []string{"systems", "tenants", "providers", "mailboxes", "groups", "users", "general"} {
		require.Equal(t, int64(200), b.open(b.org()+"/"+p))
		b.look("empty-" + p)
	}
	assert.Equal(t, int64(404), b.open(site.URL+"/nowhere"))
	b.sound()
}

// org is the address of the organization whose page the tab shows.
func (b *tab) org() string {
	return run[string](b, "location.origin + location.pathname.split('/').slice(0, 3).join('/')")
}
