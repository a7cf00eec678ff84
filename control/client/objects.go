package client

import (
	"context"
	"iter"
	"net/http"
	"net/url"
	"strconv"

	"github.com/onetouchjoin/onetouchjoin/calendar"
	"github.com/onetouchjoin/onetouchjoin/control"
)

// Kind is a kind of object that organizations have: it lists, reads, makes,
// changes and deletes them.
type Kind[T any] struct {
	c      *Client
	org    string
	plural string
	meta   func(*T) *control.Meta
}

// Providers are the calendar systems of an organization.
func (c *Client) Providers(org string) Kind[control.Provider] {
	return Kind[control.Provider]{c, org, "providers", func(v *control.Provider) *control.Meta { return &v.Meta }}
}

// Mailboxes are the mailboxes of an organization.
func (c *Client) Mailboxes(org string) Kind[control.Mailbox] {
	return Kind[control.Mailbox]{c, org, "mailboxes", func(v *control.Mailbox) *control.Meta { return &v.Meta }}
}

// Systems are the video systems of an organization.
func (c *Client) Systems(org string) Kind[control.System] {
	return Kind[control.System]{c, org, "systems", func(v *control.System) *control.Meta { return &v.Meta }}
}

// Groups are the groups of video systems of an organization.
func (c *Client) Groups(org string) Kind[control.Group] {
	return Kind[control.Group]{c, org, "groups", func(v *control.Group) *control.Meta { return &v.Meta }}
}

// AlarmHooks are the addresses that are told of an organization's alarms.
func (c *Client) AlarmHooks(org string) Kind[control.AlarmHook] {
	return Kind[control.AlarmHook]{c, org, "alarm-hooks", func(v *control.AlarmHook) *control.Meta { return &v.Meta }}
}

// Page returns a page of the list, of 1 to 200 objects; after is the Next of the
// page before.
func (k Kind[T]) Page(ctx context.Context, after string, limit int) (control.Page[T], error) {
	q := url.Values{"limit": {strconv.Itoa(limit)}}
	if after != "" {
		q.Set("after", after)
	}
	l, err := fetch[items[T]](ctx, k.c, http.MethodGet, k.list()+"?"+q.Encode(), "", nil)
	return control.Page[T]{Items: l.Items, Next: l.Next, Total: l.Total}, err
}

// All goes through all objects, page by page. It ends with the first error.
func All[T any](ctx context.Context, k Kind[T]) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for next := ""; ; {
			p, err := k.Page(ctx, next, control.PageLimit)
			if err != nil {
				var none T
				yield(none, err)
				return
			}
			for _, v := range p.Items {
				if !yield(v, nil) {
					return
				}
			}
			if next = p.Next; next == "" {
				return
			}
		}
	}
}

// Get reads an object.
func (k Kind[T]) Get(ctx context.Context, id string) (T, error) {
	return fetch[T](ctx, k.c, http.MethodGet, k.one(id), "", nil)
}

// Create makes an object and returns it as it was stored.
func (k Kind[T]) Create(ctx context.Context, v T) (T, error) {
	return fetch[T](ctx, k.c, http.MethodPost, k.list(), "", v)
}

// Change stores v in place of what was read at its revision. It is
// control.ErrStale if somebody else was faster.
func (k Kind[T]) Change(ctx context.Context, v T) (T, error) {
	m := k.meta(&v)
	return fetch[T](ctx, k.c, http.MethodPut, k.one(m.ID), etag(m.Revision), v)
}

// Consequences says what deleting an object would take along.
func (k Kind[T]) Consequences(ctx context.Context, id string) ([]control.Consequence, error) {
	return listed[control.Consequence](ctx, k.c, http.MethodGet, k.one(id)+"/consequences", nil)
}

// Delete deletes an object at a revision, and what Consequences names.
func (k Kind[T]) Delete(ctx context.Context, id string, revision int64) error {
	return k.c.call(ctx, http.MethodDelete, k.one(id), etag(revision), nil, nil)
}

func (k Kind[T]) list() string         { return "/orgs/" + url.PathEscape(k.org) + "/" + k.plural }
func (k Kind[T]) one(id string) string { return "/" + k.plural + "/" + url.PathEscape(id) }

// Me returns the user that the token belongs to.
func (c *Client) Me(ctx context.Context) (control.User, error) {
	return fetch[control.User](ctx, c, http.MethodGet, "/me", "", nil)
}

// Orgs returns the organizations that the user may see.
func (c *Client) Orgs(ctx context.Context) ([]control.Org, error) {
	return listed[control.Org](ctx, c, http.MethodGet, "/orgs", nil)
}

// Org reads an organization.
func (c *Client) Org(ctx context.Context, id string) (control.Org, error) {
	return fetch[control.Org](ctx, c, http.MethodGet, "/orgs/"+url.PathEscape(id), "", nil)
}

// ProviderQuota says how a Microsoft 365 provider gets on with its quota.
func (c *Client) ProviderQuota(ctx context.Context, provider string) (control.Quota, error) {
	return fetch[control.Quota](ctx, c, http.MethodGet, "/providers/"+url.PathEscape(provider)+"/quota", "", nil)
}

// Tenants returns the tenants of an organization.
func (c *Client) Tenants(ctx context.Context, org string) ([]control.Tenant, error) {
	return listed[control.Tenant](ctx, c, http.MethodGet, inOrg(org, "tenants"), nil)
}

// CreateTenant adds a domain, which has to be proved by a TXT record.
func (c *Client) CreateTenant(ctx context.Context, org, domain string) (control.Tenant, error) {
	return fetch[control.Tenant](ctx, c, http.MethodPost, inOrg(org, "tenants"), "", map[string]string{"domain": domain})
}

// VerifyTenant looks for the TXT record of a tenant's domain.
func (c *Client) VerifyTenant(ctx context.Context, id string) (control.Tenant, error) {
	return fetch[control.Tenant](ctx, c, http.MethodPost, "/tenants/"+url.PathEscape(id)+"/verify", "", nil)
}

// ConsentLink makes the link at which a Global Administrator agrees.
func (c *Client) ConsentLink(ctx context.Context, provider string) (string, error) {
	out, err := fetch[struct {
		URL string `json:"url"`
	}](ctx, c, http.MethodPost, "/providers/"+url.PathEscape(provider)+"/consent-link", "", nil)
	return out.URL, err
}

// SetPassword stores the password of a device that is called. An empty one takes
// it away.
func (c *Client) SetPassword(ctx context.Context, system string, password calendar.Secret) error {
	return c.call(ctx, http.MethodPut, "/systems/"+url.PathEscape(system)+"/password", "", map[string]string{"password": string(password)}, nil)
}

// NewPassword generates the password of a system that calls the service and
// returns it; it is never given out again.
func (c *Client) NewPassword(ctx context.Context, system string) (calendar.Secret, error) {
	out, err := fetch[struct {
		Password string `json:"password"`
	}](ctx, c, http.MethodPost, "/systems/"+url.PathEscape(system)+"/new-password", "", nil)
	return calendar.Secret(out.Password), err
}

// NewAlarmHookKey generates the key that messages to an address are signed with
// and returns it; it is never given out again.
func (c *Client) NewAlarmHookKey(ctx context.Context, hook string) (calendar.Secret, error) {
	out, err := fetch[struct {
		Key string `json:"key"`
	}](ctx, c, http.MethodPost, "/alarm-hooks/"+url.PathEscape(hook)+"/new-key", "", nil)
	return calendar.Secret(out.Key), err
}

func inOrg(org, what string) string { return "/orgs/" + url.PathEscape(org) + "/" + what }
