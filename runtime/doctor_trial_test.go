package runtime

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"sandbox/internal/testenv"
)

// examine returns the finding called id for this process.
func examine(t *testing.T, id string) (Facts, Finding) {
	t.Helper()
	host, err := ThisHost()
	if err != nil {
		t.Fatal(err)
	}
	f := Examine(host, "/usr/local/bin/sandbox")
	findings := Diagnose(f)
	checkFindings(t, findings)
	i := slices.IndexFunc(findings, func(v Finding) bool { return v.ID == id })
	if i < 0 {
		t.Fatalf("no finding %q in %+v", id, findings)
	}
	return f, findings[i]
}

func TestExamineThisMachine(t *testing.T) {
	testenv.NeedUserNS(t)
	testenv.TempXDG(t)
	f, v := examine(t, "user-namespaces")
	if v.State != Good {
		t.Errorf("user namespaces work, and were found %+v", v)
	}
	for name, trial := range f.Trials {
		if trial.Ran && trial.Errno == 0 {
			continue
		}
		t.Logf("%s: %v", name, trial)
	}
	if f.Kernel[0] == 0 || f.Release == "" || f.Distro.Name == "" && f.Container == "" {
		t.Errorf("%+v", f)
	}
}

// inNamespace makes a test's process root of namespaces of its own.
func inNamespace(flags uintptr) func(*exec.Cmd) {
	return func(c *exec.Cmd) {
		c.SysProcAttr = &syscall.SysProcAttr{
			Cloneflags:  syscall.CLONE_NEWUSER | flags,
			UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}},
			GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}},
		}
	}
}

func TestExamineWhereNamespacesAreSwitchedOff(t *testing.T) {
	testenv.NeedUserNS(t)
	testenv.Subprocess(t, func(t *testing.T) {
		testenv.TempXDG(t)
		if err := os.WriteFile("/proc/sys/user/max_user_namespaces", []byte("0"), 0); err != nil {
			t.Fatal(err)
		}
		f, v := examine(t, "user-namespaces")
		if v.State != Missing || !strings.Contains(v.Text, "user.max_user_namespaces is 0") {
			t.Errorf("%+v", v)
		}
		if f.Trials[tryMounts].Ran {
			t.Error("mounts are judged without having been tried")
		}
	}, inNamespace(0))
}

func TestExamineInChroot(t *testing.T) {
	testenv.NeedUserNS(t)
	testenv.Subprocess(t, func(t *testing.T) {
		root := t.TempDir()
		for _, dir := range []string{"proc", "tmp", "home"} {
			if err := os.Mkdir(filepath.Join(root, dir), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		if err := unix.Mount("/proc", filepath.Join(root, "proc"), "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
			t.Fatal(err)
		}
		t.Setenv("HOME", "/home")
		t.Setenv("TMPDIR", "/tmp")
		t.Setenv("XDG_RUNTIME_DIR", "")
		back, err := os.Open("/")
		if err != nil {
			t.Fatal(err)
		}
		if err := unix.Chroot(root); err != nil {
			t.Fatal(err)
		}
		defer func() { // for what the test removes at its end
			back.Chdir()
			unix.Chroot(".")
			unix.Unmount(filepath.Join(root, "proc"), unix.MNT_DETACH)
		}()
		if err := os.Chdir("/"); err != nil {
			t.Fatal(err)
		}
		f, v := examine(t, "user-namespaces")
		if !f.Chroot || v.State != Missing || !strings.Contains(v.Text, "chroot") {
			t.Errorf("chroot %v: %+v", f.Chroot, v)
		}
	}, inNamespace(syscall.CLONE_NEWNS))
}

func TestExamineWhereProcIsCovered(t *testing.T) {
	testenv.NeedUserNS(t)
	testenv.Subprocess(t, func(t *testing.T) {
		testenv.TempXDG(t)
		if _, v := examine(t, "mount-proc"); v.State != Good {
			testenv.Skip(t, "needs a /proc without covers: %s", v.Text)
		}
		if err := unix.Mount("none", "/proc/tty", "tmpfs", 0, ""); err != nil {
			t.Fatal(err)
		}
		if _, v := examine(t, "mount-proc"); v.State != Missing || !strings.Contains(v.Text, "covered") {
			t.Errorf("%+v", v)
		}
	}, inNamespace(syscall.CLONE_NEWNS))
}

func TestExamineFindsDirectoriesOfOthers(t *testing.T) {
	testenv.NeedUser(t)
	testenv.TempXDG(t)
	t.Setenv("XDG_DATA_HOME", "/proc/sys")
	if _, v := examine(t, "data-dir"); v.State != Missing {
		t.Errorf("%+v", v)
	}
}

func TestExamineFindsTheBus(t *testing.T) {
	testenv.TempXDG(t)
	if _, v := examine(t, "session-bus"); v.State != Degraded {
		t.Errorf("found without one: %+v", v)
	}
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", testenv.NeedBus(t))
	if _, v := examine(t, "session-bus"); v.State != Good {
		t.Errorf("not found: %+v", v)
	}
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", "unixexec:path=/bin/true")
	if _, v := examine(t, "session-bus"); v.State != Degraded || !strings.Contains(v.Text, "not a socket") {
		t.Errorf("%+v", v)
	}
}
