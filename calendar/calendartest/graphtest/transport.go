package graphtest

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"strconv"
)

// Transport returns a transport that hands requests to the server without a
// network, whatever host they are for. Tests that use testing/synctest need it,
// since a goroutine that waits for a network keeps their clock from running; so
// do those with very many requests.
func (s *Server) Transport() http.RoundTripper { return direct{s} }

type direct struct{ s *Server }

// errDropped is what a client sees of a connection that a fault has closed.
var errDropped = errors.New("EOF: the connection was closed")

func (d direct) RoundTrip(r *http.Request) (res *http.Response, err error) {
	ctx := r.Context()
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	in := r.Clone(ctx)
	in.RequestURI = r.URL.RequestURI()
	if in.Host == "" {
		in.Host = r.URL.Host
	}
	if r.URL.Scheme == "https" {
		in.TLS = &tls.ConnectionState{}
	}
	if in.Body == nil {
		in.Body = http.NoBody
	}
	defer in.Body.Close()
	w := newRecorder(http.Header{})
	whole := d.serve(w, in)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	body := io.Reader(bytes.NewReader(w.body.Bytes()))
	length := int64(w.body.Len())
	if !whole {
		if length == 0 {
			return nil, errDropped
		}
		// What the header promised does not come.
		body = io.MultiReader(body, broken{})
		length, _ = strconv.ParseInt(w.header.Get("Content-Length"), 10, 64)
	}
	return &http.Response{
		Status: strconv.Itoa(w.status) + " " + http.StatusText(w.status), StatusCode: w.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: w.header, Body: io.NopCloser(body), ContentLength: length, Request: r,
	}, nil
}

// serve reports whether the answer is whole.
func (d direct) serve(w http.ResponseWriter, r *http.Request) (whole bool) {
	defer func() {
		if p := recover(); p != nil && p != http.ErrAbortHandler { //nolint:errorlint // a panic's value
			panic(p)
		}
	}()
	d.s.ServeHTTP(w, r)
	return true
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }
