package bundle

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"sandbox/internal/hint"
)

const head = `id = "org.example.Tool"
name = "Tool"
version = "1.0"
summary = "A tool for tests"
license = "MIT"
command = "tool"
`

// project writes a manifest and files; a name ending in "*" is executable.
func project(t testing.TB, manifest string, files map[string]string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "project")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "sandbox.toml"), head+manifest, 0o644)
	for name, body := range files {
		mode := fs.FileMode(0o644)
		if strings.HasSuffix(name, "*") {
			name, mode = strings.TrimSuffix(name, "*"), 0o755
		}
		write(t, filepath.Join(dir, name), body, mode)
	}
	return dir
}

func write(t testing.TB, name, body string, mode fs.FileMode) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(body), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(name, mode); err != nil {
		t.Fatal(err)
	}
}

const dirSource = `
[[build.source]]
type = "dir"
path = "root"
`

func mustBuild(t testing.TB, opts Options) *Result {
	t.Helper()
	if opts.Cache == "" {
		opts.Cache = t.TempDir()
	}
	res, err := Build(context.Background(), opts)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

func TestBuildStatic(t *testing.T) {
	archive := tarOf(t, member{name: "pkg/share/data", body: "data"}, member{name: "pkg/run", body: "#!", mode: 0o755})
	sum := sha256.Sum256(archive)
	dir := project(t, dirSource+fmt.Sprintf(`
[[build.source]]
type = "file"
path = "extra"
dest = "bin/extra"
executable = true

[[build.source]]
type = "archive"
path = "pkg.tar"
sha256 = %q
strip = 1
dest = "lib/pkg"
`, hex.EncodeToString(sum[:])), map[string]string{"root/bin/tool*": "#!/bin/sh\n", "root/share/t": "t", "extra": "x", "pkg.tar": string(archive)})
	if err := os.Symlink("tool", filepath.Join(dir, "root/bin/t")); err != nil {
		t.Fatal(err)
	}
	res := mustBuild(t, Options{Dir: dir})
	if res.Layout != Static || res.Files != 6 || res.Dir != filepath.Join(dir, "build") {
		t.Errorf("result %+v", res)
	}
	for name, mode := range map[string]fs.FileMode{"files/bin/tool": 0o755, "files/share/t": 0o644, "files/bin/extra": 0o755, "files/lib/pkg/share/data": 0o644, "files/lib/pkg/run": 0o755, "sandbox.toml": 0o644} {
		st, err := os.Lstat(filepath.Join(res.Dir, name))
		if err != nil || st.Mode() != mode || !st.ModTime().Equal(modTime) {
			t.Errorf("%s: %v, %v", name, st, err)
		}
	}
	if again, err := Digest(res.Dir); err != nil || again != res.Digest {
		t.Errorf("Digest = %q, %v; Build said %q", again, err, res.Digest)
	}
}

func TestSameInputSameBytes(t *testing.T) {
	dir := project(t, dirSource, map[string]string{"root/bin/tool*": "#!/bin/sh\n", "root/a/b/c": "1", "root/z": "2"})
	first := mustBuild(t, Options{Dir: dir, Out: filepath.Join(t.TempDir(), "one")})
	old := syscall.Umask(0o077)
	write(t, filepath.Join(dir, "root/z"), "2", 0o600)
	second := mustBuild(t, Options{Dir: dir, Out: filepath.Join(t.TempDir(), "two")})
	syscall.Umask(old)
	if first.Digest != second.Digest {
		t.Error("another umask, another digest")
	}
	if st, err := os.Stat(filepath.Join(second.Dir, "files/a/b")); err != nil || st.Mode().Perm() != 0o755 {
		t.Errorf("directory under umask 077: %v, %v", st.Mode(), err)
	}
	for name, change := range map[string]func(){
		"content": func() { write(t, filepath.Join(dir, "root/z"), "3", 0o644) },
		"mode":    func() { write(t, filepath.Join(dir, "root/z"), "3", 0o755) },
		"name":    func() { os.Rename(filepath.Join(dir, "root/z"), filepath.Join(dir, "root/y")) },
		"link":    func() { os.Symlink("y", filepath.Join(dir, "root/l")) },
	} {
		change()
		if res := mustBuild(t, Options{Dir: dir}); res.Digest == first.Digest {
			t.Errorf("another %s, the same digest", name)
		}
	}
}

// A build that fails leaves the earlier one and nothing else.
func TestBuildIsWholeOrNot(t *testing.T) {
	dir := project(t, dirSource, map[string]string{"root/bin/tool*": "one"})
	first := mustBuild(t, Options{Dir: dir})
	if err := os.Symlink("/etc/passwd", filepath.Join(dir, "root/bad")); err != nil {
		t.Fatal(err)
	}
	if _, err := Build(context.Background(), Options{Dir: dir}); err == nil || !strings.Contains(err.Error(), "files/bad") {
		t.Fatalf("a link to the host was accepted: %v", err)
	}
	if now, err := Digest(first.Dir); err != nil || now != first.Digest {
		t.Errorf("the earlier build is damaged: %v", err)
	}
	os.Remove(filepath.Join(dir, "root/bad"))
	write(t, filepath.Join(dir, "root/bin/tool"), "two", 0o755)
	if second := mustBuild(t, Options{Dir: dir}); second.Digest == first.Digest {
		t.Error("the new build did not take the place of the old")
	}
	left, _ := filepath.Glob(filepath.Join(dir, ".*"))
	if len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}

func TestKilledBuildIsSweptUp(t *testing.T) {
	dir := project(t, dirSource, map[string]string{"root/bin/tool*": "one"})
	write(t, filepath.Join(dir, ".build.build-123/files/half"), "", 0o644)
	mustBuild(t, Options{Dir: dir})
	if left, _ := filepath.Glob(filepath.Join(dir, ".build.build-*")); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}

func TestBuildBelowASource(t *testing.T) {
	dir := project(t, dirSource, map[string]string{"root/bin/tool*": "one"})
	out := filepath.Join(dir, "root", "build")
	first := mustBuild(t, Options{Dir: dir, Out: out})
	second := mustBuild(t, Options{Dir: dir, Out: out})
	if first.Digest != second.Digest {
		t.Error("the second build holds the first")
	}
}

func TestOut(t *testing.T) {
	dir := project(t, dirSource, map[string]string{"root/bin/tool*": "one"})
	for _, c := range []struct {
		name string
		make func(out string)
		ok   bool
	}{
		{"absent", func(string) {}, true},
		{"empty directory", func(out string) { os.Mkdir(out, 0o755) }, true},
		{"below a missing directory", func(string) {}, true},
		{"somebody's directory", func(out string) { write(t, filepath.Join(out, "thesis.txt"), "", 0o644) }, false},
		{"bundle with more in it", func(out string) {
			write(t, filepath.Join(out, "files/x"), "", 0o644)
			write(t, filepath.Join(out, "sandbox.toml"), "", 0o644)
			write(t, filepath.Join(out, "notes"), "", 0o644)
		}, false},
		{"files without a manifest", func(out string) { write(t, filepath.Join(out, "files/x"), "", 0o644) }, false},
		{"file", func(out string) { write(t, out, "", 0o644) }, false},
		{"link to a directory", func(out string) { os.Symlink(t.TempDir(), out) }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			out := filepath.Join(t.TempDir(), "out")
			c.make(out)
			_, err := Build(context.Background(), Options{Dir: dir, Out: out})
			if (err == nil) != c.ok {
				t.Errorf("got %v, want accepted = %v", err, c.ok)
			}
		})
	}
}

func TestBadSources(t *testing.T) {
	long := strings.Repeat("0", 64)
	for _, c := range []struct {
		name, manifest string
		files          map[string]string
		prepare        func(dir string)
		want           string
	}{
		{"absent", dirSource, nil, nil, "no such file"},
		{"file as directory", dirSource, map[string]string{"root": "x"}, nil, "not a directory"},
		{"link out of the project", dirSource, nil, func(dir string) { os.Symlink("/etc", filepath.Join(dir, "root")) }, "escapes"},
		{"FIFO in a directory", dirSource, map[string]string{"root/x": ""}, func(dir string) { syscall.Mkfifo(filepath.Join(dir, "root/pipe"), 0o644) }, "cannot hold"},
		{"FIFO as file", "[[build.source]]\ntype = \"file\"\npath = \"pipe\"\n", nil, func(dir string) { syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o644) }, "no regular file"},
		{"wrong digest of a file", "[[build.source]]\ntype = \"file\"\npath = \"f\"\nsha256 = \"" + long + "\"\n", map[string]string{"f": "x"}, nil, "sha256 is 2d711642"},
		{"wrong digest of an archive", "[[build.source]]\ntype = \"archive\"\npath = \"f\"\nsha256 = \"" + long + "\"\n", map[string]string{"f": "x"}, nil, "sha256 is"},
		{"two sources, one name", dirSource + dirSource, map[string]string{"root/x": ""}, nil, "twice"},
		{"debian without a runtime", "[[build.source]]\ntype = \"debian\"\nsuite = \"bookworm\"\npackages = [\"nano\"]\n", nil, nil, "needs a runtime"},
		{"steps without a sandbox", "[build]\nsteps = [\"make\"]\n", nil, nil, "cannot run build steps"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := project(t, c.manifest, c.files)
			if c.prepare != nil {
				c.prepare(dir)
			}
			_, err := Build(context.Background(), Options{Dir: dir, Cache: t.TempDir()})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want a refusal with %q", err, c.want)
			}
			if _, err := os.Lstat(filepath.Join(dir, "build")); err == nil {
				t.Error("something was built")
			}
		})
	}
}

func TestNoManifest(t *testing.T) {
	_, err := Build(context.Background(), Options{Dir: t.TempDir()})
	if err == nil || !strings.Contains(hint.Of(err), "init") {
		t.Errorf("got %v, hint %q", err, hint.Of(err))
	}
}

type stepFunc func(step, tree string) error

func (f stepFunc) Run(_ context.Context, step, tree string) error { return f(step, tree) }

// Without a source files/ is the bundle's; where there is none either, nothing but
// the manifest is built, and that is said.
func TestNoSource(t *testing.T) {
	for _, c := range []struct {
		what, manifest string
		files          map[string]string
		want           int // files
		warned         bool
	}{
		{"nothing", "", nil, 1, true},
		{"other directories", "", map[string]string{"src/tool": "x"}, 1, true},
		{"a file of that name", "", map[string]string{"files": "x"}, 1, true},
		{"files/", "", map[string]string{"files/bin/tool*": "x", "files/share/doc": "x", "README": "x"}, 3, false},
		{"files/ beside a source", dirSource, map[string]string{"root/bin/tool*": "x", "files/bin/other*": "x", "files/share/doc": "x"}, 2, false},
	} {
		warned := 0
		r, err := Build(t.Context(), Options{Dir: project(t, c.manifest, c.files), Progress: func(e Event) {
			if e.Warning {
				warned++
			}
		}})
		if err != nil {
			t.Errorf("%s: %v", c.what, err)
			continue
		}
		if r.Files != c.want || (len(r.Warnings) == 1) != c.warned || (warned == 1) != c.warned {
			t.Errorf("%s: %d files, warnings %q, told %d times", c.what, r.Files, r.Warnings, warned)
		}
	}
	for _, dir := range []string{filepath.Join(t.TempDir(), "none"), filepath.Join(project(t, "", nil), "sandbox.toml")} {
		if _, err := Build(t.Context(), Options{Dir: dir}); err == nil || hint.Of(err) == "" || !strings.Contains(err.Error(), "is no directory") {
			t.Errorf("%s: %v", dir, err)
		}
	}
}

func TestSteps(t *testing.T) {
	dir := project(t, dirSource+"[build]\nsteps = [\"one\", \"two\"]\n", map[string]string{"root/bin/tool*": ""})
	var ran []string
	res, err := Build(context.Background(), Options{Dir: dir, Run: stepFunc(func(step, tree string) error {
		ran = append(ran, step)
		return os.WriteFile(filepath.Join(tree, "files", step), nil, 0o664)
	})})
	if err != nil || res.Files != 4 || strings.Join(ran, " ") != "one two" {
		t.Fatalf("%+v, %v, ran %q", res, err, ran)
	}
	for name, step := range map[string]func(tree string) error{
		"fails":         func(string) error { return errors.New("exit status 2") },
		"plants a link": func(tree string) error { return os.Symlink("/etc", filepath.Join(tree, "files/etc")) },
		"plants a FIFO": func(tree string) error { return syscall.Mkfifo(filepath.Join(tree, "files/pipe"), 0o644) },
		"replaces files/": func(tree string) error {
			os.RemoveAll(filepath.Join(tree, "files"))
			return os.Symlink("/etc", filepath.Join(tree, "files"))
		},
		"adds at the top": func(tree string) error { return os.Mkdir(filepath.Join(tree, "etc"), 0o755) },
		"rewrites manifest": func(tree string) error {
			return os.WriteFile(filepath.Join(tree, "sandbox.toml"), []byte(head+"homepage = \"https://example.org\"\n"), 0o644)
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Build(context.Background(), Options{Dir: dir, Run: stepFunc(func(_, tree string) error { return step(tree) })})
			if err == nil {
				t.Error("accepted")
			}
			if now, err := Digest(res.Dir); err != nil || now != res.Digest {
				t.Errorf("the earlier build is damaged: %v", err)
			}
		})
	}
}

func TestCancelled(t *testing.T) {
	dir := project(t, dirSource, map[string]string{"root/bin/tool*": ""})
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Build(ctx, Options{Dir: dir}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestSwapInSteps(t *testing.T) {
	dir := t.TempDir()
	s := &staging{dir: filepath.Join(dir, "new"), out: filepath.Join(dir, "out")}
	write(t, filepath.Join(s.dir, "f"), "new", 0o644)
	write(t, filepath.Join(s.out, "f"), "old", 0o644)
	if err := s.swapInSteps(); err != nil {
		t.Fatal(err)
	}
	now, _ := os.ReadFile(filepath.Join(s.out, "f"))
	old, _ := os.ReadFile(filepath.Join(s.dir, "f"))
	if string(now) != "new" || string(old) != "old" {
		t.Errorf("at out %q, aside %q", now, old)
	}
}

func TestExecutableIsWhatTheManifestSays(t *testing.T) {
	dir := project(t, "[[build.source]]\ntype = \"file\"\npath = \"a\"\n\n[[build.source]]\ntype = \"file\"\npath = \"b\"\nexecutable = true\n", map[string]string{"a*": "", "b": ""})
	res := mustBuild(t, Options{Dir: dir})
	for name, mode := range map[string]fs.FileMode{"a": 0o644, "b": 0o755} {
		if st, err := os.Stat(filepath.Join(res.Dir, "files", name)); err != nil || st.Mode() != mode {
			t.Errorf("%s: %v, %v", name, st, err)
		}
	}
}
