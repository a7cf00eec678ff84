//go:build otjbench

package rules

import "github.com/onetouchjoin/onetouchjoin/calendar"

// ScanBody runs the first stage alone: it finds the links and addresses in a
// body, takes what gateways made of them away, and matches the rules of the
// default pack. It reads no text and ranks nothing. It returns how much it
// found.
//
// It exists only with the build tag otjbench, for package internal/bench.
func (e *Engine) ScanBody(s string, html bool) int {
	sc := e.get(&noEvent)
	sc.scan(e.table, s, html, FieldBody, "")
	n := len(sc.found)
	e.put(sc)
	return n
}

var noEvent calendar.Event
