package console

import (
	"bytes"
	"errors"
	"html/template"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// How long work that shows its progress may take, and how often it shows it.
const (
	workTime  = 10 * time.Minute
	workShows = 250 * time.Millisecond
)

// streamed is the mark of the place in a page at which its result is to stand.
// Templates write it by {{template "work"}}; it is taken out.
const streamed = "[the result of the work]"

// progress tells how far work is: done things of total.
type progress func(done, total int)

// work shows a page at once and its result when it is there. In between the page
// says how far the work is; that needs no script, since the answer is sent bit by
// bit. The template defines "content", in which {{template "work"}} stands where
// the result is wanted, and "result", whose dot is a view with what do returns.
//
// An error before the first progress is returned, so that a form with mistakes is
// shown again; one that comes later is shown in the page. When the browser goes
// away, the context of the request ends, and do should too.
func (r *request) work(p page, do func(progress) (any, error)) error {
	s := stream{r: r, page: p}
	data, err := do(s.progress)
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.begun && err != nil {
		return err
	}
	if beginErr := s.begin(); beginErr != nil {
		return beginErr
	}
	if err != nil {
		r.console.opts.Logger.Error("work of a page", "path", r.URL.Path, "err", err)
		s.write(`<div class="flash bad" role="alert"><p>`, template.HTMLEscapeString(text("layout.work.failed")), `</p></div>`)
	} else if err := s.result(data); err != nil {
		r.console.opts.Logger.Error("result of a page", "path", r.URL.Path, "err", err)
		s.write(`<div class="flash bad" role="alert"><p>`, template.HTMLEscapeString(text("layout.work.failed")), `</p></div>`)
	}
	s.write(`</div>`, s.tail)
	return nil
}

// stream is a page that is sent bit by bit.
type stream struct {
	r    *request
	page page

	mu    sync.Mutex
	begun bool
	view  *view
	tail  string
	shown time.Time
}

func (s *stream) progress(done, total int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now := time.Now(); s.begun && done < total && now.Sub(s.shown) < workShows {
		return
	} else if s.shown = now; s.begin() != nil {
		return
	}
	// Only the last line is to be seen: the style sheet hides the others.
	s.write(`<p role="status">`, template.HTMLEscapeString(text("layout.work", done, total)), ` <progress value="`, strconv.Itoa(done), `" max="`, strconv.Itoa(max(total, 1)), `" aria-label="`, template.HTMLEscapeString(text("layout.work.label")), `"></progress></p>`+"\n")
	s.flush()
}

// begin sends the page up to the place of the result.
func (s *stream) begin() error {
	if s.begun {
		return nil
	}
	v, err := s.r.view(s.page)
	if err != nil {
		return err
	}
	html, err := v.render()
	if err != nil {
		return err
	}
	head, tail, ok := strings.Cut(string(html), streamed)
	if !ok {
		return errors.New("the template " + s.page.Template + " has no place for the result")
	}
	s.view, s.tail, s.begun = v, tail, true
	// The server limits how long an answer takes; this one may take longer.
	_ = http.NewResponseController(s.r.w).SetWriteDeadline(time.Now().Add(workTime))
	h := s.r.w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // proxies pass the progress on
	s.r.w.WriteHeader(http.StatusOK)
	s.write(head, `<div class="work" data-focus tabindex="-1">`)
	s.flush()
	return nil
}

func (s *stream) result(data any) error {
	v := *s.view
	v.Data = data
	var b bytes.Buffer
	if err := templates()[s.page.Template].ExecuteTemplate(&b, "result", &v); err != nil {
		return err
	}
	s.write(`<div>`, b.String(), `</div>`)
	return nil
}

// write sends what is safe to send. That the browser has gone, the context says.
func (s *stream) write(parts ...string) {
	for _, part := range parts {
		_, _ = s.r.w.Write([]byte(part))
	}
}

func (s *stream) flush() { _ = http.NewResponseController(s.r.w).Flush() }
