// Package msgraph reads the calendars of Microsoft 365 rooms over Microsoft
// Graph, on net/http alone. Its only dependency is azcore, for the interface that
// the credentials of azidentity have.
//
// # A room's day
//
//	package main
//
//	import (
//		"context"
//		"fmt"
//		"log"
//		"os"
//		"time"
//
//		"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
//		"github.com/onetouchjoin/onetouchjoin/calendar"
//		"github.com/onetouchjoin/onetouchjoin/calendar/msgraph"
//	)
//
//	func main() {
//		// AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET.
//		cred, err := azidentity.NewEnvironmentCredential(nil)
//		if err != nil {
//			log.Fatal(err)
//		}
//		rooms := msgraph.New(cred, nil)
//		if len(os.Args) != 2 {
//			log.Fatal("give the mail address of a room")
//		}
//		now := time.Now()
//		day := time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, time.Local)
//		events, err := rooms.Events(context.Background(), os.Args[1], calendar.Window{From: day, To: day.AddDate(0, 0, 1)})
//		if err != nil {
//			log.Print(err) // events may be there all the same: see calendar.PartialError
//		}
//		for _, e := range events {
//			fmt.Println(e.Start.Local().Format("15:04"), e.Subject, e.Organizer.Email)
//		}
//	}
//
// The argument is the room's mail address, or the object ID of its user. Any
// credential of azidentity will do: a client secret, a certificate, a managed or a
// workload identity. Package graphtest of calendartest is a Microsoft 365 to try
// it with, in a test; the example of this package shows how.
//
// # What the app must be allowed
//
// Register an app in Entra, and give it the application permission Calendars.Read,
// nothing else, in one of two ways: by RBAC for Applications in Exchange Online,
// for the rooms only; or by consent in Entra, for every mailbox of the tenant,
// which an application access policy in Exchange then limits to the rooms.
//
// Grants add up. An app that has Calendars.Read by consent in Entra reads every
// mailbox, whatever scope RBAC for Applications gives it: with RBAC, remove the
// consent. [Provider.CheckAccess] says for a mailbox whether it can be read, and
// otherwise what to change. A change can take two hours to have an effect.
//
// # Errors
//
// Errors are [*calendar.Error]s. They wrap a sentinel of package calendar, such as
// [calendar.ErrForbidden], for programs; have a sentence on what to do, for
// administrators; and have the time to wait, where Graph or the quota says one.
// Inside is a [*Refusal] with its [Cause] where Graph or Entra has answered:
//
//	var ref *msgraph.Refusal
//	if errors.As(err, &ref) && ref.Cause == msgraph.SecretExpired {
//
// # Changes only
//
// [Provider.Sync] returns what has changed since the last time. Windows up to two
// days it reads whole, which is one request; for longer ones it asks Graph for
// changes by a delta query, one request too if there are none. A [Webhook] makes a
// [Notifier] of a provider, so that Graph tells of changes by itself; sites that
// Graph cannot reach poll.
//
// # Quota and limits
//
// A provider makes at most four requests at a time for a mailbox, as Outlook
// demands, and as many for all mailboxes as the tenant turns out to bear. It waits
// as long as Graph asks for, in $batch too, if that is short, and returns
// [calendar.ErrThrottled] with the time otherwise. It never makes more requests in
// 24 hours than [Options.DailyQuota]: a tenth of the quota may be used at once, the
// rest comes evenly. What the quota allows as an interval between two readings is
// [Provider.PollInterval], and [Provider.Status] shows the arithmetic:
//
//	interval = mailboxes × requests per reading × 86,400 s ÷ (0.8 × daily quota)
//
// With the default quota of 1,000,000 requests, 1,000 rooms can be read every 108 s
// and 10,000 rooms every 18 minutes.
//
// # Clouds and proxies
//
// [Options.Cloud] chooses among Microsoft's clouds: [Global], [GCCHigh], [DoD] and
// [China]. Make the credential for the same authority. [Options.Proxy] is the proxy
// of one provider; give the client of [Options.Client] to the credential too:
//
//	opts := &msgraph.Options{Cloud: msgraph.GCCHigh, Proxy: proxy}
//	cred, err := azidentity.NewClientSecretCredential(tenant, id, secret, &azidentity.ClientSecretCredentialOptions{
//		ClientOptions: azcore.ClientOptions{
//			Cloud:     cloud.Configuration{ActiveDirectoryAuthorityHost: opts.Cloud.Authority},
//			Transport: opts.Client(),
//		},
//	})
//
// # Many tenants
//
// A provider is for one tenant. [Consent] gets an app that several use into a
// tenant: it makes the link for the administrator and checks what comes back.
package msgraph
