//go:build libseccomp

package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"

	libseccomp "github.com/seccomp/libseccomp-golang"
	"golang.org/x/sys/unix"

	"sandbox/runtime/seccomp"
)

// compiler makes bodies: what libseccomp compiles, without the check of the
// architecture, to be run with the number in the accumulator.
//
// Numbers of every ABI are given as if they were x86_64's. libseccomp would
// translate foreign ones through the names it knows, which leaves out the calls
// newer than itself; and nothing in a body depends on the ABI.
type compiler struct {
	order *rand.Rand // nil: by number
}

// body compiles rules, each with one constant answer or with cases.
func (c compiler) body(missing seccomp.Action, rules []rule) ([]instruction, error) {
	filter, err := libseccomp.NewFilter(result(missing))
	if err != nil {
		return nil, err
	}
	defer filter.Release()
	if err := filter.SetOptimize(2); err != nil { // a binary tree of the numbers
		return nil, err
	}
	if err := filter.SetBadArchAction(libseccomp.ActKillProcess); err != nil {
		return nil, err
	}
	if c.order != nil {
		c.order.Shuffle(len(rules), func(i, j int) { rules[i], rules[j] = rules[j], rules[i] })
	}
	for _, r := range rules {
		if err := r.add(filter); err != nil {
			return nil, fmt.Errorf("system call %d: %w", r.nr, err)
		}
	}
	code, err := export(filter)
	if err != nil {
		return nil, err
	}
	return cutHead(code)
}

// rule is one libseccomp rule.
type rule struct {
	nr     int
	action libseccomp.ScmpAction
	when   []seccomp.Arg
}

func (r rule) add(filter *libseccomp.ScmpFilter) error {
	if len(r.when) == 0 {
		return filter.AddRuleExact(libseccomp.ScmpSyscall(r.nr), r.action)
	}
	conditions := make([]libseccomp.ScmpCondition, 0, len(r.when))
	for _, arg := range r.when {
		cond, err := libseccomp.MakeCondition(arg.Index, libseccomp.CompareMaskedEqual, uint64(arg.Mask), uint64(arg.Value))
		if err != nil {
			return err
		}
		conditions = append(conditions, cond)
	}
	return filter.AddRuleConditionalExact(libseccomp.ScmpSyscall(r.nr), r.action, conditions)
}

func result(a seccomp.Action) libseccomp.ScmpAction {
	if a == seccomp.Allow {
		return libseccomp.ActAllow
	}
	return libseccomp.ActErrno.SetReturnCode(int16(a.Errno()))
}

// export goes through a memfd: libseccomp 2.5.4 cannot export to memory.
func export(filter *libseccomp.ScmpFilter) ([]instruction, error) {
	fd, err := unix.MemfdCreate("filter", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("memfd_create: %w", err)
	}
	file := os.NewFile(uintptr(fd), "filter")
	defer file.Close()
	if err := filter.ExportBPF(file); err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.NewSectionReader(file, 0, 1<<20))
	if err != nil {
		return nil, err
	}
	code := make([]instruction, len(data)/8)
	for i := range code {
		code[i] = instruction(binary.LittleEndian.Uint64(data[8*i:]))
	}
	return code, nil
}

// cutHead takes off libseccomp's own check of the architecture and of x32, which
// ends by loading the number again. Jumps go forward only, so what remains is whole.
func cutHead(code []instruction) ([]instruction, error) {
	const longest = 8
	if len(code) <= longest || code[0] != loadArch ||
		code[1].op() != jumpEqual || code[1].k() != seccomp.X8664.Audit() ||
		code[2] != loadNumber || code[3].op() != jumpAtLeast {
		return nil, errors.New("libseccomp begins a program in a way that is not known here")
	}
	for i := 4; i < longest; i++ {
		if code[i] == loadNumber {
			return code[i+1:], nil
		}
	}
	return nil, errors.New("libseccomp does not load the number where it is expected")
}
