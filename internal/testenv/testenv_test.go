package testenv

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestSubprocessIsAnotherProcess(t *testing.T) {
	dir := t.TempDir()
	os.Chmod(dir, 0o777)
	t.Setenv("TESTENV_DIR", cmpOr(os.Getenv("TESTENV_DIR"), dir))
	outside := os.Getpid()
	Subprocess(t, func(t *testing.T) {
		if os.Getppid() == outside {
			t.Error("the body runs outside")
		}
		file := filepath.Join(os.Getenv("TESTENV_DIR"), "ran")
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	})
	if _, err := os.Stat(filepath.Join(dir, "ran")); err != nil {
		t.Errorf("the body did not run: %v", err)
	}
}

func cmpOr(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

func TestSubprocessTakesAnotherUser(t *testing.T) {
	NeedRoot(t)
	Subprocess(t, func(t *testing.T) {
		if os.Geteuid() != 65534 {
			t.Errorf("euid = %d", os.Geteuid())
		}
	}, func(c *exec.Cmd) {
		c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		c.Dir = "/"
		c.Env = append(c.Env, "TMPDIR=/tmp")
	})
}

func TestSkipIsRecorded(t *testing.T) {
	list := filepath.Join(t.TempDir(), "skips")
	t.Setenv("SANDBOX_TEST_SKIPS", list)
	t.Run("inner", func(t *testing.T) { NeedCommand(t, "no-such-program-here") })
	goesOn := false
	t.Run("half", func(t *testing.T) { Partly(t, "needs %s", "more"); goesOn = true })
	if !goesOn {
		t.Error("what leaves out a part ends there")
	}
	got, _ := os.ReadFile(list)
	if want := "TestSkipIsRecorded/inner: needs the program \"no-such-program-here\"\nTestSkipIsRecorded/half: in part: needs more\n"; string(got) != want {
		t.Errorf("recorded %q, want %q", got, want)
	}
}

func TestTempXDG(t *testing.T) {
	home := TempXDG(t)
	for _, name := range []string{"HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR"} {
		st, err := os.Stat(os.Getenv(name))
		if err != nil || st.Mode().Perm() != 0o700 {
			t.Errorf("%s=%q: %v", name, os.Getenv(name), err)
		}
	}
	if !strings.HasPrefix(os.Getenv("XDG_CONFIG_HOME"), home) {
		t.Errorf("the configuration is not below %q", home)
	}
}

func TestNeedBusAnswers(t *testing.T) {
	path, ok := strings.CutPrefix(NeedBus(t), "unix:path=")
	if !ok {
		t.Fatalf("address %q", path)
	}
	path, _, _ = strings.Cut(path, ",")
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
}

func TestNeedUserNS(t *testing.T) {
	NeedUserNS(t)
}
