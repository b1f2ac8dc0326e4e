package exhost

/*
#cgo pkg-config: exhost
#include <stdlib.h>
#include <exhost.h>

enum { BATCH = 64 };

// Up to BATCH events in one step out of Go. Returns how many; *code is that of the last
// exhost_next().
static int take(exhost_t *host, exhost_event **events, int timeout, int *code) {
  int n = 0;
  while (n < BATCH && (*code = exhost_next(host, &events[n], n == 0 ? timeout : 0)) == 0)
    n++;
  return n;
}

static void free_all(exhost_event **events, int n) {
  for (int i = 0; i < n; i++)
    exhost_event_free(events[i]);
}
*/
import "C"

import (
	"context"
	"fmt"
	"os"
	"sync"
	"syscall"
	"unsafe"
)

// answer is what a call's event carried. The file is the receiver's to close.
type answer struct {
	code int
	json []byte
	fd   int
}

// host is one exhost_t: calls go in from any goroutine, one goroutine takes the events and
// hands each to the call that waits for it.
type host struct {
	key     hostKey
	users   int // guarded by the lock of hosts
	drained chan struct{}

	use    sync.RWMutex // held for reading inside exhost_call and exhost_cancel
	handle *C.exhost_t  // nil when it is closed

	lock    sync.Mutex
	lastTag uint64
	waiting map[uint64]chan answer
}

// hostKey is what executors must have in common to share a host.
type hostKey struct {
	stateDir, id, luaPath, prefix, config, ceiling string
	logFD                                          uintptr
	hasLog, serve, attach, strict                  bool
}

func flag(value bool) C.int {
	if value {
		return 1
	}
	return 0
}

// newHost opens a host. Reading the state folder may take a moment, so it is done on a
// thread that nobody else needs: cgo's.
func newHost(key hostKey) (*host, error) {
	var strings []unsafe.Pointer
	text := func(s string) *C.char {
		if s == "" {
			return nil
		}
		c := C.CString(s)
		strings = append(strings, unsafe.Pointer(c))
		return c
	}
	why := make([]byte, 1024)
	options := C.exhost_options{
		struct_size: C.sizeof_exhost_options,
		state_dir:   text(key.stateDir), executor_id: text(key.id), lua_path: text(key.luaPath),
		prefix: text(key.prefix), config: text(key.config), ceiling: text(key.ceiling),
		has_log_fd: flag(key.hasLog), log_fd: C.int(key.logFD),
		serve: flag(key.serve), attach: flag(key.attach), strict: flag(key.strict),
		error_size: C.size_t(len(why)),
	}
	buffer := C.calloc(1, options.error_size)
	options.error = (*C.char)(buffer)
	strings = append(strings, buffer)
	h := &host{key: key, waiting: map[uint64]chan answer{}, drained: make(chan struct{})}
	code := C.exhost_open(&options, &h.handle)
	message := C.GoString(options.error)
	for _, c := range strings {
		C.free(c)
	}
	if code < 0 {
		return nil, newError(int(code), fmt.Sprintf("open executor: %s", message))
	}
	fd := C.exhost_fd(h.handle)
	if fd < 0 {
		C.exhost_close(h.handle, 0)
		return nil, newError(codeIO, fmt.Sprintf("open executor: %v", syscall.Errno(-fd)))
	}
	go h.dispatch(os.NewFile(uintptr(fd), "exhost events"), h.handle)
	return h, nil
}

// dispatch takes events until the host is closed. It is parked in the runtime's poller
// while there are none, so that it costs no thread.
func (h *host) dispatch(ready *os.File, handle *C.exhost_t) {
	defer close(h.drained)
	defer ready.Close()
	conn, err := ready.SyscallConn()
	if err == nil {
		err = conn.Read(func(uintptr) bool { return h.take(handle, 0) })
	}
	if err != nil {
		h.take(handle, -1) // no poller: wait in the library
	}
}

// take hands on events until there are none, or no more; then it is true.
func (h *host) take(handle *C.exhost_t, timeout C.int) bool {
	var events [C.BATCH]*C.exhost_event
	var answers [C.BATCH]answer
	var waiters [C.BATCH]chan answer
	code := C.int(C.EXHOST_OK)
	for code == C.EXHOST_OK {
		n := int(C.take(handle, &events[0], timeout, &code))
		h.lock.Lock()
		for i, event := range events[:n] {
			waiters[i] = h.waiting[uint64(event.tag)]
			delete(h.waiting, uint64(event.tag))
		}
		h.lock.Unlock()
		for i, event := range events[:n] {
			answers[i] = answer{code: int(event.code), fd: int(event.fd),
				json: C.GoBytes(unsafe.Pointer(event.json), C.int(event.len))}
			event.fd = -1
		}
		C.free_all(&events[0], C.int(n))
		for i := range events[:n] {
			waiters[i] <- answers[i] // has room for it
		}
	}
	return code == C.EXHOST_CLOSED
}

// begin sends a call with params in JSON. Its answer comes on the channel, always.
func (h *host) begin(method string, text []byte) (uint64, chan answer, error) {
	name := append([]byte(method), 0)
	waiter := make(chan answer, 1)
	h.lock.Lock()
	h.lastTag++
	tag := h.lastTag
	h.waiting[tag] = waiter
	h.lock.Unlock()
	code := C.int(C.EXHOST_CLOSED)
	h.use.RLock()
	if h.handle != nil {
		code = C.exhost_call(h.handle, C.uint64_t(tag), (*C.char)(unsafe.Pointer(&name[0])),
			(*C.char)(unsafe.Pointer(&text[0])), C.size_t(len(text)), -1)
	}
	h.use.RUnlock()
	if code < 0 {
		h.lock.Lock()
		delete(h.waiting, tag)
		h.lock.Unlock()
		return 0, nil, newError(int(code), method+": the executor is closed")
	}
	return tag, waiter, nil
}

// await gives a call's answer. When ctx ends first the call is cancelled, and its answer
// awaited all the same: it says whether there is something left, such as a start that
// could not be taken back any more.
func (h *host) await(ctx context.Context, tag uint64, waiter chan answer) (answer, error) {
	var a answer
	select {
	case a = <-waiter:
	case <-ctx.Done():
		h.cancel(tag)
		a = <-waiter
	}
	if a.code == codeOK {
		return a, nil
	}
	if a.code == codeCancelled && ctx.Err() != nil {
		return a, ctx.Err()
	}
	return a, decodeError(a)
}

func (h *host) cancel(tag uint64) {
	h.use.RLock()
	if h.handle != nil {
		C.exhost_cancel(h.handle, C.uint64_t(tag))
	}
	h.use.RUnlock()
}

// close waits until every call in flight has been answered with "cancelled".
func (h *host) close() {
	h.use.Lock()
	handle := h.handle
	h.handle = nil
	h.use.Unlock()
	if handle != nil {
		C.exhost_close(handle, -1)
	}
	<-h.drained
}
