package seccomp

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// The expectations of this file are written out, not taken from the policy: it
// is the policy they watch over. The programs are run by package bpf.

// everywhere lists what each call must answer with no feature, in both ABIs
// that have it; calls of 32-bit ABIs are seen with multiarch.
var everywhere = map[string][]string{
	"EPERM": {
		"unshare", "setns", "mount", "umount", "umount2", "pivot_root", "chroot", "sethostname", "setdomainname",
		"add_key", "keyctl", "request_key", "ptrace", "process_vm_readv", "process_vm_writev", "pidfd_getfd", "kcmp",
		"perf_event_open", "bpf", "userfaultfd", "fanotify_init", "fanotify_mark", "kexec_load", "kexec_file_load",
		"init_module", "finit_module", "delete_module", "swapon", "swapoff", "reboot", "acct", "quotactl", "quotactl_fd",
		"syslog", "lookup_dcookie", "vmsplice", "iopl", "ioperm", "move_pages", "mbind", "migrate_pages",
		"get_mempolicy", "set_mempolicy", "set_mempolicy_home_node", "open_by_handle_at", "name_to_handle_at",
		"process_madvise", "process_mrelease", "settimeofday", "clock_settime", "clock_settime64", "stime", "vhangup",
		"lsm_set_self_attr", "uselib", "ustat", "sysfs", "vm86", "vm86old", "socketcall",
	},
	"ENOSYS": {
		"clone3", "io_uring_setup", "io_uring_enter", "io_uring_register", "memfd_secret",
		"open_tree", "open_tree_attr", "move_mount", "fsopen", "fsconfig", "fsmount", "fspick", "mount_setattr",
		"statmount", "listmount", "listns",
	},
	"allow": {
		"read", "write", "openat", "openat2", "close", "mmap", "mprotect", "futex", "futex_time64", "execve", "fork", "vfork",
		"exit_group", "rt_sigreturn", "restart_syscall", "rseq", "getrandom", "statx", "landlock_create_ruleset",
		"landlock_restrict_self", "setuid", "setgroups", "memfd_create", "pidfd_open", "pidfd_send_signal", "kill",
		"mseal", "fchmodat2", "epoll_pwait2", "close_range", "splice", "shmget", "ipc", "set_thread_area", "arch_prctl",
	},
}

// S04, S05, S16, S19: what is refused is refused whatever the arguments.
func TestRefusedCalls(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	each(t, func(t *testing.T, m *machine, a ABI, f Features) {
		if f&^Multiarch != 0 {
			return
		}
		for want, names := range everywhere {
			for _, name := range names {
				if _, has, err := a.Number(name); err != nil {
					t.Fatal(err)
				} else if !has {
					continue
				}
				for range 20 {
					args := []uint64{random.Uint64(), random.Uint64() >> random.UintN(64), random.Uint64(), random.Uint64()}
					if got := m.answer(t, a, name, args...); got != want {
						t.Errorf("%s(%#x): got %s, want %s", name, args, got, want)
					}
				}
			}
		}
	})
}

// Each feature opens what it is for, and no other does.
func TestFeatures(t *testing.T) {
	tests := []struct {
		name    string
		args    []uint64
		opens   Features
		refused string
	}{
		{"ptrace", nil, Devel, "EPERM"},
		{"process_vm_readv", nil, Devel, "EPERM"},
		{"kcmp", nil, Devel, "EPERM"},
		{"perf_event_open", nil, Devel, "EPERM"},
		{"personality", []uint64{0x40000}, Devel, "EPERM"},
		{"personality", []uint64{8}, Devel | Multiarch, "EPERM"},
		{"modify_ldt", nil, Multiarch, "EPERM"},
		{"socket", []uint64{31, 3, 1}, Bluetooth, "EAFNOSUPPORT"},
		{"socket", []uint64{29, 3, 1}, Canbus, "EAFNOSUPPORT"},
		{"unshare", []uint64{0x10000000}, Userns, "EPERM"},
		{"setns", nil, Userns, "EPERM"},
		{"clone", []uint64{0x10000011}, Userns, "EPERM"},
		{"mount", nil, Userns, "EPERM"},
		{"umount2", nil, Userns, "EPERM"},
		{"pivot_root", nil, Userns, "EPERM"},
		{"chroot", nil, Userns, "EPERM"},
		{"mknodat", []uint64{0, 0, 0020000}, Userns, "EPERM"},
		{"seccomp", []uint64{1, 8}, Userns, "EPERM"},
		{"bpf", nil, 0, "EPERM"},
		{"keyctl", nil, 0, "EPERM"},
		{"clone3", nil, 0, "ENOSYS"},
		{"fsopen", nil, 0, "ENOSYS"},
		{"io_uring_setup", nil, 0, "ENOSYS"},
		{"socket", []uint64{38, 5, 0}, 0, "EAFNOSUPPORT"},
		{"ioctl", []uint64{0, 0x5412}, 0, "EPERM"},
	}
	each(t, func(t *testing.T, m *machine, a ABI, f Features) {
		for _, test := range tests {
			if _, has, _ := a.Number(test.name); !has {
				continue
			}
			want := test.refused
			if f&test.opens != 0 {
				want = "allow"
			}
			if got := m.answer(t, a, test.name, test.args...); got != want {
				t.Errorf("%s(%#x): got %s, want %s", test.name, test.args, got, want)
			}
		}
	})
}

// S02: the kernel reads 32 bits, so what lies above them must not matter, for a
// refusal (CVE-2019-10063) or for a permission.
func TestHighBitsDoNotMatter(t *testing.T) {
	tests := []struct {
		name  string
		index int
		value uint64
		want  string
	}{
		{"ioctl", 1, 0x5412, "EPERM"}, // TIOCSTI
		{"ioctl", 1, 0x541c, "EPERM"}, // TIOCLINUX
		{"ioctl", 1, 0x541d, "EPERM"}, // TIOCCONS
		{"ioctl", 1, 0x5423, "EPERM"}, // TIOCSETD
		{"ioctl", 1, 0x4b47, "EPERM"}, // KDSKBENT
		{"ioctl", 1, 0x4b49, "EPERM"}, // KDSKBSENT
		{"ioctl", 1, 0x4b4b, "EPERM"}, // KDSKBDIACR
		{"ioctl", 1, 0x4b4d, "EPERM"}, // KDSETKEYCODE
		{"ioctl", 1, 0x4bfb, "EPERM"}, // KDSKBDIACRUC
		{"ioctl", 1, 0x5401, "allow"}, // TCGETS
		{"ioctl", 1, 0x5413, "allow"}, // TIOCGWINSZ
		{"prctl", 0, 35, "EPERM"},     // PR_SET_MM
		{"prctl", 0, 15, "allow"},     // PR_SET_NAME
		{"prctl", 0, 22, "allow"},     // PR_SET_SECCOMP
		{"personality", 0, 0, "allow"},
		{"personality", 0, 0xffffffff, "allow"},
		{"personality", 0, 0x40000, "EPERM"}, // ADDR_NO_RANDOMIZE
		{"personality", 0, 0xfffffffe, "EPERM"},
		{"seccomp", 1, 1, "allow"}, // TSYNC
		{"seccomp", 1, 8, "EPERM"}, // NEW_LISTENER
		{"seccomp", 1, 9, "EPERM"},
		{"mknodat", 2, 0644, "allow"},
		{"mknodat", 2, 0100644, "allow"},
		{"mknodat", 2, 0010644, "allow"}, // FIFO
		{"mknodat", 2, 0140644, "allow"}, // socket
		{"mknodat", 2, 0020644, "EPERM"}, // character device
		{"mknodat", 2, 0060644, "EPERM"}, // block device
		{"clone", 0, 0x11, "allow"},      // fork
		{"clone", 0, 0x3d0f00, "allow"},  // pthread_create
		{"clone", 0, 0x4111, "allow"},    // vfork
		{"clone", 0, 0x10000011, "EPERM"},
		{"clone", 0, 0x00020011, "EPERM"},
		{"clone", 0, 0x02000011, "EPERM"},
		{"clone", 0, 0x04000011, "EPERM"},
		{"clone", 0, 0x08000011, "EPERM"},
		{"clone", 0, 0x20000011, "EPERM"},
		{"clone", 0, 0x40000011, "EPERM"},
		{"socketpair", 0, 1, "allow"},
		{"socketpair", 0, 2, "EAFNOSUPPORT"},
	}
	random := rand.New(rand.NewPCG(7, 8))
	each(t, func(t *testing.T, m *machine, a ABI, f Features) {
		if f&(Devel|Userns) != 0 {
			return
		}
		for _, test := range tests {
			for bit := range 34 {
				high := uint64(1) << 31 << bit & (1<<64 - 1<<32)
				if bit == 33 {
					high = uint64(random.Uint32()) << 32
				}
				var args [6]uint64
				args[test.index] = high | test.value
				if got := m.answer(t, a, test.name, args[:]...); got != test.want {
					t.Errorf("%s, argument %#x: got %s, want %s", test.name, args[test.index], got, test.want)
				}
			}
		}
	})
}

// S10, L31: only these families, by every way to a socket.
func TestSocketFamilies(t *testing.T) {
	each(t, func(t *testing.T, m *machine, a ABI, f Features) {
		for family := range uint64(256) {
			for _, high := range []uint64{0, 1 << 32, 0xdeadbeef << 32} {
				want, pair := "EAFNOSUPPORT", "EAFNOSUPPORT"
				switch {
				case family == 1:
					want, pair = "allow", "allow"
				case family == 2, family == 10, family == 16,
					family == 31 && f&Bluetooth != 0, family == 29 && f&Canbus != 0:
					want = "allow"
				}
				if got := m.answer(t, a, "socket", family|high, 1, 0); got != want {
					t.Errorf("socket(%#x): got %s, want %s", family|high, got, want)
				}
				if got := m.answer(t, a, "socketpair", family|high, 1, 0); got != pair {
					t.Errorf("socketpair(%#x): got %s, want %s", family|high, got, pair)
				}
			}
		}
		for protocol := range uint64(32) {
			want := "EAFNOSUPPORT"
			if protocol == 0 {
				want = "allow"
			}
			for _, high := range []uint64{0, 5 << 32} {
				if got := m.answer(t, a, "socket", 16|high, 3, protocol|high); got != want {
					t.Errorf("netlink protocol %d: got %s, want %s", protocol, got, want)
				}
			}
		}
	})
}

// S05: what the kernel may gain after the table was written.
func TestUnknownNumbers(t *testing.T) {
	each(t, func(t *testing.T, m *machine, a ABI, f Features) {
		list := []uint64{1<<32 - 1, 1<<31 - 1, 1 << 31, 1 << 29}
		for n := range uint64(50) {
			list = append(list, last(a)+1+n)
		}
		for _, nr := range list {
			if got := verdict(m.run(t, call{audit: a.Audit(), nr: uint32(nr)})); got != "ENOSYS" {
				t.Errorf("%d: got %s", nr, got)
			}
		}
	})
}

// S07: x32 is x86_64 with bit 30 set; all other ABIs kill, and what is read as
// one ABI is never judged by the numbers of another.
func TestOtherABIs(t *testing.T) {
	audits := map[string]uint32{
		"x86_64": 0xc000003e, "i386": 0x40000003, "arm64": 0xc00000b7, "arm": 0x40000028,
		"riscv64": 0xc00000f3, "ppc64le": 0xc0000015, "s390x": 0x80000016, "none": 0,
		"x86_64 big": 0x8000003e, "arm big": 0x28,
	}
	for _, arch := range []string{AMD64, ARM64} {
		for f := range Features(Variants) {
			m := load(t, arch, f)
			answered := map[uint32]bool{}
			abis, _ := ABIs(arch, f)
			for _, a := range abis {
				answered[a.Audit()] = true
			}
			for name, audit := range audits {
				for nr := range uint32(600) {
					got := verdict(m.run(t, call{audit: audit, nr: nr}))
					if (got == "kill") == answered[audit] {
						t.Fatalf("%s %q: %s call %d: got %s", arch, f, name, nr, got)
					}
					x32 := verdict(m.run(t, call{audit: audit, nr: nr | 1<<30}))
					if x32 != "kill" && x32 != "ENOSYS" {
						t.Fatalf("%s %q: %s call %d with bit 30: got %s", arch, f, name, nr, x32)
					}
				}
			}
		}
	}
}

// S08: the one multiplexer that hides a family is closed; the one of System V
// IPC, which hides nothing of the kind, is open.
func TestMultiplexers(t *testing.T) {
	m := load(t, AMD64, Variants-1)
	for sub := range uint64(21) {
		if got := m.answer(t, I386, "socketcall", sub); got != "EPERM" {
			t.Errorf("socketcall(%d): got %s", sub, got)
		}
	}
	if got := m.answer(t, I386, "ipc", 21); got != "allow" {
		t.Errorf("ipc: got %s", got)
	}
}

// S11: however the other arguments are chosen, a listed value is refused.
func TestRefusalsHoldBesideEachOther(t *testing.T) {
	random := rand.New(rand.NewPCG(9, 10))
	each(t, func(t *testing.T, m *machine, a ABI, f Features) {
		for _, r := range table {
			for _, c := range r.Cases {
				if _, has, _ := a.Number(r.Name); !has || c.Action == Allow || r.Needs&f != 0 {
					continue
				}
				for range 50 {
					var args [6]uint64
					for i := range args {
						args[i] = random.Uint64()
					}
					for _, arg := range c.When {
						args[arg.Index] = args[arg.Index]&^uint64(arg.Mask) | uint64(arg.Value)
					}
					if got := m.answer(t, a, r.Name, args[:]...); got != c.Action.String() {
						t.Errorf("%s(%#x): got %s", r.Name, args, got)
					}
				}
			}
		}
	})
}

func TestProgramRefusesWhatItDoesNotKnow(t *testing.T) {
	for _, arch := range []string{"", "386", "riscv64", "x86_64"} {
		if _, err := Program(arch, 0); err == nil {
			t.Errorf("%q: no error", arch)
		}
	}
	if _, err := Program(AMD64, Variants); err == nil {
		t.Error("feature beyond the last: no error")
	}
	if got, want := fmt.Sprint(Of("devel", "userns", "per-app-dev-shm")), "devel,userns"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
