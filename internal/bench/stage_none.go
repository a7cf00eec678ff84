//go:build !otjbench

package bench

import "errors"

func newOursURI() (func(Body) int, error) {
	return nil, errors.New("needs go test or go run with -tags otjbench, by which the engine lets its first stage be called alone")
}
