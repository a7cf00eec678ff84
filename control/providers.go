package control

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
)

// The range of Provider.DailyQuota.
const (
	DefaultDailyQuota = 1_000_000
	MinDailyQuota     = 10_000
	MaxDailyQuota     = 10_000_000
)

// ErrNoApplication is the error of a call about consent where the server has no
// application that anybody could consent to.
var ErrNoApplication = errors.New("this server has no Microsoft 365 application; set one in its configuration")

// Providers returns the providers of a company.
func (c *Centre) Providers(ctx context.Context, actor Actor, company string) ([]Provider, error) {
	return listAll[Provider](ctx, c, actor, company)
}

// Provider returns one provider.
func (c *Centre) Provider(ctx context.Context, actor Actor, id string) (Provider, error) {
	return one[Provider](ctx, c, actor, id)
}

// SaveProvider makes a provider, if p has no ID, or changes it at its Revision.
// Kind, Tenant and what a consent has found cannot be changed.
func (c *Centre) SaveProvider(ctx context.Context, actor Actor, p Provider) (Provider, error) {
	given := p
	err := c.update(ctx, actor, p.Company, func(ch *change) error {
		p = given
		if _, err := actor.org(ch, p.Company, Configure); err != nil {
			return err
		}
		p.Name = strings.TrimSpace(p.Name)
		p.Consent, p.TenantID = "", ""
		if p.Kind == Microsoft365 {
			p.Consent = ConsentMissing
		}
		if p.DailyQuota == 0 {
			p.DailyQuota = DefaultDailyQuota
		}
		if p.ID != "" {
			old, err := own[Provider](ch, p.ID)
			if err != nil {
				return err
			}
			p.Company, p.Kind, p.Tenant, p.Created = old.Company, old.Kind, old.Tenant, old.Created
			p.Consent, p.TenantID = old.Consent, old.TenantID
		} else {
			p.Revision = 0
		}
		if err := c.checkProvider(ch, &p); err != nil {
			return err
		}
		return put(ch, &p)
	})
	if err != nil {
		return Provider{}, err
	}
	return p, nil
}

func (c *Centre) checkProvider(tx Tx, p *Provider) error {
	var ck checks
	ck.text("name", p.Name, 250)
	if p.DailyQuota < MinDailyQuota || p.DailyQuota > MaxDailyQuota {
		ck.fail("daily_quota", "is %d; it is %d to %d", p.DailyQuota, MinDailyQuota, MaxDailyQuota)
	}
	switch p.Kind {
	case Microsoft365:
		if t, ok := sameCompany[Tenant](&ck, tx, "tenant", p.Tenant, p.Company); ok && t.State != TenantVerified {
			ck.fail("tenant", "the domain %s is not verified yet", t.Domain)
		}
	case ICSFolder:
		ck.folder("folder", p.Folder, c.opts.Folders)
	case ICSFeed:
		u, err := url.Parse(p.URL)
		switch {
		case isConcealed(p.URL):
			ck.fail("url", "is shortened: enter the whole address")
		case err != nil || u.Host == "" || len(p.URL) > 2048:
			ck.fail("url", "is not a web address")
		case u.Scheme != "https":
			ck.fail("url", "begins with %q; it has to begin with https:", u.Scheme+":")
		case u.User != nil:
			ck.fail("url", "has a user name or password in it, which would show in logs")
		}
	case Google, Exchange, CalDAV:
	default:
		ck.fail("kind", "%.40q is no kind of provider", p.Kind)
	}
	return ck.err()
}

// Lacks says, as a sentence, what the server's configuration lacks for providers
// of a kind, so that nobody proves a domain in vain; it is empty if nothing is.
func (c *Centre) Lacks(kind ProviderKind) string {
	switch {
	case kind == Microsoft365 && c.opts.Consent == nil:
		return "This server cannot read it yet: whoever runs it has to name an application, as microsoft365 of control in its configuration. docs/operating.md, which comes with the program, has such a file to copy; otj serve --config FILE takes it."
	case kind == ICSFolder && len(c.opts.Folders) == 0:
		return "This server cannot read it yet: whoever runs it has to name the folders that it allows, as folders of control in its configuration."
	}
	return ""
}

// Folders returns the folders below which those of providers may be.
func (c *Centre) Folders() []string { return slices.Clone(c.opts.Folders) }

// folder demands a folder below one of the allowed ones. Whether it is there is
// found out when it is read.
func (c *checks) folder(field, value string, allowed []string) {
	if len(allowed) == 0 {
		c.fail(field, "cannot be read: this server allows no folder yet. Whoever runs it names some in its configuration, as folders of control")
		return
	}
	if value == "" || !filepath.IsAbs(value) || !isPrintable(value) {
		c.fail(field, "is not the whole path of a folder")
		return
	}
	for _, root := range allowed {
		if rel, err := filepath.Rel(root, filepath.Clean(value)); err == nil && filepath.IsLocal(rel) {
			return
		}
	}
	c.fail(field, "is not in a folder that this server allows, which are: %s", strings.Join(allowed, ", "))
}

// ConsentLink returns the address at which a Global Administrator agrees that
// calendars may be read. It can be sent to somebody else, and works for a week.
func (c *Centre) ConsentLink(ctx context.Context, actor Actor, provider string) (link string, err error) {
	if c.opts.Consent == nil {
		return "", &InvalidError{[]FieldError{{"consent", "this server has no Microsoft 365 application; set one in its configuration"}}}
	}
	err = c.update(ctx, actor, "", func(ch *change) error {
		p, err := own[Provider](ch, provider)
		if err != nil {
			return err
		}
		if p.Kind != Microsoft365 {
			return &InvalidError{[]FieldError{{"kind", "only Microsoft 365 asks for consent"}}}
		}
		t, err := get[Tenant](ch, p.Tenant)
		if err != nil {
			return err
		}
		state, err := ch.ticket(ticketConsent, p.ID, consentLife)
		if err != nil {
			return err
		}
		link = c.opts.Consent.URL(t.Domain, state)
		return nil
	})
	return link, err
}

// FinishConsent takes what the browser of the Global Administrator brought back.
// That person need not have an account here, so nothing is believed but the
// state, which works once: a token for the tenant is fetched and checked.
func (c *Centre) FinishConsent(ctx context.Context, state, tenantID, refusal string) (Provider, error) {
	if c.opts.Consent == nil {
		return Provider{}, ErrNoApplication
	}
	var p Provider
	var t Tenant
	// The ticket is looked at first and used up after the check, so that a
	// failed check can be tried again.
	err := c.store.View(ctx, func(tx Tx) error {
		id, err := peekTicket(tx, ticketConsent, state)
		if err == nil {
			p, err = get[Provider](tx, id)
		}
		if err == nil {
			t, err = get[Tenant](tx, p.Tenant)
		}
		return err
	})
	if err != nil {
		return Provider{}, fmt.Errorf("consent: this link is not known, was used, or is older than a week; make a new one: %w", err)
	}
	granted := ConsentRefused
	if refusal == "" {
		if err := c.opts.Consent.Check(ctx, t.Domain, tenantID); err != nil {
			return Provider{}, fmt.Errorf("consent: %w", err)
		}
		granted = ConsentGranted
	}
	err = c.update(ctx, Actor{User: User{Email: "(administrator of the tenant)"}}, p.Company, func(ch *change) error {
		if _, err := ch.useTicket(ticketConsent, state); err != nil {
			return err
		}
		if p, err = get[Provider](ch, p.ID); err != nil {
			return err
		}
		if p.Consent = granted; granted == ConsentGranted {
			p.TenantID = tenantID
		}
		return put(ch, &p)
	})
	return p, err
}

// Mailboxes returns a page of the mailboxes of a company, by address.
func (c *Centre) Mailboxes(ctx context.Context, actor Actor, company, after string, limit int) (Page[Mailbox], error) {
	return listPage[Mailbox](ctx, c, actor, company, after, limit)
}

// Mailbox returns one mailbox.
func (c *Centre) Mailbox(ctx context.Context, actor Actor, id string) (Mailbox, error) {
	return one[Mailbox](ctx, c, actor, id)
}

// SaveMailbox makes a mailbox, if m has no ID, or changes it at its Revision.
func (c *Centre) SaveMailbox(ctx context.Context, actor Actor, m Mailbox) (Mailbox, error) {
	given := m
	err := c.update(ctx, actor, m.Company, func(ch *change) error {
		m = given
		if err := prepareMailbox(ch, &m); err != nil {
			return err
		}
		return put(ch, &m)
	})
	if err != nil {
		return Mailbox{}, err
	}
	return m, nil
}

// prepareMailbox brings a mailbox into the form in which it is stored, and says
// what is wrong with it.
func prepareMailbox(ch *change, m *Mailbox) error {
	if _, err := ch.actor.org(ch, m.Company, Configure); err != nil {
		return err
	}
	m.Address = strings.ToLower(strings.TrimSpace(m.Address))
	m.Name = strings.TrimSpace(m.Name)
	if m.Kind == "" {
		m.Kind = RoomMailbox
	}
	if m.ID != "" {
		old, err := own[Mailbox](ch, m.ID)
		if err != nil {
			return err
		}
		m.Company, m.Created = old.Company, old.Created
	} else {
		m.Revision = 0
	}
	var ck checks
	ck.email("address", m.Address)
	ck.optional("name", m.Name, 250)
	if !slices.Contains([]MailboxKind{RoomMailbox, PersonalMailbox}, m.Kind) {
		ck.fail("kind", "%.40q is no kind of mailbox; it is %q or %q", m.Kind, RoomMailbox, PersonalMailbox)
	}
	sameCompany[Provider](&ck, ch, "provider", m.Provider, m.Company)
	return ck.err()
}
