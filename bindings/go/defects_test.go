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

// Each of these went wrong in an executor that this package replaces.

func TestFailedJobsKeepTheirOutput(t *testing.T) {
	onEach(t, func(f *fixture) {
		r := f.sh("echo out; echo err >&2; exit 3")
		result, err := f.Run(ctx, r)
		must(f.T, err)
		check(f.T, result.ExitCode == 3 && result.STDOUT == "out\n" && result.STDERR == "err\n",
			"%+v", result)
		check(f.T, result.ErrorMsg != "", "no reason")
		err = f.Start(ctx, r)
		check(f.T, errors.Is(err, exhost.ErrAlreadyCompleted), "%v", err)
		has(f.T, err.Error(), "execution is already completed")
	})
}

func TestStartContextIsNotTheJobs(t *testing.T) {
	onEach(t, func(f *fixture) {
		r := f.sh("sleep 0.3; echo done; exit 4")
		soon, cancel := context.WithCancel(ctx)
		must(f.T, f.Start(soon, r))
		cancel()
		result := f.result(r.ExecutionID)
		check(f.T, result.ExitCode == 4 && result.STDOUT == "done\n", "%+v", result)
	})
}

func TestCancelGivesGrace(t *testing.T) {
	onEach(t, func(f *fixture) {
		r := f.sh("trap 'sleep 0.3; echo tidy; exit 0' TERM; echo ready; while :; do sleep 0.05; done")
		f.started(r)
		eventually(f.T, "ready", func() bool {
			content, _ := os.ReadFile(filepath.Join(r.ResultsDir, "stdout.log"))
			return len(content) > 0
		})
		must(f.T, f.Cancel(ctx, r.ExecutionID))
		result := f.result(r.ExecutionID)
		check(f.T, result.STDOUT == "ready\ntidy\n", "%+v", result)
		check(f.T, !result.Killed, "killed is for others")
		status, err := f.GetStatus(ctx, r.ExecutionID)
		check(f.T, status == exhost.ExecutionStatusFailed, "%s %v", status, err)
	})
}

func TestWaitForStatusHasATimeout(t *testing.T) {
	onEach(t, func(f *fixture) {
		r := f.persistent()
		f.started(r)
		timeout, began := 250*time.Millisecond, time.Now()
		err := f.WaitForStatus(ctx, r.ExecutionID, exhost.ExecutionStatusPaused, &timeout)
		check(f.T, errors.Is(err, exhost.ErrTimeout), "%v", err)
		check(f.T, err.Error() == "execution ("+r.ExecutionID+") did not reach status paused",
			"%v", err)
		took := time.Since(began)
		check(f.T, took > 200*time.Millisecond && took < 5*time.Second, "after %v", took)
	})
}

func TestLateReadersOfWaitGetTheValue(t *testing.T) {
	onEach(t, func(f *fixture) {
		r := f.transient()
		_, err := f.Run(ctx, r)
		must(f.T, err)
		for i := 0; i < 300; i++ {
			results, failures := f.Wait(ctx, r.ExecutionID)
			if i%2 == 0 {
				time.Sleep(50 * time.Microsecond)
			}
			select {
			case result := <-results:
				check(f.T, result != nil, "nil, nil")
			case err := <-failures:
				f.T.Fatalf("an error channel won: %v", err)
			}
		}
	})
}

func TestUnknownLogsAnswerAtOnce(t *testing.T) {
	onEach(t, func(f *fixture) {
		began := time.Now()
		_, err := f.GetLogStream(ctx, exhost.LogStreamRequest{ExecutionID: "nobody"})
		check(f.T, errors.Is(err, exhost.ErrNotFound), "%v", err)
		check(f.T, time.Since(began) < 2*time.Second, "after %v", time.Since(began))
	})
}

func TestScriptsStopAtTheFirstFailure(t *testing.T) {
	onEach(t, func(f *fixture) {
		r := f.request("echo", "job")
		r.ProvisionScripts = map[string][]byte{"1_bad": []byte("#!/bin/sh\nexit 9\n"),
			"2_next": []byte("#!/bin/sh\necho next\n")}
		result, err := f.Run(ctx, r)
		if err == nil {
			check(f.T, result.ExitCode == 9 && result.STDOUT == "", "%+v", result)
		}
		r = f.request("echo", "job")
		r.ProvisionScripts = map[string][]byte{"../pwned": []byte("#!/bin/sh\n")}
		check(f.T, errors.Is(f.Start(ctx, r), exhost.ErrInvalid), "a path as a name")
	})
}

func TestHandledSignalIsNotAKill(t *testing.T) {
	onEach(t, func(f *fixture) {
		r := f.sh("trap 'echo hup' HUP; echo ready; i=0; while [ $i -lt 20 ]; do sleep 0.05; " +
			"i=$((i+1)); done; exit 0")
		f.started(r)
		eventually(f.T, "ready", func() bool {
			content, _ := os.ReadFile(filepath.Join(r.ResultsDir, "stdout.log"))
			return len(content) > 0
		})
		must(f.T, f.Call(ctx, "signal",
			map[string]any{"id": r.ExecutionID, "signal": "HUP"}, nil))
		result := f.result(r.ExecutionID)
		check(f.T, result.ExitCode == 0 && !result.Killed, "%+v", result)
		check(f.T, result.STDOUT == "ready\nhup\n", "%q", result.STDOUT)
	})
}

func descriptors(t *testing.T) int {
	entries, err := os.ReadDir("/proc/self/fd")
	must(t, err)
	return len(entries)
}

func TestNothingIsLeftOfAnExecution(t *testing.T) {
	onEach(t, func(f *fixture) {
		_, err := f.Run(ctx, f.transient())
		must(f.T, err)
		fds, goroutines := descriptors(f.T), runtime.NumGoroutine()
		for i := 0; i < 20; i++ {
			r := f.transient()
			_, err := f.Run(ctx, r)
			must(f.T, err)
			must(f.T, f.Remove(r.ExecutionID, time.Second))
		}
		eventually(f.T, "as many descriptors and goroutines as before", func() bool {
			return descriptors(f.T) <= fds && runtime.NumGoroutine() <= goroutines
		})
	})
}
