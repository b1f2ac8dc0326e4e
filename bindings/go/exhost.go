// Package exhost embeds an executor host: it starts, follows, stops and cleans up jobs as
// plain processes, containers or microVMs. Each job has a supervisor process of its own, so
// jobs go on when an Executor is closed or the program dies; the next Executor on the same
// state folder finds them again.
//
// Executor has the methods of a DMS's executor interface. All of them may be called from
// any goroutine. A context that ends ends the call, not the execution: a Start whose
// workload does not run yet is taken back before it returns. Errors hold a code:
//
//	if errors.Is(err, exhost.ErrNotFound) { … }
//
// A waiting call costs a goroutine and no thread. The library has one thread for each host,
// with all signals blocked, and installs no signal handler.
package exhost

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"sync"
	"syscall"
)

// Options are the settings of an executor. The zero value is useful.
type Options struct {
	// Backend is where requests start that name none, and whose executions List and
	// Cleanup see: "process" (when empty), "docker", …
	Backend string
	// StateDir is absolute. Empty: $EXHOST_STATE_DIR, else /var/lib/exhost for root, else
	// $XDG_STATE_HOME/exhost.
	StateDir string
	// Config are settings: whatever encodes to a JSON object, see "exhost help config".
	Config any
	// Ceiling is what no request and no policy may go beyond, encoded the same way.
	Ceiling any
	// LuaPath are more folders with backends/ and policies/, separated by colons.
	LuaPath string
	// Prefix is where exhost is installed. Empty: found from the library.
	Prefix string
	// Log takes the library's own log, JSON lines. It is duplicated. Nil: no log.
	Log *os.File
	// Serve lets commands with the same state folder talk to this host; Attach a REPL.
	Serve, Attach bool
	// Strict makes unknown fields of requests errors; they are warnings otherwise.
	Strict bool
}

// params of a call.
type params = map[string]any

// Executor is a handle on one backend's executions of one executor id.
type Executor struct {
	id, backend string
	bare        []byte // the params of a call that has none
	host        *host
	closing     sync.Once
}

func encodeSettings(name string, value any) (string, error) {
	if value == nil {
		return "", nil
	}
	text, err := json.Marshal(value)
	if err != nil {
		return "", newError(codeInvalid, fmt.Sprintf("options: %s: %v", name, err))
	}
	return string(text), nil
}

// NewExecutor opens an executor. Executors with the same id and settings share a host. Close
// it when it is not needed any more.
func NewExecutor(ctx context.Context, id string, options Options) (*Executor, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	key := hostKey{stateDir: options.StateDir, id: id, luaPath: options.LuaPath,
		prefix: options.Prefix, serve: options.Serve, attach: options.Attach,
		strict: options.Strict}
	var err error
	if key.config, err = encodeSettings("Config", options.Config); err != nil {
		return nil, err
	}
	if key.ceiling, err = encodeSettings("Ceiling", options.Ceiling); err != nil {
		return nil, err
	}
	if options.Log != nil {
		key.hasLog, key.logFD = true, options.Log.Fd()
	}
	h, err := acquireHost(key)
	if err != nil {
		return nil, err
	}
	e := &Executor{id: id, backend: options.Backend, host: h}
	if e.backend == "" {
		e.backend = "process"
	}
	e.bare, _ = json.Marshal(params{"backend": e.backend}) // a string always encodes
	var answered struct{ ID string }
	if err := e.Call(ctx, "id", nil, &answered); err != nil { // opens the backend
		e.Close()
		return nil, err
	}
	e.id = answered.ID
	return e, nil
}

// Close gives the executor back. Executions go on. Calls in flight fail with ErrCancelled
// when it is the last executor of its host, later ones with ErrClosed.
func (e *Executor) Close() error {
	e.closing.Do(func() { releaseHost(e.host) })
	return nil
}

// Call calls any method of the library by name (bindings/README.md lists them). The answer
// is decoded into out, unless that is nil.
func (e *Executor) Call(ctx context.Context, method string, params map[string]any,
	out any) error {
	a, err := e.call(ctx, method, params)
	if err != nil {
		return err
	}
	if a.fd >= 0 {
		syscall.Close(a.fd)
	}
	if out == nil {
		return nil
	}
	return decodeAnswer(method, a.json, out)
}

// call sends a call and waits for its answer. It names this handle's backend, whose
// executions alone the library lists, finds and cleans up.
func (e *Executor) call(ctx context.Context, method string, p params) (answer, error) {
	text, err := e.encode(ctx, method, p)
	if err != nil {
		return answer{fd: -1}, err
	}
	return e.host.call(ctx, method, text)
}

func (e *Executor) encode(ctx context.Context, method string, p params) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if len(p) == 0 {
		return e.bare, nil
	}
	all := params{"backend": e.backend}
	for key, value := range p {
		all[key] = value
	}
	text, err := json.Marshal(all)
	if err != nil {
		return nil, newError(codeInvalid, fmt.Sprintf("%s: encode parameters: %v", method, err))
	}
	return text, nil
}

func decodeAnswer(method string, text []byte, out any) error {
	if err := json.Unmarshal(text, out); err != nil {
		return newError(codeInternal, fmt.Sprintf("%s: decode the answer: %v", method, err))
	}
	return nil
}
