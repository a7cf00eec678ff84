// Package ciscotest simulates Cisco RoomOS room devices, for tests of programs
// that give them their meetings.
//
// A [Device] keeps bookings as a device does, accepts what its software version
// accepts, and answers over HTTPS, WebSocket and SSH. It can restart, lose its
// bookings, be written to by another system and fail in the ways in which
// devices and their networks fail. [Device.Screen] and [Device.Panel] say what
// the room sees.
//
//	d := ciscotest.New(nil)
//	if err := d.Start(""); err != nil {
//		return err
//	}
//	defer d.Close()
//	ep, err := cisco.New(d.Addr(), cisco.Password{User: d.User(), Password: calendar.Secret(d.Password())},
//		&cisco.Options{Fingerprint: d.Fingerprint()})
//
// The device is made from Cisco's public documentation and from what public
// programs send. It has not been compared with hardware.
package ciscotest

import (
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/onetouchjoin/onetouchjoin/endpoints/cisco/internal/roomos"
)

// Options say what a device is. The zero value of a field is its default.
type Options struct {
	// Name is the device's name. Default "Room".
	Name string
	// Version is the software version. Default "ce11.14.4.0.simulated".
	Version string
	// Product is the product platform. Default "Room Kit Pro".
	Product string
	// User and Password are those of its administrator. Default "admin" and a
	// random password.
	User, Password string
	// Serial and MAC identify the device. Default made from Name.
	Serial, MAC string
	// OnPremises says that the device is not registered with Webex.
	OnPremises bool
	// TeamsRooms says that the device is in Microsoft Teams Rooms mode.
	TeamsRooms bool
	// Capacity is how many bookings it accepts in one call; 0 is any number.
	Capacity int
	// Skew is how far its clock is ahead.
	Skew time.Duration
	// NoSessions says that it knows no sessions: every call has the password.
	NoSessions bool
	// NoRateLimit leaves the rate limit out. With it calls above the rate wait in
	// a queue, and those for which the queue has no room get 503.
	NoRateLimit bool
}

// Fault is a way in which a device, or what stands before it, fails.
type Fault int

// The faults.
const (
	FaultNone         Fault = iota
	FaultBusy               // 503 to everything
	FaultRefuse             // Bookings Put has the status Error
	FaultParameter          // Bookings Put has the status ParameterError, on Number
	FaultEmptyCommand       // commands are answered by an empty <Command/>
	FaultSignInPage         // a sign-in page with status 200
	FaultRedirect           // a redirect to /web/signin
	FaultNotDevice          // a web page that has nothing to do with a device
	FaultTruncated          // half an answer, as if that were all
	FaultCutOff             // the connection ends within the answer
	FaultSlow               // a byte a second
	FaultControlBytes       // control bytes within the XML
	FaultEndless            // an answer without end
	FaultEcho               // Bookings Put has the status Error, and repeats what was put
)

// Role is what an account may do.
type Role int

// The roles. Only Admin may put bookings.
const (
	Admin Role = iota
	User
)

type account struct {
	password string
	role     Role
}

// Device is a simulated room device. Make one with [New]. It is safe for
// concurrent use.
type Device struct {
	opts Options
	serving

	mu       sync.Mutex
	accounts map[string]account
	version  roomos.Version
	status   map[string]string
	config   map[string]string
	bookings []Booking
	updated  time.Time
	sessions map[string]string // cookie to user
	webhooks map[int]*webhook
	macros   map[string]string
	fault    Fault
	stalled  chan struct{} // closed by Plug; nil if the device answers
	skew     time.Duration
	latency  time.Duration
	teams    bool
	subs     map[*subscriber]bool
	limits   [2]bucket
	stats    Stats
}

// Stats count what a device has been asked.
type Stats struct {
	// Requests are those of HTTP, and messages over other transports.
	Requests int
	// Refused are those that the rate limit has refused, Delayed those that had
	// to wait for it.
	Refused, Delayed int
	// Puts are the complete lists that were accepted, Legacy those of them that
	// came by /bookingsputxml.
	Puts, Legacy int
	// Overlaps are the calls that came while the device still had another.
	Overlaps int
	// Unknown are the keys in lists of bookings that the documentation does not
	// have.
	Unknown []string

	inPut int
}

// New returns a device with nothing on it. It is not on any network yet; see
// Start.
func New(opts *Options) *Device {
	d := &Device{
		status: map[string]string{}, config: map[string]string{}, sessions: map[string]string{},
		webhooks: map[int]*webhook{}, macros: map[string]string{}, subs: map[*subscriber]bool{},
	}
	if opts != nil {
		d.opts = *opts
	}
	o := &d.opts
	setDefault(&o.Name, "Room")
	setDefault(&o.Version, "ce11.14.4.0.simulated")
	setDefault(&o.Product, "Room Kit Pro")
	setDefault(&o.User, "admin")
	setDefault(&o.Password, rand.Text())
	setDefault(&o.Serial, "SIM"+strings.ToUpper(hash(o.Name)[:8]))
	if o.MAC == "" {
		h := strings.ToUpper(hash(o.Name))
		o.MAC = fmt.Sprintf("02:%s:%s:%s:%s:%s", h[0:2], h[2:4], h[4:6], h[6:8], h[8:10])
	}
	d.accounts = map[string]account{o.User: {o.Password, Admin}}
	d.skew, d.teams = o.Skew, o.TeamsRooms
	d.setVersion(o.Version)
	d.status["SystemUnit/ProductPlatform"] = o.Product
	d.status["SystemUnit/ProductId"] = "Cisco " + o.Product
	d.status["SystemUnit/Hardware/Module/SerialNumber"] = o.Serial
	d.status["Network[1]/Ethernet/MacAddress"] = o.MAC
	d.status["Webex/Status"] = "Registered"
	if o.OnPremises {
		d.status["Webex/Status"] = "NotConfigured"
	}
	d.config["SystemUnit/Name"] = o.Name
	d.config["NetworkServices/HTTP/Mode"] = "HTTPS"
	d.config["NetworkServices/SIP/Mode"] = "On"
	d.config["NetworkServices/H323/Mode"] = "On"
	d.config["NetworkServices/Websocket"] = "FollowHTTPService"
	if !d.version.AtLeast(10, 0) {
		d.config["NetworkServices/Websocket"] = "Off"
	}
	d.config["Provisioning/Mode"] = "Off"
	d.config["HttpClient/Mode"] = "Off"
	d.config["Macros/Mode"] = "Off"
	return d
}

func setDefault(s *string, v string) {
	if *s == "" {
		*s = v
	}
}

// User and Password are those of the device's administrator.
func (d *Device) User() string { return d.opts.User }

// Password is the administrator's password, as it was when the device was made.
func (d *Device) Password() string { return d.opts.Password }

// Name is the device's name.
func (d *Device) Name() string { return d.opts.Name }

// Serial is the device's serial number.
func (d *Device) Serial() string { return d.opts.Serial }

// MAC is the device's hardware address.
func (d *Device) MAC() string { return d.opts.MAC }

// Now is the hour on the device's clock.
func (d *Device) Now() time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.now()
}

func (d *Device) now() time.Time { return time.Now().UTC().Add(d.skew) }

// Stats returns what the device has counted.
func (d *Device) Stats() Stats {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := d.stats
	s.Unknown = slices.Clone(s.Unknown)
	return s
}

// SetAccount gives a user a password and a role.
func (d *Device) SetAccount(user, password string, role Role) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.accounts[user] = account{password, role}
	clear(d.sessions)
}

// SetFault makes the device fail; FaultNone ends it.
func (d *Device) SetFault(f Fault) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fault = f
}

// SetSkew sets how far the device's clock is ahead.
func (d *Device) SetSkew(skew time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.skew = skew
}

// SetLatency sets how long the device takes before it does what it is asked.
func (d *Device) SetLatency(latency time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.latency = latency
}

// SetTeamsRooms puts the device into Microsoft Teams Rooms mode, or out of it.
func (d *Device) SetTeamsRooms(on bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.teams = on
}

// Status returns a status, by its path: "SystemUnit/Software/Version".
func (d *Device) Status(path string) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.status[path]
}

// SetStatus changes a status and tells who has asked for it.
func (d *Device) SetStatus(path, value string) {
	d.mu.Lock()
	d.status[path] = value
	d.mu.Unlock()
	d.publish("Status/"+path, value)
}

// Config returns a configuration, by its path: "NetworkServices/HTTP/Mode".
func (d *Device) Config(path string) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.config[path]
}

// SetConfig changes a configuration, as an administrator on the device would.
func (d *Device) SetConfig(path, value string) {
	d.mu.Lock()
	d.config[path] = value
	d.mu.Unlock()
	d.publish("Configuration/"+path, value)
}

// Macro returns the source of a macro that was saved on the device.
func (d *Device) Macro(name string) (source string, ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	source, ok = d.macros[name]
	return source, ok
}

// Upgrade gives the device another software version and restarts it.
func (d *Device) Upgrade(version string) {
	d.mu.Lock()
	d.setVersion(version)
	d.mu.Unlock()
	d.Reboot()
}

func (d *Device) setVersion(version string) {
	d.version, _ = roomos.ParseVersion(version)
	d.status["SystemUnit/Software/Version"] = version
	d.status["SystemUnit/Software/DisplayName"] = "RoomOS " + d.version.String()
}

// Reboot restarts the device: it loses its bookings, its sessions and its
// connections.
func (d *Device) Reboot() {
	d.mu.Lock()
	d.bookings = nil
	clear(d.sessions)
	d.mu.Unlock()
	d.publish("Event/BootEvent/Action", "Restart")
	d.drop()
}

// LoseBookings deletes all bookings and says that they are wanted again, as a
// device does after some changes of its configuration.
func (d *Device) LoseBookings() {
	d.mu.Lock()
	d.bookings = nil
	d.mu.Unlock()
	d.publish("Event/Bookings/SyncRequired", "")
}

// Call lets the device have a call, after which it has lost its bookings without
// a word, if lose is set.
func (d *Device) Call(lose bool) {
	d.publish("Event/CallSuccessful/CallId", "1")
	if lose {
		d.mu.Lock()
		d.bookings = nil
		d.mu.Unlock()
	}
	d.publish("Event/CallDisconnect/CallId", "1")
}

// WriteForeign puts a booking of another system on the device in place of all
// that it has, as TMS or a hybrid calendar would.
func (d *Device) WriteForeign(bookings ...Booking) {
	d.mu.Lock()
	if len(bookings) == 0 {
		now := d.now().Truncate(time.Minute)
		bookings = []Booking{{ID: "tms-4711", Title: "Booked elsewhere", OrganizerFirst: "Other", OrganizerLast: "System",
			Start: now.Add(time.Hour), End: now.Add(2 * time.Hour), Number: "4711@example.com", Protocol: "SIP", CallType: "Video"}}
	}
	d.bookings = slices.Clone(bookings)
	d.updated = d.now()
	d.mu.Unlock()
	d.publish("Event/Bookings/Updated", "")
}

// DeleteBooking deletes the booking with that place in the list.
func (d *Device) DeleteBooking(i int) {
	d.mu.Lock()
	if i < len(d.bookings) {
		d.bookings = slices.Delete(slices.Clone(d.bookings), i, i+1)
	}
	d.mu.Unlock()
	d.publish("Event/Bookings/Updated", "")
}

// Bookings returns what the device has, in the order of the list.
func (d *Device) Bookings() []Booking {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.bookings)
}

// Stall lets the device take requests and answer none until Plug.
func (d *Device) Stall() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.stalled == nil {
		d.stalled = make(chan struct{})
	}
}

// Plug ends Stall and Unplug.
func (d *Device) Plug() {
	d.mu.Lock()
	if d.stalled != nil {
		close(d.stalled)
		d.stalled = nil
	}
	d.mu.Unlock()
	d.serving.unplugged.Store(false)
}

// Unplug makes the device unreachable: connections are dropped and refused. It
// keeps its bookings.
func (d *Device) Unplug() {
	d.serving.unplugged.Store(true)
	d.drop()
}

// wait is where requests wait while the device is stalled or slow.
func (d *Device) wait(done <-chan struct{}) bool {
	d.mu.Lock()
	stalled, latency := d.stalled, d.latency
	d.mu.Unlock()
	if stalled != nil {
		select {
		case <-stalled:
		case <-done:
			return false
		}
	}
	return pause(done, latency)
}

// pause waits for some time, unless done is closed before.
func pause(done <-chan struct{}, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-done:
		return false
	}
}

// bucket is a rate limit with a queue.
type bucket struct {
	level float64
	at    time.Time
}

// The limits that Cisco documents for RoomOS 10, 11 and 26: calls a second, and
// how many may wait.
var limits = [2]struct{ rate, queue float64 }{{1, 30}, {15, 90}}

// admit counts a request, with its own credentials (0) or within a session (1),
// lets it wait in the queue, and reports whether there was room for it.
func (d *Device) admit(done <-chan struct{}, kind int) bool {
	wait, ok := d.enqueue(kind)
	return ok && pause(done, wait)
}

func (d *Device) enqueue(kind int) (wait time.Duration, ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.stats.Requests++
	if d.fault == FaultBusy {
		return 0, false
	}
	if d.opts.NoRateLimit {
		return 0, true
	}
	b, l, now := &d.limits[kind], limits[kind], time.Now()
	b.level = max(0, b.level-now.Sub(b.at).Seconds()*l.rate)
	b.at = now
	if b.level+1 > l.queue+1 {
		d.stats.Refused++
		return 0, false
	}
	if b.level++; b.level > 1 {
		d.stats.Delayed++
		wait = time.Duration((b.level - 1) / l.rate * float64(time.Second))
	}
	return wait, true
}

var errDenied = errors.New("wrong user name or password")

// login checks credentials.
func (d *Device) login(user, password string) (Role, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	a, ok := d.accounts[user]
	if !ok || a.password != password {
		return 0, errDenied
	}
	return a.role, nil
}

// tree returns the values below path, of the statuses or the configuration.
func (d *Device) tree(kind string, path []string) *roomos.Node {
	d.mu.Lock()
	values := maps.Clone(d.status)
	if kind == "Configuration" {
		values = maps.Clone(d.config)
	}
	values["Time/SystemTime"] = d.now().Format(time.RFC3339)
	for slot, w := range d.webhooks {
		values[fmt.Sprintf("HttpFeedback[%d]/URL", slot)] = w.url
		values[fmt.Sprintf("HttpFeedback[%d]/Status", slot)] = w.state
	}
	if kind == "Configuration" {
		delete(values, "Time/SystemTime")
	}
	d.mu.Unlock()
	root := &roomos.Node{Name: kind}
	for _, key := range slices.Sorted(maps.Keys(values)) {
		parts := strings.Split(key, "/")
		if !matches(parts, path) {
			continue
		}
		n := root
		for _, p := range parts {
			p, _, _ = strings.Cut(p, "[")
			next := n.Get(p)
			if next == nil {
				next = &roomos.Node{Name: p}
				n.Kids = append(n.Kids, next)
			}
			n = next
		}
		n.Text = values[key]
	}
	return root
}

// matches reports whether the value at parts lies below path, in which "**"
// stands for any number of words and case does not matter.
func matches(parts, path []string) bool {
	if len(path) == 0 {
		return true
	}
	if path[0] == "**" {
		for i := range parts {
			if matches(parts[i:], path[1:]) {
				return true
			}
		}
		return false
	}
	if len(parts) == 0 {
		return false
	}
	plain, _, _ := strings.Cut(parts[0], "[")
	if !strings.EqualFold(plain, path[0]) && !strings.EqualFold(parts[0], path[0]) {
		return false
	}
	return matches(parts[1:], path[1:])
}
