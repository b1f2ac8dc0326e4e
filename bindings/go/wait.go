package exhost

import (
	"context"
	"encoding/base64"
)

// wireResult is a result as the library gives it: output that is not text is exact in
// base64.
type wireResult struct {
	ExecutionResult
	Code         *int   `json:"exit_code"`
	STDOUTBase64 string `json:"stdout_base64"`
	STDERRBase64 string `json:"stderr_base64"`
}

func exact(text, encoded string) string {
	if encoded == "" {
		return text
	}
	bytes, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return text
	}
	return string(bytes)
}

func (w *wireResult) result() *ExecutionResult {
	r := &ExecutionResult{ExitCode: -1, ErrorMsg: w.ErrorMsg, Killed: w.Killed,
		STDOUT: exact(w.STDOUT, w.STDOUTBase64), STDERR: exact(w.STDERR, w.STDERRBase64)}
	if w.Code != nil {
		r.ExitCode = *w.Code
	}
	return r
}

// Wait gives the result when the execution has ended, at once if it has, as often as it is
// asked. Exactly one of the channels delivers, once, and that one is then closed; the other
// stays empty and open, so that a select over both never sees a closed channel in place of
// the value.
func (e *Executor) Wait(ctx context.Context, id string) (<-chan *ExecutionResult, <-chan error) {
	results, failures := make(chan *ExecutionResult, 1), make(chan error, 1)
	tag, waiter, err := e.begin(ctx, "wait", byID(id))
	if err != nil {
		failures <- err
		close(failures)
	} else {
		go e.deliver(ctx, tag, waiter, results, failures)
	}
	return results, failures
}

// deliver parks on a small stack: there may be thousands.
func (e *Executor) deliver(ctx context.Context, tag uint64, waiter chan answer,
	results chan<- *ExecutionResult, failures chan<- error) {
	a, err := e.host.await(ctx, tag, waiter)
	var w wireResult
	if err == nil {
		err = decodeAnswer("wait", a.json, &w)
	}
	if err != nil {
		failures <- err
		close(failures)
		return
	}
	results <- w.result()
	close(results)
}
