package control

import (
	"context"
	"errors"
	"time"
)

// Quota is how many requests a provider may make of Microsoft Graph, how many it
// has made, and how often calendars are read because of it.
type Quota struct {
	// PerDay is how many requests 24 hours may have.
	PerDay int `json:"per_day"`
	// Why says, as a sentence, why nothing more is known; it is empty where the
	// service reads the provider's calendars. Without it the rest is zero.
	Why string `json:"why,omitempty"`
	// Used is how many requests the last 24 hours had, to the hour, since the
	// service started; Available how many may be sent at once now.
	Used      int `json:"used"`
	Available int `json:"available"`
	// Mailboxes is how many calendars are read, and RequestsPerRead what one
	// reading has cost on average.
	Mailboxes       int     `json:"mailboxes"`
	RequestsPerRead float64 `json:"requests_per_read"`
	// ForPolling is the part of PerDay that reading by the clock may use, and
	// PollSeconds how often each calendar is read: Mailboxes × RequestsPerRead ×
	// 86,400 ÷ ForPolling, and not less than MinPollSeconds. Arithmetic is the same
	// in words.
	ForPolling     int     `json:"for_polling"`
	PollSeconds    float64 `json:"poll_seconds"`
	MinPollSeconds float64 `json:"min_poll_seconds"`
	Arithmetic     string  `json:"arithmetic,omitempty"`
	// Waiting is how many requests wait for their turn, and Throttled how many
	// Graph has refused for being too many, since the service started.
	Waiting   int `json:"waiting"`
	Throttled int `json:"throttled"`
	// PausedUntil is set while Graph has asked for no requests at all. UTC.
	PausedUntil time.Time `json:"paused_until,omitzero"`
}

// ProviderQuota says how a Microsoft 365 provider gets on with its quota. Where
// several providers have the same tenant and quota, it is that of all of them.
func (c *Centre) ProviderQuota(ctx context.Context, actor Actor, id string) (Quota, error) {
	p, err := c.Provider(ctx, actor, id)
	if err != nil {
		return Quota{}, err
	}
	if p.Kind != Microsoft365 {
		return Quota{}, &InvalidError{[]FieldError{{"kind", "only Microsoft 365 has a quota"}}}
	}
	out := Quota{PerDay: p.DailyQuota}
	switch {
	case p.Paused:
		out.Why = "The provider is paused: nothing is read."
		return out, nil
	case p.Consent != ConsentGranted:
		out.Why = "Nothing is read before the tenant's administrator has agreed."
		return out, nil
	case c.opts.Live == nil:
		return Quota{}, ErrNoService
	}
	q, err := c.opts.Live.Quota(p.ID)
	switch {
	case errors.Is(err, ErrNotFound):
		out.Why = "Nothing is read yet: the provider has no mailboxes, One-Touch Join is off for the company, or it was changed a moment ago."
		return out, nil
	case err != nil:
		return Quota{}, err
	}
	return q, nil
}
