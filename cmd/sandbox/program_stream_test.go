package main_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sandbox/internal/e2e"
)

// Bytes go in and out as they are, through files and through pipes.
func TestBinaryDataPassesUnchanged(t *testing.T) {
	t.Parallel()
	h := e2e.NewHome(t)
	data := make([]byte, 10<<20)
	rand.NewChaCha8([32]byte{1}).Read(data)
	in := h.Write("in", string(data))
	for name, text := range map[string]string{
		"files":       `"$SANDBOX" "$@" <in >out`,
		"pipes":       `cat in | "$SANDBOX" "$@" | cat >out`,
		"slow reader": `cat in | "$SANDBOX" "$@" | { sleep 0.3; cat; } >out`,
	} {
		t.Run(name, func(t *testing.T) {
			os.Remove(filepath.Join(h.Dir, "out"))
			wants(t, script(t, h, text, bash(t, "exec cat")...), 0, "")
			if !bytes.Equal(data, []byte(e2e.Read(filepath.Join(h.Dir, "out")))) {
				t.Error("what came out is not what went in")
			}
		})
	}
	if e2e.Read(in) != string(data) {
		t.Error("the source was changed")
	}
}

func TestPipesLinesAndStandardError(t *testing.T) {
	t.Parallel()
	h := e2e.NewHome(t)
	wants(t, script(t, h, `echo hi | "$SANDBOX" "$@" | wc -c`, bash(t, "exec cat")...), 0, "3\n")
	r := h.Run(bash(t, "echo out; echo err >&2; exit 4")...)
	wants(t, r, 4, "out\n")
	if quiet(r.Stderr) != "err\n" {
		t.Errorf("standard error is %q", r.Stderr)
	}
	// A middle part of a pipeline, with both ends in sandboxes as well.
	wants(t, script(t, h, `"$SANDBOX" "$@" 'seq 1 5' | "$SANDBOX" "$@" 'grep -v 3' | "$SANDBOX" "$@" 'wc -l'`,
		app(t, "org.gnu.Bash", nil, "-c")...), 0, "4\n")
}

// A reader that goes away ends the writer as it would without a sandbox.
func TestWriterEndsWithItsReader(t *testing.T) {
	t.Parallel()
	h := e2e.NewHome(t)
	start := time.Now()
	wants(t, script(t, h, `"$SANDBOX" "$@" | head -n 1; echo "${PIPESTATUS[0]}"`, bash(t, "exec yes")...), 0, "y\n141\n")
	if took := time.Since(start); took > soon {
		t.Errorf("it took %s", took)
	}
	// The same in a pipe inside.
	wants(t, h.Run(bash(t, `yes | head -n 1; echo "${PIPESTATUS[0]}"`)...), 0, "y\n141\n")
}

func TestClosedAndFullStreams(t *testing.T) {
	t.Parallel()
	h := e2e.NewHome(t)
	cases := []struct{ name, text, app, want string }{
		{"no standard input", `"$SANDBOX" "$@" <&-; echo $?`, "cat; echo read", "read\n0\n"},
		{"no standard output", `"$SANDBOX" "$@" >&-; echo $?`, "echo lost", "0\n"},
		{"no standard error", `"$SANDBOX" "$@" 2>&-; echo $?`, "echo lost >&2; echo kept", "kept\n0\n"},
		{"no stream at all", `"$SANDBOX" "$@" <&- >&- 2>&-; echo $?`, "echo lost; exit 5", "5\n"},
		{"empty input", `"$SANDBOX" "$@" </dev/null; echo $?`, "cat; echo read", "read\n0\n"},
		{"full output", `"$SANDBOX" "$@" >/dev/full; echo $?`, "/bin/echo lost", "1\n"},
		{"output is the input", `"$SANDBOX" "$@" 1<>both <both; echo $?; cat both`, "head -c 3 | tr a b", "0\nbbb"},
	}
	h.Write("both", "aaa")
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			wants(t, script(t, h, c.text, bash(t, c.app)...), 0, c.want)
		})
	}
}

// What sandbox prints itself is not lost in silence.
func TestOwnOutputToAFullDiskIsAnError(t *testing.T) {
	t.Parallel()
	h := e2e.NewHome(t)
	up := strings.TrimSpace(h.Run(bash(t, "sleep 100", "--detach", "--name", "up")...).Stdout)
	if up != "up" {
		t.Fatalf("--detach printed %q", up)
	}
	defer h.Run("kill", "up")
	for name, line := range map[string][]string{
		"ps":           {"ps"},
		"ps --json":    {"ps", "--json"},
		"stats":        {"stats"},
		"stats --json": {"stats", "--json"},
		"help":         {"--help"},
		"version":      {"--version"},
		"dry-run":      bash(t, "true", "--dry-run"),
		"dry-run json": bash(t, "true", "--dry-run", "--json"),
	} {
		t.Run(name, func(t *testing.T) {
			r := script(t, h, `"$SANDBOX" "$@" >/dev/full`, line...)
			if r.Code == 0 || !strings.Contains(r.Stderr, "no space left on device") {
				t.Errorf("ended with %d and said %q", r.Code, r.Stderr)
			}
		})
	}
}

func TestExitStatusIsExact(t *testing.T) {
	t.Parallel()
	h := e2e.NewHome(t)
	codes := []int{1, 2, 62, 63, 64, 65, 124, 125, 126, 127, 128, 129, 130, 137, 143, 254}
	for code := 0; code < 256; code += 15 {
		codes = append(codes, code)
	}
	for _, code := range codes {
		wants(t, h.Run(bash(t, fmt.Sprintf("exit %d", code))...), code, "")
	}
}

func TestSignalIsPassedOnAsAStatus(t *testing.T) {
	t.Parallel()
	h := e2e.NewHome(t)
	for _, sig := range []int{1, 2, 3, 4, 6, 8, 9, 10, 11, 13, 14, 15, 31, 34, 64} {
		r := h.Run(bash(t, fmt.Sprintf("exec sh -c 'kill -%d $$'", sig))...)
		if r.Code != 128+sig || quiet(r.Stderr) != "" {
			t.Errorf("after signal %d: status %d, %q", sig, r.Code, r.Stderr)
		}
	}
}

func TestProgramsThatCannotBeStarted(t *testing.T) {
	t.Parallel()
	h := e2e.NewHome(t)
	manifest := "id = \"org.example.Broken\"\nname = \"Broken\"\nversion = \"1\"\ncommand = \"plain\"\n"
	b := e2e.Bundle(t, manifest, map[string]string{
		"files/share/plain":      "=text",
		"files/bin/text":         "=echo no interpreter is named",
		"files/bin/noshell":      "=#!/no/such/shell\n",
		"files/bin/dir/file":     "=x",
		"files/bin/dangling":     "->nothing",
		"files/bin/circle":       "->circle",
		"files/bin/probe":        e2e.Probe(t),
		"files/bin/short":        "=\x7fELF",
		"files/share/deep/probe": "=" + e2e.Read(e2e.Probe(t)), // not linked: its mode will change
	})
	os.Chmod(filepath.Join(b, "files/share/deep/probe"), 0o644)
	cases := []struct {
		command string
		code    int
		says    string
	}{
		{"probe", 0, ""},
		{"bin/probe", 0, ""},
		{"/app/bin/probe", 0, ""},
		{"nothing", 127, "no such file"},
		{"bin/nothing", 127, "no such file"},
		{"/usr/bin/nothing", 127, "no such file"},
		{"dangling", 127, "no such file"},
		{"noshell", 127, "no such file"},
		{"/app/share/plain/x", 127, "not a directory"},
		{"/app/share/plain", 126, "permission denied"},
		{"/app/share/deep/probe", 126, "permission denied"},
		{"/app/bin/dir", 126, "permission denied"},
		{"/app", 126, "permission denied"},
		{"circle", 126, "symbolic links"},
		{"text", 126, "exec format error"},
		{"short", 126, "exec format error"},
	}
	for _, c := range cases {
		t.Run(c.command, func(t *testing.T) {
			r := h.Run("run", "--command", c.command, b)
			if r.Code != c.code || !strings.Contains(r.Stderr, c.says) || c.says != "" && !strings.HasPrefix(quiet(r.Stderr), "sandbox: error: cannot start ") {
				t.Errorf("status %d, want %d with %q; it said %q", r.Code, c.code, c.says, r.Stderr)
			}
			if c.code != 0 && !strings.Contains(r.Stderr, "hint: ") {
				t.Errorf("no hint: %q", r.Stderr)
			}
		})
	}
}
