package exhost_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	exhost "github.com/exhost/exhost/bindings/go"
)

// A DMS serves logs to users from these files, by offset.
func TestLogFiles(t *testing.T) {
	onEach(t, func(f *fixture) {
		r := f.sh(`printf 'a\000\377'; echo err >&2; sleep 0.2; echo b`)
		must(f.T, f.Start(ctx, r))
		out, err := os.Open(filepath.Join(r.ResultsDir, "stdout.log"))
		must(f.T, err) // both are there from the start
		defer out.Close()
		_, err = os.Stat(filepath.Join(r.ResultsDir, "stderr.log"))
		must(f.T, err)
		result := f.result(r.ExecutionID)
		content, err := io.ReadAll(out) // the same file: appended to, not replaced
		must(f.T, err)
		check(f.T, string(content) == "a\x00\xffb\n", "%q", content)
		check(f.T, result.STDOUT == string(content) && result.STDERR == "err\n", "%+v", result)
	})
}

func TestLogFilesAreComplete(t *testing.T) {
	onEach(t, func(f *fixture) {
		for i := 0; i < 5; i++ {
			r := f.sh("yes 0123456789 | head -c 2000000; exit 3")
			result, err := f.Run(ctx, r)
			must(f.T, err)
			content, err := os.ReadFile(filepath.Join(r.ResultsDir, "stdout.log"))
			must(f.T, err)
			check(f.T, len(content) == 2000000, "%d bytes when Wait delivered", len(content))
			check(f.T, result.ExitCode == 3, "%d", result.ExitCode)
			check(f.T, strings.HasSuffix(string(content), result.STDOUT) && result.STDOUT != "",
				"the result's output is not the file's")
		}
	})
}

func TestFollowEndsWithTheExecution(t *testing.T) {
	onEach(t, func(f *fixture) {
		r := f.sh("echo one; sleep 0.3; echo two")
		must(f.T, f.Start(ctx, r))
		stream, err := f.GetLogStream(ctx,
			exhost.LogStreamRequest{ExecutionID: r.ExecutionID, Follow: true})
		must(f.T, err)
		content, err := io.ReadAll(stream)
		must(f.T, err)
		check(f.T, string(content) == "one\ntwo\n", "%q", content)
		must(f.T, stream.Close())
		must(f.T, stream.Close())
		stream, err = f.GetLogStream(ctx, exhost.LogStreamRequest{JobID: r.JobID, Tail: true})
		must(f.T, err)
		content, err = io.ReadAll(stream)
		check(f.T, err == nil && len(content) == 0, "tail of what ended: %q %v", content, err)
		must(f.T, stream.Close())
	})
}

func TestStreamEndsWithItsContext(t *testing.T) {
	onEach(t, func(f *fixture) {
		r := f.persistent()
		f.started(r)
		soon, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
		defer cancel()
		stream, err := f.GetLogStream(soon,
			exhost.LogStreamRequest{ExecutionID: r.ExecutionID, Follow: true, Tail: true})
		must(f.T, err)
		defer stream.Close()
		_, err = io.ReadAll(stream)
		check(f.T, err == context.DeadlineExceeded, "%v", err)
	})
}

func TestCancelledStartLeavesNothingOrARun(t *testing.T) {
	onEach(t, func(f *fixture) {
		for i := 0; i < 40; i++ {
			r := f.persistent()
			soon, cancel := context.WithTimeout(ctx, time.Duration(i)*200*time.Microsecond)
			err := f.Start(soon, r)
			cancel()
			_, missing := f.GetStatus(ctx, r.ExecutionID)
			if err == nil {
				must(f.T, missing)
			} else {
				check(f.T, err == context.DeadlineExceeded, "%v", err)
				check(f.T, errors.Is(missing, exhost.ErrNotFound), "half-made: %v", missing)
			}
		}
	})
}

func TestErrorsHoldCodes(t *testing.T) {
	onEach(t, func(f *fixture) {
		check(f.T, errors.Is(f.Start(ctx, nil), exhost.ErrInvalid), "nil request")
		check(f.T, errors.Is(f.Call(ctx, "no_such", nil, nil), exhost.ErrInvalid), "method")
		err := f.Start(ctx, f.request("/no/such/program"))
		var e *exhost.Error
		if f.backend.name == "process" {
			check(f.T, errors.As(err, &e) && e.Code == "engine", "%v", err)
			has(f.T, string(e.Data), `"errno":2`)
		}
		done, cancel := context.WithCancel(ctx)
		cancel()
		check(f.T, f.Start(done, f.transient()) == context.Canceled, "a context that has ended")
	})
}

// What no request may go beyond is held to its form, and holds.
func TestCeiling(t *testing.T) {
	onEach(t, func(f *fixture) {
		o := f.options()
		o.Ceiling = map[string]any{"memmory": 64 << 20}
		_, err := exhost.NewExecutor(ctx, executorID, o)
		check(f.T, errors.Is(err, exhost.ErrInvalid), "%v", err)
		has(f.T, err.Error(), `ceiling.memmory: unknown field (did you mean "memory"?)`)
		o.Ceiling = map[string]any{"memory": "64m", "cores": 0.5,
			"users": map[string]any{"deny": []any{4294967294, "no-such-user"}}}
		e, err := exhost.NewExecutor(ctx, executorID, o)
		must(f.T, err)
		defer e.Close()
		if f.backend.name == "process" {
			r := f.transient()
			check(f.T, errors.Is(e.Start(ctx, r), exhost.ErrDenied), "a core of a half")
			r.Resources.CPU.Cores, r.Resources.RAM.Size = 0.5, 64<<20
			must(f.T, e.Start(ctx, r))
			f.result(r.ExecutionID)
		}
	})
}

func TestClose(t *testing.T) {
	onEach(t, func(f *fixture) {
		other := f.open() // shares the host
		r := f.persistent()
		f.started(r)
		_, failures := other.Wait(ctx, r.ExecutionID)
		must(f.T, other.Close())
		must(f.T, other.Close())
		select {
		case err := <-failures:
			f.T.Fatalf("a shared host was closed: %v", err)
		case <-time.After(20 * time.Millisecond):
		}
		o := f.options()
		o.Serve = true
		alone, err := exhost.NewExecutor(ctx, executorID, o)
		must(f.T, err)
		_, failures = alone.Wait(ctx, r.ExecutionID)
		must(f.T, alone.Close())
		check(f.T, errors.Is(<-failures, exhost.ErrCancelled), "in flight")
		_, err = alone.GetStatus(ctx, r.ExecutionID)
		check(f.T, errors.Is(err, exhost.ErrClosed), "%v", err)
		status, err := f.GetStatus(ctx, r.ExecutionID)
		check(f.T, status == exhost.ExecutionStatusRunning, "%s %v", status, err)
	})
}

func TestSubscribe(t *testing.T) {
	onEach(t, func(f *fixture) {
		feed, err := f.Subscribe(ctx)
		must(f.T, err)
		defer feed.Close()
		r := f.transient()
		must(f.T, f.Start(ctx, r))
		f.result(r.ExecutionID)
		text := ""
		for buffer := make([]byte, 4096); !strings.Contains(text, `"concluded"`); {
			n, err := feed.Read(buffer)
			must(f.T, err)
			text += string(buffer[:n])
		}
		has(f.T, text, `"execution_id":"`+r.ExecutionID+`"`)
		has(f.T, text, `"seq":1`)
	})
}
