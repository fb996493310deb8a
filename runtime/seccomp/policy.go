package seccomp

import "syscall"

// Action is what the kernel does with a system call. The zero value refuses.
type Action uint8

const (
	Absent   Action = iota // ENOSYS, as on a kernel without it: callers fall back
	Refuse                 // EPERM
	NoFamily               // EAFNOSUPPORT
	Allow
)

// Errno is what a refused caller gets; 0 for Allow.
func (a Action) Errno() syscall.Errno {
	switch a {
	case Allow:
		return 0
	case Refuse:
		return syscall.EPERM
	case NoFamily:
		return syscall.EAFNOSUPPORT
	}
	return syscall.ENOSYS
}

func (a Action) String() string {
	switch a {
	case Allow:
		return "allow"
	case Refuse:
		return "EPERM"
	case NoFamily:
		return "EAFNOSUPPORT"
	}
	return "ENOSYS"
}

// Rule is the policy for one system call.
//
// Cases all lead to the other side of Action: a rule that allows has only
// refusing cases and the reverse. So their order means nothing, and no two of
// them can cancel each other.
type Rule struct {
	Name   string
	Action Action   // when no case matches
	Cases  []Case   // exceptions by argument
	Needs  Features // a feature that allows the call whole; 0: none does
	Why    string   // only where the action would surprise
}

// Case matches when every one of its arguments does.
type Case struct {
	What   string // in words, for FILTER.md
	When   []Arg
	Action Action
	Needs  Features // the case exists only with this feature; 0: always
}

// Arg compares argument Index: value&Mask == Value. The kernel reads these
// arguments as 32 bits, so a mask is never wider: a comparison of 64 bits would
// miss a value with garbage above (CVE-2019-10063). Inequality cannot be said.
type Arg struct {
	Index       uint
	Mask, Value uint32
}

func low(index uint, value uint32) Arg { return Arg{index, 1<<32 - 1, value} }

// in returns the rule as it stands with features f.
func (r Rule) in(f Features) Rule {
	if r.Needs&f != 0 {
		return Rule{Name: r.Name, Action: Allow, Why: r.Why}
	}
	kept := r
	kept.Cases = nil
	for _, c := range r.Cases {
		if c.Needs == 0 || c.Needs&f != 0 {
			kept.Cases = append(kept.Cases, c)
		}
	}
	return kept
}

// Table returns the policy, sorted by name. It must not be changed.
func Table() []Rule { return table }

// Values of arguments, the same in the four ABIs. From linux/sched.h,
// asm-generic/ioctls.h, linux/kd.h, linux/prctl.h, linux/personality.h,
// linux/seccomp.h, linux/socket.h, linux/netlink.h and linux/stat.h.
const (
	newNamespaces = 0x7e020000 // CLONE_NEW{NS,CGROUP,UTS,IPC,USER,PID,NET}; clone cannot say NEWTIME

	tiocsti      = 0x5412 // type into the terminal
	tioclinux    = 0x541c // paste the selection of a console
	tioccons     = 0x541d // take over the output of the console
	tiocsetd     = 0x5423 // load a line discipline
	kdskbent     = 0x4b47 // what a key means on every console
	kdskbsent    = 0x4b49 // what a function key types
	kdskbdiacr   = 0x4b4b // what an accent composes to
	kdsetkeycode = 0x4b4d // which key a scancode is
	kdskbdiacruc = 0x4bfb // kdskbdiacr in Unicode

	prSetMM = 35

	perLinux   = 0
	perLinux32 = 8
	perQuery   = 0xffffffff

	seccompNewListener = 1 << 3

	afUnix      = 1
	afInet      = 2
	afInet6     = 10
	afNetlink   = 16
	afCAN       = 29
	afBluetooth = 31

	netlinkRoute = 0

	sIFMT   = 0170000
	sIFREG  = 0100000
	sIFIFO  = 0010000
	sIFSOCK = 0140000
)
