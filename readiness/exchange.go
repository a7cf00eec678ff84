package readiness

import "strings"

// Processing is what Exchange is set to do with the invites of one room, as
// Get-CalendarProcessing has it. A nil pointer or empty text means that the
// report does not say.
type Processing struct {
	Mailbox string // primary SMTP address
	Name    string
	// RecipientType is what kind of recipient it is, as Get-Recipient has it:
	// "RoomMailbox", "UserMailbox", "MailUser", …
	RecipientType string

	DeleteComments                 *bool
	DeleteSubject                  *bool
	AddOrganizerToSubject          *bool
	RemovePrivateProperty          *bool
	ProcessExternalMeetingMessages *bool
	AddAdditionalResponse          *bool
	AllBookInPolicy                *bool
	AutomateProcessing             string
	AdditionalResponse             string
	// DefaultAccess and AnonymousAccess are what everybody in the organization,
	// and what others, may see of the room's calendar, as
	// Get-MailboxFolderPermission has it: "AvailabilityOnly", "LimitedDetails", …
	DefaultAccess, AnonymousAccess string
	// CalendarFolder is the name of the calendar in the mailbox's language.
	// Default: "Calendar".
	CalendarFolder string
}

// Check says what the settings of a room mean for One-Touch Join. Settings that
// the report does not have are findings with the result Unknown.
func (p *Processing) Check() []Finding {
	room := p.Mailbox
	set := func(what string) string {
		return "Set-CalendarProcessing -Identity " + Quote(room) + " " + what
	}
	flag := func(check string, value *bool, name string, result Result, bad, good, fix string) Finding {
		f := Finding{Check: check, Subject: room}
		switch {
		case value == nil:
			f.Result, f.Why = Unknown, "The report does not say what "+name+" is."
			f.Fix = "Run the check script again, with an account that may read the room's settings."
		case *value:
			f.Result, f.Why, f.Fix, f.Command = result, name+" is on: "+bad, fix, set("-"+name+" $false")
		default:
			f.Result, f.Why = Pass, name+" is off: "+good
		}
		return f
	}
	out := []Finding{
		flag("delete-comments", p.DeleteComments, "DeleteComments", Fail,
			"the text of every invite is deleted, so only meetings whose address is in a field of its own get a button.",
			"the text of invites stays.", "Switch it off. It works for invites that come later."),
		flag("delete-subject", p.DeleteSubject, "DeleteSubject", Warn,
			"the room never has the subject of a meeting. Its screen shows the organizer's name.",
			"the subject stays.", "Switch it off, unless that is wanted for privacy: the settings here can hide subjects too."),
		flag("add-organizer", p.AddOrganizerToSubject, "AddOrganizerToSubject", Warn,
			"the organizer's name is put into the subject.",
			"the subject is as the organizer wrote it.", "Switch it off."),
		flag("remove-private", p.RemovePrivateProperty, "RemovePrivateProperty", Fail,
			"private meetings look like any other, and the room's screen shows their subjects.",
			"private meetings stay private.", "Switch it off. It works for invites that come later."),
	}

	auto := Finding{Check: "auto-accept", Subject: room, Command: set("-AutomateProcessing AutoAccept")}
	switch {
	case p.AutomateProcessing == "":
		auto.Result, auto.Why = Unknown, "The report does not say what AutomateProcessing is."
		auto.Command = ""
	case strings.EqualFold(p.AutomateProcessing, "AutoAccept"):
		auto.Result, auto.Why, auto.Command = Pass, "The room accepts invites by itself.", ""
	default:
		auto.Result = Fail
		auto.Why = "AutomateProcessing is " + p.AutomateProcessing + ": the room does not accept invites by itself, so meetings stay tentative or do not appear."
		auto.Fix = "Set it to AutoAccept."
	}
	out = append(out, auto)

	external := Finding{Check: "external-meetings", Subject: room}
	switch {
	case p.ProcessExternalMeetingMessages == nil:
		external.Result, external.Why = Unknown, "The report does not say what ProcessExternalMeetingMessages is."
	case *p.ProcessExternalMeetingMessages:
		external.Result = Pass
		external.Why = "Invites from outside that somebody forwards to the room are processed. Anybody outside can then invite the room too, unless a transport rule keeps them out."
	default:
		external.Result = Warn
		external.Why = "Invites from outside that somebody forwards to the room are not processed: such meetings have no button."
		external.Fix = "Switch ProcessExternalMeetingMessages on if people forward such invites, together with the transport rule of the set-up script."
		external.Command = set("-ProcessExternalMeetingMessages $true")
	}
	out = append(out, external)

	response := Finding{Check: "additional-response", Subject: room, Result: Pass, Why: "The room's reply explains itself."}
	switch {
	case p.AddAdditionalResponse == nil:
		response.Result, response.Why = Unknown, "The report does not say what AddAdditionalResponse is."
	case !*p.AddAdditionalResponse || strings.TrimSpace(p.AdditionalResponse) == "":
		response.Result = Warn
		response.Why = "Organizers outside get a reply of a room that they may never have heard of, without an explanation."
		response.Fix = "Add a text to the room's replies."
		response.Command = set("-AddAdditionalResponse $true -AdditionalResponse " + Quote(DefaultResponse))
	}
	out = append(out, response)

	out = append(out, p.access("folder-permission", "Default", "everybody in the organization", p.DefaultAccess))
	if p.AnonymousAccess != "" {
		out = append(out, p.access("folder-permission-outside", "Anonymous", "everybody outside", p.AnonymousAccess))
	}
	if p.AllBookInPolicy != nil {
		f := Finding{Check: "booking-policy", Subject: room, Result: Pass, Why: "Everybody in the organization can book the room."}
		if !*p.AllBookInPolicy {
			f.Result = Warn
			f.Why = "AllBookInPolicy is off: only some people can book the room, and what others ask for waits for a delegate or is declined."
			f.Fix = "Switch it on, unless that is wanted."
			f.Command = set("-AllBookInPolicy $true")
		}
		out = append(out, f)
	}
	if p.RecipientType != "" {
		out = append(out, p.kind())
	}
	return out
}

// access says what a group of people may see of the room's calendar.
func (p *Processing) access(check, user, people, rights string) Finding {
	f := Finding{Check: check, Subject: p.Mailbox, Result: Pass, Why: "What " + people + " may see of the room's calendar is " + rights + "."}
	switch {
	case rights == "":
		f.Result, f.Why = Unknown, "The report does not say what "+people+" may see of the room's calendar."
		f.Fix = "Run the check script again, with an account that may read the permissions."
	case strings.EqualFold(rights, "AvailabilityOnly"), strings.EqualFold(rights, "LimitedDetails"), strings.EqualFold(rights, "None"):
	default:
		folder := p.CalendarFolder
		if folder == "" {
			folder = "Calendar"
		}
		f.Result = Warn
		f.Why = people + " may read the text of the room's invites (" + rights + "), and so join its meetings: passcodes are in it."
		f.Why = strings.ToUpper(f.Why[:1]) + f.Why[1:]
		f.Fix = "Let them see times (AvailabilityOnly), or times and subjects (LimitedDetails), only."
		f.Command = "Set-MailboxFolderPermission -Identity " + Quote(p.Mailbox+`:\`+folder) + " -User " + user + " -AccessRights LimitedDetails"
	}
	return f
}

// kind says whether it is a mailbox that can be read.
func (p *Processing) kind() Finding {
	f := Finding{Check: "mailbox-type", Subject: p.Mailbox, Result: Pass, Why: "It is a mailbox in Microsoft 365 (" + p.RecipientType + ")."}
	if !strings.HasSuffix(strings.ToLower(p.RecipientType), "mailbox") || strings.HasPrefix(strings.ToLower(p.RecipientType), "remote") {
		f.Result = Fail
		f.Why = "It has no mailbox in Microsoft 365 (" + p.RecipientType + "): its calendar is on a server of one's own or in another organization, and cannot be read."
		f.Fix = "Move the mailbox to Microsoft 365, or take the room out of the group."
	}
	return f
}
