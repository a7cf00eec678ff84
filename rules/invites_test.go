package rules_test

import (
	"testing"

	"github.com/onetouchjoin/onetouchjoin/rules"
	"github.com/onetouchjoin/onetouchjoin/rules/rulestest"
)

// The invites say what somebody in the room wants; see their README.
func TestInvites(t *testing.T) {
	rulestest.ReplayDir(t, "../internal/testdata/invites", rules.Default())
}
