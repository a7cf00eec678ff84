package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/onetouchjoin/onetouchjoin/otj"
	"github.com/onetouchjoin/onetouchjoin/rules"
)

// Sign is the endpoint of a meeting-room sign that takes its meetings as JSON:
// PUT /meetings replaces them all. It can dial SIP.
type Sign struct {
	url, token string
	client     *http.Client
}

// NewSign returns the endpoint of the sign at url.
func NewSign(url, token string) *Sign {
	return &Sign{url: url, token: token, client: &http.Client{Timeout: 10 * time.Second}}
}

// booking is a meeting as the sign has it.
type booking struct {
	ID        string    `json:"id"`
	Title     string    `json:"title"`
	Organizer string    `json:"organizer"`
	Email     string    `json:"email"`
	Start     time.Time `json:"start"`
	End       time.Time `json:"end"`
	Early     int       `json:"early_seconds"`
	Late      int       `json:"late_seconds"`
	Private   bool      `json:"private"`
	Dial      string    `json:"dial,omitempty"` // no button without it
}

// Dials implements otj.Endpoint.
func (s *Sign) Dials(a rules.Address) bool { return a.Scheme == rules.SIP }

// Show implements otj.Endpoint.
func (s *Sign) Show(ctx context.Context, meetings []otj.Meeting) error {
	bookings := make([]booking, len(meetings))
	for i, m := range meetings {
		bookings[i] = booking{
			ID: m.ID, Title: m.Title, Organizer: m.Organizer.Name, Email: m.Organizer.Email,
			Start: m.Start, End: m.End, Early: int(m.StartBuffer.Seconds()), Late: int(m.EndBuffer.Seconds()),
			Private: m.Private, Dial: m.Join.URI,
		}
	}
	body, err := json.Marshal(bookings)
	if err != nil {
		return s.error(err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, s.url+"/meetings", bytes.NewReader(body))
	if err != nil {
		return s.error(err)
	}
	req.Header.Set("Authorization", "Bearer "+s.token)
	req.Header.Set("Content-Type", "application/json")
	resp, err := s.client.Do(req)
	switch {
	case ctx.Err() != nil:
		return s.error(ctx.Err())
	case err != nil:
		return s.error(fmt.Errorf("%w: %w", otj.ErrUnreachable, err))
	}
	defer resp.Body.Close()
	// The connection is used again if the answer was read; more than this is
	// not read of what may be any server.
	if _, err := io.CopyN(io.Discard, resp.Body, 64<<10); err != nil && !errors.Is(err, io.EOF) {
		return s.error(fmt.Errorf("%w: %w", otj.ErrUnreachable, err))
	}
	return s.status(resp)
}

// status turns the sign's answer into an error that a Service understands.
func (s *Sign) status(resp *http.Response) error {
	switch resp.StatusCode {
	case http.StatusNoContent:
		return nil
	case http.StatusUnauthorized, http.StatusForbidden:
		return &otj.EndpointError{Op: "put meetings", Endpoint: s.url, Err: otj.ErrUnauthorized, Fix: "Enter the token that the sign shows in its settings."}
	case http.StatusTooManyRequests:
		wait, _ := strconv.Atoi(resp.Header.Get("Retry-After"))
		return &otj.EndpointError{Op: "put meetings", Endpoint: s.url, Err: otj.ErrBusy, RetryAfter: time.Duration(wait) * time.Second}
	case http.StatusBadRequest, http.StatusUnprocessableEntity:
		return s.error(fmt.Errorf("%w: %s", otj.ErrRejected, resp.Status))
	case http.StatusServiceUnavailable:
		return s.error(fmt.Errorf("%w: %s", otj.ErrUnreachable, resp.Status))
	default:
		return s.error(fmt.Errorf("%w: %s", otj.ErrNotDevice, resp.Status))
	}
}

func (s *Sign) error(err error) error {
	return &otj.EndpointError{Op: "put meetings", Endpoint: s.url, Err: err}
}
