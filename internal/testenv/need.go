package testenv

import (
	"fmt"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"testing"
)

// Skip ends the test and records what was missing.
func Skip(t testing.TB, format string, args ...any) {
	t.Helper()
	reason := fmt.Sprintf(format, args...)
	record(t, reason)
	t.Skip(reason)
}

// Partly records what a test leaves out that goes on without it.
func Partly(t testing.TB, format string, args ...any) {
	t.Helper()
	reason := "in part: " + fmt.Sprintf(format, args...)
	record(t, reason)
	t.Log(reason)
}

func record(t testing.TB, reason string) {
	path := os.Getenv("SANDBOX_TEST_SKIPS")
	if path == "" {
		return
	}
	if f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY|os.O_CREATE, 0o666); err == nil {
		fmt.Fprintf(f, "%s: %s\n", t.Name(), reason)
		f.Close()
	}
}

// NeedRoot skips unless the test runs as root.
func NeedRoot(t testing.TB) {
	t.Helper()
	if os.Geteuid() != 0 {
		Skip(t, "needs root")
	}
}

// NeedUser skips when the test runs as root.
func NeedUser(t testing.TB) {
	t.Helper()
	if os.Geteuid() == 0 {
		Skip(t, "needs an ordinary user")
	}
}

// NeedCommand returns the path of the program and skips when there is none.
func NeedCommand(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		Skip(t, "needs the program %q", name)
	}
	return path
}

// NeedUserNS skips unless this user may make the namespaces of a launch.
func NeedUserNS(t testing.TB) {
	t.Helper()
	if err := userNS(); err != nil {
		Skip(t, "needs user namespaces: %v", err)
	}
}

var userNS = sync.OnceValue(func() error {
	// With a process that never starts anything: the clone itself is the question.
	self, err := os.Executable()
	if err != nil {
		return err
	}
	c := exec.Command(self, "-test.run=^$", "-test.list=^$")
	c.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS | syscall.CLONE_NEWPID |
			syscall.CLONE_NEWNET | syscall.CLONE_NEWIPC | syscall.CLONE_NEWUTS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: os.Geteuid(), HostID: os.Geteuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: os.Getegid(), HostID: os.Getegid(), Size: 1}},
	}
	if err := c.Start(); err != nil {
		return err
	}
	c.Process.Kill()
	c.Wait()
	return nil
})
