// Package dropin is what the packages that take the place of a DMS's executors share.
package dropin

import (
	"context"
	"errors"
	"fmt"

	exhost "github.com/exhost/exhost/bindings/go"
)

// Open opens an executor of that backend which can work now. Where it cannot, the error is
// notInstalled with the reason behind it.
func Open(ctx context.Context, id, backend string, options exhost.Options,
	notInstalled error) (*exhost.Executor, error) {
	options.Backend = backend
	e, err := exhost.NewExecutor(ctx, id, options)
	if err == nil {
		if err = e.Call(ctx, "health", nil, nil); err != nil {
			e.Close()
		}
	}
	if errors.Is(err, exhost.ErrUnavailable) {
		return nil, fmt.Errorf("%w (%v)", notInstalled, err)
	}
	if err != nil {
		return nil, err
	}
	return e, nil
}
