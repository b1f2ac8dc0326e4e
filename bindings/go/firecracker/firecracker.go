// Package firecracker takes the place of a DMS's own executor/firecracker: the same names,
// with the workload's own exit code, its logs, and every method of the interface.
package firecracker

import (
	"context"
	"errors"
	"fmt"

	exhost "github.com/exhost/exhost/bindings/go"
	"github.com/exhost/exhost/bindings/go/internal/dropin"
)

// Executor has all methods of a DMS's executor.
type Executor struct {
	*exhost.Executor
}

// EngineType is the type of an EngineSpec for a microVM.
const EngineType = "firecracker"

// ErrNotInstalled says that there is no binary that answers.
var ErrNotInstalled = errors.New("firecracker is not installed")

// NewExecutor opens the executor of that id in the default state folder ($EXHOST_STATE_DIR
// sets it). The binary is the one of the settings, else of $EXHOST_FIRECRACKER. The second
// argument, a file system in DMS, is not used.
func NewExecutor(ctx context.Context, _ any, id string) (*Executor, error) {
	return Open(ctx, id, exhost.Options{})
}

// Open is NewExecutor with options.
func Open(ctx context.Context, id string, options exhost.Options) (*Executor, error) {
	e, err := dropin.Open(ctx, id, EngineType, options, ErrNotInstalled)
	if err != nil {
		return nil, err
	}
	return &Executor{e}, nil
}

// FindRunningVM gives the id of the execution that holds a job; with an executionID, only if
// it is that one. Else an error that is exhost.ErrNotFound.
func (e *Executor) FindRunningVM(ctx context.Context, jobID, executionID string) (string, error) {
	id, err := e.FindRunningContainer(ctx, jobID)
	if errors.Is(err, exhost.ErrNotFound) || err == nil && executionID != "" && id != executionID {
		return "", fmt.Errorf("unable to find the VM of job %s, execution %q: %w", jobID,
			executionID, exhost.ErrNotFound)
	}
	return id, err
}

// EngineBuilder puts an EngineSpec together.
type EngineBuilder struct {
	*exhost.EngineBuilder
}

// NewFirecrackerEngineBuilder begins an EngineSpec for an image of a file system; "" is none.
func NewFirecrackerEngineBuilder(rootFileSystem string) *EngineBuilder {
	return (&EngineBuilder{exhost.NewEngineBuilder(EngineType)}).WithRootFileSystem(rootFileSystem)
}

func (b *EngineBuilder) with(key, value string) *EngineBuilder {
	b.With(key, value)
	return b
}

// WithRootFileSystem sets the machine's disk.
func (b *EngineBuilder) WithRootFileSystem(path string) *EngineBuilder {
	return b.with("root_file_system", path)
}

// WithKernelImage sets the kernel.
func (b *EngineBuilder) WithKernelImage(path string) *EngineBuilder {
	return b.with("kernel_image", path)
}

// WithInitrd sets the archive for the first file system.
func (b *EngineBuilder) WithInitrd(path string) *EngineBuilder {
	return b.with("initrd", path)
}

// WithMMDSMessage sets what the guest gets from the metadata service: text, or an object's JSON.
// It asks by its network (WithNetwork).
func (b *EngineBuilder) WithMMDSMessage(message string) *EngineBuilder {
	return b.with("mmds_message", message)
}

// WithNetwork gives the guest an ADDRESS/BITS, with the gateway, this host's end, beside it.
func (b *EngineBuilder) WithNetwork(address, gateway string) *EngineBuilder {
	b.With("network", map[string]string{"address": address, "gateway": gateway})
	return b
}

// WithKernelArgs adds to the kernel's command line.
func (b *EngineBuilder) WithKernelArgs(words string) *EngineBuilder {
	return b.with("kernel_args", words)
}
