package endpointtest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/onetouchjoin/onetouchjoin/otj"
)

// The cases of devices that fail, and of contexts that end.

func unreachable(ctx context.Context, h *Harness) error {
	if h.Unplug == nil {
		return skip("needs Harness.Unplug and Plug")
	}
	h.Unplug()
	defer h.Plug()
	ctx, cancel := context.WithTimeout(ctx, 3*h.patience())
	defer cancel()
	return wantError(h.Endpoint.Show(ctx, meetings(h, 1, 1)), otj.ErrUnreachable)
}

// errorKind checks that Show returns a sentinel error where the device fails in
// the way that it stands for.
func errorKind(sentinel error) func(context.Context, *Harness) error {
	return func(ctx context.Context, h *Harness) error {
		fault := h.Faults[sentinel]
		if fault == nil {
			return skip("needs Harness.Faults for %q", sentinel)
		}
		fault()
		ctx, cancel := context.WithTimeout(ctx, 3*h.patience())
		defer cancel()
		return wantError(h.Endpoint.Show(ctx, meetings(h, 1, 1)), sentinel)
	}
}

func wantError(err, sentinel error) error {
	if err == nil {
		return fmt.Errorf("Show returned no error where %q fits", sentinel)
	}
	if !errors.Is(err, sentinel) {
		return fmt.Errorf("Show returned an error that does not wrap %q: %w", sentinel, err)
	}
	var e *otj.EndpointError
	if !errors.As(err, &e) {
		return fmt.Errorf("Show returned a %T that is no *otj.EndpointError: %w", err, err)
	}
	if e.Op == "" || e.Endpoint == "" || e.Err == nil {
		return fmt.Errorf("the error does not say what was tried on which device: %#v", e)
	}
	return nil
}

// errorText makes Show fail in every way that the harness has, and reads what it
// says.
func errorText(ctx context.Context, h *Harness) error {
	if h.Unplug == nil && h.Stall == nil && len(h.Faults) == 0 {
		return skip("needs Harness.Unplug, Stall or Faults")
	}
	if err := h.show(ctx, nil); err != nil {
		return err
	}
	set := meetings(h, 1, 3)
	if with := h.withPasscode(); len(with) > 0 {
		set[0].Join = with[0]
	}
	ways := []func(){h.Unplug, h.Stall}
	for _, sentinel := range []error{otj.ErrUnreachable, otj.ErrBusy, otj.ErrRejected, otj.ErrNotDevice, otj.ErrForeignBookings, otj.ErrCertificate, otj.ErrUnauthorized} {
		ways = append(ways, h.Faults[sentinel])
	}
	for _, fault := range ways {
		if fault == nil {
			continue
		}
		fault()
		sctx, cancel := context.WithTimeout(ctx, min(h.patience(), time.Second))
		err := h.Endpoint.Show(sctx, set)
		cancel()
		if h.Plug != nil {
			h.Plug()
		}
		if err == nil {
			continue // which of them fail, other cases check
		}
		for _, m := range set {
			for what, private := range map[string]string{"a title": m.Title, "an address": m.Join.URI} {
				if strings.Contains(err.Error(), private) {
					return fmt.Errorf("the error has %s, %q: %w", what, private, err)
				}
			}
		}
	}
	return nil
}

func contextDone(ctx context.Context, h *Harness) error {
	set := meetings(h, 1, 1)
	if err := h.showAndSee(ctx, set); err != nil {
		return err
	}
	cctx, cancel := context.WithCancel(ctx)
	cancel()
	err := h.Endpoint.Show(cctx, meetings(h, 2, 1))
	if !errors.Is(err, context.Canceled) {
		return fmt.Errorf("Show with a cancelled context returned %v", err)
	}
	return nil
}

func contextStalled(ctx context.Context, h *Harness) error {
	if h.Stall == nil {
		return skip("needs Harness.Stall")
	}
	before, after := meetings(h, 1, 2), meetings(h, 2, 2)
	if err := h.showAndSee(ctx, before); err != nil {
		return err
	}
	h.Stall()
	done := make(chan error, 1)
	go func() {
		// Begun here: a context that is done before Show is called shows nothing.
		sctx, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
		defer cancel()
		done <- h.Endpoint.Show(sctx, after)
	}()
	select {
	case err := <-done:
		h.Plug()
		if !errors.Is(err, context.DeadlineExceeded) {
			return fmt.Errorf("Show on a device that does not answer returned %v", err)
		}
	case <-time.After(50*time.Millisecond + h.patience()):
		h.Plug()
		return fmt.Errorf("Show has not returned %v after its context was done", h.patience())
	}
	if err := h.showAndSee(ctx, after); err != nil {
		return fmt.Errorf("Show after the one that was given up: %w", err)
	}
	return nil
}
