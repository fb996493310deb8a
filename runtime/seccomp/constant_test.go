package seccomp

import (
	"encoding/binary"
	"testing"
)

// The kernel runs a filter once per number when it is loaded and remembers the
// calls that are allowed without a look at an argument; those never run it again
// (seccomp_is_const_allow in kernel/seccomp.c, Linux 5.11). Here too: exactly the
// calls without cases must be of that kind.
func TestPlainAllowsAreConstant(t *testing.T) {
	each(t, func(t *testing.T, m *machine, a ABI, f Features) {
		policy, err := Policy(a, f)
		if err != nil {
			t.Fatal(err)
		}
		arch := AMD64
		if a == Arm64 || a == Arm {
			arch = ARM64
		}
		program, err := Program(arch, f)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range policy {
			want := r.Action == Allow && len(r.Cases) == 0
			if got := constantAllow(program, a.Audit(), uint32(r.Nr)); got != want {
				t.Errorf("%s: constant %v, want %v", r.Name, got, want)
			}
		}
	})
}

// constantAllow follows the kernel's emulation, instruction by instruction.
func constantAllow(program []byte, audit, nr uint32) bool {
	a := uint32(0)
	for pc := 0; pc < len(program)/8; pc++ {
		ins := program[8*pc:]
		k := binary.NativeEndian.Uint32(ins[4:])
		taken := false
		switch op := binary.NativeEndian.Uint16(ins); op {
		case 0x20: // load a word
			switch k {
			case 0:
				a = nr
			case 4:
				a = audit
			default:
				return false
			}
			continue
		case 0x54:
			a &= k
			continue
		case 0x06:
			return k == retAllow
		case 0x05:
			pc += int(k)
			continue
		case 0x15:
			taken = a == k
		case 0x25:
			taken = a > k
		case 0x35:
			taken = a >= k
		case 0x45:
			taken = a&k != 0
		default:
			return false
		}
		if taken {
			pc += int(ins[2])
		} else {
			pc += int(ins[3])
		}
	}
	return false
}

// The most instructions a call can cost: a bound, so that a change of the
// compiler or of the policy that makes programs slower is seen.
func TestProgramsAreShort(t *testing.T) {
	for _, arch := range []string{AMD64, ARM64} {
		for f := range Features(Variants) {
			program, err := Program(arch, f)
			if err != nil {
				t.Fatal(err)
			}
			if n := len(program) / 8; n > 1500 { // the kernel accepts 4096
				t.Errorf("%s %q: %d instructions", arch, f, n)
			}
		}
	}
}
