package control_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/onetouchjoin/onetouchjoin/control"
	"github.com/onetouchjoin/onetouchjoin/control/storetest"
)

func TestChangeUser(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	ben := must(w.centre.CreateUser(ctx, w.admin, w.acme.ID, "ben@acme.example", "Ben"))(t)
	session := must(w.centre.SignInByEmail(ctx, "ben@acme.example", ""))(t)
	ann := must(w.centre.SignInByEmail(ctx, "ann@acme.example", ""))(t)

	text := func(s string) *string { return &s }
	_, err := w.centre.ChangeUser(ctx, w.admin, ben.ID, ben.Revision+1, control.UserChange{Name: text("B")})
	require.ErrorIs(t, err, control.ErrStale)
	_, err = w.centre.ChangeUser(ctx, w.admin, ben.ID, ben.Revision, control.UserChange{Email: text("ben")})
	assert.Equal(t, []string{"email"}, fieldsOf(t, err))
	_, err = w.centre.ChangeUser(ctx, w.admin, ben.ID, ben.Revision, control.UserChange{Email: text("ANN@acme.example")})
	require.ErrorIs(t, err, control.ErrExists)
	assert.Equal(t, "ben@acme.example", must(w.centre.SignInByEmail(ctx, "ben@acme.example", ""))(t).User.Email, "nothing has changed")

	ben = must(w.centre.ChangeUser(ctx, w.admin, ben.ID, ben.Revision, control.UserChange{Name: text(" Benny ")}))(t)
	assert.Equal(t, "Benny ben@acme.example", ben.Name+" "+ben.Email)
	must(w.centre.Session(ctx, session.Token))(t)

	ben = must(w.centre.ChangeUser(ctx, w.admin, ben.ID, ben.Revision, control.UserChange{Email: text("Benny@Acme.example ")}))(t)
	_, err = w.centre.Session(ctx, session.Token)
	require.ErrorIs(t, err, control.ErrNotFound, "whoever had the address before is signed out")
	must(w.centre.Session(ctx, ann.Token))(t)
	_, err = w.centre.SignInByEmail(ctx, "ben@acme.example", "")
	require.ErrorIs(t, err, control.ErrNotFound)
	assert.Equal(t, ben.ID, must(w.centre.SignInByEmail(ctx, "benny@acme.example", ""))(t).User.ID)
	// The address is free again, and the new one goes with the user.
	must(w.centre.CreateUser(ctx, w.admin, w.acme.ID, "ben@acme.example", ""))(t)
	require.NoError(t, w.centre.Remove(ctx, w.admin, "user", ben.ID, ben.Revision))
	must(w.centre.CreateUser(ctx, w.admin, w.acme.ID, "benny@acme.example", ""))(t)

	// One's own address: the session stays.
	must(w.centre.ChangeUser(ctx, w.admin, w.admin.User.ID, w.admin.User.Revision, control.UserChange{Email: text("anna@acme.example")}))(t)
	must(w.centre.Session(ctx, ann.Token))(t)
	log := must(w.centre.Audit(ctx, w.admin, w.acme.ID, "", 1))(t).Items[0]
	assert.Equal(t, "changed", log.What)
	assert.Contains(t, string(log.Before), "ann@acme.example")
	assert.Contains(t, string(log.After), "anna@acme.example")
}

// Whoever manages the users of a partner does not get at the roles that they have
// for its companies by giving one of them another address.
func TestAnotherAddressIsNoWayToRoles(t *testing.T) {
	w := &world{t: t, store: new(storetest.Memory)}
	keys, err := control.NewKeys()
	require.NoError(t, err)
	w.centre, err = control.New(w.store, keys, nil)
	require.NoError(t, err)
	ctx := t.Context()
	address := "eve@msp.example"
	msp, user, err := w.centre.Setup(ctx, control.Partner, "Providers Ltd", "boss@msp.example", "Boss")
	require.NoError(t, err)
	acme := must(w.centre.CreateCompany(ctx, control.Actor{User: user}, msp.ID, "Acme"))(t)
	boss := control.Actor{User: reload(t, w, user)}
	tech := must(w.centre.CreateUser(ctx, boss, msp.ID, "tech@msp.example", "Tech"))(t)
	tech = must(w.centre.SetRole(ctx, boss, acme.ID, tech.ID, control.OTJAdmin, true))(t)
	desk := must(w.centre.CreateUser(ctx, boss, msp.ID, "desk@msp.example", "Desk"))(t)
	desk = must(w.centre.SetRole(ctx, boss, msp.ID, desk.ID, control.AccessAdmin, true))(t)

	_, err = w.centre.ChangeUser(ctx, control.Actor{User: desk}, tech.ID, tech.Revision, control.UserChange{Email: &address})
	assert.Equal(t, []string{"email"}, fieldsOf(t, err))
	must(w.centre.ChangeUser(ctx, boss, tech.ID, tech.Revision, control.UserChange{Email: &address}))(t)
}
