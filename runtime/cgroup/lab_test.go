package cgroup

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sandbox/internal/testenv"
)

// A real systemd, run as a user's manager in namespaces of its own: it sees
// one group of ours as the whole unified hierarchy and nothing of the host's.
// The v2 controllers are the host's, so on hybrid hosts it has none to give.

const systemdBinary = "/lib/systemd/systemd"

func TestRealSystemd(t *testing.T) {
	if os.Getenv("LAB") != "" {
		testenv.Skip(t, "inside already")
	}
	if os.Geteuid() != 0 {
		testenv.Skip(t, "needs root to mount a control group file system")
	}
	for _, need := range []string{systemdBinary, "/usr/bin/unshare"} {
		if _, err := os.Stat(need); err != nil {
			testenv.Skip(t, "%v", err)
		}
	}
	h := Probe()
	if !h.V2.Usable {
		testenv.Skip(t, "no unified hierarchy to write: %s", h.V2.Why)
	}
	// The name is not that of an instance: the lab makes groups below it.
	lab, err := makeDir(Dir{Path: h.V2.Base + "/lab-" + uniqueName(t), Unified: true})
	if err != nil {
		testenv.Skip(t, "%v", err)
	}
	defer unix.Close(lab.fd)
	defer removeTree(t, lab)
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "/usr/bin/unshare", "--cgroup", "--mount", "--pid", "--ipc", "--fork", "--kill-child",
		exe, "-test.run=^TestInsideLab$", "-test.v", "-test.count=1")
	cmd.Env = append(os.Environ(), "LAB="+t.TempDir())
	cmd.SysProcAttr = &unix.SysProcAttr{UseCgroupFD: true, CgroupFD: lab.fd, Pdeathsig: unix.SIGKILL}
	out, err := cmd.CombinedOutput()
	switch {
	case strings.Contains(string(out), "cannot build the lab"):
		testenv.Skip(t, "%s", out)
	case err != nil || !strings.Contains(string(out), "--- PASS: TestInsideLab/"):
		t.Errorf("%v\n%s", err, out)
	default:
		t.Logf("%s", out)
	}
}

// removeTree kills what is in the lab and removes its groups, the lowest first.
func removeTree(t *testing.T, lab *dir) {
	writeAt(lab.fd, "cgroup.kill", "1")
	err := wait(context10(t), func() (bool, error) {
		var dirs []string
		filepath.WalkDir(lab.Path, func(p string, e os.DirEntry, err error) error {
			if err == nil && e.IsDir() {
				dirs = append(dirs, p)
			}
			return nil
		})
		for i := len(dirs) - 1; i >= 0; i-- {
			unix.Rmdir(dirs[i])
		}
		_, err := os.Stat(lab.Path)
		return os.IsNotExist(err), nil
	}, "remove the lab")
	if err != nil {
		t.Error(err)
	}
}

// buildLab makes the mounts, starts systemd and returns its socket.
func buildLab(t *testing.T, dir string) string {
	t.Helper()
	must := func(what string, err error) {
		if err != nil {
			t.Fatalf("cannot build the lab: %s: %v", what, err)
		}
	}
	must("private mounts", unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""))
	must("proc", unix.Mount("proc", "/proc", "proc", 0, ""))
	must("cgroup2", unix.Mount("none", cgroupRoot, "cgroup2", 0, ""))
	must("run", unix.Mount("none", "/run", "tmpfs", 0, ""))
	units, runtimeDir := dir+"/units", "/run/user/0"
	for _, d := range []string{units, runtimeDir, "/run/systemd/system"} {
		must("directory", os.MkdirAll(d, 0o700))
	}
	must("unit", os.WriteFile(units+"/default.target", []byte("[Unit]\nDescription=nothing\n"), 0o600))
	// An own group for this test: where processes are, nothing is handed on.
	must("group", os.Mkdir(cgroupRoot+"/test", 0o755))
	must("group", writeAt(unix.AT_FDCWD, cgroupRoot+"/test/cgroup.procs", "0"))
	must("group", os.Mkdir(cgroupRoot+"/manager", 0o755))
	group, err := os.Open(cgroupRoot + "/manager")
	must("group", err)
	cmd := exec.Command(systemdBinary, "--user", "--log-target=console")
	cmd.Env = []string{"XDG_RUNTIME_DIR=" + runtimeDir, "SYSTEMD_UNIT_PATH=" + units + ":" + runtimeDir + "/systemd/transient",
		"SYSTEMD_GENERATOR_PATH=" + units, "SYSTEMD_ENVIRONMENT_GENERATOR_PATH=" + units, // none: some take seconds
		"HOME=" + dir, "PATH=/usr/bin:/bin"}
	cmd.SysProcAttr = &unix.SysProcAttr{UseCgroupFD: true, CgroupFD: int(group.Fd()), Pdeathsig: unix.SIGKILL}
	must("systemd", cmd.Start())
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	socket := runtimeDir + "/systemd/private"
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	must("systemd", wait(ctx, func() (bool, error) {
		// It listens long before it answers.
		m, err := dialManager(ctx, &Unit{Socket: socket})
		if err != nil {
			return false, nil
		}
		defer m.close()
		return m.call(ctx, "Subscribe").Err == nil, nil
	}, "see systemd start"))
	return socket
}

func TestInsideLab(t *testing.T) {
	dir := os.Getenv("LAB")
	if dir == "" {
		testenv.Skip(t, "only for TestRealSystemd")
	}
	socket := buildLab(t, dir)
	h := scopeHost
	h.Systemd = Manager{Usable: true, Socket: socket}
	systemctl := func(args ...string) string {
		cmd := exec.Command("systemctl", append([]string{"--user"}, args...)...)
		cmd.Env = []string{"XDG_RUNTIME_DIR=/run/user/0", "PATH=/usr/bin:/bin"}
		out, _ := cmd.CombinedOutput()
		return strings.TrimSpace(string(out))
	}
	t.Run("the app is in its scope and stays there", func(t *testing.T) {
		p := scopePlan(t, h, Unlimited())
		p.Unit.Properties = append(p.Unit.Properties, Property{"MemoryMax", uint64(1 << 30)}, Property{"MemorySwapMax", uint64(0)},
			Property{"TasksMax", uint64(100)}, Property{"CPUQuotaPerSecUSec", uint64(1_500_000)}, Property{oomPolicy, "kill"},
			Property{"IOReadBandwidthMax", []PathRate{{"/", 1 << 20}}}, Property{"IOWriteBandwidthMax", []PathRate{{"/", 1 << 20}}})
		begin := time.Now()
		g, a := start(t, p, "count")
		t.Logf("started in %v", time.Since(begin))
		show := systemctl("show", p.Unit.Name, "-p", "ActiveState,Delegate,MemoryMax,MemorySwapMax,TasksMax,CPUQuotaPerSecUSec,CollectMode,IOReadBandwidthMax")
		for _, want := range []string{"ActiveState=active", "Delegate=yes", "MemoryMax=1073741824", "MemorySwapMax=0", "TasksMax=100",
			"CPUQuotaPerSecUSec=1.5", "CollectMode=inactive-or-failed", "IOReadBandwidthMax=/ 1048576"} {
			if !strings.Contains(show, want) {
				t.Errorf("%s is missing in\n%s", want, show)
			}
		}
		// CVE-2020-27352: without Delegate=yes this moved the app away.
		systemctl("daemon-reload")
		if err := g.Verify(a.Process.Pid); err != nil {
			t.Errorf("after daemon-reload: %v", err)
		}
		// Another program enters the running instance.
		again, err := Open(g.Ref())
		if err != nil {
			t.Fatal(err)
		}
		defer again.Close()
		second := newApp(t, "sleep")
		second.run(t, again.FD())
		if err := again.Add(second.Process.Pid); err != nil {
			t.Errorf("a second process: %v", err)
		}
		go second.Wait()
		freezeThaw(t, g, a)
		if err := g.Remove(context10(t)); err != nil {
			t.Fatal(err)
		}
		if state := systemctl("is-active", p.Unit.Name); state != "inactive" {
			t.Errorf("the scope is %s after Remove", state)
		}
		if left := systemctl("list-units", "--all", "--no-legend", "sandbox-*"); left != "" {
			t.Errorf("left behind: %s", left)
		}
	})
	t.Run("a delegated unit is found from inside", func(t *testing.T) {
		p := scopePlan(t, h, Unlimited())
		g, err := Create(p)
		if err != nil {
			t.Fatal(err)
		}
		a := newApp(t, "leaf")
		a.run(t, -1)
		if err := g.Add(a.Process.Pid); err != nil {
			t.Fatal(err)
		}
		base := g.dirs[0].Path
		// As newer managers of users do; 252 marks only the system's units.
		if err := unix.Setxattr(base, "user.delegate", []byte("1"), 0); err != nil {
			t.Fatal(err)
		}
		a.open(t)
		a.signal(t)
		if want := base + " v2 " + base + "/sandbox-x\n"; a.out.String() != want {
			t.Errorf("%s, want %s", a.out, want)
		}
		if err := g.Remove(context10(t)); err != nil {
			t.Error(err)
		}
	})
	t.Run("limits change while it runs", func(t *testing.T) {
		g, a := start(t, scopePlan(t, h, Unlimited()), "sleep")
		g.plan.Unit.Controllers = []string{"memory"}
		l := with(func(l *Limits) { l.Memory = 1 << 30 })
		err := g.updateScope(l)
		if show := systemctl("show", g.plan.Unit.Name, "-p", "MemoryMax"); show != "MemoryMax=1073741824" {
			t.Errorf("%s after the update (%v)", show, err)
		}
		go a.Wait()
	})
	t.Run("a scope of the same name is refused", func(t *testing.T) {
		p := scopePlan(t, h, Unlimited())
		_, first := start(t, p, "sleep")
		second, err := Create(p)
		if err != nil {
			t.Fatal(err)
		}
		a := newApp(t, "sleep")
		a.run(t, -1)
		if err := second.Add(a.Process.Pid); err == nil {
			t.Error("two instances share a scope")
		}
		a.Process.Kill()
		a.Wait()
		go first.Wait()
	})
}
