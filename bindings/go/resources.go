package exhost

// Resources are what a job is given. Sizes are bytes; 0 is no limit.
type Resources struct {
	CPU  CPU   `json:"cpu"`
	GPUs []GPU `json:"gpus"`
	RAM  RAM   `json:"ram"`
	Disk Disk  `json:"disk"`
}

// CPU may be a part of a core.
type CPU struct {
	ClockSpeed   float64 `json:"clock_speed"` // Hz
	Cores        float32 `json:"cores"`
	Model        string  `json:"model,omitempty"`
	Vendor       string  `json:"vendor,omitempty"`
	Threads      int     `json:"threads,omitempty"`
	Architecture string  `json:"architecture,omitempty"`
	CacheSize    uint64  `json:"cache_size,omitempty"`
}

// RAM is memory.
type RAM struct {
	Size       uint64 `json:"size"`
	ClockSpeed uint64 `json:"clock_speed,omitempty"` // Hz
	Type       string `json:"type,omitempty"`
}

// Disk is room on a disk.
type Disk struct {
	Size       uint64  `json:"size"`
	Model      string  `json:"model,omitempty"`
	Vendor     string  `json:"vendor,omitempty"`
	Type       string  `json:"type,omitempty"`
	Interface  string  `json:"interface,omitempty"`
	ReadSpeed  float64 `json:"read_speed,omitempty"`
	WriteSpeed float64 `json:"write_speed,omitempty"`
}

// GPUVendor is a maker of GPUs.
type GPUVendor string

// Makers.
const (
	GPUVendorNvidia  GPUVendor = "NVIDIA"
	GPUVendorAMDATI  GPUVendor = "AMD/ATI"
	GPUVendorIntel   GPUVendor = "Intel"
	GPUVendorUnknown GPUVendor = "Unknown"
	GPUVendorNone    GPUVendor = "None"
)

// GPU is known by its UUID or PCI address; the index is ignored.
type GPU struct {
	Index      int       `json:"index"`
	Vendor     GPUVendor `json:"vendor,omitempty"`
	PCIAddress string    `json:"pci_address,omitempty"`
	Model      string    `json:"model,omitempty"`
	VRAM       uint64    `json:"vram,omitempty"`
	UUID       string    `json:"uuid,omitempty"`
}

// StorageVolumeExecutor is a folder or volume of the host that the job sees at Target.
type StorageVolumeExecutor struct {
	Type     string `json:"type"`
	Source   string `json:"source"`
	Target   string `json:"target"`
	ReadOnly bool   `json:"readonly"`
}

// StorageVolumeTypeBind is the one type of volume.
const StorageVolumeTypeBind = "bind"

// KeyType is what a key is for.
type KeyType = string

// Kinds of keys.
const (
	KeySSH KeyType = "ssh"
	KeyGPG KeyType = "gpg"
)

// AllocationKey is a key to put into a workload. File is its content.
type AllocationKey struct {
	Type KeyType `json:"type"`
	File string  `json:"file"`
	Dest string  `json:"dest"`
}

// PortsToBind makes a TCP port of the workload reachable.
type PortsToBind struct {
	IP           string
	HostPort     int
	ExecutorPort int
}
