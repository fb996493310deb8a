package main_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"sandbox/internal/disk"
	"sandbox/internal/e2e"
	"sandbox/internal/testapps"
	"sandbox/internal/testenv"
	"sandbox/repo"
	"sandbox/repo/store"
	"sandbox/repo/store/storetest"
)

// installed is the store of a test's home.
func installedIn(t testing.TB, h *e2e.Home) *store.Store {
	t.Helper()
	return storetest.OpenAt(t, filepath.Join(h.Dir, ".local/share/sandbox/store"))
}

// install deploys a bundle as release n.
func install(t testing.TB, s *store.Store, bundle, channel string, n uint64) store.Record {
	t.Helper()
	l := storetest.Lock(t, s)
	defer l.Unlock()
	return storetest.Deploy(t, s, l, bundle, channel, n)
}

func gc(t testing.TB, s *store.Store) store.Freed {
	t.Helper()
	l := storetest.Lock(t, s)
	defer l.Unlock()
	freed, err := s.GC(l)
	if err != nil {
		t.Fatal(err)
	}
	return freed
}

// named is a static bundle of the probe under an id of the test's choice. What
// follows the id are further lines of the manifest.
func named(t testing.TB, id, version string, more ...string) string {
	t.Helper()
	manifest := fmt.Sprintf("id = %q\nversion = %q\ncommand = \"probe\"\n%s\n", id, version, strings.Join(more, "\n"))
	return e2e.Bundle(t, manifest, map[string]string{"files/bin/probe": e2e.Probe(t), "files/share/version": "=" + version})
}

// A Debian program and its runtime are installed and run by every name.
func TestRunsWhatIsInstalled(t *testing.T) {
	t.Parallel()
	h := e2e.NewHome(t)
	s := installedIn(t, h)
	app, runtime := testapps.Bundle(t, "org.gnu.Bash")
	install(t, s, runtime, "12", 1)
	install(t, s, app, "stable", 1)
	for _, name := range []string{"org.gnu.Bash", "bash", "Bash", "BASH"} {
		wants(t, h.Run("run", name, "-c", "echo $SANDBOX_ID; cat /etc/debian_version >/dev/null && echo here"), 0, "org.gnu.Bash\nhere\n")
	}
	// A bundle's directory finds the installed runtime too.
	wants(t, h.Run("run", app, "-c", "echo directory"), 0, "directory\n")
	if r := h.Run("run", "--dry-run", "bash"); r.Code != 0 || !strings.Contains(r.Stdout, s.Dir()) {
		t.Errorf("--dry-run does not tell of the store: %+v", r)
	}
}

func TestNamesOfWhatIsInstalled(t *testing.T) {
	t.Parallel()
	h := e2e.NewHome(t)
	s := installedIn(t, h)
	install(t, s, named(t, "org.example.Tool", "1"), "stable", 1)
	install(t, s, named(t, "com.example.Tool", "1"), "stable", 1)
	install(t, s, named(t, "org.example.Viewer", "1"), "stable", 1)
	install(t, s, named(t, "org.example.Viewer", "2", `channel = "beta"`), "beta", 1)
	install(t, s, named(t, "org.example.Odd", "1"), "one", 1)
	install(t, s, named(t, "org.example.Odd", "2", `channel = "two"`), "two", 1)
	version := func(line ...string) e2e.Result {
		return h.Run(append(append([]string{"run"}, line...), "read /app/share/version")...)
	}
	wants(t, version("org.example.Tool"), 0, "read /app/share/version = ok 1\n")
	wants(t, version("viewer"), 0, "read /app/share/version = ok 1\n")
	wants(t, version("--channel", "beta", "viewer"), 0, "read /app/share/version = ok 2\n")
	says(t, version("tool"), 125, "more than one app", "com.example.Tool, org.example.Tool")
	says(t, version("odd"), 125, "several channels", "--channel: one, two")
	wants(t, version("--channel", "two", "odd"), 0, "read /app/share/version = ok 2\n")
	says(t, version("--channel", "three", "odd"), 125, "not installed", "")
	says(t, version("--channel", "../x", "odd"), 125, "channel", "")
	says(t, version("--channel", "beta", "./x"), 2, "directory", "installed app")
	says(t, version("viewre"), 125, `"viewre" is not installed`, "did you mean viewer?")
	says(t, version("something"), 125, `"something" is not installed`, "sandbox search something")
	// What lies in the working directory is not run by its bare name, nor in the
	// way of what is installed.
	os.Rename(named(t, "org.example.Here", "here"), filepath.Join(h.Dir, "here"))
	os.Rename(named(t, "org.example.Here", "there"), filepath.Join(h.Dir, "viewer"))
	says(t, version("here"), 125, "not installed", "./here")
	wants(t, version("./here"), 0, "read /app/share/version = ok here\n")
	wants(t, version("viewer"), 0, "read /app/share/version = ok 1\n")
	says(t, version("org.example.Viewer/"), 125, "no such file", "")
}

// An instance keeps the release it was started from, whatever happens to the app.
func TestInstanceHoldsItsRelease(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"attached", "detached"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			h := e2e.NewHome(t)
			s := installedIn(t, h)
			const id = "org.example.Stays"
			first := install(t, s, named(t, id, "1"), "stable", 1)
			line := []string{"run", "--name", "it", id, "say up", "hold"}
			if how == "detached" {
				wants(t, h.Run(append([]string{"run", "-d"}, line[1:]...)...), 0, "it\n")
			} else {
				h.Start(line...).Expect("up", soon)
			}
			inside := func() e2e.Result { return h.Run("enter", "it", "/app/bin/probe", "read /app/share/version") }
			wants(t, inside(), 0, "read /app/share/version = ok 1\n")
			if !s.Busy(first) {
				t.Error("nobody seems to run from it")
			}
			for n := uint64(2); n < 6; n++ {
				install(t, s, named(t, id, fmt.Sprint(n)), "stable", n)
			}
			if f := gc(t, s); f.Busy != 1 || f.Releases != 1 {
				t.Errorf("gc: %+v", f)
			}
			wants(t, inside(), 0, "read /app/share/version = ok 1\n")
			wants(t, h.Run("run", id, "read /app/share/version"), 0, "read /app/share/version = ok 5\n")
			l := storetest.Lock(t, s)
			if busy, err := s.Uninstall(l, first.Ref()); err != nil || !busy {
				t.Errorf("uninstall: %v %v", busy, err)
			}
			l.Unlock()
			gc(t, s)
			wants(t, inside(), 0, "read /app/share/version = ok 1\n")
			says(t, h.Run("run", id), 125, "not installed", "")
			wants(t, h.Run("stop", "it"), 0, "")
			if f := gc(t, s); f.Busy != 0 || f.Releases != 1 {
				t.Errorf("gc after the end: %+v", f)
			}
			if _, err := os.Lstat(s.BundleDir(first)); err == nil {
				t.Error("the release is still there")
			}
		})
	}
}

// The locks are the supervisor's: the app gets no descriptor of them.
func TestAppInheritsNoLock(t *testing.T) {
	t.Parallel()
	h := e2e.NewHome(t)
	s := installedIn(t, h)
	app, runtime := testapps.Bundle(t, "org.gnu.Bash")
	install(t, s, runtime, "12", 1)
	rec := install(t, s, app, "stable", 1)
	// ls itself opens the directory it lists: 3.
	wants(t, h.Run("run", "bash", "-c", "cd /proc/self/fd && echo *"), 0, "0 1 2 3\n")
	if s.Busy(rec) {
		t.Error("somebody still holds the release")
	}
}

// As long as an instance runs, its home is nobody else's to copy or replace.
func TestInstanceHoldsItsHome(t *testing.T) {
	t.Parallel()
	h := e2e.NewHome(t)
	b := e2e.ProbeBundle(t)
	p := h.Start("run", "--name", "it", b, "say up", "hold")
	p.Expect("up", soon)
	fd, err := unix.Open(filepath.Join(h.State(b), disk.HomeLock), unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := disk.TryExclusive(fd); !errors.Is(err, disk.ErrLocked) {
		t.Errorf("the home is free: %v", err)
	}
	wants(t, h.Run("kill", "it"), 0, "")
	p.Wait()
	if err := disk.TryExclusive(fd); err != nil {
		t.Errorf("the home is not free: %v", err)
	}
	// Who has it is waited for.
	p = h.Start("run", b, "say late")
	if e2e.Within(soon/50, func() bool { return strings.Contains(p.Output(), "late") }) {
		t.Error("the app runs on a home that is being replaced")
	}
	if err := disk.Unlock(fd); err != nil {
		t.Fatal(err)
	}
	if r := p.Wait(); r.Code != 0 || !strings.Contains(r.Stdout, "late") || !strings.Contains(r.Stderr, "waiting: a snapshot") {
		t.Errorf("got %+v", r)
	}
}

// A store of the machine is read where only root, or the user, can have filled it.
func TestSystemStore(t *testing.T) {
	t.Parallel()
	h := e2e.NewHome(t)
	dir := filepath.Join(h.Root, "system/store")
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		t.Fatal(err)
	}
	h.Env = append(h.Env, "SANDBOX_SYSTEM_DIR="+dir)
	system := storetest.OpenAt(t, dir)
	install(t, system, named(t, "org.example.Both", "system"), "stable", 1)
	install(t, system, named(t, "org.example.Theirs", "system"), "stable", 1)
	read := func(name string) e2e.Result { return h.Run("run", name, "read /app/share/version") }
	wants(t, read("both"), 0, "read /app/share/version = ok system\n")
	own := installedIn(t, h)
	install(t, own, named(t, "org.example.Both", "own"), "stable", 1)
	wants(t, read("both"), 0, "read /app/share/version = ok own\n")
	wants(t, read("theirs"), 0, "read /app/share/version = ok system\n")

	deploy := filepath.Join(dir, "deploy/app/org.example.Theirs", repo.HostArch(), "stable")
	for _, d := range []string{dir, deploy} {
		os.Chmod(d, 0o777)
		says(t, read("theirs"), 125, "others can write to it", "chmod go-w")
		os.Chmod(d, 0o755)
	}
	wants(t, read("theirs"), 0, "read /app/share/version = ok system\n")
	if os.Getuid() != 0 {
		testenv.NeedRoot(t)
	}
	for _, d := range []string{dir, deploy} {
		os.Chown(d, 1234, 1234)
		says(t, read("theirs"), 125, "belongs to uid 1234", "you or to root")
		os.Chown(d, 0, 0)
	}
}

// A day with an installed app, by the commands that a person types: its data are
// copied while it runs, taken back, and go with it.
func TestDataOfAnInstalledApp(t *testing.T) {
	t.Parallel()
	e2e.Program(t, "sandbox-tool")
	h := e2e.NewHome(t)
	s := installedIn(t, h)
	app, runtime := testapps.Bundle(t, "org.gnu.Bash")
	install(t, s, runtime, "12", 1)
	install(t, s, app, "stable", 1)
	ok := func(args ...string) string {
		t.Helper()
		r := h.Run(args...)
		if r.Code != 0 {
			t.Fatalf("%q: %+v", args, r)
		}
		return strings.TrimSpace(r.Stdout)
	}
	ok("run", "bash", "-c", "echo first >~/note; mkfifo ~/fifo; ln -s /etc/passwd ~/link; chmod 0 ~/fifo")
	home := filepath.Join(h.Dir, ".local/share/sandbox/app/org.gnu.Bash/home")
	before, err := os.Stat(home)
	if err != nil {
		t.Fatal(err)
	}
	first := ok("snapshot", "create", "bash", "--note", "the first")

	ok("run", "-d", "--name", "it", "bash", "-c", "echo second >~/note; while :; do echo x >>~/log; sleep 0.01; done")
	grows := func() bool {
		n := len(e2e.Read(home + "/log"))
		return e2e.Within(soon, func() bool { return len(e2e.Read(home+"/log")) > n })
	}
	if !grows() {
		t.Fatal("it does nothing")
	}
	r := h.Run("snapshot", "create", "bash")
	if r.Code != 0 || !strings.Contains(r.Stderr, "held still") {
		t.Errorf("while it runs: %+v", r)
	}
	if !grows() {
		t.Error("it does not go on")
	}
	says(t, h.Run("snapshot", "restore", "bash", first), 1, "running", "sandbox stop org.gnu.Bash")
	says(t, h.Run("uninstall", "--delete-data", "-y", "bash"), 1, "running", "sandbox stop org.gnu.Bash")
	ok("stop", "it")

	saved := ok("snapshot", "restore", "bash", first)
	wants(t, h.Run("run", "bash", "-c", "cat ~/note; ls -A ~; echo third >~/note"), 0, "first\nfifo\nlink\nnote\n")
	if now, err := os.Stat(home); err != nil || owner(now) != owner(before) || now.Mode() != before.Mode() {
		t.Errorf("the home is %v of uid %d, it was %v of uid %d", now.Mode(), owner(now), before.Mode(), owner(before))
	}
	ok("snapshot", "restore", "bash", saved)
	wants(t, h.Run("run", "bash", "-c", "cat ~/note"), 0, "second\n")
	if out := ok("snapshot", "list", "bash"); strings.Count(out, "\n") != 4 || !strings.Contains(out, "the first") {
		t.Errorf("got\n%s", out)
	}
	ok("verify")
	if out := ok("uninstall", "--delete-data", "-y", "bash"); !strings.HasPrefix(out, "org.gnu.Bash") {
		t.Errorf("got %s", out)
	}
	if _, err := os.Lstat(filepath.Dir(home)); err == nil {
		t.Error("the data are still there")
	}
	ok("verify")
}
