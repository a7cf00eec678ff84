package cisco

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/onetouchjoin/onetouchjoin/calendar"
	"github.com/onetouchjoin/onetouchjoin/endpoints/cisco/internal/roomos"
	"github.com/onetouchjoin/onetouchjoin/internal/webaddr"
	"github.com/onetouchjoin/onetouchjoin/otj"
)

// WebexBaseURL is where the Webex API is for most organizations. Others, such
// as those of FedRAMP, have another one.
const WebexBaseURL = "https://webexapis.com/v1"

// TokenSource gives access tokens of Webex. refused is a token that Webex has
// just refused, or empty: the source must not give it again if it can have
// another. Token may be called by several goroutines.
type TokenSource interface {
	Token(ctx context.Context, refused calendar.Secret) (calendar.Secret, error)
}

// BotToken is the token of a bot that has access to the device.
type BotToken calendar.Secret

// Token returns t.
func (t BotToken) Token(context.Context, calendar.Secret) (calendar.Secret, error) {
	return calendar.Secret(t), nil
}

// Integration is a workspace integration, or another OAuth client of Webex. Make
// one with [NewIntegration].
type Integration struct {
	clientID     string
	clientSecret calendar.Secret
	opts         IntegrationOptions

	refreshing chan struct{} // holds a token while a refresh runs

	mu      sync.Mutex
	refresh calendar.Secret
	access  calendar.Secret
	until   time.Time
}

// IntegrationOptions change an Integration.
type IntegrationOptions struct {
	// BaseURL is that of the Webex API. Default WebexBaseURL.
	BaseURL string
	// Client is what calls Webex. Default one with a timeout of 30 s. It must not
	// follow redirects: the request has the secrets.
	Client *http.Client
	// Renewed gets a refresh token that replaces the one before, to be kept.
	Renewed func(refresh calendar.Secret)
}

// NewIntegration returns a TokenSource that refreshes its access token.
func NewIntegration(clientID string, clientSecret, refreshToken calendar.Secret, opts *IntegrationOptions) (*Integration, error) {
	i := &Integration{clientID: clientID, clientSecret: clientSecret, refresh: refreshToken, refreshing: make(chan struct{}, 1)}
	if opts != nil {
		i.opts = *opts
	}
	i.opts.BaseURL = cmp.Or(i.opts.BaseURL, WebexBaseURL)
	if i.opts.Client == nil {
		i.opts.Client = &http.Client{Timeout: 30 * time.Second, CheckRedirect: stay}
	}
	if clientID == "" || clientSecret == "" || refreshToken == "" {
		return nil, errors.New("webex integration: client id, client secret and refresh token are needed")
	}
	return i, checkBase(i.opts.BaseURL)
}

func checkBase(base string) error {
	u, err := url.Parse(base)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil {
		return fmt.Errorf("webex base URL %q: want https://host/path", base)
	}
	return nil
}

// Token returns the access token, and gets another one before it ends or when
// it was refused. Several devices wait for the same refresh.
func (i *Integration) Token(ctx context.Context, refused calendar.Secret) (calendar.Secret, error) {
	select {
	case i.refreshing <- struct{}{}:
		defer func() { <-i.refreshing }()
	case <-ctx.Done():
		return "", ctx.Err()
	}
	i.mu.Lock()
	access, refresh, until := i.access, i.refresh, i.until
	i.mu.Unlock()
	if access != "" && access != refused && time.Until(until) > time.Minute {
		return access, nil
	}
	form := url.Values{"grant_type": {"refresh_token"}, "client_id": {i.clientID},
		"client_secret": {string(i.clientSecret)}, "refresh_token": {string(refresh)}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, i.opts.BaseURL+"/access_token", strings.NewReader(form.Encode()))
	if err != nil {
		return "", err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	_, data, err := webexDo(ctx, i.opts.Client, req)
	if err != nil {
		var s *statusError
		if errors.As(err, &s) && (s.code == http.StatusBadRequest || s.code == http.StatusUnauthorized) {
			return "", &fault{kind: otj.ErrUnauthorized, text: "Webex refuses the refresh token", fix: "Connect the integration again in Control Hub"}
		}
		return "", err
	}
	var got struct {
		Access  string `json:"access_token"`
		Expires int    `json:"expires_in"`
		Refresh string `json:"refresh_token"`
	}
	if err := json.Unmarshal(data, &got); err != nil || got.Access == "" {
		return "", notDevice("no access token in the answer of Webex")
	}
	if got.Expires <= 0 {
		got.Expires = 3600 // it does not say; a refused token is renewed too
	}
	i.mu.Lock()
	i.access, i.until = calendar.Secret(got.Access), time.Now().Add(time.Duration(got.Expires)*time.Second)
	renewed := got.Refresh != "" && got.Refresh != string(refresh)
	if renewed {
		i.refresh = calendar.Secret(got.Refresh)
	}
	i.mu.Unlock()
	if renewed && i.opts.Renewed != nil {
		i.opts.Renewed(calendar.Secret(got.Refresh))
	}
	return calendar.Secret(got.Access), nil
}

// CloudOptions change how the Webex cloud is called.
type CloudOptions struct {
	// BaseURL is that of the Webex API. Default WebexBaseURL.
	BaseURL string
	// Client is what calls Webex; devices may share one. Default one with a
	// timeout of 30 s. It must not follow redirects to other hosts.
	Client *http.Client
}

// NewCloud returns the endpoint of a device that is called through the Webex
// cloud. id is the one that Webex gives the device, or that of a workspace, whose
// room device is then looked up. The scopes spark:xapi_commands and
// spark:xapi_statuses are needed, and spark:devices_read for a workspace.
// NewCloud calls nobody.
func NewCloud(id string, tokens TokenSource, cloud *CloudOptions, opts *Options) (*Endpoint, error) {
	o, err := opts.withDefaults(id)
	if err != nil {
		return nil, fmt.Errorf("cisco endpoint %s: %w", id, err)
	}
	l := &cloudLink{device: id, tokens: tokens, limit: rate.NewLimiter(rate.Limit(o.Rate), burst)}
	if isWorkspace(id) {
		l.device, l.workspace = "", id
	}
	if cloud != nil {
		l.base, l.client = strings.TrimSuffix(cloud.BaseURL, "/"), cloud.Client
	}
	l.base = cmp.Or(l.base, WebexBaseURL)
	if l.client == nil {
		l.client = &http.Client{Timeout: 30 * time.Second, CheckRedirect: stay}
	}
	if id == "" || tokens == nil {
		return nil, errors.New("cisco endpoint in the cloud: the id of a device or a workspace and a source of tokens are needed")
	}
	if err := checkBase(l.base); err != nil {
		return nil, err
	}
	return newEndpoint(l, o), nil
}

// cloudLink calls a device through the Webex cloud.
type cloudLink struct {
	base      string
	workspace string // of which the device is; empty if its id was given
	tokens    TokenSource
	client    *http.Client
	limit     *rate.Limiter

	mu     sync.Mutex
	device string // empty until the one of the workspace is found
	opened bool
}

// isWorkspace reports whether an id of Webex is that of a workspace. Ids are in
// Base64, and say of what they are: ciscospark://us/PLACE/…
func isWorkspace(id string) bool {
	text, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(id, "="))
	return err == nil && bytes.Contains(text, []byte("/PLACE/"))
}

func (l *cloudLink) open(ctx context.Context) (bool, error) {
	if l.target() == "" {
		device, err := l.find(ctx)
		if err != nil {
			return false, err
		}
		l.mu.Lock()
		l.device, l.opened = device, false
		l.mu.Unlock()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	fresh := !l.opened
	l.opened = true
	return fresh, nil
}

func (l *cloudLink) target() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.device
}

// find looks up the room device of the workspace.
func (l *cloudLink) find(ctx context.Context) (string, error) {
	data, err := l.call(ctx, http.MethodGet, "/devices?"+url.Values{"workspaceId": {l.workspace}}.Encode(), nil)
	if err != nil {
		return "", err
	}
	var got struct {
		Items []struct{ ID, Type string }
	}
	if err := json.Unmarshal(data, &got); err != nil {
		return "", notDevice("no list of devices in the answer of Webex")
	}
	var found []string
	for _, d := range got.Items {
		// The others are phones, and accessories such as touch panels.
		if d.ID != "" && (d.Type == "" || strings.EqualFold(d.Type, "roomdesk")) {
			found = append(found, d.ID)
		}
	}
	if len(found) != 1 {
		return "", &fault{kind: otj.ErrNotDevice, text: fmt.Sprintf("the workspace has %d room devices", len(found)),
			fix: "Give the id of the device in place of that of the workspace"}
	}
	return found[0], nil
}

// webexDo sends a request and returns what Webex answers with success.
func webexDo(ctx context.Context, c *http.Client, req *http.Request) (*http.Response, []byte, error) {
	resp, err := c.Do(req)
	if err != nil {
		err = networkFault(ctx, webaddr.Cause(err))
		if f := (*fault)(nil); errors.As(err, &f) { // what to do is another thing than for a device
			if f.fix = fixWebex; errors.Is(f, otj.ErrCertificate) {
				f.fix = fixProxy
			}
		}
		return nil, nil, err
	}
	defer resp.Body.Close()
	data, err := readAnswer(ctx, resp)
	if err != nil {
		return nil, nil, err
	}
	if f := cloudFault(resp, data); f != nil {
		return nil, nil, &statusError{resp.StatusCode, f}
	}
	return resp, data, nil
}

// cloudFault says what a status of Webex means.
func cloudFault(resp *http.Response, data []byte) error {
	var body struct{ Message string }
	_ = json.Unmarshal(data, &body) // only to say more
	text := fmt.Sprintf("Webex answers with status %d", resp.StatusCode)
	if body.Message != "" {
		text += ": " + clean(body.Message)
	}
	switch code := resp.StatusCode; {
	case code == http.StatusUnauthorized:
		return &fault{kind: otj.ErrUnauthorized, text: text, fix: "Give a new token of the bot or the integration"}
	case code == http.StatusForbidden:
		return &fault{kind: otj.ErrUnauthorized, text: text, fix: "Give the bot or the integration access to the device, and the scopes spark:xapi_commands and spark:xapi_statuses"}
	case code == http.StatusNotFound:
		return &fault{kind: otj.ErrNotDevice, text: text, fix: "Check the device's id in Control Hub, and that the bot or the integration has access to it"}
	case code == http.StatusTooManyRequests, code == http.StatusServiceUnavailable:
		return busy(retryAfter(resp.Header), text)
	case code == http.StatusGatewayTimeout, code == http.StatusBadGateway:
		return &fault{kind: otj.ErrUnreachable, text: text, fix: "Check that the device is on and connected to Webex"}
	case code == http.StatusBadRequest, code == http.StatusConflict:
		return commandFault(&CommandError{Command: "call by Webex", Status: "Error", Reason: text})
	case code >= 300:
		return &fault{kind: otj.ErrUnreachable, text: text}
	}
	return nil
}

func (l *cloudLink) call(ctx context.Context, method, path string, body any) ([]byte, error) {
	var data []byte
	if body != nil {
		var b bytes.Buffer
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(false)
		if err := e.Encode(body); err != nil {
			return nil, err
		}
		data = b.Bytes()
	}
	refused := calendar.Secret("")
	for {
		if err := pace(ctx, l.limit); err != nil {
			return nil, err
		}
		token, err := l.tokens.Token(ctx, refused)
		if err != nil {
			return nil, err
		}
		req, err := http.NewRequestWithContext(ctx, method, l.base+path, bytes.NewReader(data))
		if err != nil {
			return nil, err
		}
		req.Header["X-Idempotency-Key"] = nil // as for the device itself
		req.Header.Set("Authorization", "Bearer "+string(token))
		if body != nil {
			req.Header.Set("Content-Type", "application/json")
		}
		_, answer, err := webexDo(ctx, l.client, req)
		var s *statusError
		if errors.As(err, &s) && s.code == http.StatusUnauthorized && refused == "" {
			// Once more, if the source has another token.
			if refused = token; refused != "" {
				if next, terr := l.tokens.Token(ctx, refused); terr == nil && next != refused {
					continue
				}
			}
		}
		if s != nil && s.code == http.StatusNotFound && l.workspace != "" {
			l.mu.Lock()
			l.device = "" // there may be another one by now
			l.mu.Unlock()
		}
		return answer, err
	}
}

func (l *cloudLink) command(ctx context.Context, c command) (*roomos.Node, error) {
	args := map[string]any{}
	for _, a := range c.args {
		args[a.name] = a.jsonValue()
	}
	req := map[string]any{"deviceId": l.target(), "arguments": args}
	if c.body != "" {
		req["body"] = json.RawMessage(c.body)
	}
	data, err := l.call(ctx, http.MethodPost, "/xapi/command/"+strings.ReplaceAll(c.name, " ", "."), req)
	if err != nil {
		var refused *CommandError
		if errors.As(err, &refused) {
			refused.Command = c.name
		}
		return nil, err
	}
	root, err := roomos.ParseJSON("answer", data)
	if err != nil {
		return nil, notDevice("%s", clean(err.Error()))
	}
	n := root.Get("result")
	if n == nil {
		return nil, commandFault(&CommandError{Command: c.name, Reason: "Webex answers without a result"})
	}
	if n.Status != "" && n.Status != "OK" {
		return nil, commandFault(&CommandError{Command: c.name, Status: clean(n.Status), Reason: clean(firstOf(n.Value("Reason"), n.Value("Error")))})
	}
	return n, nil
}

func (l *cloudLink) status(ctx context.Context, path ...string) (*roomos.Node, error) {
	q := url.Values{"deviceId": {l.target()}, "name": {strings.Join(path, ".")}}
	// An asterisk asks for all below; a leaf is asked for by itself.
	if len(path) == 1 {
		q.Set("name", path[0]+".*")
	}
	data, err := l.call(ctx, http.MethodGet, "/xapi/status?"+q.Encode(), nil)
	if err != nil {
		return nil, err
	}
	root, err := roomos.ParseJSON("answer", data)
	if err != nil {
		return nil, notDevice("%s", clean(err.Error()))
	}
	return root.Get("result").Get(path...), nil
}

// config returns nothing: configurations have another interface in the cloud,
// which needs rights over the whole device.
func (l *cloudLink) config(context.Context, ...string) (*roomos.Node, error) { return nil, nil }

func (l *cloudLink) setConfig(_ context.Context, path []string, _ string) error {
	return commandFault(&CommandError{Command: "Configuration " + strings.Join(path, " "), Status: "Error", Reason: "not by the Webex cloud: set it in Control Hub"})
}

func (l *cloudLink) putLegacy(context.Context, []byte) error { return errNoLegacy }
