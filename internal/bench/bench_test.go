package bench

import "testing"

func Benchmark(b *testing.B) {
	for _, c := range Contenders() {
		b.Run(c.ID, func(b *testing.B) {
			fn, err := c.New()
			if err != nil {
				b.Skipf("%s: %v", c.Name, err)
			}
			for _, body := range Bodies() {
				b.Run(body.Name, func(b *testing.B) {
					b.SetBytes(int64(len(body.Data)))
					b.ReportAllocs()
					for b.Loop() {
						fn(body)
					}
				})
			}
		})
	}
}
