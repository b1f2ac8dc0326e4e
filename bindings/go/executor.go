package exhost

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Calls without a context have to end some day all the same.
const listTime = 30 * time.Second

func byID(id string) params { return params{"id": id} }

// GetID is the executor's id, not an execution's.
func (e *Executor) GetID() string { return e.id }

// Start begins an execution and returns when the workload runs. On failure nothing is left
// behind.
func (e *Executor) Start(ctx context.Context, request *ExecutionRequest) error {
	if request == nil {
		return &Error{Code: "invalid", Message: "execution request cannot be nil"}
	}
	return e.Call(ctx, "start", params{"request": request}, nil)
}

// Run is Start and then Wait.
func (e *Executor) Run(ctx context.Context, request *ExecutionRequest) (*ExecutionResult, error) {
	if err := e.Start(ctx, request); err != nil {
		return nil, err
	}
	results, failures := e.Wait(ctx, request.ExecutionID)
	select {
	case result := <-results:
		return result, nil
	case err := <-failures:
		return nil, err
	}
}

// Cancel stops an execution: a signal, a time of grace, SIGKILL. It returns when it has
// ended; when ctx ends first, the stop goes on.
func (e *Executor) Cancel(ctx context.Context, id string) error {
	return e.Call(ctx, "cancel", byID(id), nil)
}

// Pause freezes a running execution.
func (e *Executor) Pause(ctx context.Context, id string) error {
	return e.Call(ctx, "pause", byID(id), nil)
}

// Resume lets a paused one go on.
func (e *Executor) Resume(ctx context.Context, id string) error {
	return e.Call(ctx, "resume", byID(id), nil)
}

// Remove stops an execution, with SIGKILL at the latest after the timeout, and frees its
// JobID. Result and logs stay until they expire.
func (e *Executor) Remove(id string, timeout time.Duration) error {
	return e.Call(context.Background(), "remove",
		params{"id": id, "timeout": timeout.Seconds()}, nil)
}

// Cleanup stops and removes everything of this executor and backend.
func (e *Executor) Cleanup(ctx context.Context) error {
	return e.Call(ctx, "cleanup", nil, nil)
}

// List gives what was not removed; never nil.
func (e *Executor) List() []ExecutionListItem {
	ctx, cancel := context.WithTimeout(context.Background(), listTime)
	defer cancel()
	var entries []struct {
		ID      string `json:"execution_id"`
		Running bool   `json:"running"`
	}
	items := []ExecutionListItem{}
	if e.Call(ctx, "list", nil, &entries) != nil {
		return items
	}
	for _, entry := range entries {
		items = append(items, ExecutionListItem{ExecutionID: entry.ID, Running: entry.Running})
	}
	return items
}

// GetStatus is an error only for an execution that does not exist.
func (e *Executor) GetStatus(ctx context.Context, id string) (ExecutionStatus, error) {
	var answer struct{ Status ExecutionStatus }
	err := e.Call(ctx, "status", byID(id), &answer)
	return answer.Status, err
}

// WaitForStatus waits until the execution has the status, 10 s without a timeout. A status
// that can no longer come, or is none of the five, is an error at once.
func (e *Executor) WaitForStatus(ctx context.Context, id string, status ExecutionStatus,
	timeout *time.Duration) error {
	p := params{"id": id, "status": string(status)}
	if timeout != nil {
		p["timeout"] = timeout.Seconds()
	}
	return e.Call(ctx, "wait_for_status", p, nil)
}

// Exec runs a command inside a running execution. When ctx ends, the command is killed.
func (e *Executor) Exec(ctx context.Context, id string, command []string) (exitCode int,
	stdout, stderr string, err error) {
	if command == nil {
		command = []string{}
	}
	var r wireResult
	err = e.Call(ctx, "exec", params{"id": id, "argv": command}, &r)
	if errors.Is(err, ErrNotFound) {
		err = withText(err, fmt.Sprintf("failed to get execution handler for execution=%q", id))
	}
	if err != nil {
		return 0, "", "", err
	}
	result := r.result()
	return result.ExitCode, result.STDOUT, result.STDERR, nil
}

// Stats are what a running execution uses now.
func (e *Executor) Stats(ctx context.Context, id string) (*ExecutorStats, error) {
	stats := &ExecutorStats{}
	if err := e.Call(ctx, "stats", byID(id), stats); err != nil {
		return nil, err
	}
	return stats, nil
}

// GetInfo is what is known of an execution.
func (e *Executor) GetInfo(ctx context.Context, id string) (*ExecutorInfo, error) {
	info := &ExecutorInfo{}
	if err := e.Call(ctx, "info", byID(id), info); err != nil {
		return nil, err
	}
	return info, nil
}

// GetNetInfo is the workload's network, where the backend gives it one of its own.
func (e *Executor) GetNetInfo(ctx context.Context, id string) (*ExecutorNetInfo, error) {
	net := &ExecutorNetInfo{}
	if err := e.Call(ctx, "net_info", byID(id), net); err != nil {
		return nil, err
	}
	return net, nil
}

// FindRunningContainer gives the id of the execution that holds a job.
func (e *Executor) FindRunningContainer(ctx context.Context, jobID string,
	_ ...string) (string, error) {
	var answer struct{ ID string }
	err := e.Call(ctx, "find", params{"job_id": jobID}, &answer)
	return answer.ID, notFound(err, jobID)
}

// TerminateByJobID stops and removes the execution that holds a job, with SIGKILL at the
// latest after timeoutSec seconds.
func (e *Executor) TerminateByJobID(ctx context.Context, jobID string, timeoutSec int) error {
	return notFound(e.Call(ctx, "terminate_by_job_id",
		params{"job_id": jobID, "timeout": timeoutSec}, nil), jobID)
}

func notFound(err error, jobID string) error {
	if errors.Is(err, ErrNotFound) {
		return withText(err, "unable to find container for nunet-jobID="+jobID)
	}
	return err
}
