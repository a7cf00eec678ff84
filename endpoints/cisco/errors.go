package cisco

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
	"unicode"

	"github.com/onetouchjoin/onetouchjoin/endpoints/cisco/internal/roomos"
	"github.com/onetouchjoin/onetouchjoin/otj"
)

// ErrTruncated says that the device, or something between, has ended an answer too
// early. The next Show sets right what may have come of the call.
var ErrTruncated = errors.New("the device's answer was cut off")

// CommandError is the refusal of a command by the device: it understood who
// called, and did not do it.
type CommandError struct {
	// Command is as in "Bookings Put".
	Command string
	// Status is what the device calls it: "Error", "ParameterError", or empty
	// where the answer had none.
	Status string
	// Reason and XPath are the device's words; either may be empty.
	Reason, XPath string
}

// Error returns the command and the reason.
func (e *CommandError) Error() string {
	s := e.Command + " refused"
	if e.Status != "" && e.Status != "Error" {
		s += " (" + e.Status + ")"
	}
	if e.Reason != "" {
		s += ": " + e.Reason
	}
	if e.XPath != "" {
		s += " at " + e.XPath
	}
	return s
}

// inTeams reports whether the device is in a mode of another maker.
func (e *CommandError) inTeams() bool {
	r := strings.ToLower(e.Reason)
	return strings.Contains(r, "microsoftteams") || strings.Contains(r, "not available in the current state")
}

// fault is an error with what to do about it.
type fault struct {
	kind  error // a sentinel of package otj
	text  string
	fix   string
	after time.Duration
	cause error // may be nil
	// fingerprint is that of a certificate which is not trusted.
	fingerprint string
	// whole says that text does without the words of kind, which say too much.
	whole bool
}

// CertificateFingerprint returns the SHA-256 of the certificate that was not
// trusted, as Options.Fingerprint takes it, and "" for other faults. Callers find
// the method with [errors.As].
func (f *fault) CertificateFingerprint() string { return f.fingerprint }

func (f *fault) Error() string {
	if f.whole {
		return f.text
	}
	s := f.kind.Error()
	if f.text != "" {
		s += ": " + f.text
	}
	return s
}

func (f *fault) Unwrap() []error {
	if f.cause == nil {
		return []error{f.kind}
	}
	return []error{f.kind, f.cause}
}

const (
	fixPassword = "Check the user name and the password of the device's account, and that the account is active"
	fixRole     = "Give the device's account the role Admin: bookings need it"
	fixMode     = "Check the address, and that NetworkServices HTTP Mode of the device is HTTPS"
	fixTeams    = "The device is in Microsoft Teams Rooms mode, in which it takes no bookings: its meetings come from Teams"
	fixCert     = "Compare the fingerprint with the one that the device shows under its security settings, and pin it if they are the same, or give the authority that signed the certificate; if they differ, somebody may stand between"
	fixNoTLS    = "Check the address and its port, and that NetworkServices HTTP Mode of the device is HTTPS: what answers there may be something else, or a device that is starting"
	fixReach    = "Check that the device is on, its address, that this machine may open a connection to it, and that NetworkServices HTTP Mode of the device is not Off"
	fixWebex    = "Check that this machine reaches Webex, through the proxy if there is one"
	fixProxy    = "A proxy between this machine and Webex may sign certificates itself: give the file with its authority as ca_file"
	fixCut      = "It is tried again. If it stays, look for a proxy or a bad line between, and at the load of the device"
	fixForeign  = `Find out who else writes bookings (TMS, Webex Hybrid Calendar, another One-Touch Join) and stop it, or take the device over: with "take_over": true in a configuration file, or "Overwrite bookings of others" in the control centre`
)

// errPinned is a certificate with another fingerprint, or none.
type errPinned struct{ got string }

func (e *errPinned) Error() string {
	if e.got == "" {
		return "the device has shown no certificate"
	}
	return "the certificate has the SHA-256 fingerprint " + e.got + ", which is not the pinned one"
}

// networkFault says what an error of a connection means.
func networkFault(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var (
		pinned    *errPinned
		verify    *tls.CertificateVerificationError
		authority x509.UnknownAuthorityError
		host      x509.HostnameError
		invalid   x509.CertificateInvalidError
		record    tls.RecordHeaderError
	)
	switch {
	case errors.As(err, &pinned):
		return &fault{kind: otj.ErrCertificate, text: pinned.Error(), fix: fixCert, cause: err, fingerprint: pinned.got}
	case errors.As(err, &verify) && len(verify.UnverifiedCertificates) > 0:
		got := FingerprintOf(verify.UnverifiedCertificates[0])
		return &fault{kind: otj.ErrCertificate, cause: err, fix: fixCert, fingerprint: got,
			text: fmt.Sprintf("%s; its SHA-256 fingerprint is %s", clean(verify.Err.Error()), got)}
	case errors.As(err, &verify), errors.As(err, &authority), errors.As(err, &host), errors.As(err, &invalid):
		return &fault{kind: otj.ErrCertificate, text: clean(err.Error()), fix: fixCert, cause: err}
	case errors.As(err, &record), errors.Is(err, http.ErrSchemeMismatch):
		return &fault{kind: otj.ErrNotDevice, text: "something answers there that does not speak TLS", fix: fixMode, cause: err}
	case errors.Is(err, io.EOF):
		// So does a device that is switched off at this moment.
		return &fault{kind: otj.ErrUnreachable, text: "something took the connection and closed it without an answer: it may not speak TLS", fix: fixNoTLS, cause: err}
	}
	return &fault{kind: otj.ErrUnreachable, text: clean(err.Error()), fix: fixReach, cause: err}
}

// commandFault says what the refusal of a command means.
func commandFault(e *CommandError) error {
	f := &fault{kind: otj.ErrRejected, text: e.Error(), cause: e}
	switch low := strings.ToLower(e.Reason); {
	case strings.Contains(low, "permission denied"), strings.Contains(low, "not authorized"):
		f.kind, f.fix = otj.ErrUnauthorized, fixRole
	case e.inTeams():
		f.fix = fixTeams
	case strings.Contains(low, "unknown command"):
		f.fix = "The software of the device does not know this command: update it"
	case e.Status == "ParameterError":
		f.fix = "The device does not accept one of the values: the reason names which"
	}
	return f
}

// endpointError wraps what went wrong in an otj.EndpointError.
func endpointError(op, name string, err error) error {
	if err == nil {
		return nil
	}
	out := &otj.EndpointError{Op: op, Endpoint: name, Err: err}
	var f *fault
	if errors.As(err, &f) {
		out.Fix, out.RetryAfter = f.fix, f.after
	}
	return out
}

// clean makes a text of the device fit for one line of a log.
func clean(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
	s = strings.TrimSpace(s)
	if len(s) > 300 {
		return strings.ToValidUTF8(s[:300], "") + "…"
	}
	return strings.Clone(s) // not with all that the device has said
}

func busy(after time.Duration, what string) error {
	if after <= 0 {
		after = 2 * time.Second
	}
	return &fault{kind: otj.ErrBusy, text: what, after: after}
}

// cutOff is an answer that ended too early.
func cutOff(cause error) error {
	return &fault{kind: ErrTruncated, text: clean(strings.TrimPrefix(cause.Error(), roomos.ErrTruncated.Error()+": ")), fix: fixCut, cause: cause}
}

func notDevice(format string, args ...any) error {
	return &fault{kind: otj.ErrNotDevice, text: fmt.Sprintf(format, args...), fix: fixMode}
}

// tooLong is an answer of which no more is read.
func tooLong() error { return notDevice("an answer of more than %d MB", maxAnswer>>20) }
