package graphtest

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// adminConsent is the page on which an administrator consents. This one always
// does, unless the tenant was told to decline, and shows nothing. The path
// "organizations" means the tenant added first.
// https://learn.microsoft.com/entra/identity-platform/v2-admin-consent
func (s *Server) adminConsent(w http.ResponseWriter, r *http.Request, name string, v2 bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	page := func(code int, text string) {
		http.Error(w, fmt.Sprintf("Sorry, but we're having trouble signing you in.\n\nAADSTS%d: %s", code, text), http.StatusBadRequest)
	}
	t := s.tenant(name)
	if (name == "organizations" || name == "common" && !v2) && len(s.tenants) > 0 {
		t = s.tenants[0]
	}
	if t == nil {
		page(90002, fmt.Sprintf("Tenant '%s' not found.", name))
		return
	}
	q := r.URL.Query()
	required := []string{"client_id", "redirect_uri"}
	if v2 {
		required = append(required, "scope")
	}
	for _, name := range required {
		if q.Get(name) == "" {
			page(900144, fmt.Sprintf("The request body must contain the following parameter: '%s'.", name))
			return
		}
	}
	a := s.apps[strings.ToLower(q.Get("client_id"))]
	if a == nil {
		page(700016, fmt.Sprintf("Application with identifier '%s' was not found in the directory '%s'.", q.Get("client_id"), t.domain))
		return
	}
	target, err := url.Parse(q.Get("redirect_uri"))
	if err != nil || !slices.Contains(a.redirects, q.Get("redirect_uri")) {
		page(50011, fmt.Sprintf("The redirect URI '%s' specified in the request does not match the redirect URIs configured for the application '%s'.", q.Get("redirect_uri"), a.id))
		return
	}
	back := target.Query()
	back.Set("admin_consent", "True")
	if state := q.Get("state"); state != "" {
		back.Set("state", state)
	}
	if t.declines {
		back.Set("error", "access_denied")
		back.Set("error_description", "AADSTS65004: User declined to consent to access the app.")
	} else {
		g := t.grant(a)
		if !slices.Contains(g.roles, CalendarsRead) {
			g.roles = append(g.roles, CalendarsRead)
		}
		back.Set("tenant", t.id)
		if v2 {
			back.Set("scope", q.Get("scope"))
		}
	}
	target.RawQuery = back.Encode()
	http.Redirect(w, r, target.String(), http.StatusFound)
}
