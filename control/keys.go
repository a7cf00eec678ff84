package control

import (
	"bytes"
	"fmt"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/tink"

	"github.com/onetouchjoin/onetouchjoin/calendar"
)

// Keys encrypt the secrets that the control centre has to know in plain text,
// such as a device's password. They are a Tink keyset: new secrets are sealed
// with its primary key, old ones are opened with any key in it.
//
// Keys are immutable and safe for concurrent use. They do not print.
type Keys struct {
	handle *keyset.Handle
	aead   tink.AEAD
}

// NewKeys makes keys with one new AES-256-GCM key.
func NewKeys() (*Keys, error) {
	handle, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	return newKeys(handle)
}

// ParseKeys reads what Marshal has written.
func ParseKeys(text []byte) (*Keys, error) {
	handle, err := insecurecleartextkeyset.Read(keyset.NewJSONReader(bytes.NewReader(text)))
	if err != nil {
		// Tink's error may quote the key.
		return nil, fmt.Errorf("read the key: it is not a Tink keyset in JSON; otj keys new makes one")
	}
	return newKeys(handle)
}

func newKeys(handle *keyset.Handle) (*Keys, error) {
	a, err := aead.New(handle)
	if err != nil {
		return nil, fmt.Errorf("use the key: %w", err)
	}
	return &Keys{handle, a}, nil
}

// Marshal returns the keys in plain text, for a file that only the service may
// read, or for a secret of the environment it runs in.
func (k *Keys) Marshal() ([]byte, error) {
	var b bytes.Buffer
	if err := insecurecleartextkeyset.Write(k.handle, keyset.NewJSONWriter(&b)); err != nil {
		return nil, fmt.Errorf("write the key: %w", err)
	}
	return b.Bytes(), nil
}

// Rotate returns keys that have a new primary key besides those of k. When
// every secret is sealed again, keys from NewKeys that were
// primary before can be left out.
func (k *Keys) Rotate() (*Keys, error) {
	m := keyset.NewManagerFromHandle(k.handle)
	id, err := m.Add(aead.AES256GCMKeyTemplate())
	if err == nil {
		err = m.SetPrimary(id)
	}
	if err != nil {
		return nil, fmt.Errorf("rotate the key: %w", err)
	}
	handle, err := m.Handle()
	if err != nil {
		return nil, fmt.Errorf("rotate the key: %w", err)
	}
	return newKeys(handle)
}

// Primary names the primary key: it differs after Rotate.
func (k *Keys) Primary() (uint32, error) {
	entry, err := k.handle.Primary()
	if err != nil {
		return 0, fmt.Errorf("read the key: %w", err)
	}
	return entry.KeyID(), nil
}

// String says that there are keys, and not which.
func (k *Keys) String() string { return "[redacted keys]" }

// GoString is String, for the verb %#v.
func (k *Keys) GoString() string { return k.String() }

// Seal encrypts secret for one place, such as "system/ab12/password": it can be
// opened for that place only, so that nobody can move one sealed secret over
// another.
func (k *Keys) Seal(secret calendar.Secret, place string) ([]byte, error) {
	sealed, err := k.aead.Encrypt([]byte(string(secret)), []byte(place))
	if err != nil {
		return nil, fmt.Errorf("encrypt %s: %w", place, err)
	}
	return sealed, nil
}

// Open decrypts what Seal has encrypted for the same place.
func (k *Keys) Open(sealed []byte, place string) (calendar.Secret, error) {
	plain, err := k.aead.Decrypt(sealed, []byte(place))
	if err != nil {
		return "", fmt.Errorf("decrypt %s: it was encrypted with a key that is not here, or was changed; start with the key file that was used before", place)
	}
	return calendar.Secret(plain), nil
}
