package graphtest

import (
	"bytes"
	"cmp"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Op is what a request asks for.
type Op string

// The operations. Those of Entra are the last three.
const (
	OpView          Op = "calendarView"
	OpDelta         Op = "delta"
	OpEvent         Op = "event"
	OpInstances     Op = "instances"
	OpBatch         Op = "$batch"
	OpSubscriptions Op = "subscriptions"
	OpOther         Op = "other"
	OpDiscovery     Op = "discovery"
	OpToken         Op = "token"
	OpConsent       Op = "adminconsent"
)

// Fault is something that goes wrong. The first fields say when, the others
// what; of several faults that fit a request, the one injected first happens.
type Fault struct {
	// Ops are the operations it is for; none means all of Graph's, and none of
	// Entra's. Mailbox is the address of the only mailbox it is for; "" is any.
	Ops     []Op
	Mailbox string
	// Skip is the number of requests that it spares at first, Count how often it
	// happens after that: 0 is until it is removed.
	Skip, Count int
	// Probability is the chance for each request; 0 means always.
	Probability float64

	// Status answers with an error: 429, 503, 410, or any other. Code is that in
	// the answer; there is one for each common status. Of Entra it is the error or
	// a number as "AADSTS50196". RetryAfter, in whole
	// seconds, is in its header; 0 leaves it out. A 410 that has the code
	// "resyncRequired" also has a Location to start again from.
	Status     int
	Code       string
	RetryAfter time.Duration
	// Delay answers late, Stall never.
	Delay time.Duration
	Stall bool
	// Drop closes the connection without an answer, Truncate after half of it.
	Drop, Truncate bool
	// Repeat makes a page of events lead to itself: for ever, or Count times.
	Repeat bool
	// Empty puts an empty page before a page of events.
	Empty bool
}

type fault struct {
	Fault
	seen, done int
}

// Inject makes a fault happen from now on, until it has happened as often as it
// says or the function that is returned is called.
func (s *Server) Inject(f Fault) (remove func()) {
	f.Ops = slices.Clone(f.Ops)
	in := &fault{Fault: f}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, in)
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.faults = slices.DeleteFunc(s.faults, func(f *fault) bool { return f == in })
	}
}

// ClearFaults removes all faults.
func (s *Server) ClearFaults() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

// fault returns what happens to a request; the zero value is nothing.
func (s *Server) fault(op Op, mailbox string) Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, f := range s.faults {
		switch {
		case len(f.Ops) > 0 && !slices.Contains(f.Ops, op),
			len(f.Ops) == 0 && (op == OpDiscovery || op == OpToken || op == OpConsent),
			f.Mailbox != "" && !strings.EqualFold(f.Mailbox, mailbox),
			(f.Repeat || f.Empty) && op != OpView && op != OpDelta && op != OpInstances:
			continue
		}
		if f.seen++; f.seen <= f.Skip {
			continue
		}
		if f.Probability > 0 && s.random.Float64() >= f.Probability {
			continue
		}
		f.done++
		s.stats.Faults++
		if f.Count > 0 && f.done >= f.Count {
			s.faults = slices.Delete(s.faults, i, i+1)
		}
		return f.Fault
	}
	return Fault{}
}

// codes are those of common answers, and their texts.
var codes = map[int][2]string{
	http.StatusBadRequest:          {"ErrorInvalidRequest", "The request is invalid."},
	http.StatusUnauthorized:        {"InvalidAuthenticationToken", "Lifetime validation failed, the token is expired."},
	http.StatusForbidden:           {"ErrorAccessDenied", "Access is denied. Check credentials and try again."},
	http.StatusNotFound:            {"ErrorItemNotFound", "The specified object was not found in the store."},
	http.StatusGone:                {"SyncStateNotFound", "The sync state generation is not found."},
	http.StatusTooManyRequests:     {"ApplicationThrottled", "Application is over its MailboxConcurrency limit."},
	http.StatusInternalServerError: {"ErrorInternalServerError", "An internal server error occurred. The operation failed."},
	http.StatusBadGateway:          {"UnknownError", ""},
	http.StatusServiceUnavailable:  {"ErrorServerBusy", "The server is busy."},
	http.StatusGatewayTimeout:      {"UnknownError", ""},
}

func (f *Fault) headers(h http.Header) {
	if f.RetryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(max(1, int(f.RetryAfter.Seconds()))))
	}
}

func (f *Fault) error() *graphError {
	c := codes[f.Status]
	return &graphError{f.Status, cmp.Or(f.Code, c[0], "UnknownError"), c[1]}
}

// wait waits as the fault says. It returns false if the client is gone.
func (f *Fault) wait(r *http.Request) bool {
	var late <-chan time.Time // never
	switch {
	case f.Stall:
	case f.Delay > 0:
		late = time.After(f.Delay)
	default:
		return true
	}
	select {
	case <-late:
		return true
	case <-r.Context().Done():
		return false
	}
}

// breaks reports whether the answer does not arrive whole.
func (f *Fault) breaks() bool { return f.Drop || f.Truncate }

// send sends as much of an answer as the fault leaves, and cuts the connection.
func (f *Fault) send(w http.ResponseWriter, rec *recorder) {
	if !f.Drop {
		w.Header().Set("Content-Length", strconv.Itoa(rec.body.Len()))
		w.WriteHeader(rec.status)
		_, _ = w.Write(rec.body.Bytes()[:rec.body.Len()/2])
		_ = http.NewResponseController(w).Flush() // what cannot flush sends it all the same
	}
	panic(http.ErrAbortHandler)
}

// recorder keeps an answer: a part of a $batch, or one to be broken.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func newRecorder(h http.Header) *recorder { return &recorder{header: h, status: http.StatusOK} }

func (r *recorder) Header() http.Header         { return r.header }
func (r *recorder) WriteHeader(status int)      { r.status = status }
func (r *recorder) Write(b []byte) (int, error) { return r.body.Write(b) }
