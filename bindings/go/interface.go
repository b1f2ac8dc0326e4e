package exhost

import (
	"context"
	"io"
	"time"
)

// ExecutorInterface is a DMS's executor interface, for those who want to name it.
type ExecutorInterface interface {
	GetID() string
	Start(ctx context.Context, request *ExecutionRequest) error
	Run(ctx context.Context, request *ExecutionRequest) (*ExecutionResult, error)
	Wait(ctx context.Context, id string) (<-chan *ExecutionResult, <-chan error)
	Cancel(ctx context.Context, id string) error
	Pause(ctx context.Context, id string) error
	Resume(ctx context.Context, id string) error
	Remove(id string, timeout time.Duration) error
	Cleanup(ctx context.Context) error
	List() []ExecutionListItem
	GetStatus(ctx context.Context, id string) (ExecutionStatus, error)
	WaitForStatus(ctx context.Context, id string, status ExecutionStatus,
		timeout *time.Duration) error
	Exec(ctx context.Context, id string, command []string) (int, string, string, error)
	GetLogStream(ctx context.Context, request LogStreamRequest) (io.ReadCloser, error)
	Stats(ctx context.Context, id string) (*ExecutorStats, error)
	GetInfo(ctx context.Context, id string) (*ExecutorInfo, error)
	GetNetInfo(ctx context.Context, id string) (*ExecutorNetInfo, error)
}

var _ ExecutorInterface = (*Executor)(nil)
