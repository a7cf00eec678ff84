package rules

// Rule is one rule as an administrator writes it and as the default pack is
// written. The zero value of every field but Name and Type means "no condition"
// or "the default of the type".
type Rule struct {
	// Name is unique in its list; matches name the rule that found them.
	Name string `json:"name"`
	// Description is for people. It changes nothing.
	Description string `json:"description,omitempty"`
	// Priority is 1 to 200: rules are tried in ascending order, and the first
	// that yields an address wins. Rules of the default pack have none.
	Priority int `json:"priority,omitempty"`
	// Disabled keeps the rule in the list without trying it.
	Disabled bool `json:"disabled,omitempty"`
	// Type is TypeLink or one of the administrator types.
	Type Type `json:"type"`

	// Service, Hosts, Paths, Not, Token and Dial are for TypeLink.
	//
	// Service is what Match.Service becomes.
	Service string `json:"service,omitempty"`
	// Hosts are "zoom.us" (that host alone), ".zoom.us" (it and every host
	// below it), "*.zoom.us" (only hosts below it) or "*" (every host; its
	// paths must begin with a fixed part). They are compared label by label.
	Hosts []string `json:"hosts,omitempty"`
	// Paths are patterns of what follows the host, the first that fits decides:
	// "/j/{id:digits}", "/meet/{id:digits}?p=", "/webapp/#/?conference={id}".
	// Literal text is compared without case. {name:class} takes the longest run
	// of the class: digits, number (six digits or more), name (letters, digits and -_.~), code (letters,
	// digits and -), upper (capitals and digits) or any (up to the next slash,
	// the default). "*" at the end takes all that is left. After "?" stand the
	// parameters that must be there, in any order. A slash at the end of the
	// path is never needed. {id} and {pin} become the match's MeetingID and
	// Passcode; other names serve Dial.
	Paths []string `json:"paths,omitempty"`
	// Not are patterns, as in Paths, that are no meeting: help, phone and
	// registration pages.
	Not []string `json:"not,omitempty"`
	// Token names query parameters that carry a passcode in some form. Of two
	// links to one meeting the one that has it is better.
	Token []string `json:"token,omitempty"`
	// Dial are further addresses: "sip:{id}.{pin}@zoomcrc.com". One whose names
	// are not all known is left out. {host} and {site}, the first label of the
	// host, are always known; {ip} is an H.323 gateway that the invite names.
	Dial []string `json:"dial,omitempty"`

	// Match and Replace are for the regex types.
	Match   string `json:"match,omitempty"`
	Replace string `json:"replace,omitempty"`
	// Transform is a template over the type's variables, Template one over the
	// event, for the custom type. Without Transform a type has its default.
	Transform string `json:"transform,omitempty"`
	Template  string `json:"template,omitempty"`
	// Domain is for the domain type and for the types that need a gateway.
	Domain string `json:"domain,omitempty"`
	// CompanyID is the customer's number at Pexip, for the SIP guest join types.
	CompanyID string `json:"company_id,omitempty"`
	// IncludePIN appends the meeting's password to the alias.
	IncludePIN bool `json:"include_pin,omitempty"`

	// Organizer is a condition on who organizes: OrganizerInternal and
	// OrganizerExternal compare with Options.OwnDomains.
	Organizer Organizer `json:"organizer,omitempty"`
	// Services and Fields are conditions on the meeting that the rule is for:
	// "zoom", "teams"; "location", "body" and the other names of Field.
	Services []string `json:"services,omitempty"`
	Fields   []string `json:"fields,omitempty"`

	// Why says what the rule is there for, and Source where its facts come from.
	Why    string `json:"why,omitempty"`
	Source string `json:"source,omitempty"`
}

// Type is the kind of a rule.
type Type string

// TypeLink finds a join link by host and path. The default pack consists of it.
const TypeLink Type = "link"

// Organizer is a condition on the organizer's address.
type Organizer string

// The conditions. OrganizerAny is the zero value.
const (
	OrganizerAny      Organizer = ""
	OrganizerInternal Organizer = "internal"
	OrganizerExternal Organizer = "external"
)
