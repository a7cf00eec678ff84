package cisco

import (
	"context"

	"github.com/onetouchjoin/onetouchjoin/calendar"
)

// Credentials are those of a device's account. Credentials is called whenever a
// session begins, and may be called by several goroutines.
type Credentials interface {
	Credentials(ctx context.Context) (user string, password calendar.Secret, err error)
}

// Password is a fixed user name and password.
type Password struct {
	User     string
	Password calendar.Secret
}

// Credentials returns p.
func (p Password) Credentials(context.Context) (string, calendar.Secret, error) {
	return p.User, p.Password, nil
}
