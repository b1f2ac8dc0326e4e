package docker_test

import (
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/exhost/exhost/bindings/go/docker"
	"github.com/exhost/exhost/bindings/go/observability"
	"github.com/exhost/exhost/bindings/go/process"
	"github.com/exhost/exhost/bindings/go/types"
)

// fileSystem stands for the file system library that a DMS passes in.
type fileSystem struct{}

// dmsExecutor is the executor interface of a DMS, word for word.
type dmsExecutor interface {
	GetID() string
	Start(ctx context.Context, request *types.ExecutionRequest) error
	Run(ctx context.Context, request *types.ExecutionRequest) (*types.ExecutionResult, error)
	Wait(ctx context.Context, executionID string) (<-chan *types.ExecutionResult, <-chan error)
	Cancel(ctx context.Context, executionID string) error
	Pause(ctx context.Context, executionID string) error
	Resume(ctx context.Context, executionID string) error
	Remove(executionID string, timeout time.Duration) error
	GetLogStream(ctx context.Context, request types.LogStreamRequest) (io.ReadCloser, error)
	List() []types.ExecutionListItem
	Cleanup(ctx context.Context) error
	GetStatus(ctx context.Context, executionID string) (types.ExecutionStatus, error)
	WaitForStatus(ctx context.Context, executionID string, status types.ExecutionStatus,
		timeout *time.Duration) error
	Exec(ctx context.Context, containerID string, command []string) (exitCode int, stdout string,
		stderr string, err error)
	Stats(ctx context.Context, executionID string) (*types.ExecutorStats, error)
	GetInfo(ctx context.Context, executionID string) (*types.ExecutorInfo, error)
	GetNetInfo(ctx context.Context, executionID string) (*types.ExecutorNetInfo, error)
}

// What a DMS finds by type assertion.
type dmsDocker interface {
	FindRunningContainer(ctx context.Context, jobID string, executionID ...string) (string, error)
	TerminateByJobID(ctx context.Context, jobID string, timeoutSec int) error
}

var (
	_ dmsExecutor    = (*docker.Executor)(nil)
	_ dmsDocker      = (*docker.Executor)(nil)
	_ types.Executor = dmsExecutor(nil)
	_ dmsExecutor    = types.Executor(nil)

	_ func(string) *docker.EngineBuilder                           = docker.NewDockerEngineBuilder
	_ func(*docker.EngineBuilder, ...string) *docker.EngineBuilder = (*docker.EngineBuilder).WithCmd
	_ func(*docker.EngineBuilder) *types.SpecConfig                = (*docker.EngineBuilder).Build

	_ = types.ExecutorStats{
		CPUUsage: types.ExecutorStats{}.CPUUsage, Memory: types.ExecutorStats{}.Memory,
		Timestamp: int64(0)}
	_ uint64  = types.ExecutorStats{}.CPUUsage.TotalUsage
	_ float64 = types.ExecutorStats{}.CPUUsage.Percent
	_ uint64  = types.ExecutorStats{}.Memory.Limit
	_ uint8   = types.ExecutionStatusCodeSuccess // untyped
)

// A job with every field that a DMS's own test sets.
func everything(spec *types.SpecConfig, dir string) *types.ExecutionRequest {
	return &types.ExecutionRequest{
		JobID: "dropin-job", ExecutionID: "dropin-execution", EngineSpec: spec,
		Resources: &types.Resources{
			CPU: types.CPU{ClockSpeed: 1e9, Cores: 1}, RAM: types.RAM{Size: 1024}},
		Inputs:              []*types.StorageVolumeExecutor{},
		Outputs:             []*types.StorageVolumeExecutor{},
		ResultsDir:          dir + "/results",
		PersistLogsDuration: time.Second,
		ProvisionScripts:    map[string][]byte{},
		Keys:                []types.AllocationKey{},
		PortsToBind:         []types.PortsToBind{},
		GatewayIP:           "10.0.0.1",
	}
}

func TestDropIn(t *testing.T) {
	observability.SetNoOpMode(true)
	dir := t.TempDir()
	t.Setenv("EXHOST_STATE_DIR", dir+"/state")
	var executor dmsExecutor
	executor, err := process.NewExecutor(context.Background(), fileSystem{}, "root")
	if err != nil {
		t.Fatal(err)
	}
	defer executor.(*process.Executor).Close()
	spec := process.NewProcessEngineBuilder().WithCmd("echo", "hello").Build()
	result, err := executor.Run(context.Background(), everything(spec, dir))
	if err != nil {
		t.Fatal(err)
	}
	if result.ExitCode != types.ExecutionStatusCodeSuccess || result.STDOUT != "hello\n" {
		t.Fatalf("%+v", result)
	}
	if err := executor.Cleanup(context.Background()); err != nil {
		t.Fatal(err)
	}
}

func TestDockerIsNotInstalled(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("EXHOST_STATE_DIR", dir+"/state")
	t.Setenv("DOCKER_HOST", "unix://"+dir+"/no.sock")
	executor, err := docker.NewExecutor(context.Background(), fileSystem{}, "root")
	if executor != nil || !errors.Is(err, docker.ErrNotInstalled) {
		t.Fatalf("%v, %v", executor, err)
	}
}
