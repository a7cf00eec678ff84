package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The program in the README does what the README says.
func TestReadmeProgram(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	program, rest, ok := strings.Cut(after(t, string(readme), "```go\n"), "```")
	require.True(t, ok)
	want, _, ok := strings.Cut(after(t, rest, "```text\n"), "```")
	require.True(t, ok)
	file := filepath.Join(t.TempDir(), "main.go")
	require.NoError(t, os.WriteFile(file, []byte(program), 0o600))
	cmd := exec.CommandContext(t.Context(), "go", "run", file)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	assert.Equal(t, want, string(out))
}

func after(t *testing.T, text, mark string) string {
	_, rest, ok := strings.Cut(text, mark)
	require.True(t, ok, "no %q", mark)
	return rest
}
