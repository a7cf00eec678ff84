package control

import "context"

// Consent is what the Centre needs of the calendar system to get and check an
// administrator's consent. Package calendar/msgraph has it for Microsoft 365.
type Consent interface {
	// URL is the page on which a Global Administrator of the tenant with the
	// given domain agrees. It ends at the redirect address with state.
	URL(domain, state string) string
	// Check reports whether tenantID is the tenant of the domain, and whether the
	// application can get a token for it: what the browser brings back is not
	// believed.
	Check(ctx context.Context, domain, tenantID string) error
}
