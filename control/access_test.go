package control_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/onetouchjoin/onetouchjoin/calendar"
	"github.com/onetouchjoin/onetouchjoin/control"
	"github.com/onetouchjoin/onetouchjoin/control/storetest"
)

func TestSetupLinkWorksOnce(t *testing.T) {
	keys, err := control.NewKeys()
	require.NoError(t, err)
	c, err := control.New(new(storetest.Memory), keys, nil)
	require.NoError(t, err)
	secret := must(c.SetupLink(t.Context()))(t)
	assert.ErrorIs(t, c.CheckSetupLink(t.Context(), "forged"), control.ErrNotFound)
	first := secret
	secret = must(c.SetupLink(t.Context()))(t)
	assert.ErrorIs(t, c.CheckSetupLink(t.Context(), first), control.ErrNotFound, "a newer link ends the older one")

	// What is wrong with the form does not use the link up.
	_, err = c.SetupByLink(t.Context(), secret, control.Company, "Acme", "not an address", "Ann", "")
	assert.Equal(t, []string{"email"}, fieldsOf(t, err))
	s := must(c.SetupByLink(t.Context(), secret, control.Company, "Acme", "ann@acme.example", "Ann", "192.0.2.1"))(t)
	assert.Equal(t, "ann@acme.example", must(c.Session(t.Context(), s.Token))(t).User.Email)
	assert.ErrorIs(t, c.CheckSetupLink(t.Context(), secret), control.ErrNotFound)
	_, err = c.SetupLink(t.Context())
	assert.ErrorContains(t, err, "otj admin link")
}

func TestSessions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		signIn := func() calendar.Secret {
			link := must(w.centre.SignInLink(t.Context(), "ANN@acme.example"))(t)
			s := must(w.centre.SignInByLink(t.Context(), link, "192.0.2.1"))(t)
			_, err := w.centre.SignInByLink(t.Context(), link, "192.0.2.1")
			assert.ErrorIs(t, err, control.ErrNotFound, "a link works once")
			return s.Token
		}
		must(w.centre.CreateUser(t.Context(), w.admin, w.acme.ID, "bob@acme.example", "Bob"))(t)
		older, other := must(w.centre.SignInLink(t.Context(), "ann@acme.example"))(t), must(w.centre.SignInLink(t.Context(), "bob@acme.example"))(t)
		must(w.centre.SignInLink(t.Context(), "ann@acme.example"))(t)
		_, err := w.centre.SignInByLink(t.Context(), older, "192.0.2.1")
		assert.ErrorIs(t, err, control.ErrNotFound, "a newer link ends the older one")
		must(w.centre.SignInByLink(t.Context(), other, "192.0.2.1"))(t)
		is := func(token calendar.Secret) bool { _, err := w.centre.Session(t.Context(), token); return err == nil }

		token := signIn()
		time.Sleep(11 * time.Hour)
		assert.True(t, is(token))
		time.Sleep(11 * time.Hour)
		assert.True(t, is(token), "a call keeps a session")
		time.Sleep(12*time.Hour + time.Second)
		assert.False(t, is(token), "a session ends when nobody uses it")

		token = signIn()
		for range 7 * 3 {
			assert.True(t, is(token))
			time.Sleep(8 * time.Hour)
		}
		time.Sleep(time.Second)
		assert.False(t, is(token), "a session ends after a week")

		token = signIn()
		require.NoError(t, w.centre.SignOut(t.Context(), token))
		require.NoError(t, w.centre.SignOut(t.Context(), token))
		assert.False(t, is(token))

		link := must(w.centre.SignInLink(t.Context(), "ann@acme.example"))(t)
		time.Sleep(time.Hour + time.Second)
		_, err = w.centre.SignInByLink(t.Context(), link, "")
		assert.ErrorIs(t, err, control.ErrNotFound, "a link ends after an hour")
		_, err = w.centre.SignInByEmail(t.Context(), "eve@acme.example", "")
		assert.ErrorIs(t, err, control.ErrNotFound)
	})
}

func TestDisabledUsersAreOut(t *testing.T) {
	w := newWorld(t)
	bob := must(w.centre.CreateUser(t.Context(), w.admin, w.acme.ID, "bob@acme.example", "Bob"))(t)
	s := must(w.centre.SignInByEmail(t.Context(), "bob@acme.example", ""))(t)
	_, text, err := w.centre.CreateToken(t.Context(), control.Actor{User: bob}, "ci", []control.Action{control.ReadCompany}, time.Hour)
	require.NoError(t, err)
	_, _, err = w.centre.CreateToken(t.Context(), control.Actor{User: bob}, " ci ", []control.Action{control.ReadCompany}, time.Hour)
	assert.Equal(t, []string{"name"}, fieldsOf(t, err), "or the form was sent twice")
	for _, e := range must(w.centre.Audit(t.Context(), w.admin, w.acme.ID, "", 50))(t).Items {
		assert.NotContains(t, string(e.Before)+string(e.After), `"hash"`)
	}
	must(w.centre.DisableUser(t.Context(), w.admin, bob.ID, bob.Revision, true))(t)
	assert.ErrorIs(t, second(w.centre.Session(t.Context(), s.Token)), control.ErrNotFound)
	assert.ErrorIs(t, second(w.centre.ByToken(t.Context(), text)), control.ErrNotFound)
	assert.ErrorIs(t, second(w.centre.SignInByEmail(t.Context(), "bob@acme.example", "")), control.ErrNotFound)
}

func TestTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		token, text, err := w.centre.CreateToken(t.Context(), w.admin, "ci", []control.Action{control.ReadCompany}, 24*time.Hour)
		require.NoError(t, err)
		assert.Empty(t, token.Hash)
		a := must(w.centre.ByToken(t.Context(), text))(t)
		assert.Equal(t, w.admin.User.ID, a.User.ID)
		assert.Equal(t, []control.Action{control.ReadCompany}, a.Scopes)
		_, _, err = w.centre.CreateToken(t.Context(), a, "more", []control.Action{control.Configure}, time.Hour)
		assert.ErrorIs(t, err, control.ErrDenied)

		for _, bad := range []calendar.Secret{"", "otj_", "otj_" + calendar.Secret(token.ID), "otj_" + calendar.Secret(token.ID) + "_", text + "x", "otj_zzz_zzz"} {
			assert.ErrorIs(t, second(w.centre.ByToken(t.Context(), bad)), control.ErrNotFound, "%s", string(bad))
		}
		for _, c := range []struct {
			name   string
			scopes []control.Action
			life   time.Duration
			want   string
		}{
			{"", []control.Action{control.ReadCompany}, time.Hour, "name"},
			{"x", nil, time.Hour, "scopes"},
			{"x", []control.Action{"root"}, time.Hour, "scopes"},
			{"x", []control.Action{control.ReadCompany}, 367 * 24 * time.Hour, "expires"},
		} {
			_, _, err := w.centre.CreateToken(t.Context(), w.admin, c.name, c.scopes, c.life)
			assert.Equal(t, []string{c.want}, fieldsOf(t, err))
		}
		assert.Len(t, must(w.centre.Tokens(t.Context(), w.admin))(t), 1)
		time.Sleep(25 * time.Hour)
		assert.ErrorIs(t, second(w.centre.ByToken(t.Context(), text)), control.ErrNotFound, "a token ends")
		require.NoError(t, w.centre.DeleteToken(t.Context(), w.admin, token.ID))
		assert.Empty(t, must(w.centre.Tokens(t.Context(), w.admin))(t))
	})
}
