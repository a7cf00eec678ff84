package cisco

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/onetouchjoin/onetouchjoin/calendar"
	"github.com/onetouchjoin/onetouchjoin/endpoints/cisco/internal/roomos"
)

// ManagerOptions change a Manager. The zero value of a field is its default.
type ManagerOptions struct {
	// Heartbeat is how often devices are told to call. Default 45 s.
	Heartbeat time.Duration
	// ExplicitEmpty sends an empty list as <Bookings/> within <Calendar>, in
	// place of an empty <Calendar/>, which is what was seen in use. Which of the
	// two clears a device is not known.
	ExplicitEmpty bool
}

// Manager is called by devices as if it were TMS: by their External Manager, on
// start and at every heartbeat. It is an http.Handler. Make one with
// [NewManager]; it is safe for concurrent use.
//
// A device has its own secret path, and says its serial number and hardware
// address. That is all the identity that the protocol has.
//
// Whether an empty list clears a device is not known: after the last meeting of
// a room it may stay on the screen until its end.
type Manager struct {
	opts ManagerOptions

	mu      sync.Mutex
	devices map[string]*managed // by the SHA-256 of their path
}

type managed struct {
	*PullEndpoint
	id ManagedDevice
}

// ManagedDevice is a device that calls a Manager.
type ManagedDevice struct {
	Name string
	// Path is the secret last part of the URL that the device calls: at least 16
	// characters of A-Z a-z 0-9 - _.
	Path calendar.Secret
	// Serial and MAC are those of the device; an empty one is not compared. MAC
	// may be written with or without colons.
	Serial, MAC string
	// ExplicitEmpty is ManagerOptions.ExplicitEmpty for this device.
	ExplicitEmpty bool
}

// NewManager returns a Manager without devices.
func NewManager(opts *ManagerOptions) (*Manager, error) {
	m := &Manager{devices: map[string]*managed{}}
	if opts != nil {
		m.opts = *opts
	}
	if m.opts.Heartbeat == 0 {
		m.opts.Heartbeat = 45 * time.Second
	}
	if m.opts.Heartbeat < time.Second {
		return nil, fmt.Errorf("manager: heartbeat %v: want at least a second", m.opts.Heartbeat)
	}
	return m, nil
}

// Device adds a device and returns its endpoint.
func (m *Manager) Device(id ManagedDevice) (*PullEndpoint, error) {
	path := string(id.Path)
	if len(path) < 16 || strings.ContainsFunc(path, func(r rune) bool {
		return r != '-' && r != '_' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
	}) {
		return nil, fmt.Errorf("manager: device %q: the path needs at least 16 characters of A-Z a-z 0-9 - _", id.Name)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	key := sumHex(path)
	if m.devices[key] != nil {
		return nil, fmt.Errorf("manager: device %q: its path is that of another device", id.Name)
	}
	d := &managed{newPull(id.Name, 5*m.opts.Heartbeat, abilities{sip: true, h323: true, legacy: true}), id}
	m.devices[key] = d
	return d.PullEndpoint, nil
}

// Remove takes the device with a secret path away: it is refused from now on.
func (m *Manager) Remove(path calendar.Secret) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.devices, sumHex(string(path)))
}

var errNoEvent = errors.New("no PostEvent in it")

// ServeHTTP answers a device. The last part of the path says which it is.
func (m *Manager) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]
	m.mu.Lock()
	d := m.devices[sumHex(path)]
	m.mu.Unlock()
	if d == nil {
		http.NotFound(w, r)
		return
	}
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "want POST", http.StatusMethodNotAllowed)
		return
	}
	data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxAnswer))
	if err != nil {
		http.Error(w, "too much", http.StatusRequestEntityTooLarge)
		return
	}
	root, err := roomos.ParseXML(data)
	if err == nil && find(root, "Identification") == nil {
		err = errNoEvent
	}
	if err != nil {
		http.Error(w, "not understood: "+clean(err.Error()), http.StatusBadRequest)
		return
	}
	id := find(root, "Identification")
	if !d.is(id) {
		d.mu.Lock()
		d.alarm(AlarmIdentity, fmt.Sprintf("A device with the serial number %q called with the path of %s. If the device was replaced, change its serial number and MAC", clean(id.Value("SerialNumber")), d.name))
		d.mu.Unlock()
		http.Error(w, "this path belongs to another device", http.StatusForbidden)
		return
	}
	d.called(id.Value("SWVersion"), id.Value("ProductID"), false, true)
	if e := find(root, "Event"); e != nil && e.Value() != "Beat" {
		d.lost()
	}
	w.Header().Set("Content-Type", "text/xml; charset=utf-8")
	if find(root, "PostEvent") == nil {
		w.WriteHeader(http.StatusOK) // a document that the device posts: it repeats what is not taken
		return
	}
	w.Write(m.answer(d))
}

// is reports whether the device is the one that it should be.
func (d *managed) is(id *roomos.Node) bool {
	plain := func(s string) string {
		return strings.ToUpper(strings.NewReplacer(":", "", "-", "", ".", "", " ", "").Replace(s))
	}
	equal := func(want, got string) bool {
		return want == "" || subtle.ConstantTimeCompare([]byte(plain(want)), []byte(plain(got))) == 1
	}
	return equal(d.id.Serial, id.Value("SerialNumber")) && equal(d.id.MAC, id.Value("MACAddress"))
}

// find returns the first node of that name, at any depth.
func find(n *roomos.Node, name string) *roomos.Node {
	if n.Name == name {
		return n
	}
	for _, k := range n.Kids {
		if f := find(k, name); f != nil {
			return f
		}
	}
	return nil
}

func (m *Manager) answer(d *managed) []byte {
	d.mu.Lock()
	list, ready := d.list, d.ready
	d.alarm(AlarmIdentity, "")
	d.mu.Unlock()
	calendar := ""
	switch {
	case !ready:
		// Without <Calendar> the device keeps what it has.
	case len(list) > 0 || m.opts.ExplicitEmpty || d.id.ExplicitEmpty:
		calendar = "<Calendar>" + string(legacyTree(list, ` xmlns="http://www.cisco.com/TelePresence/Bookings/1.0"`)) + "</Calendar>"
	default:
		calendar = "<Calendar/>"
	}
	return fmt.Appendf(nil, `<?xml version="1.0" encoding="utf-8"?>`+
		`<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body>`+
		`<PostEventResponse xmlns="http://www.tandberg.net/2004/11/SystemManagementService/"><PostEventResult><Management>`+
		`<Directory/><Configuration/><Command/>%s<FilesToDownload/><Software/><DocumentsToPost/></Management>`+
		`<HeartBeatInterval>%d</HeartBeatInterval></PostEventResult></PostEventResponse></soap:Body></soap:Envelope>`,
		calendar, int(m.opts.Heartbeat/time.Second))
}
