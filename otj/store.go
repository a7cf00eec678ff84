package otj

import (
	"context"
	"sync"
	"time"
)

// Store keeps what a [Service] knows of its devices from one start to the next.
// Losing it costs one more Show for each device.
//
// A store
//   - returns from Load what the last Save of the same key gave it, and the
//     zero State for a key that it does not know or that was deleted;
//   - returns soon after ctx is done;
//   - is safe for concurrent use.
type Store interface {
	Load(ctx context.Context, key string) (State, error)
	Save(ctx context.Context, key string, s State) error
	Delete(ctx context.Context, key string) error
}

// State is what a device is known to show.
type State struct {
	// Digest is that of the meetings of the last Show that succeeded. It is
	// empty if that is not known.
	Digest string
	// ShownAt is when that was, in UTC.
	ShownAt time.Time
}

// MemStore is a Store in memory.
type MemStore struct {
	mu     sync.Mutex
	states map[string]State
}

var _ Store = (*MemStore)(nil)

// NewMemStore returns an empty store.
func NewMemStore() *MemStore { return &MemStore{states: map[string]State{}} }

// Load returns the state of key.
func (m *MemStore) Load(_ context.Context, key string) (State, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.states[key], nil
}

// Save replaces the state of key.
func (m *MemStore) Save(_ context.Context, key string, s State) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.states[key] = s
	return nil
}

// Delete forgets key.
func (m *MemStore) Delete(_ context.Context, key string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.states, key)
	return nil
}
