package control

import (
	"time"

	"github.com/onetouchjoin/onetouchjoin/otj"
)

// OrgKind says what an organization is.
type OrgKind string

// The kinds of organization.
const (
	Company OrgKind = "company" // has rooms
	Partner OrgKind = "partner" // manages companies
)

// Meta is what every object has. IDs are random and say nothing; Revision
// changes with every change and is the object's ETag.
type Meta struct {
	ID       string    `json:"id"`
	Revision int64     `json:"revision"`
	Created  time.Time `json:"created"` // UTC
	Changed  time.Time `json:"changed"` // UTC
}

// Org is a company or a partner.
type Org struct {
	Meta
	Kind OrgKind `json:"kind"`
	Name string  `json:"name"` // unique, 1 to 250 bytes
	// Partner is the ID of the partner that manages this company, or empty.
	Partner string `json:"partner,omitempty"`
	// Enabled says that One-Touch Join works for this company. Without it no
	// calendar is read, and devices are cleared.
	Enabled bool `json:"enabled"`
	// PartnerSeesSubjects lets users of the partner see subjects of meetings.
	PartnerSeesSubjects bool `json:"partner_sees_subjects"`
}

// User is a person who signs in.
type User struct {
	Meta
	Org      string  `json:"org"`   // the organization that the user belongs to
	Email    string  `json:"email"` // unique, lower case
	Name     string  `json:"name"`
	Grants   []Grant `json:"grants"`
	Disabled bool    `json:"disabled"`
}

// Tenant is a Microsoft 365 tenant, known by a domain that the company has
// proved to own.
type Tenant struct {
	Meta
	Company string `json:"company"`
	Domain  string `json:"domain"` // unique in the company, lower case
	// Challenge is the value of the TXT record that proves the domain.
	Challenge string      `json:"challenge"`
	State     TenantState `json:"state"`
	// Why says what the last check saw, where the state is not verified.
	Why     string    `json:"why,omitempty"`
	Checked time.Time `json:"checked"` // UTC; zero before the first check
}

// TenantState says how far the proof of a domain is.
type TenantState string

// The states of a tenant.
const (
	TenantPending  TenantState = "pending"
	TenantVerified TenantState = "verified"
	TenantFailed   TenantState = "failed"
)

// ProviderKind is the calendar system of a provider.
type ProviderKind string

// The kinds of provider. Those marked later can be made and are not read yet.
const (
	Microsoft365 ProviderKind = "microsoft365"
	ICSFolder    ProviderKind = "ics_folder"
	ICSFeed      ProviderKind = "ics_feed"
	Google       ProviderKind = "google"   // later
	Exchange     ProviderKind = "exchange" // later
	CalDAV       ProviderKind = "caldav"   // later
)

// Provider is a calendar system that mailboxes are read from.
type Provider struct {
	Meta
	Company string       `json:"company"`
	Name    string       `json:"name"` // unique in the company
	Kind    ProviderKind `json:"kind"`

	// Tenant is the ID of the verified tenant of a Microsoft365 provider.
	Tenant string `json:"tenant,omitempty"`
	// Consent is the state of the tenant administrator's consent.
	Consent ConsentState `json:"consent,omitempty"`
	// TenantID is the directory's GUID, learnt by the consent.
	TenantID string `json:"tenant_id,omitempty"`

	// Folder is the folder of an ICSFolder; it lies below the folder that the
	// server's configuration allows.
	Folder string `json:"folder,omitempty"`
	// URL of an ICSFeed; {mailbox} in it stands for the mailbox's address.
	URL string `json:"url,omitempty"`

	// DailyQuota is how many requests a day the provider may make: 10,000 to
	// 10,000,000, default 1,000,000.
	DailyQuota int `json:"daily_quota,omitempty"`
	// Paused stops reading; what devices show stays until it ends.
	Paused bool `json:"paused"`
}

// ConsentState says whether the tenant's administrator has agreed.
type ConsentState string

// The states of consent. Missing is "waiting for a Global Administrator".
const (
	ConsentMissing ConsentState = "missing"
	ConsentGranted ConsentState = "granted"
	ConsentRefused ConsentState = "refused"
)

// MailboxKind says whose mailbox it is.
type MailboxKind string

// The kinds of mailbox.
const (
	RoomMailbox     MailboxKind = "room"
	PersonalMailbox MailboxKind = "person"
)

// Mailbox is a calendar that a video system shows.
type Mailbox struct {
	Meta
	Company  string      `json:"company"`
	Provider string      `json:"provider"`
	Address  string      `json:"address"` // unique in the company, lower case
	Name     string      `json:"name,omitempty"`
	Kind     MailboxKind `json:"kind"`
}

// Processing is how a company's invites are processed and shown.
type Processing struct {
	Meta
	Company  string       `json:"company"`
	Settings otj.Settings `json:"settings"`
	// Rules is a rule file, JSON with comments, as the company wrote it; the
	// default pack comes after it.
	Rules string `json:"rules"`
	// OwnDomains are the mail domains of internal organizers.
	OwnDomains []string `json:"own_domains"`
	// PreferMeet keeps a Meet link that Google added by itself ahead of another
	// service in the location.
	PreferMeet bool `json:"prefer_meet"`
	// TimeZone decides when a day ends, as in "Europe/Stockholm"; empty is
	// Options.TimeZone.
	TimeZone string `json:"time_zone,omitempty"`
}

// SystemKind is how a video system gets its meetings.
type SystemKind string

// The kinds of video system.
const (
	CiscoHTTPS     SystemKind = "cisco_https"
	CiscoWebSocket SystemKind = "cisco_websocket"
	CiscoWebex     SystemKind = "cisco_webex"
	CiscoMacro     SystemKind = "cisco_macro"
	CiscoTMS       SystemKind = "cisco_tms"
	Poly           SystemKind = "poly"
	Feed           SystemKind = "feed"
	Webhook        SystemKind = "webhook"
)

// System is a video system in a room.
type System struct {
	Meta
	Company string     `json:"company"`
	Name    string     `json:"name"` // unique in the company
	Kind    SystemKind `json:"kind"`
	Group   string     `json:"group,omitempty"`
	Mailbox string     `json:"mailbox"`
	// Enabled says that One-Touch Join works for this system.
	Enabled bool `json:"enabled"`
	// Paused leaves the device alone: what it shows stays as it is.
	Paused bool `json:"paused"`
	// TakeOver allows to overwrite bookings that another system has put there.
	TakeOver bool `json:"take_over"`

	// Host is where a pushed device answers: a name or address, with a port
	// where it is not 443.
	Host string `json:"host,omitempty"`
	// Fingerprint is the SHA-256 of the device's certificate in hex; empty means
	// a certificate that the system's roots trust.
	Fingerprint string `json:"fingerprint,omitempty"`
	// DeviceID names the device in the Webex cloud.
	DeviceID string `json:"device_id,omitempty"`
	// MAC and Serial bind a device that asks in the way of TMS.
	MAC    string `json:"mac,omitempty"`
	Serial string `json:"serial,omitempty"`
	// User is the device's user, or the generated user of a device that calls.
	User string `json:"user,omitempty"`
	// HasPassword says that a password is stored. It is never given out.
	HasPassword bool `json:"has_password"`
	// QuietAlarms raises no alarm when a device that should ask does not.
	QuietAlarms bool `json:"quiet_alarms"`
	// URL is where a Webhook gets the meetings; it begins with https:. What is
	// behind the host may be a secret: whoever may not configure sees the host
	// alone.
	URL string `json:"url,omitempty"`

	// The others are for devices that differ from what is known of them; the zero
	// values are for all others. [SystemKind.Has] says which kind has which.

	// Push is how bookings are written: PushBookings, PushLegacy, or "" for what
	// is found out.
	Push string `json:"push,omitempty"`
	// WebRTC is "on" or "off" for whether the device joins Teams and Meet by their
	// links, or "" for what its software says.
	WebRTC string `json:"webrtc,omitempty"`
	// Encryption is "On" or "Off" for the calls of the buttons, or "" for what the
	// device does by itself.
	Encryption string `json:"encryption,omitempty"`
	// MaxBookings is how many meetings the device is given, the nearest ones; 0 is
	// 100.
	MaxBookings int `json:"max_bookings,omitempty"`
	// FeedbackSlot is the slot of HttpFeedback by which the device calls back: 1, 2
	// or 4; 0 is none.
	FeedbackSlot int `json:"feedback_slot,omitempty"`
	// SocketAuth is "subprotocol" where a proxy drops the header Authorization.
	SocketAuth string `json:"socket_auth,omitempty"`
	// ExplicitEmpty is for a screen that keeps the last meeting after it was
	// cancelled.
	ExplicitEmpty bool `json:"explicit_empty,omitempty"`
	// TokenForm is how a Poly device reads the address: "full", "split" or "none";
	// "" is "full".
	TokenForm string `json:"token_form,omitempty"`
}

// Group gives its systems defaults.
type Group struct {
	Meta
	Company string `json:"company"`
	Name    string `json:"name"` // unique in the company
	// User is the device user of systems that name none.
	User        string `json:"user,omitempty"`
	HasPassword bool   `json:"has_password"`
	// Settings are those that differ from the company's; nil if none does.
	Settings *OwnSettings `json:"settings,omitempty"`
	// TimeZone decides when a day ends; empty is the company's.
	TimeZone string `json:"time_zone,omitempty"`
}
