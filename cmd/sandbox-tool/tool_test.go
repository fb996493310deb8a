package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"sandbox/internal/cli"
	"sandbox/internal/hint"
	"sandbox/internal/testenv"
)

// sandbox runs the tree as main does and returns what it printed.
func sandbox(args ...string) (stdout string, err error) {
	var out bytes.Buffer
	root := newRoot()
	root.SetOut(&out)
	root.SetErr(&bytes.Buffer{})
	root.SetArgs(args)
	err = root.Execute()
	return out.String(), err
}

func TestTableAndTreeAgree(t *testing.T) {
	root := newRoot()
	root.InitDefaultHelpCmd()
	for i := range cli.Verbs {
		v := &cli.Verbs[i]
		c, _, err := root.Find([]string{v.Name})
		if err != nil || c.Name() != v.Name || c.Short != v.Summary {
			t.Errorf("%s is in the table but not performed: %v", v.Name, err)
		}
	}
	for _, c := range root.Commands() {
		if _, ok := cli.Find(c.Name()); !ok && !c.Hidden {
			t.Errorf("%s is performed but not in the table", c.Name())
		}
	}
}

func TestHelp(t *testing.T) {
	overview, err := sandbox("help")
	if err != nil {
		t.Fatal(err)
	}
	for i := range cli.Verbs {
		v := &cli.Verbs[i]
		if !strings.Contains(overview, v.Summary) {
			t.Errorf("the overview lacks %s", v.Name)
		}
		asked, err := sandbox("help", v.Name)
		line := v.Line()
		if c, _, _ := newRoot().Find([]string{v.Name}); c.Name() == v.Name && c.HasSubCommands() {
			line = "sandbox " + v.Name + " " + c.Commands()[0].Name()
		}
		if err != nil || !strings.Contains(asked, line) {
			t.Errorf("help %s: %v\n%s", v.Name, err, asked)
		}
		if v.Binary == cli.Tool {
			if flag, err := sandbox(v.Name, "--help"); err != nil || flag != asked {
				t.Errorf("%s --help differs from help %s", v.Name, v.Name)
			}
		}
	}
	for _, name := range topicNames() {
		if text, err := sandbox("help", name); err != nil || text == "" {
			t.Errorf("help %s: %v", name, err)
		}
	}
}

func TestUsageErrors(t *testing.T) {
	for _, c := range []struct {
		name       string
		args       []string
		want, hint string
	}{
		{"unknown verb", []string{"biuld"}, `unknown verb "biuld"`, "did you mean 'sandbox build'?"},
		{"unknown flag", []string{"lint", "--jsn"}, "unknown flag: --jsn", "see 'sandbox lint --help'"},
		{"too many arguments", []string{"lint", "a", "b"}, `unexpected argument "b"`, "see 'sandbox lint --help'"},
		{"too few arguments", []string{"man"}, "too few arguments: usage: sandbox man DIR", "see 'sandbox man --help'"},
		{"unknown topic", []string{"help", "exit-statsu"}, `no help on "exit-statsu"`, "did you mean 'sandbox help exit-status'?"},
		{"unknown shell", []string{"completion", "tcsh"}, `cannot complete for the shell "tcsh"`, "see 'sandbox completion --help'"},
		{"unknown kind", []string{"permission", "list", "netwrok"}, `unknown kind of permission "netwrok"`, "did you mean network?"},
		{"unknown sub-verb", []string{"permission", "what"}, `sandbox permission has no verb "what"`, "see 'sandbox permission --help'"},
		{"typo of one", []string{"permission", "lits"}, `sandbox permission has no verb "lits"`, "did you mean 'sandbox permission list'?"},
		{"typo of a remote's", []string{"remote", "ad"}, `sandbox remote has no verb "ad"`, "did you mean 'sandbox remote add'?"},
		{"typo of a snapshot's", []string{"snapshot", "crate"}, `sandbox snapshot has no verb "crate"`, "did you mean 'sandbox snapshot create'?"},
		{"typo of an alias's", []string{"alias", "sett"}, `sandbox alias has no verb "sett"`, "did you mean 'sandbox alias set'?"},
		{"who wants to grant", []string{"permission", "grant", "x"}, `sandbox permission has no verb "grant"`, "'sandbox run --grant PERMISSION APP' and --deny are for one run; what is asked for at every start stands in the app's manifest"},
		{"bad id", []string{"init", "x"}, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			_, err := sandbox(c.args...)
			if s, ok := errors.AsType[cli.Status](err); !ok || s.Code != cli.UsageError {
				t.Fatalf("not a usage error: %v", err)
			}
			if c.want != "" && (err.Error() != c.want || hint.Of(err) != c.hint) {
				t.Errorf("got  %v (hint %q)\nwant %s (hint %q)", err, hint.Of(err), c.want, c.hint)
			}
		})
	}
}

func TestInitThenLint(t *testing.T) {
	t.Chdir(t.TempDir())
	if _, err := sandbox("init", "org.example.Tool"); err != nil {
		t.Fatal(err)
	}
	if out, err := sandbox("lint"); err != nil {
		t.Errorf("lint refuses what init wrote: %v\n%s", err, out)
	}
	before, err := os.ReadFile("sandbox.toml")
	if err != nil || !bytes.Contains(before, []byte("org.example.Tool")) {
		t.Fatalf("%v\n%s", err, before)
	}
	if _, err := sandbox("init", "org.example.Other"); err == nil {
		t.Error("init wrote over a manifest")
	}
	if after, _ := os.ReadFile("sandbox.toml"); !bytes.Equal(before, after) {
		t.Error("the manifest has changed")
	}
}

func TestLint(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "sandbox.toml")
	if err := os.WriteFile(file, []byte("id = \"org.example.App\"\nversion = \"1\"\nnmae = \"x\"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{dir, file} {
		out, err := sandbox("lint", path)
		if err == nil || !strings.Contains(out, "sandbox.toml:3:1: error: ") {
			t.Errorf("lint %s: %v\n%s", path, err, out)
		}
	}
	out, err := sandbox("lint", "--json", dir)
	var problems []struct {
		File, Text string
		Line       int
	}
	if e := json.Unmarshal([]byte(out), &problems); e != nil || err == nil || len(problems) == 0 || problems[len(problems)-1].Line != 3 {
		t.Errorf("%v, %v: %s", err, e, out)
	}
	if _, err := sandbox("lint", t.TempDir()); err == nil || hint.Of(err) == "" {
		t.Errorf("an empty directory: %v (hint %q)", err, hint.Of(err))
	}
}

func TestBuild(t *testing.T) {
	t.Setenv("HOME", t.TempDir())
	dir := t.TempDir()
	text := `id = "org.example.App"
version = "1"
command = "hello"

[[build.source]]
type = "file"
path = "hello"
dest = "bin/hello"
executable = true
`
	for name, content := range map[string]string{"sandbox.toml": text, "hello": "not really a program"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	out, err := sandbox("build", "--json", "--out", filepath.Join(dir, "out"), dir)
	var built builtRow
	if e := json.Unmarshal([]byte(out), &built); err != nil || e != nil {
		t.Fatalf("%v, %v: %s", err, e, out)
	}
	info, err := os.Stat(filepath.Join(built.Dir, "files/bin/hello"))
	if err != nil || info.Mode() != 0o755 || built.Layout != "static" || built.Files == 0 || built.Warnings == nil {
		t.Errorf("%+v: %v, %v", built, info, err)
	}
	again, err := sandbox("build", "--out", filepath.Join(dir, "out"), dir)
	if err != nil || again != built.Dir+"\n" {
		t.Errorf("%v: %q, want %q", err, again, built.Dir)
	}
}

func TestPermissionList(t *testing.T) {
	out, err := sandbox("permission", "list", "limit")
	if err != nil || !strings.Contains(out, "limit:memory=VALUE  low ") {
		t.Errorf("%v\n%s", err, out)
	}
	out, err = sandbox("permission", "list", "--json")
	if err != nil || !json.Valid([]byte(out)) {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestComplete(t *testing.T) {
	for _, c := range []struct {
		name string
		args []string
		want string
	}{
		{"verbs of both programs", []string{""}, "run\t"},
		{"verbs of both programs, the other one", []string{""}, "build\t"},
		{"flags of the lean program", []string{"run", "--de"}, "--detach\t"},
		{"flags of this program", []string{"build", "--up"}, "--update-lock\t"},
		{"permissions", []string{"run", "--grant", "network:h"}, "network:host\t"},
		{"limits", []string{"run", "--limit", "mem"}, "memory=\t"},
		{"kinds", []string{"permission", "list", ""}, "network\t"},
		{"shells", []string{"completion", ""}, "fish"},
		{"topics", []string{"help", ""}, "exit-status"},
		{"directories", []string{"run", "./"}, ":16"},
	} {
		t.Run(c.name, func(t *testing.T) {
			out, err := sandbox(append([]string{"__complete"}, c.args...)...)
			if err != nil || !strings.Contains(out, c.want) {
				t.Errorf("%v: no %q in\n%s", err, c.want, out)
			}
		})
	}
	t.Run("the app's flags are not ours", func(t *testing.T) {
		if out, _ := sandbox("__complete", "run", "app", "--de"); strings.Contains(out, "--detach") {
			t.Error(out)
		}
	})
}

func TestCompletionScriptsParse(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish"} {
		t.Run(shell, func(t *testing.T) {
			script, err := sandbox("completion", shell)
			if err != nil {
				t.Fatal(err)
			}
			c := exec.Command(testenv.NeedCommand(t, shell), "-n")
			c.Stdin = strings.NewReader(script)
			if out, err := c.CombinedOutput(); err != nil {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
}

func TestInstanceNames(t *testing.T) {
	got := instanceNames([]byte(`[{"instance":"nano-1","app":"org.gnu.Nano"},{"instance":"evil\u001b[2J","app":"x"},{"instance":""}]`))
	if len(got) != 1 || got[0] != "nano-1\torg.gnu.Nano" {
		t.Errorf("%q", got)
	}
	if got := instanceNames([]byte("nonsense")); got != nil {
		t.Errorf("%q", got)
	}
}

func TestManPages(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "man1")
	if _, err := sandbox("man", dir); err != nil {
		t.Fatal(err)
	}
	for i := range cli.Verbs {
		page, err := os.ReadFile(filepath.Join(dir, "sandbox-"+cli.Verbs[i].Name+".1"))
		if err != nil || !bytes.HasPrefix(page, []byte(".TH ")) {
			t.Errorf("%s: %v", cli.Verbs[i].Name, err)
		}
	}
	page, err := os.ReadFile(filepath.Join(dir, "sandbox-run.1"))
	if err != nil || !bytes.Contains(page, []byte(`\-\-dry\-run`)) {
		t.Errorf("%v\n%s", err, page)
	}
	page, err = os.ReadFile(filepath.Join(dir, "sandbox-permission.1"))
	if err != nil || !bytes.Contains(page, []byte("sandbox permission list [KIND]")) || !bytes.Contains(page, []byte(`\-\-json`)) {
		t.Errorf("%v\n%s", err, page)
	}
}
