package main

import (
	"context"
	"fmt"
	"io"
	"os"

	exhost "github.com/exhost/exhost/bindings/go"
)

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func main() {
	ctx := context.Background()
	executor := must(exhost.NewExecutor(ctx, "readme", exhost.Options{StateDir: os.Args[1]}))
	defer executor.Close()
	job := exhost.NewEngineBuilder("process").WithCmd("sh", "-c", "echo one; sleep 1; echo two")
	request := &exhost.ExecutionRequest{ExecutionID: "job-1", EngineSpec: job.Build()}
	must("started", executor.Start(ctx, request))
	logs := exhost.LogStreamRequest{ExecutionID: "job-1", Follow: true}
	io.Copy(os.Stdout, must(executor.GetLogStream(ctx, logs)))
	results, _ := executor.Wait(ctx, "job-1")
	fmt.Println("exit code", (<-results).ExitCode)
}
