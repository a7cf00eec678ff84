package oidc

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"math/big"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/onetouchjoin/onetouchjoin/control"
	"github.com/onetouchjoin/onetouchjoin/control/api"
	"github.com/onetouchjoin/onetouchjoin/control/sqlite"
)

// place is where accounts are: it signs everybody in at once.
type place struct {
	*httptest.Server
	key    *rsa.PrivateKey
	claims map[string]any // of the next ID token, beside those that it makes
	spoil  func(claims map[string]any)
	asked  map[string]url.Values // by the code
	denied string
}

// placeKey signs for every place: making one takes long.
var placeKey = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

func newPlace(t *testing.T) *place {
	key, err := placeKey()
	require.NoError(t, err)
	p := &place{key: key, asked: map[string]url.Values{}, claims: map[string]any{"email": "ann@fabrikam.example", "email_verified": true}}
	mux := http.NewServeMux()
	answer := func(w http.ResponseWriter, status int, v any) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(v)
	}
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, 200, map[string]any{
			"issuer": p.URL, "authorization_endpoint": p.URL + "/authorize", "token_endpoint": p.URL + "/token", "jwks_uri": p.URL + "/keys",
			"id_token_signing_alg_values_supported": []string{"RS256"},
		})
	})
	mux.HandleFunc("/keys", func(w http.ResponseWriter, _ *http.Request) {
		b64 := base64.RawURLEncoding.EncodeToString
		answer(w, 200, map[string]any{"keys": []any{map[string]any{"kty": "RSA", "alg": "RS256", "use": "sig", "kid": "1", "n": b64(key.N.Bytes()), "e": b64(big.NewInt(int64(key.E)).Bytes())}}})
	})
	mux.HandleFunc("/authorize", func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		back := url.Values{"state": {q.Get("state")}}
		if p.denied != "" {
			back.Set("error", p.denied)
		} else {
			code := rand.Text()
			p.asked[code] = q
			back.Set("code", code)
		}
		http.Redirect(w, r, q.Get("redirect_uri")+"?"+back.Encode(), http.StatusSeeOther)
	})
	mux.HandleFunc("/token", func(w http.ResponseWriter, r *http.Request) {
		q, ok := p.asked[r.PostFormValue("code")]
		sum := sha256.Sum256([]byte(r.PostFormValue("code_verifier")))
		_, secret, _ := r.BasicAuth()
		if !ok || q.Get("code_challenge_method") != "S256" || q.Get("code_challenge") != base64.RawURLEncoding.EncodeToString(sum[:]) || secret != "client secret" && r.PostFormValue("client_secret") != "client secret" {
			answer(w, 400, map[string]any{"error": "invalid_grant"})
			return
		}
		delete(p.asked, r.PostFormValue("code"))
		now := time.Now()
		claims := map[string]any{"iss": p.URL, "sub": "1", "aud": "otj", "exp": now.Add(time.Hour).Unix(), "iat": now.Unix(), "nonce": q.Get("nonce")}
		for k, v := range p.claims {
			claims[k] = v
		}
		if p.spoil != nil {
			p.spoil(claims)
		}
		answer(w, 200, map[string]any{"access_token": "x", "token_type": "Bearer", "id_token": p.sign(claims)})
	})
	p.Server = httptest.NewTLSServer(mux)
	t.Cleanup(p.Close)
	return p
}

func (p *place) sign(claims map[string]any) string {
	b64 := base64.RawURLEncoding.EncodeToString
	body, _ := json.Marshal(claims)
	text := b64([]byte(`{"alg":"RS256","kid":"1"}`)) + "." + b64(body)
	sum := sha256.Sum256([]byte(text))
	sig, _ := rsa.SignPKCS1v15(rand.Reader, p.key, crypto.SHA256, sum[:])
	return text + "." + b64(sig)
}

// world is a control centre with one user, its page to sign in, and a browser.
type world struct {
	place   *place
	centre  *control.Centre
	site    *httptest.Server
	browser *http.Client
}

func newWorld(t *testing.T, change func(*Options)) *world {
	w := &world{place: newPlace(t)}
	keys, err := control.NewKeys()
	require.NoError(t, err)
	store, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "otj.db"))
	require.NoError(t, err)
	t.Cleanup(func() { store.Close() })
	w.centre, err = control.New(store, keys, nil)
	require.NoError(t, err)
	_, _, err = w.centre.Setup(t.Context(), control.Company, "Fabrikam", "ann@fabrikam.example", "Ann")
	require.NoError(t, err)
	var s *SignIn
	w.site = httptest.NewTLSServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/oidc/") {
			s.ServeHTTP(rw, r)
			return
		}
		session, err := api.SessionOf(r, w.centre)
		if err != nil {
			http.Error(rw, "nobody", http.StatusUnauthorized)
			return
		}
		_, _ = io.WriteString(rw, session.User.Email+" at "+r.URL.RequestURI())
	}))
	t.Cleanup(w.site.Close)
	o := Options{Issuer: w.place.URL, ClientID: "otj", ClientSecret: "client secret", Site: w.site.URL, Client: w.place.Client(), Guard: api.NewGuard(&api.GuardOptions{Failures: 100})}
	if change != nil {
		change(&o)
	}
	s, err = New(w.centre, o)
	require.NoError(t, err)
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	transport := w.site.Client().Transport.(*http.Transport).Clone()
	transport.TLSClientConfig.RootCAs.AddCert(w.place.Certificate())
	w.browser = &http.Client{Jar: jar, Transport: transport}
	return w
}

func (w *world) open(t *testing.T, address string) (int, string) {
	t.Helper()
	resp, err := w.browser.Get(address)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, string(body)
}

func TestSignIn(t *testing.T) {
	w := newWorld(t, nil)
	status, body := w.open(t, w.site.URL+StartPath+"?next="+url.QueryEscape("/o/1?page=2"))
	assert.Equal(t, http.StatusOK, status)
	assert.Equal(t, "ann@fabrikam.example at /o/1?page=2", body)
	_, body = w.open(t, w.site.URL+"/again")
	assert.Equal(t, "ann@fabrikam.example at /again", body)
}

// What the other place says is checked.
func TestSignInRefused(t *testing.T) {
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	for name, tt := range map[string]struct {
		spoil func(p *place, claims map[string]any)
		want  string
	}{
		"unverified":   {func(_ *place, c map[string]any) { c["email_verified"] = false }, "does not vouch"},
		"nothing said": {func(_ *place, c map[string]any) { delete(c, "email_verified") }, "does not vouch"},
		"odd":          {func(_ *place, c map[string]any) { c["email_verified"] = []int{1} }, "does not vouch"},
		"no address":   {func(_ *place, c map[string]any) { delete(c, "email") }, "does not vouch"},
		"unknown":      {func(_ *place, c map[string]any) { c["email"] = "eve@evil.example" }, "no user here has this e-mail address"},
		"HTML":         {func(_ *place, c map[string]any) { c["email"] = "<script>@evil.example" }, "&lt;script&gt;@evil.example"},
		"nonce":        {func(_ *place, c map[string]any) { c["nonce"] = "another" }, "could not be checked"},
		"audience":     {func(_ *place, c map[string]any) { c["aud"] = "another" }, "could not be checked"},
		"issuer":       {func(_ *place, c map[string]any) { c["iss"] = "https://evil.example" }, "could not be checked"},
		"expired":      {func(_ *place, c map[string]any) { c["exp"] = time.Now().Add(-time.Hour).Unix() }, "could not be checked"},
		"signature":    {func(p *place, _ map[string]any) { p.key = other }, "could not be checked"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, nil)
			w.place.spoil = func(c map[string]any) { tt.spoil(w.place, c) }
			status, body := w.open(t, w.site.URL+StartPath)
			assert.Equal(t, http.StatusForbidden, status)
			assert.Contains(t, body, tt.want)
			status, _ = w.open(t, w.site.URL+"/")
			assert.Equal(t, http.StatusUnauthorized, status)
		})
	}
	t.Run("denied", func(t *testing.T) {
		w := newWorld(t, nil)
		w.place.denied = "access_denied"
		_, body := w.open(t, w.site.URL+StartPath)
		assert.Contains(t, body, "has not signed you in")
	})
	t.Run("disabled", func(t *testing.T) {
		w := newWorld(t, nil)
		w.place.Close()
		status, body := w.open(t, w.site.URL+StartPath)
		assert.Equal(t, http.StatusBadGateway, status)
		assert.Contains(t, body, "does not answer")
	})
}

func TestTrustEmail(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.TrustEmail = true })
	delete(w.place.claims, "email_verified")
	_, body := w.open(t, w.site.URL+StartPath)
	assert.Equal(t, "ann@fabrikam.example at /", body)
	w = newWorld(t, nil)
	w.place.claims["email_verified"] = "true"
	_, body = w.open(t, w.site.URL+StartPath)
	assert.Equal(t, "ann@fabrikam.example at /", body)
}

// An answer counts once, in the browser that began, and soon.
func TestCallbackIsBound(t *testing.T) {
	w := newWorld(t, nil)
	begin := func() string {
		t.Helper()
		w.browser.CheckRedirect = func(r *http.Request, _ []*http.Request) error {
			if strings.HasPrefix(r.URL.String(), w.site.URL+CallbackPath) {
				return http.ErrUseLastResponse
			}
			return nil
		}
		resp, err := w.browser.Get(w.site.URL + StartPath)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		w.browser.CheckRedirect = nil
		return resp.Header.Get("Location")
	}
	back := begin()
	stranger := *w.browser
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	stranger.Jar = jar
	resp, err := stranger.Get(back)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	assert.Equal(t, http.StatusForbidden, resp.StatusCode, "somebody was made to open the link of another one")
	status, _ := w.open(t, back)
	assert.Equal(t, http.StatusForbidden, status, "it counts once")

	back = begin()
	status, _ = w.open(t, back)
	assert.Equal(t, http.StatusOK, status)
	status, _ = w.open(t, back)
	assert.Equal(t, http.StatusForbidden, status)
	status, _ = w.open(t, w.site.URL+CallbackPath+"?state=made-up&code=x")
	assert.Equal(t, http.StatusForbidden, status)
}

func TestLocal(t *testing.T) {
	for next, want := range map[string]string{
		"": "/", "/o/1?x=2#y": "/o/1?x=2#y", "https://evil.example": "/", "//evil.example": "/", "/\\evil.example": "/", "o/1": "/", "/a\r\nb": "/", "javascript:alert(1)": "/",
	} {
		assert.Equal(t, want, local(next), next)
	}
}

func TestNew(t *testing.T) {
	for _, o := range []Options{
		{Issuer: "http://issuer.example", ClientID: "x", Site: "https://otj.example"},
		{Issuer: "https://issuer.example", Site: "https://otj.example"},
		{Issuer: "https://issuer.example", ClientID: "x", Site: "otj.example"},
	} {
		_, err := New(nil, o)
		require.Error(t, err)
	}
	_, err := New(nil, Options{Issuer: "https://issuer.example", ClientID: "x", Site: "http://localhost:8080"})
	require.NoError(t, err)
}

// Many attempts do not fill the memory.
func TestAttemptsAreBounded(t *testing.T) {
	s := &SignIn{begun: map[[32]byte]attempt{}}
	for range maxAttempts + 10 {
		s.remember(rand.Text(), attempt{expires: time.Now().Add(time.Hour)})
	}
	assert.LessOrEqual(t, len(s.begun), maxAttempts)
}
