package ciscotest

import (
	"bufio"
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// xapi is the module that a macro imports, with the device behind standard input
// and output in the place of the macro runtime.
//
//go:embed xapi
var xapi embed.FS

// MacroOptions are what somebody may want to see of a macro. The zero value
// works. The functions are called one at a time.
type MacroOptions struct {
	// Saved are the macros that this one keeps on the device, by name: it may
	// read and write them.
	Saved map[string]string
	// Put is called with the body of every Bookings Put, after it.
	Put func(body string)
	// Alert is called with every text that the macro shows on the screen.
	Alert func(text string)
	// Stderr gets what the macro logs. Default: nobody.
	Stderr io.Writer
}

// Macro is a macro that runs on a device.
type Macro struct {
	d    *Device
	opts MacroOptions
	cmd  *exec.Cmd
	dir  string
	in   io.WriteCloser
	done chan struct{}
}

// RunMacro runs a macro on the device until ctx is done or Stop is called. The
// macro runs in Node, which has to be installed, and calls out by itself.
func (d *Device) RunMacro(ctx context.Context, source string, opts *MacroOptions) (*Macro, error) {
	m := &Macro{d: d, done: make(chan struct{})}
	if opts != nil {
		m.opts = *opts
	}
	if m.opts.Saved == nil {
		m.opts.Saved = map[string]string{}
	}
	node, err := exec.LookPath("node")
	if err != nil {
		return nil, fmt.Errorf("run the macro: %w: install Node.js, 20 or later", err)
	}
	if m.dir, err = os.MkdirTemp("", "macro-"); err != nil {
		return nil, fmt.Errorf("run the macro: %w", err)
	}
	var out io.ReadCloser
	module, err := fs.Sub(xapi, "xapi")
	if err == nil {
		err = os.CopyFS(filepath.Join(m.dir, "node_modules", "xapi"), module)
	}
	path := filepath.Join(m.dir, "macro.mjs")
	if err == nil {
		err = os.WriteFile(path, []byte(source), 0o600)
	}
	if err == nil {
		m.cmd = exec.CommandContext(ctx, node, path)
		m.cmd.Env = append(os.Environ(), "NODE_NO_WARNINGS=1")
		m.cmd.Stderr = m.opts.Stderr
		m.in, err = m.cmd.StdinPipe()
	}
	if err == nil {
		out, err = m.cmd.StdoutPipe()
	}
	if err == nil {
		err = m.cmd.Start()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("run the macro: %w", err), os.RemoveAll(m.dir))
	}
	go func() {
		defer close(m.done)
		s := bufio.NewScanner(out)
		s.Buffer(nil, maxBody)
		for s.Scan() {
			m.serve(s.Bytes())
		}
	}()
	return m, nil
}

// Event tells the macro of an event of the device, such as "SyncRequired".
func (m *Macro) Event(name string) error {
	_, err := fmt.Fprintf(m.in, "{\"event\":%q}\n", name)
	return err
}

// Stop ends the macro and waits until it has ended.
func (m *Macro) Stop() error {
	// Neither fails but for a macro that has ended by itself.
	_ = m.cmd.Process.Kill()
	<-m.done
	_ = m.cmd.Wait()
	return os.RemoveAll(m.dir)
}

// serve answers one call of the macro.
func (m *Macro) serve(line []byte) {
	var c struct {
		ID         int
		Call, Body string
		Params     map[string]any
	}
	answer := map[string]any{"result": map[string]string{"status": "OK"}}
	if err := json.Unmarshal(line, &c); err != nil {
		answer["error"] = "not JSON: " + string(line)
	}
	answer["id"] = c.ID
	name, _ := c.Params["Name"].(string)
	put := false
	switch {
	case strings.HasPrefix(c.Call, "Status "):
		answer["result"] = m.d.Status(strings.TrimPrefix(c.Call, "Status "))
	case c.Call == "Bookings Put":
		put = true
		if err := m.d.Put(c.Body); err != nil {
			answer["error"] = err.Error()
		}
	case c.Call == "Macros Macro Save":
		m.opts.Saved[name] = c.Body
	case c.Call == "Macros Macro Get":
		body, ok := m.opts.Saved[name]
		if !ok {
			answer["error"] = "no such macro"
		}
		answer["result"] = map[string]any{"Macro": []any{map[string]string{"Content": body}}}
	case c.Call == "Alert":
		if text, ok := c.Params["Text"].(string); ok && m.opts.Alert != nil {
			m.opts.Alert(text)
		}
	}
	if data, err := json.Marshal(answer); err == nil {
		_, _ = m.in.Write(append(data, '\n')) // the macro has ended if this fails
	}
	if put && m.opts.Put != nil {
		m.opts.Put(c.Body)
	}
}
