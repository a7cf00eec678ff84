package control

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
)

// AuditEntry is one change that somebody made. It has no secrets: objects have
// none.
type AuditEntry struct {
	Meta
	Org     string    `json:"org"` // the organization that the object belongs to
	When    time.Time `json:"when"`
	UserID  string    `json:"user_id"`
	User    string    `json:"user"`    // the e-mail address at that time
	Address string    `json:"address"` // network address of the call
	// Object is the kind of what was changed, such as "system"; ObjectID and Name
	// say which one.
	Object   string `json:"object"`
	ObjectID string `json:"object_id"`
	Name     string `json:"name"`
	// What is "created", "changed", "deleted", or another verb for what is no
	// change of an object.
	What string `json:"what"`
	// Before and After are the object as JSON; one of them may be missing.
	Before json.RawMessage `json:"before,omitempty"`
	After  json.RawMessage `json:"after,omitempty"`
}

func (e *AuditEntry) meta() *Meta { return &e.Meta }

// place orders entries by time, the newest first: the key counts down.
func (e *AuditEntry) place() (kind, owner, key string) {
	return "audit", e.Org, fmt.Sprintf("%016x-%s", ^uint64(e.When.UnixMicro()), e.ID)
}

// log records a change of an object.
func (ch *change) log(kind, id, owner, name string, before, after json.RawMessage) error {
	if kind == "org" && after != nil {
		owner = id // an organization's own log has its changes, and the partner's its end
	}
	what := "changed"
	switch {
	case before == nil:
		what = "created"
	case after == nil:
		what = "deleted"
	}
	return ch.write(AuditEntry{Org: owner, Object: kind, ObjectID: id, Name: name, What: what, Before: before, After: after})
}

// note records something that is no change of an object.
func (ch *change) note(org, object, id, name, what string) error {
	return ch.write(AuditEntry{Org: org, Object: object, ObjectID: id, Name: name, What: what})
}

// note is the same in a transaction of its own. The running service need not hear
// of it.
func (c *Centre) note(ctx context.Context, actor Actor, org, object, id, name, what string) error {
	return c.store.Update(ctx, func(tx Tx) error {
		return c.as(tx, actor).note(org, object, id, name, what)
	})
}

func (ch *change) write(e AuditEntry) error {
	e.ID, e.When, e.Created, e.Changed = newID(), ch.now, ch.now, ch.now
	e.UserID, e.User, e.Address = ch.actor.User.ID, ch.actor.User.Email, ch.actor.Address
	data, err := json.Marshal(&e)
	if err != nil {
		return fmt.Errorf("audit log: %w", err)
	}
	kind, owner, key := e.place()
	_, err = ch.Put(Record{Kind: kind, ID: e.ID, Owner: owner, Key: key, Changed: ch.now, Data: data})
	return err
}

// Audit returns the changes in an organization, the newest first.
func (c *Centre) Audit(ctx context.Context, actor Actor, org, after string, limit int) (p Page[AuditEntry], err error) {
	err = c.store.View(ctx, func(tx Tx) error {
		if _, err := actor.org(tx, org, ReadAudit); err != nil {
			return err
		}
		p, err = page[AuditEntry](tx, org, after, limit)
		return err
	})
	return p, err
}
