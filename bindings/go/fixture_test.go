package exhost_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	exhost "github.com/exhost/exhost/bindings/go"
	"github.com/exhost/exhost/bindings/go/docker"
	"github.com/exhost/exhost/bindings/go/process"
)

// backend is what the tests run on. What it cannot do is asserted to be unsupported.
type backend struct {
	name      string
	spec      func(cmd ...string) *exhost.SpecConfig
	available func() bool
	// isolated workloads have keys, ports, volumes and a network of their own.
	isolated bool
	// kept connections to an engine stay open for the next call.
	kept int
}

var backends = []backend{
	{
		name: process.EngineType,
		spec: func(cmd ...string) *exhost.SpecConfig {
			return process.NewProcessEngineBuilder().WithCmd(cmd...).Build()
		},
		available: func() bool { return true },
	},
	{
		name: docker.EngineType,
		spec: func(cmd ...string) *exhost.SpecConfig {
			return docker.NewDockerEngineBuilder(image()).WithCmd(cmd...).Build()
		},
		available: func() bool {
			return os.Getenv("DOCKER_HOST") != "" || os.Getenv("EXHOST_DOCKER_SOCKET") != ""
		},
		isolated: true,
		kept:     16,
	},
}

func image() string {
	if name := os.Getenv("EXHOST_TEST_IMAGE"); name != "" {
		return name
	}
	return "python:alpine"
}

// fixture is an executor on a fresh state folder.
type fixture struct {
	*exhost.Executor
	T       *testing.T
	backend backend
	state   string
}

const executorID = "test_executor"

func (f *fixture) options() exhost.Options {
	o := exhost.Options{Backend: f.backend.name, StateDir: f.state}
	if socket := os.Getenv("EXHOST_DOCKER_SOCKET"); socket != "" {
		o.Config = map[string]any{"backends": map[string]any{
			"docker": map[string]any{"host": "unix://" + socket}}}
	}
	return o
}

func (f *fixture) open() *exhost.Executor {
	f.T.Helper()
	e, err := exhost.NewExecutor(context.Background(), executorID, f.options())
	must(f.T, err)
	return e
}

func newFixture(t *testing.T, b backend) *fixture {
	t.Helper()
	f := &fixture{T: t, backend: b, state: t.TempDir() + "/state"}
	f.Executor = f.open()
	t.Cleanup(func() {
		must(t, f.Cleanup(context.Background()))
		f.Close()
	})
	return f
}

// onEach runs a test on every backend that is here.
func onEach(t *testing.T, body func(*fixture)) {
	for _, b := range backends {
		b := b
		t.Run(b.name, func(t *testing.T) {
			if !b.available() {
				t.Skip("set DOCKER_HOST or EXHOST_DOCKER_SOCKET to run it on", b.name)
			}
			body(newFixture(t, b))
		})
	}
}

var count int64

// request is a job as a DMS makes it.
func (f *fixture) request(cmd ...string) *exhost.ExecutionRequest {
	n := atomic.AddInt64(&count, 1)
	id := fmt.Sprintf("e%d-%d", os.Getpid(), n)
	return &exhost.ExecutionRequest{
		JobID: "job-" + id, ExecutionID: id, EngineSpec: f.backend.spec(cmd...),
		Resources: &exhost.Resources{CPU: exhost.CPU{Cores: 1},
			RAM: exhost.RAM{Size: 1024}},
		ResultsDir:          filepath.Join(filepath.Dir(f.state), "results", id),
		PersistLogsDuration: time.Second, GatewayIP: "10.0.0.1",
	}
}

func (f *fixture) transient() *exhost.ExecutionRequest {
	return f.request("echo", "hello world")
}

func (f *fixture) persistent() *exhost.ExecutionRequest {
	return f.sh("trap exit TERM; while true; do date; sleep 1; done")
}

func (f *fixture) sh(script string) *exhost.ExecutionRequest {
	return f.request("sh", "-c", script)
}

// started starts a request and waits until it runs.
func (f *fixture) started(r *exhost.ExecutionRequest) string {
	f.T.Helper()
	must(f.T, f.Start(context.Background(), r))
	f.reaches(r.ExecutionID, exhost.ExecutionStatusRunning)
	return r.ExecutionID
}

func (f *fixture) reaches(id string, status exhost.ExecutionStatus) {
	f.T.Helper()
	must(f.T, f.WaitForStatus(context.Background(), id, status, nil))
}

// result waits for the end.
func (f *fixture) result(id string) *exhost.ExecutionResult {
	f.T.Helper()
	results, failures := f.Wait(context.Background(), id)
	select {
	case r := <-results:
		return r
	case err := <-failures:
		f.T.Fatal(err)
	case <-time.After(time.Minute):
		f.T.Fatal("no result after a minute")
	}
	return nil
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func check(t *testing.T, ok bool, format string, args ...any) {
	t.Helper()
	if !ok {
		t.Fatalf(format, args...)
	}
}

func has(t *testing.T, text, part string) {
	t.Helper()
	check(t, strings.Contains(text, part), "%q does not contain %q", text, part)
}

// eventually looks until it is so.
func eventually(t *testing.T, what string, look func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !look(); time.Sleep(5 * time.Millisecond) {
		check(t, time.Now().Before(end), "never: %s", what)
	}
}
