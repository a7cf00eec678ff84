package graphtest

import "time"

// usageKey is an app, or an app and a mailbox.
type usageKey struct{ app, mailbox string }

// usage is the number of requests under way.
type usage struct{ now int }

// window counts requests since a time.
type window struct {
	since time.Time
	n     int
}

// refusal says why a request is one too many.
type refusal struct {
	seconds int
	text    string
}

// enter admits a request, or says why not. leave has to be called after it.
// https://learn.microsoft.com/graph/throttling-limits
func (s *Server) enter(a *App, m *Mailbox) (leave func(), _ refusal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	no := func(seconds int, text string) (func(), refusal) {
		s.stats.Throttled++
		return nil, refusal{seconds, text}
	}
	over := func(k usageKey, limit int, span time.Duration) int {
		if limit < 0 {
			return 0
		}
		w := s.quotas[k]
		now := s.now()
		if w == nil || now.Sub(w.since) >= span || now.Before(w.since) {
			w = &window{since: now}
			s.quotas[k] = w
		}
		if w.n++; w.n > limit {
			return max(1, int((span-now.Sub(w.since)+time.Second-1)/time.Second))
		}
		return 0
	}
	if wait := over(usageKey{app: a.id}, s.opts.PerAppQuota, 10*time.Second); wait > 0 {
		return no(wait, "Application is over its request limit.")
	}
	if m == nil {
		return func() {}, refusal{}
	}
	k := usageKey{a.id, m.id}
	if wait := over(k, s.opts.PerMailboxQuota, 10*time.Minute); wait > 0 {
		return no(wait, "Application is over its MailboxRequests limit.")
	}
	u := s.usage[k]
	if u == nil {
		u = &usage{}
		s.usage[k] = u
	}
	if s.opts.PerMailbox >= 0 && u.now >= s.opts.PerMailbox {
		return no(1, "Application is over its MailboxConcurrency limit.")
	}
	u.now++
	if s.stats.Concurrent == nil {
		s.stats.Concurrent = map[string]int{}
	}
	s.stats.Concurrent[m.address] = max(s.stats.Concurrent[m.address], u.now)
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if u.now--; u.now == 0 {
			delete(s.usage, k)
		}
	}, refusal{}
}
