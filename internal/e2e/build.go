package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

var (
	buildMu sync.Mutex
	built   = map[string]string{}
	binDir  string
)

// Main runs the tests of a package and removes what was built for them.
func Main(m *testing.M) int {
	code := m.Run()
	buildMu.Lock()
	defer buildMu.Unlock()
	if binDir != "" {
		os.RemoveAll(binDir)
	}
	return code
}

// Program returns the path of one of the project's programs, by the name of its
// directory in cmd.
func Program(t testing.TB, name string) string {
	t.Helper()
	return build(t, name, "./cmd/"+name)
}

// Probe returns the path of the probe.
func Probe(t testing.TB) string {
	t.Helper()
	return build(t, "probe", "./testdata/probe")
}

// build compiles a package once per test process, static and readable by all:
// what root's apps run must be open to an id that is not root.
func build(t testing.TB, name, pkg string) string {
	t.Helper()
	buildMu.Lock()
	defer buildMu.Unlock()
	if path := built[name]; path != "" {
		return path
	}
	if path := ready(t, name); path != "" {
		built[name] = path
		return path
	}
	if binDir == "" {
		dir, err := os.MkdirTemp("", "sandbox-e2e-")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		binDir = dir
	}
	path := filepath.Join(binDir, name)
	c := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", path, pkg)
	c.Dir = moduleRoot(t)
	c.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("cannot build %s: %v\n%s", pkg, err, out)
	}
	if err := os.Chmod(path, 0o755); err != nil {
		t.Fatal(err)
	}
	built[name] = path
	return path
}

// ready is a program that was built before, for machines without Go: the
// variable names their directory. One that is missing there is an error.
func ready(t testing.TB, name string) string {
	t.Helper()
	dir := os.Getenv("SANDBOX_TEST_PROGRAMS")
	if dir == "" {
		return ""
	}
	path := filepath.Join(dir, name)
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("no program %q is ready: %v", name, err)
	}
	return path
}

// moduleRoot is the directory of go.mod above the test's package.
func moduleRoot(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	for ; err == nil && dir != "/"; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
	}
	t.Fatal("cannot find go.mod above the working directory")
	return ""
}

// Bundle makes a bundle's directory from the text of its manifest and files,
// by name in the bundle ("files/bin/probe", "usr/etc/x"): the path of a file
// to copy, or "=TEXT" for its content, or "->TARGET" for a symbolic link.
// Files below a bin directory are executable.
func Bundle(t testing.TB, manifest string, files map[string]string) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "sb-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(dir, "sandbox.toml"), []byte(manifest), 0o644)
	for name, from := range files {
		place(t, filepath.Join(dir, name), from)
	}
	return dir
}

func place(t testing.TB, path, from string) {
	t.Helper()
	mode := os.FileMode(0o644)
	if filepath.Base(filepath.Dir(path)) == "bin" {
		mode = 0o755
	}
	if text, ok := strings.CutPrefix(from, "="); ok {
		put(t, path, []byte(text), mode)
		return
	}
	if target, ok := strings.CutPrefix(from, "->"); ok {
		makeParents(t, path)
		if err := os.Symlink(target, path); err != nil {
			t.Fatal(err)
		}
		return
	}
	makeParents(t, path)
	// A link where that is possible: programs are large.
	if os.Link(from, path) == nil {
		return
	}
	data, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	put(t, path, data, mode)
}

func put(t testing.TB, path string, data []byte, mode os.FileMode) {
	t.Helper()
	makeParents(t, path)
	if err := os.WriteFile(path, data, mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

func makeParents(t testing.TB, path string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
}

// ProbeBundle makes a static bundle whose program is the probe. Its id is the
// test's own, so that instances can be told apart. More lines of the manifest
// may follow, tables last.
func ProbeBundle(t testing.TB, more ...string) string {
	t.Helper()
	manifest := fmt.Sprintf("id = %q\nname = \"Probe\"\nversion = \"1\"\ncommand = \"probe\"\n%s\n", freshID(), strings.Join(more, "\n"))
	return Bundle(t, manifest, map[string]string{"files/bin/probe": Probe(t)})
}
