package installed

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sandbox/internal/disk"
	"sandbox/internal/hint"
	"sandbox/internal/testenv"
	"sandbox/manifest"
)

const tree = "0123456789ab"

// deployed makes a release by hand, as package store leaves it.
func deployed(t testing.TB, place Place, ref, name string) string {
	t.Helper()
	dir := filepath.Join(place.Dir, "deploy", ref)
	if err := os.MkdirAll(filepath.Join(dir, name, "files"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, f := range []string{name + "/sandbox.toml", name + RecordSuffix, name + LockSuffix} {
		if err := os.WriteFile(filepath.Join(dir, f), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	os.Remove(filepath.Join(dir, Current))
	if err := os.Symlink(name, filepath.Join(dir, Current)); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, name)
}

func newPlace(t testing.TB) Place {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "store")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return Place{Dir: dir}
}

const edit = "app/org.example.Edit/any/stable"

func TestHoldAndRelease(t *testing.T) {
	p := newPlace(t)
	want := deployed(t, p, edit, "3-"+tree)
	b, err := App([]Place{p}, "org.example.Edit", "")
	if err != nil {
		t.Fatal(err)
	}
	if b.Dir != want || b.Deployment.N != 3 || b.Ref.String() != edit || b.System {
		t.Errorf("got %+v", b)
	}
	fd, err := unix.Open(want+LockSuffix, unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := disk.TryExclusive(fd); !errors.Is(err, disk.ErrLocked) {
		t.Errorf("it is not held: %v", err)
	}
	flags, err := unix.FcntlInt(uintptr(b.lock), unix.F_GETFD, 0)
	if err != nil || flags&unix.FD_CLOEXEC == 0 {
		t.Errorf("a program that is started would inherit it: %v", err)
	}
	b.Release()
	b.Release() // the number is somebody else's by now
	if err := disk.TryExclusive(fd); err != nil {
		t.Errorf("it is still held: %v", err)
	}
}

// A machine's arch comes before "any", and what is for another machine is not seen.
func TestArch(t *testing.T) {
	p := newPlace(t)
	deployed(t, p, "app/org.example.Edit/sparc/stable", "9-"+tree)
	if _, err := App([]Place{p}, "org.example.Edit", ""); err == nil {
		t.Error("another machine's app is found")
	}
	deployed(t, p, "app/org.example.Edit/any/stable", "1-"+tree)
	deployed(t, p, "app/org.example.Edit/"+HostArch()+"/stable", "2-"+tree)
	if b, err := App([]Place{p}, "org.example.Edit", ""); err != nil || b.Deployment.N != 2 {
		t.Errorf("%+v %v", b, err)
	}
}

func TestRuntime(t *testing.T) {
	p := newPlace(t)
	deployed(t, p, "runtime/org.example.Base/any/12", "1-"+tree)
	want := manifest.RuntimeRef{ID: "org.example.Base", Channel: "12"}
	if b, err := Runtime([]Place{p}, want); err != nil || b.Ref.Kind != manifest.Runtime {
		t.Errorf("%+v %v", b, err)
	}
	want.Channel = "13"
	if _, err := Runtime([]Place{p}, want); err == nil {
		t.Error("another channel's is found")
	} else if _, ok := errors.AsType[*NotInstalled](err); !ok {
		t.Error(err)
	}
	// An app is no runtime, and a runtime no app.
	if _, err := App([]Place{p}, "org.example.Base", ""); err == nil {
		t.Error("a runtime is run")
	}
}

// A store may lie on a disk that was in another machine: what its names and links
// say leads nowhere else.
func TestHostileStore(t *testing.T) {
	canary := filepath.Join(t.TempDir(), "canary")
	os.MkdirAll(filepath.Join(canary, "files"), 0o755)
	os.WriteFile(canary+"/sandbox.toml", nil, 0o644)
	os.WriteFile(canary+LockSuffix, nil, 0o644)
	name := "3-" + tree
	for _, c := range []struct {
		what  string
		spoil func(p Place, ref, dir string)
	}{
		{"current leads out", func(_ Place, ref, _ string) { relink(filepath.Join(ref, Current), canary) }},
		{"current climbs", func(_ Place, ref, _ string) {
			rel, _ := filepath.Rel(ref, canary)
			relink(filepath.Join(ref, Current), rel)
		}},
		{"current has a slash", func(_ Place, ref, _ string) { relink(filepath.Join(ref, Current), name+"/.") }},
		{"current is a directory", func(_ Place, ref, _ string) {
			os.Remove(filepath.Join(ref, Current))
			os.Mkdir(filepath.Join(ref, Current), 0o755)
		}},
		{"current is long", func(_ Place, ref, _ string) { relink(filepath.Join(ref, Current), strings.Repeat("1", 300)+"-"+tree) }},
		{"current names what is not there", func(_ Place, ref, _ string) { relink(filepath.Join(ref, Current), "4-"+tree) }},
		{"the release is a link", func(_ Place, _, dir string) { os.RemoveAll(dir); os.Symlink(canary, dir) }},
		{"the release is a file", func(_ Place, _, dir string) { os.RemoveAll(dir); os.WriteFile(dir, nil, 0o644) }},
		{"the lock is a link", func(_ Place, _, dir string) { relink(dir+LockSuffix, canary+LockSuffix) }},
		{"the lock is a FIFO", func(_ Place, _, dir string) { os.Remove(dir + LockSuffix); unix.Mkfifo(dir+LockSuffix, 0o600) }},
		{"the lock is gone", func(_ Place, _, dir string) { os.Remove(dir + LockSuffix) }},
		{"others may write to the release", func(_ Place, _, dir string) { os.Chmod(dir, 0o757) }},
		{"others may write to the ref", func(_ Place, ref, _ string) { os.Chmod(ref, 0o777) }},
		{"a group may write to the store", func(p Place, _, _ string) { os.Chmod(p.Dir, 0o775) }},
	} {
		t.Run(c.what, func(t *testing.T) {
			p := newPlace(t)
			dir := deployed(t, p, edit, name)
			c.spoil(p, filepath.Dir(dir), dir)
			start := time.Now()
			b, err := App([]Place{p}, "org.example.Edit", "")
			if err == nil {
				t.Errorf("it is found in %s", b.Dir)
			}
			if hint.Of(err) == "" {
				t.Errorf("no way out of: %v", err)
			}
			if time.Since(start) > 3*time.Second {
				t.Error("it took very long")
			}
		})
	}
	// Directories on the way that are links are not there at all.
	for _, at := range []string{"deploy", "deploy/app", "deploy/app/org.example.Edit", "deploy/app/org.example.Edit/any", "deploy/" + edit} {
		t.Run(at+" is a link", func(t *testing.T) {
			p := newPlace(t)
			deployed(t, p, edit, name)
			other := filepath.Join(filepath.Dir(p.Dir), "elsewhere")
			if err := os.Rename(filepath.Join(p.Dir, at), other); err != nil {
				t.Fatal(err)
			}
			os.Symlink(other, filepath.Join(p.Dir, at))
			if b, err := App([]Place{p}, "org.example.Edit", ""); err == nil {
				t.Errorf("it is found in %s", b.Dir)
			}
		})
	}
	// Names that are none are passed over.
	p := newPlace(t)
	deployed(t, p, edit, name)
	for _, odd := range []string{"..", "edit", "-.-.-", "org.example.\x1b[2J", "org.example.Edit.json", "org..Edit"} {
		os.MkdirAll(filepath.Join(p.Dir, "deploy/app", odd+"x"), 0o755)
		os.MkdirAll(filepath.Join(p.Dir, "deploy/app/org.example.Edit/any", "Odd"+odd), 0o755)
	}
	if b, err := App([]Place{p}, "edit", ""); err != nil || b.Deployment.N != 3 {
		t.Errorf("%+v %v", b, err)
	}
	if list, _ := os.ReadDir(canary); len(list) != 2 {
		t.Errorf("the canary holds %v", list)
	}
}

func relink(name, target string) {
	os.Remove(name)
	os.Symlink(target, name)
}

// Only the user and root fill a store.
func TestForeignStore(t *testing.T) {
	testenv.NeedRoot(t)
	for _, at := range []string{"", "deploy/" + edit, "deploy/" + edit + "/3-" + tree} {
		p := newPlace(t)
		deployed(t, p, edit, "3-"+tree)
		if err := os.Chown(filepath.Join(p.Dir, at), 1234, 1234); err != nil {
			t.Fatal(err)
		}
		if b, err := App([]Place{p}, "edit", ""); err == nil {
			t.Errorf("%q is another user's, and %s is run", at, b.Dir)
		}
	}
}

// The walk for kernels without openat2 finds and refuses the same.
func TestWalk(t *testing.T) {
	dir := t.TempDir()
	os.MkdirAll(dir+"/a/b", 0o755)
	os.WriteFile(dir+"/a/b/file", nil, 0o644)
	os.Symlink("b", dir+"/a/link")
	os.Symlink("file", dir+"/a/b/last")
	top, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(top)
	for name, ok := range map[string]bool{"a": true, "a/b": true, "a/b/file": true, "a/link/file": false, "a/b/last": false, "a/../a": false,
		"../x": false, "/etc": false, "a//b": false, "": false, ".": false, "a/none": false} {
		for which, open := range map[string]func(int, string, int) (int, error){"walk": walk, "openat2": Beneath} {
			if which == "openat2" && (name == "." || name == "a/../a" || name == "a//b") {
				continue // the kernel knows that these stay beneath
			}
			fd, err := open(top, name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_CLOEXEC)
			if (err == nil) != ok {
				t.Errorf("%s %q: %v", which, name, err)
			}
			if err == nil {
				unix.Close(fd)
			}
		}
	}
}

// A lock on a file whose name is another file's now holds nothing: the release was
// removed and installed again meanwhile.
func TestLockWithoutAName(t *testing.T) {
	p := newPlace(t)
	dir := deployed(t, p, edit, "1-"+tree)
	lock, err := unix.Open(dir+LockSuffix, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	os.Remove(dir + LockSuffix)
	os.WriteFile(dir+LockSuffix, nil, 0o644)
	ref, err := unix.Open(filepath.Dir(dir), unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(ref)
	b := &Bundle{Dir: dir, lock: lock}
	defer b.Release()
	if err := b.check(ref, "1-"+tree); !errors.Is(err, errMoved) {
		t.Errorf("got %v", err)
	}
}

// Who looks for an app while it is updated and cleared away, again and again,
// always finds a whole one.
func TestFindWhileItChanges(t *testing.T) {
	p := newPlace(t)
	deployed(t, p, edit, "1-"+tree)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for n := uint64(2); n < 400; n++ {
			// As package store does it: the new one, then the link, then away with the old.
			now, old := Deployment{n, tree}.String(), Deployment{n - 1, tree}.String()
			dir := filepath.Join(p.Dir, "deploy", edit)
			os.MkdirAll(filepath.Join(dir, now), 0o755)
			os.WriteFile(filepath.Join(dir, now+LockSuffix), nil, 0o644)
			os.Symlink(now, filepath.Join(dir, "new"))
			os.Rename(filepath.Join(dir, "new"), filepath.Join(dir, Current))
			fd, err := unix.Open(filepath.Join(dir, old+LockSuffix), unix.O_RDWR|unix.O_CLOEXEC, 0)
			if err == nil && disk.TryExclusive(fd) == nil {
				os.Remove(filepath.Join(dir, old+LockSuffix))
				os.RemoveAll(filepath.Join(dir, old))
			}
			unix.Close(fd)
		}
	}()
	for found := 0; ; found++ {
		select {
		case <-done:
			if found < 10 {
				t.Errorf("it was looked for %d times only", found)
			}
			return
		default:
		}
		b, err := App([]Place{p}, "org.example.Edit", "")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := os.Lstat(b.Dir); errors.Is(err, fs.ErrNotExist) {
			t.Fatalf("%s was removed while it is held", b.Dir)
		}
		b.Release()
	}
}

func BenchmarkApp(b *testing.B) {
	p := newPlace(b)
	deployed(b, p, edit, "3-"+tree)
	for b.Loop() {
		x, err := App([]Place{p}, "org.example.Edit", "")
		if err != nil {
			b.Fatal(err)
		}
		x.Release()
	}
}

// By a short name every app's directory name is looked at.
func BenchmarkShortNameOf200(b *testing.B) {
	p := newPlace(b)
	for i := range 200 {
		deployed(b, p, "app/org.example.App"+strings.Repeat("x", i%20)+string(rune('a'+i/20))+"/any/stable", "1-"+tree)
	}
	deployed(b, p, edit, "3-"+tree)
	for b.Loop() {
		x, err := App([]Place{p}, "edit", "")
		if err != nil {
			b.Fatal(err)
		}
		x.Release()
	}
}
