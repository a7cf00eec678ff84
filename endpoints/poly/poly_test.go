package poly

import (
	"context"
	"encoding/xml"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/onetouchjoin/onetouchjoin/calendar"
	"github.com/onetouchjoin/onetouchjoin/endpoints/endpointtest"
	"github.com/onetouchjoin/onetouchjoin/otj"
	"github.com/onetouchjoin/onetouchjoin/rules"
)

func post(s *Server, user, password, op string) *httptest.ResponseRecorder {
	r := httptest.NewRequest("POST", "/EWS/Exchange.asmx", strings.NewReader(`<Envelope xmlns="`+soapNS+`"><Body>`+op+`</Body></Envelope>`))
	r.SetBasicAuth(user, password)
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

const day = `<FindItem xmlns="` + msgNS + `"><CalendarView StartDate="2026-11-01T00:00:00Z" EndDate="2027-12-01T00:00:00.000Z"/><ParentFolderIds><DistinguishedFolderId xmlns="` + typeNS + `" Id="calendar"/></ParentFolderIds></FindItem>`

func getOp(id string) string {
	return `<q:GetItem xmlns:q="` + msgNS + `" xmlns:z="` + typeNS + `"><q:ItemIds><z:ItemId Id="` + id + `"/></q:ItemIds></q:GetItem>`
}

type findAnswer struct {
	Items []struct {
		ItemId struct { //nolint:revive // the name on the wire
			ID string `xml:"Id,attr"`
		}
		Subject, Sensitivity, Location, Body string
		Start, End                           time.Time
		Name                                 string `xml:"Organizer>Mailbox>Name"`
		Email                                string `xml:"Organizer>Mailbox>EmailAddress"`
	} `xml:"Body>FindItemResponse>ResponseMessages>FindItemResponseMessage>RootFolder>Items>CalendarItem"`
}

func TestRoom(t *testing.T) {
	endpointtest.Run(t, func() (*endpointtest.Harness, error) {
		s, err := New(&Options{AllowHTTP: true, PerMinute: 100_000})
		if err != nil {
			return nil, err
		}
		c, password := NewCredential()
		room, err := s.Add("room", c, nil)
		return &endpointtest.Harness{
			Endpoint:   room,
			Dialable:   []rules.Address{{Scheme: rules.SIP, URI: "sip:1@example.com"}, {Scheme: rules.SIP, URI: "sip:2@example.com"}},
			Undialable: []rules.Address{{Scheme: rules.HTTPS, URI: "https://example.com/"}},
			Normalize: func(m otj.Meeting) otj.Meeting {
				m.StartBuffer, m.EndBuffer = 0, 0
				m.Start, m.End = m.Start.Truncate(time.Second), m.End.Truncate(time.Second)
				return m
			},
			Shown: func(context.Context) (out []otj.Meeting, _ error) {
				w := post(s, c.User, string(password), day)
				var a findAnswer
				if err := xml.Unmarshal(w.Body.Bytes(), &a); err != nil || w.Code != 200 {
					return nil, fmt.Errorf("status %d: %w", w.Code, err)
				}
				for _, i := range a.Items {
					m := otj.Meeting{ID: i.ItemId.ID, Title: i.Subject, Organizer: calendar.Person{Name: i.Name, Email: i.Email},
						Start: i.Start, End: i.End, Private: i.Sensitivity == "Private"}
					if i.Location != "" {
						m.Join = rules.Address{Scheme: rules.SIP, URI: i.Location}
					}
					out = append(out, m)
				}
				return out, nil
			},
		}, err
	})
}

func TestServer(t *testing.T) {
	s, err := New(&Options{AllowHTTP: true})
	require.NoError(t, err)
	c, password := NewCredential()
	room, err := s.Add("a", c, nil)
	require.NoError(t, err)
	other, otherPassword := NewCredential()
	roomB, err := s.Add("b", other, nil)
	require.NoError(t, err)
	at := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	require.NoError(t, room.Show(t.Context(), []otj.Meeting{{ID: "m1", Title: "<A> & B", Start: at, End: at.Add(time.Hour),
		Join: rules.Address{Scheme: rules.SIP, URI: "sip:1@example.com"}}}))

	require.NoError(t, roomB.Show(t.Context(), []otj.Meeting{{ID: "m2", Start: at, End: at.Add(time.Hour)}}))
	require.Contains(t, post(s, c.User, string(password), getOp("m1")).Body.String(), ">sip:1@example.com\n--=BEGIN POLYCOM")
	forged := post(s, other.User, string(otherPassword), getOp("m1")).Body.String()
	require.Contains(t, forged, "ErrorItemNotFound")
	require.NotContains(t, forged, "example.com")
	require.Equal(t, 401, post(s, c.User, string(otherPassword), day).Code)
	for op, want := range map[string]string{
		`<FindFolder xmlns="` + msgNS + `"/>`: "ErrorInvalidOperation",
		`<m:GetItem xmlns:m="` + msgNS + `">` + strings.Repeat("<a>", 40) + strings.Repeat("</a>", 40) + `</m:GetItem>`: "too deep",
		`<!DOCTYPE a [<!ENTITY b "c">]>` + day:           "DTD",
		`<FindItem xmlns="` + msgNS + `">&b;</FindItem>`: "no XML",
		day + strings.Repeat(" ", maxBody):               "too large",
		``:                                               "no operation",
		`<FindItem xmlns="` + msgNS + `"><CalendarView/></FindItem>`: "CalendarView",
	} {
		w := post(s, c.User, string(password), op)
		require.Equal(t, 500, w.Code, want)
		require.Contains(t, w.Body.String(), want)
	}
	for range 19 {
		require.Equal(t, 401, post(s, c.User, "wrong", day).Code)
	}
	require.Equal(t, 429, post(s, c.User, "wrong", day).Code)
}

func TestSchema(t *testing.T) {
	dir := os.Getenv("EWS_SCHEMA")
	if dir == "" {
		t.Skip("set EWS_SCHEMA to a folder with Microsoft's messages.xsd, and install xmllint (libxml2-utils)")
	}
	s, err := New(&Options{AllowHTTP: true})
	require.NoError(t, err)
	c, password := NewCredential()
	room, err := s.Add("a", c, nil)
	require.NoError(t, err)
	check := func(op string) {
		_, body, _ := strings.Cut(post(s, c.User, string(password), op).Body.String(), "<s:Body>")
		body, _, _ = strings.Cut(body, "</s:Body>")
		file := filepath.Join(t.TempDir(), "body.xml")
		require.NoError(t, os.WriteFile(file, []byte(body), 0o600))
		out, err := exec.Command("xmllint", "--noout", "--schema", filepath.Join(dir, "messages.xsd"), file).CombinedOutput()
		require.NoError(t, err, "%s\n%s", out, body)
	}
	check(day)
	at := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	require.NoError(t, room.Show(t.Context(), []otj.Meeting{{ID: "m1", Start: at, End: at.Add(time.Hour)}}))
	check(day)
	check(getOp("m1"))
	check(getOp("none"))
	check(`<GetFolder xmlns="` + msgNS + `"><FolderIds><DistinguishedFolderId xmlns="` + typeNS + `" Id="calendar"/></FolderIds></GetFolder>`)
}
