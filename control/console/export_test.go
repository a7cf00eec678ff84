package console

import "github.com/onetouchjoin/onetouchjoin/control"

// Routes are the pages of organizations with what one has to be allowed to do
// there, for the test of all roles.
func (c *Console) Routes() map[string]control.Action {
	out := map[string]control.Action{}
	for _, r := range c.routes {
		out[r.pattern] = r.action
	}
	return out
}
