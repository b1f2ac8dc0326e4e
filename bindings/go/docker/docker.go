// Package docker takes the place of a DMS's own executor/docker: the same names, on a
// Docker engine by way of exhost. Switching is one import line.
package docker

import (
	"context"
	"errors"

	exhost "github.com/exhost/exhost/bindings/go"
	"github.com/exhost/exhost/bindings/go/internal/dropin"
)

// Executor has all methods of a DMS's executor.
type Executor = exhost.Executor

// EngineBuilder puts an EngineSpec together.
type EngineBuilder = exhost.EngineBuilder

// EngineType is the type of such an EngineSpec.
const EngineType = "docker"

// ErrNotInstalled says that no engine answers.
var ErrNotInstalled = errors.New("docker is not installed")

// NewExecutor opens the executor of that id in the default state folder ($EXHOST_STATE_DIR
// sets it). The engine is found as the docker command finds it. The second argument, a
// file system in DMS, is not used: files are written by each execution's supervisor.
func NewExecutor(ctx context.Context, _ any, id string) (*Executor, error) {
	return Open(ctx, id, exhost.Options{})
}

// Open is NewExecutor with options.
func Open(ctx context.Context, id string, options exhost.Options) (*Executor, error) {
	return dropin.Open(ctx, id, EngineType, options, ErrNotInstalled)
}

// NewDockerEngineBuilder begins an EngineSpec for an image.
func NewDockerEngineBuilder(image string) *EngineBuilder {
	return exhost.NewEngineBuilder(EngineType).With("image", image)
}
