package feed_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"time"

	"github.com/onetouchjoin/onetouchjoin/calendar"
	"github.com/onetouchjoin/onetouchjoin/endpoints/feed"
	"github.com/onetouchjoin/onetouchjoin/otj"
	"github.com/onetouchjoin/onetouchjoin/rules"
)

// receiver takes the pushes of a webhook.
type receiver struct {
	key calendar.Secret

	mu    sync.Mutex
	last  map[string]int64 // the newest timestamp, by the room
	rooms map[string][]feed.Meeting
}

func (d *receiver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
	if err != nil {
		http.Error(w, "too large", http.StatusRequestEntityTooLarge)
		return
	}
	// The signature first: nothing of the body is read before it is known whose it is.
	if err := feed.Verify(d.key, r.Header, body, time.Now()); err != nil {
		http.Error(w, "wrong signature or time", http.StatusUnauthorized)
		return
	}
	var p feed.Push
	if err := json.Unmarshal(body, &p); err != nil {
		http.Error(w, "no push", http.StatusBadRequest)
		return
	}
	at, _ := strconv.ParseInt(r.Header.Get(feed.TimestampHeader), 10, 64) // Verify has read it
	d.mu.Lock()
	defer d.mu.Unlock()
	if at < d.last[p.Room] {
		return // a replay, or one that was overtaken: the newer list stays
	}
	d.last[p.Room], d.rooms[p.Room] = at, p.Meetings // the full list
}

// A receiver of pushes: it checks the signature, refuses replays, and replaces
// what it has of the room.
func ExampleVerify() {
	const key = calendar.Secret("16 bytes or more")
	d := &receiver{key: key, last: map[string]int64{}, rooms: map[string][]feed.Meeting{}}
	server := httptest.NewServer(d)
	defer server.Close()

	hook, err := feed.NewWebhook(server.URL, key, &feed.WebhookOptions{Name: "Fjord", AllowHTTP: true})
	if err != nil {
		fmt.Println(err)
		return
	}
	nine := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	err = hook.Show(context.Background(), []otj.Meeting{{ID: "a", Title: "Design review", Start: nine, End: nine.Add(time.Hour), Join: rules.ParseAddress("sip:review@example.com")}})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, m := range d.rooms["Fjord"] {
		fmt.Println(m.Subject, m.Alias)
	}
	// Output: Design review review@example.com
}
