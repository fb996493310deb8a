package seccomp

import (
	"encoding/binary"
	"fmt"
	"math"
	"syscall"
	"testing"

	"golang.org/x/net/bpf"
)

// Results of a filter (linux/seccomp.h).
const (
	retKill  = 0x80000000
	retErrno = 0x00050000
	retAllow = 0x7fff0000
)

// call is struct seccomp_data, as far as our filters read it.
type call struct {
	audit uint32
	nr    uint32
	args  [6]uint64
}

// machine runs a compiled program as the kernel would.
type machine struct {
	vm    *bpf.VM
	input [64]byte
}

func load(t testing.TB, arch string, f Features) *machine {
	t.Helper()
	program, err := Program(arch, f)
	if err != nil {
		t.Fatal(err)
	}
	m, err := assemble(program)
	if err != nil {
		t.Fatalf("%s %q: %v", arch, f, err)
	}
	return m
}

func assemble(program []byte) (*machine, error) {
	var code []bpf.Instruction
	for ; len(program) >= 8; program = program[8:] {
		raw := bpf.RawInstruction{
			Op: binary.NativeEndian.Uint16(program),
			Jt: program[2],
			Jf: program[3],
			K:  binary.NativeEndian.Uint32(program[4:]),
		}
		code = append(code, raw.Disassemble())
	}
	vm, err := bpf.NewVM(code)
	return &machine{vm: vm}, err
}

// run returns the filter's result. Package bpf reads packets, which are
// big-endian, so each word is laid down that way.
func (m *machine) run(t testing.TB, c call) uint32 {
	t.Helper()
	in := m.input[:]
	binary.BigEndian.PutUint32(in[0:], c.nr)
	binary.BigEndian.PutUint32(in[4:], c.audit)
	for i, arg := range c.args {
		binary.BigEndian.PutUint32(in[16+8*i:], uint32(arg))
		binary.BigEndian.PutUint32(in[20+8*i:], uint32(arg>>32))
	}
	got, err := m.vm.Run(in)
	if err != nil {
		t.Fatal(err)
	}
	return uint32(got)
}

// answer makes a call by name.
func (m *machine) answer(t testing.TB, a ABI, name string, args ...uint64) string {
	t.Helper()
	nr, has, err := a.Number(name)
	if err != nil || !has {
		t.Fatalf("%v has no %s: %v", a, name, err)
	}
	c := call{audit: a.Audit(), nr: uint32(nr)}
	copy(c.args[:], args)
	return verdict(m.run(t, c))
}

// verdict spells a result as Action does.
func verdict(result uint32) string {
	switch {
	case result == retAllow:
		return "allow"
	case result == retKill:
		return "kill"
	case result&0xffff0000 == retErrno:
		return verdictOf(syscall.Errno(result & math.MaxUint16))
	}
	return fmt.Sprintf("%#x", result)
}

func verdictOf(errno syscall.Errno) string {
	for _, a := range []Action{Absent, Refuse, NoFamily} {
		if errno == a.Errno() {
			return a.String()
		}
	}
	return errno.Error()
}

// each runs a test over every program and every ABI it answers.
func each(t *testing.T, test func(t *testing.T, m *machine, a ABI, f Features)) {
	for _, arch := range []string{AMD64, ARM64} {
		for f := range Features(Variants) {
			m := load(t, arch, f)
			abis, err := ABIs(arch, f)
			if err != nil {
				t.Fatal(err)
			}
			for _, a := range abis {
				t.Run(fmt.Sprintf("%v/%v", a, f), func(t *testing.T) { test(t, m, a, f) })
			}
		}
	}
}
