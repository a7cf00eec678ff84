package app

import (
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
	Name     string      `json:"name"`
	UpToDate bool        `json:"up_to_date"`
	Meetings int         `json:"meetings"`
	Shown    time.Time   `json:"shown,omitzero"`
	Error    string      `json:"error,omitempty"`
	Alarms   []otj.Alarm `json:"alarms"`
}

// Handler answers /health with the state of every room, and /live with nothing
// but 204. The answer to /health is 200 whether rooms have trouble or not: the
// program itself is well.
func (a *App) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /live", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	mux.HandleFunc("GET /health", func(w http.ResponseWriter, _ *http.Request) {
		h := health{Status: "ok", Rooms: []roomHealth{}}
		for _, r := range a.svc.Status().Rooms {
			if !r.UpToDate || len(r.Alarms) > 0 {
				h.Status = "degraded"
			}
			alarms := r.Alarms
			if alarms == nil {
				alarms = []otj.Alarm{}
			}
			h.Rooms = append(h.Rooms, roomHealth{r.Name, r.UpToDate, len(r.Meetings), r.Shown, r.Error, alarms})
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		// The client is gone if this fails.
		_ = json.NewEncoder(w).Encode(h)
	})
	return mux
}
