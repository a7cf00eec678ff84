package app

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/onetouchjoin/onetouchjoin/otj"
)

// health is what /health answers. It names no meeting.
type health struct {
	// Status is "ok", or "degraded" where a device does not show what it should.
	Status string       `json:"status"`
	Rooms  []roomHealth `json:"rooms"`
}

type roomHealth struct {
	Name string `json:"name"`
	// UpToDate says that the device has its meetings, and of one that fetches them
	// that it has called since the program started.
	UpToDate bool      `json:"up_to_date"`
	Meetings int       `json:"meetings"`
	Shown    time.Time `json:"shown,omitzero"`
	// LastCall is when a device that fetches its meetings last did.
	LastCall time.Time   `json:"last_call,omitzero"`
	Error    string      `json:"error,omitempty"`
	Alarms   []otj.Alarm `json:"alarms"`
}

// Handler answers /health with the state of every room, /metrics for Prometheus,
// /ready with 204 when the program does its work, and /live with 204 as long as it
// runs. The answer to /health is 200 whether rooms have trouble or not: the program
// itself is well.
func (a *App) Handler() http.Handler {
	mux := http.NewServeMux()
	a.handleProbes(mux)
	mux.HandleFunc("GET /health", a.serveHealth)
	mux.Handle("GET /metrics", a.metrics.handler())
	return mux
}

// handleProbes adds what says nothing about anybody, and may be asked anywhere.
func (a *App) handleProbes(mux *http.ServeMux) {
	mux.HandleFunc("GET /live", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	mux.HandleFunc("GET /ready", func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), readyTime)
		defer cancel()
		w.Header().Set("Cache-Control", "no-store")
		if why := a.unready(ctx); why != "" {
			http.Error(w, why, http.StatusServiceUnavailable)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
}

// readyTime is how long the store may take to answer.
const readyTime = 2 * time.Second

// unready says why the program does not do its work; it is empty if it does.
func (a *App) unready(ctx context.Context) string {
	switch {
	case !a.running.Load():
		return "the program is starting, or stopping"
	case a.control == nil:
		return ""
	case !a.control.followed.Load():
		return "the control centre's rooms have not been read yet"
	}
	if _, err := a.control.centre.IsSetUp(ctx); err != nil {
		return "the control centre's store does not answer"
	}
	return ""
}

func (a *App) serveHealth(w http.ResponseWriter, _ *http.Request) {
	h := health{Status: "ok", Rooms: []roomHealth{}}
	for _, r := range a.svc.Status().Rooms {
		upToDate := r.UpToDate && !r.Awaited
		if !upToDate || len(r.Alarms) > 0 {
			h.Status = "degraded"
		}
		alarms := r.Alarms
		if alarms == nil {
			alarms = []otj.Alarm{}
		}
		h.Rooms = append(h.Rooms, roomHealth{r.Name, upToDate, len(r.Meetings), r.Shown, r.LastCall, r.Error, alarms})
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	// The client is gone if this fails.
	_ = json.NewEncoder(w).Encode(h)
}
