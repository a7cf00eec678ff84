package main

import (
	"context"
	"os"
)

func Example() {
	if err := run(context.Background(), os.Stdout, nil); err != nil {
		panic(err)
	}
	// Output:
	// Weekly planning, in 1m0s: [Join] dials 81177003344.271828@zoomcrc.com
	// Lunch, in 2h1m0s
}
