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
	"sync/atomic"
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
	lastTag uint64 // atomic; first, where it is aligned on every machine

	key     hostKey
	users   int // guarded by the lock of hosts
	drained chan struct{}

	use    sync.RWMutex // held for reading inside a call of the library
	handle *C.exhost_t  // nil when it is closed

	lock    sync.Mutex
	waiting map[uint64]receiver
	watched map[<-chan struct{}]*watcher
	running int32 // atomic: calls made by call()
}

// receiver gets an answer, on the dispatcher's goroutine: it does not block.
type receiver interface{ receive(answer) }

type mail chan answer // has room for one

func (m mail) receive(a answer) { m <- a }

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
	h := &host{key: key, waiting: map[uint64]receiver{},
		watched: map[<-chan struct{}]*watcher{}, drained: make(chan struct{})}
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
	var waiters [C.BATCH]receiver
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
			answers[i] = unpack(event)
		}
		C.free_all(&events[0], C.int(n))
		for i := range events[:n] {
			waiters[i].receive(answers[i])
		}
	}
	return code == C.EXHOST_CLOSED
}

// unpack empties an event, which is not freed.
func unpack(event *C.exhost_event) answer {
	a := answer{code: int(event.code), fd: int(event.fd),
		json: C.GoBytes(unsafe.Pointer(event.json), C.int(event.len))}
	event.fd = -1
	return a
}

// begin sends a call with params in JSON. Its answer comes to the receiver, always, unless it
// came at once and is returned: for that, the thread waits until the library has taken the
// call up.
func (h *host) begin(method string, text []byte, tag uint64, to receiver,
	now bool) (a answer, came bool, err error) {
	name := append([]byte(method), 0)
	h.lock.Lock()
	h.waiting[tag] = to
	h.lock.Unlock()
	code := C.int(C.EXHOST_CLOSED)
	var event *C.exhost_event
	h.use.RLock()
	if h.handle != nil {
		method, params := (*C.char)(unsafe.Pointer(&name[0])), (*C.char)(unsafe.Pointer(&text[0]))
		if now {
			code = C.exhost_call_now(h.handle, C.uint64_t(tag), method, params,
				C.size_t(len(text)), -1, &event)
		} else {
			code = C.exhost_call(h.handle, C.uint64_t(tag), method, params,
				C.size_t(len(text)), -1)
		}
	}
	h.use.RUnlock()
	if code < 0 || event != nil {
		h.lock.Lock()
		delete(h.waiting, tag)
		h.lock.Unlock()
	}
	if event != nil {
		a = unpack(event)
		C.exhost_event_free(event)
	}
	if code < 0 {
		err = newError(int(code), method+": the executor is closed")
	}
	return a, event != nil, err
}

func (h *host) newTag() uint64 {
	return atomic.AddUint64(&h.lastTag, 1)
}

// call makes a call and gives its answer. When ctx ends first the call is cancelled, and its
// answer awaited all the same: it says whether there is something left, such as a start that
// could not be taken back any more.
func (h *host) call(ctx context.Context, method string, text []byte) (answer, error) {
	tag, waiter := h.newTag(), make(mail, 1)
	alone := atomic.AddInt32(&h.running, 1) == 1 // else a thread each would wait
	a, came, err := h.begin(method, text, tag, waiter, alone)
	if err == nil && !came {
		select {
		case a = <-waiter:
		case <-ctx.Done():
			h.cancel(tag)
			a = <-waiter
		}
	}
	atomic.AddInt32(&h.running, -1)
	if err != nil {
		return answer{fd: -1}, err
	}
	return a, a.failure(ctx)
}

// failure of a call that was made with ctx.
func (a answer) failure(ctx context.Context) error {
	if a.code == codeOK {
		return nil
	}
	if a.code == codeCancelled && ctx.Err() != nil {
		return ctx.Err()
	}
	return decodeError(a)
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
