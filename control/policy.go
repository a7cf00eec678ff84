package control

import "slices"

// Role is what a user may do for one organization. Roles add up; no role
// includes another.
type Role string

// The roles.
const (
	// Admin may see and run an organization. For a partner it may also make and
	// delete the companies that the partner manages.
	Admin Role = "admin"
	// AccessAdmin may manage the organization's users and their roles.
	AccessAdmin Role = "access_admin"
	// OTJAdmin may, together with Admin, configure One-Touch Join.
	OTJAdmin Role = "otj_admin"
)

// Roles are all roles, in the order in which people see them.
var Roles = [...]Role{Admin, AccessAdmin, OTJAdmin}

// Grant gives a user one role for one organization.
type Grant struct {
	Org  string `json:"org"` // organization ID
	Role Role   `json:"role"`
}

// Action is something that a user may be allowed to do in an organization.
type Action string

// The actions. Allowed has the table of who may do what.
const (
	// ReadCompany: see the company's One-Touch Join configuration and status,
	// without secrets and subjects.
	ReadCompany Action = "read_company"
	// ReadSubjects: see subjects and organizers of meetings, beyond what the
	// rooms' screens show, in previews, panels and explanations.
	ReadSubjects Action = "read_subjects"
	// Configure: change the One-Touch Join configuration.
	Configure Action = "configure"
	// ReadAudit: read the log of changes.
	ReadAudit Action = "read_audit"
	// ReadUsers and ManageUsers: see, and make, change and delete users of the
	// organization; grant and take the roles Admin and AccessAdmin.
	ReadUsers   Action = "read_users"
	ManageUsers Action = "manage_users"
	// GrantOTJ: grant and take the role OTJAdmin.
	GrantOTJ Action = "grant_otj"
	// EditOrg: rename the organization; for a company, let the partner see
	// subjects.
	EditOrg Action = "edit_org"
	// ManageCompanies: make and delete the companies of a partner.
	ManageCompanies Action = "manage_companies"
)

// Actions are all actions.
var Actions = [...]Action{
	ReadCompany, ReadSubjects, Configure, ReadAudit, ReadUsers, ManageUsers, GrantOTJ, EditOrg, ManageCompanies,
}

// Allowed reports whether user may do action in org.
//
//	| Action          | Who                                                                    |
//	| --------------- | ---------------------------------------------------------------------- |
//	| read_company    | Admin, AccessAdmin or OTJAdmin for the organization                    |
//	| configure       | Admin and OTJAdmin for the company                                     |
//	| read_subjects   | as configure; users of the partner only if the company lets them       |
//	| read_audit      | Admin or AccessAdmin for the organization                              |
//	| read_users      | Admin or AccessAdmin for the organization                              |
//	| manage_users    | AccessAdmin for the organization                                       |
//	| grant_otj       | users of the company: AccessAdmin and Admin for it;                    |
//	|                 | users of its partner: AccessAdmin for the partner, Admin for the company |
//	| edit_org        | Admin for the organization, and one of its own users                   |
//	| manage_companies | Admin for the partner, and one of its own users                        |
//
// Roles count only for the user's own organization and, for users of a partner,
// for the companies that the partner manages: a grant left over from elsewhere
// gives nothing. A disabled user may do nothing.
func Allowed(user User, action Action, org Org) bool {
	if user.Disabled {
		return false
	}
	own := user.Org == org.ID
	partner := org.Kind == Company && org.Partner != "" && user.Org == org.Partner
	if !own && !partner {
		return false
	}
	has := func(role Role) bool { return slices.Contains(user.Grants, Grant{org.ID, role}) }
	company := org.Kind == Company

	switch action {
	case ReadCompany:
		return has(Admin) || has(AccessAdmin) || has(OTJAdmin)
	case Configure:
		return company && has(Admin) && has(OTJAdmin)
	case ReadSubjects:
		return company && has(Admin) && has(OTJAdmin) && (own || org.PartnerSeesSubjects)
	case ReadAudit, ReadUsers:
		return has(Admin) || has(AccessAdmin)
	case ManageUsers:
		return has(AccessAdmin)
	case GrantOTJ:
		if own {
			return company && has(AccessAdmin) && has(Admin)
		}
		return slices.Contains(user.Grants, Grant{user.Org, AccessAdmin}) && has(Admin)
	case EditOrg:
		return own && has(Admin)
	case ManageCompanies:
		return own && org.Kind == Partner && has(Admin)
	}
	return false
}
