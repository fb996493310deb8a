package bundle

import (
	"debug/elf"
	"encoding/binary"
)

// headerSize is as much of an ELF file as says which machine it is for
// (elf(5): e_ident, e_type, e_machine).
const headerSize = 20

// machineOf is the arch, named as in a manifest, that a program or shared
// object is made for, by the beginning of the file; "" is none that apps run on.
// Firmware, BPF objects and object files for a linker are data.
func machineOf(head []byte) string {
	if len(head) < headerSize || string(head[:4]) != elf.ELFMAG || elf.Data(head[elf.EI_DATA]) != elf.ELFDATA2LSB ||
		elf.Class(head[elf.EI_CLASS]) != elf.ELFCLASS64 {
		return ""
	}
	if t := elf.Type(binary.LittleEndian.Uint16(head[16:])); t != elf.ET_EXEC && t != elf.ET_DYN {
		return ""
	}
	switch elf.Machine(binary.LittleEndian.Uint16(head[18:])) {
	case elf.EM_X86_64:
		return "x86_64"
	case elf.EM_AARCH64:
		return "aarch64"
	}
	return ""
}
