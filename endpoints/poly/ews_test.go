package poly

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/onetouchjoin/onetouchjoin/calendar"
	"github.com/onetouchjoin/onetouchjoin/otj"
	"github.com/onetouchjoin/onetouchjoin/rules"
)

// client is a device that sends what it is told, without a network.
type client struct {
	t        testing.TB
	s        *Server
	room     *Room
	user     string
	password calendar.Secret
}

func newClient(t testing.TB, opts *RoomOptions) *client {
	s, err := New(&Options{AllowHTTP: true, URL: "https://otj.example.com", PerMinute: 1 << 30})
	require.NoError(t, err)
	return add(t, s, "a", opts)
}

func add(t testing.TB, s *Server, name string, opts *RoomOptions) *client {
	c, password := NewCredential()
	r, err := s.Add(name, c, opts)
	require.NoError(t, err)
	require.NoError(t, r.Show(t.Context(), nil))
	return &client{t, s, r, c.User, password}
}

func (c *client) do(path, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest("POST", path, strings.NewReader(body))
	r.SetBasicAuth(c.user, string(c.password))
	w := httptest.NewRecorder()
	c.s.ServeHTTP(w, r)
	return w
}

func envelope(op string) string {
	return `<Envelope xmlns="` + soapNS + `" xmlns:m="` + msgNS + `" xmlns:t="` + typeNS + `"><Body>` + op + `</Body></Envelope>`
}

// ask sends an operation that must be answered, and checks the order of the
// answer's elements.
func (c *client) ask(op string) string {
	c.t.Helper()
	w := c.do("/EWS/Exchange.asmx", envelope(op))
	require.Equal(c.t, 200, w.Code, w.Body.String())
	inOrder(c.t, w.Body.Bytes())
	_, body, _ := strings.Cut(w.Body.String(), "<s:Body>")
	body, _, _ = strings.Cut(body, "</s:Body>")
	return body
}

func (c *client) refused(op string) string {
	c.t.Helper()
	w := c.do("/EWS/Exchange.asmx", envelope(op))
	require.Equal(c.t, 500, w.Code, w.Body.String())
	return w.Body.String()
}

// order is that of the schema's sequences, as far as answers have them.
var order = map[string]string{
	"FindItemResponseMessage":        "MessageText ResponseCode RootFolder",
	"GetItemResponseMessage":         "MessageText ResponseCode Items",
	"GetFolderResponseMessage":       "MessageText ResponseCode Folders",
	"ConvertIdResponseMessage":       "MessageText ResponseCode AlternateId",
	"SyncFolderItemsResponseMessage": "MessageText ResponseCode SyncState IncludesLastItemInRange Changes",
	"SubscribeResponseMessage":       "MessageText ResponseCode SubscriptionId Watermark",
	"GetEventsResponseMessage":       "MessageText ResponseCode Notification",
	"UnsubscribeResponseMessage":     "MessageText ResponseCode",
	"CalendarItem": "ItemId ItemClass Subject Sensitivity Body UID Start End IsAllDayEvent LegacyFreeBusyStatus Location IsCancelled " +
		"CalendarItemType MyResponseType Organizer",
	"Mailbox":        "Name EmailAddress RoutingType",
	"CalendarFolder": "FolderId ParentFolderId FolderClass DisplayName TotalCount ChildFolderCount",
	"Folder":         "FolderId ParentFolderId FolderClass DisplayName TotalCount ChildFolderCount",
	"Notification":   "SubscriptionId PreviousWatermark MoreEvents CreatedEvent|ModifiedEvent|DeletedEvent|StatusEvent",
	"CreatedEvent":   "Watermark TimeStamp ItemId ParentFolderId",
	"DeletedEvent":   "Watermark TimeStamp ItemId ParentFolderId",
}

func inOrder(t testing.TB, answer []byte) {
	t.Helper()
	d := xml.NewDecoder(bytes.NewReader(answer))
	type parent struct {
		name string
		last int
	}
	stack := []parent{{}}
	for {
		tok, err := d.RawToken()
		if err != nil {
			require.Len(t, stack, 1)
			return
		}
		switch e := tok.(type) {
		case xml.StartElement:
			up := &stack[len(stack)-1]
			if names, ok := order[up.name]; ok {
				at := slices.IndexFunc(strings.Fields(names), func(s string) bool { return slices.Contains(strings.Split(s, "|"), e.Name.Local) })
				require.GreaterOrEqual(t, at, up.last, "%s is at the wrong place in %s", e.Name.Local, up.name)
				up.last = at
			}
			require.Contains(t, []string{"s", "m", "t", "e", ""}, e.Name.Space, "prefix of %s", e.Name.Local)
			stack = append(stack, parent{name: e.Name.Local})
		case xml.EndElement:
			stack = stack[:len(stack)-1]
		}
	}
}

var nine = time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)

func someMeetings(n int) []otj.Meeting {
	out := make([]otj.Meeting, n)
	for i := range out {
		at := nine.Add(time.Duration(i) * time.Hour)
		out[i] = otj.Meeting{ID: fmt.Sprintf("m%d", i), Title: fmt.Sprintf("Meeting %d", i), Organizer: calendar.Person{Name: "Ada Example", Email: "ada@example.com"},
			Start: at, End: at.Add(time.Hour), Join: rules.ParseAddress(fmt.Sprintf("sip:%d@example.com", i))}
	}
	return out
}

func view(attrs string) string {
	return `<m:FindItem Traversal="Shallow"><m:ItemShape><t:BaseShape>AllProperties</t:BaseShape></m:ItemShape><m:CalendarView ` + attrs +
		`/><m:ParentFolderIds><t:DistinguishedFolderId Id="calendar"/></m:ParentFolderIds></m:FindItem>`
}

const days = `StartDate="2026-11-23T00:00:00Z" EndDate="2026-12-23T00:00:00.000Z"`

func get(ids ...string) string {
	s := `<m:GetItem><m:ItemShape><t:BaseShape>AllProperties</t:BaseShape></m:ItemShape><m:ItemIds>`
	for _, id := range ids {
		s += `<t:ItemId Id="` + id + `" ChangeKey="x"/>`
	}
	return s + `</m:ItemIds></m:GetItem>`
}

func code(t testing.TB, answer string) string {
	t.Helper()
	m := regexp.MustCompile(`ResponseCode[^>]*>(\w+)<`).FindStringSubmatch(answer)
	require.Len(t, m, 2, answer)
	return m[1]
}

func TestFindItem(t *testing.T) {
	c := newClient(t, &RoomOptions{Mailbox: "fjord@example.com"})
	assert.Contains(t, c.ask(view(days)), `TotalItemsInView="0" IncludesLastItemInRange="true"><t:Items></t:Items>`)
	require.NoError(t, c.room.Show(t.Context(), someMeetings(5)))
	count := func(s string) int { return strings.Count(s, "<t:CalendarItem>") }

	assert.Equal(t, 5, count(c.ask(view(days))))
	assert.NotContains(t, c.ask(view(days)), "<t:Body")
	cut := c.ask(view(`MaxEntriesReturned="2" ` + days))
	assert.Equal(t, 2, count(cut))
	assert.Contains(t, cut, `IncludesLastItemInRange="false"`)
	assert.Equal(t, 2, count(c.ask(view(`StartDate="2026-11-23T10:00:00+01:00" EndDate="2026-11-23T12:00:00+01:00"`))), "meetings that overlap the window")
	assert.Equal(t, 0, count(c.ask(strings.ReplaceAll(view(days), `Id="calendar"`, `Id="inbox"`))))
	page := strings.Replace(view(days), "CalendarView "+days, `IndexedPageItemView MaxEntriesReturned="2" Offset="3" BasePoint="Beginning"`, 1)
	assert.Equal(t, 2, count(c.ask(page)))
	assert.Contains(t, c.ask(page), `IndexedPagingOffset="5" TotalItemsInView="5" IncludesLastItemInRange="true"`)

	for attrs, want := range map[string]string{
		`StartDate="2020-01-01T00:00:00Z" EndDate="2090-01-01T00:00:00Z"`: "ErrorCalendarViewRangeTooBig",
		`StartDate="2026-01-02T00:00:00Z" EndDate="2026-01-01T00:00:00Z"`: "ErrorCalendarEndDateIsEarlierThanStartDate",
	} {
		assert.Equal(t, want, code(t, c.ask(view(attrs))))
	}
	other := strings.Replace(view(days), `Id="calendar"/>`, `Id="calendar"><t:Mailbox><t:EmailAddress>summit@example.com</t:EmailAddress></t:Mailbox></t:DistinguishedFolderId>`, 1)
	assert.Equal(t, "ErrorAccessDenied", code(t, c.ask(other)))
	assert.Equal(t, 5, count(c.ask(strings.Replace(other, "summit", "Fjord", 1))))
	restricted := strings.Replace(view(days), "<m:ParentFolderIds>", `<m:Restriction><t:Exists><t:FieldURI FieldURI="item:Subject"/></t:Exists></m:Restriction><m:ParentFolderIds>`, 1)
	assert.Equal(t, "ErrorInvalidRestriction", code(t, c.ask(restricted)))

	// No answer is longer than Exchange's.
	require.NoError(t, c.room.Show(t.Context(), someMeetings(1200)))
	many := c.ask(view(`StartDate="2026-11-23T00:00:00Z" EndDate="2027-11-23T00:00:00Z"`))
	assert.Equal(t, 1000, count(many))
	assert.Contains(t, many, `IncludesLastItemInRange="false"`)
}

// The user name of a room opens no other calendar, by whichever operation.
func TestOtherMailboxes(t *testing.T) {
	c := newClient(t, &RoomOptions{Mailbox: "fjord@example.com"})
	require.NoError(t, c.room.Show(t.Context(), someMeetings(2)))
	for _, op := range []string{view(days), syncOp("", 10), subscribeOp, `<m:GetFolder><m:FolderShape><t:BaseShape>IdOnly</t:BaseShape></m:FolderShape><m:FolderIds><t:DistinguishedFolderId Id="calendar"/></m:FolderIds></m:GetFolder>`} {
		of := func(mailbox string) string {
			return strings.Replace(op, `Id="calendar"/>`, `Id="calendar"><t:Mailbox><t:EmailAddress>`+mailbox+`</t:EmailAddress></t:Mailbox></t:DistinguishedFolderId>`, 1)
		}
		other := c.ask(of("summit@example.com"))
		assert.Contains(t, code(t, other), "AccessDenied", op)
		assert.NotContains(t, other, "CalendarItem", op)
		assert.Equal(t, "NoError", code(t, c.ask(of("Fjord@example.com"))), op)
	}
}

// Until it is known what to show, as after a restart, a device keeps what it has.
func TestNotReady(t *testing.T) {
	s, err := New(&Options{AllowHTTP: true, URL: "https://otj.example.com"})
	require.NoError(t, err)
	cred, password := NewCredential()
	room, err := s.Add("a", cred, nil)
	require.NoError(t, err)
	c := &client{t, s, room, cred.User, password}
	for _, op := range []string{view(days), get("m0"), `<m:SyncFolderItems><m:MaxChangesReturned>10</m:MaxChangesReturned></m:SyncFolderItems>`} {
		w := c.do("/EWS/Exchange.asmx", envelope(op))
		assert.Equal(t, "ErrorServerBusy", code(t, w.Body.String()))
		assert.NotEmpty(t, w.Header().Get("Retry-After"))
		assert.Contains(t, w.Body.String(), "ServerVersionInfo")
	}
	assert.Contains(t, c.refused(`<m:PlayOnPhone/>`), "ErrorInvalidOperation")
	require.NoError(t, room.Show(t.Context(), nil))
	assert.Contains(t, c.ask(view(days)), `TotalItemsInView="0"`)
}

// The same folder many times does not make an answer of any size.
func TestFindItemInManyFolders(t *testing.T) {
	c := newClient(t, nil)
	require.NoError(t, c.room.Show(t.Context(), someMeetings(400)))
	folders := strings.Repeat(`<t:DistinguishedFolderId Id="calendar"/>`, 150)
	answer := c.ask(`<m:FindItem Traversal="Shallow"><m:ItemShape><t:BaseShape>IdOnly</t:BaseShape></m:ItemShape><m:CalendarView ` + days +
		`/><m:ParentFolderIds>` + folders + `</m:ParentFolderIds></m:FindItem>`)
	assert.Equal(t, maxItems, strings.Count(answer, "<t:CalendarItem>"))
	assert.Equal(t, 150, strings.Count(answer, "<m:FindItemResponseMessage "))
	assert.Contains(t, answer, `IncludesLastItemInRange="false"`)
}

func TestGetItem(t *testing.T) {
	c := newClient(t, nil)
	other := add(t, c.s, "b", nil)
	ms := someMeetings(2)
	ms[0].Title = "a\r\nb <t:Subject> & \x00"
	ms[1].Private, ms[1].Title = true, "Ada Example"
	require.NoError(t, c.room.Show(t.Context(), ms))
	require.NoError(t, other.room.Show(t.Context(), []otj.Meeting{{ID: "theirs", Title: "Secret", Start: nine, End: nine.Add(time.Hour)}}))

	text := c.ask(get("m0"))
	assert.Contains(t, text, "<t:Subject>a  b &lt;t:Subject&gt; &amp;  </t:Subject>")
	assert.Contains(t, text, `<t:Body BodyType="Text">sip:0@example.com`+"\n--=BEGIN POLYCOM VMR ENCODED TOKEN=--\n")
	html := c.ask(strings.Replace(get("m0"), "AllProperties</t:BaseShape>", "Default</t:BaseShape><t:BodyType>HTML</t:BodyType>", 1))
	assert.Contains(t, html, `<t:Body BodyType="HTML">&lt;html&gt;&lt;body&gt;&lt;pre&gt;sip:0@example.com`)

	// A private meeting has no more than any other, whatever is asked for.
	private := c.ask(get("m1"))
	assert.Contains(t, private, "<t:Sensitivity>Private</t:Sensitivity>")
	assert.Equal(t, len(c.ask(get("m0"))), len(private)+len("a  b &lt;t:Subject&gt; &amp;  ")-len("Ada Example")+len("Normal")-len("Private"))

	mixed := c.ask(get("theirs", "m1", "", "../m1", "calendar"))
	assert.Equal(t, 4, strings.Count(mixed, "ErrorItemNotFound"))
	assert.Equal(t, 1, strings.Count(mixed, "<t:CalendarItem>"))
	assert.NotContains(t, mixed, "Secret")
}

func TestTokens(t *testing.T) {
	a := rules.ParseAddress("sip:84512200317.550917@zoomcrc.com")
	assert.Equal(t, "POLYCOM-VERSION=1\nPOLYCOM-VMRNUMBER=84512200317.550917@zoomcrc.com\nPOLYCOM-SIGNALINGPREFIX=sip\nPOLYCOM-SIGNALINGPOSTFIX=\n", tokenText(a, TokenFull))
	assert.Equal(t, "POLYCOM-VERSION=1\nPOLYCOM-VMRNUMBER=84512200317.550917\nPOLYCOM-SIGNALINGPREFIX=sip:\nPOLYCOM-SIGNALINGPOSTFIX=zoomcrc.com\n", tokenText(a, TokenSplit))
	assert.Equal(t, "sip:84512200317.550917@zoomcrc.com\n", bodyText(a, TokenNone))
	assert.Empty(t, bodyText(rules.Address{}, TokenFull))
	assert.NotContains(t, tokenText(rules.Address{Scheme: rules.SIP, URI: "sip:a\nPOLYCOM-X=1\r@b"}, TokenFull), "\nPOLYCOM-X")
}

func TestFoldersAndIDs(t *testing.T) {
	c := newClient(t, nil)
	require.NoError(t, c.room.Show(t.Context(), someMeetings(3)))
	folders := c.ask(`<m:GetFolder><m:FolderShape><t:BaseShape>IdOnly</t:BaseShape></m:FolderShape><m:FolderIds>` +
		`<t:DistinguishedFolderId Id="calendar"/><t:DistinguishedFolderId Id="root"/><t:FolderId Id="inbox"/><t:DistinguishedFolderId Id="publicfoldersroot"/></m:FolderIds></m:GetFolder>`)
	assert.Contains(t, folders, "<t:TotalCount>3</t:TotalCount>")
	assert.Equal(t, 1, strings.Count(folders, "ErrorFolderNotFound"))
	assert.Equal(t, 3, strings.Count(folders, "NoError"))
	convert := c.ask(`<m:ConvertId DestinationFormat="HexEntryId"><m:SourceIds><t:AlternateId Format="EwsId" Id="m1" Mailbox="a@b"/>` +
		`<t:AlternateId Format="EwsId" Id="DUMMY" Mailbox="a@b"/><t:AlternateId Format="Mine" Id="m1" Mailbox="a@b"/></m:SourceIds></m:ConvertId>`)
	assert.Contains(t, convert, `Format="HexEntryId" Id="m1" Mailbox="a@b"/>`)
	assert.Equal(t, 2, strings.Count(convert, "ErrorInvalidIdMalformed"))
}

func syncOp(state string, n int) string {
	if state != "" {
		state = "<m:SyncState>" + state + "</m:SyncState>"
	}
	return fmt.Sprintf(`<m:SyncFolderItems><m:ItemShape><t:BaseShape>IdOnly</t:BaseShape></m:ItemShape><m:SyncFolderId><t:DistinguishedFolderId Id="calendar"/></m:SyncFolderId>%s<m:MaxChangesReturned>%d</m:MaxChangesReturned></m:SyncFolderItems>`, state, n)
}

func element1(t testing.TB, s, name string) string {
	t.Helper()
	m := regexp.MustCompile("<[mt]:"+name+">([^<]*)<").FindAllStringSubmatch(s, -1)
	require.NotEmpty(t, m, s)
	return m[len(m)-1][1]
}

// play does what an answer of SyncFolderItems says to a set, as a client does.
func (c *client) play(set map[string]string, answer string) {
	for _, m := range regexp.MustCompile(`<t:(Create|Update|Delete)>(?:<t:CalendarItem>)?<t:ItemId Id="([^"]*)" ChangeKey="([^"]*)"`).FindAllStringSubmatch(answer, -1) {
		_, had := set[m[2]]
		if m[1] != "Delete" {
			assert.Equal(c.t, m[1] == "Update", had, "%s of %s", m[1], m[2])
		}
		if m[1] == "Delete" {
			delete(set, m[2])
		} else {
			set[m[2]] = m[3]
		}
	}
}

func (c *client) sync(set map[string]string, state string, n int) string {
	for {
		text := c.ask(syncOp(state, n))
		c.play(set, text)
		state = element1(c.t, text, "SyncState")
		if strings.Contains(text, "<m:IncludesLastItemInRange>true") {
			return state
		}
	}
}

func TestSyncFolderItems(t *testing.T) {
	c := newClient(t, nil)
	want := func() map[string]string {
		out := map[string]string{}
		for _, m := range regexp.MustCompile(`ItemId Id="([^"]*)" ChangeKey="([^"]*)"`).FindAllStringSubmatch(c.ask(view(days)), -1) {
			out[m[1]] = m[2]
		}
		return out
	}
	set := map[string]string{}
	ms := someMeetings(7)
	require.NoError(t, c.room.Show(t.Context(), ms))
	state := c.sync(set, "", 3)
	require.Equal(t, want(), set)
	require.Len(t, set, 7)
	assert.Equal(t, state, c.sync(set, state, 3), "nothing has changed")
	ms[2].Title = "Changed"
	require.NoError(t, c.room.Show(t.Context(), slices.Concat(ms[1:4], someMeetings(9)[7:])))
	require.NoError(t, c.room.Show(t.Context(), slices.Concat(ms[:4], someMeetings(9)[7:]))) // m0 is back
	next := c.sync(set, state, 2)
	require.Equal(t, want(), set)
	require.Len(t, set, 6)
	require.Equal(t, "Changed", c.room.current()[2].Title)

	// Who comes new, in small steps and while meetings change, ends with the same.
	fresh, state := map[string]string{}, ""
	for i := range 12 {
		text := c.ask(syncOp(state, 1))
		c.play(fresh, text)
		state = element1(t, text, "SyncState")
		if i < 4 {
			current := slices.Clone(ms[:4])
			current[i].Title = fmt.Sprint("Changed again ", i)
			require.NoError(t, c.room.Show(t.Context(), slices.Concat(current[i%2:], someMeetings(9)[7:])))
		}
	}
	require.Equal(t, want(), fresh)

	other := add(t, c.s, "b", nil)
	assert.Equal(t, "ErrorInvalidSyncStateData", code(t, other.ask(syncOp(next, 3))), "the state of another room")
	flipped := []byte(next)
	flipped[20] ^= 1
	for _, forged := range []string{"x", string(flipped), next + "A", c.room.token(watermarkToken, 1), c.room.token(syncToken, 1<<40)} {
		assert.Equal(t, "ErrorInvalidSyncStateData", code(t, c.ask(syncOp(forged, 3))), forged)
	}
	for i := range maxGone + 2 { // more than the room remembers
		require.NoError(t, c.room.Show(t.Context(), []otj.Meeting{{ID: fmt.Sprint("x", i), Start: nine, End: nine.Add(time.Hour)}}))
	}
	assert.Equal(t, "ErrorInvalidSyncStateData", code(t, c.ask(syncOp(next, 3))))
}

const subscribeOp = `<m:Subscribe><m:PullSubscriptionRequest><t:FolderIds><t:DistinguishedFolderId Id="calendar"/></t:FolderIds><t:EventTypes>` +
	`<t:EventType>CreatedEvent</t:EventType><t:EventType>ModifiedEvent</t:EventType><t:EventType>DeletedEvent</t:EventType></t:EventTypes><t:Timeout>10</t:Timeout></m:PullSubscriptionRequest></m:Subscribe>`

func events(id, watermark string) string {
	return `<m:GetEvents><m:SubscriptionId>` + id + `</m:SubscriptionId><m:Watermark>` + watermark + `</m:Watermark></m:GetEvents>`
}

func TestSubscription(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, nil)
		require.NoError(t, c.room.Show(t.Context(), someMeetings(2)))
		s := c.ask(subscribeOp)
		id, mark := element1(t, s, "SubscriptionId"), element1(t, s, "Watermark")
		assert.Contains(t, c.ask(events(id, mark)), "<t:StatusEvent>")
		ms := someMeetings(3)[1:]
		ms[0].Title = "Changed"
		require.NoError(t, c.room.Show(t.Context(), ms))
		time.Sleep(9 * time.Minute)
		got := c.ask(events(id, mark))
		for _, want := range []string{`ModifiedEvent>`, `CreatedEvent>`, `DeletedEvent>`, `<t:ItemId Id="m0"`, `<t:ItemId Id="m1"`, `<t:ItemId Id="m2"`} {
			assert.Contains(t, got, want)
		}
		mark = element1(t, got, "Watermark")
		time.Sleep(9 * time.Minute)
		assert.Contains(t, c.ask(events(id, mark)), "<t:StatusEvent>", "asking makes it last")

		other := add(t, c.s, "b", nil)
		assert.Equal(t, "ErrorSubscriptionNotFound", code(t, other.ask(events(id, mark))))
		assert.Equal(t, "ErrorInvalidWatermark", code(t, c.ask(events(id, "forged"))))
		time.Sleep(11 * time.Minute)
		assert.Equal(t, "ErrorExpiredSubscription", code(t, c.ask(events(id, mark))))
		assert.Equal(t, "ErrorSubscriptionNotFound", code(t, c.ask(events(id, mark))))

		id = element1(t, c.ask(subscribeOp), "SubscriptionId")
		stop := `<m:Unsubscribe><m:SubscriptionId>` + id + `</m:SubscriptionId></m:Unsubscribe>`
		assert.Equal(t, "NoError", code(t, c.ask(stop)))
		assert.Equal(t, "ErrorSubscriptionNotFound", code(t, c.ask(stop)))
		for range 3 * maxSubscriptions {
			c.ask(subscribeOp)
		}
		assert.Len(t, c.room.subs, maxSubscriptions)
		push := strings.ReplaceAll(subscribeOp, "Pull", "Push")
		assert.Equal(t, "ErrorInvalidSubscriptionRequest", code(t, c.ask(push)))
	})
}

func TestAutodiscover(t *testing.T) {
	c := newClient(t, &RoomOptions{Mailbox: "fjord@example.com"})
	w := c.do("/AutoDiscover/AutoDiscover.xml", `<Autodiscover xmlns="`+poxRequestNS+`"><Request><EMailAddress>x@example.com</EMailAddress><AcceptableResponseSchema>`+poxResponseNS+`</AcceptableResponseSchema></Request></Autodiscover>`)
	assert.Contains(t, w.Body.String(), "<EwsUrl>https://otj.example.com/EWS/Exchange.asmx</EwsUrl>")
	assert.Contains(t, w.Body.String(), "fjord@example.com")
	assert.Contains(t, c.do("/autodiscover/autodiscover.xml", `<Autodiscover/>`).Body.String(), "<ErrorCode>600<")
	soap := `<Envelope xmlns="` + soapNS + `" xmlns:a="` + autodiscoverNS + `"><Header><a:RequestedServerVersion>Exchange2013</a:RequestedServerVersion></Header><Body><a:GetUserSettingsRequestMessage><a:Request><a:Users><a:User><a:Mailbox>x@example.com</a:Mailbox></a:User></a:Users><a:RequestedSettings><a:Setting>ExternalEwsUrl</a:Setting><a:Setting>&lt;X&gt;</a:Setting></a:RequestedSettings></a:Request></a:GetUserSettingsRequestMessage></Body></Envelope>`
	w = c.do("/autodiscover/autodiscover.svc", soap)
	assert.Equal(t, 200, w.Code)
	assert.Contains(t, w.Body.String(), "<Value>https://otj.example.com/EWS/Exchange.asmx</Value>")
	assert.Contains(t, w.Body.String(), "<SettingName>&lt;X&gt;</SettingName>")
	s, err := New(&Options{AllowHTTP: true})
	require.NoError(t, err)
	assert.Equal(t, 404, add(t, s, "a", nil).do("/autodiscover/autodiscover.svc", soap).Code, "without a URL there is none")
}

func TestBadRequests(t *testing.T) {
	c := newClient(t, nil)
	require.NoError(t, c.room.Show(t.Context(), someMeetings(1)))
	for body, want := range map[string]string{
		envelope(`<m:FindFolder/>`): "ErrorInvalidOperation",
		envelope(`<FindItem/>`):     "none of Exchange Web Services",
		envelope(get() + get()):     "more than one operation",
		envelope(get()):             "no ItemIds",
		envelope(``):                "no operation",
		`<!DOCTYPE a [<!ENTITY b "c">]>` + envelope(get("m0")): "DTD",
		envelope(`<m:GetItem>&b;</m:GetItem>`):                 "no XML",
		envelope(`<m:GetItem>`):                                "no XML",
		envelope(`<m:GetItem>` + strings.Repeat("<a>", 40) + strings.Repeat("</a>", 40) + `</m:GetItem>`): "too deep",
		envelope(`<m:GetItem>` + strings.Repeat("<a/>", maxElements) + `</m:GetItem>`):                    "too many elements",
		envelope(get(slices.Repeat([]string{"m0"}, maxIDs+1)...)):                                         "too many ids",
		envelope(view(``)): "StartDate is no time",
		envelope(view(`MaxEntriesReturned="0" ` + days)): "MaxEntriesReturned must be",
		envelope(syncOp("", 0)):                          "MaxChangesReturned must be",
		strings.Repeat(" ", 10<<20):                      "too large",
		strings.Replace(envelope(get("m0")), soapNS, "http://www.w3.org/2003/05/soap-envelope", 1): "VersionMismatch",
		`{"json": true}`: "is empty",
	} {
		w := c.do("/EWS/Exchange.asmx", body)
		name := body[:min(len(body), 300)]
		require.Equal(t, 500, w.Code, name)
		require.Contains(t, w.Body.String(), want, name)
		inOrder(t, w.Body.Bytes())
		require.NotContains(t, w.Body.String(), "example.com/0")
	}
	assert.Equal(t, map[string]int{"FindFolder": 1, "unreadable": 15}, c.room.Status().Unknown)
}

func TestCapture(t *testing.T) {
	c := newClient(t, nil)
	c.ask(view(days))
	c.room.SetCapture(2)
	c.ask(view(days))
	c.refused(`<m:ResolveNames ReturnFullContactData="true"><m:UnresolvedEntry>Salary of Ada</m:UnresolvedEntry></m:ResolveNames>`)
	other := strings.Replace(view(days), `Id="calendar"/>`, `Id="calendar"><t:Mailbox><t:EmailAddress>summit@example.com</t:EmailAddress></t:Mailbox></t:DistinguishedFolderId>`, 1)
	c.ask(other)
	w := httptest.NewRecorder()
	c.room.ServeCapture(w, nil)
	assert.Contains(t, w.Header().Get("Content-Disposition"), "attachment")
	text := w.Body.String()
	for _, want := range []string{"2 requests", "ResolveNames", "UnresolvedEntry", "(13 characters)", "BaseShape", "AllProperties", `StartDate="2026-11-23T00:00:00Z"`,
		`DistinguishedFolderId Id="calendar"`, "Authorization: Basic ("} {
		assert.Contains(t, text, want)
	}
	r := httptest.NewRequest("POST", "/EWS/Exchange.asmx", strings.NewReader(envelope(view(days))))
	r.SetBasicAuth(c.user, string(c.password))
	r.Header.Set("X-AnchorMailbox", "summit@example.com")
	c.s.ServeHTTP(httptest.NewRecorder(), r)
	w = httptest.NewRecorder()
	c.room.ServeCapture(w, nil)
	assert.Contains(t, w.Body.String(), "X-Anchormailbox: (18 characters)")
	text += w.Body.String()
	for _, secret := range []string{"Salary", "summit", c.user, string(c.password)} {
		assert.NotContains(t, text, secret)
	}
	c.room.SetCapture(0)
	w = httptest.NewRecorder()
	c.room.ServeCapture(w, nil)
	assert.Contains(t, w.Body.String(), "0 requests")
}

// Names of operations come from the device: only so many are remembered.
func TestOperationsAreBounded(t *testing.T) {
	c := newClient(t, nil)
	for i := range 3 * maxOperations {
		c.refused(fmt.Sprintf("<m:Unknown%d/>", i))
	}
	assert.Len(t, c.room.Status().Unknown, maxOperations)
}

// The schema allows no empty address.
func TestOrganizerWithoutAddress(t *testing.T) {
	c := newClient(t, nil)
	m := someMeetings(1)
	m[0].Organizer = calendar.Person{}
	require.NoError(t, c.room.Show(t.Context(), m))
	assert.Contains(t, c.ask(get("m0")), "<t:Organizer><t:Mailbox><t:Name></t:Name><t:RoutingType>SMTP</t:RoutingType></t:Mailbox></t:Organizer>")
}

func TestAlarm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, nil)
		quiet := add(t, c.s, "quiet", &RoomOptions{NoPollAlarm: true})
		assert.Empty(t, c.room.Alarms())
		time.Sleep(16 * time.Minute)
		require.Len(t, c.room.Alarms(), 1)
		assert.Contains(t, c.room.Alarms()[0].Text, "never asked")
		assert.Empty(t, quiet.room.Alarms())
		c.ask(view(days))
		assert.Empty(t, c.room.Alarms())
		last := time.Now()
		time.Sleep(16 * time.Minute)
		a := c.room.Alarms()
		require.Len(t, a, 1)
		assert.Equal(t, "not-polling", a[0].Code)
		assert.Equal(t, last.Add(15*time.Minute).UTC(), a[0].Since)
		c.password = "wrong"
		c.do("/EWS/Exchange.asmx", "")
		assert.Contains(t, c.room.Alarms()[0].Text, "wrong password")
	})
}

// With EWS_SCHEMA every answer is checked against Microsoft's schema.
func TestPeerSchema(t *testing.T) {
	dir := os.Getenv("EWS_SCHEMA")
	if dir == "" {
		t.Skip("set EWS_SCHEMA to a folder with Microsoft's messages.xsd, and install xmllint (libxml2-utils); .ci/run does so")
	}
	c := newClient(t, &RoomOptions{Mailbox: "a@example.com"})
	n := 0
	check := func(op string) string {
		t.Helper()
		body := c.ask(op)
		n++
		file := filepath.Join(t.TempDir(), fmt.Sprint(n, ".xml"))
		require.NoError(t, os.WriteFile(file, []byte(body), 0o600))
		out, err := exec.CommandContext(t.Context(), "xmllint", "--noout", "--schema", filepath.Join(dir, "messages.xsd"), file).CombinedOutput()
		require.NoError(t, err, "%s\n%s", out, body)
		return body
	}
	check(view(days))
	state := element1(t, check(syncOp("", 5)), "SyncState")
	s := check(subscribeOp)
	id, mark := element1(t, s, "SubscriptionId"), element1(t, s, "Watermark")
	check(events(id, mark))
	ms := someMeetings(4)
	ms[1].Organizer, ms[1].Join, ms[1].Private = calendar.Person{}, rules.Address{}, true
	require.NoError(t, c.room.Show(t.Context(), ms))
	state = element1(t, check(syncOp(state, 5)), "SyncState")
	ms[2].Title = "Changed"
	require.NoError(t, c.room.Show(t.Context(), ms[1:]))
	for _, op := range []string{
		view(days), view(`StartDate="2020-01-01T00:00:00Z" EndDate="2090-01-01T00:00:00Z"`), get("m1", "m2", "none"), syncOp(state, 5), syncOp("x", 5), events(id, mark), events(id, "x"), events("x", mark),
		strings.Replace(view(days), "CalendarView "+days, `IndexedPageItemView MaxEntriesReturned="2" Offset="1" BasePoint="Beginning"`, 1),
		`<m:Unsubscribe><m:SubscriptionId>` + id + `</m:SubscriptionId></m:Unsubscribe>`,
		strings.ReplaceAll(subscribeOp, "Pull", "Push"),
		`<m:ConvertId DestinationFormat="EwsId"><m:SourceIds><t:AlternateId Format="EwsId" Id="m1"/><t:AlternateId Format="EwsId" Id="DUMMY" Mailbox="a@b"/></m:SourceIds></m:ConvertId>`,
	} {
		check(op)
	}
	folders := ""
	for f := range folderKinds {
		folders += `<t:DistinguishedFolderId Id="` + f + `"/>`
	}
	check(`<m:GetFolder><m:FolderIds>` + folders + `<t:FolderId Id="none"/></m:FolderIds></m:GetFolder>`)
}
