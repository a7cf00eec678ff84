package console

import (
	"slices"
	"time"

	"github.com/onetouchjoin/onetouchjoin/control"
)

func (c *Console) tokenRoutes() {
	c.signedIn("GET /tokens", c.tokens)
	c.signedIn("POST /tokens", c.createToken)
	c.signedIn("POST /tokens/{id}/delete", c.deleteToken)
}

// tokenPage is what the page of API tokens shows.
type tokenPage struct {
	Tokens []control.Token
	Scopes []scope
	// New is the text of a token just made: it is shown this once.
	New string
}

// scope is something that a token may be allowed to do.
type scope struct {
	Action  control.Action
	Checked bool
}

// Expired reports whether a token no longer works.
func (p tokenPage) Expired(t control.Token) bool { return time.Now().After(t.Expires) }

func (c *Console) tokens(r *request) error {
	return c.showTokens(r, newForm("days", "90", "scopes", string(control.ReadCompany)), "")
}

func (c *Console) showTokens(r *request, f *form, secret string) error {
	list, err := c.centre.Tokens(r.Context(), r.actor)
	if err != nil {
		return err
	}
	data := tokenPage{Tokens: list, New: secret}
	for _, a := range control.Actions {
		data.Scopes = append(data.Scopes, scope{a, slices.Contains(f.Values["scopes"], string(a))})
	}
	return r.show(page{Template: "tokens", Title: text("tokens.title"), Form: f, Data: data})
}

func (c *Console) createToken(r *request) error {
	f := r.sent()
	var scopes []control.Action
	for _, s := range f.Values["scopes"] {
		scopes = append(scopes, control.Action(s))
	}
	days := f.needed("days")
	if len(f.Problems) > 0 {
		return c.showTokens(r, f, "")
	}
	_, secret, err := c.centre.CreateToken(r.Context(), r.actor, f.get("name"), scopes, time.Duration(days)*24*time.Hour)
	switch {
	case f.failed(err, "name"):
		return c.showTokens(r, f, "")
	case err != nil:
		return err
	}
	return c.showTokens(r, newForm("days", "90", "scopes", string(control.ReadCompany)), string(secret))
}

func (c *Console) deleteToken(r *request) error {
	if err := c.centre.DeleteToken(r.Context(), r.actor, r.PathValue("id")); err != nil {
		return err
	}
	return r.redirect("/tokens", "tokens.deleted")
}
