package msgraph

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// FuzzPage reads a body as encoding/json reads it, whatever is in it.
func FuzzPage(f *testing.F) {
	long := strings.Repeat("Join the meeting. ", 80)
	for _, s := range []string{"", "plain", "<a href=\"https://x\">\r\n\t\\ ü 😀 \u2028", "\x00\x01", "\xff\xfe", `\u0000`, `"content":"x"`, "\x000"} {
		f.Add(s, long, false)
		f.Add(s, "", true)
	}
	f.Fuzz(func(t *testing.T, a, b string, raw bool) {
		text := a + b
		quoted, err := json.Marshal(text)
		require.NoError(t, err)
		if raw { // as it is, which may not be JSON
			quoted = []byte(`"` + text + `"`)
		}
		data := fmt.Appendf(nil, `{"value":[{"id":"1","subject":"s","body":{"contentType":"html","content":%s}},{"id":"2","body":{"content":%s}}],"@odata.nextLink":"n"}`, quoted, quoted)
		var want struct {
			Value []struct {
				ID   string
				Body struct{ Content string }
			}
			Next string `json:"@odata.nextLink"`
		}
		var got page
		wantErr, gotErr := json.Unmarshal(data, &want), got.parse(data)
		if wantErr != nil {
			require.Error(t, gotErr, "%s", data)
			return
		}
		require.NoError(t, gotErr, "%s", data)
		require.Len(t, got.Value, len(want.Value))
		for i, w := range want.Value {
			require.NotNil(t, got.Value[i].Body)
			require.Equal(t, w.ID, got.Value[i].ID)
			require.Equal(t, w.Body.Content, got.Value[i].Body.Content)
		}
		assert.Equal(t, want.Next, got.Next)
	})
}
