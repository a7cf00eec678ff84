package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/onetouchjoin/onetouchjoin/control"
	"github.com/onetouchjoin/onetouchjoin/readiness"
)

// result is an answer that is no stored object.
type result[T any] struct{ Body T }

// file is an answer that is a file.
type file struct {
	ContentType        string `header:"Content-Type"`
	ContentDisposition string `header:"Content-Disposition"`
	Body               []byte
}

func (s *Server) rooms() {
	const tag = "Rooms right now"
	register(s, op(http.MethodGet, "/orgs/{org}/overview", "get-overview", "How every system is, and what of the set-up is to do", tag, 200),
		func(ctx context.Context, in *OrgInput) (*result[control.Overview], error) {
			v, err := s.centre.Overview(ctx, actorOf(ctx), in.Org)
			return &result[control.Overview]{v}, err
		})
	register(s, op(http.MethodGet, "/systems/{id}/live", "get-system-live", "What a system shows, and why", tag, 200),
		func(ctx context.Context, in *IDInput) (*result[control.SystemLive], error) {
			v, err := s.centre.SystemLive(ctx, actorOf(ctx), in.ID)
			return &result[control.SystemLive]{v}, err
		})
	register(s, op(http.MethodPost, "/systems/{id}/wake", "wake-system", "Read a system's calendars again, and bring its device up to date", tag, 204),
		func(ctx context.Context, in *IDInput) (*struct{}, error) {
			return nil, s.centre.Wake(ctx, actorOf(ctx), in.ID)
		})
	register(s, op(http.MethodPost, "/systems/{id}/test-meeting", "send-test-meeting", "Show a test meeting", tag, 200),
		func(ctx context.Context, in *struct {
			IDInput
			Body control.TestMeeting
		}) (*result[control.ScreenMeeting], error) {
			v, err := s.centre.TestMeeting(ctx, actorOf(ctx), in.ID, in.Body)
			return &result[control.ScreenMeeting]{v}, err
		})
	register(s, op(http.MethodPut, "/systems/{id}/paused", "pause-system", "Leave a device alone, or take care of it again", tag, 200),
		func(ctx context.Context, in *struct {
			IDInput
			AtRevision
			Body struct {
				Paused bool `json:"paused" required:"true"`
			}
		}) (*item[control.System], error) {
			revision, err := in.revision()
			if err != nil {
				return nil, err
			}
			v, err := s.centre.PauseSystem(ctx, actorOf(ctx), in.ID, revision, in.Body.Paused)
			return &item[control.System]{etag(v.Revision), v}, err
		})
	register(s, op(http.MethodGet, "/systems/{id}/setup", "get-system-setup", "What has to be done at the device", tag, 200),
		func(ctx context.Context, in *IDInput) (*list[control.SetupStep], error) {
			l, err := s.centre.SystemSetup(ctx, actorOf(ctx), in.ID)
			return listOf(l), err
		})
	register(s, op(http.MethodPost, "/systems/{id}/check", "check-system", "Ask the device how it is", tag, 200),
		func(ctx context.Context, in *IDInput) (*list[readiness.Finding], error) {
			l, err := s.centre.CheckSystem(ctx, actorOf(ctx), in.ID)
			return listOf(l), err
		})
	for _, t := range []struct {
		plural string
		read   func(context.Context, control.Actor, string, control.CSV) (control.Import, error)
		write  func(context.Context, control.Actor, string) ([]byte, error)
	}{
		{"mailboxes", s.centre.ImportMailboxes, s.centre.ExportMailboxes},
		{"systems", s.centre.ImportSystems, s.centre.ExportSystems},
	} {
		register(s, withBody(op(http.MethodPost, "/orgs/{org}/"+t.plural+"/import", "import-"+t.plural, "Add and change "+t.plural+" from a CSV table, or say what would happen", tag, 200), 2*control.MaxCSV),
			func(ctx context.Context, in *struct {
				OrgInput
				Body struct {
					CSV       []byte `json:"csv" required:"true" doc:"The file"`
					Provider  string `json:"provider,omitempty" doc:"ID of the provider of mailboxes whose line names none"`
					Commit    bool   `json:"commit,omitempty" doc:"Store it, if no line is wrong"`
					SkipWrong bool   `json:"skip_wrong,omitempty" doc:"Leave wrong lines out and store the others"`
				}
			}) (*result[control.Import], error) {
				v, err := t.read(ctx, actorOf(ctx), in.Org, control.CSV{Data: in.Body.CSV, Provider: in.Body.Provider, Commit: in.Body.Commit, SkipWrong: in.Body.SkipWrong})
				return &result[control.Import]{v}, err
			})
		o := op(http.MethodGet, "/orgs/{org}/"+t.plural+"/export", "export-"+t.plural, "The "+t.plural+" as a CSV table", tag, 200)
		o.Responses = map[string]*huma.Response{"200": {
			Description: "The table", Content: map[string]*huma.MediaType{"text/csv": {Schema: &huma.Schema{Type: huma.TypeString}}},
		}}
		register(s, o, func(ctx context.Context, in *OrgInput) (*file, error) {
			data, err := t.write(ctx, actorOf(ctx), in.Org)
			return &file{"text/csv; charset=utf-8", `attachment; filename="` + t.plural + `.csv"`, data}, err
		})
	}
}

func (s *Server) alarms() {
	const tag = "Alarms"
	register(s, op(http.MethodGet, "/orgs/{org}/alarms", "list-alarms", "What somebody should look at, the worst first", tag, 200),
		func(ctx context.Context, in *OrgInput) (*list[control.OpenAlarm], error) {
			l, err := s.centre.Alarms(ctx, actorOf(ctx), in.Org)
			return listOf(l), err
		})
	crud[control.AlarmHook]{
		kind: "alarm_hook", plural: "alarm-hooks", tag: tag,
		list: everything(s.centre.AlarmHooks), get: s.centre.AlarmHook, save: s.centre.SaveAlarmHook,
		meta: func(h *control.AlarmHook) (*control.Meta, *string) { return &h.Meta, &h.Company },
	}.register(s)
	type shownKey struct {
		Body struct {
			Key string `json:"key" doc:"Shown this once"`
		}
	}
	register(s, op(http.MethodPost, "/alarm-hooks/{id}/new-key", "new-alarm-hook-key", "Generate the key that messages are signed with", tag, 200),
		func(ctx context.Context, in *IDInput) (*shownKey, error) {
			key, err := s.centre.NewAlarmHookKey(ctx, actorOf(ctx), in.ID)
			out := &shownKey{}
			out.Body.Key = string(key)
			return out, err
		})
	register(s, op(http.MethodPost, "/alarm-hooks/{id}/test", "test-alarm-hook", "Send a test message", tag, 204),
		func(ctx context.Context, in *IDInput) (*struct{}, error) {
			return nil, s.centre.TestAlarmHook(ctx, actorOf(ctx), in.ID)
		})
}

// ScriptInput are the names that scripts are made for.
type ScriptInput struct {
	AppID       string   `json:"app_id,omitempty" doc:"Application ID; default the server's own"`
	ObjectID    string   `json:"object_id,omitempty" doc:"Object ID of the enterprise application, for RBAC for Applications"`
	Group       string   `json:"group" required:"true" doc:"Address of the mail-enabled security group of the rooms"`
	GroupName   string   `json:"group_name,omitempty"`
	Mailboxes   []string `json:"mailboxes,omitempty" doc:"Default all room mailboxes of Microsoft 365"`
	Response    string   `json:"response,omitempty" doc:"Added to the rooms' replies"`
	HideDetails string   `json:"hide_details,omitempty" enum:"AvailabilityOnly,LimitedDetails"`
	External    bool     `json:"external,omitempty" doc:"Let forwarded invites from outside in"`
}

// ScriptText is a PowerShell script.
type ScriptText struct {
	Name  string `json:"name" doc:"Name of the file"`
	Title string `json:"title" doc:"What it does"`
	Text  string `json:"text"`
}

func (s *Server) readiness() {
	const tag = "Readiness"
	register(s, op(http.MethodPost, "/orgs/{org}/readiness", "check-readiness", "Whether the rooms can get their buttons; reads all calendars, which may take minutes", tag, 200),
		func(ctx context.Context, in *OrgInput) (*result[control.Readiness], error) {
			v, err := s.centre.Readiness(ctx, actorOf(ctx), in.Org, nil)
			return &result[control.Readiness]{v}, err
		})
	register(s, withBody(op(http.MethodPut, "/orgs/{org}/readiness/report", "import-report", "Take over what the check script has written", tag, 200), 2*control.MaxReport),
		func(ctx context.Context, in *struct {
			OrgInput
			Body struct {
				Report []byte `json:"report" required:"true" doc:"JSON or CSV"`
			}
		}) (*result[control.ReportImport], error) {
			v, err := s.centre.ImportReport(ctx, actorOf(ctx), in.Org, in.Body.Report)
			return &result[control.ReportImport]{v}, err
		})
	register(s, op(http.MethodGet, "/orgs/{org}/firewall", "get-firewall", "What has to pass the firewall", tag, 200),
		func(ctx context.Context, in *OrgInput) (*list[readiness.PortRule], error) {
			l, err := s.centre.Firewall(ctx, actorOf(ctx), in.Org)
			return listOf(l), err
		})
	register(s, op(http.MethodPost, "/orgs/{org}/scripts", "make-scripts", "PowerShell scripts that set up and check the rooms", tag, 200),
		func(ctx context.Context, in *struct {
			OrgInput
			Body ScriptInput
		}) (*list[ScriptText], error) {
			scripts, err := s.centre.Scripts(ctx, actorOf(ctx), in.Org, readiness.ScriptOptions(in.Body))
			if err != nil {
				return nil, err
			}
			var out []ScriptText
			for _, f := range scripts.Files() {
				out = append(out, ScriptText{f.Name, f.Title, f.Text})
			}
			return listOf(out), nil
		})
}
