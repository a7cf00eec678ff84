// Package oidc signs users of the control centre in with accounts of somewhere
// else, by OpenID Connect: the authorization code flow with state, nonce and PKCE.
//
// The other place vouches for an e-mail address, and nothing more is believed: it
// has to be that of a user who is there already, and the other place has to say
// that it has verified it.
package oidc

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/onetouchjoin/onetouchjoin/calendar"
	"github.com/onetouchjoin/onetouchjoin/control"
	"github.com/onetouchjoin/onetouchjoin/control/api"
)

// The paths of a SignIn. CallbackPath below the site's address is the redirect
// address that the other place has to know.
const (
	StartPath    = "/oidc/start"
	CallbackPath = "/oidc/callback"
)

// Options say where accounts are. Issuer, ClientID, Site are required.
type Options struct {
	// Issuer is the address of the other place, as its discovery document has it.
	Issuer string
	// ClientID and ClientSecret are those of this program there.
	ClientID     string
	ClientSecret calendar.Secret
	// Site is the address of this program, as in "https://otj.example.com".
	Site string
	// TrustEmail takes addresses of which the other place does not say that they
	// are verified. It is for a place whose administrators alone give addresses
	// out, such as a single tenant of Microsoft Entra; anywhere else people could
	// sign in as somebody else.
	TrustEmail bool
	// Client calls the other place. Default: one with a timeout of 10 seconds.
	Client *http.Client
	// Guard limits how often a caller may call. Default: api.NewGuard(nil).
	Guard *api.Guard
	// Logger gets why sign-ins failed. Default: none.
	Logger *slog.Logger
}

// SignIn is an http.Handler for StartPath and CallbackPath. It is safe for
// concurrent use.
type SignIn struct {
	centre *control.Centre
	opts   Options
	mux    *http.ServeMux

	mu       sync.Mutex
	provider *oidc.Provider // nil until the other place has answered
	begun    map[[32]byte]attempt
}

// attempt is a sign-in that has begun.
type attempt struct {
	nonce, verifier string
	browser         [32]byte // the sum of its cookie
	next            string
	expires         time.Time
}

// Attempts last as long as somebody needs to sign in elsewhere, and so many of
// them are remembered.
const (
	attemptLife = 10 * time.Minute
	maxAttempts = 10_000
)

// New returns a SignIn. It makes no request: the other place is asked when
// somebody signs in.
func New(centre *control.Centre, o Options) (*SignIn, error) {
	for what, address := range map[string]string{"issuer": o.Issuer, "site": o.Site} {
		u, err := url.Parse(address)
		local := err == nil && u.Scheme == "http" && u.Hostname() == "localhost"
		if err != nil || u.Host == "" || u.Scheme != "https" && !local {
			return nil, fmt.Errorf("oidc: the address of the %s has to begin with https://", what)
		}
	}
	if o.ClientID == "" {
		return nil, errors.New("oidc: the client id is missing")
	}
	s := &SignIn{centre: centre, opts: o, mux: http.NewServeMux(), begun: map[[32]byte]attempt{}}
	if o.Client == nil {
		s.opts.Client = &http.Client{Timeout: 10 * time.Second}
	}
	if o.Guard == nil {
		s.opts.Guard = api.NewGuard(nil)
	}
	if o.Logger == nil {
		s.opts.Logger = slog.New(slog.DiscardHandler)
	}
	s.mux.HandleFunc("GET "+StartPath, s.start)
	s.mux.HandleFunc("GET "+CallbackPath, s.callback)
	return s, nil
}

// ServeHTTP serves both paths.
func (s *SignIn) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	if err := s.opts.Guard.Allow(r); err != nil {
		s.page(w, http.StatusTooManyRequests, err.Error())
		return
	}
	s.mux.ServeHTTP(w, r)
}

// connect returns the other place, which is asked once.
func (s *SignIn) connect(ctx context.Context) (*oidc.Provider, *oauth2.Config, error) {
	s.mu.Lock()
	p := s.provider
	s.mu.Unlock()
	if p == nil {
		// Its keys are fetched later, when this request is over.
		var err error
		if p, err = oidc.NewProvider(oidc.ClientContext(context.WithoutCancel(ctx), s.opts.Client), s.opts.Issuer); err != nil {
			return nil, nil, err
		}
		s.mu.Lock()
		s.provider = p
		s.mu.Unlock()
	}
	return p, &oauth2.Config{
		ClientID: s.opts.ClientID, ClientSecret: string(s.opts.ClientSecret), Endpoint: p.Endpoint(),
		RedirectURL: strings.TrimRight(s.opts.Site, "/") + CallbackPath, Scopes: []string{oidc.ScopeOpenID, "email"},
	}, nil
}

// cookieName binds an attempt to a browser.
const cookieName = "__Host-otj-oidc"

func cookie(value string, life time.Duration) *http.Cookie {
	return &http.Cookie{Name: cookieName, Value: value, Path: "/", MaxAge: int(life.Seconds()), Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode}
}

// start sends the browser to the other place.
func (s *SignIn) start(w http.ResponseWriter, r *http.Request) {
	_, oauth, err := s.connect(r.Context())
	if err != nil {
		s.opts.Logger.Error("sign-in by OpenID Connect", "issuer", s.opts.Issuer, "error", err)
		s.page(w, http.StatusBadGateway, "The place where your account is does not answer, or is not what this server's configuration says. Try again later, or ask whoever runs this server for a sign-in link.")
		return
	}
	state, browser := rand.Text(), rand.Text()
	a := attempt{nonce: rand.Text(), verifier: oauth2.GenerateVerifier(), browser: sha256.Sum256([]byte(browser)), next: local(r.URL.Query().Get("next")), expires: time.Now().Add(attemptLife)}
	s.remember(state, a)
	http.SetCookie(w, cookie(browser, attemptLife))
	http.Redirect(w, r, oauth.AuthCodeURL(state, oidc.Nonce(a.nonce), oauth2.S256ChallengeOption(a.verifier)), http.StatusSeeOther)
}

func (s *SignIn) remember(state string, a attempt) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.begun) >= maxAttempts {
		now := time.Now()
		for k, old := range s.begun {
			if now.After(old.expires) || len(s.begun) >= maxAttempts {
				delete(s.begun, k)
			}
		}
	}
	s.begun[sha256.Sum256([]byte(state))] = a
}

// take returns an attempt and forgets it: an answer counts once.
func (s *SignIn) take(state string) (attempt, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := sha256.Sum256([]byte(state))
	a, ok := s.begun[k]
	delete(s.begun, k)
	return a, ok && time.Now().Before(a.expires)
}

// callback takes the answer of the other place.
func (s *SignIn) callback(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	a, ok := s.take(q.Get("state"))
	c, err := r.Cookie(cookieName)
	if ok = ok && err == nil; ok {
		sum := sha256.Sum256([]byte(c.Value))
		ok = subtle.ConstantTimeCompare(sum[:], a.browser[:]) == 1
	}
	http.SetCookie(w, cookie("", -time.Second))
	switch {
	case !ok:
		s.opts.Guard.Failed(r)
		s.page(w, http.StatusForbidden, "This sign-in is not known, was used, or took longer than ten minutes. Begin again.")
		return
	case q.Get("error") != "":
		s.opts.Logger.Warn("sign-in by OpenID Connect was refused", "code", fmt.Sprintf("%.60q", q.Get("error")))
		s.page(w, http.StatusForbidden, "The place where your account is has not signed you in.")
		return
	}
	email, err := s.email(r.Context(), q.Get("code"), a)
	if err != nil {
		s.opts.Guard.Failed(r)
		s.opts.Logger.Warn("sign-in by OpenID Connect", "error", err)
		text := "The answer of the place where your account is could not be checked. Begin again; this server's log says more."
		if unverified := (*unverifiedError)(nil); errors.As(err, &unverified) {
			text = "The place where your account is does not vouch for your e-mail address. Verify it there, and begin again."
		}
		s.page(w, http.StatusForbidden, text)
		return
	}
	session, err := s.centre.SignInByEmail(r.Context(), email, s.opts.Guard.Address(r))
	switch {
	case errors.Is(err, control.ErrNotFound):
		s.page(w, http.StatusForbidden, "You are "+email+" there, and no user here has this e-mail address. Ask an administrator to add you.")
	case err != nil:
		s.opts.Logger.Error("sign-in by OpenID Connect", "error", err)
		s.page(w, http.StatusServiceUnavailable, "The store does not answer. Try again later.")
	default:
		http.SetCookie(w, api.NewSessionCookie(session))
		http.Redirect(w, r, a.next, http.StatusSeeOther)
	}
}

// unverifiedError says that nobody vouches for an address.
type unverifiedError struct{}

func (*unverifiedError) Error() string {
	return "the e-mail address is missing, or not verified there; trust_email takes it if the place's administrators alone give addresses out"
}

// email exchanges a code for an ID token, checks that, and returns its address.
func (s *SignIn) email(ctx context.Context, code string, a attempt) (string, error) {
	p, oauth, err := s.connect(ctx)
	if err != nil {
		return "", err
	}
	token, err := oauth.Exchange(oidc.ClientContext(ctx, s.opts.Client), code, oauth2.VerifierOption(a.verifier))
	if err != nil {
		// The error has the whole answer in it.
		var refused *oauth2.RetrieveError
		if errors.As(err, &refused) {
			return "", fmt.Errorf("no token for the code: status %d, %.60q", refused.Response.StatusCode, refused.ErrorCode)
		}
		return "", fmt.Errorf("no token for the code: %w", err)
	}
	raw, ok := token.Extra("id_token").(string)
	if !ok {
		return "", errors.New("the answer has no ID token")
	}
	id, err := p.VerifierContext(oidc.ClientContext(ctx, s.opts.Client), &oidc.Config{ClientID: s.opts.ClientID}).Verify(ctx, raw)
	if err != nil {
		return "", err
	}
	if subtle.ConstantTimeCompare([]byte(id.Nonce), []byte(a.nonce)) != 1 {
		return "", errors.New("the ID token is of another sign-in: its nonce is wrong")
	}
	var claims struct {
		Email    string   `json:"email"`
		Verified verified `json:"email_verified"`
	}
	if err := id.Claims(&claims); err != nil {
		return "", err
	}
	if claims.Email == "" || !bool(claims.Verified) && !s.opts.TrustEmail {
		return "", &unverifiedError{}
	}
	return strings.ToLower(strings.TrimSpace(claims.Email)), nil
}

// verified is a claim that some write as a string.
type verified bool

func (v *verified) UnmarshalJSON(text []byte) error {
	var b bool
	if err := json.Unmarshal(text, &b); err == nil {
		*v = verified(b)
		return nil
	}
	*v = string(text) == `"true"`
	return nil
}

// local returns a path on this host, or the start.
func local(next string) string {
	u, err := url.Parse(next)
	if err != nil || u.Scheme != "" || u.Host != "" || !strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") || strings.ContainsAny(next, "\\\r\n\t") {
		return "/"
	}
	return cmp.Or(next, "/")
}

var errorPage = template.Must(template.New("error").Parse(`<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark"><title>Sign in – One-Touch Join</title></head>
<body><main><h1>You are not signed in</h1><p>{{.}}</p><p><a href="/sign-in">Sign in</a></p></main></body>
</html>
`))

func (s *SignIn) page(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_ = errorPage.Execute(w, text) // the browser is gone if this fails
}
