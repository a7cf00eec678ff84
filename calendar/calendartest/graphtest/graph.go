package graphtest

import (
	"cmp"
	"compress/gzip"
	"crypto/hmac"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/onetouchjoin/onetouchjoin/calendar"
)

// graphError is an error as Graph answers it.
// https://learn.microsoft.com/graph/errors
type graphError struct {
	status     int
	code, text string
}

func badRequest(code, format string, args ...any) *graphError {
	return &graphError{http.StatusBadRequest, code, fmt.Sprintf(format, args...)}
}

func notFound(code, format string, args ...any) *graphError {
	return &graphError{http.StatusNotFound, code, fmt.Sprintf(format, args...)}
}

// call is one request to Graph, or one part of a batch.
type call struct {
	s    *Server
	w    http.ResponseWriter
	r    *http.Request
	path []string // after the version
	op   Op
	app  *App
	t    *Tenant
	role bool // the token has CalendarsRead
	mbx  *Mailbox
	fx   Fault
}

func (c *call) fail(e *graphError) {
	h := c.w.Header()
	c.s.mu.Lock()
	when := c.s.now().UTC().Format("2006-01-02T15:04:05")
	c.s.mu.Unlock()
	writeJSON(c.w, e.status, map[string]any{"error": map[string]any{
		"code": e.code, "message": e.text,
		"innerError": map[string]any{"date": when, "request-id": h.Get("request-id"), "client-request-id": h.Get("client-request-id")},
	}})
}

// keyed is OData's other way to write a key: users('ID').
var keyed = regexp.MustCompile(`^([A-Za-z]+)\('(.*)'\)$`)

// split returns the segments of a path, each unescaped.
func split(path string) []string {
	var out []string
	for p := range strings.SplitSeq(strings.Trim(path, "/"), "/") {
		if m := keyed.FindStringSubmatch(p); m != nil {
			out = append(out, m[1], m[2])
		} else {
			out = append(out, strings.TrimSuffix(p, "()"))
		}
	}
	return out
}

// route says what a path asks for, and about whose mailbox.
func route(path []string) (op Op, user string) {
	first := path[0]
	switch {
	case first == "$batch":
		return OpBatch, ""
	case first == "subscriptions":
		return OpSubscriptions, ""
	case first != "users" || len(path) < 3:
		return OpOther, ""
	}
	rest := path[2:]
	if rest[0] == "calendar" {
		rest = rest[1:]
	}
	switch {
	case len(rest) == 1 && rest[0] == "calendarView":
		op = OpView
	case len(rest) == 2 && rest[0] == "calendarView" && (rest[1] == "delta" || rest[1] == "microsoft.graph.delta"):
		op = OpDelta
	case len(rest) == 2 && rest[0] == "events":
		op = OpEvent
	case len(rest) == 3 && rest[0] == "events" && rest[2] == "instances":
		op = OpInstances
	default:
		op = OpOther
	}
	return op, path[1]
}

// serveGraph serves /v1.0/ and what follows it.
func (s *Server) serveGraph(w http.ResponseWriter, r *http.Request, path string) {
	segments := split(path)
	op, user := route(segments)
	c := &call{s: s, w: w, r: r, path: segments, op: op}
	auth := c.authorize()

	s.mu.Lock()
	if c.t != nil && user != "" {
		c.mbx = c.t.mailbox(user)
	}
	name := user
	if c.mbx != nil {
		name = c.mbx.address
	}
	s.stats.Requests++
	count(&s.stats.ByOp, op)
	if c.app != nil {
		count(&s.stats.ByApp, c.app.id)
	}
	if name != "" {
		count(&s.stats.ByMailbox, name)
	}
	s.mu.Unlock()

	if auth != nil {
		w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer realm="", authorization_uri="%s/common/oauth2/authorize", client_id="%s"`, origin(r), graphID))
		c.fail(auth)
		return
	}
	leave, wait := s.enter(c.app, c.mbx)
	if leave == nil {
		w.Header().Set("Retry-After", strconv.Itoa(wait.seconds))
		c.fail(&graphError{http.StatusTooManyRequests, "ApplicationThrottled", wait.text})
		return
	}
	defer leave()

	c.fx = s.fault(op, name)
	if c.fx.breaks() {
		rec := newRecorder(w.Header())
		c.w = rec
		defer func() { c.fx.send(w, rec) }()
	}
	if !c.fx.wait(r) {
		panic(http.ErrAbortHandler)
	}
	if c.fx.Status != 0 {
		c.fx.headers(w.Header())
		if c.fx.Status == http.StatusGone {
			again := r.URL.Query()
			again.Del("$skiptoken")
			again.Set("$deltatoken", "")
			w.Header().Set("Location", origin(r)+r.URL.EscapedPath()+"?"+again.Encode())
		}
		c.fail(c.fx.error())
		return
	}
	if err := c.serve(user); err != nil {
		c.fail(err)
	}
}

func (c *call) serve(user string) *graphError {
	switch {
	case c.op == OpBatch:
		return c.batch()
	case c.op == OpSubscriptions:
		return c.subscriptions()
	case c.path[0] == "me":
		return badRequest("BadRequest", "/me request is only valid with delegated authentication flow.")
	case c.op == OpOther:
		return badRequest("BadRequest", "Resource not found for the segment '%s'.", c.path[len(c.path)-1])
	case c.r.Method != http.MethodGet:
		return &graphError{http.StatusForbidden, "ErrorAccessDenied", "Access is denied. Check credentials and try again."}
	}
	c.s.mu.Lock()
	err := c.access(c.mbx, user)
	c.s.mu.Unlock()
	if err != nil {
		return err
	}
	p, err := parsePrefer(c.r.Header)
	if err != nil {
		return err
	}
	switch c.op {
	case OpDelta:
		return c.delta(&p)
	case OpView:
		return c.view(&p, nil)
	}
	c.s.mu.Lock()
	it, slot, missing := c.mbx.find(c.path[len(c.path)-map[Op]int{OpEvent: 1, OpInstances: 2}[c.op]])
	series := missing == nil && slot == "" && it.rec != nil
	c.s.mu.Unlock()
	if missing != nil {
		return notFound("ErrorItemNotFound", "The specified object was not found in the store.")
	}
	if c.op == OpInstances {
		if !series {
			return badRequest("ErrorInvalidRequest", "Instances can only be asked of the master of a series.")
		}
		return c.view(&p, it)
	}
	return c.event(&p, it, slot)
}

// authorize reads the access token.
func (c *call) authorize() *graphError {
	invalid := func(text string) *graphError {
		return &graphError{http.StatusUnauthorized, "InvalidAuthenticationToken", text}
	}
	token, ok := strings.CutPrefix(c.r.Header.Get("Authorization"), "Bearer ")
	if !ok || token == "" {
		return invalid("Access token is empty.")
	}
	i := strings.LastIndex(token, ".")
	if strings.Count(token, ".") != 2 {
		return invalid("IDX14100: JWT is not well formed, there are no dots (.).")
	}
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	if !hmac.Equal([]byte(c.s.sign(token[:i])), []byte(token[i+1:])) {
		return invalid("Signature is invalid.")
	}
	_, body, _ := strings.Cut(token[:i], ".")
	raw, _ := base64.RawURLEncoding.DecodeString(body)
	var cl claims
	if json.Unmarshal(raw, &cl) != nil {
		return invalid("The token cannot be read.")
	}
	now := c.s.now().Unix()
	switch {
	case now >= cl.Expires:
		return invalid("Lifetime validation failed, the token is expired.")
	case !isGraph(cl.Audience, c.r):
		return invalid("Access token validation failure. Invalid audience.")
	}
	c.t, c.app = c.s.tenant(cl.Tenant), c.s.apps[cl.App]
	c.role = slices.Contains(cl.Roles, CalendarsRead) || slices.Contains(cl.Roles, "Calendars.ReadWrite")
	if c.t == nil || c.app == nil {
		return invalid("The tenant or the application is not known.")
	}
	return nil
}

// mailbox finds a mailbox by address or ID. The caller holds mu.
func (t *Tenant) mailbox(name string) *Mailbox {
	i := slices.IndexFunc(t.mailboxes, func(m *Mailbox) bool {
		return strings.EqualFold(m.address, name) || strings.EqualFold(m.id, name)
	})
	if i < 0 {
		return nil
	}
	return t.mailboxes[i]
}

// access says whether the app may read a mailbox. A role counts as the token has
// it, which may be older than the grant; policies count as they are. The caller
// holds mu.
func (c *call) access(m *Mailbox, user string) *graphError {
	switch {
	case m == nil:
		return notFound("ErrorInvalidUser", "The requested user '%s' is invalid.", user)
	case m.gone:
		return notFound("MailboxNotEnabledForRESTAPI", "The mailbox is either inactive, soft-deleted, or is hosted on-premise.")
	}
	g := c.t.grants[c.app.id]
	switch {
	case g != nil && g.rbac[m.id]:
		return nil
	case g == nil || !c.role:
		return &graphError{http.StatusForbidden, "ErrorAccessDenied", "Access is denied. Check credentials and try again."}
	case g.policy != nil && !g.policy[m.id]:
		return &graphError{http.StatusForbidden, "ErrorAccessDenied", "Access to OData is disabled."}
	}
	return nil
}

// bounds reads startDateTime and endDateTime.
func bounds(q url.Values) (w calendar.Window, e *graphError) {
	var given [2]string
	for name, values := range q {
		switch strings.ToLower(name) {
		case "startdatetime":
			given[0] = values[0]
		case "enddatetime":
			given[1] = values[0]
		}
	}
	if given[0] == "" || given[1] == "" {
		return w, badRequest("ErrorInvalidParameter", "This request requires a time window specified by the query string parameters StartDateTime and EndDateTime.")
	}
	for i, t := range []*time.Time{&w.From, &w.To} {
		var err error
		// Without an offset the time is in UTC.
		if *t, err = time.Parse(time.RFC3339, given[i]); err != nil {
			if *t, err = time.Parse("2006-01-02T15:04:05", given[i]); err != nil {
				if *t, err = time.Parse(time.DateOnly, given[i]); err != nil {
					return w, badRequest("ErrorInvalidParameter", "The value '%s' of the parameter '%s' is invalid.", given[i], [...]string{"StartDateTime", "EndDateTime"}[i])
				}
			}
		}
	}
	if !w.To.After(w.From) {
		return w, badRequest("ErrorInvalidParameter", "The EndDateTime must be after the StartDateTime.")
	}
	return w, nil
}

var filtered = regexp.MustCompile(`'((?:[^']|'')*)'`)

// shape reads $select and $expand.
func shape(q url.Values) (fields, expand []string, e *graphError) {
	for f := range strings.SplitSeq(q.Get("$select"), ",") {
		if f = strings.TrimSpace(f); f == "" {
			continue
		}
		i := slices.IndexFunc(eventProperties, func(p string) bool { return strings.EqualFold(p, f) })
		if i < 0 {
			return nil, nil, badRequest("RequestBroker--ParseUri", "Could not find a property named '%s' on type 'Microsoft.OutlookServices.Event'.", f)
		}
		fields = append(fields, eventProperties[i])
	}
	if x := q.Get("$expand"); x != "" {
		if !strings.HasPrefix(x, "singleValueExtendedProperties(") {
			return nil, nil, badRequest("RequestBroker--ParseUri", "The $expand '%s' is not one that this server knows.", x)
		}
		for _, m := range filtered.FindAllStringSubmatch(x, -1) {
			expand = append(expand, strings.ReplaceAll(m[1], "''", "'"))
		}
	}
	for _, name := range []string{"$filter", "$search"} {
		if q.Has(name) {
			return nil, nil, badRequest("ErrorInvalidUrlQuery", "This server has no %s.", name)
		}
	}
	return fields, expand, nil
}

// number reads a query option.
func number(q url.Values, name string, otherwise, most int) (int, *graphError) {
	text := q.Get(name)
	if text == "" {
		return otherwise, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n == 0 && name == "$top" || n > most {
		return 0, badRequest("ErrorInvalidUrlQuery", "The value '%s' of %s must be between 1 and %d.", text, name, most)
	}
	return n, nil
}

// view answers calendarView, and with a series its instances.
func (c *call) view(p *prefs, series *item) *graphError {
	q := c.r.URL.Query()
	w, err := bounds(q)
	if err != nil {
		return err
	}
	fields, expand, err := shape(q)
	if err != nil {
		return err
	}
	top, err1 := number(q, "$top", cmp.Or(p.pageSize, c.s.opts.PageSize), c.s.opts.MaxPageSize)
	skip, err2 := number(q, "$skip", 0, 1<<30)
	if e := cmp.Or(err1, err2); e != nil {
		return e
	}
	c.s.mu.Lock()
	list := c.mbx.view(w)
	if series != nil {
		list = slices.DeleteFunc(list, func(o occurrence) bool { return o.it != series })
	}
	if order := strings.Fields(q.Get("$orderby")); len(order) > 0 {
		if !strings.EqualFold(order[0], "start/dateTime") {
			c.s.mu.Unlock()
			return badRequest("ErrorInvalidUrlQuery", "This server orders by start/dateTime only.")
		}
		slices.SortStableFunc(list, func(a, b occurrence) int {
			x, _ := a.ev.span()
			y, _ := b.ev.span()
			if len(order) > 1 && order[1] == "desc" {
				x, y = y, x
			}
			return x.Compare(y)
		})
	}
	first := min(skip, len(list))
	last := min(first+top, len(list))
	if c.fx.Empty {
		last = first
	}
	value := make([]any, 0, last-first)
	for _, o := range list[first:last] {
		value = append(value, project(c.mbx.json(o, p), fields, expand, &o.ev))
	}
	next := url.Values{}
	for k, v := range q {
		next[k] = v
	}
	if c.fx.Repeat || c.fx.Empty {
		// Another link to the same page, which cannot be known by its text.
		c.s.serial++
		next.Set("$skip", strconv.Itoa(skip))
		next.Set("$skiptoken", c.s.guid("repeat", c.s.serial))
	} else {
		next.Set("$skip", strconv.Itoa(last))
		next.Del("$skiptoken")
	}
	c.s.mu.Unlock()
	out := map[string]any{
		"@odata.context": "https://graph.microsoft.com/v1.0/$metadata#users('" + url.PathEscape(c.path[1]) + "')/calendarView",
		"value":          value,
	}
	if last < len(list) || c.fx.Repeat || c.fx.Empty {
		out["@odata.nextLink"] = origin(c.r) + c.r.URL.EscapedPath() + "?" + next.Encode()
	}
	c.answer(p, out)
	return nil
}

// event answers one event.
func (c *call) event(p *prefs, it *item, slot string) *graphError {
	fields, expand, err := shape(c.r.URL.Query())
	if err != nil {
		return err
	}
	c.s.mu.Lock()
	o := occurrence{it, slot, "singleInstance", it.ev, it.changed}
	switch x := it.exc[slot]; {
	case slot == "" && it.rec != nil:
		o.kind = "seriesMaster"
	case slot != "" && x != nil:
		o.kind, o.ev, o.at = "exception", x.ev, later(x.changed, it.slots)
	case slot != "":
		o.kind, o.ev, o.at = "occurrence", it.occurrence(slot), it.slots
	}
	v := project(c.mbx.json(o, p), fields, expand, &o.ev)
	c.s.mu.Unlock()
	v["@odata.context"] = "https://graph.microsoft.com/v1.0/$metadata#users('" + url.PathEscape(c.path[1]) + "')/events/$entity"
	c.answer(p, v)
	return nil
}

func (c *call) answer(p *prefs, v map[string]any) {
	if len(p.applied) > 0 {
		c.w.Header().Add("Preference-Applied", strings.Join(p.applied, ", "))
	}
	writeJSON(c.w, http.StatusOK, v)
}

// maxRequest is the size of a request in bytes; Graph's limit is 4 MB too.
const maxRequest = 4 << 20

// readJSON reads the body of a request.
func (c *call) readJSON(v any) *graphError {
	var body io.Reader = http.MaxBytesReader(c.w, c.r.Body, maxRequest)
	var err error
	if c.r.Header.Get("Content-Encoding") == "gzip" { // as Microsoft's own client sends them
		if body, err = gzip.NewReader(body); err == nil {
			body = io.LimitReader(body, maxRequest)
		}
	}
	if err == nil {
		err = json.NewDecoder(body).Decode(v)
	}
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return &graphError{http.StatusRequestEntityTooLarge, "RequestEntityTooLarge", "The request is too large."}
	case err != nil:
		return badRequest("BadRequest", "Unable to read JSON request payload. Please ensure Content-Type header is set and payload is of valid JSON format.")
	}
	return nil
}
