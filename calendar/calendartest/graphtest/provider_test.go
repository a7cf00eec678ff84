package graphtest_test

import (
	"context"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/stretchr/testify/require"

	"github.com/onetouchjoin/onetouchjoin/calendar/calendartest"
	"github.com/onetouchjoin/onetouchjoin/calendar/calendartest/graphtest"
	"github.com/onetouchjoin/onetouchjoin/calendar/msgraph"
)

// options point azidentity at the fake.
func options(site *graphtest.Site) azcore.ClientOptions {
	return azcore.ClientOptions{
		Cloud:     cloud.Configuration{ActiveDirectoryAuthorityHost: site.URL},
		Transport: site.Client(),
		Retry:     policy.RetryOptions{MaxRetries: -1},
	}
}

func secretCredential(t testing.TB, site *graphtest.Site) azcore.TokenCredential {
	t.Helper()
	cred, err := azidentity.NewClientSecretCredential(site.Tenant.ID(), site.App.ClientID(), string(site.Secret),
		&azidentity.ClientSecretCredentialOptions{ClientOptions: options(site), DisableInstanceDiscovery: true})
	require.NoError(t, err)
	return cred
}

// The light provider reads from the fake, with Microsoft's own client of Entra.
func TestContractOfLightProvider(t *testing.T) {
	calendartest.Run(t, func() (*calendartest.Harness, error) {
		site := graphtest.NewSite(&graphtest.Options{PageSize: 2})
		p := msgraph.New(secretCredential(t, site), &msgraph.Options{Cloud: msgraph.Cloud{Graph: site.URL}, Transport: site.Client().Transport})
		return site.Harness(p), nil
	})
}

func getToken(site *graphtest.Site, cred azcore.TokenCredential) (string, error) {
	tk, err := cred.GetToken(context.Background(), policy.TokenRequestOptions{Scopes: []string{site.URL + "/.default"}})
	return tk.Token, err
}
