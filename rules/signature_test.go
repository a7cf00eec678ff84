package rules

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	signedRoom  = "https://acme.webex.com/meet/jo"
	signedTeams = riskMeet
)

// TestSignatures has a personal room above the block that a calendar program
// adds: which of them is the meeting depends on the lines between.
func TestSignatures(t *testing.T) {
	line := strings.Repeat("_", 80)
	for _, c := range []struct{ name, text, want string }{
		{"closing and drawn line", "Hi\n\nBest regards,\nJo\n" + signedRoom + "\n\n" + line + "\n" + signedTeams, signedTeams},
		{"closing with a name", "Hi\nKind regards, Jo\n" + signedRoom + "\n" + line + "\n" + signedTeams, signedTeams},
		{"capitals", "Hi\nBEST REGARDS\n" + signedRoom + "\n" + line + "\n" + signedTeams, signedTeams},
		{"another language", "Hei\nVennlig hilsen\nJo\n" + signedRoom + "\n" + line + "\n" + signedTeams, signedTeams},
		{"another alphabet", "Привет\nС уважением,\nJo\n" + signedRoom + "\n" + line + "\n" + signedTeams, signedTeams},
		{"two hyphens", "Hi\n-- \nJo\n" + signedRoom + "\n" + line + "\n" + signedTeams, signedTeams},
		{"no drawn line, and a number beats a room", "Hi\nRegards\nJo\n" + signedRoom + "\n\n" + signedTeams, signedTeams},
		{"no drawn line, and two numbers", "Hi\nRegards\nJo\n" + riskLink + "\n\n" + signedTeams, riskLink},
		{"no closing", "Hi\n" + signedRoom + "\n" + line + "\n" + signedTeams, signedRoom},
		{"a sentence is no closing", "Best regards to your team\n" + signedRoom + "\n" + line + "\n" + signedTeams, signedRoom},
		{"a label is no closing", "Thanks: see below\n" + signedRoom + "\n" + line + "\n" + signedTeams, signedRoom},
		{"alone", "Hi\nRegards\nJo\n" + signedRoom, signedRoom},
		{"in the text too", "Join " + signedRoom + "\nRegards\nJo\n" + signedRoom + "\n" + line + "\n" + signedTeams, signedRoom},
		{"older messages come last all the same", "Hi\nRegards\nJo\n" + signedRoom + "\n\nFrom: a\nSent: b\nTo: c\n\n" + signedTeams, signedRoom},
	} {
		t.Run(c.name, func(t *testing.T) {
			for form, text := range map[string]string{"plain": c.text, "html": "<p>" + strings.ReplaceAll(c.text, "\n", "<br>\n") + "</p>"} {
				ev := plain(text)
				if form == "html" {
					ev = htmlBody(text)
				}
				m, ok := Default().Find(ev)
				require.True(t, ok, form)
				assert.Equal(t, c.want, m.Addresses[0].URI, form)
			}
		})
	}
}

func TestExplainSaysThatALinkIsInASignature(t *testing.T) {
	trace := Default().Explain(plain("Hi\nRegards\n" + signedRoom + "\n__________\n" + signedTeams))
	assert.Equal(t, "teams", trace.Decided)
	for _, r := range trace.Rules {
		if r.Rule == "webex" {
			assert.Equal(t, "found", r.Result)
			assert.Contains(t, r.Why, "signature")
		}
	}
}
