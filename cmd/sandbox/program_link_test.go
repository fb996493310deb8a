package main_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"sandbox/internal/e2e"
	"sandbox/internal/testapps"
	"sandbox/repo/store/storetest"
)

// linkTo installs bash with its runtime and gives it a name in PATH, which is
// returned with its directory.
func linkTo(t testing.TB, h *e2e.Home, name, target string) string {
	t.Helper()
	e2e.Program(t, "sandbox-tool")
	s := installedIn(t, h)
	app, runtime := testapps.Bundle(t, "org.gnu.Bash")
	install(t, s, runtime, "12", 1)
	install(t, s, app, "stable", 1)
	if r := h.Run("alias", "set", name, target); r.Code != 0 {
		t.Fatalf("alias set: %+v", r)
	}
	return filepath.Join(h.Dir, ".local/share/sandbox/bin", name)
}

// An app that is started by its name in PATH is as if it were not sandboxed:
// arguments, streams, status and its own name.
func TestStartsByALinkInPath(t *testing.T) {
	t.Parallel()
	h := e2e.NewHome(t)
	link := linkTo(t, h, "mybash", "bash")
	byPath := func(script string) e2e.Result {
		t.Helper()
		return h.Do(e2e.Cmd{Program: "/bin/sh", Args: []string{"-c", script}, Env: []string{"PATH=" + filepath.Dir(link) + ":/usr/bin:/bin"}})
	}
	wants(t, byPath(`mybash -c 'echo "$0" "$#" "$1" "$SANDBOX_ID"' "it is" "a b"`), 0, "it is 1 a b org.gnu.Bash\n")
	wants(t, byPath(`mybash -c 'tr a-z A-Z </proc/self/cmdline >/dev/null; IFS= read -r -d "" name </proc/$$/cmdline; echo "$name"'`), 0, "mybash\n")
	wants(t, byPath(`echo in | mybash -c 'cat; echo err >&2; exit 7'`), 7, "in\n")
	wants(t, byPath(`mybash --version | head -n 1 | cut -d, -f1`), 0, "GNU bash\n")
	wants(t, byPath(`mybash -c 'kill -TERM $$'`), 128+int(syscall.SIGTERM), "")
	// The name that the manifest gives is bash, which the host has: not taken.
	if r := h.Run("alias", "list"); !strings.Contains(r.Stdout, "bash ") || !strings.Contains(r.Stdout, "not in PATH") {
		t.Errorf("%+v", r)
	}
	// Removed, the name is gone; and a stray link starts nothing, not even a verb.
	stray := filepath.Join(h.Dir, "mybash")
	if err := os.Symlink(e2e.Program(t, "sandbox"), stray); err != nil {
		t.Fatal(err)
	}
	wants(t, h.Do(e2e.Cmd{Program: stray, Args: []string{"-c", "echo by another link"}}), 0, "by another link\n")
	wants(t, h.Run("alias", "remove", "mybash"), 0, "")
	r := h.Do(e2e.Cmd{Program: stray, Args: []string{"version"}})
	says(t, r, 127, "no installed app has this command", "sandbox alias list")
	if _, err := os.Lstat(link); err == nil {
		t.Error("the link is still there")
	}
}

// What is installed for the machine has its names there, for everybody; a user's
// own alias for it comes before them.
func TestNamesOfTheMachine(t *testing.T) {
	t.Parallel()
	e2e.Program(t, "sandbox-tool")
	admin := e2e.NewHome(t)
	machine := filepath.Join(admin.Root, "machine/store")
	env := []string{"SANDBOX_SYSTEM_DIR=" + machine}
	s := storetest.OpenAt(t, machine)
	install(t, s, named(t, "org.example.Tool", "1", `commands = { frobtool = "probe" }`), "stable", 1)
	run := func(h *e2e.Home, program string, args ...string) e2e.Result {
		t.Helper()
		return h.Do(e2e.Cmd{Program: program, Args: args, Env: env})
	}
	sandbox := e2e.Program(t, "sandbox")
	wants(t, run(admin, sandbox, "alias", "set", "--system", "ft", "org.example.Tool"), 0, "")
	user := e2e.NewHome(t)
	bin := filepath.Join(admin.Root, "machine/bin")
	wants(t, run(user, filepath.Join(bin, "frobtool"), "read /app/share/version"), 0, "read /app/share/version = ok 1\n")
	wants(t, run(user, filepath.Join(bin, "ft"), "read /app/share/version"), 0, "read /app/share/version = ok 1\n")
	if r := run(user, sandbox, "shell-init", "sh"); !strings.Contains(r.Stdout, bin) || strings.Index(r.Stdout, bin) > strings.Index(r.Stdout, user.Dir) {
		t.Errorf("the user's own names do not come first:\n%s", r.Stdout)
	}
	// The user's own: another app under the same name.
	install(t, installedIn(t, user), named(t, "org.example.Other", "2", `commands = { other = "probe" }`), "stable", 1)
	wants(t, run(user, sandbox, "alias", "set", "ft", "org.example.Other"), 0, "")
	wants(t, run(user, filepath.Join(user.Dir, ".local/share/sandbox/bin/ft"), "read /app/share/version"), 0, "read /app/share/version = ok 2\n")
	if r := run(user, sandbox, "alias", "list"); !strings.Contains(r.Stdout, "frobtool") || !strings.Contains(r.Stdout, "of the machine") {
		t.Errorf("%+v", r)
	}
}

// BenchmarkStart compares a start by the name of a link with `sandbox run`.
func BenchmarkStart(b *testing.B) {
	h := e2e.NewHome(b)
	link := linkTo(b, h, "mybash", "bash")
	sandbox := e2e.Program(b, "sandbox")
	for _, c := range []struct {
		name, program string
		args          []string
	}{
		{"run", sandbox, []string{"run", "org.gnu.Bash"}},
		{"link", link, nil},
	} {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				if r := h.Do(e2e.Cmd{Program: c.program, Args: append(c.args, "-c", ":")}); r.Code != 0 {
					b.Fatal(r)
				}
			}
		})
	}
}
