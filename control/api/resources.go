package api

import (
	"context"
	"net/http"
	"time"

	"github.com/onetouchjoin/onetouchjoin/calendar"
	"github.com/onetouchjoin/onetouchjoin/control"
)

func (s *Server) organizations() {
	const tag = "Organizations"
	register(s, op(http.MethodGet, "/orgs", "list-orgs", "List the organizations that you may see", tag, 200),
		func(ctx context.Context, _ *struct{}) (*list[control.Org], error) {
			orgs, err := s.centre.Orgs(ctx, actorOf(ctx))
			return listOf(orgs), err
		})
	register(s, op(http.MethodPost, "/orgs/{org}/companies", "create-company", "Make a company of a partner", tag, 201, http.StatusConflict),
		func(ctx context.Context, in *struct {
			OrgInput
			Body struct {
				Name string `json:"name" required:"true"`
			}
		}) (*item[control.Org], error) {
			o, err := s.centre.CreateCompany(ctx, actorOf(ctx), in.Org, in.Body.Name)
			return &item[control.Org]{etag(o.Revision), o}, err
		})
	register(s, op(http.MethodGet, "/orgs/{id}", "get-org", "Read an organization", tag, 200),
		func(ctx context.Context, in *IDInput) (*item[control.Org], error) {
			o, err := s.centre.Org(ctx, actorOf(ctx), in.ID)
			return &item[control.Org]{etag(o.Revision), o}, err
		})
	register(s, op(http.MethodPatch, "/orgs/{id}", "change-org", "Change an organization; what is missing stays", tag, 200),
		func(ctx context.Context, in *struct {
			IDInput
			AtRevision
			Body struct {
				Name                *string `json:"name,omitempty"`
				Enabled             *bool   `json:"enabled,omitempty" doc:"One-Touch Join works for this company"`
				PartnerSeesSubjects *bool   `json:"partner_sees_subjects,omitempty" doc:"Users of the partner see subjects of meetings"`
			}
		}) (*item[control.Org], error) {
			revision, err := in.revision()
			if err != nil {
				return nil, err
			}
			o, err := s.centre.ChangeOrg(ctx, actorOf(ctx), in.ID, revision, control.OrgChange(in.Body))
			return &item[control.Org]{etag(o.Revision), o}, err
		})
	s.removal("org", "orgs", tag)

	register(s, op(http.MethodGet, "/orgs/{org}/audit", "list-audit", "List changes, the newest first", tag, 200),
		func(ctx context.Context, in *PageInput) (*pageOf[control.AuditEntry], error) {
			p, err := s.centre.Audit(ctx, actorOf(ctx), in.Org, in.After, in.Limit)
			return newPage(p), err
		})
}

func (s *Server) calendars() {
	const tag = "Calendars"
	register(s, op(http.MethodGet, "/orgs/{org}/tenants", "list-tenants", "List tenants", tag, 200),
		func(ctx context.Context, in *OrgInput) (*list[control.Tenant], error) {
			l, err := s.centre.Tenants(ctx, actorOf(ctx), in.Org)
			return listOf(l), err
		})
	register(s, op(http.MethodPost, "/orgs/{org}/tenants", "create-tenant", "Add a tenant by its domain, which has to be proved", tag, 201, http.StatusConflict),
		func(ctx context.Context, in *struct {
			OrgInput
			Body struct {
				Domain string `json:"domain" required:"true"`
			}
		}) (*item[control.Tenant], error) {
			t, err := s.centre.CreateTenant(ctx, actorOf(ctx), in.Org, in.Body.Domain)
			return &item[control.Tenant]{etag(t.Revision), t}, err
		})
	register(s, op(http.MethodPost, "/tenants/{id}/verify", "verify-tenant", "Look for the TXT record of the domain", tag, 200),
		func(ctx context.Context, in *IDInput) (*item[control.Tenant], error) {
			t, err := s.centre.VerifyTenant(ctx, actorOf(ctx), in.ID)
			return &item[control.Tenant]{etag(t.Revision), t}, err
		})
	s.removal("tenant", "tenants", tag)

	crud[control.Provider]{
		kind: "provider", plural: "providers", tag: tag,
		list: everything(s.centre.Providers), get: s.centre.Provider, save: s.centre.SaveProvider,
		meta: func(p *control.Provider) (*control.Meta, *string) { return &p.Meta, &p.Company },
	}.register(s)
	register(s, op(http.MethodPost, "/providers/{id}/consent-link", "consent-link", "Make the link at which a Global Administrator agrees", tag, 200),
		func(ctx context.Context, in *IDInput) (*struct {
			Body struct {
				URL string `json:"url"`
			}
		}, error) {
			link, err := s.centre.ConsentLink(ctx, actorOf(ctx), in.ID)
			out := &struct {
				Body struct {
					URL string `json:"url"`
				}
			}{}
			out.Body.URL = link
			return out, err
		})

	register(s, op(http.MethodGet, "/providers/{id}/quota", "get-provider-quota", "How many requests a Microsoft 365 provider may make and has made, and how often calendars are read because of it", tag, 200),
		func(ctx context.Context, in *IDInput) (*result[control.Quota], error) {
			q, err := s.centre.ProviderQuota(ctx, actorOf(ctx), in.ID)
			return &result[control.Quota]{q}, err
		})

	crud[control.Mailbox]{
		kind: "mailbox", plural: "mailboxes", tag: tag,
		list: s.centre.Mailboxes, get: s.centre.Mailbox, save: s.centre.SaveMailbox,
		meta: func(m *control.Mailbox) (*control.Meta, *string) { return &m.Meta, &m.Company },
	}.register(s)
}

// everything makes a list without pages one with a single page.
func everything[T any](all func(context.Context, control.Actor, string) ([]T, error)) func(context.Context, control.Actor, string, string, int) (control.Page[T], error) {
	return func(ctx context.Context, a control.Actor, org, _ string, _ int) (control.Page[T], error) {
		items, err := all(ctx, a, org)
		if items == nil {
			items = []T{}
		}
		return control.Page[T]{Items: items, Total: len(items)}, err
	}
}

func (s *Server) systems() {
	const tag = "Video systems"
	crud[control.System]{
		kind: "system", plural: "systems", tag: tag,
		list: s.centre.Systems, get: s.centre.System, save: s.centre.SaveSystem,
		meta: func(v *control.System) (*control.Meta, *string) { return &v.Meta, &v.Company },
	}.register(s)
	crud[control.Group]{
		kind: "group", plural: "groups", tag: tag,
		list: everything(s.centre.Groups), get: s.centre.Group, save: s.centre.SaveGroup,
		meta: func(g *control.Group) (*control.Meta, *string) { return &g.Meta, &g.Company },
	}.register(s)

	type password struct {
		IDInput
		Body struct {
			Password string `json:"password" required:"true" maxLength:"1024" format:"password" doc:"Empty takes it away. It is never given out."`
		}
	}
	for _, kind := range []string{"system", "group"} {
		register(s, op(http.MethodPut, "/"+kind+"s/{id}/password", "set-"+kind+"-password", "Store the password of the device", tag, 204),
			func(ctx context.Context, in *password) (*struct{}, error) {
				return nil, s.centre.SetPassword(ctx, actorOf(ctx), kind, in.ID, calendar.Secret(in.Body.Password))
			})
	}
	type shown struct {
		Body struct {
			Password string `json:"password" doc:"Shown this once"`
		}
	}
	register(s, op(http.MethodPost, "/systems/{id}/new-password", "new-system-password", "Generate the password of a system that calls the service", tag, 200),
		func(ctx context.Context, in *IDInput) (*shown, error) {
			p, err := s.centre.NewPassword(ctx, actorOf(ctx), in.ID)
			out := &shown{}
			out.Body.Password = string(p)
			return out, err
		})
}

func (s *Server) accounts() {
	const tag = "Users"
	register(s, op(http.MethodGet, "/me", "get-me", "Read who you are", tag, 200),
		func(ctx context.Context, _ *struct{}) (*item[control.User], error) {
			u := actorOf(ctx).User
			return &item[control.User]{etag(u.Revision), u}, nil
		})
	register(s, op(http.MethodGet, "/orgs/{org}/users", "list-users", "List users who belong to an organization or have a role for it", tag, 200),
		func(ctx context.Context, in *OrgInput) (*list[control.User], error) {
			l, err := s.centre.Users(ctx, actorOf(ctx), in.Org)
			return listOf(l), err
		})
	register(s, op(http.MethodPost, "/orgs/{org}/users", "create-user", "Make a user without roles", tag, 201, http.StatusConflict),
		func(ctx context.Context, in *struct {
			OrgInput
			Body struct {
				Email string `json:"email" required:"true"`
				Name  string `json:"name"`
			}
		}) (*item[control.User], error) {
			u, err := s.centre.CreateUser(ctx, actorOf(ctx), in.Org, in.Body.Email, in.Body.Name)
			return &item[control.User]{etag(u.Revision), u}, err
		})
	type roleInput struct {
		OrgInput
		User string       `path:"user" doc:"ID of the user"`
		Role control.Role `path:"role" enum:"admin,access_admin,otj_admin"`
	}
	for method, granted := range map[string]bool{http.MethodPut: true, http.MethodDelete: false} {
		id, summary := "grant-role", "Grant a role for an organization"
		if !granted {
			id, summary = "take-role", "Take a role for an organization away"
		}
		register(s, op(method, "/orgs/{org}/users/{user}/roles/{role}", id, summary, tag, 200),
			func(ctx context.Context, in *roleInput) (*item[control.User], error) {
				u, err := s.centre.SetRole(ctx, actorOf(ctx), in.Org, in.User, in.Role, granted)
				return &item[control.User]{etag(u.Revision), u}, err
			})
	}
	register(s, op(http.MethodPatch, "/users/{id}", "change-user", "Change a user's name and address; what is missing stays", tag, 200, http.StatusConflict),
		func(ctx context.Context, in *struct {
			IDInput
			AtRevision
			Body struct {
				Name  *string `json:"name,omitempty"`
				Email *string `json:"email,omitempty" doc:"What the user signs in by. Sessions end with it, tokens stay; it needs the right to grant all the user's roles."`
			}
		}) (*item[control.User], error) {
			revision, err := in.revision()
			if err != nil {
				return nil, err
			}
			u, err := s.centre.ChangeUser(ctx, actorOf(ctx), in.ID, revision, control.UserChange(in.Body))
			return &item[control.User]{etag(u.Revision), u}, err
		})
	register(s, op(http.MethodPut, "/users/{id}/disabled", "disable-user", "Disable a user, or let them in again", tag, 200),
		func(ctx context.Context, in *struct {
			IDInput
			AtRevision
			Body struct {
				Disabled bool `json:"disabled" required:"true"`
			}
		}) (*item[control.User], error) {
			revision, err := in.revision()
			if err != nil {
				return nil, err
			}
			u, err := s.centre.DisableUser(ctx, actorOf(ctx), in.ID, revision, in.Body.Disabled)
			return &item[control.User]{etag(u.Revision), u}, err
		})
	s.removal("user", "users", tag)

	register(s, op(http.MethodGet, "/tokens", "list-tokens", "List your tokens", tag, 200),
		func(ctx context.Context, _ *struct{}) (*list[control.Token], error) {
			l, err := s.centre.Tokens(ctx, actorOf(ctx))
			return listOf(l), err
		})
	type newToken struct {
		Body struct {
			control.Token
			Text string `json:"token" doc:"Shown this once; send it in the header Authorization as \"Bearer …\""`
		}
	}
	register(s, op(http.MethodPost, "/tokens", "create-token", "Make a token for a program", tag, 201),
		func(ctx context.Context, in *struct {
			Body struct {
				Name   string           `json:"name" required:"true"`
				Scopes []control.Action `json:"scopes" required:"true" doc:"What the token may do, of what you may do"`
				Days   int              `json:"days" minimum:"1" maximum:"366" default:"90"`
			}
		}) (*newToken, error) {
			t, text, err := s.centre.CreateToken(ctx, actorOf(ctx), in.Body.Name, in.Body.Scopes, time.Duration(in.Body.Days)*24*time.Hour)
			out := &newToken{}
			out.Body.Token, out.Body.Text = t, string(text)
			return out, err
		})
	register(s, op(http.MethodDelete, "/tokens/{id}", "delete-token", "End a token", tag, 204),
		func(ctx context.Context, in *IDInput) (*struct{}, error) {
			return nil, s.centre.DeleteToken(ctx, actorOf(ctx), in.ID)
		})
}
