package console

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"html/template"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/onetouchjoin/onetouchjoin/control"
	"github.com/onetouchjoin/onetouchjoin/control/api"
)

// maxBody is the most bytes of a form, files in it included: it has room for a
// table of control.MaxCSV in base64.
const maxBody = 8 << 20

// request is a call of a page, with who calls and for which organization.
type request struct {
	*http.Request
	w       http.ResponseWriter
	console *Console

	session *control.Session // nil if nobody is signed in
	actor   control.Actor
	org     *control.Org // the organization of the path, or nil
}

type handler func(*request) error

// open registers a page that needs nobody signed in.
func (c *Console) open(pattern string, h handler) {
	c.mux.HandleFunc(pattern, func(w http.ResponseWriter, hr *http.Request) {
		r := &request{Request: hr, w: w, console: c}
		if err := c.check(r, h); err != nil {
			r.fail(err)
		}
	})
}

func (c *Console) check(r *request, h handler) error {
	if err := c.opts.Guard.Allow(r.Request); err != nil {
		return err
	}
	if err := c.cross.Check(r.Request); err != nil {
		return errForeign
	}
	if err := r.parse(); err != nil {
		return err
	}
	s, err := api.SessionOf(r.Request, c.centre)
	switch {
	case err == nil:
		r.session = &s
		r.actor = control.Actor{User: s.User, Address: c.opts.Guard.Address(r.Request)}
	case !errors.Is(err, control.ErrNotFound):
		return err
	}
	return h(r)
}

// signedIn registers a page that belongs to no organization.
func (c *Console) signedIn(pattern string, h handler) {
	c.open(pattern, func(r *request) error {
		if r.session == nil {
			return r.toSignIn()
		}
		if r.Method != http.MethodGet && r.Method != http.MethodHead && !api.MatchesCSRF(*r.session, r.PostFormValue("csrf")) {
			return errForeign
		}
		return h(r)
	})
}

// inOrg registers a page of an organization, for those who may do action there.
func (c *Console) inOrg(pattern string, action control.Action, h handler) {
	c.routes = append(c.routes, route{pattern, action})
	c.signedIn(pattern, func(r *request) error {
		org, err := c.centre.Org(r.Context(), r.actor, r.PathValue("org"))
		if err != nil {
			return err
		}
		r.org = &org
		if !r.may(action) {
			return &control.DeniedError{Action: action, Org: org.Name}
		}
		return h(r)
	})
}

// errForeign is the error of a form that another site has sent, or a page of a
// session that is over.
var errForeign = errors.New("this form does not belong to your session")

// errTooLarge is the error of a form with too many bytes, errForm of one that
// cannot be read.
var (
	errTooLarge = errors.New("the form is too large")
	errForm     = errors.New("the form cannot be read")
)

// parse reads the form of a request, files included.
func (r *request) parse() error {
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return nil
	}
	r.Body = http.MaxBytesReader(r.w, r.Body, maxBody)
	// ParseMultipartForm alone would hide what is wrong with other forms.
	err := r.ParseForm()
	if err == nil && strings.HasPrefix(r.Header.Get("Content-Type"), "multipart/form-data") {
		err = r.ParseMultipartForm(maxBody)
	}
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return errTooLarge
	case err != nil:
		return errForm
	}
	return nil
}

// may reports whether the caller may do action in the organization of the page.
func (r *request) may(action control.Action) bool {
	return r.org != nil && control.Allowed(r.actor.User, action, *r.org)
}

// path returns the path of a page of the organization: path("providers", id).
func (r *request) path(parts ...string) string { return orgPath(r.org.ID, parts...) }

func orgPath(org string, parts ...string) string {
	p := "/o/" + url.PathEscape(org)
	for _, part := range parts {
		p += "/" + url.PathEscape(part)
	}
	return p
}

// crumb is a step of the way to a page.
type crumb struct{ Name, Path string }

// page is what a handler shows.
type page struct {
	Template string  // templates/NAME.html
	Title    string  // of the page and its heading
	Crumbs   []crumb // between the organization and this page
	Form     *form
	Data     any
	Status   int // default 200, or 422 for a form with problems
}

// view is the dot of templates.
type view struct {
	page
	r       *request
	CSRF    string
	User    *control.User
	Org     *control.Org
	Orgs    []control.Org // for the switch; those that the caller may see
	MoreOrg bool          // not all of them
	Menu    []section
	Flash   *flash
	Path    string
	Content template.HTML // what the page's template gave
}

// Can reports whether the caller may do an action in the organization.
func (v *view) Can(action control.Action) bool { return v.r.may(action) }

// To returns the path of a page of the organization.
func (v *view) To(parts ...string) string { return v.r.path(parts...) }

// OpenID returns the other way to sign in, or nil.
func (v *view) OpenID() *OpenID { return v.r.console.opts.OpenID }

// mostOrgs is how many organizations the switch lists.
const mostOrgs = 12

// show renders a page.
func (r *request) show(p page) error {
	v, err := r.view(p)
	if err != nil {
		return err
	}
	return r.write(v)
}

// view makes the dot of a page's template.
func (r *request) view(p page) (*view, error) {
	v := &view{page: p, r: r, Org: r.org, Flash: r.takeFlash(), Path: r.URL.Path}
	if r.session != nil {
		v.CSRF, v.User = string(r.session.CSRF), &r.session.User
		orgs, err := r.console.centre.Orgs(r.Context(), r.actor)
		if err != nil && !errors.Is(err, control.ErrNotFound) {
			return nil, err
		}
		if v.MoreOrg = len(orgs) > mostOrgs; v.MoreOrg {
			orgs = orgs[:mostOrgs]
		}
		v.Orgs = orgs
	}
	v.Menu = r.menu()
	return v, nil
}

// render returns the page's HTML.
func (v *view) render() ([]byte, error) {
	t := templates()[v.Template]
	if t == nil {
		return nil, errors.New("no template " + v.Template)
	}
	// The content comes first, for the layout's summary of problems has links to
	// the fields in it.
	var b bytes.Buffer
	if err := t.ExecuteTemplate(&b, "content", v); err != nil {
		return nil, err
	}
	v.Content = template.HTML(b.String())
	b.Reset()
	if err := t.ExecuteTemplate(&b, "layout", v); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

func (r *request) write(v *view) error {
	html, err := v.render()
	if err != nil {
		return err
	}
	status := v.Status
	switch {
	case status != 0:
	case v.Form != nil && len(v.Form.Problems) > 0:
		status = http.StatusUnprocessableEntity
	default:
		status = http.StatusOK
	}
	r.w.Header().Set("Content-Type", "text/html; charset=utf-8")
	r.w.Header().Set("Cache-Control", "no-store")
	r.w.WriteHeader(status)
	if r.Method != http.MethodHead {
		r.w.Write(html)
	}
	return nil
}

// redirect sends the browser to another page of this host after a change, which
// says there what was done: a key of the catalogue and its arguments. An empty
// key says nothing.
func (r *request) redirect(to, key string, args ...any) error {
	if key != "" {
		r.setFlash(flash{"good", text(key, args...)})
	}
	http.Redirect(r.w, r.Request, to, http.StatusSeeOther)
	return nil
}

// flash is a message for the next page. Kind is "good" or "bad".
type flash struct {
	Kind string `json:"k"`
	Text string `json:"t"`
}

const flashCookie = "__Host-otj-flash"

func (r *request) setFlash(f flash) {
	if len(f.Text) > 1000 {
		f.Text = strings.ToValidUTF8(f.Text[:1000], "") + "…"
	}
	data, err := json.Marshal(f)
	if err != nil {
		return // two strings always encode
	}
	http.SetCookie(r.w, &http.Cookie{
		Name: flashCookie, Value: base64.RawURLEncoding.EncodeToString(data), Path: "/",
		MaxAge: 60, Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
}

func (r *request) takeFlash() *flash {
	cookie, err := r.Cookie(flashCookie)
	if err != nil {
		return nil
	}
	http.SetCookie(r.w, &http.Cookie{Name: flashCookie, Path: "/", MaxAge: -1, Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode})
	var f flash
	data, err := base64.RawURLEncoding.DecodeString(cookie.Value)
	if err != nil || json.Unmarshal(data, &f) != nil || f.Kind != "good" && f.Kind != "bad" {
		return nil
	}
	return &f
}

// toSignIn sends the browser to the page to sign in, and back afterwards.
func (r *request) toSignIn() error {
	to := "/sign-in"
	if r.Method == http.MethodGet && r.URL.Path != "/" {
		to += "?next=" + url.QueryEscape(r.URL.RequestURI())
	}
	http.Redirect(r.w, r.Request, to, http.StatusSeeOther)
	return nil
}

// local returns where to go after a sign-in: a path of this host, else "/".
func local(next string) string {
	u, err := url.Parse(next)
	if err != nil || u.Scheme != "" || u.Host != "" || !strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") ||
		strings.ContainsAny(next, "\\\r\n\t") {
		return "/"
	}
	return next
}

// problem is what the page of an error says.
type problem struct {
	Text  string
	Back  string // path to go on at, or empty
	Label string
}

// fail answers with the page that fits an error.
func (r *request) fail(err error) {
	status, key, why := http.StatusInternalServerError, "server", ""
	var limited *api.LimitedError
	var denied *control.DeniedError
	switch {
	case errors.As(err, &limited):
		status, key = http.StatusTooManyRequests, "limited"
		r.w.Header().Set("Retry-After", strconv.Itoa(int(limited.After.Seconds())+1))
	case errors.Is(err, errForeign):
		status, key = http.StatusForbidden, "foreign"
	case errors.Is(err, errTooLarge):
		status, key = http.StatusRequestEntityTooLarge, "large"
	case errors.Is(err, errForm):
		status, key = http.StatusBadRequest, "form"
	case errors.Is(err, control.ErrNotFound):
		status, key = http.StatusNotFound, "missing"
	case errors.As(err, &denied):
		status, key, why = http.StatusForbidden, "denied", text("error.need."+string(denied.Action))
	case errors.Is(err, control.ErrDenied):
		status, key = http.StatusForbidden, "denied"
	case errors.Is(err, control.ErrStale):
		status, key = http.StatusConflict, "stale"
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		status, key = http.StatusServiceUnavailable, "slow"
	default:
		if list := problemsOf(err); list != nil {
			status, key, why = http.StatusUnprocessableEntity, "invalid", list[0].Msg
			break
		}
		r.console.opts.Logger.Error("page", "path", r.URL.Path, "err", err)
	}
	p := page{Template: "error", Title: text("error." + key + ".title"), Status: status, Data: problem{
		Text: strings.TrimSpace(text("error."+key+".text") + " " + why), Back: "/", Label: text("error.start"),
	}}
	v, verr := r.view(p)
	if verr != nil { // the store fails: the page does without the switch of companies
		v = &view{page: p, r: r}
	}
	if err := r.write(v); err != nil {
		r.console.opts.Logger.Error("page of an error", "err", err)
		http.Error(r.w, p.Title, http.StatusInternalServerError)
	}
}
