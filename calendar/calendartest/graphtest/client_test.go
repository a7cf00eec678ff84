package graphtest_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/onetouchjoin/onetouchjoin/calendar"
	"github.com/onetouchjoin/onetouchjoin/calendar/calendartest/graphtest"
)

var (
	monday = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	week   = calendar.Window{From: monday, To: monday.AddDate(0, 0, 7)}
)

func at(day, hour int) time.Time {
	return monday.AddDate(0, 0, day).Add(time.Duration(hour) * time.Hour)
}

func meeting(subject string, day, hour int) graphtest.Event {
	return graphtest.Event{Subject: subject, Start: at(day, hour), End: at(day, hour+1), HTML: "<p>" + subject + "</p>"}
}

// client speaks to the fake without any library.
type client struct {
	t     testing.TB
	site  *graphtest.Site
	http  *http.Client
	token string
}

func newClient(t testing.TB, opts *graphtest.Options) *client {
	site := graphtest.NewSite(opts)
	t.Cleanup(site.Close)
	return &client{t: t, site: site, token: site.Tenant.Token(site.App),
		http: &http.Client{Timeout: 20 * time.Second, Transport: checking{t, site.Client().Transport}, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

type answer struct {
	status int
	header http.Header
	body   map[string]any
}

func (a answer) code() string {
	e, _ := a.body["error"].(map[string]any)
	code, _ := e["code"].(string)
	return code
}

func (a answer) value() []map[string]any {
	var out []map[string]any
	list, _ := a.body["value"].([]any)
	for _, v := range list {
		out = append(out, v.(map[string]any))
	}
	return out
}

func (c *client) do(method, target string, body any, headers ...string) answer {
	c.t.Helper()
	a, err := c.try(method, target, body, headers...)
	require.NoError(c.t, err)
	return a
}

func (c *client) try(method, target string, body any, headers ...string) (answer, error) {
	c.t.Helper()
	if strings.HasPrefix(target, "/") {
		target = c.site.URL + target
	}
	var in io.Reader
	if form, ok := body.(url.Values); ok {
		in = strings.NewReader(form.Encode())
		headers = append(headers, "Content-Type: application/x-www-form-urlencoded")
	} else if body != nil {
		raw, err := json.Marshal(body)
		require.NoError(c.t, err)
		in = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(c.t.Context(), method, target, in)
	require.NoError(c.t, err)
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Add(name, value)
	}
	res, err := c.http.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		return answer{}, err
	}
	a := answer{res.StatusCode, res.Header, nil}
	_ = json.Unmarshal(raw, &a.body) // pages for people are not JSON
	return a, nil
}

func (c *client) get(target string, headers ...string) answer {
	c.t.Helper()
	return c.do(http.MethodGet, target, nil, headers...)
}

const immutable = `Prefer: IdType="ImmutableId"`

func room(m *graphtest.Mailbox) string { return "/v1.0/users/" + url.PathEscape(m.Address()) }

func span(w calendar.Window) string {
	return "?" + url.Values{"startDateTime": {w.From.Format(time.RFC3339)}, "endDateTime": {w.To.Format(time.RFC3339)}}.Encode()
}

// all follows the pages of an answer.
func (c *client) all(target string, headers ...string) (values []map[string]any, deltaLink string) {
	c.t.Helper()
	for range 1000 {
		a := c.get(target, headers...)
		require.Equal(c.t, http.StatusOK, a.status, "%v", a.body)
		values = append(values, a.value()...)
		next, more := a.body["@odata.nextLink"].(string)
		if !more {
			deltaLink, _ = a.body["@odata.deltaLink"].(string)
			return values, deltaLink
		}
		target = next
	}
	c.t.Fatal("the pages do not end")
	return nil, ""
}
