package console

import (
	"errors"
	"net/http"

	"github.com/onetouchjoin/onetouchjoin/calendar"
	"github.com/onetouchjoin/onetouchjoin/control"
	"github.com/onetouchjoin/onetouchjoin/control/api"
)

func (c *Console) signInRoutes() {
	c.open("GET /{$}", c.start)
	c.open("GET /setup", c.setup)
	c.open("POST /setup", c.doSetup)
	c.open("GET /sign-in", c.signIn)
	c.open("GET /sign-in/link", c.signInLink)
	c.open("POST /sign-in/link", c.doSignInLink)
	c.signedIn("POST /sign-out", c.signOut)
}

// start leads to where somebody most likely wants to go.
func (c *Console) start(r *request) error {
	if r.session == nil {
		return r.toSignIn()
	}
	orgs, err := c.centre.Orgs(r.Context(), r.actor)
	if err != nil && !errors.Is(err, control.ErrNotFound) {
		return err
	}
	for _, o := range orgs {
		if control.Allowed(r.actor.User, control.ReadCompany, o) {
			http.Redirect(r.w, r.Request, orgPath(o.ID), http.StatusSeeOther)
			return nil
		}
	}
	return r.show(page{Template: "error", Title: text("signin.none.title"), Status: http.StatusForbidden, Data: problem{
		Text: text("signin.none.text"), Back: "/tokens", Label: text("layout.tokens"),
	}})
}

// SetupKinds are the choices of the first set-up.
func (v *view) SetupKinds() []option {
	return []option{
		{string(control.Company), text("setup.kind.company"), text("setup.kind.company.hint")},
		{string(control.Partner), text("setup.kind.partner"), text("setup.kind.partner.hint")},
	}
}

// setup asks for the first organization. Opening the link does not use it up: mail
// programs open links by themselves.
func (c *Console) setup(r *request) error {
	secret := calendar.Secret(r.URL.Query().Get("t"))
	if err := c.centre.CheckSetupLink(r.Context(), secret); err != nil {
		return r.badLink(err)
	}
	return r.showSetup(newForm("kind", string(control.Company)), secret)
}

func (r *request) showSetup(f *form, secret calendar.Secret) error {
	return r.show(page{Template: "setup", Title: text("setup.title"), Form: f, Data: string(secret)})
}

func (c *Console) doSetup(r *request) error {
	f := r.sent()
	secret := calendar.Secret(f.get("t"))
	s, err := c.centre.SetupByLink(r.Context(), secret, control.OrgKind(f.get("kind")), f.get("name"), f.get("email"), f.get("user"),
		c.opts.Guard.Address(r.Request))
	switch {
	case f.failed(err, ""):
		return r.showSetup(f, secret)
	case err != nil:
		return r.badLink(err)
	}
	http.SetCookie(r.w, api.NewSessionCookie(s))
	return r.redirect(orgPath(s.User.Org), "setup.done", f.get("name"))
}

func (c *Console) signIn(r *request) error {
	next := local(r.URL.Query().Get("next"))
	if r.session != nil {
		http.Redirect(r.w, r.Request, next, http.StatusSeeOther)
		return nil
	}
	return r.show(page{Template: "sign-in", Title: text("signin.title"), Data: next})
}

func (c *Console) signInLink(r *request) error {
	return r.show(page{Template: "sign-in-link", Title: text("signin.title"), Data: r.URL.Query().Get("t")})
}

func (c *Console) doSignInLink(r *request) error {
	s, err := c.centre.SignInByLink(r.Context(), calendar.Secret(r.PostForm.Get("t")), c.opts.Guard.Address(r.Request))
	if err != nil {
		return r.badLink(err)
	}
	http.SetCookie(r.w, api.NewSessionCookie(s))
	name := s.User.Name
	if name == "" {
		name = s.User.Email
	}
	return r.redirect("/", "signin.welcome", name)
}

// badLink says that a link does not work, and counts it: somebody may be trying
// secrets.
func (r *request) badLink(err error) error {
	if !errors.Is(err, control.ErrNotFound) {
		return err
	}
	r.console.opts.Guard.Failed(r.Request)
	return r.show(page{Template: "error", Title: text("signin.bad.title"), Status: http.StatusForbidden, Data: problem{
		Text: text("signin.bad.text"), Back: "/sign-in", Label: text("signin.title"),
	}})
}

func (c *Console) signOut(r *request) error {
	cookie, err := r.Cookie(api.SessionCookie)
	if err == nil {
		err = c.centre.SignOut(r.Context(), calendar.Secret(cookie.Value))
	}
	if err != nil {
		return err
	}
	http.SetCookie(r.w, &http.Cookie{Name: api.SessionCookie, Path: "/", MaxAge: -1, Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode})
	return r.redirect("/sign-in", "signin.out")
}
