package control

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestKeys(t *testing.T) {
	keys, err := NewKeys()
	require.NoError(t, err)
	sealed, err := keys.Seal("hunter2", "system/a/password")
	require.NoError(t, err)
	assert.NotContains(t, string(sealed), "hunter2")

	_, err = keys.Open(sealed, "system/b/password")
	assert.Error(t, err, "a secret opened for another place")
	sealed[len(sealed)-1] ^= 1
	_, err = keys.Open(sealed, "system/a/password")
	assert.Error(t, err, "a changed secret opened")
	sealed[len(sealed)-1] ^= 1

	text, err := keys.Marshal()
	require.NoError(t, err)
	again, err := ParseKeys(text)
	require.NoError(t, err)
	rotated, err := again.Rotate()
	require.NoError(t, err)
	old, err := keys.Primary()
	require.NoError(t, err)
	primary, err := rotated.Primary()
	require.NoError(t, err)
	assert.NotEqual(t, old, primary)

	got, err := rotated.Open(sealed, "system/a/password")
	require.NoError(t, err)
	assert.Equal(t, "hunter2", string(got))
	resealed, err := rotated.Seal(got, "system/a/password")
	require.NoError(t, err)
	_, err = keys.Open(resealed, "system/a/password")
	assert.Error(t, err, "the old key opened what the new one sealed")
}

func TestKeysDoNotPrint(t *testing.T) {
	keys, err := NewKeys()
	require.NoError(t, err)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		assert.Equal(t, "[redacted keys]", fmt.Sprintf(verb, keys))
	}
	_, err = ParseKeys([]byte(`{"primaryKeyId": 1, "key": "c2VjcmV0LWtleQ=="}`))
	require.Error(t, err)
	assert.NotContains(t, err.Error(), "c2VjcmV0")
}
