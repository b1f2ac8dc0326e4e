package exhost

/*
#include <exhost.h>
*/
import "C"

import (
	"encoding/json"
	"errors"
)

const (
	codeOK        = C.EXHOST_OK
	codeInvalid   = C.EXHOST_INVALID
	codeCancelled = C.EXHOST_CANCELLED
	codeIO        = C.EXHOST_IO
	codeInternal  = C.EXHOST_INTERNAL
)

// Error is what a call fails with. errors.Is compares its code with the Err… values;
// errors.As gives the rest.
type Error struct {
	Code    string          // such as "not_found"
	Message string          // for people
	Data    json.RawMessage // more, where there is more: errno, path, an engine's status
}

func (e *Error) Error() string {
	if e.Message == "" {
		return e.Code
	}
	return e.Message
}

// Is reports whether target is an Err… value with this code.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Message == "" && t.Code == e.Code
}

// One for each code.
var (
	ErrInvalid          error = &Error{Code: "invalid"}
	ErrNotFound         error = &Error{Code: "not_found"}
	ErrAlreadyStarted   error = &Error{Code: "already_started"}
	ErrAlreadyCompleted error = &Error{Code: "already_completed"}
	ErrDenied           error = &Error{Code: "denied"}
	ErrUnsupported      error = &Error{Code: "unsupported"}
	ErrUnavailable      error = &Error{Code: "unavailable"}
	ErrEngine           error = &Error{Code: "engine"}
	ErrTimeout          error = &Error{Code: "timeout"}
	ErrCancelled        error = &Error{Code: "cancelled"}
	ErrPolicy           error = &Error{Code: "policy"}
	ErrIO               error = &Error{Code: "io"}
	ErrInternal         error = &Error{Code: "internal"}
	ErrNoMemory         error = &Error{Code: "no_memory"}
	ErrClosed           error = &Error{Code: "closed"}
)

func newError(code int, message string) error {
	return &Error{Code: C.GoString(C.exhost_strerror(C.int(code))), Message: message}
}

// decodeError reads the error of an event.
func decodeError(a answer) error {
	e := &Error{}
	if json.Unmarshal(a.json, e) != nil || e.Code == "" {
		return newError(a.code, string(a.json))
	}
	return e
}

// withText gives an error another text, where DMS has its own, and keeps its code.
func withText(err error, text string) error {
	var e *Error
	if !errors.As(err, &e) {
		return err
	}
	return &Error{Code: e.Code, Message: text, Data: e.Data}
}
