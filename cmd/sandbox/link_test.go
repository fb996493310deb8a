package main

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"sandbox/internal/cli"
	"sandbox/internal/testenv"
	"sandbox/manifest"
	"sandbox/repo/installed"
	"sandbox/runtime"
)

func TestLinked(t *testing.T) {
	home := testenv.TempXDG(t)
	t.Setenv("SANDBOX_SYSTEM_DIR", filepath.Join(home, "none/store"))
	t.Cleanup(func() { calledAs = "" })
	bin := filepath.Join(home, ".local/share/sandbox/bin")
	if err := os.MkdirAll(bin, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, target := range map[string]string{
		"nano": installed.CommandLink("org.gnu.Nano", "nano"),
		"edit": installed.CommandLink("org.gnu.Nano", ""),
		"run":  installed.CommandLink("org.example.Run", "run"),
		"evil": "/usr/bin/env",
	} {
		if err := os.Symlink(target, filepath.Join(bin, name)); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		name       string
		argv, want []string
	}{
		{"the program itself", []string{"sandbox", "ps"}, []string{"ps"}},
		{"the program by its path", []string{"/usr/bin/sandbox", "ps"}, []string{"ps"}},
		{"another version of it", []string{"sandbox-1.2", "ps"}, []string{"ps"}},
		{"no name at all", nil, nil},
		{"a command", []string{"nano", "-w", "a b"}, []string{"run", "--command", "nano", "--", "org.gnu.Nano", "-w", "a b"}},
		{"a command by its path", []string{bin + "/nano"}, []string{"run", "--command", "nano", "--", "org.gnu.Nano"}},
		{"the main command", []string{"edit"}, []string{"run", "--", "org.gnu.Nano"}},
		{"a command that is called as a verb is", []string{"run", "--help"}, []string{"run", "--command", "run", "--", "org.example.Run", "--help"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := linked(c.argv)
			if err != nil || !slices.Equal(got, c.want) {
				t.Errorf("got %q, %v, want %q", got, err, c.want)
			}
		})
	}
	// A name that is not exported is not taken for sandbox: its first argument
	// would be performed as a verb.
	for _, name := range []string{"evil", "gone", "..", "-nano", ""} {
		got, err := linked([]string{name, "version"})
		if s, ok := errors.AsType[cli.Status](err); !ok || s.Code != cli.NotFound {
			t.Errorf("%q gives %q, %v", name, got, err)
		}
	}
}

// The main command keeps its arguments when it is started by its name.
func TestByName(t *testing.T) {
	t.Cleanup(func() { calledAs = "" })
	man, err := manifest.Parse("sandbox.toml", []byte("id = \"org.example.Tool\"\nversion = \"1\"\ncommand = \"tool\"\nargs = [\"-x\"]\ncommands = { tool = \"tool\", other = \"other\" }\n"))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"tool": "", "other": "other"} {
		calledAs = name
		req := runtime.Request{Manifest: man, Command: name}
		byName(&req, "")
		if req.Command != want || req.Name != name {
			t.Errorf("%s: %+v", name, req)
		}
	}
	calledAs = ""
	for _, c := range []struct{ exported, flag, want string }{{"tool", "", ""}, {"other", "", "other"}, {"other", "tool", "tool"}, {"", "", ""}} {
		req := runtime.Request{Manifest: man, Command: c.flag}
		byName(&req, c.exported)
		if req.Command != c.want || req.Name != "" {
			t.Errorf("%+v: %+v", c, req)
		}
	}
}
