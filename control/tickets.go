package control

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"
)

// A ticket is a link that works once and for a while: for the first sign-in,
// and for consent. The store has only its hash.
type ticket struct {
	Subject string    `json:"subject"` // the ID of what it is for
	Expires time.Time `json:"expires"`
}

const (
	ticketConsent = "consent"
	consentLife   = 7 * 24 * time.Hour
)

// hash names a random secret of at least 128 bits in the store. Such secrets
// need no salt: nobody can list them beforehand.
func hash(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

// ticket makes a ticket and returns its text.
func (ch *change) ticket(purpose, subject string, life time.Duration) (string, error) {
	text := rand.Text()
	data, err := json.Marshal(ticket{subject, ch.now.Add(life)})
	if err != nil {
		return "", fmt.Errorf("ticket: %w", err)
	}
	_, err = ch.Put(Record{Kind: "ticket", ID: hash(purpose + " " + text), Changed: ch.now, Data: data})
	return text, err
}

// endTickets ends the tickets for subject, and those whose time is up.
func (ch *change) endTickets(subject string) error {
	return eachRecord(ch, "ticket", "", func(r Record) error {
		var t ticket
		if err := json.Unmarshal(r.Data, &t); err != nil {
			return fmt.Errorf("ticket: %w", err)
		}
		if t.Subject != subject && ch.now.Before(t.Expires) {
			return nil
		}
		return ch.Delete("ticket", r.ID, r.Revision)
	})
}

// peekTicket returns what a ticket is for, and leaves it.
func peekTicket(tx Tx, purpose, text string) (subject string, err error) {
	r, err := tx.Get("ticket", hash(purpose+" "+text))
	if err != nil {
		return "", err
	}
	var t ticket
	if err := json.Unmarshal(r.Data, &t); err != nil {
		return "", fmt.Errorf("ticket: %w", err)
	}
	if time.Now().After(t.Expires) {
		return "", fmt.Errorf("the ticket has expired: %w", ErrNotFound)
	}
	return t.Subject, nil
}

// useTicket returns what a ticket is for, and ends it.
func (ch *change) useTicket(purpose, text string) (subject string, err error) {
	if subject, err = peekTicket(ch, purpose, text); err != nil {
		return "", err
	}
	r, err := ch.Get("ticket", hash(purpose+" "+text))
	if err != nil {
		return "", err
	}
	return subject, ch.Delete("ticket", r.ID, r.Revision)
}
