package control

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// who is everybody that the table of Allowed can tell apart: from where, and
// with which roles where.
func who() map[string]User {
	users := map[string]User{}
	for mask := range 1 << len(Roles) {
		var grants []Grant
		var names []string
		for i, r := range Roles {
			if mask&(1<<i) != 0 {
				grants = append(grants, Grant{"acme", r})
				names = append(names, string(r))
			}
		}
		roles := strings.Join(names, "+")
		users["own:"+roles] = User{Org: "acme", Grants: grants}
		users["partner:"+roles] = User{Org: "msp", Grants: grants}
		users["partner-access:"+roles] = User{Org: "msp", Grants: append(slices.Clone(grants), Grant{"msp", AccessAdmin})}
		users["stranger:"+roles] = User{Org: "other", Grants: append(slices.Clone(grants), Grant{"other", AccessAdmin}, Grant{"other", Admin})}
		users["disabled:"+roles] = User{Org: "acme", Grants: grants, Disabled: true}
	}
	return users
}

func TestAllowed(t *testing.T) {
	acme := Org{Meta: Meta{ID: "acme"}, Kind: Company, Partner: "msp"}
	open := acme
	open.PartnerSeesSubjects = true

	// want says the table of Allowed a second time, by the names of who.
	want := func(action Action, from, roles string, open bool) bool {
		admin := strings.Contains("+"+roles+"+", "+admin+")
		access := strings.Contains(roles, "access_admin")
		otj := strings.Contains(roles, "otj_admin")
		if from == "stranger" || from == "disabled" {
			return false
		}
		switch action {
		case ReadCompany:
			return roles != ""
		case Configure:
			return admin && otj
		case ReadSubjects:
			return admin && otj && (from == "own" || open)
		case ReadAudit, ReadUsers:
			return admin || access
		case ManageUsers:
			return access
		case GrantOTJ:
			return from == "own" && admin && access || from == "partner-access" && admin
		case EditOrg:
			return from == "own" && admin
		}
		return false
	}
	for name, user := range who() {
		from, roles, _ := strings.Cut(name, ":")
		for _, action := range Actions {
			assert.Equal(t, want(action, from, roles, false), Allowed(user, action, acme), "%s, %s", name, action)
			assert.Equal(t, want(action, from, roles, true), Allowed(user, action, open), "%s, %s, subjects open", name, action)
		}
	}
}

func TestAllowedForPartner(t *testing.T) {
	msp := Org{Meta: Meta{ID: "msp"}, Kind: Partner}
	for _, c := range []struct {
		roles []Role
		want  []Action
	}{
		{nil, nil},
		{[]Role{Admin}, []Action{ReadCompany, ReadAudit, ReadUsers, EditOrg, ManageCompanies}},
		{[]Role{AccessAdmin}, []Action{ReadCompany, ReadAudit, ReadUsers, ManageUsers}},
		{[]Role{Admin, AccessAdmin, OTJAdmin}, []Action{ReadCompany, ReadAudit, ReadUsers, ManageUsers, EditOrg, ManageCompanies}},
	} {
		user := User{Org: "msp"}
		for _, r := range c.roles {
			user.Grants = append(user.Grants, Grant{"msp", r})
		}
		var got []Action
		for _, a := range Actions {
			if Allowed(user, a, msp) {
				got = append(got, a)
			}
		}
		assert.Equal(t, c.want, got, fmt.Sprint(c.roles))
	}
}

// A company that has left its partner is no longer the partner's.
func TestAllowedAfterPartnerLeft(t *testing.T) {
	user := User{Org: "msp", Grants: []Grant{{"acme", Admin}, {"acme", OTJAdmin}, {"msp", AccessAdmin}}}
	acme := Org{Meta: Meta{ID: "acme"}, Kind: Company}
	for _, a := range Actions {
		assert.False(t, Allowed(user, a, acme), a)
	}
}
