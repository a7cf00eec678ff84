package main

import (
	"encoding/json"
	"net/http"
	"slices"
	"sync"
)

// device stands in for the sign itself.
type device struct {
	token string

	mu       sync.Mutex
	bookings []booking
	puts     int
	answer   int           // a status to answer with instead; 0 for none
	unplug   bool          // drops connections
	stall    chan struct{} // closed when it answers again
}

// ServeHTTP takes the meetings, as PUT /meetings.
func (d *device) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	d.puts++
	unplug, stall, answer := d.unplug, d.stall, d.answer
	d.mu.Unlock()
	if stall != nil {
		select {
		case <-stall:
		case <-r.Context().Done():
			return
		}
	}
	var bookings []booking
	switch {
	case unplug:
		panic(http.ErrAbortHandler)
	case answer != 0:
		w.WriteHeader(answer)
	case r.Method != http.MethodPut || r.URL.Path != "/meetings":
		w.WriteHeader(http.StatusNotFound)
	case r.Header.Get("Authorization") != "Bearer "+d.token:
		w.WriteHeader(http.StatusUnauthorized)
	case json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20)).Decode(&bookings) != nil:
		w.WriteHeader(http.StatusBadRequest)
	default:
		d.mu.Lock()
		d.bookings = bookings
		d.mu.Unlock()
		w.WriteHeader(http.StatusNoContent)
	}
}

// screen is what the sign shows.
func (d *device) screen() []booking {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.bookings)
}

// set changes the state of the device.
func (d *device) set(f func(*device)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f(d)
}
