package cisco

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/coder/websocket"
	"golang.org/x/time/rate"

	"github.com/onetouchjoin/onetouchjoin/endpoints/cisco/internal/roomos"
	"github.com/onetouchjoin/onetouchjoin/otj"
)

// SocketAuth is how a WebSocket says who it is.
type SocketAuth string

// The ways to authenticate: the header Authorization, and the subprotocol that
// Cisco's jsxapi uses. Some proxies take one of them away.
const (
	SocketHeader      SocketAuth = ""
	SocketSubprotocol SocketAuth = "subprotocol"
)

// NewWebSocket returns the endpoint of the device at host, called over a
// WebSocket that stays open while Watch runs. The device then says by itself
// that it wants its bookings again. It needs NetworkServices Websocket
// FollowHTTPService, which is the default from RoomOS 10 on. NewWebSocket calls
// nobody.
func NewWebSocket(host string, creds Credentials, auth SocketAuth, opts *Options) (*Endpoint, error) {
	o, err := opts.withDefaults(host)
	if err == nil {
		err = checkHost(host)
	}
	if err == nil && creds == nil {
		err = errors.New("credentials are missing")
	}
	if err == nil && auth != SocketHeader && auth != SocketSubprotocol {
		err = fmt.Errorf("auth %q: want %q or nothing", auth, SocketSubprotocol)
	}
	if err != nil {
		return nil, fmt.Errorf("cisco endpoint %s: %w", host, err)
	}
	l := &socketLink{
		url: "wss://" + host + "/ws", creds: creds, auth: auth, opts: o,
		limit: rate.NewLimiter(rate.Limit(o.Rate), burst),
	}
	e := newEndpoint(l, o)
	e.events = l.watch
	return e, nil
}

// socketLink calls a device over a WebSocket.
type socketLink struct {
	url   string
	creds Credentials
	auth  SocketAuth
	opts  *Options
	limit *rate.Limiter

	dialing chan struct{} // set on first use; holds a token while a connection is made

	mu   sync.Mutex
	conn *socketConn
}

// socketConn is a connection, with what waits for its answers.
type socketConn struct {
	ws     *websocket.Conn
	cancel context.CancelFunc
	done   chan struct{} // closed when reading has ended
	err    error         // why; valid once done is closed
	new    bool          // open has not said so yet

	mu      sync.Mutex
	last    int
	waiting map[string]chan rpcAnswer
	changed func() // may be nil
}

type rpcAnswer struct {
	ID     json.RawMessage `json:"id"`
	Method string          `json:"method"`
	Result json.RawMessage `json:"result"`
	Error  *rpcError       `json:"error"`
}

type rpcError struct {
	Code    int             `json:"code"`
	Message string          `json:"message"`
	Data    json.RawMessage `json:"data"`
}

func (l *socketLink) open(ctx context.Context) (fresh bool, err error) {
	c, err := l.connect(ctx)
	if err != nil {
		return false, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	fresh, c.new = c.new, false
	return fresh, nil
}

// connect returns the connection, and makes one if there is none.
func (l *socketLink) connect(ctx context.Context) (*socketConn, error) {
	l.mu.Lock()
	if l.dialing == nil {
		l.dialing = make(chan struct{}, 1)
	}
	dialing := l.dialing
	l.mu.Unlock()
	select {
	case dialing <- struct{}{}:
		defer func() { <-dialing }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	l.mu.Lock()
	c := l.conn
	l.mu.Unlock()
	if c != nil {
		select {
		case <-c.done:
		default:
			return c, nil
		}
	}
	if err := pace(ctx, l.limit); err != nil {
		return nil, err
	}
	user, password, err := l.creds.Credentials(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading the credentials: %w", err)
	}
	basic := user + ":" + string(password)
	opts := &websocket.DialOptions{HTTPClient: newClient(l.opts), HTTPHeader: http.Header{}, CompressionMode: websocket.CompressionDisabled}
	if l.auth == SocketSubprotocol {
		opts.Subprotocols = []string{"auth-" + base64.RawURLEncoding.EncodeToString([]byte(basic))}
	} else {
		opts.HTTPHeader.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(basic)))
	}
	ws, resp, err := websocket.Dial(ctx, l.url, opts)
	if err != nil {
		return nil, handshakeFault(ctx, resp, err)
	}
	ws.SetReadLimit(maxAnswer)
	// The connection outlives the call that made it: Watch, or the last call,
	// ends it.
	rctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	c = &socketConn{ws: ws, cancel: cancel, done: make(chan struct{}), new: true, waiting: map[string]chan rpcAnswer{}}
	go c.read(rctx)
	l.mu.Lock()
	l.conn = c
	l.mu.Unlock()
	return c, nil
}

// handshakeFault says what the answer to the handshake means.
func handshakeFault(ctx context.Context, resp *http.Response, err error) error {
	if resp == nil || ctx.Err() != nil {
		return networkFault(ctx, err)
	}
	switch resp.StatusCode {
	case http.StatusSwitchingProtocols:
		return notDevice("a wrong WebSocket handshake")
	case http.StatusForbidden, http.StatusUnauthorized:
		return &fault{kind: otj.ErrUnauthorized, text: fmt.Sprintf("status %d", resp.StatusCode), fix: fixPassword}
	case http.StatusNotFound:
		return &fault{kind: otj.ErrNotDevice, whole: true, text: "no WebSocket at this address: status 404",
			fix: "If the device is at this address, set at it xConfiguration NetworkServices Websocket: FollowHTTPService; that cannot be done over the WebSocket itself. Else correct the address"}
	}
	start, _ := io.ReadAll(io.LimitReader(resp.Body, 2048)) // what there is of it says enough
	if f := httpFault(resp, start); f != nil {
		return f
	}
	return notDevice("status %d in place of a WebSocket", resp.StatusCode)
}

// read hands out what the device sends, until the connection ends.
func (c *socketConn) read(ctx context.Context) {
	defer close(c.done)
	defer c.cancel()
	defer c.ws.CloseNow()
	for {
		_, data, err := c.ws.Read(ctx)
		if errors.Is(err, websocket.ErrMessageTooBig) {
			err = tooLong()
		}
		if err != nil {
			c.err = err
			return
		}
		var a rpcAnswer
		if err := json.Unmarshal(data, &a); err != nil {
			c.err = notDevice("a message that is no JSON-RPC")
			return
		}
		c.mu.Lock()
		if a.Method == "xFeedback/Event" {
			if c.changed != nil {
				c.changed()
			}
		} else if ch := c.waiting[strings.Trim(string(a.ID), `"`)]; ch != nil {
			ch <- a // has room for the one answer
			delete(c.waiting, strings.Trim(string(a.ID), `"`))
		}
		c.mu.Unlock()
	}
}

// call sends a request and waits for its answer. Where a connection from before
// turns out to be gone it tries again on a new one: every call may be made
// twice, as a list replaces a list.
func (l *socketLink) call(ctx context.Context, method string, params map[string]any) (json.RawMessage, error) {
	l.mu.Lock()
	before := l.conn
	l.mu.Unlock()
	c, err := l.connect(ctx)
	if err != nil {
		return nil, err
	}
	data, err := l.callOn(ctx, c, method, params)
	if c == before && errors.Is(err, otj.ErrUnreachable) && ctx.Err() == nil {
		c.cancel()
		<-c.done
		if c, err = l.connect(ctx); err != nil {
			return nil, err
		}
		data, err = l.callOn(ctx, c, method, params)
	}
	return data, err
}

func (l *socketLink) callOn(ctx context.Context, c *socketConn, method string, params map[string]any) (json.RawMessage, error) {
	if err := pace(ctx, l.limit); err != nil {
		return nil, err
	}
	c.mu.Lock()
	c.last++
	id := strconv.Itoa(c.last)
	ch := make(chan rpcAnswer, 1)
	c.waiting[id] = ch
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		delete(c.waiting, id)
		c.mu.Unlock()
	}()
	req := map[string]any{"jsonrpc": "2.0", "id": id, "method": method}
	if len(params) > 0 {
		req["params"] = params
	}
	data, err := json.Marshal(req)
	if err != nil {
		return nil, err
	}
	if err := c.ws.Write(ctx, websocket.MessageText, data); err != nil {
		return nil, networkFault(ctx, err)
	}
	select {
	case a := <-ch:
		if a.Error != nil {
			return nil, a.Error.fault(strings.ReplaceAll(strings.TrimPrefix(method, "xCommand/"), "/", " "))
		}
		return a.Result, nil
	case <-c.done:
		switch {
		case websocket.CloseStatus(c.err) == websocket.StatusTryAgainLater:
			return nil, busy(0, "the device has closed the connection")
		case errors.Is(c.err, otj.ErrNotDevice):
			return nil, c.err
		}
		return nil, networkFault(ctx, c.err)
	case <-ctx.Done():
		// Nobody knows whether the device still answers: the next call gets a new
		// connection.
		c.cancel()
		<-c.done
		return nil, ctx.Err()
	}
}

// fault says what an error of JSON-RPC means. The codes are those of Cisco's
// clients.
func (e *rpcError) fault(command string) error {
	switch e.Code {
	case -31999:
		return &fault{kind: otj.ErrUnauthorized, text: clean(e.Message), fix: fixRole}
	case -31998, -31997:
		return busy(0, clean(e.Message))
	case -32700, -32600:
		return notDevice("JSON-RPC error %d: %s", e.Code, clean(e.Message))
	}
	c := &CommandError{Command: command, Status: "Error", Reason: clean(e.Message)}
	if n, err := roomos.ParseJSON("data", e.Data); err == nil && n.Status != "" {
		c.Status = clean(n.Status)
	}
	if e.Code == -32602 {
		c.Status = "ParameterError"
	}
	return commandFault(c)
}

func (l *socketLink) command(ctx context.Context, c command) (*roomos.Node, error) {
	params := map[string]any{}
	for _, a := range c.args {
		params[a.name] = a.jsonValue()
	}
	if c.body != "" {
		params["body"] = c.body
	}
	data, err := l.call(ctx, "xCommand/"+strings.ReplaceAll(c.name, " ", "/"), params)
	if err != nil {
		return nil, err
	}
	n, err := roomos.ParseJSON("Result", data)
	if err != nil {
		return nil, notDevice("%s", clean(err.Error()))
	}
	if n.Status != "OK" {
		return nil, commandFault(&CommandError{Command: c.name, Status: clean(n.Status), Reason: clean(firstOf(n.Value("Reason"), n.Value("Error")))})
	}
	return n, nil
}

// jsonValue is a number where the text is one: the API over JSON wants it so.
func (a *argument) jsonValue() any {
	if n, err := strconv.Atoi(a.value); err == nil {
		return n
	}
	return a.value
}

func (l *socketLink) status(ctx context.Context, path ...string) (*roomos.Node, error) {
	return l.get(ctx, "Status", path)
}

func (l *socketLink) config(ctx context.Context, path ...string) (*roomos.Node, error) {
	return l.get(ctx, "Configuration", path)
}

func (l *socketLink) get(ctx context.Context, kind string, path []string) (*roomos.Node, error) {
	data, err := l.call(ctx, "xGet", map[string]any{"Path": append([]string{kind}, path...)})
	var refused *CommandError
	if errors.As(err, &refused) {
		return nil, nil // the device has no such thing
	}
	if err != nil {
		return nil, err
	}
	n, err := roomos.ParseJSON(path[len(path)-1], data)
	if err != nil {
		return nil, notDevice("%s", clean(err.Error()))
	}
	return n, nil
}

func (l *socketLink) setConfig(ctx context.Context, path []string, value string) error {
	_, err := l.call(ctx, "xSet", map[string]any{"Path": append([]string{"Configuration"}, path...), "Value": value})
	return err
}

func (l *socketLink) putLegacy(context.Context, []byte) error { return errNoLegacy }

// end closes the connection.
func (l *socketLink) end(context.Context) error {
	l.mu.Lock()
	c := l.conn
	l.conn = nil
	l.mu.Unlock()
	if c != nil {
		c.cancel()
		<-c.done
	}
	return nil
}

// feedback is what the device is asked to tell of.
var feedback = [][]string{
	{"Event", "Bookings"},
	{"Event", "BootEvent"},
	// Some devices have lost their bookings after a call or when they wake up.
	{"Event", "CallSuccessful"},
	{"Event", "CallDisconnect"},
	{"Status", "Standby", "State"},
	{"Status", "SystemUnit", "Software", "Version"},
	{"Status", "Webex", "Status"},
	{"Configuration", "NetworkServices"},
}

// watch keeps a connection and calls changed when the device tells of
// something, and when the connection was made: nobody knows what happened
// before. It returns when the connection ends.
func (l *socketLink) watch(ctx context.Context, changed func()) error {
	c, err := l.connect(ctx)
	if err != nil {
		return err
	}
	c.mu.Lock()
	c.changed = changed
	c.mu.Unlock()
	defer l.end(ctx) //nolint:errcheck // it has none
	for _, q := range feedback {
		if _, err := l.call(ctx, "xFeedback/Subscribe", map[string]any{"Query": q}); err != nil {
			return err
		}
	}
	changed()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-c.done:
		return c.err
	}
}
