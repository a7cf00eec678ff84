package poly

import (
	"cmp"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"slices"
	"time"
)

// tombstone is a meeting that is gone.
type tombstone struct {
	id               string
	key              [12]byte
	created, removed uint64
}

// maxGone is how many tombstones a room keeps. A device whose state is older
// starts again.
const maxGone = 256

// bury is called with r.mu held.
func (r *Room) bury(t tombstone) {
	if len(r.gone) == maxGone {
		r.floor = r.gone[0].removed
		r.gone = slices.Delete(r.gone, 0, 1)
	}
	r.gone = append(r.gone, t)
}

// The kinds of tokens: one is not taken for another.
const (
	syncToken      = 's'
	watermarkToken = 'w'
)

// token names a position in the room's history. It holds for this room only,
// until the process ends or the room is added again.
func (r *Room) token(kind byte, seq uint64) string {
	b := binary.BigEndian.AppendUint64([]byte{kind}, seq)
	mac := hmac.New(sha256.New, r.secret[:])
	mac.Write(b)
	return base64.RawURLEncoding.EncodeToString(mac.Sum(b)[:9+16])
}

// position reads a token of this room.
func (r *Room) position(kind byte, token string) (seq uint64, ok bool) {
	b, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || len(b) != 9+16 || b[0] != kind {
		return 0, false
	}
	seq = binary.BigEndian.Uint64(b[1:])
	return seq, hmac.Equal([]byte(r.token(kind, seq)), []byte(token))
}

// change is a step from one position to a later one.
type change struct {
	seq   uint64
	event eventMask
	entry *entry // nil if it is gone
	gone  tombstone
}

// eventMask is a set of kinds of changes.
type eventMask uint8

const (
	created eventMask = 1 << iota
	modified
	deleted
)

// eventTypes are those that the calendar of a room has. Others never happen.
var eventTypes = map[string]eventMask{"CreatedEvent": created, "ModifiedEvent": modified, "DeletedEvent": deleted}

// since returns the changes after a position in their order, and the last
// position there is. It is false if the room no longer knows them.
func (r *Room) since(seq uint64) (changes []change, last uint64, ok bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if seq > r.seq || seq > 0 && seq < r.floor {
		return nil, 0, false
	}
	for i := range r.entries {
		e := &r.entries[i]
		switch {
		case e.created > seq:
			// At the place where it was made, though it has changed since: who is past
			// that place has it.
			changes = append(changes, change{seq: e.created, event: created, entry: e})
		case e.changed > seq:
			changes = append(changes, change{seq: e.changed, event: modified, entry: e})
		}
	}
	for _, t := range r.gone {
		// One that was made later was never given. One that was made before may not
		// have been either, if it went while the client was further back: to delete
		// what one has not changes nothing.
		if t.removed > seq && t.created <= seq {
			changes = append(changes, change{seq: t.removed, event: deleted, gone: t})
		}
	}
	slices.SortFunc(changes, func(a, b change) int { return cmp.Compare(a.seq, b.seq) })
	return changes, r.seq, true
}

func syncFolderItems(a *answer, q *request, r *Room) (int, error) {
	if len(q.folders) != 1 || q.max == 0 {
		return 0, &faultError{"ErrorSchemaValidation", "SyncFolderItems needs a SyncFolderId and MaxChangesReturned."}
	}
	a.open(q.op)
	defer a.close(q.op)
	if !r.mine(q.folders[0]) {
		a.fail(q.op, "ErrorAccessDenied", notMine, "")
		return 0, nil
	}
	from, known := uint64(0), true
	if q.syncState != "" {
		from, known = r.position(syncToken, q.syncState)
	}
	var changes []change
	var last uint64
	if known {
		changes, last, known = r.since(from)
	}
	if !known {
		a.fail(q.op, "ErrorInvalidSyncStateData", "The SyncState is none of this folder or too old. Start without one.", "")
		return 0, nil
	}
	if q.folders[0].id != calendarFolder {
		changes = nil
	}
	whole := len(changes) <= q.max
	if !whole {
		changes = changes[:q.max]
		last = changes[q.max-1].seq
	}
	a.success(q.op)
	a.raw("<m:SyncState>" + r.token(syncToken, last) + "</m:SyncState><m:IncludesLastItemInRange>")
	a.bool(whole)
	a.raw("</m:IncludesLastItemInRange><m:Changes>")
	given := 0
	for _, c := range changes {
		switch c.event {
		case deleted:
			a.raw("<t:Delete>")
			a.itemID("ItemId", c.gone.id, c.gone.key)
			a.raw("</t:Delete>")
		case created:
			a.raw("<t:Create>")
			a.item(c.entry, nil)
			a.raw("</t:Create>")
			given++
		default:
			a.raw("<t:Update>")
			a.item(c.entry, nil)
			a.raw("</t:Update>")
			given++
		}
	}
	a.raw("</m:Changes>")
	a.end(q.op)
	return given, nil
}

// subscription is one that a device pulls.
type subscription struct {
	id       string
	events   eventMask
	calendar bool // the calendar is among its folders
	timeout  time.Duration
	ends     time.Time
}

// maxSubscriptions is how many a room keeps; the oldest ends.
const maxSubscriptions = 8

// maxEvents is how many events an answer has.
const maxEvents = 50

func subscribe(a *answer, q *request, r *Room) (int, error) {
	a.open(q.op)
	defer a.close(q.op)
	if q.way != "Pull" {
		a.fail(q.op, "ErrorInvalidSubscriptionRequest", "Only pull subscriptions are served.", "")
		return 0, nil
	}
	s := subscription{id: rand.Text(), events: q.events, timeout: time.Duration(q.timeout) * time.Minute, calendar: len(q.folders) == 0}
	if s.timeout == 0 {
		a.fail(q.op, "ErrorInvalidSubscriptionRequest", "A pull subscription needs a Timeout.", "")
		return 0, nil
	}
	for _, f := range q.folders {
		if !r.mine(f) {
			a.fail(q.op, "ErrorSubscriptionAccessDenied", notMine, "")
			return 0, nil
		}
		s.calendar = s.calendar || f.id == calendarFolder
	}
	s.ends = time.Now().Add(s.timeout)
	r.mu.Lock()
	at := r.seq
	known := true
	if q.watermark != "" {
		at, known = r.position(watermarkToken, q.watermark)
	}
	if known {
		if len(r.subs) == maxSubscriptions {
			r.subs = slices.Delete(r.subs, 0, 1)
		}
		r.subs = append(r.subs, s)
	}
	r.mu.Unlock()
	if !known {
		a.fail(q.op, "ErrorInvalidWatermark", "The Watermark is none of this room.", "")
		return 0, nil
	}
	a.success(q.op)
	a.raw("<m:SubscriptionId>" + s.id + "</m:SubscriptionId><m:Watermark>" + r.token(watermarkToken, at) + "</m:Watermark>")
	a.end(q.op)
	return 0, nil
}

// renew returns the subscription with an id and makes it last. The code is that
// of the error if there is none.
func (r *Room) renew(id string, now time.Time) (s subscription, code string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	i := slices.IndexFunc(r.subs, func(s subscription) bool { return s.id == id })
	if i < 0 {
		return s, "ErrorSubscriptionNotFound"
	}
	if s = r.subs[i]; !now.Before(s.ends) {
		r.subs = slices.Delete(r.subs, i, i+1)
		return s, "ErrorExpiredSubscription"
	}
	r.subs[i].ends = now.Add(s.timeout)
	return s, ""
}

func getEvents(a *answer, q *request, r *Room) (int, error) {
	a.open(q.op)
	defer a.close(q.op)
	s, code := r.renew(q.subscription, time.Now())
	if code != "" {
		a.fail(q.op, code, "The subscription has ended. Subscribe again.", "")
		return 0, nil
	}
	from, known := r.position(watermarkToken, q.watermark)
	var changes []change
	var last uint64
	if known {
		changes, last, known = r.since(from)
	}
	if !known {
		a.fail(q.op, "ErrorInvalidWatermark", "The Watermark is none of this room or too old. Subscribe again.", "")
		return 0, nil
	}
	changes = slices.DeleteFunc(changes, func(c change) bool { return !s.calendar || c.event&s.events == 0 })
	more := len(changes) > maxEvents
	if more {
		changes = changes[:maxEvents]
	}
	a.success(q.op)
	a.raw("<m:Notification><t:SubscriptionId>" + s.id + "</t:SubscriptionId><t:PreviousWatermark>" + r.token(watermarkToken, from) +
		"</t:PreviousWatermark><t:MoreEvents>")
	a.bool(more)
	a.raw("</t:MoreEvents>")
	now := time.Now()
	for i, c := range changes {
		tag, id, key := "DeletedEvent", c.gone.id, c.gone.key
		if c.entry != nil {
			tag, id, key = "CreatedEvent", c.entry.ID, c.entry.key
			if c.event == modified {
				tag = "ModifiedEvent"
			}
		}
		at := c.seq
		if !more && i == len(changes)-1 {
			at = last // also past changes that were not wanted
		}
		a.raw("<t:" + tag + "><t:Watermark>" + r.token(watermarkToken, at) + "</t:Watermark><t:TimeStamp>")
		a.time(now)
		a.raw("</t:TimeStamp>")
		a.itemID("ItemId", id, key)
		a.raw(`<t:ParentFolderId Id="` + calendarFolder + `" ChangeKey="` + folderKey + `"/></t:` + tag + ">")
	}
	if len(changes) == 0 {
		a.raw("<t:StatusEvent><t:Watermark>" + r.token(watermarkToken, last) + "</t:Watermark></t:StatusEvent>")
	}
	a.raw("</m:Notification>")
	a.end(q.op)
	return 0, nil
}

func unsubscribe(a *answer, q *request, r *Room) (int, error) {
	a.open(q.op)
	defer a.close(q.op)
	r.mu.Lock()
	before := len(r.subs)
	r.subs = slices.DeleteFunc(r.subs, func(s subscription) bool { return s.id == q.subscription })
	found := len(r.subs) < before
	r.mu.Unlock()
	if !found {
		a.fail(q.op, "ErrorSubscriptionNotFound", "There is no such subscription.", "")
		return 0, nil
	}
	a.success(q.op)
	a.end(q.op)
	return 0, nil
}
