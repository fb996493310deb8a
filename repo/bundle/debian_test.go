package bundle_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sandbox/internal/hint"
	"sandbox/internal/testapps"
	"sandbox/internal/testenv"
	"sandbox/repo/bundle"
)

// Every application of testdata/apps builds from what Debian has today.
func TestApps(t *testing.T) {
	programs := map[string]string{
		"org.example.Hello": "files/bin/hello", "org.git_scm.Git": "usr/bin/git", "org.gnu.Bash": "usr/share/bash-completion/bash_completion",
		"org.gnu.Nano": "usr/bin/nano", "org.htop.Htop": "usr/bin/htop", "org.python.Python3": "usr/bin/python3", "org.sqlite.Sqlite3": "usr/bin/sqlite3",
	}
	for _, id := range testapps.IDs(t) {
		t.Run(id, func(t *testing.T) {
			dir, runtime := testapps.Bundle(t, id)
			info, err := bundle.Check(dir)
			if err != nil {
				t.Fatal(err)
			}
			want := bundle.Static
			if runtime != "" {
				want = bundle.Overlay
			}
			if info.Layout != want || string(info.Manifest.ID) != id {
				t.Errorf("layout %s of %s", info.Layout, info.Manifest.ID)
			}
			if _, err := os.Stat(filepath.Join(dir, programs[id])); err != nil {
				t.Error(err)
			}
			if _, err := os.Stat(filepath.Join(dir, "usr/lib/x86_64-linux-gnu/libc.so.6")); err == nil {
				t.Error("the app brings the runtime's C library again")
			}
		})
	}
}

func TestPlatform(t *testing.T) {
	dir, _ := testapps.Bundle(t, "org.debian.Platform")
	info, err := bundle.Check(dir)
	if err != nil {
		t.Fatal(err)
	}
	if info.Layout != bundle.AsRuntime || info.Bytes > 150<<20 {
		t.Errorf("layout %s, %d bytes", info.Layout, info.Bytes)
	}
	for _, name := range []string{
		"bin/sh", "bin/bash", "bin/ls", "bin/awk", "bin/less", "bin/pager", "etc/profile", "etc/ssl/certs/ca-certificates.crt", "lib/ssl/cert.pem",
		"lib/locale/C.utf8/LC_CTYPE", "lib/terminfo/x/xterm-256color", "share/terminfo/x/xterm-kitty", "share/zoneinfo/Europe/Rome", "lib/sandbox/dpkg-status",
	} {
		if _, err := os.Stat(filepath.Join(dir, "files", name)); err != nil {
			// Absolute links lead into the sandbox's /usr, not the host's.
			if target, linkErr := os.Readlink(filepath.Join(dir, "files", name)); linkErr == nil && strings.HasPrefix(target, "/usr/") {
				_, err = os.Stat(filepath.Join(dir, "files", strings.TrimPrefix(target, "/usr/")))
			}
			if err != nil {
				t.Error(err)
			}
		}
	}
}

const nanoManifest = `id = "org.gnu.Nano"
name = "nano"
version = "7"
summary = "Text editor"
license = "GPL-3.0-or-later"
runtime = "org.debian.Platform/12"
command = "nano"

[[build.source]]
type = "debian"
suite = "SUITE"
packages = ["PACKAGE"]
`

func nanoProject(t *testing.T, suite, name string) string {
	t.Helper()
	dir := t.TempDir()
	text := strings.NewReplacer("SUITE", suite, "PACKAGE", name).Replace(nanoManifest)
	if err := os.WriteFile(filepath.Join(dir, "sandbox.toml"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

// With the lock and the cache, a build needs neither apt nor the network, and
// gives the same bytes.
func TestOfflineRebuild(t *testing.T) {
	_, runtime := testapps.Bundle(t, "org.gnu.Nano")
	project := nanoProject(t, "bookworm", "nano")
	opts := bundle.Options{Dir: project, Runtime: runtime, Cache: testapps.Cache(t)}
	first, err := bundle.Build(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(project, bundle.LockName)); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", t.TempDir())
	second, err := bundle.Build(t.Context(), opts)
	if err != nil || second.Digest != first.Digest {
		t.Errorf("offline: %+v, %v; want digest %s", second, err, first.Digest)
	}
	opts.Cache = t.TempDir()
	if _, err := bundle.Build(t.Context(), opts); err == nil || !strings.Contains(hint.Of(err), "install apt") {
		t.Errorf("without cache and apt: %v, hint %q", err, hint.Of(err))
	}
}

func TestDamagedCache(t *testing.T) {
	_, runtime := testapps.Bundle(t, "org.gnu.Nano")
	cache := t.TempDir()
	if err := os.CopyFS(filepath.Join(cache, "debs"), os.DirFS(filepath.Join(testapps.Cache(t), "debs"))); err != nil {
		t.Fatal(err)
	}
	project := nanoProject(t, "bookworm", "nano")
	shared := bundle.Options{Dir: project, Runtime: runtime, Cache: testapps.Cache(t)}
	first, err := bundle.Build(t.Context(), shared)
	if err != nil {
		t.Fatal(err)
	}
	lock, _ := os.ReadFile(filepath.Join(project, bundle.LockName))
	words := strings.Fields(string(lock)[strings.Index(string(lock), "\ndeb nano"):])
	name := filepath.Join(cache, "debs", words[5]+".deb")
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)/2] ^= 1
	if err := os.WriteFile(name, data, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := bundle.Build(t.Context(), bundle.Options{Dir: project, Runtime: runtime, Cache: cache}); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("a package with a flipped bit: %v", err)
	}
	if now, err := bundle.Digest(first.Dir); err != nil || now != first.Digest {
		t.Errorf("the earlier build is damaged: %v", err)
	}
}

func TestUnknownPackage(t *testing.T) {
	_, runtime := testapps.Bundle(t, "org.gnu.Nano")
	_, err := bundle.Build(t.Context(), bundle.Options{Dir: nanoProject(t, "bookworm", "nanoo"), Runtime: runtime, Cache: testapps.Cache(t)})
	if err == nil || !strings.Contains(err.Error(), `unknown package "nanoo"`) || !strings.Contains(hint.Of(err), "nano") {
		t.Errorf("got %v, hint %q", err, hint.Of(err))
	}
}

func TestWrongRuntime(t *testing.T) {
	nano, _ := testapps.Bundle(t, "org.gnu.Nano")
	project := nanoProject(t, "bookworm", "nano")
	for dir, want := range map[string]string{"": "not at hand", nano: "asks for runtime", t.TempDir(): "sandbox.toml"} {
		_, err := bundle.Build(t.Context(), bundle.Options{Dir: project, Runtime: dir, Cache: testapps.Cache(t)})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("runtime %q: %v, want %q", dir, err, want)
		}
	}
}

// An archive without a signature is refused, whatever it offers.
func TestUnsignedArchive(t *testing.T) {
	testenv.NeedCommand(t, "apt-get")
	mirror := t.TempDir()
	for name, body := range map[string]string{
		"dists/bookworm/Release":                       "Suite: bookworm\nCodename: bookworm\nArchitectures: amd64 arm64\nComponents: main\n",
		"dists/bookworm/main/binary-amd64/Packages":    "Package: nano\nVersion: 99\nArchitecture: amd64\nFilename: pool/nano.deb\nSize: 1\nSHA256: " + strings.Repeat("0", 64) + "\n",
		"dists/bookworm/main/binary-amd64/Packages.gz": "",
	} {
		name = filepath.Join(mirror, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(body), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	dir := t.TempDir()
	text := strings.NewReplacer("SUITE", "bookworm", "PACKAGE", "nano", `runtime = "org.debian.Platform/12"`, `kind = "runtime"`, `command = "nano"`, "").Replace(nanoManifest)
	if err := os.WriteFile(filepath.Join(dir, "sandbox.toml"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := bundle.Build(context.Background(), bundle.Options{Dir: dir, Mirror: "file://" + mirror, Cache: t.TempDir()})
	if err == nil || !strings.Contains(err.Error(), "signed") || !strings.Contains(hint.Of(err), "debian-archive-keyring") {
		t.Errorf("got %v, hint %q", err, hint.Of(err))
	}
}

// The second source of a manifest builds on the first, and a cache may lie
// where its path has a space.
func TestTwoDebianSources(t *testing.T) {
	_, runtime := testapps.Bundle(t, "org.gnu.Nano")
	project := nanoProject(t, "bookworm", "libnl-genl-3-200")
	second := "\n[[build.source]]\ntype = \"debian\"\nsuite = \"bookworm\"\npackages = [\"htop\"]\n"
	f, err := os.OpenFile(filepath.Join(project, "sandbox.toml"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	f.WriteString(second)
	f.Close()
	opts := bundle.Options{Dir: project, Runtime: runtime, Cache: filepath.Join(t.TempDir(), "a cache")}
	res, err := bundle.Build(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	lock, err := os.ReadFile(filepath.Join(project, bundle.LockName))
	if err != nil || strings.Count(string(lock), "\nsource ") != 2 || strings.Count(string(lock), "\ndeb libnl-genl-3-200 ") != 1 {
		t.Errorf("lock %s, %v", lock, err)
	}
	if again, err := bundle.Build(t.Context(), opts); err != nil || again.Digest != res.Digest {
		t.Errorf("built again: %+v, %v", again, err)
	}
}

func TestUnreachableArchive(t *testing.T) {
	testenv.NeedCommand(t, "apt-get")
	dir := t.TempDir()
	text := strings.NewReplacer("SUITE", "bookworm", "PACKAGE", "nano", `runtime = "org.debian.Platform/12"`, `kind = "runtime"`, `command = "nano"`, "").Replace(nanoManifest)
	if err := os.WriteFile(filepath.Join(dir, "sandbox.toml"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := bundle.Build(t.Context(), bundle.Options{Dir: dir, Mirror: "http://127.0.0.1:1/debian", Cache: t.TempDir()})
	if !errors.Is(err, bundle.ErrUnreachable) || !strings.Contains(hint.Of(err), "network") {
		t.Errorf("got %v, hint %q", err, hint.Of(err))
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) != 1 {
		t.Errorf("left behind: %q", left)
	}
}

// How long packages in the cache take to become a bundle.
func BenchmarkBuild(b *testing.B) {
	for _, id := range []string{"org.debian.Platform", "org.gnu.Nano"} {
		b.Run(id, func(b *testing.B) {
			_, runtime := testapps.Bundle(b, id)
			text, err := os.ReadFile(filepath.Join("../../testdata/apps", id, "sandbox.toml"))
			if err != nil {
				b.Fatal(err)
			}
			dir := b.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "sandbox.toml"), text, 0o644); err != nil {
				b.Fatal(err)
			}
			opts := bundle.Options{Dir: dir, Runtime: runtime, Cache: testapps.Cache(b)}
			for b.Loop() {
				res, err := bundle.Build(b.Context(), opts)
				if err != nil {
					b.Fatal(err)
				}
				b.SetBytes(res.Bytes)
			}
		})
	}
}
