package publish

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"sandbox/internal/hint"
	"sandbox/internal/testenv"
	"sandbox/repo/key"
)

func TestInitRefuses(t *testing.T) {
	k := newKey(t)
	full := t.TempDir()
	write(t, filepath.Join(full, "letter.txt"), "dear", 0o644)
	made, _ := newRepo(t)
	for _, c := range []struct {
		name   string
		dir    string
		change func(*InitOptions)
		want   string
	}{
		{"a directory with other things", full, func(*InitOptions) {}, "letter.txt"},
		{"a repository", made, func(*InitOptions) {}, "a repository already"},
		{"a file", filepath.Join(full, "letter.txt"), func(*InitOptions) {}, "not a directory"},
		{"no key", "", func(o *InitOptions) { o.Default = nil }, "0 keys"},
		{"a threshold above the keys", "", func(o *InitOptions) { o.RootThreshold = 2 }, "needs 2"},
		{"a negative threshold", "", func(o *InitOptions) { o.RootThreshold = -1 }, "needs -1"},
		{"a key that is not here", "", func(o *InitOptions) { o.Keys = nil }, "0 of 1"},
		{"seven bins", "", func(o *InitOptions) { o.Bins = 7 }, "7 bins"},
		{"a timestamp for a year", "", func(o *InitOptions) { o.TimestampDays = 365 }, "365 days"},
		{"an address with a password", "", func(o *InitOptions) { o.URL = "https://me:secret@host/" }, "no address"},
		{"another scheme", "", func(o *InitOptions) { o.URL = "ftp://host/" }, "no address"},
		{"a name that is a path", "", func(o *InitOptions) { o.Name = "../x" }, "cannot be called"},
		{"a title with an escape", "", func(o *InitOptions) { o.Title = "a\x1b[2J" }, "title"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := c.dir
			if dir == "" {
				dir = filepath.Join(t.TempDir(), "r")
			}
			i := InitOptions{Options: Options{Keys: []key.Signer{k}}, Default: []key.Public{k.Public()}}
			c.change(&i)
			_, err := Init(dir, i)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("err = %v", err)
			}
			if c.dir == "" {
				if _, err := os.Stat(dir); err == nil {
					t.Error("it left a directory")
				}
			}
		})
	}
	if data, _ := os.ReadFile(filepath.Join(full, "letter.txt")); string(data) != "dear" {
		t.Error("a file of the user's was touched")
	}
}

// An init that was cut short is no repository, and the next one makes it one.
func TestInitCutShort(t *testing.T) {
	k := newKey(t)
	for stop := 1; stop <= 6; stop++ {
		dir := filepath.Join(t.TempDir(), "r")
		n := 0
		i := InitOptions{Options: Options{Keys: []key.Signer{k}}, Default: []key.Public{k.Public()}}
		i.fault = func(string) error {
			if n++; n == stop {
				return errCrash
			}
			return nil
		}
		if _, err := Init(dir, i); !errors.Is(err, errCrash) {
			t.Fatalf("step %d: %v", stop, err)
		}
		if _, err := Open(context.Background(), dir, i.Options); err == nil || !strings.Contains(hint.Of(err), "repo init") {
			t.Errorf("step %d: it opens: %v", stop, err)
		}
		i.fault = nil
		if _, err := Init(dir, i); err != nil {
			t.Errorf("step %d, then again: %v", stop, err)
		}
		accepts(t, dir, i.Options)
	}
}

func TestOpenRefuses(t *testing.T) {
	good, o := newRepo(t)
	publish(t, good, o, Request{Bundles: []string{newBundle(t, app, "1", "", nil)}})
	for _, c := range []struct {
		name string
		harm func(t *testing.T, dir string)
		want string
	}{
		{"no directory", func(t *testing.T, dir string) { os.RemoveAll(dir) }, "it is none"},
		{"an empty directory", func(t *testing.T, dir string) { os.RemoveAll(dir); os.Mkdir(dir, 0o755) }, "it is none"},
		{"another format", replace(layoutFile, `"format":1`, `"format":2`), "format 2"},
		{"other bins", replace(layoutFile, `"bins":1`, `"bins":16`), "16 bins"},
		{"odd bins", replace(layoutFile, `"bins":1`, `"bins":3`), "3 bins"},
		{"an unknown key", replace(layoutFile, `{`, `{"x":1,`), "unknown key"},
		{"no root", func(t *testing.T, dir string) { os.Remove(filepath.Join(dir, "1.root.json")) }, "no such file"},
		{"a changed root", replace("1.root.json", `"threshold":1`, `"threshold":0`), "threshold"},
		{"a root for a year more", replace("1.root.json", `"version":1`, `"version":2`), "version 2"},
		{"a changed timestamp", replace(timestampFile, `"version":2`, `"version":9`), "not enough signatures"},
		{"no snapshot", func(t *testing.T, dir string) { os.Remove(filepath.Join(dir, "meta/2.snapshot.json")) }, "no such file"},
		{"a changed snapshot", replace("meta/2.snapshot.json", `"version":2`, `"version":3`), "hash"},
		{"an old snapshot", func(t *testing.T, dir string) {
			os.Rename(filepath.Join(dir, "meta/1.snapshot.json"), filepath.Join(dir, "meta/2.snapshot.json"))
		}, "verification failed"},
		{"a planted release", replace("meta/2.bin-00.json", `"version":"1"`, `"version":"6"`), "hash"},
		{"a metadata file that is a link to a FIFO", func(t *testing.T, dir string) {
			name := filepath.Join(dir, timestampFile)
			os.Remove(name)
			unix.Mkfifo(name, 0o644)
		}, "no regular file"},
		{"bad settings", func(t *testing.T, dir string) { os.WriteFile(filepath.Join(dir, configFile), []byte("{"), 0o644) }, "config.json"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := copyDir(t, good)
			c.harm(t, dir)
			_, err := Open(context.Background(), dir, o)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("err = %v, want %q", err, c.want)
			}
		})
	}
}

func replace(name, from, to string) func(t *testing.T, dir string) {
	return func(t *testing.T, dir string) {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil || !strings.Contains(string(data), from) {
			t.Fatalf("%s has no %s: %v", name, from, err)
		}
		os.WriteFile(filepath.Join(dir, name), []byte(strings.Replace(string(data), from, to, 1)), 0o644)
	}
}

func TestPublishRefuses(t *testing.T) {
	dir, o := newRepo(t)
	b := newBundle(t, app, "1", "", nil)
	for _, c := range []struct {
		name string
		o    Options
		q    Request
		want string
		hint bool
	}{
		{"no bundle", o, Request{Bundles: []string{t.TempDir()}}, "sandbox.toml", false},
		{"a bad channel", o, Request{Bundles: []string{b}, Channel: "../x"}, "channel", false},
		{"another arch", o, Request{Bundles: []string{b}, Arch: "aarch64"}, "aarch64", false},
		{"no key", Options{}, Request{Bundles: []string{b}}, "0 of 1", true},
		{"a key of another repository", Options{Keys: []key.Signer{newKey(t)}}, Request{Bundles: []string{b}}, "0 of 1", true},
		{"another's name", o, Request{Bundles: []string{b}, Publisher: "acme"}, "acme", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := files(t, dir)
			_, err := tryPublish(t, dir, c.o, c.q)
			if err == nil || !strings.Contains(err.Error(), c.want) || c.hint && hint.Of(err) == "" {
				t.Errorf("err = %v, hint %q", err, hint.Of(err))
			}
			if after := files(t, dir); !slices.Equal(before, after) {
				t.Error("something was written")
			}
		})
	}
}

// A passphrase that is wrong is found out before anything is packed.
func TestWrongPassphraseComesFirst(t *testing.T) {
	f, err := key.Create(filepath.Join(t.TempDir(), "keys"), "k", nil)
	if err != nil {
		t.Fatal(err)
	}
	dir, _ := newRepo(t, func(i *InitOptions) {
		i.Keys = []key.Signer{f.Signer(nil)}
		i.Default = []key.Public{f.Public()}
	})
	wrong := Options{Keys: []key.Signer{refusing{f.Signer(nil)}}}
	before := files(t, dir)
	_, err = tryPublish(t, dir, wrong, Request{Bundles: []string{newBundle(t, app, "1", "", nil)}})
	if !errors.Is(err, key.ErrPassphrase) {
		t.Errorf("err = %v", err)
	}
	if after := files(t, dir); !slices.Equal(before, after) {
		t.Errorf("something was written: %q", after)
	}
}

type refusing struct{ key.Signer }

func (refusing) Unlock() error { return key.ErrPassphrase }

// A file that changes between being hashed and being packed.
func TestBundleChangesWhilePublishing(t *testing.T) {
	dir, o := newRepo(t)
	b := newBundle(t, app, "1", "", map[string]string{"data": "before"})
	o.Progress = func(e Event) {
		if e.Stage == "packing" {
			os.WriteFile(filepath.Join(b, "files/data"), []byte("after!"), 0o644)
			os.WriteFile(filepath.Join(b, "files/bin/main"), []byte("#!/bin/sh\n# 2\n"), 0o755)
		}
	}
	if _, err := tryPublish(t, dir, o, Request{Bundles: []string{b}}); err == nil || !strings.Contains(err.Error(), "changed") {
		t.Errorf("err = %v", err)
	}
	if got := list(t, dir, o); len(got) != 0 {
		t.Errorf("published %q", got)
	}
}

func TestReadOnlyDirectory(t *testing.T) {
	testenv.NeedUser(t)
	dir, o := newRepo(t)
	filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if d.IsDir() {
			os.Chmod(path, 0o555)
			t.Cleanup(func() { os.Chmod(path, 0o755) })
		}
		return nil
	})
	os.Chmod(filepath.Join(dir, stateDir, "lock"), 0o444)
	_, err := tryPublish(t, dir, o, Request{Bundles: []string{newBundle(t, app, "1", "", nil)}})
	if err == nil || hint.Of(err) == "" {
		t.Errorf("err = %v, hint %q", err, hint.Of(err))
	}
}

// The disk is a small tmpfs in a namespace of the test's own; then the same one
// is made read-only.
func TestDiskFullAndReadOnly(t *testing.T) {
	testenv.NeedUserNS(t)
	base := testenv.ShortDir(t)
	os.Chmod(base, 0o755)
	t.Setenv("PUBLISH_TEST_DISK", cmpOr(os.Getenv("PUBLISH_TEST_DISK"), base))
	testenv.Subprocess(t, func(t *testing.T) {
		disk := os.Getenv("PUBLISH_TEST_DISK")
		if err := unix.Mount("none", disk, "tmpfs", 0, "size=512k"); err != nil {
			t.Fatal(err)
		}
		k := newKey(t)
		dir := filepath.Join(disk, "repo")
		o := Options{Keys: []key.Signer{k}}
		if _, err := Init(dir, InitOptions{Options: o, Default: []key.Public{k.Public()}}); err != nil {
			t.Fatal(err)
		}
		publish(t, dir, o, Request{Bundles: []string{newBundle(t, app, "1", "", nil)}})
		big := newBundle(t, app, "2", "", map[string]string{"big": noise(1, 2<<20)})
		_, err := tryPublish(t, dir, o, Request{Bundles: []string{big}})
		if !errors.Is(err, unix.ENOSPC) || !strings.Contains(hint.Of(err), "space") {
			t.Errorf("on a full disk: %v, hint %q", err, hint.Of(err))
		}
		if got := list(t, dir, o); !slices.Equal(got, []string{stable + " n=1 1"}) {
			t.Errorf("on a full disk: %q", got)
		}
		if strays, _ := filepath.Glob(filepath.Join(dir, "pack", tempPrefix+"*")); len(strays) != 0 {
			t.Errorf("left %q", strays)
		}
		publish(t, dir, o, Request{Bundles: []string{newBundle(t, app, "3", "", nil)}})
		checkAll(t, dir, o)

		if err := unix.Mount("none", disk, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
			t.Fatal(err)
		}
		_, err = tryPublish(t, dir, o, Request{Bundles: []string{newBundle(t, app, "4", "", nil)}})
		if !errors.Is(err, unix.EROFS) || !strings.Contains(hint.Of(err), "read-only") {
			t.Errorf("on a read-only disk: %v, hint %q", err, hint.Of(err))
		}
	}, func(c *exec.Cmd) {
		c.SysProcAttr = &syscall.SysProcAttr{
			Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
			UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}},
			GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}},
		}
	})
}

func cmpOr(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// What somebody else planted with a signature of nobody's is not signed by us.
func TestPlantedMetadataIsNotSigned(t *testing.T) {
	dir, o := newRepo(t)
	publish(t, dir, o, Request{Bundles: []string{newBundle(t, app, "1", "", nil)}})
	evil, evilOptions := newRepo(t)
	publish(t, evil, evilOptions, Request{Bundles: []string{newBundle(t, "org.evil.App", "1", "", nil)}})
	// All metadata but the roots is the attacker's.
	for _, name := range []string{timestampFile, "meta/1.snapshot.json", "meta/2.snapshot.json", "meta/1.targets.json", "meta/2.bin-00.json"} {
		data, err := os.ReadFile(filepath.Join(evil, name))
		if err != nil {
			t.Fatal(err)
		}
		os.WriteFile(filepath.Join(dir, name), data, 0o644)
	}
	if _, err := Open(context.Background(), dir, o); err == nil || !strings.Contains(err.Error(), "not to be trusted") {
		t.Errorf("err = %v", err)
	}
	// The whole repository is the attacker's: our key fits nothing.
	if _, err := tryPublish(t, evil, o, Request{Bundles: []string{newBundle(t, app, "1", "", nil)}}); err == nil {
		t.Error("our key signed in another repository")
	}
}

func TestRemoteFile(t *testing.T) {
	dir, o := newRepo(t)
	data, err := os.ReadFile(filepath.Join(dir, "repo.sandboxremote"))
	if err != nil {
		t.Fatal(err)
	}
	var f remoteFile
	if err := json.Unmarshal(data, &f); err != nil || f.Format != 1 || f.URL != "https://example.org/repo/" || f.Title != "Example" {
		t.Errorf("%+v, %v", f, err)
	}
	root, _ := os.ReadFile(filepath.Join(dir, "1.root.json"))
	if strings.TrimSpace(string(root)) != string(f.Root) {
		t.Error("the root in the file is not the first root")
	}
	r := open(t, dir, o)
	if fp, err := r.Fingerprint(); err != nil || !strings.HasPrefix(fp, "sha256:") || len(fp) != 71 {
		t.Errorf("fingerprint %q, %v", fp, err)
	}
}
