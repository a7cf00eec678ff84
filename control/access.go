package control

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/onetouchjoin/onetouchjoin/calendar"
)

// How long sign-ins last.
const (
	sessionIdle = 12 * time.Hour       // without a call
	sessionLife = 7 * 24 * time.Hour   // in all
	signInLife  = time.Hour            // of a one-time link
	maxTokens   = 100                  // of one user
	maxLife     = 366 * 24 * time.Hour // of a token
)

const ticketSignIn = "sign-in"

// errNoSession is deliberately vague: it does not say whether a token ever was.
var errNoSession = fmt.Errorf("sign-in: %w", ErrNotFound)

// Session is a person's sign-in.
type Session struct {
	User User
	// Token is the cookie's value; it is only set when the session is made.
	Token calendar.Secret
	// CSRF is what forms of this session send along.
	CSRF    calendar.Secret
	Expires time.Time
}

type sessionRecord struct {
	User    string    `json:"user"`
	Begun   time.Time `json:"begun"`
	Seen    time.Time `json:"seen"`
	Address string    `json:"address"`
}

// SetupLink makes a link's secret for Setup: whoever has it becomes the first
// administrator. It works once, for an hour, and until the next one is made.
func (c *Centre) SetupLink(ctx context.Context) (secret calendar.Secret, err error) {
	if is, err := c.IsSetUp(ctx); err != nil || is {
		return "", errors.Join(err, fmt.Errorf("set-up has been done; otj admin link makes a sign-in link for a user"))
	}
	return c.newTicket(ctx, ticketSignIn, "")
}

// SignInLink makes a link's secret that signs a user in, once, within an hour and
// until the next one is made. It is for whoever runs the server, when OpenID Connect is not set up or fails.
func (c *Centre) SignInLink(ctx context.Context, email string) (calendar.Secret, error) {
	var user User
	err := c.store.View(ctx, func(tx Tx) (err error) {
		user, err = userByEmail(tx, email)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("sign-in link for %s: %w", email, err)
	}
	return c.newTicket(ctx, ticketSignIn, user.ID)
}

func (c *Centre) newTicket(ctx context.Context, purpose, subject string) (secret calendar.Secret, err error) {
	err = c.store.Update(ctx, func(tx Tx) error {
		ch := &change{Tx: tx, now: time.Now().UTC().Truncate(time.Microsecond), keys: c.keys}
		if err := ch.endTickets(subject); err != nil {
			return err
		}
		text, err := ch.ticket(purpose, subject, signInLife)
		secret = calendar.Secret(text)
		return err
	})
	return secret, err
}

// CheckSetupLink reports whether secret is that of a set-up link which still
// works.
func (c *Centre) CheckSetupLink(ctx context.Context, secret calendar.Secret) error {
	return c.store.View(ctx, func(tx Tx) error {
		subject, err := peekTicket(tx, ticketSignIn, string(secret))
		if err == nil && subject != "" {
			err = ErrNotFound
		}
		return err
	})
}

// SetupByLink is Setup for somebody who has the secret of a set-up link, which
// it uses up.
func (c *Centre) SetupByLink(ctx context.Context, secret calendar.Secret, kind OrgKind, name, email, userName, address string) (s Session, err error) {
	if err := c.CheckSetupLink(ctx, secret); err != nil {
		return Session{}, err
	}
	_, user, err := c.Setup(ctx, kind, name, email, userName)
	if err != nil {
		return Session{}, err
	}
	err = c.store.Update(ctx, func(tx Tx) error {
		ch := c.as(tx, Actor{User: user, Address: address})
		if _, err := ch.useTicket(ticketSignIn, string(secret)); err != nil {
			return err
		}
		s, err = ch.begin(user, address)
		return err
	})
	return s, err
}

// SignInByLink signs in whoever has the secret of a sign-in link, and uses it up.
func (c *Centre) SignInByLink(ctx context.Context, secret calendar.Secret, address string) (s Session, err error) {
	err = c.store.Update(ctx, func(tx Tx) error {
		ch := c.as(tx, Actor{Address: address})
		id, err := ch.useTicket(ticketSignIn, string(secret))
		if err != nil || id == "" {
			return errNoSession
		}
		s, err = ch.signIn(id, address, "signed in by link")
		return err
	})
	return s, err
}

// SignInByEmail signs in the user with an address that an identity provider
// vouches for.
func (c *Centre) SignInByEmail(ctx context.Context, email, address string) (s Session, err error) {
	err = c.store.Update(ctx, func(tx Tx) error {
		user, err := userByEmail(tx, email)
		if err != nil {
			return errNoSession
		}
		s, err = c.as(tx, Actor{User: user, Address: address}).signIn(user.ID, address, "signed in by OpenID Connect")
		return err
	})
	return s, err
}

func (c *Centre) as(tx Tx, actor Actor) *change {
	return &change{tx, actor, time.Now().UTC().Truncate(time.Microsecond), c.keys}
}

func (ch *change) signIn(id, address, how string) (Session, error) {
	user, err := get[User](ch, id)
	if err != nil || user.Disabled {
		return Session{}, errNoSession
	}
	ch.actor.User = user
	if err := ch.note(user.Org, "user", user.ID, user.Email, how); err != nil {
		return Session{}, err
	}
	return ch.begin(user, address)
}

func (ch *change) begin(user User, address string) (Session, error) {
	token := rand.Text() + rand.Text()
	data, err := json.Marshal(sessionRecord{user.ID, ch.now, ch.now, address})
	if err != nil {
		return Session{}, fmt.Errorf("sign-in: %w", err)
	}
	if _, err := ch.Put(Record{Kind: "session", ID: hash(token), Owner: user.Org, Changed: ch.now, Data: data}); err != nil {
		return Session{}, err
	}
	return Session{user, calendar.Secret(token), csrfOf(token), ch.now.Add(sessionLife)}, nil
}

// csrfOf derives the value that a session's forms carry: whoever knows it does
// not know the session's token.
func csrfOf(token string) calendar.Secret { return calendar.Secret(hash("csrf " + token)) }

// Session returns the session that a cookie stands for. It is over after twelve
// hours without a call, after a week, and when the user is disabled.
func (c *Centre) Session(ctx context.Context, token calendar.Secret) (s Session, err error) {
	var r Record
	var data sessionRecord
	now := time.Now().UTC()
	err = c.store.View(ctx, func(tx Tx) error {
		if r, err = tx.Get("session", hash(string(token))); err != nil {
			return errNoSession
		}
		if err := json.Unmarshal(r.Data, &data); err != nil {
			return fmt.Errorf("sign-in: %w", err)
		}
		if now.Sub(data.Seen) > sessionIdle || now.Sub(data.Begun) > sessionLife {
			return errNoSession
		}
		user, err := get[User](tx, data.User)
		if err != nil || user.Disabled {
			return errNoSession
		}
		s = Session{User: user, CSRF: csrfOf(string(token)), Expires: data.Begun.Add(sessionLife)}
		return nil
	})
	if err != nil || now.Sub(data.Seen) < time.Minute {
		return s, err
	}
	// That the session was used is written once a minute at most. If another
	// call has just done so, that is as good.
	data.Seen = now
	if r.Data, err = json.Marshal(data); err != nil {
		return s, fmt.Errorf("sign-in: %w", err)
	}
	err = c.store.Update(ctx, func(tx Tx) error {
		_, err := tx.Put(r)
		return err
	})
	if errors.Is(err, ErrStale) {
		err = nil
	}
	return s, err
}

// SignOut ends a session.
func (c *Centre) SignOut(ctx context.Context, token calendar.Secret) error {
	return c.store.Update(ctx, func(tx Tx) error {
		r, err := tx.Get("session", hash(string(token)))
		if errors.Is(err, ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		return tx.Delete("session", r.ID, r.Revision)
	})
}

// Token lets a program call the API as a user, limited to some actions.
type Token struct {
	Meta
	Org     string    `json:"org"`
	User    string    `json:"user"`
	Name    string    `json:"name"`
	Scopes  []Action  `json:"scopes"`
	Expires time.Time `json:"expires"` // UTC
	// Hash is that of the secret part.
	Hash string `json:"hash,omitempty"`
}

func (t *Token) place() (kind, owner, key string) { return "token", t.Org, "" }

const tokenPrefix = "otj_"

// CreateToken makes a token of the actor and returns its text, which is never
// given out again. A token cannot make tokens.
func (c *Centre) CreateToken(ctx context.Context, actor Actor, name string, scopes []Action, life time.Duration) (t Token, text calendar.Secret, err error) {
	err = c.update(ctx, actor, "", func(ch *change) error {
		if actor.Scopes != nil {
			return fmt.Errorf("a token makes no tokens: %w", ErrDenied)
		}
		var ck checks
		name = strings.TrimSpace(name)
		ck.text("name", name, 250)
		if len(scopes) == 0 {
			ck.fail("scopes", "are missing; they are of %q", Actions)
		}
		for _, s := range scopes {
			if !slices.Contains(Actions[:], s) {
				ck.fail("scopes", "%.40q is none of %q", s, Actions)
			}
		}
		if life <= 0 || life > maxLife {
			ck.fail("expires", "is not within a year from now")
		}
		mine, err := all[Token](ch, actor.User.Org)
		if err != nil {
			return err
		}
		mine = slices.DeleteFunc(mine, func(t Token) bool { return t.User != actor.User.ID })
		switch {
		case len(mine) >= maxTokens:
			ck.fail("name", "you have %d tokens; delete one first", len(mine))
		case slices.ContainsFunc(mine, func(t Token) bool { return t.Name == name }): // or the form was sent twice
			ck.fail("name", "is that of another token of yours; choose another one, or delete that first")
		}
		if err := ck.err(); err != nil {
			return err
		}
		secret := rand.Text()
		t = Token{
			Org: actor.User.Org, User: actor.User.ID, Name: name, Scopes: slices.Clone(scopes),
			Expires: ch.now.Add(life), Hash: hash(secret),
		}
		if err := put(ch, &t); err != nil {
			return err
		}
		text = calendar.Secret(tokenPrefix + t.ID + "_" + secret)
		return nil
	})
	if err != nil {
		return Token{}, "", err
	}
	t.Hash = ""
	return t, text, nil
}

// Tokens returns the actor's tokens.
func (c *Centre) Tokens(ctx context.Context, actor Actor) (out []Token, err error) {
	err = c.store.View(ctx, func(tx Tx) error {
		out, err = all[Token](tx, actor.User.Org)
		return err
	})
	out = slices.DeleteFunc(out, func(t Token) bool { return t.User != actor.User.ID })
	for i := range out {
		out[i].Hash = ""
	}
	return out, err
}

// DeleteToken ends a token of the actor.
func (c *Centre) DeleteToken(ctx context.Context, actor Actor, id string) error {
	return c.update(ctx, actor, "", func(ch *change) error {
		t, err := get[Token](ch, id)
		if err != nil {
			return err
		}
		if t.User != actor.User.ID {
			return fmt.Errorf("token %s: %w", id, ErrNotFound)
		}
		return remove(ch, &t)
	})
}

// ByToken returns the actor that a token's text stands for.
func (c *Centre) ByToken(ctx context.Context, text calendar.Secret) (a Actor, err error) {
	id, secret, ok := strings.Cut(strings.TrimPrefix(string(text), tokenPrefix), "_")
	if !ok || !strings.HasPrefix(string(text), tokenPrefix) {
		return Actor{}, errNoSession
	}
	err = c.store.View(ctx, func(tx Tx) error {
		t, err := get[Token](tx, id)
		if err != nil || subtle.ConstantTimeCompare([]byte(t.Hash), []byte(hash(secret))) != 1 || time.Now().After(t.Expires) {
			return errNoSession
		}
		user, err := get[User](tx, t.User)
		if err != nil || user.Disabled {
			return errNoSession
		}
		a = Actor{User: user, Scopes: t.Scopes}
		return nil
	})
	return a, err
}
