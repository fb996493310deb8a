//go:build libseccomp

package main

import (
	"fmt"
	"math/rand/v2"

	libseccomp "github.com/seccomp/libseccomp-golang"

	"sandbox/runtime/seccomp"
)

// instruction is a struct sock_filter, as it lies in memory.
type instruction uint64

func (i instruction) op() uint16 { return uint16(i) }
func (i instruction) k() uint32  { return uint32(i >> 32) }

func make4(op uint16, yes, no uint8, k uint32) instruction {
	return instruction(op) | instruction(yes)<<16 | instruction(no)<<24 | instruction(k)<<32
}

// The few operations that are looked at or written here (linux/bpf_common.h).
const (
	load        = 0x20
	jump        = 0x05
	jumpEqual   = 0x15
	jumpAtLeast = 0x35
	ret         = 0x06
)

const (
	loadNumber  = instruction(load)
	loadArch    = instruction(load | 4<<32)
	killProcess = instruction(ret | 0x80000000<<32)
)

// program joins the ABIs of one variant:
//
//	load the architecture
//	is it the native one? else go to next
//	load the number
//	body
//	next: the same for the second ABI, if there is one
//	kill the process
func program(arch string, f seccomp.Features, seed uint64) ([]instruction, error) {
	abis, err := seccomp.ABIs(arch, f)
	if err != nil {
		return nil, err
	}
	var c compiler
	if seed != 0 {
		c.order = rand.New(rand.NewPCG(seed, uint64(f)))
	}
	code := []instruction{loadArch}
	for _, abi := range abis {
		part, err := c.abi(abi, f)
		if err != nil {
			return nil, fmt.Errorf("%v: %w", abi, err)
		}
		code = append(code,
			make4(jumpEqual, 1, 0, abi.Audit()),
			make4(jump, 0, 0, uint32(len(part)+1)),
			loadNumber)
		code = append(code, part...)
	}
	return append(code, killProcess), nil
}

// firstMark is a range of errno values that no policy uses; libseccomp accepts
// up to 4095.
const firstMark = 3000

// abi compiles a tree of all numbers, whose answers are constants that the
// kernel can keep in its bitmap, and beside it one small body for each call
// with cases. The two are apart because libseccomp has one default for a whole
// program, while here each call has its own.
func (c compiler) abi(a seccomp.ABI, f seccomp.Features) ([]instruction, error) {
	policy, err := seccomp.Policy(a, f)
	if err != nil {
		return nil, err
	}
	var rules []rule
	var bodies [][]instruction
	for _, r := range policy {
		if len(r.Cases) == 0 {
			if r.Action != seccomp.Absent { // the default
				rules = append(rules, rule{nr: r.Nr, action: result(r.Action)})
			}
			continue
		}
		body, err := c.cases(r)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", r.Name, err)
		}
		mark := libseccomp.ActErrno.SetReturnCode(int16(firstMark + len(bodies)))
		rules = append(rules, rule{nr: r.Nr, action: mark})
		bodies = append(bodies, body)
	}
	tree, err := c.body(seccomp.Absent, rules)
	if err != nil {
		return nil, err
	}
	return graft(tree, bodies)
}

func (c compiler) cases(r seccomp.Numbered) ([]instruction, error) {
	var rules []rule
	for _, k := range r.Cases {
		rules = append(rules, rule{nr: r.Nr, action: result(k.Action), when: k.When})
	}
	return c.body(r.Action, rules)
}

// graft turns the returns that carry a mark into jumps to the body meant.
func graft(tree []instruction, bodies [][]instruction) ([]instruction, error) {
	code := tree
	starts := make([]int, len(bodies))
	for i, body := range bodies {
		starts[i] = len(code)
		code = append(code, body...)
	}
	reached := make([]bool, len(bodies))
	for at, ins := range tree {
		mark := int(ins.k()) - 0x00050000 - firstMark // SECCOMP_RET_ERRNO
		if ins.op() != ret || mark < 0 || mark >= len(bodies) {
			continue
		}
		code[at] = make4(jump, 0, 0, uint32(starts[mark]-at-1))
		reached[mark] = true
	}
	for i, ok := range reached {
		if !ok {
			return nil, fmt.Errorf("no way leads to body %d", i)
		}
	}
	return code, nil
}
