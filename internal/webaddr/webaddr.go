// Package webaddr is about the addresses of the web: how errors are kept from
// repeating them, and which are those of this machine.
package webaddr

import (
	"errors"
	"net/netip"
	"net/url"
	"strings"
)

// errRedirect stands for net/http's error of a Location that it cannot read.
var errRedirect = errors.New("it redirects to an address that is not valid")

// Cause returns what has gone wrong in a call of an http.Client, without the
// address of the call, which may be as good as a password. Other errors it
// returns as they are.
func Cause(err error) error {
	if ue := (*url.Error)(nil); errors.As(err, &ue) {
		err = ue.Err
	}
	// net/http reads the Location of every redirect, also where none is followed,
	// and repeats it; whoever answers may have put the address of the call there.
	if err != nil && strings.Contains(err.Error(), "Location header") {
		return errRedirect
	}
	return err
}

// IsLocal reports whether a host is this machine, for itself alone: "localhost" or
// a loopback address, without port and brackets.
func IsLocal(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.Unmap().IsLoopback()
}
