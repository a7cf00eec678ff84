package control

import (
	"bytes"
	"encoding/json"
	"net/url"
	"strings"
)

// Addresses that are as good as a password: whoever knows that of an iCalendar
// feed may read the calendars, and what is behind the host of a webhook may let
// anybody post there. Only those who may configure see them whole. Others, and the
// audit log, have the host.

// concealed stands for what is not shown of an address.
const concealed = "/…"

// another marks, in the audit log, an address of the same host whose rest has
// changed.
const another = " (another)"

// concealAddress leaves of an address its scheme and host.
func concealAddress(address string) string {
	u, err := url.Parse(strings.ReplaceAll(address, "{mailbox}", "mailbox"))
	switch {
	case address == "":
		return ""
	case err != nil || u.Host == "":
		return concealed
	}
	return u.Scheme + "://" + u.Host + concealed
}

// isConcealed reports whether an address is what somebody sees who may not see it
// whole: it must not be stored in its place.
func isConcealed(address string) bool { return strings.Contains(address, concealed) }

// withAddress is an object with an address that is concealed.
type withAddress interface{ address() *string }

func (p *Provider) address() *string  { return &p.URL }
func (s *System) address() *string    { return &s.URL }
func (h *AlarmHook) address() *string { return &h.URL }

// concealFrom leaves of an object what the actor may see of it.
func concealFrom[T any, P object[T]](v *T, actor Actor, o Org) {
	if w, ok := any(P(v)).(withAddress); ok && !actor.may(Configure, o) {
		*w.address() = concealAddress(*w.address())
	}
}

// concealInLog takes the addresses out of the states of an object, and of a token
// its hash.
func concealInLog[T any, P object[T]](before, after json.RawMessage) (json.RawMessage, json.RawMessage) {
	if _, ok := any(new(T)).(*Token); ok {
		return withoutHash(before), withoutHash(after)
	}
	if _, ok := any(P(new(T))).(withAddress); !ok {
		return before, after
	}
	b, was := concealMember(before)
	a, is := concealMember(after)
	if was != is && bytes.Equal(b["url"], a["url"]) && is != "" {
		a["url"], _ = json.Marshal(concealAddress(is) + another)
	}
	return encoded(before, b), encoded(after, a)
}

func withoutHash(state json.RawMessage) json.RawMessage {
	var members map[string]json.RawMessage
	if json.Unmarshal(state, &members) != nil {
		return state
	}
	delete(members, "hash")
	return encoded(state, members)
}

func concealMember(state json.RawMessage) (members map[string]json.RawMessage, address string) {
	if json.Unmarshal(state, &members) != nil || json.Unmarshal(members["url"], &address) != nil {
		return members, ""
	}
	members["url"], _ = json.Marshal(concealAddress(address)) // a string always encodes
	return members, address
}

// encoded writes the members of a state again; one that is missing stays so.
func encoded(state json.RawMessage, members map[string]json.RawMessage) json.RawMessage {
	if state == nil || members == nil {
		return state
	}
	out, err := json.Marshal(members)
	if err != nil {
		return nil // raw members that were just read always encode
	}
	return out
}
