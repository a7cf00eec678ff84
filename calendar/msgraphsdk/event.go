package msgraphsdk

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"hash/crc32"
	"strconv"
	"strings"
	"time"

	"github.com/microsoftgraph/msgraph-sdk-go/models"

	"github.com/onetouchjoin/onetouchjoin/calendar"
	"github.com/onetouchjoin/onetouchjoin/internal/graphjson"
)

// event makes a calendar.Event of one of the client's. It goes by way of
// package graphjson, which knows what the fields mean.
func event(v models.Eventable) (calendar.Event, error) {
	e := graphjson.Event{
		ID: value(v.GetId()), ChangeKey: value(v.GetChangeKey()), ICalUID: value(v.GetICalUId()),
		SeriesMasterID: value(v.GetSeriesMasterId()), Type: text(v.GetTypeEscaped()), Subject: value(v.GetSubject()),
		IsOrganizer: value(v.GetIsOrganizer()), IsAllDay: value(v.GetIsAllDay()), IsCancelled: value(v.GetIsCancelled()),
		ShowAs: text(v.GetShowAs()), Sensitivity: text(v.GetSensitivity()), BodyPreview: value(v.GetBodyPreview()),
		OnlineMeetingURL: value(v.GetOnlineMeetingUrl()),
		Start:            dateTime(v.GetStart()), End: dateTime(v.GetEnd()),
	}
	if tag, ok := v.GetAdditionalData()["@odata.etag"].(*string); ok {
		e.ETag = value(tag)
	}
	if t := v.GetLastModifiedDateTime(); t != nil {
		e.LastModified = t.UTC().Format(time.RFC3339Nano)
	}
	if o := v.GetOrganizer(); o != nil && o.GetEmailAddress() != nil {
		e.Organizer = &graphjson.Recipient{}
		e.Organizer.EmailAddress.Name = value(o.GetEmailAddress().GetName())
		e.Organizer.EmailAddress.Address = value(o.GetEmailAddress().GetAddress())
	}
	if r := v.GetResponseStatus(); r != nil {
		e.ResponseStatus = &graphjson.ResponseStatus{Response: text(r.GetResponse())}
	}
	if l := v.GetLocation(); l != nil {
		place := location(l)
		e.Location = &place
	}
	for _, l := range v.GetLocations() {
		e.Locations = append(e.Locations, location(l))
	}
	if b := v.GetBody(); b != nil {
		e.Body = &graphjson.Body{ContentType: text(b.GetContentType()), Content: value(b.GetContent())}
	}
	if m := v.GetOnlineMeeting(); m != nil {
		e.OnlineMeeting = &graphjson.OnlineMeeting{JoinURL: value(m.GetJoinUrl())}
	}
	for _, x := range v.GetSingleValueExtendedProperties() {
		e.SingleValueExtendedProperties = append(e.SingleValueExtendedProperties, graphjson.ExtendedProperty{ID: value(x.GetId()), Value: value(x.GetValue())})
	}
	return e.Calendar()
}

func dateTime(d models.DateTimeTimeZoneable) *graphjson.DateTime {
	if d == nil {
		return nil
	}
	return &graphjson.DateTime{DateTime: value(d.GetDateTime()), TimeZone: value(d.GetTimeZone())}
}

func location(l models.Locationable) graphjson.Location {
	return graphjson.Location{DisplayName: value(l.GetDisplayName()), LocationURI: value(l.GetLocationUri()), UniqueID: value(l.GetUniqueId())}
}

// token is what a sync token holds.
type token struct {
	Mailbox  string
	From, To time.Time
	Link     string // "" starts again
}

var errDamaged = errors.New("it is damaged")

// encode returns the token as text, with a sum that shows damage.
func (t token) encode() string {
	raw, err := json.Marshal(t)
	if err != nil {
		panic(err) // texts and times
	}
	s := base64.RawURLEncoding.EncodeToString(raw)
	return s + "." + sum(s)
}

func sum(s string) string { return strconv.FormatUint(uint64(crc32.ChecksumIEEE([]byte(s))), 36) }

func decode(s string) (t token, err error) {
	s, mac, _ := strings.Cut(s, ".")
	raw, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil || mac != sum(s) || json.Unmarshal(raw, &t) != nil {
		return token{}, errDamaged
	}
	return t, nil
}
