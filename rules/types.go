package rules

import "slices"

// The types of rules that administrators know from Pexip Infinity's One-Touch
// Join, by the names of its management API (resource
// mjx_meeting_processing_rule of pexip/terraform-provider-infinity).
//
// What each type looks for is in the type's entry below. The vendor's own
// default transforms are not published: those here are built from the shapes of
// the invites, and are data.
const (
	TypePexipInfinity          Type = "pexipinfinity"
	TypePexipService           Type = "pexipservice"
	TypeTeams                  Type = "teams"
	TypeTeamsSIPGuestJoin      Type = "teamssipguestjoin"
	TypePolyTeamsBody          Type = "polyteamsbody"
	TypeCiscoTeamsBody         Type = "ciscoteamsbody"
	TypePexipServiceTeamsBody  Type = "pexipserviceteamsbody"
	TypePexipInfinityTeamsBody Type = "pexipinfinityteamsbody"
	TypeHangouts               Type = "hangouts"
	TypeGoogleMeetSIPGuestJoin Type = "googlemeetsipguestjoin"
	TypeS4B                    Type = "s4b"
	TypePolyS4BBody            Type = "polys4bbody"
	TypeWebex                  Type = "webex"
	TypeZoom                   Type = "zoom"
	TypeGoToMeeting            Type = "gotomeeting"
	TypeDomain                 Type = "domain"
	TypeRegex                  Type = "regex"
	TypeRegexRE2               Type = "regex_re2"
	TypeCustom                 Type = "custom"
)

// TypeInfo says what a type of rule is.
type TypeInfo struct {
	Type Type
	// About says in a sentence what the type finds.
	About string
	// Default is the transform that rules without one have. It is empty for the
	// types that have no transform.
	Default string
	// Variables are what a transform or template may use.
	Variables []Variable
	// Needs are the members that a rule of the type must have, by their names
	// in rule files; Takes are those that it may have, besides those that every
	// rule may have.
	Needs, Takes []string
}

// Variable is a variable of the templates of a type.
type Variable struct {
	Name string
	// About says what it is. A variable whose value the invite does not have is
	// an empty string.
	About string
}

// Types returns what the administrator's types are, in the order of their
// documentation.
func Types() []TypeInfo {
	out := make([]TypeInfo, len(adminTypes))
	for i := range adminTypes {
		t := &adminTypes[i]
		out[i] = TypeInfo{Type: t.typ, About: t.about, Default: t.transform, Needs: slices.Clone(t.needs), Takes: slices.Clone(t.takes)}
		for _, v := range t.vars {
			out[i].Variables = append(out[i].Variables, Variable{v.name, v.about})
		}
	}
	return out
}

// adminType is one entry of the table.
type adminType struct {
	typ          Type
	about        string
	services     []string // the services of the meetings that it is for
	onDial       []string // hosts that the meeting's SIP address has to have
	notDial      []string // hosts that it may not have
	transform    string
	vars         []variable
	needs, takes []string
}

// The transforms that several types have.
const (
	// dialOrDomain takes the address that the invite gives, and otherwise the
	// meeting's number at the rule's domain.
	dialOrDomain = `{{ dial or (meeting_id ~ '@' ~ domain if meeting_id and domain) }}`
	// guestJoin puts the company's number behind the meeting's: the vendor says
	// that it is in the dial string, and not where.
	guestJoin = `{{ meeting_id ~ ('.' ~ company_id if company_id else '') ~ '@' ~ domain if meeting_id and domain }}`
)

var (
	// The hosts of the dial strings in a Teams invite's block for video devices.
	polyHosts         = []string{".plcm.vc"}
	ciscoHosts        = []string{"m.webex.com"}
	pexipServiceHosts = []string{".pexip.me", ".onpexip.com", ".pexip.com", ".pexip.io"}

	serviceTakes = []string{"transform", "domain", "include_pin"}
)

var adminTypes = []adminType{
	{
		typ: TypePexipInfinity, about: "A Pexip meeting: a pexip: link, or the link to a node's web app.",
		services: []string{"pexip"}, transform: dialOrDomain, vars: meetingVars, takes: serviceTakes,
	}, {
		typ: TypePexipService, about: "A meeting of the Pexip Service.",
		services: []string{"pexip"}, transform: dialOrDomain, vars: meetingVars, takes: serviceTakes,
	}, {
		typ: TypeTeams, about: "A Teams meeting, by its join link wherever it is.",
		services: []string{"teams"}, transform: dialOrDomain, vars: teamsVars, takes: serviceTakes,
	}, {
		typ: TypeTeamsSIPGuestJoin, about: "A Teams meeting without a block for video devices, joined as a guest over a gateway.",
		services: []string{"teams"}, transform: guestJoin, vars: teamsVars, takes: append([]string{"company_id"}, serviceTakes...),
	}, {
		typ: TypePolyTeamsBody, about: "A Teams meeting whose body has Poly's block for video devices.",
		services: []string{"teams"}, onDial: polyHosts, transform: `{{ dial }}`, vars: teamsVars, takes: serviceTakes,
	}, {
		typ: TypeCiscoTeamsBody, about: "A Teams meeting whose body has Cisco's block for video devices.",
		services: []string{"teams"}, onDial: ciscoHosts, transform: `{{ dial }}`, vars: teamsVars, takes: serviceTakes,
	}, {
		typ: TypePexipServiceTeamsBody, about: "A Teams meeting whose body has the Pexip Service's block for video devices.",
		services: []string{"teams"}, onDial: pexipServiceHosts, transform: `{{ dial }}`, vars: teamsVars, takes: serviceTakes,
	}, {
		typ: TypePexipInfinityTeamsBody, about: "A Teams meeting whose body has the block for video devices of a Pexip Infinity deployment, at whatever domain.",
		services: []string{"teams"}, notDial: slices.Concat(polyHosts, ciscoHosts, pexipServiceHosts, []string{".bjn.vc"}),
		transform: `{{ dial }}`, vars: teamsVars, takes: serviceTakes,
	}, {
		typ: TypeHangouts, about: "A Google Meet meeting, over a gateway.",
		services: []string{"meet"}, transform: dialOrDomain, vars: meetingVars, takes: serviceTakes,
	}, {
		typ: TypeGoogleMeetSIPGuestJoin, about: "A Google Meet meeting, joined as a guest over a gateway.",
		services: []string{"meet"}, transform: guestJoin, vars: meetingVars, takes: append([]string{"company_id"}, serviceTakes...),
	}, {
		typ: TypeS4B, about: "A Skype for Business meeting.",
		services:  []string{"skypeforbusiness"},
		transform: `{{ dial or ('S4B.' ~ meeting_id ~ '.' ~ user ~ '@' ~ (domain or user_domain) if meeting_id and user) }}`,
		vars:      s4bVars, takes: serviceTakes,
	}, {
		typ: TypePolyS4BBody, about: "A Skype for Business meeting whose body has a Poly RealConnect block.",
		services: []string{"skypeforbusiness"}, onDial: polyHosts, transform: `{{ dial }}`, vars: s4bVars, takes: serviceTakes,
	}, {
		typ: TypeWebex, about: "A Webex meeting: its video address.",
		services: []string{"webex"}, transform: `{{ dial }}`, vars: meetingVars, takes: serviceTakes,
	}, {
		typ: TypeZoom, about: "A Zoom meeting, over Zoom's Conference Room Connector.",
		services:  []string{"zoom"},
		transform: `{% if meeting_id.isdigit() %}{{ meeting_id }}@{{ domain or 'zoomcrc.com' }}{% endif %}`,
		vars:      meetingVars, takes: serviceTakes,
	}, {
		typ: TypeGoToMeeting, about: "A GoTo meeting.",
		services:  []string{"gotomeeting"},
		transform: `{{ dial or (meeting_id ~ '@' ~ (domain or '67.217.95.2') if meeting_id.isdigit()) }}`,
		vars:      meetingVars, takes: serviceTakes,
	}, {
		typ: TypeDomain, about: "Any address at the rule's domain, in the meeting's links, location, subject or body.",
		transform: `{{ alias }}`, vars: domainVars, needs: []string{"domain"}, takes: []string{"transform", "service"},
	}, {
		typ: TypeRegex, about: "A regular expression over links, location, subject and body, in Python's dialect as far as RE2 has it. New rules are better written as regex_re2.",
		needs: []string{"match", "replace"}, takes: []string{"service"},
	}, {
		typ: TypeRegexRE2, about: "A regular expression over links, location, subject and body.",
		needs: []string{"match", "replace"}, takes: []string{"service"},
	}, {
		typ: TypeCustom, about: "A template over the whole event.",
		vars: eventVars, needs: []string{"template"}, takes: []string{"service", "domain", "company_id"},
	},
}

// typeInfo returns the entry of a type, or nil.
func typeInfo(t Type) *adminType {
	i := slices.IndexFunc(adminTypes, func(a adminType) bool { return a.typ == t })
	if i < 0 {
		return nil
	}
	return &adminTypes[i]
}
