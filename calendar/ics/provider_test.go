package ics

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/onetouchjoin/onetouchjoin/calendar"
	"github.com/onetouchjoin/onetouchjoin/calendar/calendartest"
)

const room = "fjord@example.com"

// write returns the calendar of a mailbox with entries of the suite.
func write(mailbox string, entries []calendartest.Entry) string {
	var b strings.Builder
	b.WriteString("BEGIN:VCALENDAR\r\nVERSION:2.0\r\n")
	for _, e := range entries {
		fmt.Fprintf(&b, "BEGIN:VEVENT\r\nUID:%s\r\nSUMMARY:%s\r\n", e.UID, e.Subject)
		if e.Broken {
			b.WriteString("DTSTART:soon\r\n")
		} else {
			fmt.Fprintf(&b, "DTSTART:%s\r\nDTEND:%s\r\n", e.Start.Format(instantFormat), e.End.Format(instantFormat))
		}
		if e.Days > 1 {
			fmt.Fprintf(&b, "RRULE:FREQ=DAILY;COUNT=%d\r\n", e.Days)
		}
		if e.Cancelled {
			b.WriteString("STATUS:CANCELLED\r\n")
		}
		if e.Declined {
			fmt.Fprintf(&b, "ATTENDEE;PARTSTAT=DECLINED:mailto:%s\r\n", mailbox)
		}
		fmt.Fprintf(&b, "X-ZOOM-JOINURL:https://zoom.example.com/%s\r\nEND:VEVENT\r\n", e.UID)
	}
	b.WriteString("END:VCALENDAR\r\n")
	return b.String()
}

// replace writes a file in one step, so that a reader never sees half of it.
func replace(path, text string) error {
	if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

func TestFileContract(t *testing.T) {
	calendartest.Run(t, func() (*calendartest.Harness, error) {
		path := filepath.Join(t.TempDir(), "calendar.ics")
		return &calendartest.Harness{
			Provider: NewFile(path, nil),
			Mailbox:  room,
			Set: func(mailbox string, entries []calendartest.Entry) error {
				return replace(path, write(mailbox, entries))
			},
			Fail: func(sentinel error) error {
				switch sentinel {
				case nil:
					return os.Rename(path+".away", path)
				case calendar.ErrNotFound:
					return os.Rename(path, path+".away")
				}
				return errors.ErrUnsupported
			},
		}, replace(path, write(room, nil))
	})
}

func TestFolderContract(t *testing.T) {
	calendartest.Run(t, func() (*calendartest.Harness, error) {
		dir := t.TempDir()
		set := func(mailbox string, entries []calendartest.Entry) error {
			return replace(filepath.Join(dir, mailbox+".ics"), write(mailbox, entries))
		}
		return &calendartest.Harness{
			Provider: NewFolder(dir, nil),
			Mailbox:  room, Other: "annex@example.com", Missing: "nobody@example.com",
			Set: set,
			Fail: func(sentinel error) error {
				switch sentinel {
				case nil:
					return os.Rename(dir+".away", dir)
				case calendar.ErrUnavailable: // an unmounted share
					return os.Rename(dir, dir+".away")
				}
				return errors.ErrUnsupported
			},
		}, errors.Join(set(room, nil), set("annex@example.com", nil))
	})
}

// feedServer is a publisher of calendars.
type feedServer struct {
	*httptest.Server
	mu       sync.Mutex
	files    map[string]string
	status   int
	stall    chan struct{}
	requests int
	notMod   int
}

func newFeedServer(tls bool) *feedServer {
	s := &feedServer{files: make(map[string]string)}
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.requests++
		text, ok := s.files[strings.TrimPrefix(r.URL.Path, "/")]
		status, stall := s.status, s.stall
		s.mu.Unlock()
		if stall != nil {
			select {
			case <-stall:
			case <-r.Context().Done():
			}
			return
		}
		if status == 0 && !ok {
			status = http.StatusNotFound
		}
		if status != 0 {
			w.Header().Set("Retry-After", "7")
			w.WriteHeader(status)
			return
		}
		etag := fmt.Sprintf(`"%d-%x"`, len(text), text[:min(len(text), 400)])
		w.Header().Set("ETag", etag)
		if r.Header.Get("If-None-Match") == etag {
			s.mu.Lock()
			s.notMod++
			s.mu.Unlock()
			w.WriteHeader(http.StatusNotModified)
			return
		}
		fmt.Fprint(w, text)
	})
	if tls {
		s.Server = httptest.NewTLSServer(handler)
	} else {
		s.Server = httptest.NewServer(handler)
	}
	return s
}

func (s *feedServer) set(mailbox, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.files[mailbox] = text
}

func (s *feedServer) fail(status int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status = status
}

func (s *feedServer) feed(opts *FeedOptions) *Feed {
	var o FeedOptions
	if opts != nil {
		o = *opts
	}
	o.Transport = s.Client().Transport
	return NewFeed(func(mailbox string) string { return s.URL + "/" + mailbox }, &o)
}

func TestFeedContract(t *testing.T) {
	calendartest.Run(t, func() (*calendartest.Harness, error) {
		s := newFeedServer(true)
		s.set(room, write(room, nil))
		return &calendartest.Harness{
			Provider: s.feed(nil),
			Mailbox:  room, Other: "annex@example.com", Missing: "nobody@example.com",
			Set: func(mailbox string, entries []calendartest.Entry) error {
				s.set(mailbox, write(mailbox, entries))
				return nil
			},
			Fail: func(sentinel error) error {
				s.fail(map[error]int{calendar.ErrNotFound: 404, calendar.ErrUnauthorized: 401, calendar.ErrForbidden: 403, calendar.ErrThrottled: 429, calendar.ErrUnavailable: 502}[sentinel])
				return nil
			},
			Stall: func() error {
				s.mu.Lock()
				defer s.mu.Unlock()
				s.stall = make(chan struct{})
				return nil
			},
			Close: func() {
				s.mu.Lock()
				if s.stall != nil {
					close(s.stall)
				}
				s.mu.Unlock()
				s.Close()
			},
		}, nil
	})
}

func TestCalendarContract(t *testing.T) {
	var text string
	calendartest.Run(t, func() (*calendartest.Harness, error) {
		text = write(room, nil)
		return &calendartest.Harness{
			Provider: decodeEach{&text}, Mailbox: room,
			Set: func(mailbox string, entries []calendartest.Entry) error {
				text = write(mailbox, entries)
				return nil
			},
		}, nil
	})
}

type decodeEach struct{ text *string }

func (d decodeEach) Events(ctx context.Context, mailbox string, w calendar.Window) ([]calendar.Event, error) {
	c, err := Decode(strings.NewReader(*d.text), nil)
	if err != nil {
		return nil, err
	}
	return c.Events(ctx, mailbox, w)
}

var anyWeek = calendar.Window{From: time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC), To: time.Date(2026, 3, 9, 0, 0, 0, 0, time.UTC)}

func TestFeedSendsUnchangedCalendarsOnce(t *testing.T) {
	s := newFeedServer(true)
	defer s.Close()
	start := anyWeek.From.Add(9 * time.Hour)
	s.set(room, write(room, []calendartest.Entry{{UID: "a", Start: start, End: start}}))
	f := s.feed(nil)
	for range 3 {
		events, err := f.Events(t.Context(), room, anyWeek)
		require.NoError(t, err)
		assert.Len(t, events, 1)
	}
	assert.Equal(t, 3, s.requests)
	assert.Equal(t, 2, s.notMod)

	// What is beyond the bound of the cache is not kept.
	s.requests, s.notMod = 0, 0
	f = s.feed(&FeedOptions{CacheBytes: 10})
	for range 2 {
		_, err := f.Events(t.Context(), room, anyWeek)
		require.NoError(t, err)
	}
	assert.Equal(t, 0, s.notMod)
}

func TestFeedCacheIsBounded(t *testing.T) {
	s := newFeedServer(true)
	defer s.Close()
	size := int64(len(write(room, nil)))
	f := s.feed(&FeedOptions{CacheBytes: 3*size + 1})
	for i := range 10 {
		name := fmt.Sprintf("room%d", i)
		s.set(name, write(room, nil))
		_, err := f.Events(t.Context(), name, anyWeek)
		require.NoError(t, err)
		assert.LessOrEqual(t, f.bytes, f.opts.CacheBytes)
	}
	assert.Len(t, f.kept, 3)
	assert.NotNil(t, f.lookup(s.URL+"/room9"))
	assert.Nil(t, f.lookup(s.URL+"/room0"))
}

func TestFeedRefuses(t *testing.T) {
	secure, plain := newFeedServer(true), newFeedServer(false)
	defer secure.Close()
	defer plain.Close()
	const token = "private-4711"
	redirect := func(to func(r *http.Request) string) *httptest.Server {
		srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, to(r), http.StatusFound)
		}))
		t.Cleanup(srv.Close)
		return srv
	}
	loop := redirect(func(r *http.Request) string { return r.URL.Path + "x" })
	broken := redirect(func(r *http.Request) string { return "https://%zz" + r.URL.Path })
	down := redirect(func(*http.Request) string { return plain.URL + "/" + token })
	plain.set(token, write(room, nil))
	secure.set("big", strings.Repeat("x", 2000))

	for name, tt := range map[string]struct {
		url  string
		opts FeedOptions
		is   error
		want string
	}{
		"http":             {plain.URL + "/" + token, FeedOptions{}, nil, "is not encrypted: use https"},
		"file":             {"file:///etc/passwd", FeedOptions{}, nil, "has no host"},
		"other scheme":     {"ftp://calendar.example.com/" + token, FeedOptions{}, nil, `scheme "ftp"`},
		"no address":       {"", FeedOptions{}, calendar.ErrNotFound, "not found"},
		"bad address":      {"https://[" + token, FeedOptions{}, nil, "not valid"},
		"redirects":        {loop.URL + "/" + token, FeedOptions{}, calendar.ErrUnavailable, "more than 3 redirects"},
		"no redirects":     {loop.URL + "/" + token, FeedOptions{MaxRedirects: -1}, calendar.ErrUnavailable, "more than 0 redirects"},
		"broken redirect":  {broken.URL + "/" + token, FeedOptions{}, calendar.ErrUnavailable, "redirects to an address that is not valid"},
		"redirect to http": {down.URL + "/" + token, FeedOptions{}, calendar.ErrUnavailable, "not encrypted"},
		"down to http":     {down.URL + "/" + token, FeedOptions{AllowHTTP: true}, calendar.ErrUnavailable, "redirected from https to http"},
		"size":             {secure.URL + "/big", FeedOptions{Options: Options{MaxBytes: 1000}}, nil, "larger than 1000 bytes"},
		"no calendar":      {secure.URL + "/big", FeedOptions{}, nil, "not an iCalendar file"},
		"nobody there":     {"https://127.0.0.1:1/" + token, FeedOptions{}, calendar.ErrUnavailable, "127.0.0.1:1: unavailable"},
	} {
		t.Run(name, func(t *testing.T) {
			tt.opts.Transport = secure.Client().Transport
			_, err := NewFeed(func(string) string { return tt.url }, &tt.opts).Events(t.Context(), room, anyWeek)
			require.ErrorContains(t, err, tt.want)
			var e *calendar.Error
			require.ErrorAs(t, err, &e)
			assert.NotContains(t, err.Error(), token, "addresses of feeds are secret")
			if tt.is != nil {
				assert.ErrorIs(t, err, tt.is)
			}
		})
	}
	// A certificate that nobody vouches for.
	_, err := NewFeed(func(string) string { return secure.URL + "/" + token }, nil).Events(t.Context(), room, anyWeek)
	assert.ErrorIs(t, err, calendar.ErrUnavailable)
	assert.ErrorContains(t, err, "certificate")
	// With leave, http is read, and webcal is https.
	f := NewFeed(func(string) string { return plain.URL + "/" + token }, &FeedOptions{AllowHTTP: true})
	_, err = f.Events(t.Context(), room, anyWeek)
	assert.NoError(t, err)
	secure.set(token, write(room, nil))
	f = NewFeed(func(string) string { return strings.Replace(secure.URL, "https", "webcal", 1) + "/" + token }, &FeedOptions{Transport: secure.Client().Transport})
	_, err = f.Events(t.Context(), room, anyWeek)
	assert.NoError(t, err)
}

func TestFeedSaysWhenToComeBack(t *testing.T) {
	s := newFeedServer(true)
	defer s.Close()
	for status, want := range map[int]time.Duration{429: 7 * time.Second, 503: 7 * time.Second, 404: 0, 401: 0} {
		s.fail(status)
		_, err := s.feed(nil).Events(t.Context(), room, anyWeek)
		var e *calendar.Error
		require.ErrorAs(t, err, &e)
		assert.Equal(t, want, e.RetryAfter, status)
	}
	now := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	for header, want := range map[string]time.Duration{
		"": 0, "x": 0, "-5": 0, "5": 5 * time.Second, "99999999999": 24 * time.Hour, "9999999": 24 * time.Hour,
		"Mon, 02 Mar 2026 09:01:00 GMT": time.Minute, "Mon, 02 Mar 2026 08:00:00 GMT": 0,
	} {
		assert.Equal(t, want, retryAfter(header, now), header)
	}
}

func TestFeedTimeout(t *testing.T) {
	s := newFeedServer(true)
	s.stall = make(chan struct{})
	defer s.Close()
	defer close(s.stall)
	_, err := s.feed(&FeedOptions{Timeout: time.Millisecond}).Events(t.Context(), room, anyWeek)
	assert.ErrorIs(t, err, calendar.ErrUnavailable)
	assert.ErrorContains(t, err, "no whole answer within 1ms")
	assert.NotErrorIs(t, err, context.DeadlineExceeded, "the caller's context is not done")
}

func TestFolderStaysInside(t *testing.T) {
	dir := t.TempDir()
	inside := filepath.Join(dir, "rooms")
	require.NoError(t, os.Mkdir(inside, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "secret.ics"), []byte(write(room, nil)), 0o600))
	f := NewFolder(inside, nil)
	names := []string{"../secret", "..\\secret", "/" + filepath.Join(dir, "secret"), "", ".", "..", "a/../../secret", "x\x00", "con:secret", ".hidden"}
	if runtime.GOOS != "windows" {
		require.NoError(t, os.Symlink(filepath.Join(dir, "secret.ics"), filepath.Join(inside, "link.ics")))
		_, err := f.Events(t.Context(), "link", anyWeek)
		assert.Error(t, err, "a link out of the folder")
	}
	for _, name := range names {
		_, err := f.Events(t.Context(), name, anyWeek)
		assert.ErrorIs(t, err, calendar.ErrNotFound, "%q", name)
	}
	// A folder in the place of a file is no calendar.
	require.NoError(t, os.Mkdir(filepath.Join(inside, "dir.ics"), 0o700))
	_, err := f.Events(t.Context(), "dir", anyWeek)
	assert.ErrorContains(t, err, "is not a file")
	_, err = NewFolder(filepath.Join(dir, "absent"), nil).Events(t.Context(), room, anyWeek)
	assert.ErrorIs(t, err, calendar.ErrUnavailable)
	assert.NotErrorIs(t, err, calendar.ErrNotFound, "a missing folder says nothing about a mailbox")
}

// A file that is too large is not read.
func TestFileSize(t *testing.T) {
	path := filepath.Join(t.TempDir(), "large.ics")
	require.NoError(t, os.WriteFile(path, nil, 0o600))
	require.NoError(t, os.Truncate(path, 100<<20))
	_, err := NewFile(path, nil).Events(t.Context(), room, anyWeek)
	assert.EqualError(t, err, "read calendar of fjord@example.com: large.ics has 104857600 bytes, and the limit is 33554432")
	_, err = NewFile(filepath.Join(t.TempDir(), "absent.ics"), nil).Events(t.Context(), room, anyWeek)
	assert.ErrorIs(t, err, calendar.ErrNotFound)
	var why *calendar.Error
	require.ErrorAs(t, err, &why)
	assert.Contains(t, why.Fix, "Put the calendar's file there", "what to do is about files, and not about Exchange")
	require.NoError(t, os.WriteFile(path, []byte(" \r\n"), 0o600))
	_, err = NewFile(path, nil).Events(t.Context(), room, anyWeek)
	assert.ErrorContains(t, err, "the calendar is empty")
}
