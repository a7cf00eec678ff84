package ciscotest

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/onetouchjoin/onetouchjoin/endpoints/cisco/internal/roomos"
)

// serving is a device's side of the network.
type serving struct {
	unplugged  atomic.Bool
	background sync.WaitGroup

	netMu  sync.Mutex
	server *http.Server
	addr   string
	certs  atomic.Pointer[tls.Certificate]
	conns  map[net.Conn]bool
	trust  *x509.CertPool
	stops  []func()
}

// maxBody is how much of a request the device reads.
const maxBody = 4 << 20

// Start puts the device on the network, over HTTPS and WebSocket, with a
// certificate that it has signed itself. addr is a host and port; empty is a
// free port of the loopback address. Close ends it.
func (d *Device) Start(addr string) error {
	if addr == "" {
		addr = "127.0.0.1:0"
	}
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", addr)
	if err != nil {
		return err
	}
	return d.StartOn(l)
}

// StartOn is Start on a listener, which Close closes. The network may be one
// within the program.
func (d *Device) StartOn(l net.Listener) error {
	if d.certs.Load() == nil {
		if err := d.RenewCertificate(); err != nil {
			l.Close()
			return err
		}
	}
	d.netMu.Lock()
	defer d.netMu.Unlock()
	if d.server != nil {
		l.Close()
		return errors.New("the device is already on the network")
	}
	d.addr = l.Addr().String()
	// A connection that became a WebSocket is no longer the server's to end.
	life, end := context.WithCancel(context.Background())
	d.stops = append(d.stops, end)
	d.server = &http.Server{
		Handler:           d.Handler(),
		BaseContext:       func(net.Listener) context.Context { return life },
		ReadHeaderTimeout: 10 * time.Second,
		ErrorLog:          log.New(io.Discard, "", 0),
	}
	tl := tls.NewListener(&pluggable{l, d}, &tls.Config{
		MinVersion:     tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return d.certs.Load(), nil },
	})
	srv := d.server
	d.background.Go(func() { srv.Serve(tl) }) //nolint:errcheck // it ends with Close
	return nil
}

// Addr is the host and port of the device once it was started.
func (d *Device) Addr() string {
	d.netMu.Lock()
	defer d.netMu.Unlock()
	return d.addr
}

// Close takes the device off the network.
func (d *Device) Close() error {
	d.Plug()
	d.netMu.Lock()
	srv, stops := d.server, d.stops
	d.server, d.stops = nil, nil
	d.netMu.Unlock()
	for _, stop := range stops {
		stop()
	}
	var err error
	if srv != nil {
		err = srv.Close()
	}
	d.drop()
	d.background.Wait()
	return err
}

// RenewCertificate gives the device another self-signed certificate.
func (d *Device) RenewCertificate() error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	t := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()),
		Subject:      pkix.Name{CommonName: d.opts.Name},
		NotBefore:    time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(10, 0, 0),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		DNSNames:    []string{"localhost"},
		IsCA:        true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, t, t, key.Public(), key)
	if err != nil {
		return err
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return err
	}
	d.certs.Store(&tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf})
	d.drop()
	return nil
}

// Certificate is the device's certificate, once it was started.
func (d *Device) Certificate() *x509.Certificate {
	if c := d.certs.Load(); c != nil {
		return c.Leaf
	}
	return nil
}

// Fingerprint is the SHA-256 of the device's certificate in hexadecimal.
func (d *Device) Fingerprint() string {
	c := d.Certificate()
	if c == nil {
		return ""
	}
	sum := sha256.Sum256(c.Raw)
	return hex.EncodeToString(sum[:])
}

// Trust makes the device trust servers by these authorities when it calls out,
// instead of those of the machine.
func (d *Device) Trust(pool *x509.CertPool) {
	d.netMu.Lock()
	defer d.netMu.Unlock()
	d.trust = pool
}

// client is what the device calls out with.
func (d *Device) client() *http.Client {
	d.netMu.Lock()
	defer d.netMu.Unlock()
	return &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{
		DisableKeepAlives: true,
		TLSClientConfig:   &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: d.trust},
	}}
}

// drop closes all connections.
func (d *Device) drop() {
	d.netMu.Lock()
	defer d.netMu.Unlock()
	for c := range d.conns {
		c.Close()
	}
}

// pluggable is a listener whose connections can be dropped.
type pluggable struct {
	net.Listener
	d *Device
}

func (l *pluggable) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if l.d.unplugged.Load() {
			c.Close()
			continue
		}
		l.d.netMu.Lock()
		if l.d.conns == nil {
			l.d.conns = map[net.Conn]bool{}
		}
		l.d.conns[c] = true
		l.d.netMu.Unlock()
		return &tracked{Conn: c, d: l.d}, nil
	}
}

type tracked struct {
	net.Conn
	d *Device
}

func (c *tracked) Close() error {
	c.d.netMu.Lock()
	delete(c.d.conns, c.Conn)
	c.d.netMu.Unlock()
	return c.Conn.Close()
}

// Handler serves the device's API, for servers of the caller's own.
func (d *Device) Handler() http.Handler {
	mux := http.NewServeMux()
	if !d.opts.NoSessions {
		mux.HandleFunc("POST /xmlapi/session/begin", d.sessionBegin)
		mux.HandleFunc("POST /xmlapi/session/end", d.authorized(d.sessionEnd))
	}
	mux.HandleFunc("POST /putxml", d.authorized(d.putxml))
	mux.HandleFunc("GET /getxml", d.authorized(d.getxml))
	mux.HandleFunc("POST /bookingsputxml", d.authorized(d.bookingsputxml))
	mux.HandleFunc("/ws", d.socket)
	mux.HandleFunc("GET /panel", d.panel)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !d.wait(r.Context().Done()) {
			return
		}
		d.mu.Lock()
		fault, off := d.fault, d.config["NetworkServices/HTTP/Mode"] == "Off"
		d.mu.Unlock()
		switch {
		case r.URL.Path == "/panel":
		case off:
			panic(http.ErrAbortHandler)
		case fault == FaultSignInPage:
			io.WriteString(w, "<!DOCTYPE html><html><head><title>Sign in</title></head><body><form action=\"/web/signin\"><input name=\"username\"></form></body></html>")
			return
		case fault == FaultRedirect:
			http.Redirect(w, r, "/web/signin?return="+r.URL.Path, http.StatusFound)
			return
		case fault == FaultNotDevice:
			http.NotFound(w, r)
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		mux.ServeHTTP(w, r)
	})
}

type handler func(w http.ResponseWriter, r *http.Request, role Role)

// authorized lets those through who have a session, or say who they are.
func (d *Device) authorized(next handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		user, kind := "", 0
		if c, err := r.Cookie("SecureSessionId"); err == nil {
			d.mu.Lock()
			user = d.sessions[c.Value]
			d.mu.Unlock()
			kind = 1
		}
		if user == "" {
			kind = 0
		}
		if !d.admit(r.Context().Done(), kind) {
			http.Error(w, "Service Unavailable", http.StatusServiceUnavailable)
			return
		}
		var role Role
		if user != "" {
			d.mu.Lock()
			role = d.accounts[user].role
			d.mu.Unlock()
		} else {
			name, password, ok := r.BasicAuth()
			var err error
			if role, err = d.login(name, password); !ok || err != nil {
				unauthorized(w)
				return
			}
		}
		d.mu.Lock()
		if d.stats.inPut++; d.stats.inPut > 1 {
			d.stats.Overlaps++
		}
		d.mu.Unlock()
		defer func() {
			d.mu.Lock()
			d.stats.inPut--
			d.mu.Unlock()
		}()
		next(w, r, role)
	}
}

func unauthorized(w http.ResponseWriter) {
	w.Header().Set("WWW-Authenticate", `Basic realm="TANDBERG"`)
	http.Error(w, "Unauthorized", http.StatusUnauthorized)
}

func (d *Device) sessionBegin(w http.ResponseWriter, r *http.Request) {
	if !d.admit(r.Context().Done(), 0) {
		http.Error(w, "Service Unavailable", http.StatusServiceUnavailable)
		return
	}
	user, password, ok := r.BasicAuth()
	if _, err := d.login(user, password); !ok || err != nil {
		unauthorized(w)
		return
	}
	id := rand.Text()
	d.mu.Lock()
	d.sessions[id] = user
	d.mu.Unlock()
	http.SetCookie(w, &http.Cookie{Name: "SecureSessionId", Value: id, Path: "/", Secure: true, HttpOnly: true})
	w.WriteHeader(http.StatusNoContent)
}

func (d *Device) sessionEnd(w http.ResponseWriter, r *http.Request, _ Role) {
	if c, err := r.Cookie("SecureSessionId"); err == nil {
		d.mu.Lock()
		delete(d.sessions, c.Value)
		d.mu.Unlock()
	}
	w.WriteHeader(http.StatusNoContent)
}

// Sessions is how many sessions are open.
func (d *Device) Sessions() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.sessions)
}

// answer writes a document, as broken as the fault makes it.
func (d *Device) answer(w http.ResponseWriter, done <-chan struct{}, root *roomos.Node) {
	d.mu.Lock()
	fault, product, version := d.fault, d.status["SystemUnit/ProductId"], d.status["SystemUnit/Software/Version"]
	d.mu.Unlock()
	var b bytes.Buffer
	b.WriteString("<?xml version=\"1.0\"?>\n")
	if fault == FaultEmptyCommand && root.Name == "Command" {
		root.Kids = nil
	}
	writeXML(&b, root)
	out := b.Bytes()
	if root.Name == "Status" {
		out = bytes.Replace(out, []byte("<Status"), fmt.Appendf(nil, "<Status product=%q version=%q apiVersion=\"4\"", product, version), 1)
	}
	w.Header().Set("Content-Type", "text/xml")
	switch fault {
	case FaultTruncated:
		out = out[:len(out)/2]
	case FaultCutOff:
		w.Header().Set("Content-Length", strconv.Itoa(len(out)))
		w.Write(out[:len(out)/2])
		http.NewResponseController(w).Flush() //nolint:errcheck // the connection ends
		panic(http.ErrAbortHandler)
	case FaultSlow:
		for i := range out {
			w.Write(out[i : i+1])
			http.NewResponseController(w).Flush() //nolint:errcheck // seen below
			if !pause(done, time.Second) {
				return
			}
		}
		return
	case FaultControlBytes:
		out = bytes.ReplaceAll(out, []byte("><"), []byte(">\x01\x05<"))
	case FaultEndless:
		chunk := []byte(strings.Repeat("<Filler>x</Filler>", 1000))
		w.Write([]byte("<Command>"))
		for {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	}
	w.Write(out)
}

func (d *Device) getxml(w http.ResponseWriter, r *http.Request, _ Role) {
	parts := strings.Split(strings.Trim(r.URL.Query().Get("location"), "/"), "/")
	if parts[0] != "Status" && parts[0] != "Configuration" {
		d.answer(w, r.Context().Done(), &roomos.Node{Name: "Result", Status: "Error", Kids: []*roomos.Node{{Name: "Reason", Text: "No match on address expression"}}})
		return
	}
	d.answer(w, r.Context().Done(), d.tree(parts[0], parts[1:]))
}

func (d *Device) putxml(w http.ResponseWriter, r *http.Request, role Role) {
	root, ok := readXML(w, r)
	if !ok {
		return
	}
	switch root.Name {
	case "Command":
		out := &roomos.Node{Name: "Command"}
		for _, cmd := range leaves(root, nil) {
			res := d.run(role, cmd.path, cmd.args, cmd.body)
			if res.denied {
				http.Error(w, "Forbidden", http.StatusForbidden)
				return
			}
			out.Kids = append(out.Kids, res.node())
		}
		d.answer(w, r.Context().Done(), out)
	case "Configuration":
		for _, set := range values(root, nil) {
			if res := d.setConfig(role, set.path, set.value); res.status != "OK" {
				d.answer(w, r.Context().Done(), &roomos.Node{Name: "Configuration", Status: "Error", Kids: []*roomos.Node{{Name: "Reason", Text: res.reason}, {Name: "XPath", Text: res.xpath}}})
				return
			}
		}
		d.answer(w, r.Context().Done(), &roomos.Node{Name: "Configuration", Kids: []*roomos.Node{{Name: "Success"}}})
	default:
		http.Error(w, "Bad Request", http.StatusBadRequest)
	}
}

func readXML(w http.ResponseWriter, r *http.Request) (*roomos.Node, bool) {
	data, err := io.ReadAll(r.Body)
	if err == nil {
		var root *roomos.Node
		if root, err = roomos.ParseXML(data); err == nil {
			return root, true
		}
	}
	http.Error(w, "Bad Request", http.StatusBadRequest)
	return nil, false
}

func (d *Device) bookingsputxml(w http.ResponseWriter, r *http.Request, role Role) {
	if role != Admin {
		http.Error(w, "Forbidden", http.StatusForbidden)
		return
	}
	d.mu.Lock()
	teams, refuse := d.teams, d.fault == FaultRefuse || d.fault == FaultParameter
	d.mu.Unlock()
	root, ok := readXML(w, r)
	if !ok {
		return
	}
	bookings, err := parseLegacy(root)
	if err != nil || teams || refuse {
		http.Error(w, "Bad Request", http.StatusBadRequest)
		return
	}
	d.replace(bookings)
	d.mu.Lock()
	d.stats.Legacy++
	d.mu.Unlock()
	w.Header().Set("Content-Type", "text/xml")
	io.WriteString(w, "<success />")
}

type call struct {
	path []string
	args arguments
	body string
}

// leaves returns the commands of a document. The path of a command ends where
// the list of commands knows it, or where an element has no elements.
func leaves(n *roomos.Node, path []string) []call {
	var out []call
	for _, k := range n.Kids {
		p := append(path[:len(path):len(path)], k.Name)
		_, known := roomos.Find(strings.Join(p, " "))
		inner := len(k.Kids) > 0 && len(k.Kids[0].Kids) > 0
		if !known && (inner || len(p) < 2 && len(k.Kids) > 0) {
			out = append(out, leaves(k, p)...)
			continue
		}
		c := call{path: p, args: arguments{}}
		for _, a := range k.Kids {
			if a.Name == "body" {
				c.body = a.Text
			} else {
				c.args[a.Name] = append(c.args[a.Name], a.Text)
			}
		}
		out = append(out, c)
	}
	return out
}

type setting struct {
	path  []string
	value string
}

func values(n *roomos.Node, path []string) []setting {
	var out []setting
	for _, k := range n.Kids {
		p := append(path[:len(path):len(path)], k.Name)
		if len(k.Kids) == 0 {
			out = append(out, setting{p, strings.TrimSpace(k.Text)})
		} else {
			out = append(out, values(k, p)...)
		}
	}
	return out
}
