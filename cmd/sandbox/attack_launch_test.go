package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sandbox/internal/e2e"
	"sandbox/internal/testenv"
)

// bubblewrap started by root leaves /proc/sys writable inside, so that
// core_pattern runs a program as host root. Our apps of root's are no root, and
// the cover is there for everybody.
func TestL01KernelSettingsCannotBeWritten(t *testing.T) {
	h, b := attack(t)
	files := []string{"/proc/sys/kernel/core_pattern", "/proc/sys/kernel/hostname", "/proc/sys/vm/overcommit_memory",
		"/proc/sys/user/max_user_namespaces", "/proc/sys/net/ipv4/ip_forward", "/proc/sys/fs/binfmt_misc/register"}
	var ops []string
	for _, f := range files {
		ops = append(ops, "open "+f+" w", "open "+f+" rw", "chmod "+f+" 0666")
	}
	ops = append(ops, "write /proc/sysrq-trigger b", "read /proc/self/mountinfo", "mount /tmp /proc/sys", "umount /proc/sys")
	a := h.Inside(b, nil, ops...)
	for _, op := range ops[:len(files)*3] {
		a.Is(op, "EROFS", "EACCES", "ENOENT")
	}
	a.Is("mount /tmp /proc/sys", "EPERM")
	a.Is("umount /proc/sys", "EPERM")
	if !strings.Contains(a.Of("read /proc/self/mountinfo"), "/sys /proc/sys ro,") {
		t.Errorf("no read-only mount on /proc/sys: %s", a.Of("read /proc/self/mountinfo"))
	}
	if os.Getuid() == 0 {
		h.Outside(ops[1]).Is(ops[1], "ok")
	}
}

// Root's app has no id of root's, whatever the file's group or the caller's
// further groups allow.
func TestL01RootsAppsAreNotRoot(t *testing.T) {
	testenv.NeedRoot(t)
	h, b := attack(t)
	b2 := e2e.ProbeBundle(t)
	host := func(bundle string) string {
		p := h.Start("run", "--grant", "network:host", bundle, "say up", "hold")
		p.Expect("up", 10*time.Second)
		defer func() { p.Process.Signal(syscall.SIGTERM); p.Wait() }()
		return hostIDs(t, bundle)
	}
	one, two := host(b), host(b2)
	for _, ids := range []string{one, two} {
		if strings.Contains(ids, "\t0\t") || !strings.Contains(ids, "Groups:\t ") {
			t.Errorf("the kernel sees %q", ids)
		}
	}
	if one == two {
		t.Errorf("two apps of root's share an id: %q", one)
	}
}

// hostIDs reads the ids of an app as the host sees them.
func hostIDs(t *testing.T, bundle string) string {
	t.Helper()
	names, _ := os.ReadDir("/proc")
	for _, n := range names {
		if !strings.Contains(e2e.Read("/proc/"+n.Name()+"/environ"), "SANDBOX_ID="+e2e.ID(t, bundle)) {
			continue
		}
		var out string
		for line := range strings.Lines(e2e.Read("/proc/" + n.Name() + "/status")) {
			if strings.HasPrefix(line, "Uid:") || strings.HasPrefix(line, "Gid:") || strings.HasPrefix(line, "Groups:") {
				out += line
			}
		}
		return out
	}
	t.Fatal("no process of the app is to be seen")
	return ""
}

func TestL02NoFurtherUserNamespace(t *testing.T) {
	h, b := attack(t)
	const unshare, clone, clone3 = "sys 272 0x10000000", "sys 56 0x10000011 0 0 0 0", "sys 435 1 88"
	a := h.Inside(b, nil, unshare, clone, clone3, "read /proc/sys/user/max_user_namespaces", "read /proc/sys/user/max_net_namespaces")
	a.Is(unshare, "EPERM")
	a.Is(clone, "EPERM")
	a.Is(clone3, "ENOSYS")
	// The second wall: without the filter the user namespace's own limit refuses.
	a.Is("read /proc/sys/user/max_user_namespaces", "ok 0|")
	a.Is("read /proc/sys/user/max_net_namespaces", "ok 0|")
	out := h.Outside("apart "+unshare, clone3)
	out.Lacks("apart "+unshare, "EPERM")
	out.Is(clone3, "EFAULT", "EINVAL")
}

// What tells the app who it is may be changed by nobody inside, and nothing
// outside believes it.
func TestL02IdentityCannotBeReplaced(t *testing.T) {
	h, b := attack(t)
	a := h.Inside(b, nil, "read /.sandbox-info", "open /.sandbox-info w", "unlink /.sandbox-info", "rename /.sandbox-info /tmp/x",
		"mount /etc/passwd /.sandbox-info", "write /tmp/x x", "rename /tmp/x /.sandbox-info", "mkdir /new", "chmod /.sandbox-info 0666")
	a.Has("read /.sandbox-info", e2e.ID(t, b))
	a.Is("open /.sandbox-info w", "EACCES", "EROFS")
	a.Is("unlink /.sandbox-info", "EROFS")
	a.Is("rename /.sandbox-info /tmp/x", "EROFS", "EXDEV")
	a.Is("mount /etc/passwd /.sandbox-info", "EPERM")
	a.Is("rename /tmp/x /.sandbox-info", "EROFS", "EXDEV")
	a.Is("mkdir /new", "EROFS")
	a.Is("chmod /.sandbox-info 0666", "EROFS")
}

// Every mask is the null device or empty, and read-only.
func TestL05MasksHideWhatTheyCover(t *testing.T) {
	h, b := attack(t)
	var ops []string
	for _, f := range []string{"kcore", "keys", "key-users", "kmsg", "timer_list", "sched_debug", "latency_stats", "timer_stats",
		"interrupts", "kallsyms", "config.gz", "cmdline", "iomem", "slabinfo", "modules", "sysrq-trigger"} {
		ops = append(ops, "read /proc/"+f)
	}
	masked := len(ops)
	for _, d := range []string{"acpi", "asound", "scsi"} {
		ops = append(ops, "ls /proc/"+d)
	}
	ops = append(ops, "stat /proc/keys", "ls /sys/firmware", "ls /sys/fs/cgroup", "mkdir /proc/acpi/x")
	a := h.Inside(b, nil, ops...)
	for i, op := range ops[:masked+3] {
		if got := a.Of(op); got != "ok" && got != "ENOENT" && !(i < masked && got == "EACCES") {
			t.Errorf("%s: got %.80s", op, got)
		}
	}
	a.Has("stat /proc/keys", "rdev=1:3")
	a.Is("ls /sys/firmware", "ENOENT")
	a.Is("ls /sys/fs/cgroup", "ENOENT")
	a.Is("mkdir /proc/acpi/x", "EROFS", "EACCES", "ENOENT")
	h.Outside("read /proc/cmdline").Has("read /proc/cmdline", "ok ")
}

// A bundle or runtime whose dev, proc, etc … are links to a place of the host:
// nothing is made there, nothing of it is shown.
func TestL07LinksInABundleLeadNowhere(t *testing.T) {
	h, _ := attack(t)
	canary := e2e.NewCanary(t)
	manifest := "id = \"org.example.Links\"\nname = \"x\"\nversion = \"1\"\ncommand = \"probe\"\n"
	to := "->" + canary.Dir
	tests := map[string]map[string]string{
		"system directories in files": {"files/dev": to, "files/proc": to, "files/sys": to, "files/tmp": to, "files/run": to, "files/etc": to},
		"system directories in usr":   {"usr/dev": to, "usr/proc": to, "usr/lib": to, "usr/bin": to, "usr/lib64": to, "usr/share": to},
		"usr/etc":                     {"usr/etc": to},
		"the whole of usr":            {"usr": to},
	}
	for name, files := range tests {
		t.Run(name, func(t *testing.T) {
			files["files/bin/probe"] = e2e.Probe(t)
			b := e2e.Bundle(t, manifest, files)
			var ops []string
			for _, dir := range []string{"/dev", "/proc", "/sys", "/tmp", "/run", "/etc", "/app/dev", "/app/proc", "/app/tmp", "/app/etc",
				"/usr", "/usr/etc", "/usr/lib", "/lib", "/usr/share"} {
				ops = append(ops, "ls "+dir, "write "+dir+"/planted x", "read "+dir+"/secret")
			}
			r := h.Run(append([]string{"run", b}, ops...)...)
			if strings.Contains(r.Stdout, canary.Secret) || strings.Contains(r.Stdout, " secret sub") {
				t.Errorf("the host's directory shows inside:\n%s", r.Stdout)
			}
			canary.Check()
		})
	}
	t.Run("files itself", func(t *testing.T) {
		b := e2e.Bundle(t, manifest, map[string]string{"files": to})
		if r := h.Run("run", "--command", "/app/secret", b); r.Code != 126 && r.Code != 127 && r.Code != 125 {
			t.Errorf("got %+v", r)
		}
	})
	t.Run("the manifest", func(t *testing.T) {
		b := e2e.Bundle(t, manifest, nil)
		os.Rename(filepath.Join(b, "sandbox.toml"), filepath.Join(b, "other.toml"))
		os.Symlink("other.toml", filepath.Join(b, "sandbox.toml"))
		if r := h.Run("run", b); r.Code != 125 || !strings.Contains(r.Stderr, "sandbox: error: ") {
			t.Errorf("got %+v", r)
		}
	})
}

func TestL08PlacesOfTheSystemCannotBeGranted(t *testing.T) {
	h, b := attack(t)
	link := filepath.Join(h.Dir, "innocent")
	if err := os.Symlink("/proc", link); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{"/", "/proc", "/proc/1", "/proc/self/root", "/sys", "/dev", "/dev/shm", "/run", "/etc", "/usr", "/app",
		"/proc/../proc", "~/../../proc", link, link + "/self/root", "/var/run", "//proc", "/./proc", "/lib64", "/bin", "/boot"} {
		for _, access := range []string{"read", "write", "create"} {
			r := h.Run("run", "--grant", "files:"+p+":"+access, b, "say ran")
			if r.Code == 0 || strings.Contains(r.Stdout, "ran") {
				t.Errorf("files:%s:%s was granted: %+v", p, access, r)
			}
		}
	}
	h.Mkdir("fine")
	h.Inside(b, []string{"--grant", "files:~/fine:write"}, "write "+h.Dir+"/fine/x x").Is("write "+h.Dir+"/fine/x x", "ok")
}

func TestL11WorkingDirectoryIsNotADescriptor(t *testing.T) {
	h, b := attack(t)
	canary := e2e.NewCanary(t)
	dir, err := os.Open(canary.Dir)
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	for _, cwd := range []string{"/proc/self/fd/3", "/proc/self/fd/9", "/proc/1/root", "/dev/fd/3", "fd/3", "..", "/proc/self/cwd", "/run/../proc/self/fd/3", ""} {
		if cwd == "" {
			continue
		}
		r := h.Do(e2e.Cmd{Args: []string{"run", "--cwd", cwd, b, "getcwd", "climb", "ls ."}, Files: []*os.File{dir}})
		if r.Code == 0 {
			t.Errorf("started in %s: %s", cwd, r.Stdout)
		}
	}
	// The app's own home may hold a link to a descriptor of whoever starts it next.
	h.Run("run", b, "say home is made")
	for n := 3; n < 12; n++ {
		link := filepath.Join(h.State(b), "home", format("cwd%d", n))
		if err := os.Symlink(format("/proc/self/fd/%d", n), link); err != nil {
			t.Fatal(err)
		}
		r := h.Do(e2e.Cmd{Args: []string{"run", "--cwd", h.Dir + format("/cwd%d", n), b, "getcwd", "climb", "ls ."}, Files: []*os.File{dir, dir, dir}})
		if strings.Contains(r.Stdout, "outside") || strings.Contains(r.Stdout, "secret") {
			t.Errorf("started outside by fd %d: %s", n, r.Stdout)
		}
	}
	a := h.Inside(b, nil, "getcwd", "climb", "fds")
	a.Is("getcwd", "ok "+h.Dir)
	a.Is("climb", "ok root")
	a.Is("fds", "ok 0 1 2")
}

// A directory that is removed while it is the caller's working directory, and
// one that only root may enter, do not stop the launch, nor lead outside.
func TestL11VanishedWorkingDirectory(t *testing.T) {
	h, b := attack(t)
	dir := h.Mkdir("gone")
	shell := `cd "$1" && rmdir "$1" && exec "$2" run "$3" getcwd climb`
	r := h.Do(e2e.Cmd{Program: "/bin/sh", Args: []string{"-c", shell, "sh", dir, e2e.Program(t, "sandbox"), b}})
	h.Answers(r).Is("climb", "ok root")
}

// Parents of mount points are made where nothing can be swapped in.
func TestL13SwappedParentsMakeNothingOutside(t *testing.T) {
	h, b := attack(t)
	canary := e2e.NewCanary(t)
	h.Mkdir("granted/deep/place")
	h.Mkdir("work")
	work := filepath.Join(h.Dir, "work")
	os.Mkdir(work+"/a", 0o755)
	if err := os.Symlink(canary.Dir, work+"/b"); err != nil {
		t.Fatal(err)
	}
	h.Run("run", b, "say home is made")
	home := filepath.Join(h.State(b), "home")
	parent := filepath.Join(home, "granted")
	os.MkdirAll(parent, 0o755)
	if err := os.Symlink(canary.Dir, filepath.Join(home, "evil")); err != nil {
		t.Fatal(err)
	}
	stop := swapping(parent, filepath.Join(home, "evil"))
	stop2 := swapping(work+"/a", work+"/b")
	defer stop()
	defer stop2()
	for range races(8) {
		h.Run("run", "--grant", "files:~/granted/deep/place:write", b, "write "+h.Dir+"/granted/deep/place/x x")
		h.Run("run", "--grant", "files:~/work:write", "--grant", "files:~/work/a/new:create", b, "write "+h.Dir+"/work/a/new/x x")
		h.Run("run", "--grant", "files:~/work:write", "--deny", "files:~/work/a/denied", b, "say ok")
	}
}

// races is how often a race is run: more often when asked to.
func races(n int) int {
	if os.Getenv("ATTACK_RACES") != "" {
		return 50 * n
	}
	return n
}

// swapping exchanges two names without end.
func swapping(a, b string) (stop func()) {
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-quit:
				return
			default:
				unix.Renameat2(unix.AT_FDCWD, a, unix.AT_FDCWD, b, unix.RENAME_EXCHANGE)
				time.Sleep(50 * time.Microsecond)
			}
		}
	}()
	return func() { close(quit); <-done }
}

func TestL14NoSetuidAnywhere(t *testing.T) {
	h, b := attack(t)
	bin := e2e.Program(t, "sandbox")
	info, err := os.Stat(bin)
	if err != nil || info.Mode()&(os.ModeSetuid|os.ModeSetgid) != 0 {
		t.Errorf("%v %v", info.Mode(), err)
	}
	if n, err := unix.Lgetxattr(bin, "security.capability", nil); err == nil {
		t.Errorf("the program has %d bytes of capabilities", n)
	}
	testenv.NeedRoot(t)
	// Started as if it were setuid root, by another user, it must not start at all.
	if out, _ := asSetuid(t, h, e2e.Probe(t), "status self Uid"); strings.Contains(out, "Uid=65534,65534") {
		testenv.Skip(t, "needs a place and a session where setuid programs work")
	}
	out, err := asSetuid(t, h, bin, "run", b, "say ran")
	if err == nil || strings.Contains(out, "ran") || !strings.Contains(out, "setuid") {
		t.Errorf("a setuid copy started, or did not say why not: %s", out)
	}
}

// asSetuid runs a setuid root copy of a program as somebody else.
func asSetuid(t *testing.T, h *e2e.Home, program string, args ...string) (string, error) {
	t.Helper()
	suid := filepath.Join(h.Root, "suid-"+filepath.Base(program))
	if err := os.WriteFile(suid, []byte(e2e.Read(program)), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(suid, 0o4755); err != nil {
		t.Fatal(err)
	}
	c := exec.Command(suid, args...)
	c.Env = []string{"HOME=/nonexistent", "XDG_RUNTIME_DIR=/nonexistent"}
	c.Dir = "/"
	c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	out, err := c.CombinedOutput()
	return string(out), err
}

func TestL16NoCapabilityAnywhere(t *testing.T) {
	h, b := attack(t)
	const ask = "tasks CapInh CapPrm CapEff CapBnd CapAmb NoNewPrivs Seccomp Seccomp_filters"
	const none = "0000000000000000"
	want := "ok CapInh=" + none + " CapPrm=" + none + " CapEff=" + none + " CapBnd=" + none + " CapAmb=" + none +
		" NoNewPrivs=1 Seccomp=2 Seccomp_filters=1"
	h.Inside(b, nil, ask).Is(ask, want)
	p := h.Start("run", "--name", "caps", b, "say up", "hold")
	p.Expect("up", 10*time.Second)
	h.Answers(h.Run("enter", "caps", "/app/bin/probe", ask)).Is(ask, want)
	if r := h.Run("kill", "caps"); r.Code != 0 {
		t.Errorf("kill: %+v", r)
	}
	p.Wait()
	if os.Getuid() == 0 {
		h.Outside("status self CapEff").Lacks("status self CapEff", none)
	}
}

// Capabilities that the caller hands down end in the launch.
func TestL16AmbientCapabilitiesOfTheCaller(t *testing.T) {
	testenv.NeedRoot(t)
	testenv.NeedCommand(t, "setpriv")
	h, b := attack(t)
	const ask = "status self CapInh CapPrm CapEff CapBnd CapAmb"
	r := h.Do(e2e.Cmd{Program: "setpriv", Args: []string{"--inh-caps=+chown,+kill", "--ambient-caps=+chown,+kill", e2e.Program(t, "sandbox"), "run", b, ask}})
	h.Answers(r).Lacks(ask, "=00000000000000ff")
	if got := h.Answers(r).Of(ask); strings.Trim(got, "ok CapInhPrmEffBndAmb=0") != "" {
		t.Errorf("got %s", got)
	}
}

func TestL17GroupsOfTheCallerAreNotKept(t *testing.T) {
	h, b := attack(t)
	a := h.Inside(b, nil, "read /proc/self/setgroups", "groups", "sys 116 0 0")
	a.Is("read /proc/self/setgroups", "ok deny|")
	a.Is("sys 116 0 0", "EPERM")
	for g := range strings.FieldsSeq(strings.TrimPrefix(a.Of("groups"), "ok")) {
		if g != format("%d", os.Getgid()) && g != "65534" {
			t.Errorf("group %s", g)
		}
	}
	if os.Getuid() != 0 {
		return
	}
	// Root's own groups would still be groups of the host's to the kernel.
	testenv.NeedCommand(t, "setpriv")
	dir := h.Mkdir("shared")
	os.WriteFile(dir+"/for-group", []byte("group-secret"), 0o640)
	os.Lchown(dir+"/for-group", 12345, 4242)
	for _, groups := range []string{"0,4242", "4242"} {
		r := h.Do(e2e.Cmd{Program: "setpriv", Args: []string{"--groups", groups, e2e.Program(t, "sandbox"), "run",
			"--grant", "files:~/shared:read", b, "groups", "status self Groups", "read " + dir + "/for-group", "read /dev/../etc/hostname"}})
		h.Answers(r).Is("groups", "ok")
		h.Answers(r).Is("read "+dir+"/for-group", "EACCES")
	}
}

// A line break in what becomes a generated file is a line of someone else's.
func TestL19GeneratedFilesCannotBeInjected(t *testing.T) {
	h, b := attack(t)
	for _, env := range []string{"HOME=" + h.Dir + "\nroot2::0:0::/:/bin/sh", "HOME=/h:x:0:0", "USER=x:0:0\nroot2::0:0::/:", "LOGNAME=\n",
		"USER=../../etc", "HOME=relative", "HOME=" + h.Dir + "\x01", "TZ=:/etc/shadow\n", "TERM=\x1b]0;x\a", "LANG=\nx"} {
		ops := []string{"read /etc/passwd", "read /etc/group", "env USER", "env TERM", "env LANG"}
		r := h.Do(e2e.Cmd{Args: append([]string{"run", b}, ops...), Env: []string{env}})
		if r.Code == 125 && strings.Contains(r.Stderr, "sandbox: error: ") {
			continue
		}
		a := h.Answers(r)
		if n := strings.Count(a.Of("read /etc/passwd"), "|"); n != 2 {
			t.Errorf("%q: %d lines in passwd: %s", env, n, a.Of("read /etc/passwd"))
		}
		for _, op := range ops {
			a.Lacks(op, "root2")
			a.Lacks(op, "\x1b")
		}
	}
}

// enter and the others believe no file that the app could have made, and no
// entry that no supervisor stands behind.
func TestL20ForgedRegistryFiles(t *testing.T) {
	h, b := attack(t)
	p := h.Start("run", "--name", "real", b, "say up", "hold")
	p.Expect("up", 10*time.Second)
	victim := exec.Command("sleep", "60")
	if err := victim.Start(); err != nil {
		t.Fatal(err)
	}
	defer victim.Process.Kill()
	dir := filepath.Join(h.Runtime, "sandbox/instances")
	for _, pid := range []string{"0", "1", "-1", "2147483647", "4194305", `"1"`, "1e9", format("%d", victim.Process.Pid)} {
		for name, locked := range map[string]bool{"forged": false, "locked": true} {
			file := filepath.Join(dir, name+".json")
			text := format(`{"instance":%q,"app":"org.example.Forged","pid":%s,"supervisor":1,"group":{"dirs":["/sys/fs/cgroup"]}}`, name, pid)
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			if locked && pid == format("%d", victim.Process.Pid) {
				continue // a lock by the user's own process is the user's word
			}
			f, err := os.Open(file)
			if err != nil {
				t.Fatal(err)
			}
			if locked {
				unix.Flock(int(f.Fd()), unix.LOCK_EX)
			}
			for _, verb := range [][]string{{"kill", name}, {"stop", "-t", "0", name}, {"enter", name, "/app/bin/probe"}, {"pause", name}, {"kill", "-s", "TERM", name}} {
				os.WriteFile(file, []byte(text), 0o600)
				if r := h.Run(verb...); r.Code == 0 {
					t.Errorf("%v with pid %s: %+v", verb, pid, r)
				}
			}
			f.Close()
			os.Remove(file)
		}
	}
	if unix.Kill(victim.Process.Pid, 0) != nil {
		t.Error("the other process was signalled")
	}
	// A link, a FIFO and a socket in the place of a file.
	os.Symlink(filepath.Join(dir, "real.json"), filepath.Join(dir, "link.json"))
	unix.Mkfifo(filepath.Join(dir, "fifo.json"), 0o600)
	for _, name := range []string{"link", "fifo", "../instances/real", "", ".", "real.json", "real\x00"} {
		if strings.Contains(name, "\x00") {
			continue
		}
		if r := h.Do(e2e.Cmd{Args: []string{"kill", name}, Timeout: 5 * time.Second}); r.Code == 0 {
			t.Errorf("kill %q: %+v", name, r)
		}
	}
	if r := h.Run("ps"); strings.Count(r.Stdout, "real") == 0 || strings.Contains(r.Stdout, "Forged") {
		t.Errorf("ps: %+v", r)
	}
	os.Remove(filepath.Join(dir, "link.json"))
	os.Remove(filepath.Join(dir, "fifo.json"))
	if r := h.Run("kill", "real"); r.Code != 0 {
		t.Errorf("the real one cannot be killed: %+v", r)
	}
	p.Wait()
}

// What enters has the same walls as the app.
func TestL20EnteredCommandsAreConfined(t *testing.T) {
	h, b := attack(t)
	h.Write("secret", "outside")
	ops := []string{"status self CapEff NoNewPrivs Seccomp Seccomp_filters", "sys 272 0x10000000", "sys 101 0 0 0 0", "read " + h.Dir + "/secret",
		"open /proc/1/mem r", "readlink /proc/1/exe", "fds", "groups", "status self Uid Gid", "read /proc/self/uid_map", "climb", "hostname",
		"read /proc/self/cgroup", "socket 38 5 0", "env GITHUB_TOKEN", "open /proc/sys/kernel/core_pattern w", "read /proc/self/setgroups"}
	app := h.Inside(b, []string{"--name", "one"}, ops...)
	p := h.Start("run", "--name", "two", b, "say up", "hold")
	p.Expect("up", 10*time.Second)
	f, err := os.Open(h.Dir)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r := h.Do(e2e.Cmd{Args: append([]string{"enter", "two", "/app/bin/probe"}, ops...), Env: []string{"GITHUB_TOKEN=x"}, Files: []*os.File{f, f}})
	entered := h.Answers(r)
	for _, op := range ops {
		if app.Of(op) != entered.Of(op) {
			t.Errorf("%s: the app gets %s, what enters %s", op, app.Of(op), entered.Of(op))
		}
	}
	ns := h.Answers(h.Run("enter", "two", "/app/bin/probe", "pids"))
	ns.Has("pids", "1:sandbox-init")
	ns.Lacks("pids", "sandbox-enter")
	h.Run("kill", "two")
	p.Wait()
}

// Helpers of ours carry none of the variables that change what a program does.
func TestL23VariablesOfTheAppStayInside(t *testing.T) {
	canary := e2e.NewCanary(t)
	h, b := attack(t, `env = { LD_PRELOAD = "`+canary.Dir+`/evil.so", LD_AUDIT = "/evil", GODEBUG = "x", GOTRACEBACK = "crash", PATH = "/evil", GCONV_PATH = "/evil" }`)
	p := h.Start("run", "--env", "SECRET=in-the-environment", "--name", "env", b, "env LD_PRELOAD", "env SECRET", "say up", "hold")
	p.Expect("up", 10*time.Second)
	for _, pid := range []string{format("%d", p.Process.Pid)} {
		for _, name := range []string{"LD_PRELOAD", "LD_AUDIT", "GODEBUG", "GOTRACEBACK", "GCONV_PATH", "/evil"} {
			if strings.Contains(e2e.Read("/proc/"+pid+"/environ"), name) {
				t.Errorf("the supervisor has %s", name)
			}
		}
	}
	in := h.Answers(h.Run("enter", "env", "/app/bin/probe", "read /proc/1/environ", "read /proc/1/cmdline", "read /proc/1/maps"))
	in.Is("read /proc/1/environ", "EACCES", "EPERM")
	in.Is("read /proc/1/maps", "EACCES", "EPERM")
	in.Lacks("read /proc/1/cmdline", "SECRET")
	in.Lacks("read /proc/1/cmdline", h.Root)
	h.Run("kill", "env")
	p.Wait()
}

// Inside a sandbox there is no second one: it says so and starts nothing.
func TestL26SandboxInSandboxSaysSo(t *testing.T) {
	h, _ := attack(t)
	b := e2e.Bundle(t, "id = \"org.example.Nested\"\nname = \"x\"\nversion = \"1\"\ncommand = \"sandbox\"\n",
		map[string]string{"files/bin/sandbox": e2e.Program(t, "sandbox"), "files/bin/probe": e2e.Probe(t),
			"files/inner/sandbox.toml": "=id = \"org.example.Inner\"\nname = \"x\"\nversion = \"1\"\ncommand = \"probe\"\n", "files/inner/files/bin/probe": e2e.Probe(t)})
	r := h.Run("run", b, "run", "/app/inner", "pids")
	if r.Code != 125 || strings.Contains(r.Stdout, "pids") || !strings.Contains(r.Stderr, "namespaces") || !strings.Contains(r.Stderr, "hint") {
		t.Errorf("got %+v", r)
	}
	h.Inside(b, []string{"--command", "probe"}, "pids").Lacks("pids", "systemd")
	a := h.Inside(b, []string{"--command", "probe"}, "pids")
	if got := strings.Fields(a.Of("pids")); len(got) != 3 { // ok, init, the probe
		t.Errorf("pids: %s", a.Of("pids"))
	}
}

// Every thread of every process is confined alike; the app's program is the
// one whose threads are many.
func TestL28EveryThreadIsConfined(t *testing.T) {
	h, b := attack(t)
	const ask = "tasks NoNewPrivs Seccomp CapEff"
	a := h.Inside(b, nil, "threads", ask)
	a.Is("threads", "ok")
	a.Is(ask, "ok CapEff=0000000000000000 NoNewPrivs=1 Seccomp=2")
}

// A read-only file must not be writable by way of the page cache: the calls
// that did it elsewhere are not there, by whatever way they are asked for.
func TestL31PageCacheTricks(t *testing.T) {
	h, b := attack(t)
	ops := []string{"socket 38 5 0", "socket 0x100000026 5 0", "sys 53 38 5 0 buf", "sys 278 -1 buf 1 0", "sys 425 1 buf", "socket 40 1 0"}
	a := h.Inside(b, nil, ops...)
	a.Is(ops[0], "EAFNOSUPPORT")
	a.Is(ops[1], "EAFNOSUPPORT")
	a.Is(ops[2], "EAFNOSUPPORT")
	a.Is(ops[3], "EPERM")
	a.Is(ops[4], "ENOSYS")
	a.Is(ops[5], "EAFNOSUPPORT")
	out := h.Outside(ops[3])
	out.Is(ops[3], "EBADF")
	a = h.Inside(b, nil, "open /app/bin/probe w", "append /app/bin/probe x", "truncate /app/bin/probe", "chmod /app/bin/probe 0777", "unlink /app/bin/probe", "create /app/new")
	for _, op := range []string{"open /app/bin/probe w", "append /app/bin/probe x", "truncate /app/bin/probe", "chmod /app/bin/probe 0777", "unlink /app/bin/probe", "create /app/new"} {
		a.Is(op, "EROFS", "EACCES", "ETXTBSY")
	}
}

func TestL32EveryNamespaceIsItsOwn(t *testing.T) {
	h, b := attack(t)
	kinds := []string{"user", "mnt", "pid", "net", "ipc", "uts", "cgroup"}
	var ops []string
	for _, k := range kinds {
		ops = append(ops, "readlink /proc/self/ns/"+k)
	}
	ops = append(ops, "hostname", "read /proc/self/cgroup", "interfaces", "echo", "read /etc/machine-id")
	a := h.Inside(b, nil, ops...)
	for _, k := range kinds {
		op := "readlink /proc/self/ns/" + k
		if mine, _ := os.Readlink("/proc/self/ns/" + k); a.Of(op) == "ok "+mine || !strings.HasPrefix(a.Of(op), "ok "+k) {
			t.Errorf("the %s namespace is %s, ours %s", k, a.Of(op), mine)
		}
	}
	a.Is("hostname", "ok sandbox")
	a.Is("echo", "ok")
	a.Has("interfaces", "ok lo(up")
	if strings.Count(a.Of("interfaces"), "(") != 1 {
		t.Errorf("interfaces: %s", a.Of("interfaces"))
	}
	for line := range strings.SplitSeq(strings.TrimPrefix(a.Of("read /proc/self/cgroup"), "ok "), "|") {
		if line != "" && !strings.HasSuffix(line, ":/") {
			t.Errorf("the control group shows: %s", line)
		}
	}
	if id := strings.TrimSpace(e2e.Read("/etc/machine-id")); id != "" {
		a.Lacks("read /etc/machine-id", id)
	}
	// The network is the host's only when granted, all else is never.
	a = h.Inside(b, []string{"--grant", "network:host"}, ops...)
	mine, _ := os.Readlink("/proc/self/ns/net")
	a.Is("readlink /proc/self/ns/net", "ok "+mine)
	a.Is("hostname", "ok sandbox")
}

// The end of an instance removes nothing on the host by name.
func TestL34TeardownDeletesNothingOutside(t *testing.T) {
	h, b := attack(t)
	canary := e2e.NewCanary(t)
	h.Mkdir("granted")
	h.Inside(b, []string{"--grant", "files:~/granted:write"}, "symlink "+canary.Dir+" "+h.Dir+"/granted/link",
		"symlink "+canary.Dir+" "+h.Dir+"/own", "symlink "+canary.Dir+" /tmp/x", "symlink "+canary.File+" "+h.Dir+"/granted/file")
	h.Run("run", "--ephemeral", b, "symlink "+canary.Dir+" "+h.Dir+"/x")
	h.Run("run", "--grant", "files:~/granted:write", b, "say again")
	canary.Check()
}
