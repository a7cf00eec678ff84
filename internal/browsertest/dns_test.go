package browsertest

import (
	"net"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/dns/dnsmessage"
)

// dns is a DNS server with TXT records.
type dns struct {
	address string
	mu      sync.Mutex
	txt     map[string]string
}

// set gives a domain its TXT record.
func (d *dns) set(domain, text string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.txt[domain+"."] = text
}

func startDNS(t *testing.T) *dns {
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	d := &dns{address: conn.LocalAddr().String(), txt: map[string]string{}}
	go func() {
		buf := make([]byte, 1500)
		for {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			if answer, err := d.answer(buf[:n]); err == nil {
				_, _ = conn.WriteTo(answer, from)
			}
		}
	}()
	return d
}

func (d *dns) answer(question []byte) ([]byte, error) {
	var m dnsmessage.Message
	if err := m.Unpack(question); err != nil || len(m.Questions) != 1 {
		return nil, net.ErrClosed
	}
	q := m.Questions[0]
	m.Response, m.Additionals = true, nil
	d.mu.Lock()
	text, ok := d.txt[q.Name.String()]
	d.mu.Unlock()
	if ok && q.Type == dnsmessage.TypeTXT {
		m.Answers = []dnsmessage.Resource{{
			Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class}, Body: &dnsmessage.TXTResource{TXT: []string{text}},
		}}
	} else {
		m.RCode = dnsmessage.RCodeNameError
	}
	return m.Pack()
}
