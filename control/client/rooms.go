package client

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/onetouchjoin/onetouchjoin/control"
	"github.com/onetouchjoin/onetouchjoin/readiness"
)

// Overview says how all systems of a company are.
func (c *Client) Overview(ctx context.Context, org string) (control.Overview, error) {
	return fetch[control.Overview](ctx, c, http.MethodGet, inOrg(org, "overview"), "", nil)
}

// SystemLive says what a system shows right now, and why.
func (c *Client) SystemLive(ctx context.Context, system string) (control.SystemLive, error) {
	return fetch[control.SystemLive](ctx, c, http.MethodGet, ofSystem(system, "live"), "", nil)
}

// Wake reads a system's calendars again and brings its device up to date.
func (c *Client) Wake(ctx context.Context, system string) error {
	return c.call(ctx, http.MethodPost, ofSystem(system, "wake"), "", nil, nil)
}

// TestMeeting shows a test meeting on a system's device.
func (c *Client) TestMeeting(ctx context.Context, system string, t control.TestMeeting) (control.ScreenMeeting, error) {
	return fetch[control.ScreenMeeting](ctx, c, http.MethodPost, ofSystem(system, "test-meeting"), "", t)
}

// Pause leaves a device alone, or takes care of it again, at the system's
// revision.
func (c *Client) Pause(ctx context.Context, system string, revision int64, paused bool) (control.System, error) {
	return fetch[control.System](ctx, c, http.MethodPut, ofSystem(system, "paused"), etag(revision), map[string]bool{"paused": paused})
}

// Setup says what has to be done at a system's device.
func (c *Client) Setup(ctx context.Context, system string) ([]control.SetupStep, error) {
	return listed[control.SetupStep](ctx, c, http.MethodGet, ofSystem(system, "setup"), nil)
}

// Check asks a system's device how it is.
func (c *Client) Check(ctx context.Context, system string) ([]readiness.Finding, error) {
	return listed[readiness.Finding](ctx, c, http.MethodPost, ofSystem(system, "check"), nil)
}

// Alarms returns what somebody should look at, the worst first.
func (c *Client) Alarms(ctx context.Context, org string) ([]control.OpenAlarm, error) {
	return listed[control.OpenAlarm](ctx, c, http.MethodGet, inOrg(org, "alarms"), nil)
}

// Processing reads how a company's invites are processed and shown.
func (c *Client) Processing(ctx context.Context, org string) (control.Processing, error) {
	return fetch[control.Processing](ctx, c, http.MethodGet, inOrg(org, "processing"), "", nil)
}

// ChangeProcessing stores p in place of what was read at its revision.
func (c *Client) ChangeProcessing(ctx context.Context, p control.Processing) (control.Processing, error) {
	return fetch[control.Processing](ctx, c, http.MethodPut, inOrg(p.Company, "processing"), etag(p.Revision), p)
}

// PreviewChange says what would change on the screens of p's company if p were
// stored. It may take minutes.
func (c *Client) PreviewChange(ctx context.Context, p control.Processing) (control.Change, error) {
	return fetch[control.Change](ctx, c, http.MethodPost, inOrg(p.Company, "processing/preview"), "", p)
}

// StartPreview begins a PreviewChange that goes on by itself: Preview says how far
// it is.
func (c *Client) StartPreview(ctx context.Context, p control.Processing) (control.Preview, error) {
	return fetch[control.Preview](ctx, c, http.MethodPost, inOrg(p.Company, "processing/previews"), "", p)
}

// Preview says how far a preview is, or what it has found.
func (c *Client) Preview(ctx context.Context, id string) (control.Preview, error) {
	return fetch[control.Preview](ctx, c, http.MethodGet, "/previews/"+url.PathEscape(id), "", nil)
}

// StopPreview ends a preview and forgets what it has found.
func (c *Client) StopPreview(ctx context.Context, id string) error {
	return c.call(ctx, http.MethodDelete, "/previews/"+url.PathEscape(id), "", nil, nil)
}

// WatchPreview is PreviewChange that asks how far it is, once a second in the end,
// and calls progress with that.
func (c *Client) WatchPreview(ctx context.Context, p control.Processing, progress func(done, total int)) (control.Change, error) {
	v, err := c.StartPreview(ctx, p)
	if err != nil {
		return control.Change{}, err
	}
	defer func() { _ = c.StopPreview(context.WithoutCancel(ctx), v.ID) }() // it would be forgotten by itself
	for wait := time.Second / 8; ; wait = min(2*wait, time.Second) {
		progress(v.Done, v.Total)
		switch {
		case v.Result != nil:
			return *v.Result, nil
		case v.Error != "":
			return control.Change{}, fmt.Errorf("control centre: preview: %s", v.Error)
		}
		select {
		case <-ctx.Done():
			return control.Change{}, fmt.Errorf("control centre: preview: %w", ctx.Err())
		case <-time.After(wait):
		}
		if v, err = c.Preview(ctx, v.ID); err != nil {
			return control.Change{}, err
		}
	}
}

// CheckRules says what is wrong with the text of rules.
func (c *Client) CheckRules(ctx context.Context, text string) ([]control.RuleProblem, error) {
	return listed[control.RuleProblem](ctx, c, http.MethodPost, "/rules/check", map[string]string{"rules": text})
}

// RuleList returns the rules in a text, in the order in which they are tried.
func (c *Client) RuleList(ctx context.Context, text string) ([]control.ListedRule, error) {
	return listed[control.ListedRule](ctx, c, http.MethodPost, "/rules/list", map[string]string{"rules": text})
}

// EditRules changes one rule in a text, and returns the new text.
func (c *Client) EditRules(ctx context.Context, text string, e control.RuleEdit) (string, error) {
	out, err := fetch[struct {
		Rules string `json:"rules"`
	}](ctx, c, http.MethodPost, "/rules/edit", "", map[string]any{"rules": text, "edit": e})
	return out.Rules, err
}

// TestRules says what rules make of an invite: those of draft, or those that are
// stored if it is nil.
func (c *Client) TestRules(ctx context.Context, org string, draft *control.Processing, in control.Invite) ([]control.RuleTest, error) {
	body := struct {
		Name       string              `json:"name,omitempty"`
		Invite     []byte              `json:"invite"`
		System     string              `json:"system,omitempty"`
		Secrets    bool                `json:"secrets,omitempty"`
		Processing *control.Processing `json:"processing,omitempty"`
	}{in.Name, in.Data, in.System, in.Secrets, draft}
	return listed[control.RuleTest](ctx, c, http.MethodPost, inOrg(org, "rules/test"), body)
}

// ImportMailboxes adds and changes mailboxes from a table, or says what would
// happen.
func (c *Client) ImportMailboxes(ctx context.Context, org string, in control.CSV) (control.Import, error) {
	return c.table(ctx, org, "mailboxes", in)
}

// ImportSystems is the same for video systems.
func (c *Client) ImportSystems(ctx context.Context, org string, in control.CSV) (control.Import, error) {
	return c.table(ctx, org, "systems", in)
}

func (c *Client) table(ctx context.Context, org, plural string, in control.CSV) (control.Import, error) {
	body := struct {
		CSV       []byte `json:"csv"`
		Provider  string `json:"provider,omitempty"`
		Commit    bool   `json:"commit,omitempty"`
		SkipWrong bool   `json:"skip_wrong,omitempty"`
	}{in.Data, in.Provider, in.Commit, in.SkipWrong}
	return fetch[control.Import](ctx, c, http.MethodPost, inOrg(org, plural+"/import"), "", body)
}

// ExportMailboxes returns the mailboxes as a table.
func (c *Client) ExportMailboxes(ctx context.Context, org string) (data []byte, err error) {
	err = c.call(ctx, http.MethodGet, inOrg(org, "mailboxes/export"), "", nil, &data)
	return data, err
}

// ExportSystems returns the video systems as a table.
func (c *Client) ExportSystems(ctx context.Context, org string) (data []byte, err error) {
	err = c.call(ctx, http.MethodGet, inOrg(org, "systems/export"), "", nil, &data)
	return data, err
}

// Readiness checks whether the rooms of a company can get their buttons. It may
// take minutes.
func (c *Client) Readiness(ctx context.Context, org string) (control.Readiness, error) {
	return fetch[control.Readiness](ctx, c, http.MethodPost, inOrg(org, "readiness"), "", nil)
}

// ImportReport takes over what the check script has written.
func (c *Client) ImportReport(ctx context.Context, org string, report []byte) (control.ReportImport, error) {
	return fetch[control.ReportImport](ctx, c, http.MethodPut, inOrg(org, "readiness/report"), "", map[string][]byte{"report": report})
}

// Firewall is what has to pass a company's firewall.
func (c *Client) Firewall(ctx context.Context, org string) ([]readiness.PortRule, error) {
	return listed[readiness.PortRule](ctx, c, http.MethodGet, inOrg(org, "firewall"), nil)
}

func ofSystem(system, what string) string { return "/systems/" + url.PathEscape(system) + "/" + what }
