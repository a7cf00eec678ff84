package main

import (
	"io/fs"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/onetouchjoin/onetouchjoin/rules"
	"github.com/onetouchjoin/onetouchjoin/rules/rulestest"
)

func Example() {
	if err := run(os.Stdout); err != nil {
		panic(err)
	}
	// Output:
	// house: 1 right, 0 missed, 0 false
	// zoom: 1 right, 0 missed, 0 false
	// 1 of 1 events without a meeting are right
	// without the rule: house.txt, event 1: nothing is found any more; before it was house by rule house in body
}

// The corpus as a test: each invite is a subtest.
func TestCorpus(t *testing.T) {
	text, err := files.ReadFile("rules.json")
	require.NoError(t, err)
	list, err := rules.Parse("rules.json", text)
	require.NoError(t, err)
	engine, err := rules.New(list, nil)
	require.NoError(t, err)
	corpus, err := fs.Sub(files, "corpus")
	require.NoError(t, err)
	rulestest.Replay(t, corpus, engine)
}
