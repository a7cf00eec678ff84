//go:build !hyperscan

package bench

import "errors"

func newHyperscan() (func(Body) int, error) {
	return nil, errors.New("needs the Hyperscan library (Debian: apt-get install libhyperscan-dev pkg-config) and go build -tags hyperscan")
}
