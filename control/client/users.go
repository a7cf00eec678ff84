package client

import (
	"context"
	"net/http"
	"net/url"

	"github.com/onetouchjoin/onetouchjoin/control"
)

// Users returns the users who belong to an organization or have a role for it,
// with their roles there.
func (c *Client) Users(ctx context.Context, org string) ([]control.User, error) {
	return listed[control.User](ctx, c, http.MethodGet, inOrg(org, "users"), nil)
}

// CreateUser makes a user of an organization, without any role.
func (c *Client) CreateUser(ctx context.Context, org, email, name string) (control.User, error) {
	return fetch[control.User](ctx, c, http.MethodPost, inOrg(org, "users"), "", map[string]string{"email": email, "name": name})
}

// ChangeUser changes a user at a revision.
func (c *Client) ChangeUser(ctx context.Context, user string, revision int64, what control.UserChange) (control.User, error) {
	body := struct {
		Name  *string `json:"name,omitempty"`
		Email *string `json:"email,omitempty"`
	}(what)
	return fetch[control.User](ctx, c, http.MethodPatch, ofUser(user, ""), etag(revision), body)
}

// SetRole grants a role for an organization to a user, or takes it away.
func (c *Client) SetRole(ctx context.Context, org, user string, role control.Role, granted bool) (control.User, error) {
	method := http.MethodDelete
	if granted {
		method = http.MethodPut
	}
	return fetch[control.User](ctx, c, method, inOrg(org, "users/"+url.PathEscape(user)+"/roles/"+url.PathEscape(string(role))), "", nil)
}

// DisableUser ends what a user may do, or lets them in again, at a revision.
func (c *Client) DisableUser(ctx context.Context, user string, revision int64, disabled bool) (control.User, error) {
	return fetch[control.User](ctx, c, http.MethodPut, ofUser(user, "/disabled"), etag(revision), map[string]bool{"disabled": disabled})
}

// DeleteUser deletes a user at a revision.
func (c *Client) DeleteUser(ctx context.Context, user string, revision int64) error {
	return c.call(ctx, http.MethodDelete, ofUser(user, ""), etag(revision), nil, nil)
}

func ofUser(user, what string) string { return "/users/" + url.PathEscape(user) + what }
