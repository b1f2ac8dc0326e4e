package exhost

import (
	"errors"
	"strings"
	"time"
)

// ExecutionStatus is where an execution is.
type ExecutionStatus string

// All of them.
const (
	ExecutionStatusPending ExecutionStatus = "pending"
	ExecutionStatusRunning ExecutionStatus = "running"
	ExecutionStatusPaused  ExecutionStatus = "paused"
	ExecutionStatusFailed  ExecutionStatus = "failed"
	ExecutionStatusSuccess ExecutionStatus = "success"
)

// ExecutionStatusCodeSuccess is the exit code of success.
const ExecutionStatusCodeSuccess = 0

// ExecutionRequest is a job. The JobID stays when a DMS restarts, the ExecutionID does not:
// Start with a known JobID and a new ExecutionID finds the job again.
type ExecutionRequest struct {
	JobID               string
	ExecutionID         string
	EngineSpec          *SpecConfig
	Resources           *Resources
	Inputs              []*StorageVolumeExecutor
	Outputs             []*StorageVolumeExecutor
	ResultsDir          string // gets stdout.log and stderr.log
	PersistLogsDuration time.Duration
	ProvisionScripts    map[string][]byte // run before the job, in the order of their names
	Keys                []AllocationKey
	PortsToBind         []PortsToBind
	GatewayIP           string
}

// ExecutionResult is how an execution ended.
type ExecutionResult struct {
	STDOUT   string `json:"stdout"`
	STDERR   string `json:"stderr"`
	ExitCode int    `json:"exit_code"` // -1 when there is none
	ErrorMsg string `json:"error_msg"`
	Killed   bool   `json:"killed"` // by somebody outside
}

// NewExecutionResult makes a result with an exit code alone.
func NewExecutionResult(code int) *ExecutionResult {
	return &ExecutionResult{ExitCode: code}
}

// NewFailedExecutionResult makes the result of an execution that could not be.
func NewFailedExecutionResult(err error) *ExecutionResult {
	return &ExecutionResult{ExitCode: -1, ErrorMsg: err.Error()}
}

// LogStreamRequest asks for output. Tail leaves out what was written so far, Follow goes on
// until the execution ends.
type LogStreamRequest struct {
	JobID       string
	ExecutionID string
	Tail        bool
	Follow      bool
}

// ExecutionListItem is an entry of List.
type ExecutionListItem struct {
	ExecutionID string
	Running     bool
}

// SpecConfig names a backend and holds its own parameters.
type SpecConfig struct {
	Type   string                 `json:"type"`
	Params map[string]interface{} `json:"params,omitempty"`
}

// NewSpecConfig makes a SpecConfig without parameters.
func NewSpecConfig(t string) *SpecConfig {
	return &SpecConfig{Type: t, Params: map[string]interface{}{}}
}

// WithParam sets a parameter.
func (s *SpecConfig) WithParam(key string, value interface{}) *SpecConfig {
	if s.Params == nil {
		s.Params = map[string]interface{}{}
	}
	s.Params[key] = value
	return s
}

// Normalize trims the type and makes sure that there are params.
func (s *SpecConfig) Normalize() {
	if s == nil {
		return
	}
	s.Type = strings.TrimSpace(s.Type)
	if s.Params == nil {
		s.Params = map[string]interface{}{}
	}
}

// Validate says what is missing.
func (s *SpecConfig) Validate() error {
	if s == nil {
		return errors.New("nil spec config")
	}
	if strings.TrimSpace(s.Type) == "" {
		return errors.New("missing spec type")
	}
	return nil
}

// IsType compares the type, in any case.
func (s *SpecConfig) IsType(t string) bool {
	return s != nil && strings.EqualFold(strings.TrimSpace(s.Type), strings.TrimSpace(t))
}

// IsEmpty reports whether there is neither type nor parameter.
func (s *SpecConfig) IsEmpty() bool {
	return s == nil || strings.TrimSpace(s.Type) == "" && len(s.Params) == 0
}

// ExecutorType names a kind of executor.
type ExecutorType string

// What DMS knows.
const (
	ExecutorTypeDocker      ExecutorType = "docker"
	ExecutorTypeContainerd  ExecutorType = "containerd"
	ExecutorTypeFirecracker ExecutorType = "firecracker"
	ExecutorTypeWasm        ExecutorType = "wasm"
	ExecutorTypeProcess     ExecutorType = "process"
)

func (t ExecutorType) String() string { return string(t) }

// Equal compares in any case.
func (t ExecutorType) Equal(other ExecutorType) bool {
	return strings.EqualFold(string(t), string(other))
}
