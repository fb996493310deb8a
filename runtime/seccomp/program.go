package seccomp

import (
	_ "embed"
	"encoding/binary"
	"fmt"

	"sandbox/internal/hint"
)

//go:generate go run -tags libseccomp ./gen .

// Architectures as GOARCH spells them.
const (
	AMD64 = "amd64"
	ARM64 = "arm64"
)

//go:embed amd64.bpf
var amd64 string

//go:embed arm64.bpf
var arm64 string

// Program returns the filter of arch with features f: an array of struct
// sock_filter, ready for seccomp(SECCOMP_SET_MODE_FILTER). The caller owns it.
func Program(arch string, f Features) ([]byte, error) {
	var pack string
	switch arch {
	case AMD64:
		pack = amd64
	case ARM64:
		pack = arm64
	default:
		return nil, unsupported(arch)
	}
	if f >= Variants {
		return nil, fmt.Errorf("internal error: no seccomp filter for features %#x", uint8(f))
	}
	return unpack(pack, int(f)), nil
}

// unpack joins the pieces of one variant. The variants differ in few places, so
// a pack holds each run of instructions once (all integers little-endian):
//
//	uint16 × 33   where the pieces of each variant begin, counted in pieces
//	piece × n     {uint16 first, uint16 count}, counted in instructions
//	8 bytes × m   the instructions
func unpack(pack string, variant int) []byte {
	u16 := func(at int) int { return int(binary.LittleEndian.Uint16([]byte(pack[at : at+2]))) }
	const pieces = 2 * (Variants + 1)
	from, to := u16(2*variant), u16(2*variant+2)
	code := pieces + 4*u16(pieces-2)
	size := 0
	for i := from; i < to; i++ {
		size += 8 * u16(pieces+4*i+2)
	}
	program := make([]byte, 0, size)
	for i := from; i < to; i++ {
		first, count := u16(pieces+4*i), u16(pieces+4*i+2)
		program = append(program, pack[code+8*first:code+8*(first+count)]...)
	}
	return program
}

func unsupported(arch string) error {
	return hint.With(fmt.Errorf("cannot filter system calls on %q", arch),
		"sandbox runs on amd64 and arm64")
}
