package main_test

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sandbox/internal/e2e"
)

// listed is what the tests read of `ps --json`.
type listed struct {
	Instance    string   `json:"instance"`
	App         string   `json:"app"`
	Version     string   `json:"version"`
	Command     []string `json:"command"`
	PID         int      `json:"pid"`
	Supervisor  int      `json:"supervisor"`
	Started     string   `json:"started"`
	Permissions []string `json:"permissions"`
	Detached    bool     `json:"detached"`
	State       string   `json:"state"`
	Uptime      float64  `json:"uptime"`
	Usage       struct {
		CPU    int64 `json:"cpu"`
		Memory int64 `json:"memory"`
		Pids   int64 `json:"pids"`
	} `json:"usage"`
}

func list(t testing.TB, h *e2e.Home) []listed {
	t.Helper()
	r := h.Run("ps", "--json")
	var out []listed
	if err := json.Unmarshal([]byte(r.Stdout), &out); err != nil || r.Code != 0 {
		t.Fatalf("ps --json: %v, %+v", err, r)
	}
	return out
}

// background starts a script in a detached instance called name.
func background(t testing.TB, h *e2e.Home, name, script string, flags ...string) {
	t.Helper()
	wants(t, h.Run(bash(t, script, append(flags, "--detach", "--name", name)...)...), 0, name+"\n")
	t.Cleanup(func() { h.Run("kill", name) })
}

// says checks that an error came out as it should: one that names what is
// wrong, a way out, nothing on standard output.
func says(t testing.TB, r e2e.Result, code int, words, way string) {
	t.Helper()
	if r.Code != code || r.Stdout != "" || !strings.HasPrefix(quiet(r.Stderr), "sandbox: error: ") || !strings.Contains(r.Stderr, words) {
		t.Errorf("got status %d, %q and %q; want %d with %q", r.Code, r.Stdout, r.Stderr, code, words)
	}
	_, hint, _ := strings.Cut(r.Stderr, "sandbox: hint: ")
	if !strings.Contains(hint, way) || way != "" && hint == "" {
		t.Errorf("the hint is %q, want %q", hint, way)
	}
}

func TestDetachedInstanceIsListedUntilItEnds(t *testing.T) {
	t.Parallel()
	h := e2e.NewHome(t)
	background(t, h, "one", "echo hello; sleep 100", "--grant", "network:host", "--limit", "pids=50")
	all := list(t, h)
	if len(all) != 1 {
		t.Fatalf("listed: %+v", all)
	}
	e := all[0]
	started, err := time.Parse(time.RFC3339, e.Started)
	if e.Instance != "one" || e.App != "org.gnu.Bash" || e.Version != "5.2" || !e.Detached || e.State != "running" ||
		!slices.Equal(e.Command, []string{"bash", "-c", "echo hello; sleep 100"}) || e.PID < 2 || e.Supervisor < 2 || e.PID == e.Supervisor ||
		!slices.Contains(e.Permissions, "network:host") || !slices.Contains(e.Permissions, "limit:pids=50") ||
		err != nil || time.Since(started) > time.Minute || e.Uptime <= 0 || e.Uptime > 60 ||
		e.Usage.Memory <= 0 || e.Usage.Pids < 1 || e.Usage.CPU < 0 {
		t.Errorf("listed: %+v", e)
	}
	table := h.Run("ps").Stdout
	if !regexp.MustCompile(`(?m)^one +org\.gnu\.Bash +\d+ +running +\S+ +\S+ +\S+ [KM]iB +\d+$`).MatchString(table) {
		t.Errorf("ps shows %q", table)
	}
	for _, name := range []string{"one", "org.gnu.Bash", "bash", "BASH"} {
		if r := h.Run("stats", name); r.Code != 0 || !strings.Contains(r.Stdout, "one") {
			t.Errorf("stats %s: %+v", name, r)
		}
	}
	if r := h.Run("stats", "--json"); r.Code != 0 || !strings.Contains(r.Stdout, `"instance": "one"`) || !strings.Contains(r.Stdout, `"cpu_percent"`) {
		t.Errorf("stats --json: %+v", r)
	}
	if got := logOf(h, "one"); got != "hello\n" {
		t.Errorf("the log is %q", got)
	}
	says(t, h.Run("stop", "on"), 1, "no such instance", "did you mean one?")
	says(t, h.Run("enter", "oen"), 125, "no such instance", "did you mean one?")
	wants(t, h.Run("stop", "one"), 0, "")
	wants(t, h.Run("ps", "--json"), 0, "[]\n")
	// The log outlives the instance.
	if !e2e.Within(soon, func() bool { return logOf(h, "one") == "hello\nsandbox: ended with status 143\n" }) {
		t.Errorf("the log afterwards: %q", logOf(h, "one"))
	}
	says(t, h.Run("stop", "one"), 1, "no such instance", "sandbox ps")
	says(t, h.Run("stats", "one"), 1, "no such instance", "sandbox ps")
}

func TestNothingRunsAtFirst(t *testing.T) {
	t.Parallel()
	h := e2e.NewHome(t)
	wants(t, h.Run("ps", "--json"), 0, "[]\n")
	wants(t, h.Run("stats", "--json"), 0, "[]\n")
	if r := h.Run("ps"); r.Code != 0 || strings.Count(r.Stdout, "\n") != 1 {
		t.Errorf("ps: %+v", r)
	}
	for _, verb := range []string{"stop", "kill", "pause", "resume"} {
		says(t, h.Run(verb, "x"), 1, "no such instance", "sandbox ps")
		says(t, h.Run(verb), 2, "no instance is named", "--all")
		says(t, h.Run(verb, "--all", "x"), 2, "together with --all", "drop")
		wants(t, h.Run(verb, "--all"), 0, "")
	}
	says(t, h.Run("enter", "x"), 125, "no such instance", "sandbox ps")
	says(t, h.Run("logs", "x"), 1, "there is none", "--detach")
	says(t, h.Run("logs", "../x"), 1, "no instance has such a name", "")
}

func TestLogsFollowUntilTheEnd(t *testing.T) {
	t.Parallel()
	h := e2e.NewHome(t)
	background(t, h, "talker", "for i in 1 2 3; do echo line $i; sleep 0.3; done; echo err >&2; exit 5")
	r := h.Run("logs", "--follow", "talker")
	if r.Code != 0 || !strings.HasPrefix(quiet(r.Stdout), "line 1\nline 2\nline 3\nerr\n") {
		t.Errorf("logs -f: %+v", r)
	}
	if !e2e.Within(soon, func() bool { return strings.Contains(logOf(h, "talker"), "status 5") }) {
		t.Errorf("the log does not tell the end: %q", logOf(h, "talker"))
	}
}

func TestStopAsksFirst(t *testing.T) {
	t.Parallel()
	h := e2e.NewHome(t)
	background(t, h, "polite", `trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 0.05; done`)
	waitLog(t, h, "polite", "up")
	r := h.Run("stop", "polite")
	wants(t, r, 0, "")
	if quiet(r.Stderr) != "" || !strings.Contains(logOf(h, "polite"), "bye") {
		t.Errorf("stop said %q, the log has %q", r.Stderr, logOf(h, "polite"))
	}

	background(t, h, "deaf", `trap '' TERM; echo up; while :; do sleep 0.05; done`)
	waitLog(t, h, "deaf", "up")
	start := time.Now()
	r = h.Run("stop", "--timeout", "500ms", "deaf")
	if took := time.Since(start); r.Code != 0 || !strings.Contains(r.Stderr, "was killed") || took < 500*time.Millisecond || took > soon {
		t.Errorf("stop after %s: %+v", took, r)
	}
	if left := list(t, h); len(left) != 0 {
		t.Errorf("still listed: %+v", left)
	}
	says(t, h.Run("stop", "--timeout", "x", "deaf"), 2, `cannot wait "x"`, "10s")
	says(t, h.Run("stop", "--timeout", "-1", "deaf"), 2, "cannot wait", "10s")
}

// logOf is what an instance has written so far.
func logOf(h *e2e.Home, name string) string { return quiet(h.Run("logs", name).Stdout) }

func waitLog(t testing.TB, h *e2e.Home, name, text string) {
	t.Helper()
	if !e2e.Within(soon, func() bool { return strings.Contains(logOf(h, name), text) }) {
		t.Fatalf("the log of %s has no %q but %q", name, text, logOf(h, name))
	}
}

func TestKillSendsSignals(t *testing.T) {
	t.Parallel()
	h := e2e.NewHome(t)
	p := h.Start(bash(t, `for s in USR1 USR2 HUP WINCH; do trap "echo got $s" $s; done; echo up; while :; do sleep 0.05; done`, "--name", "ears")...)
	p.Expect("up", soon)
	for _, spelt := range []string{"USR1", "SIGUSR2", "hup", "28"} {
		wants(t, h.Run("kill", "-s", spelt, "ears"), 0, "")
	}
	for _, want := range []string{"got USR1", "got USR2", "got HUP", "got WINCH"} {
		p.Expect(want, soon)
	}
	for _, bad := range []string{"NONE", "0", "65", "-1"} {
		says(t, h.Run("kill", "-s", bad, "ears"), 2, "unknown signal", "kill -l")
	}
	says(t, h.Run("kill", "-s", "", "ears"), 2, "needs a value", "")
	wants(t, h.Run("kill", "ears"), 0, "")
	if r := p.Wait(); r.Code != 137 {
		t.Errorf("ended with %d", r.Code)
	}
}

// A paused instance stands still as a whole, its background children too, and
// goes on as if nothing had been.
func TestPauseStopsTheClock(t *testing.T) {
	t.Parallel()
	h := e2e.NewHome(t)
	dir := h.Mkdir("out")
	const text = `cd ~/out; (while :; do echo >>child; sleep 0.02; done) & while :; do echo >>app; sleep 0.02; done`
	background(t, h, "counter", text, "--grant", "files:~/out:write")
	size := func() string {
		return fmt.Sprint(len(e2e.Read(dir+"/app")), " ", len(e2e.Read(dir+"/child")))
	}
	moves := func() bool {
		before := size()
		return e2e.Within(soon, func() bool {
			now := strings.Fields(size())
			was := strings.Fields(before)
			return now[0] != was[0] && now[1] != was[1]
		})
	}
	if !moves() {
		t.Fatal("the counters do not move")
	}
	wants(t, h.Run("pause", "counter"), 0, "")
	time.Sleep(100 * time.Millisecond)
	before := size()
	time.Sleep(300 * time.Millisecond)
	if now := size(); now != before {
		t.Errorf("paused, the counters went from %s to %s", before, now)
	}
	if e := list(t, h)[0]; e.State != "paused" {
		t.Errorf("the state is %q", e.State)
	}
	wants(t, h.Run("pause", "counter"), 0, "") // once more changes nothing
	wants(t, h.Run("resume", "counter"), 0, "")
	if e := list(t, h)[0]; e.State != "running" {
		t.Errorf("the state is %q", e.State)
	}
	if !moves() {
		t.Error("resumed, the counters do not move")
	}
	// The signals of that name do the same.
	wants(t, h.Run("kill", "-s", "STOP", "counter"), 0, "")
	if e := list(t, h)[0]; e.State != "paused" {
		t.Errorf("after STOP the state is %q", e.State)
	}
	wants(t, h.Run("kill", "-s", "CONT", "counter"), 0, "")
	if e := list(t, h)[0]; e.State != "running" || !moves() {
		t.Errorf("after CONT the state is %q", e.State)
	}
	// Paused, an instance can still be stopped.
	wants(t, h.Run("pause", "counter"), 0, "")
	start := time.Now()
	wants(t, h.Run("stop", "counter"), 0, "")
	if took := time.Since(start); took > 8*time.Second {
		t.Errorf("stopping took %s", took)
	}
	background(t, h, "counter", text, "--grant", "files:~/out:write")
	wants(t, h.Run("pause", "counter"), 0, "")
	wants(t, h.Run("kill", "counter"), 0, "")
}

// What is entered is confined as the app is.
func TestEnteredCommandIsConfinedAsTheApp(t *testing.T) {
	t.Parallel()
	h := e2e.NewHome(t)
	const look = `grep -E '^(Uid|Gid|Groups|NoNewPrivs|Seccomp|Seccomp_filters|Cap.*):' /proc/self/status; ls /proc/self/fd | wc -l; pwd; env | grep -v '^_=\|^SHLVL='|sort; cat /proc/self/cgroup; ulimit -a; for n in user mnt pid net ipc uts; do readlink /proc/self/ns/$n; done`
	background(t, h, "host", look+"; echo end; sleep 100", "--limit", "pids=100", "--limit", "files=200", "--env", "X=y")
	waitLog(t, h, "host", "\nend\n")
	app, _, _ := strings.Cut(logOf(h, "host"), "end\n")
	r := h.Run("enter", "host", "bash", "-c", look)
	if r.Code != 0 || r.Stdout != app {
		t.Errorf("status %d; entered:\n%s\nthe app:\n%s\n%s", r.Code, r.Stdout, app, r.Stderr)
	}
	if !strings.Contains(app, "Seccomp:\t2") || !strings.Contains(app, "CapBnd:\t0000000000000000") {
		t.Errorf("the app is not confined: %s", app)
	}
}

func TestEnter(t *testing.T) {
	t.Parallel()
	h := e2e.NewHome(t)
	background(t, h, "host", "touch ~/mark; sleep 100")
	for code := range []int{0, 1, 2, 3} {
		wants(t, h.Run("enter", "host", "sh", "-c", fmt.Sprintf("exit %d", 85*code)), 85*code, "")
	}
	wants(t, h.Run("enter", "host", "sh", "-c", "kill -9 $$"), 137, "")
	wants(t, h.Run("enter", "--cwd", "/tmp", "--env", "X=y", "host", "sh", "-c", "pwd; echo $X; ls ~; uname -n"), 0, "/tmp\ny\nmark\nsandbox\n")
	wants(t, h.Do(e2e.Cmd{Args: []string{"enter", "--env", "MISSING", "--env", "PASSED", "host", "sh", "-c", "echo ${MISSING-unset} $PASSED"},
		Env: []string{"PASSED=through"}}), 0, "unset through\n")
	wants(t, script(t, h, `echo in | "$SANDBOX" enter host cat`), 0, "in\n")
	says(t, h.Run("enter", "host", "nothing"), 127, "cannot start nothing", "has")
	says(t, h.Run("enter", "host", "/etc"), 126, "cannot start /etc", "executable")
	says(t, h.Run("enter", "--cwd", "/nowhere", "host", "true"), 125, "working directory", "")
	says(t, h.Run("enter"), 2, "", "")

	p := h.Pty("enter", "host")
	p.Type("PS1=in\\>\\ \r")
	p.Expect("in> ", soon)
	p.Type("tty; ps -o comm= -p 1; sleep 100\r")
	p.Expect("/dev/pts/", soon)
	p.Expect("sandbox-init", soon)
	time.Sleep(200 * time.Millisecond)
	p.Type("\x03")
	p.Expect("in> ", soon)
	p.Type("exit 4\r")
	if code := p.Wait(soon); code != 4 {
		t.Errorf("the shell ended with %d", code)
	}
	if n := len(list(t, h)); n != 1 {
		t.Errorf("%d instances run", n)
	}
	// The end of the instance is the end of what was entered.
	in := h.Start("enter", "host", "sh", "-c", "echo up; sleep 100")
	in.Expect("up", soon)
	wants(t, h.Run("kill", "host"), 0, "")
	if r := in.Wait(); r.Code != 137 {
		t.Errorf("the entered command ended with %+v", r)
	}
}

// Nobody can be entered into who stands still.
func TestEnterAPausedInstance(t *testing.T) {
	t.Parallel()
	h := e2e.NewHome(t)
	background(t, h, "still", "sleep 100")
	wants(t, h.Run("pause", "still"), 0, "")
	says(t, h.Run("enter", "still", "true"), 125, "paused", "sandbox resume")
	wants(t, h.Run("resume", "still"), 0, "")
	wants(t, h.Run("enter", "still", "true"), 0, "")
}

func TestNamesAreUnique(t *testing.T) {
	t.Parallel()
	h := e2e.NewHome(t)
	background(t, h, "twin", "sleep 100")
	says(t, h.Run(bash(t, "echo never", "--name", "twin")...), 125, `second instance called "twin"`, "--name")
	says(t, h.Run(bash(t, "echo never", "--name", "twin", "--detach")...), 125, `second instance called "twin"`, "--name")
	// The first one does not suffer.
	wants(t, h.Run("enter", "twin", "echo", "alive"), 0, "alive\n")
	if r := h.Run("logs", "twin"); strings.Contains(r.Stdout, "second") {
		t.Errorf("the log of the first has been taken over: %q", r.Stdout)
	}
	background(t, h, "other", "sleep 100")
	says(t, h.Run("stop", "bash"), 1, "2 instances of bash run", "twin")
	says(t, h.Run("enter", "org.gnu.Bash", "true"), 125, "2 instances", "other")
	wants(t, h.Run("stop", "twin", "other"), 0, "")
	wants(t, h.Run("ps", "--json"), 0, "[]\n")
	for _, name := range []string{"-x", ".x", "a/b", "a b", "é", strings.Repeat("x", 65), "a\nb"} {
		says(t, h.Run(bash(t, "true", "--name", name)...), 125, "cannot name an instance", "letters")
	}
}

func TestAllInstancesAtOnce(t *testing.T) {
	t.Parallel()
	h := e2e.NewHome(t)
	for _, name := range []string{"a", "b", "c"} {
		background(t, h, name, "sleep 100")
	}
	wants(t, h.Run("pause", "--all"), 0, "")
	for _, e := range list(t, h) {
		if e.State != "paused" {
			t.Errorf("%s is %s", e.Instance, e.State)
		}
	}
	wants(t, h.Run("resume", "--all"), 0, "")
	wants(t, h.Run("stop", "--all"), 0, "")
	wants(t, h.Run("ps", "--json"), 0, "[]\n")
}

// A supervisor that is killed takes its instance with it, at once, and what it
// leaves in the registry is cleared away by whoever looks next.
func TestKilledSupervisorTakesTheAppWithIt(t *testing.T) {
	t.Parallel()
	h := e2e.NewHome(t)
	name := "victim-" + filepath.Base(h.Root)
	background(t, h, name, `(trap '' TERM HUP INT; sleep 100) & sleep 100`)
	e := list(t, h)[0]
	fd, err := unix.PidfdOpen(e.PID, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := unix.Kill(e.Supervisor, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	n, _ := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 5000)
	if took := time.Since(start); n != 1 || took > 2*time.Second {
		t.Errorf("the instance ended after %s (%d)", took, n)
	}
	wants(t, h.Run("ps", "--json"), 0, "[]\n")
	if names, _ := os.ReadDir(filepath.Join(h.Runtime, "sandbox/instances")); len(names) != 0 {
		t.Errorf("left in the registry: %v", names)
	}
	filepath.WalkDir("/sys/fs/cgroup", func(path string, d fs.DirEntry, err error) error {
		if err == nil && strings.Contains(d.Name(), name) {
			t.Errorf("left behind: %s", path)
		}
		return nil
	})
	background(t, h, name, "sleep 100") // the name is free
}

// A name is free again even if nobody has looked since its supervisor was killed.
func TestNameOfAKilledSupervisorIsFree(t *testing.T) {
	t.Parallel()
	h := e2e.NewHome(t)
	background(t, h, "victim", "sleep 100")
	e := list(t, h)[0]
	fd, err := unix.PidfdOpen(e.Supervisor, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0)
	if n, _ := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 5000); n != 1 {
		t.Fatal("the supervisor does not die")
	}
	wants(t, h.Run(bash(t, "echo mine", "--name", "victim")...), 0, "mine\n")
	wants(t, h.Run("ps", "--json"), 0, "[]\n")
}

func TestDetachTellsWhyNothingStarted(t *testing.T) {
	t.Parallel()
	h := e2e.NewHome(t)
	says(t, h.Run(bash(t, "", "--detach", "--command", "nothing")...), 127, "cannot start nothing", "neither")
	says(t, h.Run(bash(t, "true", "--detach", "--grant", "files:~/absent:read")...), 125, "absent", ":create")
	says(t, h.Run(bash(t, "true", "--detach", "--pass-fd", "9")...), 2, "--pass-fd", "")
	r := h.Run(bash(t, "true", "--detach", "--json", "--name", "quick")...)
	if r.Code != 0 || !strings.Contains(r.Stdout, `"instance": "quick"`) {
		t.Errorf("--json: %+v", r)
	}
}

// Nothing of the terminal is left in a detached instance.
func TestDetachedInstanceOutlivesItsTerminal(t *testing.T) {
	t.Parallel()
	h := e2e.NewHome(t)
	p := h.Pty(bash(t, "tty; read x; echo read=$?; sleep 100", "--detach", "--name", "free")...)
	p.Expect("free", soon)
	if code := p.Wait(soon); code != 0 {
		t.Errorf("ended with %d", code)
	}
	defer h.Run("kill", "free")
	p.Slave.Close()
	p.Master.Close()
	waitLog(t, h, "free", "not a tty\nread=1\n")
	if n := len(list(t, h)); n != 1 {
		t.Errorf("%d instances run", n)
	}
}

// Whatever a person or a service manager sends to the supervisor is the app's.
func TestSignalsToTheSupervisorAreTheApps(t *testing.T) {
	t.Parallel()
	h := e2e.NewHome(t)
	p := h.Start(bash(t, `for s in HUP INT QUIT USR1 USR2; do trap "echo got $s" $s; done; trap 'exit 21' TERM; echo up; while :; do sleep 0.05; done`)...)
	p.Expect("up", soon)
	for _, sig := range []unix.Signal{unix.SIGHUP, unix.SIGINT, unix.SIGUSR1, unix.SIGUSR2} {
		p.Process.Signal(sig)
		p.Expect("got "+strings.TrimPrefix(unix.SignalName(sig), "SIG"), soon)
	}
	p.Process.Signal(unix.SIGTERM)
	if r := p.Wait(); r.Code != 21 {
		t.Errorf("ended with %+v", r)
	}
}

// Two instances of an app have one home and nothing else in common.
func TestTwoInstancesShareTheHomeOnly(t *testing.T) {
	t.Parallel()
	h := e2e.NewHome(t)
	background(t, h, "first", `echo there >~/f; echo x >/tmp/f; echo x >/dev/shm/f; echo up; sleep 100`)
	waitLog(t, h, "first", "up")
	wants(t, h.Run(bash(t, `cat ~/f; ls -A /tmp /dev/shm | grep -x f; ps -e -o comm=; true`)...), 0, "there\nsandbox-init\nbash\nps\n")
	says(t, h.Run("logs", "second"), 1, "there is none", "--detach")
}

// Without a shell in the bundle there is none to enter.
func TestEnterABundleWithoutAShell(t *testing.T) {
	t.Parallel()
	h := e2e.NewHome(t)
	p := h.Start("run", "--name", "bare", e2e.ProbeBundle(t), "say up", "hold")
	p.Expect("up", soon)
	says(t, h.Run("enter", "bare"), 127, "cannot start", "/app/bin/sh")
	if r := h.Run("enter", "bare", "probe", "say hi"); r.Code != 0 || !strings.Contains(r.Stdout, "ok hi") {
		t.Errorf("enter: %+v", r)
	}
	wants(t, h.Run("kill", "bare"), 0, "")
	p.Wait()
}
