package seccomp

import (
	"errors"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	goruntime "runtime"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

const bad = 1<<64 - 1 // no fd, no address, no flags that exist

func native(t testing.TB) ABI {
	t.Helper()
	abis, err := ABIs(goruntime.GOARCH, 0)
	if err != nil {
		t.Skip(err)
	}
	return abis[0]
}

// attempt is a call that fails with or without a filter, so that nothing
// happens when the filter does not hold; only the errno tells which it was.
type attempt struct {
	rule Numbered
	call [7]uint64
	want syscall.Errno
}

// attempts makes every refused call of the policy, and each case of the others.
func attempts(t testing.TB, f Features) []attempt {
	policy, err := Policy(native(t), f)
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(3, 4))
	var list []attempt
	for _, r := range policy {
		if r.Action == Allow && len(r.Cases) == 0 || r.Name == "vhangup" { // takes no argument that could be bad
			continue
		}
		call := [7]uint64{uint64(r.Nr), bad, bad, bad, bad, bad, bad}
		if r.Name == "personality" { // bad only asks which it is
			call[1] = 0x40000 // ADDR_NO_RANDOMIZE
		}
		if r.Action != Allow {
			list = append(list, attempt{r, call, r.Action.Errno()})
		}
		for _, c := range r.Cases {
			if c.Action == Allow {
				continue
			}
			matching := call
			for _, arg := range c.When {
				high := uint64(random.Uint32()) << 32
				matching[1+arg.Index] = high | uint64(arg.Value)
			}
			list = append(list, attempt{r, matching, c.Action.Errno()})
		}
	}
	return list
}

func (a attempt) String() string { return a.rule.Name }

// The kernel refuses what the policy refuses, and the refusal is the filter's:
// without it the same call fails otherwise. (Some calls an ordinary user is
// refused anyway, and some the kernel may lack.)
func TestKernelRefuses(t *testing.T) {
	list := append(attempts(t, 0), clones(t)...)
	v := victim{Filter: filtered(0)}
	for _, a := range list {
		v.Calls = append(v.Calls, a.call)
	}
	caught := v.errnos(t)
	v.Filter = nil
	free := v.errnos(t)
	told := map[string]bool{}
	for i, a := range list {
		if caught[i] != a.want {
			t.Errorf("%s%#x: got %v, want %v", a, a.call[1:], caught[i], a.want)
		}
		if free[i] != a.want {
			told[a.rule.Name] = true
		} else {
			t.Logf("%s: %v without a filter too", a, free[i])
		}
	}
	for _, name := range []string{"ioctl", "clone", "unshare", "setns", "ptrace", "keyctl", "io_uring_setup", "clone3"} {
		if !told[name] {
			t.Errorf("%s fails alike without the filter: this test shows nothing", name)
		}
	}
}

// clones asks for each namespace, and with a flag that clone finds contradictory.
func clones(t *testing.T) (list []attempt) {
	nr, _, err := native(t).Number("clone")
	if err != nil {
		t.Fatal(err)
	}
	for flag := uint64(1); flag <= 1<<31; flag <<= 1 {
		if flag&newNamespaces != 0 {
			list = append(list, attempt{Numbered{Rule{Name: "clone"}, nr},
				[7]uint64{uint64(nr), 0xabcd<<32 | flag | unix.CLONE_SIGHAND}, syscall.EPERM})
		}
	}
	return list
}

// S10: all 256 families, with and without garbage above the 32 bits.
func TestKernelSocketFamilies(t *testing.T) {
	nr, _, err := native(t).Number("socket")
	if err != nil {
		t.Fatal(err)
	}
	var calls [][7]uint64
	for family := range uint64(256) {
		calls = append(calls, [7]uint64{uint64(nr), family, bad, 0}, [7]uint64{uint64(nr), 0x5a5a<<32 | family, bad, 0})
	}
	netlink := [7]uint64{uint64(nr), afNetlink, unix.SOCK_RAW, unix.NETLINK_KOBJECT_UEVENT}
	route := [7]uint64{uint64(nr), afNetlink, unix.SOCK_RAW, netlinkRoute}
	got := victim{Filter: filtered(0), Calls: append(calls, netlink, route)}.errnos(t)
	for family := range 256 {
		open := family == afUnix || family == afInet || family == afInet6 || family == afNetlink
		for _, errno := range got[2*family : 2*family+2] {
			// An impossible type is EINVAL once the family is accepted.
			if want := map[bool]syscall.Errno{true: syscall.EINVAL, false: syscall.EAFNOSUPPORT}[open]; errno != want {
				t.Errorf("family %d: got %v, want %v", family, errno, want)
			}
		}
	}
	if got[512] != syscall.EAFNOSUPPORT || got[513] != 0 {
		t.Errorf("netlink: uevent %v, route %v; want only route", got[512], got[513])
	}
}

// S05, S07: numbers the kernel may give out one day, and those of x32.
func TestKernelUnknownNumbers(t *testing.T) {
	var calls [][7]uint64
	for nr := range uint64(50) {
		calls = append(calls, [7]uint64{last(native(t)) + 1 + nr, bad, bad, bad, bad, bad, bad})
	}
	for nr := range uint64(600) { // getpid is 1<<30|39 where the kernel has x32
		calls = append(calls, [7]uint64{1<<30 | nr, bad, bad, bad, bad, bad, bad})
	}
	for i, errno := range (victim{Filter: filtered(0), Calls: calls}).errnos(t) {
		if errno != syscall.ENOSYS {
			t.Errorf("%d: got %v", calls[i][0], errno)
		}
	}
}

// S08: the i386 ABI from a 64-bit program.
func TestKernelOtherABI(t *testing.T) {
	if goruntime.GOARCH != AMD64 {
		t.Skip("needs an x86-64 processor")
	}
	closing := int80(t, 6, 1<<32-1)
	alg := int80(t, 359, 38, 5, 0)
	vsock := int80(t, 359, 40, 1, 0)
	unixSocket := int80(t, 359, afUnix, 1, 0)
	multiplexed := int80(t, 102, 1, 0)
	free := victim{Exec: []string{closing}}.status(t)
	if free.Signaled() {
		t.Skip("needs a kernel with the i386 ABI")
	}
	tests := []struct {
		name, path string
		filter     *Features
		want       int // exit status; -1: killed by SIGSYS
	}{
		{"close, no filter", closing, nil, int(syscall.EBADF)},
		{"close, filter", closing, filtered(0), -1},
		{"close, every other feature", closing, filtered(Devel | Bluetooth | Canbus | Userns), -1},
		{"close, multiarch", closing, filtered(Multiarch), int(syscall.EBADF)},
		{"socket AF_ALG, multiarch", alg, filtered(Multiarch), int(syscall.EAFNOSUPPORT)},
		{"socket AF_VSOCK, multiarch", vsock, filtered(Multiarch), int(syscall.EAFNOSUPPORT)},
		{"socket AF_UNIX, multiarch", unixSocket, filtered(Multiarch), 0},
		{"socketcall, no filter", multiplexed, nil, int(syscall.EFAULT)},
		{"socketcall, multiarch", multiplexed, filtered(Multiarch), int(syscall.EPERM)},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := victim{Filter: test.filter, Exec: []string{test.path}}.status(t)
			if killed := got.Signaled() && got.Signal() == syscall.SIGSYS; killed != (test.want == -1) {
				t.Fatalf("got %v", got)
			}
			if test.want >= 0 && got.ExitStatus() != test.want {
				t.Errorf("got %v, want %v", syscall.Errno(got.ExitStatus()), syscall.Errno(test.want))
			}
		})
	}
}

// status runs v and tells how it ended.
func (v victim) status(t testing.TB) syscall.WaitStatus {
	t.Helper()
	err := v.start(t).Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	if exit == nil {
		return 0
	}
	return exit.Sys().(syscall.WaitStatus)
}

func TestGoProgramWorks(t *testing.T) {
	for _, f := range []Features{0, Devel, Multiarch, Bluetooth, Canbus, Userns, Variants - 1} {
		if got := (victim{Filter: filtered(f), Threads: true}).status(t); got != 0 {
			t.Errorf("%q: exit status %d", f, got.ExitStatus())
		}
	}
}

const threadsSource = `
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
static void *count(void *n) { ++*(int *)n; return NULL; }
int main(void) {
	int n[8] = {0}; pthread_t t[8];
	for (int i = 0; i < 8; i++) if (pthread_create(&t[i], NULL, count, &n[i])) return 1;
	for (int i = 0; i < 8; i++) if (pthread_join(t[i], NULL) || n[i] != 1) return 2;
	pid_t child = fork();
	if (child == 0) _exit(7);
	int status;
	if (waitpid(child, &status, 0) != child || WEXITSTATUS(status) != 7) return 3;
	return system("exit 9") == 9 << 8 ? 0 : 4;
}`

// S04: glibc tries clone3 first, and must find its way to clone.
func TestLibcWorks(t *testing.T) {
	cc, err := exec.LookPath("cc")
	if err != nil {
		t.Skip("needs a C compiler")
	}
	source, program := filepath.Join(t.TempDir(), "threads.c"), filepath.Join(t.TempDir(), "threads")
	if err := os.WriteFile(source, []byte(threadsSource), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(cc, "-o", program, source, "-pthread").CombinedOutput(); err != nil {
		t.Skipf("needs a C compiler that works: %s", out)
	}
	for _, f := range []Features{0, Variants - 1} {
		if got := (victim{Filter: filtered(f), Exec: []string{program}}).status(t); got != 0 {
			t.Errorf("%q: exit status %d", f, got.ExitStatus())
		}
	}
}
