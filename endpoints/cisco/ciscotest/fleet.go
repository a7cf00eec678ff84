package ciscotest

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"time"
)

// Fleet is many devices behind one listener, for measurements. The address that
// is called says which device is meant: the first has 127.1.0.0, the next one
// more. Only systems on which all of 127.0.0.0/8 is loopback, such as Linux,
// can reach them all. They share a certificate, and the account of the first.
type Fleet struct {
	Devices []*Device
	port    int
	server  *http.Server
	cert    *Device
}

// StartFleet starts n devices.
func StartFleet(n int, opts *Options) (*Fleet, error) {
	o := Options{}
	if opts != nil {
		o = *opts
	}
	f := &Fleet{Devices: make([]*Device, n)}
	handlers := make([]http.Handler, n)
	for i := range f.Devices {
		name := o
		name.Name = fmt.Sprintf("Room %d", i)
		if i > 0 {
			name.User, name.Password = f.Devices[0].User(), f.Devices[0].Password()
		}
		f.Devices[i] = New(&name)
		handlers[i] = f.Devices[i].Handler()
	}
	f.cert = New(nil)
	if err := f.cert.RenewCertificate(); err != nil {
		return nil, err
	}
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp4", "0.0.0.0:0")
	if err != nil {
		return nil, err
	}
	f.port = l.Addr().(*net.TCPAddr).Port
	f.server = &http.Server{
		ReadHeaderTimeout: 10 * time.Second,
		ErrorLog:          log.New(io.Discard, "", 0),
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			a, ok := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr)
			ip := a.IP.To4()
			if i := int(ip[2])<<8 | int(ip[3]); ok && ip[0] == 127 && ip[1] == 1 && i < n {
				handlers[i].ServeHTTP(w, r)
				return
			}
			http.NotFound(w, r)
		}),
	}
	go f.server.Serve(tls.NewListener(l, &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{*f.cert.certs.Load()}})) //nolint:errcheck // it ends with Close
	return f, nil
}

// Addr is the host and port of a device.
func (f *Fleet) Addr(i int) string { return fmt.Sprintf("127.1.%d.%d:%d", i>>8, i&255, f.port) }

// Fingerprint is that of the certificate of all devices.
func (f *Fleet) Fingerprint() string { return f.cert.Fingerprint() }

// Close ends the fleet.
func (f *Fleet) Close() error { return f.server.Close() }
