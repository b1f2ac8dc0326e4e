package exhost

import (
	"context"
	"io"
	"os"
	"sync"
)

// logStream is a pipe from the library. Reading parks in the runtime's poller.
type logStream struct {
	ctx  context.Context
	file *os.File
	once sync.Once
	done chan struct{} // closed by Close
}

// GetLogStream gives an execution's output, both streams in the order in which they were
// written, as bytes. It works while it runs and after it ended. The stream ends with the
// output (when following: with the execution), with Close, or with ctx.
func (e *Executor) GetLogStream(ctx context.Context, request LogStreamRequest) (io.ReadCloser,
	error) {
	id := request.ExecutionID
	if id == "" && request.JobID != "" {
		found, err := e.FindRunningContainer(ctx, request.JobID)
		if err != nil {
			return nil, err
		}
		id = found
	}
	a, err := e.call(ctx, "get_log_stream",
		params{"id": id, "tail": request.Tail, "follow": request.Follow})
	if err != nil {
		return nil, err
	}
	return newStream(ctx, a.fd), nil
}

// Subscribe gives the events of all executions as JSON lines, numbered by "seq", from now
// on. A reader that is slow loses lines and is told how many: {"seq":9,"missed":3}.
func (e *Executor) Subscribe(ctx context.Context) (io.ReadCloser, error) {
	a, err := e.call(ctx, "subscribe", nil)
	if err != nil {
		return nil, err
	}
	return newStream(ctx, a.fd), nil
}

func newStream(ctx context.Context, fd int) *logStream {
	s := &logStream{ctx: ctx, file: os.NewFile(uintptr(fd), "exhost output"),
		done: make(chan struct{})}
	if ctx.Done() != nil {
		go s.closeWith(ctx)
	}
	return s
}

func (s *logStream) closeWith(ctx context.Context) {
	select {
	case <-ctx.Done():
		s.Close()
	case <-s.done:
	}
}

func (s *logStream) Read(p []byte) (int, error) {
	n, err := s.file.Read(p)
	if err != nil && err != io.EOF && s.ctx.Err() != nil {
		err = s.ctx.Err()
	}
	return n, err
}

// Close ends the stream. It may be called any number of times.
func (s *logStream) Close() error {
	var err error
	s.once.Do(func() {
		close(s.done)
		err = s.file.Close()
	})
	return err
}
