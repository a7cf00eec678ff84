package control

import "net/http"

// SetHookTransport lets a test be the network between the centre and the
// addresses for alarms.
func (c *Centre) SetHookTransport(rt http.RoundTripper) { c.hooks.client.Transport = rt }

// MayCall is mayCall.
var MayCall = mayCall

// NaturalKey is naturalKey.
var NaturalKey = naturalKey
