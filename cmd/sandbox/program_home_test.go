package main_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sandbox/internal/e2e"
)

// What an app keeps in its home is there again, and nowhere in the user's.
func TestHomeOutlivesTheRun(t *testing.T) {
	t.Parallel()
	h := e2e.NewHome(t)
	h.Write(".bashrc", "secret")
	wants(t, h.Run(bash(t, `cat ~/.bashrc 2>&1; mkdir -p ~/.config/x && echo kept >~/.config/x/f && ls -A ~`)...), 0,
		"cat: "+h.Dir+"/.bashrc: No such file or directory\n.config\n")
	wants(t, h.Run(bash(t, `cat ~/.config/x/f; pwd; echo ~`)...), 0, "kept\n"+h.Dir+"\n"+h.Dir+"\n")
	// Another app has another home.
	wants(t, h.Run(app(t, "org.python.Python3", nil, "-c", "import os; print(os.listdir(os.environ['HOME']))")...), 0, "[]\n")
	if _, err := os.Lstat(h.Dir + "/.config"); err == nil {
		t.Error("the app wrote to the user's home")
	}
	state := filepath.Join(h.Dir, ".local/share/sandbox/app/org.gnu.Bash/home")
	if got := e2e.Read(state + "/.config/x/f"); got != "kept\n" {
		t.Errorf("the app's home on the host holds %q", got)
	}
	// Its parent is closed to other users.
	st, err := os.Stat(filepath.Join(h.Dir, ".local/share/sandbox"))
	if err != nil || st.Mode().Perm()&0o077 != 0 && os.Getuid() != 0 {
		t.Errorf("the directory of apps is open: %v %v", st, err)
	}
}

func TestEphemeralHomeIsForgotten(t *testing.T) {
	t.Parallel()
	h := e2e.NewHome(t)
	wants(t, h.Run(bash(t, `echo kept >~/f`)...), 0, "")
	wants(t, h.Run(bash(t, `ls -A ~; echo new >~/g; cat ~/g; pwd`, "--ephemeral")...), 0, "new\n"+h.Dir+"\n")
	wants(t, h.Run(bash(t, `ls -A ~`)...), 0, "f\n")
	// An app that has never run otherwise gets no directory for it either.
	wants(t, h.Run(app(t, "org.python.Python3", []string{"--ephemeral"}, "-c", "open('x','w')")...), 0, "")
	if _, err := os.Lstat(filepath.Join(h.Dir, ".local/share/sandbox/app/org.python.Python3")); err == nil {
		t.Error("a home was made for an ephemeral run")
	}
}

// The working directory is the caller's where the app can see it, else home.
func TestWorkingDirectory(t *testing.T) {
	t.Parallel()
	h := e2e.NewHome(t)
	dir := h.Mkdir("work/deep")
	in := func(dir string, flags ...string) e2e.Result {
		return h.Do(e2e.Cmd{Args: bash(t, `pwd; echo "$PWD"; ls`, flags...), Dir: dir})
	}
	h.Write("work/deep/file", "")
	wants(t, in(dir), 0, h.Dir+"\n"+h.Dir+"\n")
	wants(t, in(dir, "--grant", "files:~/work:read"), 0, dir+"\n"+dir+"\nfile\n")
	wants(t, in(dir, "--grant", "files:~/work/deep/file:read"), 0, h.Dir+"\n"+h.Dir+"\nwork\n")
	wants(t, in(dir, "--cwd", "/var", "--grant", "files:~/work:read"), 0, "/var\n/var\nlock\nrun\ntmp\n")
	wants(t, h.Do(e2e.Cmd{Args: bash(t, `cat file`, "--grant", "files:~/work:read"), Dir: dir}), 0, "")
}

func TestEnvironment(t *testing.T) {
	t.Parallel()
	h := e2e.NewHome(t)
	h.Env = append(h.Env, "SECRET=token", "PASSED=through", "LC_TIME=C", "EDITOR=vi")
	r := h.Run(bash(t, `env | sort`, "--env", "PASSED", "--env", "SET=a=b c", "--env", "MISSING", "-e", "LANG=de_AT.UTF-8")...)
	env := map[string]string{}
	for line := range strings.Lines(r.Stdout) {
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		env[name] = value
	}
	for name, want := range map[string]string{"PASSED": "through", "SET": "a=b c", "LANG": "de_AT.UTF-8", "LC_TIME": "C", "HOME": h.Dir,
		"TERM": "xterm-256color", "SANDBOX_ID": "org.gnu.Bash", "PATH": "/app/bin:/usr/bin"} {
		if env[name] != want {
			t.Errorf("%s is %q, want %q", name, env[name], want)
		}
	}
	for _, name := range []string{"SECRET", "MISSING", "EDITOR", "SANDBOX"} {
		if v, ok := env[name]; ok {
			t.Errorf("%s=%s reached the app", name, v)
		}
	}
	// Flags win over the manifest's own.
	wants(t, h.Run(app(t, "org.python.Python3", nil, "-c", "import os; print(os.environ['PYTHONDONTWRITEBYTECODE'])")...), 0, "1\n")
	wants(t, h.Run(app(t, "org.python.Python3", []string{"-e", "PYTHONDONTWRITEBYTECODE=2"}, "-c", "import os; print(os.environ['PYTHONDONTWRITEBYTECODE'])")...), 0, "2\n")
}

// One bundle may have several programs, and arguments of its own for the first.
func TestCommandsOfABundle(t *testing.T) {
	t.Parallel()
	h := e2e.NewHome(t)
	const manifest = `id = "org.example.Many"
name = "Many"
version = "1"
command = "main"
args = ["say from the manifest"]
commands = { other = "/app/lib/tool", main = "bin/probe" }
`
	b := e2e.Bundle(t, manifest, map[string]string{"files/bin/probe": e2e.Probe(t), "files/bin/plain": "->probe", "files/lib/bin/x": "=", "files/lib/tool": "->../bin/probe"})
	for _, c := range []struct {
		flags []string
		args  []string
		want  string
	}{
		{nil, nil, "say from the manifest = ok from the manifest\n"},
		{nil, []string{"say more"}, "say from the manifest = ok from the manifest\nsay more = ok more\n"},
		{[]string{"--command", "other"}, []string{"say only"}, "say only = ok only\n"},
		{[]string{"--command", "plain"}, []string{"say only"}, "say only = ok only\n"},
		{[]string{"--command=/app/bin/probe"}, []string{"say only"}, "say only = ok only\n"},
		{[]string{"--"}, []string{"say dashes"}, "say from the manifest = ok from the manifest\nsay dashes = ok dashes\n"},
	} {
		wants(t, h.Run(append(append(append([]string{"run"}, c.flags...), b), c.args...)...), 0, c.want)
	}
	// Whatever follows the bundle is the app's.
	wants(t, h.Run(app(t, "org.gnu.Bash", nil, "-c", `printf '<%s>' "$0" "$@"`, "--help", "--json", "", "a b", "*", "-n")...), 0, "<--help><--json><><a b><*><-n>")
	// The app's name for itself is the command's.
	wants(t, h.Run(bash(t, "echo $0")...), 0, "bash\n")
}

// --dry-run says everything and does nothing.
func TestDryRunDoesNothing(t *testing.T) {
	t.Parallel()
	h := e2e.NewHome(t)
	h.Mkdir("granted")
	before := e2e.Snapshot(h.Root)
	flags := []string{"--dry-run", "--grant", "files:~/granted:write", "--grant", "files:~/made:create", "--env", "X=y", "--limit", "pids=10", "--name", "dry"}
	r := h.Run(bash(t, "touch ~/granted/f", flags...)...)
	if r.Code != 0 || r.Stderr != "" {
		t.Errorf("got %+v", r)
	}
	for _, want := range []string{"org.gnu.Bash", h.Dir + "/granted", h.Dir + "/made", "X=y", "pids=10", "/usr/bin/bash", "seccomp", "touch ~/granted/f"} {
		if !strings.Contains(r.Stdout, want) {
			t.Errorf("the plan does not speak of %q", want)
		}
	}
	r = h.Run(bash(t, "touch ~/granted/f", append(flags, "--json")...)...)
	var plan struct {
		App, Instance string
		Argv, Env     []string
		View          []map[string]any
	}
	if err := json.Unmarshal([]byte(r.Stdout), &plan); err != nil || r.Code != 0 {
		t.Fatalf("--json: %v, %+v", err, r)
	}
	if plan.App != "org.gnu.Bash" || plan.Instance != "dry" || len(plan.Argv) != 3 || len(plan.View) < 20 || len(plan.Env) < 5 {
		t.Errorf("--json: %+v", plan)
	}
	if now := e2e.Snapshot(h.Root); now != before {
		t.Errorf("something was done:\n%s\nbefore:\n%s", now, before)
	}
	// What would fail fails here too.
	says(t, h.Run(bash(t, "", "--dry-run", "--grant", "files:~/absent:read")...), 125, "absent", ":create")
}

// :create makes what is missing, as the caller's own.
func TestCreateMakesTheDirectory(t *testing.T) {
	t.Parallel()
	h := e2e.NewHome(t)
	wants(t, h.Run(bash(t, `echo x >~/new/deep/f; ls -ld ~/new/deep | cut -c1-10`, "--grant", "files:~/new/deep:create")...), 0, "drwxr-xr-x\n")
	if got := e2e.Read(h.Dir + "/new/deep/f"); got != "x\n" {
		t.Errorf("the file holds %q", got)
	}
	allOurs(t, h.Dir+"/new")
}

// A denial covers what a wider grant shows, whichever comes first.
func TestDenyWinsOverGrant(t *testing.T) {
	t.Parallel()
	h := e2e.NewHome(t)
	h.Write("work/open", "open")
	h.Write("work/private/key", "key")
	for _, flags := range [][]string{
		{"--grant", "files:~/work:write", "--deny", "files:~/work/private:read"},
		{"--deny", "files:~/work/private:read", "--grant", "files:~/work:write", "--grant", "files:~/work/private:read"},
	} {
		wants(t, h.Run(bash(t, `cat ~/work/open; cat ~/work/private/key 2>/dev/null || echo " no"; mv ~/work/private ~/work/x 2>/dev/null || echo kept`, flags...)...), 0, "open no\nkept\n")
	}
	if got := e2e.Read(h.Dir + "/work/private/key"); got != "key" {
		t.Errorf("the key is %q", got)
	}
}
