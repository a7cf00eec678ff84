package main

import "os"

func Example() {
	if err := run(os.Stdout); err != nil {
		panic(err)
	}
	// Output:
	// Weekly planning: zoom meeting 81177003344, found in the body
	//   https://us02web.zoom.us/j/81177003344?pwd=aW5vdGFsaW5r.1
	//   sip:81177003344.271828@zoomcrc.com
	//   sip:81177003344@zoomcrc.com
	// Lunch: no address found
}
