package firecracker_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	exhost "github.com/exhost/exhost/bindings/go"
	"github.com/exhost/exhost/bindings/go/firecracker"
	"github.com/exhost/exhost/bindings/go/types"
)

// What a DMS finds by type assertion.
type dmsFirecracker interface {
	FindRunningVM(ctx context.Context, jobID string, executionID string) (string, error)
}

var (
	_ types.Executor = (*firecracker.Executor)(nil)
	_ dmsFirecracker = (*firecracker.Executor)(nil)

	_ func(string) *firecracker.EngineBuilder = firecracker.NewFirecrackerEngineBuilder
)

func TestNotInstalled(t *testing.T) {
	for _, binary := range []string{"", "/nowhere/firecracker"} {
		t.Setenv("EXHOST_FIRECRACKER", binary)
		t.Setenv("EXHOST_STATE_DIR", filepath.Join(t.TempDir(), "state"))
		e, err := firecracker.NewExecutor(context.Background(), nil, "root")
		if e != nil || !errors.Is(err, firecracker.ErrNotInstalled) {
			t.Fatalf("%v, %v", e, err)
		}
	}
}

func TestBuilder(t *testing.T) {
	spec := firecracker.NewFirecrackerEngineBuilder("/disk").WithKernelImage("/kernel").
		WithInitrd("/initrd").WithKernelArgs("quiet").WithMMDSMessage("hello").
		WithNetwork("172.30.5.2/30", "172.30.5.1").WithCmd("true").Build()
	for key, want := range map[string]string{"root_file_system": "/disk", "initrd": "/initrd",
		"kernel_image": "/kernel", "kernel_args": "quiet", "mmds_message": "hello",
		"network": "map[address:172.30.5.2/30 gateway:172.30.5.1]"} {
		if fmt.Sprint(spec.Params[key]) != want {
			t.Errorf("%s is %v", key, spec.Params[key])
		}
	}
	if spec.Type != firecracker.EngineType {
		t.Errorf("type is %s", spec.Type)
	}
}

// The script in a machine of the kernel and first file system that the environment names.
func request(t *testing.T, script string) *types.ExecutionRequest {
	kernel, initrd := os.Getenv("EXHOST_TEST_KERNEL"), os.Getenv("EXHOST_TEST_INITRD")
	if kernel == "" || initrd == "" || os.Getenv("EXHOST_FIRECRACKER") == "" {
		t.Skip("EXHOST_FIRECRACKER, EXHOST_TEST_KERNEL and EXHOST_TEST_INITRD name nothing")
	}
	spec := firecracker.NewFirecrackerEngineBuilder("").WithKernelImage(kernel).
		WithInitrd(initrd).WithCmd("/bin/sh", "-c", script).Build()
	return &types.ExecutionRequest{JobID: "vm-job", ExecutionID: "vm-execution", EngineSpec: spec,
		Resources: &types.Resources{CPU: types.CPU{Cores: 1}, RAM: types.RAM{Size: 128 << 20}}}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestMachine(t *testing.T) {
	ctx := context.Background()
	r := request(t, "echo up; while [ ! -e /tmp/end ]; do sleep 0.05; done; exit 7")
	t.Setenv("EXHOST_STATE_DIR", filepath.Join(t.TempDir(), "state"))
	e, err := firecracker.NewExecutor(ctx, nil, "root")
	must(t, err)
	defer e.Close()
	defer e.Cleanup(ctx)
	must(t, e.Start(ctx, r))
	for _, executionID := range []string{"", r.ExecutionID} {
		id, err := e.FindRunningVM(ctx, r.JobID, executionID)
		if err != nil || id != r.ExecutionID {
			t.Fatalf("%q, %v", id, err)
		}
	}
	for _, names := range [][2]string{{r.JobID, "another"}, {"another", ""}} {
		id, err := e.FindRunningVM(ctx, names[0], names[1])
		if id != "" || !errors.Is(err, exhost.ErrNotFound) {
			t.Fatalf("%q, %v", id, err)
		}
	}
	code, out, _, err := e.Exec(ctx, r.ExecutionID, []string{"/bin/sh", "-c", "echo in; >/tmp/end"})
	if err != nil || code != 0 || out != "in\n" {
		t.Fatalf("%d, %q, %v", code, out, err)
	}
	logs, err := e.GetLogStream(ctx, types.LogStreamRequest{ExecutionID: r.ExecutionID, Follow: true})
	must(t, err)
	text, err := io.ReadAll(logs)
	if err != nil || string(text) != "up\n" {
		t.Fatalf("%q, %v", text, err)
	}
	results, _ := e.Wait(ctx, r.ExecutionID)
	if result := <-results; result.ExitCode != 7 || result.STDOUT != "up\n" {
		t.Fatalf("%+v", result)
	}
	must(t, e.Remove(r.ExecutionID, 5*time.Second))
}
