// Package testapps builds the bundles of testdata/apps for tests, once for
// each user of a machine.
package testapps

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sandbox/internal/testenv"
	"sandbox/manifest"
	"sandbox/repo/bundle"
)

// Bundle returns the bundle directory of the application id in testdata/apps
// and that of its runtime, "" without one. Both are built when they are not
// there yet or when what they are made from has changed; other test processes
// may do the same at the same time. Others may read them, nobody may change
// them. The test is skipped where apt, Go or the archive is missing. Where
// SANDBOX_TEST_BUNDLES names a directory, they are taken from there as they are.
func Bundle(t testing.TB, id string) (bundleDir, runtimeDir string) {
	t.Helper()
	b, err := find(id)
	if err != nil {
		t.Fatal(err)
	}
	if dir := os.Getenv("SANDBOX_TEST_BUNDLES"); dir != "" {
		return b.ready(t, dir)
	}
	if b.debian {
		testenv.NeedCommand(t, "apt-get")
	}
	if b.compiled {
		testenv.NeedCommand(t, "go")
	}
	err = b.make(t.Context())
	if errors.Is(err, bundle.ErrUnreachable) {
		testenv.Skip(t, "needs a Debian archive: %v", err)
	}
	if err != nil {
		t.Fatalf("cannot build %s for the test: %v", id, err)
	}
	if b.runtime != nil {
		runtimeDir = b.runtime.out
	}
	return b.out, runtimeDir
}

func (b *recipe) ready(t testing.TB, dir string) (bundleDir, runtimeDir string) {
	t.Helper()
	if b.runtime != nil {
		runtimeDir = filepath.Join(dir, b.runtime.id)
	}
	bundleDir = filepath.Join(dir, b.id)
	if _, err := os.Stat(filepath.Join(bundleDir, manifest.FileName)); err != nil {
		t.Fatalf("no bundle of %s is ready: %v", b.id, err)
	}
	return bundleDir, runtimeDir
}

// IDs are the applications of testdata/apps, without runtimes.
func IDs(t testing.TB) []string {
	t.Helper()
	root, err := root()
	if err != nil {
		t.Fatal(err)
	}
	names, err := filepath.Glob(filepath.Join(root, "testdata/apps/*", manifest.FileName))
	if err != nil || len(names) == 0 {
		t.Fatalf("no applications in testdata/apps: %v", err)
	}
	var ids []string
	for _, name := range names {
		if b, err := find(filepath.Base(filepath.Dir(name))); err != nil {
			t.Error(err)
		} else if b.kind != manifest.Runtime {
			ids = append(ids, b.id)
		}
	}
	return ids
}

// Cache is the build cache that Bundle uses, for tests that build by themselves.
func Cache(t testing.TB) string {
	t.Helper()
	dir, err := home()
	if err != nil {
		t.Fatal(err)
	}
	dir = filepath.Join(dir, "cache")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// A recipe is one application to build and where the result goes: the name
// holds a digest of everything that the result is made from.
type recipe struct {
	id       string
	kind     manifest.Kind
	source   string // in testdata/apps
	root     string
	home     string
	out      string
	debian   bool
	compiled bool // has a Go program
	runtime  *recipe
}

func find(id string) (*recipe, error) {
	root, err := root()
	if err != nil {
		return nil, err
	}
	b := &recipe{id: id, root: root, source: filepath.Join(root, "testdata/apps", id)}
	if b.home, err = home(); err != nil {
		return nil, err
	}
	m, err := manifest.Load(b.source)
	if err != nil {
		return nil, err
	}
	b.kind = m.Kind
	for _, s := range m.Build.Sources {
		b.debian = b.debian || s.Type == manifest.SourceDebian
	}
	if _, err := os.Stat(filepath.Join(b.source, "main.go")); err == nil {
		b.compiled = true
	}
	below := ""
	if m.Runtime.ID != "" {
		if b.runtime, err = find(string(m.Runtime.ID)); err != nil {
			return nil, err
		}
		below = b.runtime.out
	}
	key, err := digest(below, filepath.Join(b.source, "*"), filepath.Join(root, "repo/bundle/*.go"))
	if err != nil {
		return nil, err
	}
	b.out = filepath.Join(b.home, id+"-"+key[:16])
	return b, nil
}

// digest is over the regular files that the patterns name.
func digest(salt string, patterns ...string) (string, error) {
	h := sha256.New()
	io.WriteString(h, filepath.Base(salt))
	for _, p := range patterns {
		names, err := filepath.Glob(p)
		if err != nil {
			return "", err
		}
		for _, name := range names {
			if st, err := os.Stat(name); err != nil || !st.Mode().IsRegular() || filepath.Base(name) == bundle.LockName || strings.HasSuffix(name, "_test.go") {
				continue
			}
			data, err := os.ReadFile(name)
			if err != nil {
				return "", err
			}
			fmt.Fprintf(h, "\x00%s\x00%d\x00", filepath.Base(name), len(data))
			h.Write(data)
		}
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

func (b *recipe) make(ctx context.Context) error {
	if b.runtime != nil {
		if err := b.runtime.make(ctx); err != nil {
			return err
		}
	}
	unlock, err := lock(filepath.Join(b.home, b.id+".lock"))
	if err != nil {
		return err
	}
	defer unlock()
	if _, err := os.Stat(filepath.Join(b.out, manifest.FileName)); err == nil {
		return nil
	}
	b.sweep()
	project, err := b.project(ctx)
	if err != nil {
		return err
	}
	defer os.RemoveAll(project)
	opts := bundle.Options{Dir: project, Out: b.out, Cache: filepath.Join(b.home, "cache")}
	if b.runtime != nil {
		opts.Runtime = b.runtime.out
	}
	_, err = bundle.Build(ctx, opts)
	return err
}

// project copies the sources, so that neither a lock nor a compiled program
// ends up in the working tree, which may be read-only.
func (b *recipe) project(ctx context.Context) (string, error) {
	dir, err := os.MkdirTemp(b.home, "project-")
	if err != nil {
		return "", err
	}
	data, err := os.ReadFile(filepath.Join(b.source, manifest.FileName))
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, manifest.FileName), data, 0o644)
	}
	if err == nil && b.compiled {
		err = b.compile(ctx, filepath.Join(dir, "root/bin/hello"))
	}
	if err != nil {
		os.RemoveAll(dir)
		return "", err
	}
	return dir, nil
}

func (b *recipe) compile(ctx context.Context, out string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w", "-o", out, "./testdata/apps/"+b.id)
	cmd.Dir = b.root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if said, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w\n%s", err, said)
	}
	return nil
}

// sweep removes what earlier versions of the sources left, once it is old
// enough that no running test uses it.
func (b *recipe) sweep() {
	old, _ := filepath.Glob(filepath.Join(b.home, b.id+"-*"))
	for _, dir := range old {
		var st unix.Stat_t
		if unix.Lstat(dir, &st) == nil && time.Since(time.Unix(st.Ctim.Unix())) > 24*time.Hour {
			os.RemoveAll(dir)
		}
	}
}

// root is the top of the working tree that the test runs in.
var root = sync.OnceValues(func() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for ; dir != "/"; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "testdata/apps")); err == nil {
			return dir, nil
		}
	}
	return "", errors.New("testdata/apps is not above the working directory")
})

// home is where the bundles are kept. Everybody may look, since root's tests
// launch them as other users; only its owner may write, or anyone could plant a
// bundle there.
func home() (string, error) {
	dir := filepath.Join(os.TempDir(), fmt.Sprintf("sandbox-testapps-%d", os.Geteuid()))
	if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", err
	}
	var st unix.Stat_t
	if err := unix.Lstat(dir, &st); err != nil {
		return "", err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFDIR || int(st.Uid) != os.Geteuid() || st.Mode&0o022 != 0 {
		return "", fmt.Errorf("cannot use %q: it is not ours alone", dir)
	}
	return dir, os.Chmod(dir, 0o755)
}

func lock(name string) (unlock func(), err error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	for {
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX)
		if err != unix.EINTR {
			break
		}
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return func() { f.Close() }, nil
}
