package repo

import (
	"crypto/ed25519"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"sandbox/manifest"
)

const helloTOML = `id = "org.example.Hello"
version = "1.0"
arch = ["x86_64"]
runtime = "org.example.Platform/1"
command = "hello"

[permissions]
"network:internet" = "look for hellos"
"files:home:read" = { reason = "greet files", optional = true }
`

// writeBundle makes a bundle directory; a name that ends in "*" is executable,
// content that starts with "->" is a link.
func writeBundle(t testing.TB, toml string, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	put := func(name, content string) {
		exec := strings.HasSuffix(name, "*")
		p := filepath.Join(dir, strings.TrimSuffix(name, "*"))
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if target, ok := strings.CutPrefix(content, "->"); ok {
			if err := os.Symlink(target, p); err != nil {
				t.Fatal(err)
			}
			return
		}
		mode := os.FileMode(0o644)
		if exec {
			mode = 0o755
		}
		if err := os.WriteFile(p, []byte(content), mode); err != nil {
			t.Fatal(err)
		}
		os.Chmod(p, mode)
	}
	put("sandbox.toml", toml)
	for name, content := range files {
		put(name, content)
	}
	filepath.WalkDir(dir, func(p string, d os.DirEntry, _ error) error {
		if d.IsDir() {
			os.Chmod(p, 0o755)
		}
		return nil
	})
	return dir
}

func helloBundle(t testing.TB) string {
	return writeBundle(t, helloTOML, map[string]string{
		"files/bin/hello*": "#!/bin/sh\necho hello\n", "files/bin/hi": "->hello", "files/share/empty": "",
		"files/share/twice": "#!/bin/sh\necho hello\n", "usr/lib/x": "->/usr/lib/y",
	})
}

func helloTree(t testing.TB) *Tree {
	t.Helper()
	tree, err := TreeOf(helloBundle(t))
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

// lines is a stored document of the given lines.
func lines(t testing.TB, text ...string) []byte {
	t.Helper()
	return compress(t, strings.Join(text, "\n")+"\n")
}

func compress(t testing.TB, text string, o ...zstd.EOption) []byte {
	t.Helper()
	e, err := zstd.NewWriter(nil, o...)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	return e.EncodeAll([]byte(text), nil)
}

var (
	helloRef  = Ref{manifest.App, "org.example.Hello", "x86_64", "stable"}
	testKey   = ed25519.NewKeyFromSeed(make([]byte, 32))
	testStart = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
)

func helloRelease() Release {
	text := "network:internet\nask files:home:read\n"
	r := Release{
		Ref: helloRef, N: 7, Version: "1.0", Tree: Sum([]byte("tree")), TreeLength: 4,
		Locator: Sum([]byte("locator")), LocatorLength: 7,
		Runtime:  Ref{manifest.Runtime, "org.example.Platform", "x86_64", "1"},
		Download: 10, Installed: 20, Time: testStart,
		Permissions: Sum([]byte(text)), PermissionText: text,
	}
	r.Publisher = Publisher{testKey.Public().(ed25519.PublicKey), ed25519.Sign(testKey, r.SignedText())}
	return r
}

func wantError(t *testing.T, err error, part string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), part) {
		t.Errorf("got %v, want an error with %q", err, part)
	}
}
