package poly

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/onetouchjoin/onetouchjoin/otj"
	"github.com/onetouchjoin/onetouchjoin/rules"
)

// Token is how the address is written into the token that Polycom's clients
// look for in a body. Both forms are in use; which one a device understands
// has not been tried.
type Token string

// The forms of the token.
const (
	TokenFull  Token = "full"  // the whole alias in POLYCOM-VMRNUMBER
	TokenSplit Token = "split" // what is before the @ there, the domain as postfix
	TokenNone  Token = "none"  // no token
)

// entry is a meeting as an item.
type entry struct {
	otj.Meeting
	key [12]byte // the ChangeKey

	created, changed uint64 // positions in the room's history
}

// changeKey tells two states of a meeting apart.
func changeKey(m *otj.Meeting) (key [12]byte) {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q %q %d %d %t %q", m.Title, m.Organizer.Name, m.Organizer.Email,
		m.Start.UnixNano(), m.End.UnixNano(), m.Private, m.Join.URI))
	copy(key[:], sum[:])
	return key
}

// itemBody is how the body of an item is written.
type itemBody struct {
	token Token
	html  bool
}

func (a *answer) itemID(tag, id string, key [12]byte) {
	a.raw("<t:" + tag + ` Id="`)
	a.text(id)
	a.raw(`" ChangeKey="`)
	a.b = base64.RawURLEncoding.AppendEncode(a.b, key[:])
	a.raw(`"/>`)
}

// item writes e in the order of the schema, without a body if body is nil.
// Clients that read by strings drop an item that misses an element.
func (a *answer) item(e *entry, body *itemBody) {
	a.raw("<t:CalendarItem>")
	a.itemID("ItemId", e.ID, e.key)
	a.raw("<t:ItemClass>IPM.Appointment</t:ItemClass><t:Subject>")
	a.line(e.Title)
	a.raw("</t:Subject><t:Sensitivity>")
	if e.Private {
		a.raw("Private")
	} else {
		a.raw("Normal")
	}
	a.raw("</t:Sensitivity>")
	if body != nil {
		text := bodyText(e.Join, body.token)
		if body.html {
			a.raw(`<t:Body BodyType="HTML">&lt;html&gt;&lt;body&gt;&lt;pre&gt;`)
			a.text(htmlText.Replace(text))
			a.raw("&lt;/pre&gt;&lt;/body&gt;&lt;/html&gt;</t:Body>")
		} else {
			a.raw(`<t:Body BodyType="Text">`)
			a.text(text)
			a.raw("</t:Body>")
		}
	}
	a.raw("<t:UID>")
	a.text(e.ID)
	a.raw("</t:UID><t:Start>")
	a.time(e.Start)
	a.raw("</t:Start><t:End>")
	a.time(e.End)
	a.raw("</t:End><t:IsAllDayEvent>false</t:IsAllDayEvent><t:LegacyFreeBusyStatus>Busy</t:LegacyFreeBusyStatus><t:Location>")
	a.line(e.Join.URI)
	a.raw("</t:Location><t:IsCancelled>false</t:IsCancelled><t:CalendarItemType>Single</t:CalendarItemType>" +
		"<t:MyResponseType>Accept</t:MyResponseType><t:Organizer><t:Mailbox><t:Name>")
	a.line(e.Organizer.Name)
	a.raw("</t:Name>")
	if e.Organizer.Email != "" { // the schema allows no empty address
		a.raw("<t:EmailAddress>")
		a.line(e.Organizer.Email)
		a.raw("</t:EmailAddress>")
	}
	a.raw("<t:RoutingType>SMTP</t:RoutingType></t:Mailbox></t:Organizer></t:CalendarItem>")
}

var htmlText = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

// bodyText is what a device reads to dial: the address in the first line, and
// the token. Lines end with a line feed, also the last one.
func bodyText(a rules.Address, form Token) string {
	if a.IsZero() {
		return ""
	}
	text := oneLine.Replace(a.URI) + "\n"
	if form == TokenNone {
		return text
	}
	const begin, end = "--=BEGIN POLYCOM VMR ENCODED TOKEN=--\n", "\n--=END POLYCOM VMR ENCODED TOKEN=--\n"
	return text + begin + base64.StdEncoding.EncodeToString([]byte(tokenText(a, form))) + end
}

var oneLine = strings.NewReplacer("\r", "", "\n", "")

// tokenText writes KEY=VALUE lines. A last line without its end would be
// ignored.
func tokenText(a rules.Address, form Token) string {
	prefix, number, _ := strings.Cut(oneLine.Replace(a.URI), ":")
	postfix := ""
	if form == TokenSplit {
		prefix += ":"
		number, postfix, _ = strings.Cut(number, "@")
	}
	return "POLYCOM-VERSION=1\nPOLYCOM-VMRNUMBER=" + number + "\nPOLYCOM-SIGNALINGPREFIX=" + prefix +
		"\nPOLYCOM-SIGNALINGPOSTFIX=" + postfix + "\n"
}
