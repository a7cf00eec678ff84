package graphtest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
)

// maxBatch is the number of requests in a batch.
// https://learn.microsoft.com/graph/json-batching
const maxBatch = 20

type batchRequest struct {
	ID        string            `json:"id"`
	Method    string            `json:"method"`
	URL       string            `json:"url"`
	Headers   map[string]string `json:"headers"`
	Body      json.RawMessage   `json:"body"`
	DependsOn []string          `json:"dependsOn"`
}

// batch answers $batch: each part on its own, four at a time, and those with
// dependsOn in their order. The answers come in another order than the requests.
func (c *call) batch() *graphError {
	if c.r.Method != http.MethodPost {
		return &graphError{http.StatusMethodNotAllowed, "Request_BadRequest", "A batch has to be posted."}
	}
	var in struct {
		Requests []batchRequest `json:"requests"`
	}
	if err := c.readJSON(&in); err != nil {
		return err
	}
	if len(in.Requests) == 0 || len(in.Requests) > maxBatch {
		return badRequest("BadRequest", "Number of batch request steps must be between 1 and %d.", maxBatch)
	}
	done := map[string]chan struct{}{}
	for i, r := range in.Requests {
		switch {
		case r.ID == "" || done[r.ID] != nil:
			return badRequest("BadRequest", "Invalid batch payload format: request %d has no id, or one that another has.", i)
		case r.Method == "" || !strings.HasPrefix(r.URL, "/"):
			return badRequest("BadRequest", "Invalid batch payload format: request '%s' has no method or no relative url.", r.ID)
		case slices.ContainsFunc(r.DependsOn, func(id string) bool { return done[id] == nil }):
			return badRequest("BadRequest", "Invalid batch payload format: request '%s' depends on one that is not before it.", r.ID)
		}
		done[r.ID] = make(chan struct{})
	}
	answers := make([]map[string]any, len(in.Requests))
	status := func(id string) int {
		i := slices.IndexFunc(in.Requests, func(r batchRequest) bool { return r.ID == id })
		return answers[i]["status"].(int)
	}
	slots := make(chan struct{}, 4)
	var wg sync.WaitGroup
	for i, r := range in.Requests {
		wg.Go(func() {
			defer close(done[r.ID])
			failed := false
			for _, id := range r.DependsOn {
				<-done[id]
				failed = failed || status(id) >= 400
			}
			if failed {
				answers[i] = map[string]any{"id": r.ID, "status": http.StatusFailedDependency, "body": map[string]any{
					"error": map[string]any{"code": "FailedDependency", "message": "The request depends on one that failed."}}}
				return
			}
			slots <- struct{}{}
			defer func() { <-slots }()
			answers[i] = c.part(&r)
		})
	}
	wg.Wait()
	slices.Reverse(answers)
	writeJSON(c.w, http.StatusOK, map[string]any{"responses": answers})
	return nil
}

// part answers one request of a batch.
func (c *call) part(in *batchRequest) (out map[string]any) {
	rec := newRecorder(http.Header{})
	out = map[string]any{"id": in.ID}
	defer func() {
		// A fault that cuts a connection cannot cut a part of an answer.
		if p := recover(); p != nil {
			if p != http.ErrAbortHandler { //nolint:errorlint // a panic's value
				panic(p)
			}
			out["status"], out["body"] = http.StatusGatewayTimeout, map[string]any{"error": map[string]any{"code": "UnknownError", "message": ""}}
		}
	}()
	target, err := url.Parse(in.URL)
	if err != nil || strings.HasPrefix(target.Path, "/$batch") {
		out["status"] = http.StatusBadRequest
		out["body"] = map[string]any{"error": map[string]any{"code": "BadRequest", "message": fmt.Sprintf("Invalid url '%s'.", in.URL)}}
		return out
	}
	r := c.r.Clone(c.r.Context())
	r.Method = strings.ToUpper(in.Method)
	r.URL.Path, r.URL.RawPath, r.URL.RawQuery = "/v1.0"+target.Path, "", target.RawQuery
	r.Header = http.Header{"Authorization": c.r.Header["Authorization"]}
	for k, v := range in.Headers {
		r.Header.Set(k, v)
	}
	r.Body, r.ContentLength = http.NoBody, 0
	if len(in.Body) > 0 {
		r.Body = readCloser{bytes.NewReader(in.Body)}
	}
	c.s.mu.Lock()
	c.s.serial++
	rec.header.Set("request-id", c.s.guid("request", c.s.serial))
	c.s.mu.Unlock()
	c.s.serveGraph(rec, r, strings.TrimPrefix(r.URL.Path, "/v1.0/"))
	headers := map[string]string{}
	for k := range rec.header {
		headers[k] = rec.header.Get(k)
	}
	out["status"], out["headers"] = rec.status, headers
	if rec.body.Len() > 0 {
		out["body"] = json.RawMessage(bytes.Clone(rec.body.Bytes()))
	}
	return out
}

type readCloser struct{ *bytes.Reader }

func (readCloser) Close() error { return nil }
