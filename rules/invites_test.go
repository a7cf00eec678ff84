package rules_test

import (
	"flag"
	"testing"

	"github.com/onetouchjoin/onetouchjoin/rules"
	"github.com/onetouchjoin/onetouchjoin/rules/rulestest"
)

var _ = flag.Bool("update", false, "write the expectations of the invites that differ; read each before you keep it")

// The invites say what somebody in the room wants; see their README.
func TestInvites(t *testing.T) {
	rulestest.ReplayDir(t, "../internal/testdata/invites", rules.Default())
}
