package seccomp

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"
)

// int80 writes a static x86-64 program that makes one i386 system call by
// int $0x80 and exits with the errno it got, 0 for none.
func int80(t *testing.T, nr uint32, args ...uint32) string {
	t.Helper()
	var code []byte
	for i, arg := range append([]uint32{nr}, args...) {
		code = append(code, []byte{0xb8, 0xbb, 0xb9, 0xba}[i]) // mov eax, ebx, ecx, edx
		code = binary.LittleEndian.AppendUint32(code, arg)
	}
	code = append(code,
		0xcd, 0x80, // int $0x80
		0x31, 0xff, // xor edi, edi
		0x85, 0xc0, // test eax, eax
		0x79, 0x04, // jns +4
		0xf7, 0xd8, // neg eax
		0x89, 0xc7, // mov edi, eax
		0xb8, 60, 0, 0, 0, // mov eax, exit
		0x0f, 0x05) // syscall
	path := filepath.Join(t.TempDir(), "int80")
	if err := os.WriteFile(path, elf(code), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// elf wraps code into the smallest file that Linux runs: a header and one
// segment, loaded at 4 MiB.
func elf(code []byte) []byte {
	const base, head = 0x400000, 64 + 56
	le := binary.LittleEndian
	file := append([]byte("\x7fELF\x02\x01\x01"), make([]byte, 9)...)
	file = le.AppendUint16(file, 2)  // ET_EXEC
	file = le.AppendUint16(file, 62) // EM_X86_64
	file = le.AppendUint32(file, 1)
	file = le.AppendUint64(file, base+head) // entry
	file = le.AppendUint64(file, 64)        // program headers
	file = le.AppendUint64(file, 0)         // no sections
	file = le.AppendUint32(file, 0)
	for _, n := range []uint16{64, 56, 1, 64, 0, 0} {
		file = le.AppendUint16(file, n)
	}
	size := uint64(head + len(code))
	file = le.AppendUint32(file, 1) // PT_LOAD
	file = le.AppendUint32(file, 5) // read, execute
	for _, n := range []uint64{0, base, base, size, size, 0x1000} {
		file = le.AppendUint64(file, n)
	}
	return append(file, code...)
}
