package exhost_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	exhost "github.com/exhost/exhost/bindings/go"
)

func stormTime(t *testing.T) time.Duration {
	text := os.Getenv("EXHOST_STORM_SECONDS")
	if text == "" {
		return 5 * time.Second
	}
	seconds, err := strconv.Atoi(text)
	must(t, err)
	return time.Duration(seconds) * time.Second
}

// zombies counts our children that ended and were not awaited.
func zombies(t *testing.T) (count int) {
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	must(t, err)
	parent := []byte(fmt.Sprintf(" Z %d ", os.Getpid()))
	for _, path := range stats {
		content, _ := os.ReadFile(path)
		if bytes.Contains(content, parent) {
			count++
		}
	}
	return count
}

// storm is what the goroutines share.
type storm struct {
	*fixture
	until               time.Time
	runs, cut, programs int64
}

// fail tells of a failure outside the test's own goroutine.
func (s *storm) fail(format string, args ...any) {
	s.T.Errorf(format, args...)
}

// runJobs starts jobs and knows what each of them has to answer.
func (s *storm) runJobs(random *rand.Rand) {
	for time.Now().Before(s.until) {
		code, within := random.Intn(4), time.Duration(random.Intn(40))*time.Millisecond
		r := s.sh(fmt.Sprintf("echo $$; exit %d", code))
		r.ResultsDir = ""
		run := ctx
		stop := func() {}
		if random.Intn(3) == 0 {
			run, stop = context.WithTimeout(ctx, within)
		}
		result, err := s.Run(run, r)
		stop()
		switch {
		case err == nil && (result.ExitCode != code || result.STDOUT == ""):
			s.fail("exit %d, expected %d: %+v", result.ExitCode, code, result)
		case err == nil:
			atomic.AddInt64(&s.runs, 1)
		case errors.Is(err, context.DeadlineExceeded):
			atomic.AddInt64(&s.cut, 1)
		default:
			s.fail("run: %v", err)
		}
		if random.Intn(2) == 0 {
			s.cutStream(r.ExecutionID, random)
		}
		err = s.Remove(r.ExecutionID, time.Second)
		if err != nil && !errors.Is(err, exhost.ErrNotFound) {
			s.fail("remove: %v", err)
		}
	}
}

// cutStream closes a stream early, in one way or another.
func (s *storm) cutStream(id string, random *rand.Rand) {
	soon, cancel := context.WithTimeout(ctx, time.Duration(random.Intn(3000))*time.Microsecond)
	defer cancel()
	stream, err := s.GetLogStream(soon,
		exhost.LogStreamRequest{ExecutionID: id, Follow: random.Intn(2) == 0})
	if err != nil {
		return
	}
	if random.Intn(2) == 0 {
		io.CopyN(io.Discard, stream, 2)
	}
	stream.Close()
	stream.Close()
}

func (s *storm) runPrograms() {
	for time.Now().Before(s.until) {
		out, err := exec.Command("/bin/sh", "-c", "echo mine; exit 6").Output()
		var ended *exec.ExitError
		if !errors.As(err, &ended) || ended.ExitCode() != 6 || string(out) != "mine\n" {
			s.fail("os/exec: %q %v", out, err)
		}
		atomic.AddInt64(&s.programs, 1)
	}
}

func (s *storm) disturb() {
	for time.Now().Before(s.until) {
		for _, sig := range []syscall.Signal{syscall.SIGCHLD, syscall.SIGUSR1, syscall.SIGURG} {
			syscall.Kill(os.Getpid(), sig)
		}
		runtime.GC()
		time.Sleep(2 * time.Millisecond)
	}
}

func TestStorm(t *testing.T) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGUSR1, syscall.SIGCHLD)
	defer signal.Stop(signals)
	onEach(t, func(f *fixture) {
		warm(f)
		fds, before := descriptors(f.T), zombies(f.T)
		s := &storm{fixture: f, until: time.Now().Add(stormTime(f.T))}
		var all sync.WaitGroup
		begin := func(work func()) {
			all.Add(1)
			go func() {
				defer all.Done()
				work()
			}()
		}
		for i := 0; i < 16; i++ {
			random := rand.New(rand.NewSource(int64(i)))
			begin(func() { s.runJobs(random) })
		}
		for i := 0; i < 2; i++ {
			begin(s.runPrograms)
		}
		begin(s.disturb)
		all.Wait()
		f.T.Logf("%d runs, %d cut short, %d programs beside them", s.runs, s.cut, s.programs)
		must(f.T, f.Cleanup(ctx))
		eventually(f.T, fmt.Sprintf("%d descriptors again", fds), func() bool {
			return descriptors(f.T) <= fds+f.backend.kept
		})
		eventually(f.T, "no zombie but those of hosts that were closed before", func() bool {
			return zombies(f.T) <= before
		})
	})
}
