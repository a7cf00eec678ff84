// Package api is the control centre's HTTP API. Its OpenAPI 3.1 description is
// made from this code and served at /api/openapi.json.
//
// Errors are problems as RFC 9457 has them. Objects carry an ETag; changing one
// takes it in If-Match, so that nobody overwrites what somebody else changed
// meanwhile. Lists come in pages: "next" of one page is "after" of the next.
//
// A caller is signed in by the session cookie of the web console, and then sends
// the header X-CSRF-Token with everything that changes something, or by a token
// in the header Authorization.
package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/onetouchjoin/onetouchjoin/control"
	"github.com/onetouchjoin/onetouchjoin/rules"
)

// Version is the version of the API: the first path segment after /api.
const Version = "v1"

// Options are what the API takes besides the Centre. The zero value works.
type Options struct {
	// Guard limits how often a caller may call. Default: NewGuard(nil).
	Guard *Guard
	// Logger gets errors that are the server's own. Default: none.
	Logger *slog.Logger
}

// Server serves the API. It is safe for concurrent use.
type Server struct {
	centre *control.Centre
	guard  *Guard
	log    *slog.Logger
	mux    *http.ServeMux
	api    huma.API
}

// New returns a Server. It starts nothing.
func New(centre *control.Centre, opts *Options) *Server {
	s := &Server{centre: centre, mux: http.NewServeMux()}
	if opts != nil {
		s.guard, s.log = opts.Guard, opts.Logger
	}
	if s.guard == nil {
		s.guard = NewGuard(nil)
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}

	config := huma.DefaultConfig("One-Touch Join control centre", Version)
	config.OpenAPIPath = "/api/openapi"
	config.DocsPath, config.SchemasPath = "", ""
	config.CreateHooks = nil // no $schema links in answers
	config.FieldsOptionalByDefault = true
	config.RejectUnknownQueryParameters = true
	// A list of schemes is a list of bytes to reflection, and a list of names in JSON.
	config.Components.Schemas.RegisterTypeAlias(reflect.TypeFor[[]rules.Scheme](), reflect.TypeFor[[]string]())
	config.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"session": {Type: "apiKey", In: "cookie", Name: SessionCookie},
		"token":   {Type: "http", Scheme: "bearer"},
	}
	config.Security = []map[string][]string{{"session": {}}, {"token": {}}}
	s.api = humago.New(s.mux, config)
	s.api.UseMiddleware(s.authenticate)
	s.organizations()
	s.calendars()
	s.systems()
	s.accounts()
	s.processing()
	s.rooms()
	s.alarms()
	s.readiness()
	s.mux.HandleFunc("/api/", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprintf(w, `{"title":"Not Found","status":404,"detail":"there is no such path, or not with this method; /api/openapi.json has them all"}`+"\n")
	})
	return s
}

// ServeHTTP serves everything under /api/.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	if strings.HasSuffix(r.URL.Path, "/preview") || strings.HasSuffix(r.URL.Path, "/readiness") {
		// Many calendars are read. A writer that has no deadline needs no other one.
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(longCall))
	}
	s.mux.ServeHTTP(w, r)
}

// longCall is how long the calls may take that read a company's calendars.
const longCall = 15 * time.Minute

// OpenAPI returns the description of the API.
func (s *Server) OpenAPI() *huma.OpenAPI { return s.api.OpenAPI() }

// SessionCookie is the name of the cookie that has a session's token. The
// prefix makes browsers take it only over TLS and from this host.
const SessionCookie = "__Host-otj-session"

// CSRFHeader is the header that a signed-in browser sends along.
const CSRFHeader = "X-CSRF-Token"

type actorKey struct{}

// actorOf returns who calls: authenticate has put it there.
func actorOf(ctx context.Context) control.Actor {
	a, _ := ctx.Value(actorKey{}).(control.Actor)
	return a
}

func (s *Server) authenticate(ctx huma.Context, next func(huma.Context)) {
	r, _ := humago.Unwrap(ctx)
	actor, err := s.guard.Authenticate(r, s.centre)
	if err != nil {
		var limited *LimitedError
		switch {
		case errors.As(err, &limited):
			ctx.SetHeader("Retry-After", strconv.Itoa(int(limited.After.Seconds())+1))
			s.problem(ctx, http.StatusTooManyRequests, limited.Error())
		case errors.Is(err, ErrCSRF):
			s.problem(ctx, http.StatusForbidden, err.Error())
		case errors.Is(err, control.ErrNotFound):
			ctx.SetHeader("WWW-Authenticate", `Bearer realm="otj"`)
			s.problem(ctx, http.StatusUnauthorized, "sign in, or send a token in the header Authorization")
		default:
			s.log.Error("authenticate", "err", err)
			s.problem(ctx, http.StatusServiceUnavailable, "the store does not answer; try again later")
		}
		return
	}
	next(huma.WithValue(ctx, actorKey{}, actor))
}

func (s *Server) problem(ctx huma.Context, status int, detail string) {
	if err := huma.WriteErr(s.api, ctx, status, detail); err != nil {
		s.log.Debug("write an answer", "err", err)
	}
}

// fail makes an error of the Centre one of the API.
func (s *Server) fail(err error) error {
	var invalid *control.InvalidError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &invalid):
		details := make([]error, len(invalid.Fields))
		for i, f := range invalid.Fields {
			details[i] = &huma.ErrorDetail{Location: "body." + f.Field, Message: f.Msg}
		}
		return huma.Error422UnprocessableEntity("the request has fields that are not right", details...)
	case errors.Is(err, control.ErrDenied):
		return huma.Error403Forbidden(err.Error())
	case errors.Is(err, control.ErrNotFound):
		return huma.Error404NotFound("there is no such object, or you may not see it")
	case errors.Is(err, control.ErrExists):
		return huma.Error409Conflict(err.Error())
	case errors.Is(err, control.ErrStale):
		return huma.Error412PreconditionFailed("somebody else has changed the object meanwhile; read it again")
	case errors.Is(err, control.ErrBusy):
		return huma.Error409Conflict(err.Error())
	case errors.Is(err, control.ErrNoService), errors.Is(err, control.ErrNoApplication):
		return huma.Error503ServiceUnavailable(err.Error())
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return huma.Error503ServiceUnavailable("the call took too long; try again later")
	}
	s.log.Error("call of the API", "err", err)
	return huma.Error500InternalServerError("something went wrong on the server; its log says what")
}

// --- what operations have in common -------------------------------------------

// The parts of inputs are exported because the description is made by
// reflection, which does not see into embedded types that are not.

// OrgInput names an organization in the path.
type OrgInput struct {
	Org string `path:"org" doc:"ID of the organization"`
}

// IDInput names an object in the path.
type IDInput struct {
	ID string `path:"id" doc:"ID of the object"`
}

// PageInput names a page of a list.
type PageInput struct {
	OrgInput
	After string `query:"after" doc:"\"next\" of the page before"`
	Limit int    `query:"limit" default:"50" minimum:"1" maximum:"200" doc:"Items a page"`
}

// AtRevision is the precondition of a change.
type AtRevision struct {
	IfMatch string `header:"If-Match" doc:"The object's ETag as it was read"`
}

func (a AtRevision) revision() (int64, error) {
	if a.IfMatch == "" {
		return 0, huma.NewError(http.StatusPreconditionRequired, "send the object's ETag in If-Match")
	}
	n, err := strconv.ParseInt(strings.Trim(strings.TrimPrefix(a.IfMatch, "W/"), `"`), 10, 64)
	if err != nil || n < 0 {
		return 0, huma.Error412PreconditionFailed("If-Match is no ETag of this API")
	}
	return n, nil
}

func etag(revision int64) string { return `"` + strconv.FormatInt(revision, 10) + `"` }

type item[T any] struct {
	ETag string `header:"ETag"`
	Body T
}

type list[T any] struct {
	Body struct {
		Items []T `json:"items"`
	}
}

func listOf[T any](items []T) *list[T] {
	out := &list[T]{}
	out.Body.Items = items
	if items == nil {
		out.Body.Items = []T{}
	}
	return out
}

type pageOf[T any] struct {
	Body struct {
		Items []T    `json:"items"`
		Next  string `json:"next,omitempty" doc:"Begins the next page; missing at the end"`
		Total int    `json:"total" doc:"Items of all pages"`
	}
}

func newPage[T any](p control.Page[T]) *pageOf[T] {
	out := &pageOf[T]{}
	out.Body.Items, out.Body.Next, out.Body.Total = p.Items, p.Next, p.Total
	return out
}

// op describes an operation. More are the errors that it has besides those that
// follow from its method, path and input.
func op(method, path, id, summary, tag string, status int, more ...int) huma.Operation {
	o := huma.Operation{
		Method: method, Path: "/api/" + Version + path, OperationID: strings.ReplaceAll(id, "_", "-"), Summary: strings.ReplaceAll(summary, "_", " "), Tags: []string{tag},
		DefaultStatus: status, Errors: append([]int{http.StatusUnauthorized, http.StatusTooManyRequests, http.StatusServiceUnavailable}, more...),
	}
	if strings.Contains(path, "{") {
		o.Errors = append(o.Errors, http.StatusForbidden, http.StatusNotFound)
	} else if method != http.MethodGet {
		o.Errors = append(o.Errors, http.StatusForbidden) // a browser without its token
	}
	return o
}

// withBody sets the most bytes of a body, where it may have more than 1 MB.
func withBody(o huma.Operation, most int64) huma.Operation {
	o.MaxBodyBytes, o.BodyReadTimeout = most, 30*time.Second
	return o
}

// register registers an operation whose errors are those of the Centre.
func register[I, O any](s *Server, o huma.Operation, handle func(context.Context, *I) (*O, error)) {
	in := reflect.TypeFor[I]()
	if _, ok := in.FieldByName("IfMatch"); ok {
		o.Errors = append(o.Errors, http.StatusPreconditionFailed, http.StatusPreconditionRequired)
	}
	if _, ok := in.FieldByName("Body"); ok {
		o.Errors = append(o.Errors, http.StatusRequestEntityTooLarge)
	}
	if !slices.Contains(o.Errors, http.StatusUnprocessableEntity) {
		o.Errors = append(o.Errors, http.StatusUnprocessableEntity) // parameters that nobody knows
	}
	huma.Register(s.api, o, func(ctx context.Context, in *I) (*O, error) {
		out, err := handle(ctx, in)
		if err == nil {
			return out, nil
		}
		var ready huma.StatusError
		if errors.As(err, &ready) {
			return nil, err
		}
		return nil, s.fail(err)
	})
}

// crud registers the five operations that most objects have. revise sets what
// comes from the path and from If-Match, and not from the body.
type crud[T any] struct {
	kind, plural, tag string
	list              func(ctx context.Context, a control.Actor, org, after string, limit int) (control.Page[T], error)
	get               func(ctx context.Context, a control.Actor, id string) (T, error)
	save              func(ctx context.Context, a control.Actor, v T) (T, error)
	meta              func(v *T) (m *control.Meta, company *string)
}

func (c crud[T]) register(s *Server) {
	register(s, op(http.MethodGet, "/orgs/{org}/"+c.plural, "list-"+c.plural, "List "+c.plural, c.tag, 200),
		func(ctx context.Context, in *PageInput) (*pageOf[T], error) {
			p, err := c.list(ctx, actorOf(ctx), in.Org, in.After, in.Limit)
			return newPage(p), err
		})
	register(s, op(http.MethodPost, "/orgs/{org}/"+c.plural, "create-"+c.kind, "Make a "+c.kind, c.tag, 201, http.StatusConflict),
		func(ctx context.Context, in *struct {
			OrgInput
			Body T
		}) (*item[T], error) {
			m, company := c.meta(&in.Body)
			*m, *company = control.Meta{}, in.Org
			return c.answer(c.save(ctx, actorOf(ctx), in.Body))
		})
	register(s, op(http.MethodGet, "/"+c.plural+"/{id}", "get-"+c.kind, "Read a "+c.kind, c.tag, 200),
		func(ctx context.Context, in *IDInput) (*item[T], error) {
			return c.answer(c.get(ctx, actorOf(ctx), in.ID))
		})
	register(s, op(http.MethodPut, "/"+c.plural+"/{id}", "change-"+c.kind, "Change a "+c.kind, c.tag, 200, http.StatusConflict),
		func(ctx context.Context, in *struct {
			IDInput
			AtRevision
			Body T
		}) (*item[T], error) {
			revision, err := in.revision()
			if err != nil {
				return nil, err
			}
			old, err := c.get(ctx, actorOf(ctx), in.ID)
			if err != nil {
				return nil, err
			}
			_, was := c.meta(&old)
			m, company := c.meta(&in.Body)
			*m, *company = control.Meta{ID: in.ID, Revision: revision}, *was
			return c.answer(c.save(ctx, actorOf(ctx), in.Body))
		})
	s.removal(c.kind, c.plural, c.tag)
}

func (c crud[T]) answer(v T, err error) (*item[T], error) {
	m, _ := c.meta(&v)
	return &item[T]{ETag: etag(m.Revision), Body: v}, err
}

// removal registers deletion, and what it would take along.
func (s *Server) removal(kind, plural, tag string) {
	register(s, op(http.MethodGet, "/"+plural+"/{id}/consequences", "consequences-"+kind, "What deleting it would take along", tag, 200),
		func(ctx context.Context, in *IDInput) (*list[control.Consequence], error) {
			l, err := s.centre.Consequences(ctx, actorOf(ctx), kind, in.ID)
			return listOf(l), err
		})
	register(s, op(http.MethodDelete, "/"+plural+"/{id}", "delete-"+kind, "Delete a "+kind+" and what it takes along", tag, 204),
		func(ctx context.Context, in *struct {
			IDInput
			AtRevision
		}) (*struct{}, error) {
			revision, err := in.revision()
			if err != nil {
				return nil, err
			}
			return nil, s.centre.Remove(ctx, actorOf(ctx), kind, in.ID, revision)
		})
}
