package exhost

// ExecutorStats are what a running execution uses.
type ExecutorStats struct {
	CPUUsage  CPUUsage     `json:"cpu_usage"`
	Memory    MemoryUsage  `json:"memory"`
	Network   NetworkUsage `json:"network"`
	BlockIO   BlockIOUsage `json:"block_io"`
	Timestamp int64        `json:"timestamp"` // Unix milliseconds
}

// CPUUsage counts nanoseconds since the start. Percent is of one core, lately.
type CPUUsage struct {
	TotalUsage        uint64  `json:"total_usage"`
	UsageInKernelmode uint64  `json:"usage_in_kernelmode"`
	UsageInUsermode   uint64  `json:"usage_in_usermode"`
	Percent           float64 `json:"percent"`
}

// MemoryUsage is in bytes.
type MemoryUsage struct {
	Usage    uint64  `json:"usage"`
	MaxUsage uint64  `json:"max_usage"`
	Limit    uint64  `json:"limit"`
	Percent  float64 `json:"percent"`
}

// NetworkUsage is zero where the workload has the host's network.
type NetworkUsage struct {
	RxBytes   uint64 `json:"rx_bytes"`
	RxPackets uint64 `json:"rx_packets"`
	RxErrors  uint64 `json:"rx_errors"`
	RxDropped uint64 `json:"rx_dropped"`
	TxBytes   uint64 `json:"tx_bytes"`
	TxPackets uint64 `json:"tx_packets"`
	TxErrors  uint64 `json:"tx_errors"`
	TxDropped uint64 `json:"tx_dropped"`
}

// BlockIOUsage is in bytes.
type BlockIOUsage struct {
	ReadBytes  uint64 `json:"read_bytes"`
	WriteBytes uint64 `json:"write_bytes"`
}

// ExecutorInfo is what is known of an execution.
type ExecutorInfo struct {
	ExecutionID string          `json:"execution_id"`
	ContainerID string          `json:"container_id,omitempty"`
	Image       string          `json:"image,omitempty"`
	Runtime     string          `json:"runtime,omitempty"`
	Status      ExecutionStatus `json:"status,omitempty"`
	Net         ExecutorNetInfo `json:"net"`
}

// ExecutorNetInfo is a workload's network.
type ExecutorNetInfo struct {
	InterfaceName string               `json:"interface_name,omitempty"`
	HostBridge    string               `json:"host_bridge,omitempty"`
	IPAddress     string               `json:"ip_address,omitempty"`
	CIDR          string               `json:"cidr,omitempty"`
	MappedPorts   []ExecutorMappedPort `json:"mapped_ports,omitempty"`
}

// ExecutorMappedPort is a port of the host that leads to one of the workload.
type ExecutorMappedPort struct {
	HostIP       string `json:"host_ip,omitempty"`
	HostPort     int    `json:"host_port"`
	ExecutorPort int    `json:"executor_port"`
	Protocol     string `json:"protocol,omitempty"`
}
