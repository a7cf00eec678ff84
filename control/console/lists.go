package console

import (
	"net/url"
	"strings"

	"github.com/onetouchjoin/onetouchjoin/control"
)

// How many items a page of a list has, and how many a search gives.
const (
	listSize   = 100
	searchSize = 200
)

// pager leads to other parts of a list.
type pager struct{ First, Next string }

// listing is a part of a list, or what a search in it has found.
type listing[T any] struct {
	Items []T
	Total int    // of the whole list
	Query string // what was searched for
	More  bool   // the search has found more than it shows
	Pager pager
}

// pages is a method of the Centre that lists a company's objects.
type pages[T any] func(after string, limit int) (control.Page[T], error)

// list reads the part of a list that the request asks for: after a place, or what
// match says belongs to the search.
func list[T any](r *request, read pages[T], match func(item T, query string) bool) (out listing[T], err error) {
	q := r.URL.Query()
	if out.Query = strings.ToLower(strings.TrimSpace(q.Get("q"))); out.Query != "" {
		out.Total, err = each(read, func(item T) bool {
			if match(item, out.Query) {
				if out.More = len(out.Items) == searchSize; out.More {
					return false
				}
				out.Items = append(out.Items, item)
			}
			return true
		})
		return out, err
	}
	p, err := read(q.Get("after"), listSize)
	if err != nil {
		return out, err
	}
	out.Items, out.Total = p.Items, p.Total
	if q.Get("after") != "" {
		out.Pager.First = r.URL.Path
	}
	if p.Next != "" {
		out.Pager.Next = r.URL.Path + "?after=" + url.QueryEscape(p.Next)
	}
	return out, nil
}

// each calls do with all items of a list until it returns false. It returns the
// list's length.
func each[T any](read pages[T], do func(T) bool) (total int, err error) {
	for after := ""; ; {
		p, err := read(after, control.PageLimit)
		if err != nil {
			return 0, err
		}
		for _, item := range p.Items {
			if !do(item) {
				return p.Total, nil
			}
		}
		if after = p.Next; after == "" {
			return p.Total, nil
		}
	}
}
