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
	w := &pendingWait{ctx: ctx, host: e.host, tag: e.host.newTag(),
		results: make(chan *ExecutionResult, 1), failures: make(chan error, 1)}
	text, err := e.encode(ctx, "wait", byID(id))
	if err == nil {
		_, _, err = e.host.begin("wait", text, w.tag, w, false)
	}
	if err != nil {
		w.fail(err)
	} else {
		e.host.watch(w)
	}
	return w.results, w.failures
}

// pendingWait is a wait that costs no goroutine: there may be thousands.
type pendingWait struct {
	ctx      context.Context
	host     *host
	tag      uint64
	answered bool // guarded by the host's lock
	results  chan *ExecutionResult
	failures chan error
}

func (w *pendingWait) fail(err error) {
	w.failures <- err
	close(w.failures)
}

// receive leaves the decoding, which may take long, to a goroutine of its own.
func (w *pendingWait) receive(a answer) { go w.deliver(a) }

func (w *pendingWait) deliver(a answer) {
	w.host.unwatch(w)
	err := a.failure(w.ctx)
	var wire wireResult
	if err == nil {
		err = decodeAnswer("wait", a.json, &wire)
	}
	if err != nil {
		w.fail(err)
		return
	}
	w.results <- wire.result()
	close(w.results)
}
