package exhost_test

import (
	"bufio"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	exhost "github.com/exhost/exhost/bindings/go"
)

// handover is what the program that is going to be killed is told.
type handover struct {
	Backend, State string
	Requests       []*exhost.ExecutionRequest
}

const handoverVariable = "EXHOST_TEST_HANDOVER"

// TestMain lets the test program also be the one that is killed: it starts the jobs, says
// so and stays.
func TestMain(m *testing.M) {
	text := os.Getenv(handoverVariable)
	if text == "" {
		os.Exit(m.Run())
	}
	var h handover
	if err := json.Unmarshal([]byte(text), &h); err != nil {
		panic(err)
	}
	for _, b := range backends {
		if b.name != h.Backend {
			continue
		}
		f := fixture{backend: b, state: h.State}
		e, err := exhost.NewExecutor(ctx, executorID, f.options())
		if err != nil {
			panic(err)
		}
		for _, r := range h.Requests {
			if err := e.Start(ctx, r); err != nil {
				panic(err)
			}
		}
	}
	os.Stdout.WriteString("started\n")
	select {}
}

// startElsewhere starts jobs in another process and kills that.
func startElsewhere(f *fixture, requests ...*exhost.ExecutionRequest) {
	text, err := json.Marshal(handover{f.backend.name, f.state, requests})
	must(f.T, err)
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), handoverVariable+"="+string(text))
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	must(f.T, err)
	must(f.T, child.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	check(f.T, line == "started\n", "%q %v", line, err)
	must(f.T, child.Process.Kill())
	child.Wait()
}

// A DMS that was killed starts again: the same JobID, another ExecutionID.
func TestAdoptAfterKill(t *testing.T) {
	onEach(t, func(f *fixture) {
		gate := filepath.Join(f.T.TempDir(), "gate")
		script := "echo first; sleep 2; echo last; exit 5"
		if !f.backend.isolated {
			script = "echo first; until [ -e " + gate + " ]; do sleep 0.01; done; echo last; exit 5"
		}
		runs, ended := f.sh(script), f.sh("echo once")
		startElsewhere(f, runs, ended)
		f.reaches(ended.ExecutionID, exhost.ExecutionStatusSuccess)

		again := *runs
		again.ExecutionID += "-new"
		must(f.T, f.Start(ctx, &again))
		status, err := f.GetStatus(ctx, again.ExecutionID)
		must(f.T, err)
		check(f.T, status == exhost.ExecutionStatusRunning, "it is %s", status)
		must(f.T, os.WriteFile(gate, nil, 0o644))
		result := f.result(again.ExecutionID)
		check(f.T, result.ExitCode == 5 && result.STDOUT == "first\nlast\n", "%+v", result)
		content, err := os.ReadFile(filepath.Join(runs.ResultsDir, "stdout.log"))
		must(f.T, err)
		check(f.T, string(content) == "first\nlast\n", "log: %q", content)

		again = *ended
		again.ExecutionID += "-new"
		must(f.T, f.Start(ctx, &again))
		result = f.result(again.ExecutionID)
		check(f.T, result.ExitCode == 0 && result.STDOUT == "once\n", "%+v", result)
		content, err = os.ReadFile(filepath.Join(ended.ResultsDir, "stdout.log"))
		must(f.T, err)
		check(f.T, string(content) == "once\n", "it ran again: %q", content)
	})
}
