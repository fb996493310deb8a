package seccomp

// Features selects one variant of a filter. The zero value is the strictest.
type Features uint8

// Each feature opens what its name says and nothing else.
const (
	Devel     Features = 1 << iota // debuggers and profilers
	Multiarch                      // the 32-bit ABI of the machine
	Bluetooth                      // AF_BLUETOOTH
	Canbus                         // AF_CAN
	Userns                         // namespaces and mounts, for nested sandboxes

	bits = iota
)

// Variants is the number of programs per architecture.
const Variants = 1 << bits

// Of returns the features among names. Names that do not concern the filter
// are passed over: what a feature may be called is decided in permissions.
func Of(names ...string) Features {
	var f Features
	for _, name := range names {
		switch name {
		case "devel":
			f |= Devel
		case "multiarch":
			f |= Multiarch
		case "bluetooth":
			f |= Bluetooth
		case "canbus":
			f |= Canbus
		case "userns":
			f |= Userns
		}
	}
	return f
}

// String lists the features as they are written in a manifest.
func (f Features) String() string {
	text := ""
	for i, name := range [bits]string{"devel", "multiarch", "bluetooth", "canbus", "userns"} {
		if f&(1<<i) == 0 {
			continue
		}
		if text != "" {
			text += ","
		}
		text += name
	}
	return text
}
