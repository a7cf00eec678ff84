package cisco

// CloseIdle closes the connection that a few calls in a row share, as happens
// by itself after a few seconds.
func (e *Endpoint) CloseIdle() { e.link.(*httpLink).drop() }
