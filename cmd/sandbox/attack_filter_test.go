package main

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"sandbox/internal/e2e"
	"sandbox/internal/testenv"
)

// refused is a call by number (amd64), and how the filter answers it. The
// filter itself is tested against every architecture in runtime/seccomp; here
// it is asked inside an instance.
type refused struct {
	name, op string
	want     string
	anyone   bool // outside even an ordinary user is answered otherwise
}

var refusedCalls = []refused{
	{"unshare", "sys 272 0", "EPERM", true},
	{"unshare with high bits", "sys 272 0x7fffffff10000000", "EPERM", true},
	{"setns", "sys 308 -1 0", "EPERM", true},
	{"mount", "sys 165 1 1 1 0 0", "EPERM", true},
	{"umount2", "sys 166 1 0", "EPERM", false},
	{"pivot_root", "sys 155 1 1", "EPERM", false},
	{"chroot", "sys 161 1", "EPERM", true},
	{"clone with a user namespace", "sys 56 0x10000011 0 0 0 0", "EPERM", true},
	{"clone with high bits", "sys 56 0x5500000010000011 0 0 0 0", "EPERM", true},
	{"clone3", "sys 435 1 88", "ENOSYS", true},
	{"ptrace", "sys 101 0x4206 -1 0 0", "EPERM", true},
	{"process_vm_readv", "sys 310 -1 0 0 0 0 0", "EPERM", true},
	{"process_vm_writev", "sys 311 -1 0 0 0 0 0", "EPERM", true},
	{"pidfd_getfd", "sys 438 -1 0 0", "EPERM", true},
	{"kcmp", "sys 312 -1 -1 0 0 0", "EPERM", true},
	{"add_key", "sys 248 1 1 0 0 0", "EPERM", true},
	{"request_key", "sys 249 1 1 0 0", "EPERM", true},
	{"keyctl", "sys 250 9999 0 0 0 0", "EPERM", true},
	{"bpf", "sys 321 9999 0 0", "EPERM", false},
	{"userfaultfd", "sys 323 -1", "EPERM", true},
	{"perf_event_open", "sys 298 1 0 0 0 0", "EPERM", true},
	{"fanotify_init", "sys 300 -1 -1", "EPERM", false},
	{"kexec_load", "sys 246 0 0 0 -1", "EPERM", false},
	{"init_module", "sys 175 1 1 1", "EPERM", false},
	{"swapon", "sys 167 1 0", "EPERM", false},
	{"reboot", "sys 169 0 0 0 0", "EPERM", false},
	{"acct", "sys 163 1", "EPERM", false},
	{"quotactl", "sys 179 -1 1 0 0", "EPERM", true},
	{"quotactl_fd", "sys 443 -1 0 0 0", "EPERM", true},
	{"syslog", "sys 103 99 0 0", "EPERM", false},
	{"vmsplice", "sys 278 -1 0 0 0", "EPERM", true},
	{"personality", "sys 135 0x40000", "EPERM", true},
	{"modify_ldt", "sys 154 99 0 0", "EPERM", true},
	{"iopl", "sys 172 99", "EPERM", true},
	{"ioperm", "sys 173 -1 -1 0", "EPERM", true},
	{"move_pages", "sys 279 -1 0 0 0 0 -1", "EPERM", true},
	{"open_by_handle_at", "sys 304 -1 1 0", "EPERM", false},
	{"name_to_handle_at", "sys 303 -1 1 1 1 0", "EPERM", true},
	{"sethostname", "sys 170 1 1", "EPERM", false},
	{"io_uring_setup", "sys 425 0 0", "ENOSYS", true},
	{"io_uring_enter", "sys 426 -1 0 0 0 0 0", "ENOSYS", true},
	{"memfd_secret", "sys 447 -1", "ENOSYS", false},
	{"open_tree", "sys 428 -1 1 0", "ENOSYS", true},
	{"open_tree_attr", "sys 467 -1 1 0 0 0", "ENOSYS", true},
	{"move_mount", "sys 429 -1 1 -1 1 0", "ENOSYS", true},
	{"fsopen", "sys 430 1 0", "ENOSYS", true},
	{"fsconfig", "sys 431 -1 0 0 0 0", "ENOSYS", true},
	{"fsmount", "sys 432 -1 0 0", "ENOSYS", true},
	{"fspick", "sys 433 -1 1 0", "ENOSYS", true},
	{"mount_setattr", "sys 442 -1 1 0 0 0", "ENOSYS", true},
	{"statmount", "sys 457 1 1 1 0", "ENOSYS", true},
	{"listmount", "sys 458 1 1 1 0", "ENOSYS", true},
	{"TIOCSTI", "sys 16 -1 0x5412 buf", "EPERM", true},
	{"TIOCSTI with high bits", "sys 16 -1 0x12300005412 buf", "EPERM", true},
	{"TIOCLINUX", "sys 16 -1 0x541c buf", "EPERM", true},
	{"TIOCLINUX with high bits", "sys 16 -1 0xffffffff0000541c buf", "EPERM", true},
	{"seccomp listener", "sys 317 1 8 1", "EPERM", true},
	{"mknod of a device", "sys 259 -1 1 0020000 0", "EPERM", true},
}

func needAMD64(t *testing.T) {
	t.Helper()
	if runtime.GOARCH != "amd64" {
		testenv.Skip(t, "needs the system call numbers of amd64")
	}
}

// S01 … S19, of the app and of what enters it.
func TestS19RefusedCalls(t *testing.T) {
	needAMD64(t)
	h, b := attack(t)
	var ops []string
	for _, r := range refusedCalls {
		ops = append(ops, r.op)
	}
	p := h.Start("run", "--name", "one", b, "say up", "hold")
	p.Expect("up", 10*time.Second)
	for who, a := range map[string]e2e.Answers{
		"the app":                 h.Inside(b, nil, ops...),
		"with the host's network": h.Inside(b, []string{"--grant", "network:host"}, ops...),
		"what enters":             h.Answers(h.Run(append([]string{"enter", "one", "/app/bin/probe"}, ops...)...)),
	} {
		for _, r := range refusedCalls {
			if got := a.Of(r.op); got != r.want {
				t.Errorf("%s: %s: got %s, want %s", who, r.name, got, r.want)
			}
		}
	}
	h.Run("kill", "one")
	p.Wait()
	for _, r := range refusedCalls {
		if !r.anyone && os.Getuid() != 0 {
			continue
		}
		// In a process of its own: a clone that works would go on as a second probe.
		if strings.HasPrefix(r.op, "sys 56 ") {
			continue
		}
		switch got := h.Outside(r.op).Of(r.op); {
		case got == "ENOSYS" && r.want == got && newCall(r.op):
			t.Logf("%s is not known to this kernel", r.name)
		case got == r.want && !strings.HasPrefix(got, "ok"):
			t.Errorf("%s proves nothing: outside it is %s too", r.name, got)
		}
	}
}

// newCall says whether an operation is a call that the oldest kernels we run on
// need not know: those numbered after futex_waitv of Linux 5.16.
func newCall(op string) bool {
	var number int
	fmt.Sscanf(op, "sys %d", &number)
	return number > 449
}

// What is not known is not there.
func TestS05UnknownCalls(t *testing.T) {
	needAMD64(t)
	h, b := attack(t)
	var ops []string
	for nr := 471; nr < 530; nr++ {
		ops = append(ops, format("sys %d -1 -1 -1 -1 -1 -1", nr))
	}
	ops = append(ops, "sys 0x7fffffff 0", "sys -1 0", "sys 180 0", "sys 134 0")
	a := h.Inside(b, nil, ops...)
	for _, op := range ops {
		a.Is(op, "ENOSYS", "EPERM")
	}
	ok := []string{"sys 39", "sys 334 0 0 0 0", "sys 437 -100 1 1 24", "sys 318 buf 16 0", "sys 436 -1 -1 0"}
	a = h.Inside(b, nil, ok...)
	a.Is(ok[0], "ok")
	a.Is(ok[1], "EINVAL", "EFAULT", "EPERM") // rseq is there, whatever it says
	a.Is(ok[2], "EFAULT")
	a.Is(ok[3], "ok")
}

func TestS04ThreadsWorkWithoutClone3(t *testing.T) {
	h, b := attack(t)
	h.Inside(b, nil, "threads").Is("threads", "ok")
}

func TestS07OtherABIs(t *testing.T) {
	needAMD64(t)
	h, b := attack(t)
	ops := []string{"apart x32 272 0x10000000", "apart x32 39", "apart x32 1 1 buf 1", "apart int80"}
	a := h.Inside(b, nil, ops...)
	for _, op := range ops[:3] {
		a.Is(op, "ok ENOSYS", "ok EPERM", "ok killed by SIGSYS")
	}
	if got := h.Outside(ops[3]).Of(ops[3]); strings.HasPrefix(got, "ok ") && !strings.Contains(got, "killed") && !strings.Contains(got, "panic") {
		a.Is(ops[3], "ok killed by SIGSYS")
	} else {
		t.Logf("this kernel has no 32-bit calls: %s", got)
		a.Lacks(ops[3], "ok ok")
	}
}

// Only the families on the list, by whatever call and with whatever above the
// 32 bits that the kernel reads.
func TestS10SocketFamilies(t *testing.T) {
	needAMD64(t)
	h, b := attack(t)
	allowed := map[int]bool{1: true, 2: true, 10: true, 16: true}
	var ops []string
	for f := range 64 {
		ops = append(ops, format("sys 41 %d 1 0", f), format("sys 41 0x%x0000%04x 1 0", f+1, f), format("sys 53 %d 1 0 buf", f), format("sys 53 0xabc0000%04x 1 0 buf", f))
	}
	ops = append(ops, "sys 41 255 1 0", "sys 41 16 3 0", "sys 41 16 3 9", "sys 41 16 3 16", "sys 41 2 3 1")
	for name, flags := range map[string][]string{"alone": nil, "with the host's network": {"--grant", "network:host"}} {
		a := h.Inside(b, flags, ops...)
		for f := range 64 {
			for i, op := range ops[4*f : 4*f+4] {
				got := a.Of(op)
				if refused := got == "EAFNOSUPPORT"; refused == (allowed[f] && (i < 2 || f == 1)) && f != 0 {
					t.Errorf("%s: family %d: %s = %s", name, f, op, got)
				}
			}
		}
		a.Is("sys 41 16 3 0", "ok")                                       // NETLINK_ROUTE
		a.Is("sys 41 16 3 9", "EPERM", "EAFNOSUPPORT", "EPROTONOSUPPORT") // NETLINK_AUDIT
		a.Is("sys 41 2 3 1", "EPERM")                                     // raw: no capability
	}
	h.Outside("sys 41 16 3 16").Is("sys 41 16 3 16", "ok")
}

// A filter cannot be taken off, nor the bit that keeps setuid programs harmless.
func TestS17FilterStays(t *testing.T) {
	needAMD64(t)
	h, b := attack(t)
	ops := []string{"sys 157 38 0 0 0 0", "sys 157 22 0 0 0 0", "sys 317 0 0 0", "sys 157 28 0", "sys 157 35 1 1", "status self Seccomp NoNewPrivs", "sys 157 39 0 0 0 0"}
	a := h.Inside(b, nil, ops...)
	a.Is(ops[0], "EINVAL")
	a.Is(ops[5], "ok NoNewPrivs=1 Seccomp=2")
	a.Is(ops[6], "ok 1")
	a.Is(ops[3], "EPERM")
	a.Is(ops[4], "EPERM")
}
