package main_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"sandbox/internal/e2e"
	"sandbox/internal/testenv"
)

// The tests called TestMachine… need one: an ordinary user who has logged in,
// systemd with her manager, control groups of version 2 alone. `make test-vm`
// starts such a machine; nowhere else are these facts certain, and there a
// missing one is a failure.

// machine is a home within the session that the user has logged in to.
func machine(t testing.TB) *e2e.Home {
	t.Helper()
	if os.Getenv("SANDBOX_TEST_MACHINE") == "" {
		testenv.Skip(t, "needs the virtual machine of `make test-vm`")
	}
	h := e2e.NewHome(t)
	h.Runtime = fmt.Sprintf("/run/user/%d", os.Geteuid())
	h.Env = append(h.Env, "XDG_RUNTIME_DIR="+h.Runtime, "DBUS_SESSION_BUS_ADDRESS=unix:path="+h.Runtime+"/bus")
	return h
}

// A start is how a command comes to run in the session.
type start struct {
	name string
	wrap []string
	mode string // who then holds limits
}

const (
	byScope     = "scope"
	byDelegated = "delegated group"
	byEither    = "either" // systemd marks what its users' managers delegate since version 253
)

var starts = []start{
	{"login", nil, byScope},
	{"user service", append([]string{"systemd-run", "--user"}, waiting...), byScope},
	{"delegated user service", append([]string{"systemd-run", "--user", "--property=Delegate=yes"}, waiting...), byEither},
	{"delegated system service", append([]string{"sudo", "-n", "systemd-run", "--property=Delegate=yes",
		"--uid=" + strconv.Itoa(os.Geteuid()), "--gid=" + strconv.Itoa(os.Getegid())}, waiting...), byDelegated},
}

var waiting = []string{"--quiet", "--wait", "--pipe", "--collect"}

// eachStart runs a test for every start.
func eachStart(t *testing.T, test func(t *testing.T, h *e2e.Home, s start)) {
	t.Helper()
	for _, s := range starts {
		t.Run(s.name, func(t *testing.T) { test(t, machine(t), s) })
	}
}

// line is the whole command line of `sandbox ARGS…` with this start.
func (s start) line(t testing.TB, h *e2e.Home, args ...string) []string {
	line := append([]string{}, s.wrap...)
	if s.wrap != nil {
		line = append(line, "--working-directory="+h.Dir)
		for _, v := range h.Env {
			line = append(line, "--setenv="+v)
		}
	}
	return append(append(line, e2e.Program(t, "sandbox")), args...)
}

// begin starts `sandbox ARGS…` in the background.
func (s start) begin(t testing.TB, h *e2e.Home, args ...string) *e2e.Process {
	t.Helper()
	line := s.line(t, h, args...)
	program, err := exec.LookPath(line[0])
	if err != nil {
		t.Fatal(err)
	}
	return h.Begin(e2e.Cmd{Program: program, Args: line[1:], Timeout: 2 * time.Minute})
}

// probe runs operations of the probe, with flags of `run` before them.
func (s start) probe(t testing.TB, h *e2e.Home, flags []string, ops ...string) e2e.Result {
	t.Helper()
	return s.begin(t, h, append(append(append([]string{"run"}, flags...), e2e.ProbeBundle(t)), ops...)...).Wait()
}

// group is the directory of a process's control group.
func group(t testing.TB, pid int) string {
	t.Helper()
	text := e2e.Read("/proc/" + strconv.Itoa(pid) + "/cgroup")
	path, ok := strings.CutPrefix(strings.TrimSpace(text), "0::/")
	if !ok {
		t.Fatalf("process %d is in %q, which is not version 2 alone", pid, text)
	}
	return filepath.Join("/sys/fs/cgroup", path)
}

// control is the content of one file of a control group.
func control(group, file string) string {
	return strings.TrimSpace(e2e.Read(filepath.Join(group, file)))
}

// units are those of the session's manager that belong to instances.
func units(t testing.TB) []string {
	t.Helper()
	out, err := exec.Command("systemctl", "--user", "--all", "--plain", "--no-legend", "list-units", "sandbox-*").Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.Fields(string(out))
}
