package ciscotest

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"

	"github.com/onetouchjoin/onetouchjoin/endpoints/cisco/internal/roomos"
)

// Error codes of the API over WebSocket.
const (
	codeCommand  = 1
	codeParse    = -32700
	codeInvalid  = -32600
	codeNoMethod = -32601
	codeParams   = -32602
	codeDenied   = -31999
	codeTooMany  = -31998
)

type rpcRequest struct {
	Version string                     `json:"jsonrpc"`
	ID      json.RawMessage            `json:"id"`
	Method  string                     `json:"method"`
	Params  map[string]json.RawMessage `json:"params"`
}

type rpcError struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
	Data    any    `json:"data,omitempty"`
}

// socket serves JSON-RPC over WebSocket, with both ways to authenticate.
func (d *Device) socket(w http.ResponseWriter, r *http.Request) {
	if d.Config("NetworkServices/Websocket") == "Off" {
		http.NotFound(w, r)
		return
	}
	if !d.admit(r.Context().Done(), 0) {
		http.Error(w, "Service Unavailable", http.StatusServiceUnavailable)
		return
	}
	user, password, ok := r.BasicAuth()
	var protocols []string
	for _, header := range r.Header.Values("Sec-Websocket-Protocol") {
		for p := range strings.SplitSeq(header, ",") {
			p = strings.TrimSpace(p)
			if enc, found := strings.CutPrefix(p, "auth-"); found {
				if raw, err := base64.RawURLEncoding.DecodeString(enc); err == nil {
					user, password, ok = strings.Cut(string(raw), ":")
					protocols = []string{p}
				}
			}
		}
	}
	role, err := d.login(user, password)
	if !ok || err != nil {
		http.Error(w, "Forbidden", http.StatusForbidden)
		return
	}
	c, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: protocols, InsecureSkipVerify: true})
	if err != nil {
		return
	}
	c.SetReadLimit(maxBody)
	defer c.CloseNow()
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	s := &rpcSession{d: d, role: role, mu: make(turn, 1), subs: map[int][]string{}, send: func(v any) error { return d.sendJSON(ctx, c, v) }}
	sub := d.subscribe()
	defer d.unsubscribe(sub)
	var events sync.WaitGroup
	defer events.Wait()
	defer cancel()
	events.Go(func() {
		for {
			select {
			case <-ctx.Done():
				return
			case e := <-sub.events:
				s.event(e)
			}
		}
	})
	for {
		_, data, err := c.Read(ctx)
		if err != nil {
			return
		}
		if !d.wait(ctx.Done()) {
			return
		}
		if !d.admit(ctx.Done(), 1) {
			c.Close(websocket.StatusTryAgainLater, "rate limit")
			return
		}
		if s.handle(data) != nil {
			return
		}
	}
}

// sendJSON sends a message, as broken as the fault makes it.
func (d *Device) sendJSON(ctx context.Context, c *websocket.Conn, v any) error {
	d.mu.Lock()
	fault := d.fault
	d.mu.Unlock()
	data := marshal(v)
	switch fault {
	case FaultTruncated:
		data = data[:len(data)/2]
	case FaultCutOff:
		return c.CloseNow()
	case FaultSlow:
		if !pause(ctx.Done(), time.Duration(len(data))*time.Second) {
			return ctx.Err()
		}
	case FaultEndless:
		w, err := c.Writer(ctx, websocket.MessageText)
		for chunk := bytes.Repeat([]byte(" "), 16<<10); err == nil; {
			_, err = w.Write(chunk)
		}
		return err
	}
	return c.Write(ctx, websocket.MessageText, data)
}

// rpcSession is a connection.
type rpcSession struct {
	d    *Device
	role Role
	send func(any) error

	mu   turn // also one message at a time, which may take a slow device long
	subs map[int][]string
	last int
}

// turn is a lock that somebody may hold while time goes on: unlike a sync.Mutex
// it lets the clock of testing/synctest advance meanwhile.
type turn chan struct{}

func (t turn) Lock()   { t <- struct{}{} }
func (t turn) Unlock() { <-t }

func (s *rpcSession) event(c change) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, query := range s.subs {
		if matches(c.path, query) {
			s.send(map[string]any{"jsonrpc": "2.0", "method": "xFeedback/Event", //nolint:errcheck // the reader sees it
				"params": map[string]any{"Id": id, c.node.Name: object(c.node.Kids, false)}})
		}
	}
}

func (s *rpcSession) handle(data []byte) error {
	var req rpcRequest
	if err := json.Unmarshal(data, &req); err != nil {
		return s.reply(nil, nil, &rpcError{Code: codeParse, Message: "Parse error"})
	}
	if req.Version != "2.0" || len(req.ID) == 0 || req.Method == "" {
		return s.reply(req.ID, nil, &rpcError{Code: codeInvalid, Message: "Invalid request"})
	}
	res, err := s.call(&req)
	return s.reply(req.ID, res, err)
}

func (s *rpcSession) reply(id json.RawMessage, res any, err *rpcError) error {
	m := map[string]any{"jsonrpc": "2.0", "id": id}
	if err != nil {
		m["error"] = err
	} else {
		m["result"] = res
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.send(m)
}

func (s *rpcSession) call(req *rpcRequest) (any, *rpcError) {
	path := func(name string) []string {
		var raw []any
		if json.Unmarshal(req.Params[name], &raw) != nil {
			return nil
		}
		out := make([]string, len(raw))
		for i, x := range raw {
			out[i] = fmt.Sprint(x)
		}
		return out
	}
	kind, rest, _ := strings.Cut(req.Method, "/")
	switch kind {
	case "xCommand":
		args, body := arguments{}, ""
		for name, raw := range req.Params {
			for _, text := range texts(raw) {
				if name == "body" {
					body = text
				} else {
					args[name] = append(args[name], text)
				}
			}
		}
		res := s.d.run(s.role, strings.Split(rest, "/"), args, body)
		switch {
		case res.denied:
			return nil, &rpcError{Code: codeDenied, Message: "Permission denied"}
		case res.status != "OK":
			return nil, &rpcError{Code: codeCommand, Message: res.reason, Data: map[string]string{"status": res.status}}
		}
		out := object(res.kids, false)
		out["status"] = "OK"
		return out, nil
	case "xGet", "xQuery":
		p := path("Path")
		if kind == "xQuery" {
			p = path("Query")
		}
		if len(p) == 0 || p[0] != "Status" && p[0] != "Configuration" {
			return nil, &rpcError{Code: codeParams, Message: "No match on Path argument"}
		}
		root := s.d.tree(p[0], p[1:])
		n := root
		if kind == "xGet" {
			for _, name := range p[1:] {
				name, _, _ = strings.Cut(name, "[")
				if n = n.Get(name); n == nil {
					return nil, &rpcError{Code: codeParams, Message: "No match on Path argument"}
				}
			}
			return value(n, false), nil
		}
		return map[string]any{root.Name: value(n, false)}, nil
	case "xSet":
		p := path("Path")
		values := texts(req.Params["Value"])
		if len(p) < 2 || p[0] != "Configuration" || len(values) != 1 {
			return nil, &rpcError{Code: codeParams, Message: "No match on Path argument"}
		}
		if res := s.d.setConfig(s.role, p[1:], values[0]); res.denied {
			return nil, &rpcError{Code: codeDenied, Message: "Permission denied"}
		} else if res.status != "OK" {
			return nil, &rpcError{Code: codeCommand, Message: res.reason}
		}
		return true, nil
	case "xFeedback":
		return s.feedback(rest, path("Query"), req)
	}
	return nil, &rpcError{Code: codeNoMethod, Message: "No such method"}
}

func (s *rpcSession) feedback(verb string, query []string, req *rpcRequest) (any, *rpcError) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch verb {
	case "Subscribe":
		if len(query) == 0 {
			return nil, &rpcError{Code: codeParams, Message: "No match on Query argument"}
		}
		if len(s.subs) >= 50 {
			return nil, &rpcError{Code: codeTooMany, Message: "Too many subscriptions"}
		}
		id := s.last
		s.last++
		s.subs[id] = query
		return map[string]any{"Id": id}, nil
	case "Unsubscribe":
		var id int
		if json.Unmarshal(req.Params["Id"], &id) != nil || s.subs[id] == nil {
			return nil, &rpcError{Code: codeParams, Message: "No such subscription"}
		}
		delete(s.subs, id)
		return true, nil
	}
	return nil, &rpcError{Code: codeNoMethod, Message: "No such method"}
}

// texts returns a value of JSON as texts, one for each element of an array.
func texts(raw json.RawMessage) []string {
	if len(raw) == 0 {
		return nil
	}
	n, err := roomos.ParseJSON("x", raw)
	if err != nil {
		return nil
	}
	if strings.HasPrefix(strings.TrimSpace(string(raw)), "[") && len(n.Kids) > 0 {
		var out []string
		for _, k := range n.Kids {
			out = append(out, k.Text)
		}
		return out
	}
	return []string{n.Text}
}
