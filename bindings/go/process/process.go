// Package process is what package docker is, for plain processes: no engine, no image, no
// isolation but limits.
package process

import (
	"context"

	exhost "github.com/exhost/exhost/bindings/go"
)

// Executor has all methods of a DMS's executor.
type Executor = exhost.Executor

// EngineBuilder puts an EngineSpec together.
type EngineBuilder = exhost.EngineBuilder

// EngineType is the type of such an EngineSpec.
const EngineType = "process"

// NewExecutor opens the executor of that id in the default state folder ($EXHOST_STATE_DIR
// sets it). The second argument, a file system in DMS, is not used.
func NewExecutor(ctx context.Context, _ any, id string) (*Executor, error) {
	return Open(ctx, id, exhost.Options{})
}

// Open is NewExecutor with options.
func Open(ctx context.Context, id string, options exhost.Options) (*Executor, error) {
	options.Backend = EngineType
	return exhost.NewExecutor(ctx, id, options)
}

// NewProcessEngineBuilder begins an EngineSpec.
func NewProcessEngineBuilder() *EngineBuilder {
	return exhost.NewEngineBuilder(EngineType)
}
