//go:build otjbench

package bench

import (
	"testing"

	"github.com/onetouchjoin/onetouchjoin/rules"
)

func BenchmarkZZ(b *testing.B) {
	e := rules.Default()
	for _, x := range Bodies() {
		b.Run(x.Name, func(b *testing.B) {
			ev := x.Event()
			var dst []rules.Match
			b.SetBytes(int64(len(x.Data)))
			for b.Loop() {
				dst = e.Append(dst[:0], ev)
			}
		})
	}
}

func BenchmarkZU(b *testing.B) {
	for _, x := range Bodies() {
		b.Run(x.Name, func(b *testing.B) {
			run, err := newOursURI()
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(len(x.Data)))
			for b.Loop() {
				run(x)
			}
		})
	}
}
