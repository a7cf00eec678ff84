// Package readiness says whether a room can get its Join button: whether its
// mailbox keeps what invites say, whether it may be read, whether links arrive
// as they were sent. Every check has a result, a reason and what to do.
//
// What Exchange is set to is known from the report that the script of
// [Scripts.Check] makes. Where nobody has run it, [Infer] reads it off the events
// themselves; such findings say that they are inferred.
//
// The scripts are generated for Exchange Online PowerShell. Their grammar and
// quoting are tested; no real Exchange has run them here.
package readiness

import (
	"cmp"
	"slices"
)

// Result is the outcome of a check.
type Result string

// The outcomes, the worst first.
const (
	Fail    Result = "fail"    // no button, or a leak, until it is fixed
	Warn    Result = "warn"    // works, with a limit that somebody should know
	Unknown Result = "unknown" // could not be checked
	Pass    Result = "pass"
)

// Finding is what one check has found about one thing.
type Finding struct {
	// Check names the check, such as "delete-comments". It is stable.
	Check string `json:"check"`
	// Subject is what was checked: a mailbox, a device, a tenant's domain.
	Subject string `json:"subject"`
	Result  Result `json:"result"`
	// Inferred says that the result was read off events, and not asked for.
	Inferred bool `json:"inferred,omitempty"`
	// Why says what was seen and what it means, in a sentence or two.
	Why string `json:"why"`
	// Fix says what to do, where there is something. Command is a PowerShell or
	// xAPI command that does it.
	Fix     string `json:"fix,omitempty"`
	Command string `json:"command,omitempty"`
	// Fingerprint is the SHA-256, in hexadecimal, of a certificate that a device has
	// shown and that is not trusted: to be compared with what the device itself says
	// of its certificate, and then to be pinned.
	Fingerprint string `json:"fingerprint,omitempty"`
}

// Sort orders findings for people: the worst first, then by subject and check.
func Sort(findings []Finding) {
	rank := func(r Result) int { return slices.Index([]Result{Fail, Warn, Unknown, Pass}, r) }
	slices.SortStableFunc(findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(rank(a.Result), rank(b.Result)), cmp.Compare(a.Subject, b.Subject), cmp.Compare(a.Check, b.Check))
	})
}

// Worst returns the worst result among findings; Pass if there are none.
func Worst(findings []Finding) Result {
	for _, r := range []Result{Fail, Warn, Unknown} {
		if slices.ContainsFunc(findings, func(f Finding) bool { return f.Result == r }) {
			return r
		}
	}
	return Pass
}
