// Package types has the names of a DMS's own types package that an executor and its callers
// use. They are aliases: values pass freely between this package and exhost.
package types

import exhost "github.com/exhost/exhost/bindings/go"

type (
	ExecutionRequest      = exhost.ExecutionRequest
	ExecutionResult       = exhost.ExecutionResult
	ExecutionStatus       = exhost.ExecutionStatus
	ExecutionListItem     = exhost.ExecutionListItem
	LogStreamRequest      = exhost.LogStreamRequest
	SpecConfig            = exhost.SpecConfig
	ExecutorType          = exhost.ExecutorType
	Resources             = exhost.Resources
	CPU                   = exhost.CPU
	RAM                   = exhost.RAM
	Disk                  = exhost.Disk
	GPU                   = exhost.GPU
	GPUs                  = []exhost.GPU
	GPUVendor             = exhost.GPUVendor
	StorageVolumeExecutor = exhost.StorageVolumeExecutor
	AllocationKey         = exhost.AllocationKey
	PortsToBind           = exhost.PortsToBind
	ExecutorStats         = exhost.ExecutorStats
	ExecutorInfo          = exhost.ExecutorInfo
	ExecutorNetInfo       = exhost.ExecutorNetInfo
	ExecutorMappedPort    = exhost.ExecutorMappedPort
	Executor              = exhost.ExecutorInterface
)

const (
	ExecutionStatusPending = exhost.ExecutionStatusPending
	ExecutionStatusRunning = exhost.ExecutionStatusRunning
	ExecutionStatusPaused  = exhost.ExecutionStatusPaused
	ExecutionStatusFailed  = exhost.ExecutionStatusFailed
	ExecutionStatusSuccess = exhost.ExecutionStatusSuccess

	ExecutionStatusCodeSuccess = exhost.ExecutionStatusCodeSuccess

	ExecutorTypeDocker      = exhost.ExecutorTypeDocker
	ExecutorTypeContainerd  = exhost.ExecutorTypeContainerd
	ExecutorTypeFirecracker = exhost.ExecutorTypeFirecracker
	ExecutorTypeWasm        = exhost.ExecutorTypeWasm

	StorageVolumeTypeBind = exhost.StorageVolumeTypeBind

	KeySSH = exhost.KeySSH
	KeyGPG = exhost.KeyGPG
)

// Functions of the same names.
var (
	NewSpecConfig            = exhost.NewSpecConfig
	NewExecutionResult       = exhost.NewExecutionResult
	NewFailedExecutionResult = exhost.NewFailedExecutionResult
)
