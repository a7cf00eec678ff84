package app

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/onetouchjoin/onetouchjoin/calendar"
	"github.com/onetouchjoin/onetouchjoin/control"
	"github.com/onetouchjoin/onetouchjoin/endpoints/cisco"
	"github.com/onetouchjoin/onetouchjoin/endpoints/feed"
	"github.com/onetouchjoin/onetouchjoin/endpoints/poly"
)

// SiteConfig is where devices call the program: those that fetch their meetings
// instead of getting them.
type SiteConfig struct {
	// Listen is the address to listen at, as in ":8443". Without it devices call
	// where administrators do.
	Listen string `json:"listen"`
	// URL is how devices reach it, as in "https://otj.fabrikam.example:8443".
	URL string `json:"url"`
	// CertFile and KeyFile are the certificate and its key in PEM form. They are
	// read again when they have changed.
	CertFile string `json:"cert_file"`
	KeyFile  string `json:"key_file"`
	// HTTP listens without TLS, for a proxy in front that has it.
	HTTP bool `json:"http"`
	// State is a folder in which is kept what has to outlive a restart: the
	// sums of the macros' tokens, and the refresh tokens that Webex renews.
	State string `json:"state"`
	// PolyAuth are the schemes that Poly devices are offered, in this order:
	// NTLM, which needs TLS here, and Basic.
	PolyAuth []poly.Scheme `json:"poly_auth"`

	privateHooks bool   // ControlConfig.PrivateWebhooks
	noFile       bool   // Config.noFile
	urlIn        string // which member of the file has URL: "site" or "control"
}

// devices is where devices call: Site, completed by what the control centre has
// where Site says nothing.
func (c *Config) devices() SiteConfig {
	s := c.Site
	s.noFile, s.urlIn = c.noFile, "site"
	if c.Control == nil {
		return s
	}
	if s.State == "" {
		s.State = c.Control.Data
	}
	s.privateHooks = c.Control.PrivateWebhooks
	if s.Listen == "" {
		s.HTTP = c.Control.HTTP
		if s.URL == "" {
			s.URL, s.urlIn = c.Control.URL, "control"
		}
	}
	return s
}

// Site is what devices call, and what they are called with: the servers that
// several devices share. It is safe for concurrent use.
//
// A device that is no longer configured goes on being answered until the
// program ends, with no meetings, so that it clears its screen.
type Site struct {
	config   SiteConfig
	macros   *cisco.MacroServer
	manager  *cisco.Manager
	feedback *cisco.Feedback
	poly     *poly.Server
	ntlmKey  []byte // of its credentials; nil without NTLM
	feed     *feed.Server
	hooks    *http.Client // for the webhooks of companies

	mu     sync.Mutex
	remove map[string]func() // takes a device off its server, by the device
	webex  map[Webex]*organization

	codesMu sync.Mutex
	codes   map[string]calendar.Secret // enrolment codes that were given out, by the device's ID
}

// The paths below SiteConfig.URL.
const (
	macroPath    = "/macro"
	managerPath  = "/tms"
	feedbackPath = "/feedback"
)

func newSite(c SiteConfig) (*Site, error) {
	s := &Site{config: c, feed: feed.New(nil), hooks: control.HookClient(c.privateHooks, nil), remove: map[string]func(){}, webex: map[Webex]*organization{}, codes: map[string]calendar.Secret{}}
	var err error
	if s.manager, err = cisco.NewManager(nil); err != nil {
		return nil, err
	}
	// The proxy in front has TLS where the program has not. NTLM would need the
	// devices' own connections, so it is only on without one.
	opts := &poly.Options{URL: c.URL, AllowHTTP: c.HTTP, Auth: c.PolyAuth}
	if !c.HTTP {
		s.ntlmKey = make([]byte, 32)
		_, _ = rand.Read(s.ntlmKey)
		opts.NTLMKey = s.ntlmKey
	}
	if s.poly, err = poly.New(opts); err != nil {
		return nil, err
	}
	base, err := url.Parse(c.URL)
	if err != nil || base.Scheme != "https" { // the devices of the others call over TLS only
		return s, err
	}
	var store cisco.TokenStore
	if c.State != "" {
		store = tokenFolder(c.State)
	}
	if s.macros, err = cisco.NewMacroServer(base.JoinPath(macroPath).String(), &cisco.MacroOptions{Tokens: store}); err != nil {
		return nil, err
	}
	s.feedback, err = cisco.NewFeedback(base.JoinPath(feedbackPath).String())
	return s, err
}

// add puts a device on one of the servers, in the place of the one that was
// there under the same name.
func (s *Site) add(name string, add func() (remove func(), err error)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if before := s.remove[name]; before != nil {
		before()
		delete(s.remove, name)
	}
	remove, err := add()
	if err == nil {
		s.remove[name] = remove
	}
	return err
}

// Handler answers devices.
func (s *Site) Handler() http.Handler {
	mux := http.NewServeMux()
	s.handle(mux)
	return mux
}

// handle adds what devices call to a mux.
func (s *Site) handle(mux *http.ServeMux) {
	if s.macros != nil {
		mux.Handle(macroPath+"/", s.macros)
		mux.Handle("POST "+feedbackPath+"/", s.feedback)
	}
	mux.Handle(managerPath+"/", s.manager)
	mux.Handle("/EWS/", s.poly)
	mux.Handle("/ews/", s.poly)
	mux.Handle("/autodiscover/", s.poly)
	mux.Handle("/Autodiscover/", s.poly)
	mux.Handle("/AutoDiscover/", s.poly)
	mux.Handle("/oauth/token", s.feed)
	mux.Handle("/v1/", s.feed)
}

// server returns the server for devices. It is started by ServeTLS if
// TLSConfig is set.
func (s *Site) server(h http.Handler) (*http.Server, error) {
	srv := &http.Server{
		Handler:           h,
		ConnContext:       s.poly.ConnContext,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    32 << 10,
	}
	return srv, withCertificate(srv, s.config.HTTP, s.config.CertFile, s.config.KeyFile)
}

// withCertificate gives a server its certificate, unless it is to do without TLS.
func withCertificate(srv *http.Server, plain bool, cert, key string) error {
	if plain {
		return nil
	}
	k := &keyPair{cert: cert, key: key}
	if _, err := k.get(nil); err != nil {
		return err
	}
	srv.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: k.get}
	return nil
}

// serveUntil serves until ctx is done.
func serveUntil(ctx context.Context, l net.Listener, srv *http.Server) error {
	done := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(done)
		sctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		if srv.Shutdown(sctx) != nil {
			_ = srv.Close() // the program ends
		}
	})
	defer func() {
		if !stop() {
			<-done
		}
	}()
	var err error
	if srv.TLSConfig == nil {
		err = srv.Serve(l)
	} else {
		err = srv.ServeTLS(l, "", "")
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// keyPair is a certificate in files, which is read again when they change. One
// that cannot be read leaves the certificate that was there.
type keyPair struct {
	cert, key string

	mu      sync.Mutex
	looked  time.Time
	changed time.Time
	pair    *tls.Certificate
}

func (k *keyPair) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.pair != nil && time.Since(k.looked) < 10*time.Second {
		return k.pair, nil
	}
	k.looked = time.Now()
	var changed time.Time
	for _, name := range []string{k.cert, k.key} {
		if info, err := os.Stat(name); err == nil && info.ModTime().After(changed) {
			changed = info.ModTime()
		}
	}
	if k.pair != nil && changed.Equal(k.changed) {
		return k.pair, nil
	}
	pair, err := tls.LoadX509KeyPair(k.cert, k.key)
	if err != nil {
		if k.pair != nil {
			return k.pair, nil
		}
		return nil, err
	}
	k.pair, k.changed = &pair, changed
	return k.pair, nil
}

// tokenFolder keeps a file for each device whose macro calls.
type tokenFolder string

func (f tokenFolder) path(device string) string {
	return filepath.Join(string(f), "macro-"+device+".json")
}

// Load returns what is kept of a device.
func (f tokenFolder) Load(_ context.Context, device string) (cisco.MacroTokens, error) {
	var t cisco.MacroTokens
	text, err := os.ReadFile(f.path(device))
	if errors.Is(err, fs.ErrNotExist) {
		return t, nil
	}
	if err != nil {
		return t, err
	}
	if err := json.Unmarshal(text, &t); err != nil {
		return t, fmt.Errorf("%s: %w", f.path(device), err)
	}
	return t, nil
}

// Save replaces it.
func (f tokenFolder) Save(_ context.Context, device string, t cisco.MacroTokens) error {
	text, err := json.Marshal(t)
	if err != nil {
		return err
	}
	return replaceFile(f.path(device), text)
}

// replaceFile writes a file that only its owner reads, so that it has the old
// or the new content whatever happens.
func replaceFile(path string, text []byte) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), ".otj-*")
	if err != nil {
		return err
	}
	_, err = tmp.Write(text)
	if err == nil {
		err = tmp.Sync()
	}
	err = errors.Join(err, tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(tmp.Name()))
	}
	return nil
}

// Webex is how an organization's devices are called through the Webex cloud: by
// the token of a bot, or by a workspace integration.
type Webex struct {
	// BaseURL is that of the Webex API, if it is another than
	// cisco.WebexBaseURL.
	BaseURL string `json:"base_url"`
	// CAFile has the authority that signs what a proxy in between makes of
	// Webex's certificates.
	CAFile string `json:"ca_file"`

	// The token of a bot is given here, as the content of a file, or as that of
	// an environment variable.
	Token     calendar.Secret `json:"token"`
	TokenFile string          `json:"token_file"`
	TokenEnv  string          `json:"token_env"`

	// A workspace integration has a client id, a secret and a refresh token,
	// which are given in the same ways.
	ClientID         string          `json:"client_id"`
	ClientSecret     calendar.Secret `json:"client_secret"`
	ClientSecretFile string          `json:"client_secret_file"`
	ClientSecretEnv  string          `json:"client_secret_env"`
	RefreshToken     calendar.Secret `json:"refresh_token"`
	RefreshTokenFile string          `json:"refresh_token_file"`
	RefreshTokenEnv  string          `json:"refresh_token_env"`
}

// organization is what the devices of an entry of Config.Webex share.
type organization struct {
	tokens cisco.TokenSource
	client *http.Client // nil for the default
}

// organization returns what devices of an organization share.
func (s *Site) organization(w Webex) (*organization, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if o := s.webex[w]; o != nil {
		return o, nil
	}
	o := &organization{}
	if w.CAFile != "" {
		var err error
		if o.client, err = clientFor(w.CAFile, 30*time.Second); err != nil {
			return nil, err
		}
	}
	o.tokens = cisco.BotToken(w.Token)
	if w.ClientID != "" {
		refresh, kept := w.RefreshToken, ""
		if s.config.State != "" {
			// What Webex has renewed counts as long as the one that it replaced is
			// configured.
			sum := sha256.Sum256([]byte(w.ClientID + "\x00" + string(w.RefreshToken)))
			kept = filepath.Join(s.config.State, fmt.Sprintf("webex-%x", sum[:8]))
			text, err := os.ReadFile(kept)
			if err == nil {
				refresh = calendar.Secret(text)
			} else if !errors.Is(err, fs.ErrNotExist) {
				return nil, err
			}
		}
		i, err := cisco.NewIntegration(w.ClientID, w.ClientSecret, refresh, &cisco.IntegrationOptions{BaseURL: w.BaseURL, Client: o.client, Renewed: func(next calendar.Secret) {
			if kept != "" {
				_ = replaceFile(kept, []byte(next)) // the one before works for days more
			}
		}})
		if err != nil {
			return nil, err
		}
		o.tokens = i
	}
	s.webex[w] = o
	return o, nil
}

// clientFor returns a client that trusts the authorities in a file, and follows
// no redirects.
func clientFor(caFile string, timeout time.Duration) (*http.Client, error) {
	pool, err := readPool(caFile)
	if err != nil {
		return nil, err
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	return &http.Client{Transport: transport, Timeout: timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}, nil
}

func trusting(pool *x509.CertPool) *tls.Config {
	return &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
}

// readPool reads certificates of authorities in PEM form.
func readPool(path string) (*x509.CertPool, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, errors.New("there is no certificate in PEM form in it")
	}
	return pool, nil
}
