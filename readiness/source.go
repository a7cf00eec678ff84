package readiness

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/onetouchjoin/onetouchjoin/calendar"
	"github.com/onetouchjoin/onetouchjoin/rules"
)

// Domain says whether a company has proved that a domain is its own. Record is
// the value of the TXT record that proves it, and why what the last look at the
// DNS has seen; both may be empty.
func Domain(domain string, verified bool, record, why string) Finding {
	f := Finding{Check: "domain", Subject: domain, Result: Pass, Why: "The domain is verified."}
	if verified {
		return f
	}
	f.Result, f.Why = Fail, "The domain is not verified, so no Microsoft 365 provider can be made for it."
	if why != "" {
		f.Why += " " + why
	}
	f.Fix = "Add the TXT record at the domain's DNS provider, and verify the domain again. A change can take an hour to be seen."
	f.Command = record
	return f
}

// Consent says whether an administrator of the tenant has agreed that a provider
// reads calendars.
func Consent(provider string, granted, refused bool) Finding {
	f := Finding{Check: "consent", Subject: provider, Result: Pass, Why: "A Global Administrator has agreed that calendars may be read."}
	switch {
	case granted:
	case refused:
		f.Result, f.Why = Fail, "A Global Administrator was asked to agree that calendars may be read, and has refused."
		f.Fix = "Talk to the administrator: the application asks for the permission Calendars.Read only, and can be limited to the rooms. Then make a new consent link."
	default:
		f.Result, f.Why = Fail, "No Global Administrator has agreed yet that calendars may be read."
		f.Fix = "Agree as a Global Administrator, or send the consent link to one."
	}
	return f
}

// Calendar says what reading a mailbox for some days has given: how many events,
// and the error that the provider returned, which may be a
// [*calendar.PartialError].
func Calendar(mailbox string, events int, err error) Finding {
	f := Finding{Check: "calendar", Subject: mailbox, Result: Pass, Why: fmt.Sprintf("The calendar can be read. Events found: %d.", events)}
	if err == nil {
		return f
	}
	var partial *calendar.PartialError
	if errors.As(err, &partial) {
		f.Result, f.Why, f.Fix = Warn, "The calendar can be read, but not all of its events: "+sentence(err.Error()),
			"Ask the organizers to send these meetings again. Until then they keep what they last were."
		return f
	}
	f.Result = Fail
	known := true
	switch {
	case errors.Is(err, calendar.ErrNotFound):
		f.Why = "There is no such mailbox, or it has no calendar in this system."
		f.Fix = "Correct the address. A mailbox on an Exchange server of one's own cannot be read through Microsoft 365, also not in a hybrid organization."
	case errors.Is(err, calendar.ErrForbidden):
		f.Why = "The calendar system knows this program, and does not let it read this mailbox: the mailbox is out of scope, or the consent lacks a permission."
		f.Fix = "Add the mailbox to the security group of the rooms. A change of a policy can take two hours. If no mailbox can be read, agree to Calendars.Read again."
	case errors.Is(err, calendar.ErrUnauthorized):
		f.Why = "The calendar system does not accept the credentials of this program."
		f.Fix = "See whether the secret or the certificate has run out, and whether the consent was withdrawn."
	case errors.Is(err, calendar.ErrThrottled):
		f.Result, f.Why = Warn, "The calendar system asks for fewer requests."
		f.Fix = "Wait. If it comes again and again, lower the provider's daily quota: calendars are then read less often."
	case errors.Is(err, calendar.ErrUnavailable):
		f.Why = "The calendar system cannot be reached, or has failed."
		f.Fix = "See whether the network, the proxy and the firewall let this program through, and look at the status page of the calendar system."
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		f.Result, f.Why, f.Fix = Unknown, "The calendar was not read in time.", "Run the check again."
		return f
	default:
		known = false
		f.Why = "The calendar cannot be read."
		f.Fix = "See to it that the calendar is there, and that this program may read it."
	}
	var e *calendar.Error
	if errors.As(err, &e) {
		if e.Fix != "" {
			f.Fix = e.Fix
		}
		if known && e.RetryAfter > 0 {
			f.Fix += fmt.Sprintf(" The next request is allowed in %v.", e.RetryAfter)
		}
		f.Why += " " + sentence(e.Err.Error())
	} else {
		f.Why += " " + sentence(err.Error())
	}
	return f
}

// sentence makes a sentence of an error.
func sentence(s string) string {
	s = strings.TrimSpace(s)
	if s == "" || strings.HasSuffix(s, ".") {
		return s
	}
	return s + "."
}

// Invites says what a room's events tell of what happens to invites on their
// way: what its mailbox does with them, as [Infer] does, and which gateways
// rewrite their links, as [Rewriters] does. A nil engine is the default one.
func Invites(mailbox string, events []calendar.Event, engine *rules.Engine) []Finding {
	if engine == nil {
		engine = rules.Default()
	}
	undone, opaque := map[string]string{}, map[string]string{}
	for i := range events {
		for _, s := range engine.Explain(&events[i]).Findings {
			switch {
			case s.Gateway == "":
			case s.Kind == "hidden":
				opaque[s.Gateway] = ""
			default:
				if undone[s.Gateway] == "" {
					undone[s.Gateway] = hostOf(s.After)
				}
			}
		}
	}
	return append(Infer(mailbox, events), Rewriters(mailbox, undone, opaque)...)
}

func hostOf(link string) string {
	u, err := url.Parse(link)
	if err != nil {
		return ""
	}
	return u.Hostname()
}
