package console

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"html/template"
	"io/fs"
	"log/slog"
	"net/http"
	"net/url"
	"path"
	"strings"
	"sync"

	"github.com/onetouchjoin/onetouchjoin/calendar"
	"github.com/onetouchjoin/onetouchjoin/control"
	"github.com/onetouchjoin/onetouchjoin/control/api"
)

// ConsentPath is where the browser of a Global Administrator comes back to after
// a consent: the redirect address of the Microsoft 365 application is the site's
// address and this path.
const ConsentPath = "/consent"

// Options are what the console takes besides the Centre. The zero value works.
type Options struct {
	// Guard limits how often a caller may call. It should be the API's, so that
	// limits count for both. Default: api.NewGuard(nil).
	Guard *api.Guard
	// OpenID, where set, is offered on the page to sign in.
	OpenID *OpenID
	// Logger gets errors that are the server's own. Default: none.
	Logger *slog.Logger
}

// OpenID is a way to sign in with an account of somewhere else.
type OpenID struct {
	// Name is what people call that place, such as "Microsoft".
	Name string
	// Path begins the sign-in; it is on this host. The page to return to is added
	// to it as the parameter next.
	Path string
}

// Console serves the web console. It is safe for concurrent use.
type Console struct {
	centre *control.Centre
	opts   Options
	mux    *http.ServeMux
	cross  *http.CrossOriginProtection
	routes []route // those of organizations
}

// route is a page of an organization, and what one has to be allowed to do there.
type route struct {
	pattern string
	action  control.Action
}

// New returns a Console. It starts nothing.
func New(centre *control.Centre, opts *Options) *Console {
	c := &Console{centre: centre, mux: http.NewServeMux(), cross: http.NewCrossOriginProtection()}
	if opts != nil {
		c.opts = *opts
	}
	if c.opts.Guard == nil {
		c.opts.Guard = api.NewGuard(nil)
	}
	if c.opts.Logger == nil {
		c.opts.Logger = slog.New(slog.DiscardHandler)
	}
	c.mux.HandleFunc("GET /static/", serveStatic)
	c.signInRoutes()
	c.orgRoutes()
	c.userRoutes()
	c.tenantRoutes()
	c.liveRoutes()
	c.ruleRoutes()
	c.settingsRoutes()
	c.readinessRoutes()
	c.providerRoutes()
	c.mailboxRoutes()
	c.systemRoutes()
	c.importRoutes()
	c.groupRoutes()
	c.groupSettingsRoutes()
	c.hookRoutes()
	c.auditRoutes()
	c.tokenRoutes()
	c.removeRoutes()
	c.open("/", func(*request) error { return control.ErrNotFound })
	return c
}

// SetupPath is the path of the first set-up, for whoever has the secret of
// Centre.SetupLink.
func SetupPath(secret calendar.Secret) string {
	return "/setup?t=" + url.QueryEscape(string(secret))
}

// SignInPath is the path to sign in by the secret of Centre.SignInLink.
func SignInPath(secret calendar.Secret) string {
	return "/sign-in/link?t=" + url.QueryEscape(string(secret))
}

// policy is the content security policy: nothing but what this host serves, and
// no inline script or style.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// ServeHTTP serves everything but /api/.
func (c *Console) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
	if r.TLS != nil {
		h.Set("Strict-Transport-Security", "max-age=31536000")
	}
	c.mux.ServeHTTP(w, r)
}

//go:embed static templates texts
var files embed.FS

// assets are the static files by the name that pages use: it has a part of the
// content's hash, so that browsers may keep them for ever.
var assets = sync.OnceValue(func() map[string]asset {
	out := map[string]asset{}
	names, err := fs.Glob(files, "static/*")
	if err != nil {
		panic(err) // the pattern is constant
	}
	for _, name := range names {
		data, err := files.ReadFile(name)
		if err != nil {
			panic(err) // it is embedded
		}
		sum := sha256.Sum256(data)
		ext := path.Ext(name)
		public := strings.TrimSuffix(path.Base(name), ext) + "." + hex.EncodeToString(sum[:6]) + ext
		out[path.Base(name)] = asset{"/static/" + public, data}
	}
	return out
})

type asset struct {
	path string
	data []byte
}

// types are the media types of the static files: the machine's own table may
// lack them.
var types = map[string]string{".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}

func serveStatic(w http.ResponseWriter, r *http.Request) {
	for _, a := range assets() {
		if a.path == r.URL.Path {
			w.Header().Set("Content-Type", types[path.Ext(a.path)])
			w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
			w.Write(a.data)
			return
		}
	}
	http.NotFound(w, r)
}

// templates are the pages by name, each with the layout and the shared parts.
var templates = sync.OnceValue(func() map[string]*template.Template {
	base := template.Must(template.New("").Funcs(funcs).ParseFS(files, "templates/layout.html", "templates/parts.html"))
	names, err := fs.Glob(files, "templates/*.html")
	if err != nil {
		panic(err) // the pattern is constant
	}
	out := map[string]*template.Template{}
	for _, name := range names {
		page := strings.TrimSuffix(path.Base(name), ".html")
		if page != "layout" && page != "parts" {
			out[page] = template.Must(template.Must(base.Clone()).ParseFS(files, name))
		}
	}
	return out
})
