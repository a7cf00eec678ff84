// Simulated-cisco puts five simulated Cisco devices on this machine, one for each
// way by which a device gets its meetings, and writes a folder with a
// configuration of otj serve for them. It is for trying docs/cisco.md without
// hardware; the devices' screens are on a web page.
package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/onetouchjoin/onetouchjoin/endpoints/cisco/ciscotest"
)

func main() {
	dir := flag.String("dir", "try-cisco", "the `folder` for the configuration; it is made")
	page := flag.String("page", "127.0.0.1:9440", "the `address` of the page with the screens")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *dir, *page, os.Stdout); err != nil {
		log.Fatal(err)
	}
}

// site is where the devices find otj serve.
const site = "127.0.0.1:8443"

// The devices, and what each is there for.
var rooms = []struct{ name, way string }{
	{"Push", "HTTPS push"}, {"Socket", "WebSocket"}, {"Cloud", "Webex cloud"}, {"Macro", "macro"}, {"Manager", "External Manager"},
}

const botToken = "a-bot-token"

func run(ctx context.Context, dir, page string, out io.Writer) error {
	for _, d := range []string{dir, filepath.Join(dir, "state")} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return err
		}
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	devices := map[string]*ciscotest.Device{}
	for _, r := range rooms {
		d := ciscotest.New(&ciscotest.Options{Name: r.name})
		if err := d.Start(""); err != nil {
			return err
		}
		defer d.Close()
		devices[r.name] = d
	}
	cert, pool, err := selfSigned(dir)
	if err != nil {
		return err
	}
	// Webex, with one device.
	cloud := ciscotest.NewCloud(botToken, "")
	cloud.Add("simulated-device", devices["Cloud"])
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12})
	if err != nil {
		return err
	}
	serve(ctx, &wg, l, cloud)
	if err := write(dir, devices, l.Addr().String()); err != nil {
		return err
	}
	devices["Manager"].Trust(pool)
	wg.Go(func() { callManager(ctx, devices["Manager"]) })
	wg.Go(func() {
		runMacro(ctx, devices["Macro"], filepath.Join(dir, "otj.js"), filepath.Join(dir, "site.crt"), out)
	})

	pl, err := new(net.ListenConfig).Listen(ctx, "tcp", page)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("GET /{$}", screens(devices))
	mux.Handle("POST /{device}/{trouble}", trouble(devices))
	serve(ctx, &wg, pl, mux)
	fmt.Fprintf(out, "Five simulated devices are on. Their screens: http://%s/\nThe configuration is %s. In another terminal:\n\n  otj serve --config %[2]s\n\ndocs/cisco.md has what to do for each device. Ctrl-C ends.\n", pl.Addr(), filepath.Join(dir, "otj.json"))
	<-ctx.Done()
	return nil
}

// serve serves until ctx is done.
func serve(ctx context.Context, wg *sync.WaitGroup, l net.Listener, h http.Handler) {
	srv := &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second}
	context.AfterFunc(ctx, func() { srv.Close() })
	wg.Go(func() {
		if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			log.Print(err)
		}
	})
}

const configFile = `{
  "poll": "5s",
  "listen": "127.0.0.1:8080",
  "calendars": {"all": {"type": "ics-file", "path": "calendar.ics"}},
  "site": {"listen": %[1]q, "url": "https://%[1]s", "cert_file": "site.crt", "key_file": "site.key", "state": "state"},
  "webex": {"house": {"base_url": "https://%[2]s/v1", "ca_file": "site.crt", "token": %[3]q}},
  "rooms": [
    {"name": "Push", "calendar": "all", "device": {"type": "cisco", "via": "https", "address": %[4]q, "username": %[5]q, "password": %[6]q, "fingerprint": %[7]q}},
    {"name": "Socket", "calendar": "all", "device": {"type": "cisco", "via": "websocket", "address": %[8]q, "username": %[9]q, "password": %[10]q, "fingerprint": %[11]q}},
    {"name": "Cloud", "calendar": "all", "device": {"type": "cisco", "via": "cloud", "address": "simulated-device", "webex": "house"}},
    {"name": "Macro", "calendar": "all", "device": {"type": "cisco", "via": "macro", "id": "macro"}},
    {"name": "Manager", "calendar": "all", "device": {"type": "cisco", "via": "tms", "password": %[12]q, "serial": %[13]q}},
  ],
}
`

// managerPath is the secret of the device that calls its External Manager.
const managerPath = "a-long-random-path-of-its-own"

func write(dir string, devices map[string]*ciscotest.Device, cloud string) error {
	p, s := devices["Push"], devices["Socket"]
	text := fmt.Sprintf(configFile, site, cloud, botToken, p.Addr(), p.User(), p.Password(), p.Fingerprint(), s.Addr(), s.User(), s.Password(), s.Fingerprint(), managerPath, devices["Manager"].Serial())
	start := time.Now().UTC().Truncate(time.Minute)
	const utc = "20060102T150405Z"
	var cal strings.Builder
	cal.WriteString("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//example//EN\r\n")
	for i, m := range []struct{ title, place string }{
		{"Weekly planning", "https://us02web.zoom.us/j/81177003344?pwd=aW5vdGFsaW5r.1"}, {"Design review", "sip:design@vc.example.com"}, {"Lunch", "Canteen"},
	} {
		fmt.Fprintf(&cal, "BEGIN:VEVENT\r\nUID:%d@example.com\r\nDTSTAMP:%[2]s\r\nDTSTART:%[2]s\r\nDURATION:PT45M\r\nSUMMARY:%s\r\nLOCATION:%s\r\nORGANIZER;CN=Ines Calder:mailto:ines@example.com\r\nEND:VEVENT\r\n",
			i, start.Add(time.Duration(i)*time.Hour+3*time.Minute).Format(utc), m.title, m.place)
	}
	cal.WriteString("END:VCALENDAR\r\n")
	return errors.Join(os.WriteFile(filepath.Join(dir, "otj.json"), []byte(text), 0o600), os.WriteFile(filepath.Join(dir, "calendar.ics"), []byte(cal.String()), 0o600))
}

// callManager calls as a device does that was given an External Manager.
func callManager(ctx context.Context, d *ciscotest.Device) {
	event := "Boot"
	for {
		if _, err := d.CallManager(ctx, "https://"+site+"/tms/"+managerPath, event, true); err == nil {
			event = "Beat"
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(5 * time.Second):
		}
	}
}

// runMacro runs the macro as soon as somebody has put it into the folder.
func runMacro(ctx context.Context, d *ciscotest.Device, path, ca string, out io.Writer) {
	// Node takes the authority from the environment.
	if err := os.Setenv("NODE_EXTRA_CA_CERTS", ca); err != nil {
		log.Print(err)
		return
	}
	var before, running string
	var m *ciscotest.Macro
	defer func() {
		if m != nil {
			_ = m.Stop() // the program ends
		}
	}()
	for {
		source, err := os.ReadFile(path)
		// What is still being written is not run.
		if whole := string(source) == before; err == nil && whole && before != running {
			if running = before; m != nil {
				_ = m.Stop() // another one takes its place
			}
			if m, err = d.RunMacro(ctx, running, &ciscotest.MacroOptions{Stderr: out}); err != nil {
				fmt.Fprintln(out, err)
				m = nil
			} else {
				fmt.Fprintln(out, "The device Macro runs the macro.")
			}
		}
		before = string(source)
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Second):
		}
	}
}

// troubles are what can befall a device.
var troubles = map[string]func(*ciscotest.Device){
	"reboot":       (*ciscotest.Device).Reboot, // without its bookings
	"foreign":      func(d *ciscotest.Device) { d.WriteForeign() },
	"user":         func(d *ciscotest.Device) { d.SetAccount(d.User(), d.Password(), ciscotest.User) },
	"admin":        func(d *ciscotest.Device) { d.SetAccount(d.User(), d.Password(), ciscotest.Admin) },
	"unplug":       (*ciscotest.Device).Unplug,
	"plug":         (*ciscotest.Device).Plug,
	"no-websocket": func(d *ciscotest.Device) { d.SetConfig("NetworkServices/Websocket", "Off") },
}

// trouble lets one of the troubles befall a device.
func trouble(devices map[string]*ciscotest.Device) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		d, befall := devices[r.PathValue("device")], troubles[r.PathValue("trouble")]
		if d == nil || befall == nil {
			http.NotFound(w, r)
			return
		}
		befall(d)
		fmt.Fprintf(w, "%s: %s\n", d.Name(), r.PathValue("trouble"))
	})
}

// screens shows what is on all devices, as text that is loaded again by itself.
func screens(devices map[string]*ciscotest.Device) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Header().Set("Refresh", "2")
		for _, r := range rooms {
			fmt.Fprintf(w, "== %s (%s)\n%s\n", r.name, r.way, devices[r.name].Panel(time.Now()))
		}
	})
}

// selfSigned writes a certificate for this machine into the folder.
func selfSigned(dir string) (cert tls.Certificate, pool *x509.CertPool, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return cert, nil, err
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "simulated"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(0, 1, 0), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		return cert, nil, err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return cert, nil, err
	}
	crt := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	pk := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})
	err = errors.Join(os.WriteFile(filepath.Join(dir, "site.crt"), crt, 0o600), os.WriteFile(filepath.Join(dir, "site.key"), pk, 0o600))
	if err != nil {
		return cert, nil, err
	}
	pool = x509.NewCertPool()
	pool.AppendCertsFromPEM(crt)
	cert, err = tls.X509KeyPair(crt, pk)
	return cert, pool, err
}
