package seccomp

import (
	"fmt"
	"sort"
)

// ABI is one way of numbering system calls.
type ABI uint8

const (
	X8664 ABI = iota
	Arm64
	I386
	Arm
)

func (a ABI) String() string {
	return [...]string{"x86_64", "arm64", "i386", "arm"}[a]
}

// Audit is the AUDIT_ARCH value by which the kernel tells a filter the ABI
// (linux/audit.h). x32 shares that of x86_64 and sets bit 30 of the number,
// which makes all its numbers unknown ones.
func (a ABI) Audit() uint32 {
	return [...]uint32{0xc000003e, 0xc00000b7, 0x40000003, 0x40000028}[a]
}

// ABIs lists what the programs of arch with features f answer; every other
// ABI kills the process.
func ABIs(arch string, f Features) ([]ABI, error) {
	var native, compat ABI
	switch arch {
	case AMD64:
		native, compat = X8664, I386
	case ARM64:
		native, compat = Arm64, Arm
	default:
		return nil, unsupported(arch)
	}
	if f&Multiarch == 0 {
		return []ABI{native}, nil
	}
	return []ABI{native, compat}, nil
}

// Number returns the number of a system call, false when the ABI has none, and
// an error when the name is not known at all: a name must never be skipped.
func (a ABI) Number(name string) (int, bool, error) {
	i := sort.Search(len(numbers), func(i int) bool { return numbers[i].name >= name })
	if i == len(numbers) || numbers[i].name != name {
		return 0, false, fmt.Errorf("internal error: no number for system call %q", name)
	}
	nr := numbers[i].nr[a]
	return int(nr), nr != na, nil
}

// Numbered is a rule with its number in one ABI.
type Numbered struct {
	Rule
	Nr int
}

// Policy returns the rules of one ABI with features f, in order of number.
func Policy(a ABI, f Features) ([]Numbered, error) {
	var rules []Numbered
	for _, r := range table {
		nr, has, err := a.Number(r.Name)
		if err != nil {
			return nil, err
		}
		if has {
			rules = append(rules, Numbered{r.in(f), nr})
		}
	}
	sort.Slice(rules, func(i, j int) bool { return rules[i].Nr < rules[j].Nr })
	return rules, nil
}
