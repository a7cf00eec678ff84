package api

import (
	"context"
	"net/http"

	"github.com/onetouchjoin/onetouchjoin/control"
	"github.com/onetouchjoin/onetouchjoin/otj"
)

// rulesBody bounds bodies that have the text of rules in them.
const rulesBody = 4 << 20

// RuleText is the text of rules in a body.
type RuleText struct {
	Rules string `json:"rules" required:"true" doc:"A list of rules, JSON with comments"`
}

// begunPreview is the answer of a preview that has begun.
type begunPreview struct {
	Location string `header:"Location" doc:"Where to ask how far it is"`
	Body     control.Preview
}

// previewState says how far a preview is.
type previewState struct {
	RetryAfter int `header:"Retry-After" doc:"Seconds until it is worth asking again, while it goes on"`
	Body       control.Preview
}

func (s *Server) processing() {
	const tag = "Rules and settings"
	register(s, op(http.MethodGet, "/orgs/{org}/processing", "get-processing", "Read how invites are processed and shown", tag, 200),
		func(ctx context.Context, in *OrgInput) (*item[control.Processing], error) {
			p, err := s.centre.Processing(ctx, actorOf(ctx), in.Org)
			return &item[control.Processing]{etag(p.Revision), p}, err
		})
	register(s, withBody(op(http.MethodPut, "/orgs/{org}/processing", "change-processing", "Change how invites are processed and shown", tag, 200), rulesBody),
		func(ctx context.Context, in *struct {
			OrgInput
			AtRevision
			Body control.Processing
		}) (*item[control.Processing], error) {
			revision, err := in.revision()
			if err != nil {
				return nil, err
			}
			in.Body.Meta, in.Body.Company = control.Meta{Revision: revision}, in.Org
			p, err := s.centre.SaveProcessing(ctx, actorOf(ctx), in.Body)
			return &item[control.Processing]{etag(p.Revision), p}, err
		})
	register(s, withBody(op(http.MethodPost, "/orgs/{org}/processing/preview", "preview-processing", "What would change on the screens today; reads all calendars, which may take minutes: start-preview answers at once", tag, 200), rulesBody),
		func(ctx context.Context, in *struct {
			OrgInput
			Body control.Processing
		}) (*result[control.Change], error) {
			in.Body.Meta, in.Body.Company = control.Meta{}, in.Org
			v, err := s.centre.PreviewChange(ctx, actorOf(ctx), in.Body, nil)
			return &result[control.Change]{v}, err
		})
	start := withBody(op(http.MethodPost, "/orgs/{org}/processing/previews", "start-preview", "Begin to find out what would change on the screens today", tag, 202, http.StatusConflict), rulesBody)
	start.Description = "The calendars of all rooms are read, which may take minutes. The answer comes at once; ask at /previews/{id} how far it is, until it has ended. Two of a company may go on at a time, and five that have ended are kept, for ten minutes."
	register(s, start, func(ctx context.Context, in *struct {
		OrgInput
		Body control.Processing
	}) (*begunPreview, error) {
		in.Body.Meta, in.Body.Company = control.Meta{}, in.Org
		p, err := s.centre.StartPreview(ctx, actorOf(ctx), in.Body)
		return &begunPreview{"/api/" + Version + "/previews/" + p.ID, p}, err
	})
	ask := op(http.MethodGet, "/previews/{id}", "get-preview", "How far a preview is, or what it has found", tag, 200)
	ask.Description = "\"done\" of \"total\" calendars are read. While it goes on there is no \"ended\", and Retry-After says when to ask again; then there is \"result\" or \"error\"."
	register(s, ask, func(ctx context.Context, in *IDInput) (*previewState, error) {
		p, err := s.centre.Preview(ctx, actorOf(ctx), in.ID)
		out := &previewState{Body: p}
		if p.Ended.IsZero() {
			out.RetryAfter = 1
		}
		return out, err
	})
	register(s, op(http.MethodDelete, "/previews/{id}", "stop-preview", "End a preview, and forget what it has found", tag, 204),
		func(ctx context.Context, in *IDInput) (*struct{}, error) {
			return nil, s.centre.StopPreview(ctx, actorOf(ctx), in.ID)
		})
	register(s, op(http.MethodPost, "/settings/preview", "preview-settings", "What settings make of an invented day", tag, 200),
		func(_ context.Context, in *struct{ Body otj.Settings }) (*result[control.Screen], error) {
			v, err := s.centre.PreviewScreen(in.Body)
			return &result[control.Screen]{v}, err
		})

	register(s, withBody(op(http.MethodPost, "/rules/check", "check-rules", "What is wrong with the text of rules, with line and column", tag, 200), rulesBody),
		func(_ context.Context, in *struct{ Body RuleText }) (*list[control.RuleProblem], error) {
			return listOf(s.centre.CheckRules(in.Body.Rules)), nil
		})
	register(s, withBody(op(http.MethodPost, "/rules/list", "list-rules", "The rules in a text, in the order in which they are tried", tag, 200), rulesBody),
		func(_ context.Context, in *struct{ Body RuleText }) (*list[control.ListedRule], error) {
			l, err := s.centre.RuleList(in.Body.Rules)
			return listOf(l), err
		})
	register(s, withBody(op(http.MethodPost, "/rules/edit", "edit-rules", "Add, move, switch, replace or delete one rule in a text, which keeps its comments", tag, 200), rulesBody),
		func(_ context.Context, in *struct {
			Body struct {
				RuleText
				Edit control.RuleEdit `json:"edit" required:"true"`
			}
		}) (*result[RuleText], error) {
			text, err := s.centre.EditRules(in.Body.Rules, in.Body.Edit)
			return &result[RuleText]{RuleText{text}}, err
		})
	register(s, withBody(op(http.MethodPost, "/rules/import", "import-rules", "Make rules of what Pexip Infinity's management API has", tag, 200), rulesBody),
		func(_ context.Context, in *struct {
			Body struct {
				RuleText
				Profile string `json:"profile,omitempty" doc:"The profile whose rules are taken, by its resource URI or number"`
			}
		}) (*result[control.ImportedRules], error) {
			v, err := s.centre.ImportRules(in.Body.Rules, in.Body.Profile)
			return &result[control.ImportedRules]{v}, err
		})
	register(s, withBody(op(http.MethodPost, "/orgs/{org}/rules/test", "test-rules", "What rules and settings make of an invite", tag, 200), 2*control.MaxInvite),
		func(ctx context.Context, in *struct {
			OrgInput
			Body ruleTrial
		}) (*list[control.RuleTest], error) {
			a := actorOf(ctx)
			draft, err := s.centre.Processing(ctx, a, in.Org)
			if err != nil {
				return nil, err
			}
			if in.Body.Processing != nil {
				draft = *in.Body.Processing
				draft.Company = in.Org
			}
			l, err := s.centre.TestRules(ctx, a, draft, control.Invite{Name: in.Body.Name, Data: in.Body.Invite, System: in.Body.System, Secrets: in.Body.Secrets})
			return listOf(l), err
		})
}

type ruleTrial struct {
	Name       string              `json:"name,omitempty" doc:"Name of the file, which may tell its kind"`
	Invite     []byte              `json:"invite" required:"true" doc:"The invite: iCalendar, a mail, HTML, text, or an event of Microsoft Graph or Google"`
	System     string              `json:"system,omitempty" doc:"ID of the system whose device has to dial"`
	Secrets    bool                `json:"secrets,omitempty" doc:"Passcodes in the clear; needs read_subjects"`
	Processing *control.Processing `json:"processing,omitempty" doc:"What to try; default what is stored"`
}
