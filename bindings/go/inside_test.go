package exhost_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	exhost "github.com/exhost/exhost/bindings/go"
)

// refused asserts that a backend says that it cannot do what the request asks for.
func refused(f *fixture, r *exhost.ExecutionRequest) {
	f.T.Helper()
	err := f.Start(ctx, r)
	check(f.T, errors.Is(err, exhost.ErrUnsupported), "%v", err)
	_, err = f.GetStatus(ctx, r.ExecutionID)
	check(f.T, errors.Is(err, exhost.ErrNotFound), "something is left: %v", err)
}

func TestRunJobWithKeys(t *testing.T) {
	onEach(t, func(f *fixture) {
		r := f.persistent()
		r.Keys = []exhost.AllocationKey{{Type: exhost.KeySSH, File: "ssh-ed25519 AAAA test"}}
		if !f.backend.isolated {
			refused(f, r)
			return
		}
		f.started(r)
		code, out, errors, err := f.Exec(ctx, r.ExecutionID,
			[]string{"cat", "/root/.ssh/authorized_keys"})
		must(f.T, err)
		check(f.T, code == 0 && errors == "", "%d %q", code, errors)
		has(f.T, out, "ssh-ed25519 AAAA test")
		_, out, _, err = f.Exec(ctx, r.ExecutionID,
			[]string{"stat", "-c", "%a", "/root/.ssh/authorized_keys"})
		must(f.T, err)
		check(f.T, out == "600\n", "mode %s", out)
	})
}

func TestRunJobWithPortBinding(t *testing.T) {
	onEach(t, func(f *fixture) {
		r := f.persistent()
		r.PortsToBind = []exhost.PortsToBind{{IP: "127.0.0.1", HostPort: 8080, ExecutorPort: 3000}}
		if !f.backend.isolated {
			refused(f, r)
			return
		}
		f.started(r)
		must(f.T, f.Cancel(ctx, r.ExecutionID))
	})
}

func TestRunJobWithVolumes(t *testing.T) {
	onEach(t, func(f *fixture) {
		in, out := f.T.TempDir(), f.T.TempDir()
		must(f.T, os.WriteFile(filepath.Join(in, "file"), []byte("content"), 0o644))
		r := f.sh("cat /input/file > /output/file")
		r.Inputs = []*exhost.StorageVolumeExecutor{{Type: "bind", Source: in, Target: "/input",
			ReadOnly: true}}
		r.Outputs = []*exhost.StorageVolumeExecutor{{Type: "bind", Source: out, Target: "/output"}}
		if !f.backend.isolated {
			refused(f, r)
			return
		}
		result, err := f.Run(ctx, r)
		must(f.T, err)
		check(f.T, result.ExitCode == 0, "%+v", result)
		content, err := os.ReadFile(filepath.Join(out, "file"))
		must(f.T, err)
		check(f.T, string(content) == "content", "%q", content)
	})
}

func TestRunJobWithInitScripts(t *testing.T) {
	onEach(t, func(f *fixture) {
		first, said := "#!/usr/bin/env python3\nprint('from python')\n", "from python\nfrom sh\njob\n"
		if !f.backend.isolated || !strings.Contains(image(), "python") {
			first = "#!/bin/sh\necho from python\n"
		}
		r := f.request("echo", "job")
		r.ProvisionScripts = map[string][]byte{"01_first": []byte(first),
			"02_second.sh": []byte("#!/bin/sh\necho from sh\n")}
		result, err := f.Run(ctx, r)
		must(f.T, err)
		check(f.T, result.ExitCode == 0 && result.STDOUT == said, "%+v", result)
	})
}

func TestExec(t *testing.T) {
	onEach(t, func(f *fixture) {
		r := f.persistent()
		f.started(r)
		code, out, errs, err := f.Exec(ctx, r.ExecutionID, []string{"echo", "hello", "exec"})
		must(f.T, err)
		check(f.T, code == 0 && out == "hello exec\n" && errs == "", "%d %q %q", code, out, errs)
		code, out, errs, err = f.Exec(ctx, r.ExecutionID,
			[]string{"sh", "-c", `printf 'a\377\000b'; echo no >&2; exit 7`})
		must(f.T, err)
		check(f.T, code == 7 && out == "a\xff\x00b" && errs == "no\n", "%d %q %q", code, out, errs)
		code, out, errs, err = f.Exec(ctx, "nobody", []string{"true"})
		check(f.T, errors.Is(err, exhost.ErrNotFound), "%v", err)
		check(f.T, code == 0 && out == "" && errs == "", "not empty")
		check(f.T, err.Error() == `failed to get execution handler for execution="nobody"`, "%v", err)
	})
}

func TestStats(t *testing.T) {
	onEach(t, func(f *fixture) {
		r := f.persistent()
		f.started(r)
		stats, err := f.Stats(ctx, r.ExecutionID)
		must(f.T, err)
		check(f.T, stats.Timestamp > 0, "no timestamp")
		check(f.T, stats.Memory.Usage > 0 && stats.Memory.Limit > 0, "%+v", stats.Memory)
		check(f.T, stats.CPUUsage.Percent >= 0, "%+v", stats.CPUUsage)
		stats, err = f.Stats(ctx, "non-existent-execution")
		check(f.T, stats == nil, "stats of nobody")
		check(f.T, err.Error() == "execution (non-existent-execution) not found", "%v", err)
	})
}

func TestGetLogStream(t *testing.T) {
	onEach(t, func(f *fixture) {
		r := f.transient()
		must(f.T, f.Start(ctx, r))
		f.result(r.ExecutionID)
		stream, err := f.GetLogStream(ctx, exhost.LogStreamRequest{ExecutionID: r.ExecutionID})
		must(f.T, err)
		content, err := io.ReadAll(stream)
		must(f.T, err)
		must(f.T, stream.Close())
		check(f.T, string(content) == "hello world\n", "%q", content)
		stream, err = f.GetLogStream(ctx, exhost.LogStreamRequest{ExecutionID: "nobody"})
		check(f.T, stream == nil && errors.Is(err, exhost.ErrNotFound), "%v", err)
	})
}

func TestRemoveContainer(t *testing.T) {
	onEach(t, func(f *fixture) {
		r := f.persistent()
		f.started(r)
		id, err := f.FindRunningContainer(ctx, r.JobID)
		must(f.T, err)
		check(f.T, id != "", "no id")
		must(f.T, f.Remove(r.ExecutionID, 5*time.Second))
		id, err = f.FindRunningContainer(ctx, r.JobID)
		check(f.T, id == "" && errors.Is(err, exhost.ErrNotFound), "%q %v", id, err)
		has(f.T, err.Error(), "unable to find container")
	})
}

func TestFindRunningContainerNotFound(t *testing.T) {
	onEach(t, func(f *fixture) {
		_, err := f.FindRunningContainer(ctx, "non-existent-job")
		check(f.T, errors.Is(err, exhost.ErrNotFound), "%v", err)
		_, err = f.GetStatus(ctx, "nobody")
		check(f.T, errors.Is(err, exhost.ErrNotFound), "%v", err)
		err = f.Remove("nobody", time.Second)
		check(f.T, errors.Is(err, exhost.ErrNotFound), "%v", err)
		soon := 100 * time.Millisecond
		err = f.WaitForStatus(ctx, "nobody", exhost.ExecutionStatusRunning, &soon)
		check(f.T, errors.Is(err, exhost.ErrNotFound), "%v", err)
		err = f.TerminateByJobID(ctx, "non-existent-job", 1)
		check(f.T, errors.Is(err, exhost.ErrNotFound), "%v", err)
	})
}

func TestTerminateByJobID(t *testing.T) {
	onEach(t, func(f *fixture) {
		r := f.persistent()
		f.started(r)
		must(f.T, f.TerminateByJobID(ctx, r.JobID, 5))
		_, err := f.FindRunningContainer(ctx, r.JobID)
		check(f.T, errors.Is(err, exhost.ErrNotFound), "%v", err)
	})
}

func TestListInfoCleanup(t *testing.T) {
	onEach(t, func(f *fixture) {
		check(f.T, f.GetID() == executorID, "%q", f.GetID())
		list := f.List()
		check(f.T, list != nil && len(list) == 0, "%v", list)
		r := f.persistent()
		f.started(r)
		list = f.List()
		check(f.T, len(list) == 1 && list[0].Running && list[0].ExecutionID == r.ExecutionID,
			"%v", list)
		info, err := f.GetInfo(ctx, r.ExecutionID)
		must(f.T, err)
		check(f.T, info.ExecutionID == r.ExecutionID && info.Runtime == f.backend.name &&
			info.Status == exhost.ExecutionStatusRunning, "%+v", info)
		_, err = f.GetNetInfo(ctx, r.ExecutionID)
		if f.backend.isolated {
			must(f.T, err)
		} else {
			check(f.T, errors.Is(err, exhost.ErrUnsupported), "%v", err)
		}
		_, err = f.GetNetInfo(ctx, "nobody")
		check(f.T, errors.Is(err, exhost.ErrNotFound), "%v", err)
		must(f.T, f.Cleanup(ctx))
		check(f.T, len(f.List()) == 0, "%v", f.List())
	})
}
