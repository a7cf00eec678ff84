package msgraph

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/onetouchjoin/onetouchjoin/calendar"
)

// maxBatch is the number of requests that a $batch may hold:
// https://learn.microsoft.com/graph/json-batching.
const maxBatch = 20

type batchPart struct {
	ID      string            `json:"id"`
	Method  string            `json:"method"`
	URL     string            `json:"url"`
	Headers map[string]string `json:"headers,omitempty"`
	Body    any               `json:"body,omitempty"`
}

type batchAnswer struct {
	Responses []struct {
		ID      string            `json:"id"`
		Status  int               `json:"status"`
		Headers map[string]string `json:"headers"`
		Body    json.RawMessage   `json:"body"`
	} `json:"responses"`
}

// sendAll sends requests in batches of up to 20, and returns an error or nil for
// each. Parts that Graph wants again soon are sent again. Every part counts as a
// request in the quota; the batch around them does not, as with Graph.
func (p *Provider) sendAll(ctx context.Context, rs []*request) []error {
	if len(rs) == 1 {
		return []error{p.send(ctx, rs[0])}
	}
	errs := make([]error, len(rs))
	todo := make([]int, len(rs))
	for i := range rs {
		todo[i] = i
	}
	for try := 1; len(todo) > 0; try++ {
		var next []int
		for part := range slices.Chunk(todo, maxBatch) {
			p.batch(ctx, rs, part, errs)
			for _, i := range part {
				if errs[i] != nil && try < tries && again(errs[i]) {
					next = append(next, i)
				}
			}
		}
		todo = next
	}
	return errs
}

// batch sends the requests with some indexes in one batch.
func (p *Provider) batch(ctx context.Context, rs []*request, part []int, errs []error) {
	if len(part) == 1 {
		errs[part[0]] = p.send(ctx, rs[part[0]])
		return
	}
	whole := &request{op: rs[part[0]].op, method: http.MethodPost, url: "/$batch", parts: len(part)}
	all := func(err error) {
		for _, i := range part {
			e := err
			var ce *calendar.Error
			if errors.As(err, &ce) {
				own := *ce
				own.Op, own.Mailbox = rs[i].op, rs[i].mailbox
				e = &own
			}
			errs[i] = e
		}
	}
	if p.bad != nil {
		all(p.fail(whole, p.bad, "Correct the configuration."))
		return
	}
	var parts []batchPart
	boxes := map[string]int{} // how many parts each mailbox has
	for n, i := range part {
		r := rs[i]
		target, err := p.resolve(r)
		if err != nil {
			all(err)
			return
		}
		b := batchPart{ID: strconv.Itoa(n), Method: cmp.Or(r.method, http.MethodGet), URL: strings.TrimPrefix(target, p.base.String()+version), Body: r.body}
		if len(r.prefer) > 0 {
			b.Headers = map[string]string{"Prefer": strings.Join(r.prefer, ", ")}
		}
		if r.body != nil {
			if b.Headers == nil {
				b.Headers = map[string]string{}
			}
			b.Headers["Content-Type"] = "application/json"
		}
		parts = append(parts, b)
		boxes[key(r.mailbox)]++
	}
	// Graph runs up to four parts at a time for a mailbox. Always in the same
	// order, so that two batches cannot wait for each other.
	var held []*box
	for _, name := range slices.Sorted(maps.Keys(boxes)) {
		b := p.box(name)
		n := min(boxes[name], perMailbox)
		if err := b.gate.enter(ctx, n); err != nil {
			all(p.fail(whole, err, ""))
			return
		}
		defer b.gate.leave(n)
		held = append(held, b)
	}
	if err := p.await(ctx, whole, held...); err != nil {
		all(err)
		return
	}
	defer p.pace.gate.leave(1)
	whole.body = map[string]any{"requests": parts}
	sent := time.Now()
	got, err := p.exchange(ctx, whole, p.base.String()+version+whole.url)
	if err != nil {
		all(err)
		return
	}
	defer release(got.buf)
	if err := p.judge(whole, nil, got.status, got.header, got.buf.Bytes()); err != nil {
		p.pace.answered(sent, errors.Is(err, calendar.ErrThrottled))
		all(err)
		return
	}
	var out batchAnswer
	whole.out = &out
	if err := p.decode(whole, got.buf.Bytes()); err != nil {
		all(err)
		return
	}
	throttled := false
	all(p.fail(whole, fmt.Errorf("%w: the batch has no answer for it", calendar.ErrUnavailable), ""))
	for _, a := range out.Responses {
		n, err := strconv.Atoi(a.ID)
		if err != nil || n < 0 || n >= len(part) {
			continue
		}
		r := rs[part[n]]
		h := http.Header{}
		for k, v := range a.Headers {
			h.Set(k, v)
		}
		err = p.judge(r, p.box(r.mailbox), a.Status, h, a.Body)
		throttled = throttled || errors.Is(err, calendar.ErrThrottled)
		if err == nil {
			err = p.decode(r, a.Body)
		}
		errs[part[n]] = err
	}
	p.pace.answered(sent, throttled)
}
