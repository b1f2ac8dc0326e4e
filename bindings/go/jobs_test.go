package exhost_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	exhost "github.com/exhost/exhost/bindings/go"
)

var ctx = context.Background()

func TestStartJob(t *testing.T) {
	onEach(t, func(f *fixture) {
		must(f.T, f.Start(ctx, f.persistent()))
	})
}

func TestRunJob(t *testing.T) {
	onEach(t, func(f *fixture) {
		r, err := f.Run(ctx, f.transient())
		must(f.T, err)
		check(f.T, r.ExitCode == exhost.ExecutionStatusCodeSuccess, "exit code %d", r.ExitCode)
		check(f.T, r.STDOUT == "hello world\n", "stdout %q", r.STDOUT)
	})
}

func TestWaitJob(t *testing.T) {
	onEach(t, func(f *fixture) {
		r := f.transient()
		must(f.T, f.Start(ctx, r))
		check(f.T, f.result(r.ExecutionID).ExitCode == 0, "not 0")
		_, failures := f.Wait(ctx, "non-existent-execution")
		err := <-failures
		check(f.T, errors.Is(err, exhost.ErrNotFound), "%v", err)
		check(f.T, err.Error() == "execution (non-existent-execution) not found", "%v", err)
	})
}

// Waits share a watch and a watcher of their context, and end each on its own.
func TestManyWaits(t *testing.T) {
	onEach(t, func(f *fixture) {
		const many = 300
		r := f.persistent()
		f.started(r)
		soon, cancel := context.WithCancel(ctx)
		defer cancel()
		before := runtime.NumGoroutine()
		var results [many]<-chan *exhost.ExecutionResult
		var failures [many]<-chan error
		for i := range results {
			of := ctx
			if i%2 == 0 {
				of = soon
			}
			results[i], failures[i] = f.Wait(of, r.ExecutionID)
		}
		grown := runtime.NumGoroutine() - before
		check(f.T, grown < 10, "%d goroutines more", grown)
		cancel()
		for i := 0; i < many; i += 2 {
			check(f.T, <-failures[i] == context.Canceled, "not context.Canceled")
		}
		must(f.T, f.Cancel(ctx, r.ExecutionID))
		for i := 1; i < many; i += 2 {
			select {
			case result := <-results[i]:
				check(f.T, result.ErrorMsg == "execution cancelled", "%+v", result)
			case err := <-failures[i]:
				f.T.Fatal(err)
			}
		}
	})
}

func TestRunWithContextCancel(t *testing.T) {
	onEach(t, func(f *fixture) {
		r := f.persistent()
		f.started(r)
		soon, cancel := context.WithCancel(ctx)
		_, failures := f.Wait(soon, r.ExecutionID)
		cancel()
		check(f.T, <-failures == context.Canceled, "not context.Canceled")
		soon, cancel = context.WithTimeout(ctx, 20*time.Millisecond)
		defer cancel()
		_, failures = f.Wait(soon, r.ExecutionID)
		check(f.T, <-failures == context.DeadlineExceeded, "not DeadlineExceeded")
		status, err := f.GetStatus(ctx, r.ExecutionID)
		must(f.T, err)
		check(f.T, status == exhost.ExecutionStatusRunning, "it is %s", status)
	})
}

func TestStartActiveHandler(t *testing.T) {
	onEach(t, func(f *fixture) {
		r := f.persistent()
		f.started(r)
		again := *r
		again.JobID = "another-job"
		err := f.Start(ctx, &again)
		check(f.T, errors.Is(err, exhost.ErrAlreadyStarted), "%v", err)
		has(f.T, err.Error(), "execution is already started")
	})
}

func TestCancelJob(t *testing.T) {
	onEach(t, func(f *fixture) {
		r := f.persistent()
		f.started(r)
		must(f.T, f.Cancel(ctx, r.ExecutionID))
		check(f.T, f.result(r.ExecutionID) != nil, "no result")
		err := f.Cancel(ctx, "non-existent-execution")
		check(f.T, errors.Is(err, exhost.ErrNotFound), "%v", err)
		has(f.T, err.Error(), "execution not found")
	})
}

func TestPauseResume(t *testing.T) {
	onEach(t, func(f *fixture) {
		r := f.persistent()
		f.started(r)
		must(f.T, f.Pause(ctx, r.ExecutionID))
		f.reaches(r.ExecutionID, exhost.ExecutionStatusPaused)
		must(f.T, f.Resume(ctx, r.ExecutionID))
		f.reaches(r.ExecutionID, exhost.ExecutionStatusRunning)
		check(f.T, errors.Is(f.Pause(ctx, "nobody"), exhost.ErrNotFound), "pause of nobody")
		check(f.T, errors.Is(f.Resume(ctx, "nobody"), exhost.ErrNotFound), "resume of nobody")
	})
}

func TestGetStatus(t *testing.T) {
	onEach(t, func(f *fixture) {
		status := func(id string) exhost.ExecutionStatus {
			s, err := f.GetStatus(ctx, id)
			must(f.T, err)
			return s
		}
		r := f.persistent()
		must(f.T, f.Start(ctx, r))
		s := status(r.ExecutionID)
		check(f.T, s == exhost.ExecutionStatusPending || s == exhost.ExecutionStatusRunning, "%s", s)
		f.reaches(r.ExecutionID, exhost.ExecutionStatusRunning)
		must(f.T, f.Pause(ctx, r.ExecutionID))
		check(f.T, status(r.ExecutionID) == exhost.ExecutionStatusPaused, "not paused")
		must(f.T, f.Resume(ctx, r.ExecutionID))
		check(f.T, status(r.ExecutionID) == exhost.ExecutionStatusRunning, "not running")
		must(f.T, f.Cancel(ctx, r.ExecutionID))
		f.reaches(r.ExecutionID, exhost.ExecutionStatusFailed)
		r = f.transient()
		must(f.T, f.Start(ctx, r))
		f.reaches(r.ExecutionID, exhost.ExecutionStatusSuccess)
	})
}

func TestSavedLogs(t *testing.T) {
	onEach(t, func(f *fixture) {
		goOn := filepath.Join(f.T.TempDir(), "go")
		script := "echo one; sleep 1; echo two"
		if !f.backend.isolated {
			script = "echo one; until [ -e " + goOn + " ]; do sleep 0.01; done; echo two"
		}
		r := f.sh(script)
		f.started(r)
		log := filepath.Join(r.ResultsDir, "stdout.log")
		eventually(f.T, "one is in the log", func() bool {
			content, _ := os.ReadFile(log)
			return string(content) == "one\n"
		})
		must(f.T, os.WriteFile(goOn, nil, 0o644))
		result := f.result(r.ExecutionID)
		check(f.T, result.ExitCode == 0 && result.STDOUT == "one\ntwo\n", "%+v", result)
	})
}
