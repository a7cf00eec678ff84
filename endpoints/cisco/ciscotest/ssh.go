package ciscotest

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/crypto/ssh"

	"github.com/onetouchjoin/onetouchjoin/endpoints/cisco/internal/roomos"
)

// StartSSH puts the device's terminal on the network as well, and returns its
// host and port. addr is as in Start. Close ends it.
func (d *Device) StartSSH(addr string) (string, error) {
	if addr == "" {
		addr = "127.0.0.1:0"
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", err
	}
	signer, err := ssh.NewSignerFromKey(key)
	if err != nil {
		return "", err
	}
	check := func(user, password string) (*ssh.Permissions, error) {
		role, err := d.login(user, password)
		if err != nil {
			return nil, err
		}
		return &ssh.Permissions{Extensions: map[string]string{"role": strconv.Itoa(int(role))}}, nil
	}
	config := &ssh.ServerConfig{
		PasswordCallback: func(c ssh.ConnMetadata, password []byte) (*ssh.Permissions, error) {
			return check(c.User(), string(password))
		},
		KeyboardInteractiveCallback: func(c ssh.ConnMetadata, ask ssh.KeyboardInteractiveChallenge) (*ssh.Permissions, error) {
			answers, err := ask(c.User(), "", []string{"Password: "}, []bool{false})
			if err != nil || len(answers) != 1 {
				return nil, errDenied
			}
			return check(c.User(), answers[0])
		},
	}
	config.AddHostKey(signer)
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", addr)
	if err != nil {
		return "", err
	}
	d.netMu.Lock()
	d.stops = append(d.stops, func() { l.Close() })
	d.netMu.Unlock()
	pl := &pluggable{l, d}
	d.background.Go(func() {
		for {
			c, err := pl.Accept()
			if err != nil {
				return
			}
			d.background.Go(func() { d.serveSSH(c, config) })
		}
	})
	return l.Addr().String(), nil
}

func (d *Device) serveSSH(c net.Conn, config *ssh.ServerConfig) {
	defer c.Close()
	conn, channels, requests, err := ssh.NewServerConn(c, config)
	if err != nil {
		return
	}
	defer conn.Close()
	go ssh.DiscardRequests(requests)
	role := User
	if conn.Permissions.Extensions["role"] == "0" {
		role = Admin
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	for nc := range channels {
		if nc.ChannelType() != "session" {
			nc.Reject(ssh.UnknownChannelType, "sessions only") //nolint:errcheck // the peer is gone
			continue
		}
		ch, reqs, err := nc.Accept()
		if err != nil {
			return
		}
		wg.Go(func() {
			for r := range reqs {
				ok := r.Type == "shell" || r.Type == "pty-req" || r.Type == "env"
				if r.WantReply {
					r.Reply(ok, nil) //nolint:errcheck // the peer is gone
				}
				if r.Type == "shell" {
					wg.Go(func() {
						defer ch.Close()
						d.terminal(ch, role)
					})
				}
			}
		})
	}
}

// terminal is a session of the text API.
type terminal struct {
	d    *Device
	role Role
	in   *bufio.Reader

	mu   sync.Mutex
	out  io.Writer
	json bool
	subs [][]string
}

// maxFeedback is how many expressions a session may register.
const maxFeedback = 38

func (d *Device) terminal(rw io.ReadWriter, role Role) {
	t := &terminal{d: d, role: role, in: bufio.NewReader(io.LimitReader(rw, 256<<20)), out: rw}
	sub := d.subscribe()
	defer d.unsubscribe(sub)
	done := make(chan struct{})
	var events sync.WaitGroup
	defer events.Wait()
	defer close(done)
	events.Go(func() {
		for {
			select {
			case <-done:
				return
			case e := <-sub.events:
				t.event(e)
			}
		}
	})
	t.print("Welcome to " + d.opts.Name + "\nCisco Codec Release " + d.opts.Version + "\n*r Login successful\n\nOK\n")
	for {
		line, body, err := t.read()
		if err != nil {
			return
		}
		if !d.wait(done) || !t.execute(line, body) {
			return
		}
	}
}

func (t *terminal) print(s string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	io.WriteString(t.out, s)
}

func (t *terminal) event(c change) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, q := range t.subs {
		if !matches(c.path, q) {
			continue
		}
		if t.json {
			t.out.Write(append(marshal(map[string]any{c.node.Name: object(c.node.Kids, true)}), '\n')) //nolint:errcheck // the reader sees it
		} else {
			io.WriteString(t.out, "*e "+strings.Join(c.path[1:], " ")+"\n** end\n")
		}
		return
	}
}

// read returns a command and its body: by length, after "{N} ", or up to a line
// with a dot.
func (t *terminal) read() (line, body string, err error) {
	if line, err = t.line(); err != nil {
		return "", "", err
	}
	if rest, ok := strings.CutPrefix(line, "{"); ok {
		n, err := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(rest), "}"))
		if err != nil || n < 0 || n > maxBody {
			return "", "", errors.New("wrong length")
		}
		buf := make([]byte, n)
		if _, err := io.ReadFull(t.in, buf); err != nil {
			return "", "", err
		}
		line, body, _ = strings.Cut(string(buf), "\n")
		return line, strings.TrimSuffix(body, "\n"), nil
	}
	path, _, _ := parseLine(line)
	if len(path) > 1 && strings.EqualFold(path[0], "xCommand") {
		if cmd, ok := roomos.Find(strings.Join(path[1:], " ")); ok && cmd.Multiline {
			var b strings.Builder
			for {
				l, err := t.line()
				if err != nil || b.Len() > maxBody {
					return "", "", errors.New("a body without end")
				}
				if l == "." {
					break
				}
				b.WriteString(l + "\n")
			}
			body = b.String()
		}
	}
	return line, body, nil
}

func (t *terminal) line() (string, error) {
	var b []byte
	for {
		part, more, err := t.in.ReadLine()
		b = append(b, part...)
		if err != nil || len(b) > maxBody {
			return "", errors.Join(err, io.EOF)
		}
		if !more {
			return string(b), nil
		}
	}
}

// parseLine splits a command into its words, its arguments and its result id.
func parseLine(line string) (path []string, args arguments, id string) {
	args = arguments{}
	name := ""
	for rest := strings.TrimSpace(line); rest != ""; rest = strings.TrimLeft(rest, " ") {
		var word string
		quoted := rest[0] == '"'
		if quoted {
			q, err := strconv.QuotedPrefix(rest)
			if err != nil {
				return path, args, id
			}
			word, _ = strconv.Unquote(q)
			rest = rest[len(q):]
		} else {
			word, rest, _ = strings.Cut(rest, " ")
		}
		switch {
		case !quoted && word == "|":
			id = strings.Trim(strings.TrimPrefix(rest, "resultId="), `"`)
			return path, args, id
		case !quoted && strings.HasSuffix(word, ":"):
			name = strings.TrimSuffix(word, ":")
		case name != "":
			args[name] = append(args[name], word)
			name = ""
		default:
			path = append(path, word)
		}
	}
	return path, args, id
}

// execute runs a command and reports whether the session goes on.
func (t *terminal) execute(line, body string) bool {
	path, args, id := parseLine(line)
	if len(path) == 0 {
		return true
	}
	switch verb := strings.ToLower(path[0]); verb {
	case "bye", "exit":
		return false
	case "echo":
		t.print("\nOK\n")
	case "xpreferences":
		t.mu.Lock()
		if len(path) == 3 && strings.EqualFold(path[1], "outputmode") {
			t.json = strings.EqualFold(path[2], "json")
		}
		quiet := t.json
		t.mu.Unlock()
		if !quiet {
			t.print("OK\n")
		}
	case "xcommand":
		r := t.d.run(t.role, path[1:], args, body)
		t.result(r.node(), id)
	case "xstatus":
		t.document(t.d.tree("Status", path[1:]), id)
	case "xconfiguration":
		t.configuration(path[1:], args, id)
	case "xfeedback":
		t.feedback(path[1:], id)
	default:
		t.result(&roomos.Node{Name: "Result", Status: "Error", Kids: []*roomos.Node{{Name: "Reason", Text: "Unknown command"}}}, id)
	}
	return true
}

func (t *terminal) configuration(path []string, args arguments, id string) {
	if len(args) == 0 {
		t.document(t.d.tree("Configuration", path), id)
		return
	}
	for name, values := range args {
		if r := t.d.setConfig(t.role, append(path[:len(path):len(path)], name), values[0]); r.status != "OK" {
			n := r.node()
			n.Name = "Configuration"
			t.result(n, id)
			return
		}
	}
	t.done(id)
}

func (t *terminal) feedback(path []string, id string) {
	if len(path) != 2 {
		t.result(&roomos.Node{Name: "Result", Status: "Error", Kids: []*roomos.Node{{Name: "Reason", Text: "Unknown command"}}}, id)
		return
	}
	query := strings.Split(strings.Trim(path[1], "/"), "/")
	t.mu.Lock()
	full := false
	switch strings.ToLower(path[0]) {
	case "register":
		if full = len(t.subs) >= maxFeedback; !full {
			t.subs = append(t.subs, query)
		}
	case "deregister":
		for i := range t.subs {
			if strings.Join(t.subs[i], "/") == strings.Join(query, "/") {
				t.subs = append(t.subs[:i:i], t.subs[i+1:]...)
				break
			}
		}
	}
	t.mu.Unlock()
	if full {
		t.result(&roomos.Node{Name: "Result", Status: "Error", Kids: []*roomos.Node{{Name: "Reason", Text: "Too many feedback expressions"}}}, id)
		return
	}
	t.done(id)
}

// done is the answer to what has no result.
func (t *terminal) done(id string) {
	t.mu.Lock()
	asJSON := t.json
	t.mu.Unlock()
	if asJSON {
		t.print(string(marshal(map[string]string{"ResultId": id})) + "\n")
		return
	}
	t.print("** end\n\nOK\n")
}

// result prints the outcome of a command.
func (t *terminal) result(n *roomos.Node, id string) {
	t.mu.Lock()
	asJSON := t.json
	t.mu.Unlock()
	if !asJSON {
		var b bytes.Buffer
		fmt.Fprintf(&b, "*r %s (status=%s):\n", n.Name, n.Status)
		lines(&b, "*r "+n.Name, n.Kids)
		t.print(b.String() + "** end\n\nOK\n")
		return
	}
	o := object(n.Kids, true)
	o["status"] = n.Status
	t.print(string(marshal(map[string]any{"CommandResponse": map[string]any{n.Name: o}, "ResultId": id})) + "\n")
}

// document prints values.
func (t *terminal) document(n *roomos.Node, id string) {
	t.mu.Lock()
	asJSON := t.json
	t.mu.Unlock()
	if !asJSON {
		var b bytes.Buffer
		lines(&b, map[string]string{"Status": "*s", "Configuration": "*c xConfiguration"}[n.Name], n.Kids)
		t.print(b.String() + "** end\n\nOK\n")
		return
	}
	t.print(string(marshal(map[string]any{n.Name: object(n.Kids, true), "ResultId": id})) + "\n")
}

// lines prints leaves as a terminal does; those of lists have their number.
func lines(b *bytes.Buffer, prefix string, kids []*roomos.Node) {
	count := map[string]int{}
	for _, k := range kids {
		name := prefix + " " + k.Name
		if k.Name == "Booking" || k.Name == "Call" {
			count[k.Name]++
			name += " " + strconv.Itoa(count[k.Name])
		}
		if len(k.Kids) == 0 {
			fmt.Fprintf(b, "%s: %q\n", name, k.Text)
		} else {
			lines(b, name, k.Kids)
		}
	}
}
