package poly

import (
	"strings"
	"time"
)

// calendarFolder is the only folder with items. Folders have their
// distinguished name as id.
const calendarFolder = "calendar"

// maxView is the longest window that Exchange answers.
const maxView = 2 * 366 * 24 * time.Hour

// maxItems is how many items an answer has at most, as in Exchange, for all
// folders together.
const maxItems = 1000

// mine reports whether f is not the folder of another mailbox.
func (r *Room) mine(f folder) bool {
	return f.mailbox == "" || r.opts.Mailbox == "" || strings.EqualFold(f.mailbox, r.opts.Mailbox)
}

const notMine = "The mailbox is not that of the room whose user name this is."

func findItem(a *answer, q *request, r *Room) (int, error) {
	if len(q.folders) == 0 {
		return 0, &faultError{"ErrorSchemaValidation", "FindItem has no ParentFolderIds."}
	}
	entries := r.current()
	given := 0
	a.open(q.op)
	for _, f := range q.folders {
		switch {
		case !r.mine(f):
			a.fail(q.op, "ErrorAccessDenied", notMine, "")
		case q.view && !q.end.After(q.start):
			a.fail(q.op, "ErrorCalendarEndDateIsEarlierThanStartDate", "EndDate must be after StartDate.", "")
		case q.view && q.end.Sub(q.start) > maxView:
			a.fail(q.op, "ErrorCalendarViewRangeTooBig", "The CalendarView is longer than two years.", "")
		case f.id == calendarFolder && q.restricted:
			a.fail(q.op, "ErrorInvalidRestriction", "Ask for the calendar with a CalendarView and without a Restriction.", "")
		case f.id != calendarFolder:
			found(a, q, nil, maxItems)
		default:
			given += found(a, q, entries, maxItems-given)
		}
	}
	a.close(q.op)
	return given, nil
}

// found writes those of entries that q asks for, not more than most, and returns
// how many.
func found(a *answer, q *request, entries []entry, most int) int {
	limit := most
	if q.max > 0 {
		limit = min(q.max, most)
	}
	first, n, last := 0, 0, true
	wanted := func(e *entry) bool { return !q.view || e.End.After(q.start) && e.Start.Before(q.end) }
	skip := q.offset
	// The counts come before the items.
	for i := range entries {
		if !wanted(&entries[i]) {
			continue
		}
		if skip > 0 {
			skip--
			first = i + 1
			continue
		}
		if n == limit {
			last = false
			break
		}
		n++
	}
	a.success(q.op)
	a.raw(`<m:RootFolder`)
	if !q.view && q.max > 0 {
		a.raw(` IndexedPagingOffset="`)
		a.int(min(q.offset, len(entries)) + n)
		a.raw(`"`)
	}
	a.raw(` TotalItemsInView="`)
	if q.view {
		a.int(n)
	} else {
		a.int(len(entries))
	}
	a.raw(`" IncludesLastItemInRange="`)
	a.bool(last)
	a.raw(`"><t:Items>`)
	for i, left := first, n; left > 0; i++ {
		if wanted(&entries[i]) {
			a.item(&entries[i], nil)
			left--
		}
	}
	a.raw(`</t:Items></m:RootFolder>`)
	a.end(q.op)
	return n
}

func getItem(a *answer, q *request, r *Room) (int, error) {
	if len(q.ids) == 0 {
		return 0, &faultError{"ErrorSchemaValidation", "GetItem has no ItemIds."}
	}
	entries := r.current()
	given := 0
	a.open(q.op)
	for _, id := range q.ids {
		e := lookup(entries, id)
		if e == nil {
			a.fail(q.op, "ErrorItemNotFound", "The item was not found.", "<m:Items/>")
			continue
		}
		a.success(q.op)
		a.raw("<m:Items>")
		a.item(e, &itemBody{token: r.opts.Token, html: q.html})
		a.raw("</m:Items>")
		a.end(q.op)
		given++
	}
	a.close(q.op)
	return given, nil
}

func lookup(entries []entry, id string) *entry {
	for i := range entries {
		if entries[i].ID == id {
			return &entries[i]
		}
	}
	return nil
}

// folderKinds are the folders that a mailbox has, the others do not exist: the
// element that each is, its class and its name.
var folderKinds = map[string]struct{ element, class, name string }{
	calendarFolder:   {"CalendarFolder", "IPF.Appointment", "Calendar"},
	"contacts":       {"ContactsFolder", "IPF.Contact", "Contacts"},
	"deleteditems":   {"Folder", "IPF.Note", "Deleted Items"},
	"drafts":         {"Folder", "IPF.Note", "Drafts"},
	"inbox":          {"Folder", "IPF.Note", "Inbox"},
	"journal":        {"Folder", "IPF.Journal", "Journal"},
	"junkemail":      {"Folder", "IPF.Note", "Junk Email"},
	"msgfolderroot":  {"Folder", "IPF.Note", "Top of Information Store"},
	"notes":          {"Folder", "IPF.StickyNote", "Notes"},
	"outbox":         {"Folder", "IPF.Note", "Outbox"},
	"root":           {"Folder", "IPF.Root", "Root"},
	"searchfolders":  {"Folder", "IPF.Note", "Finder"},
	"sentitems":      {"Folder", "IPF.Note", "Sent Items"},
	"tasks":          {"TasksFolder", "IPF.Task", "Tasks"},
	"voicemail":      {"Folder", "IPF.Note.Microsoft.Voicemail", "Voice Mail"},
	"recipientcache": {"Folder", "IPF.Contact.RecipientCache", "Recipient Cache"},
}

// folderKey is the ChangeKey of folders, which do not change.
const folderKey = "Y2s"

func getFolder(a *answer, q *request, r *Room) (int, error) {
	if len(q.folders) == 0 {
		return 0, &faultError{"ErrorSchemaValidation", "GetFolder has no FolderIds."}
	}
	n := len(r.current())
	a.open(q.op)
	for _, f := range q.folders {
		kind, ok := folderKinds[f.id]
		switch {
		case !r.mine(f):
			a.fail(q.op, "ErrorAccessDenied", notMine, "<m:Folders/>")
			continue
		case !ok:
			a.fail(q.op, "ErrorFolderNotFound", "The folder was not found.", "<m:Folders/>")
			continue
		}
		a.success(q.op)
		a.raw(`<m:Folders><t:` + kind.element + `><t:FolderId Id="` + f.id + `" ChangeKey="` + folderKey + `"/>`)
		parent := "msgfolderroot"
		if f.id == "msgfolderroot" || f.id == "root" {
			parent = "root"
		}
		a.raw(`<t:ParentFolderId Id="` + parent + `" ChangeKey="` + folderKey + `"/><t:FolderClass>` + kind.class +
			`</t:FolderClass><t:DisplayName>` + kind.name + `</t:DisplayName><t:TotalCount>`)
		count, children := 0, 0
		switch f.id {
		case calendarFolder:
			count = n
		case "root":
			children = 1
		case "msgfolderroot":
			children = len(folderKinds) - 2
		}
		a.int(count)
		a.raw(`</t:TotalCount><t:ChildFolderCount>`)
		a.int(children)
		a.raw(`</t:ChildFolderCount></t:` + kind.element + `></m:Folders>`)
		a.end(q.op)
	}
	a.close(q.op)
	return 0, nil
}

// idFormats are those of EWS that ConvertId knows. Our ids are the same in each.
var idFormats = map[string]bool{"EwsLegacyId": true, "EwsId": true, "EntryId": true, "HexEntryId": true, "StoreId": true, "OwaId": true}

func convertID(a *answer, q *request, r *Room) (int, error) {
	if len(q.sources) == 0 || !idFormats[q.destination] {
		return 0, &faultError{"ErrorSchemaValidation", "ConvertId needs SourceIds and a DestinationFormat of EWS."}
	}
	entries := r.current()
	a.open(q.op)
	for _, s := range q.sources {
		_, isFolder := folderKinds[s.id]
		if !idFormats[s.format] || !r.mine(folder{mailbox: s.mailbox}) || !isFolder && lookup(entries, s.id) == nil {
			a.fail(q.op, "ErrorInvalidIdMalformed", "The id is none of this mailbox.", "")
			continue
		}
		a.success(q.op)
		a.raw(`<m:AlternateId xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="t:AlternateIdType" Format="` + q.destination + `" Id="`)
		a.text(s.id)
		a.raw(`" Mailbox="`)
		if s.mailbox == "" {
			s.mailbox = "room"
		}
		a.text(s.mailbox)
		a.raw(`"/>`)
		a.end(q.op)
	}
	a.close(q.op)
	return 0, nil
}
