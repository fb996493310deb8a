package upload

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sandbox/repo"
	"sandbox/repo/key"
	"sandbox/repo/publish"
)

// server is where a test has a repository.
type server struct {
	address string
	// open is a publisher's way there; every cache is another publisher's.
	open func(t testing.TB, cache string) *Place
	// state is what lies there.
	state func(t testing.TB) map[string][]byte
}

func newKey(t testing.TB) key.Signer {
	t.Helper()
	k, err := key.New()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

const appID = "org.example.App"

// newBundle writes a bundle whose data do not compress.
func newBundle(t testing.TB, id, version string, size int) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "bundle")
	for name, data := range map[string]string{
		"sandbox.toml":   fmt.Sprintf("id = %q\nversion = %q\ncommand = \"main\"\nsummary = \"An example\"\n", id, version),
		"files/bin/main": "#!/bin/sh\necho " + version + "\n",
		"files/data":     noise(id+version, size),
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(data), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	os.Chmod(filepath.Join(dir, "sandbox.toml"), 0o644)
	return dir
}

func noise(seed string, n int) string {
	var b strings.Builder
	sum := repo.Sum([]byte(seed))
	for c := rand.NewChaCha8([32]byte(sum)); b.Len() < n; {
		fmt.Fprintf(&b, "%08x", c.Uint64())
	}
	return b.String()[:n]
}

// start makes a repository at a server.
func start(t testing.TB, s server) publish.Options {
	t.Helper()
	k := newKey(t)
	o := publish.Options{Keys: []key.Signer{k}}
	p := s.open(t, t.TempDir())
	made, err := p.Init(context.Background(), initOptions(k))
	if err != nil {
		t.Fatal(err)
	}
	if want := s.address + "/" + p.Name() + publish.RemoteSuffix; made.Dir != s.address || made.RemoteFile != want {
		t.Errorf("made %+v, want %s", made, want)
	}
	return o
}

func put(t testing.TB, p *Place, o publish.Options, bundles ...string) []publish.Published {
	t.Helper()
	out, err := tryPut(p, o, bundles...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func tryPut(p *Place, o publish.Options, bundles ...string) (out []publish.Published, err error) {
	err = p.Change(context.Background(), o, false, func(r *publish.Repository) (err error) {
		out, err = r.Publish(context.Background(), publish.Request{Bundles: bundles})
		return err
	})
	return out, err
}

func collect(p *Place, o publish.Options) (out *publish.Collected, err error) {
	err = p.Change(context.Background(), o, true, func(r *publish.Repository) (err error) {
		out, err = r.GC(context.Background(), publish.Collection{Now: true})
		return err
	})
	return out, err
}

// offered is what a reader finds in these files: every release, after everything
// that belongs to it was found and compared.
func offered(t testing.TB, files map[string][]byte) []string {
	t.Helper()
	dir := t.TempDir()
	for name, data := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	defer os.RemoveAll(dir)
	r, err := publish.Open(context.Background(), dir, publish.Options{ReadOnly: true})
	if err != nil {
		t.Fatalf("a reader finds: %v", err)
	}
	defer r.Close()
	needed, err := r.Needed(context.Background(), nil)
	if err != nil {
		t.Fatalf("a reader finds: %v", err)
	}
	for name := range needed {
		data, there := files[name]
		if !there {
			t.Errorf("a reader misses %s", name)
		} else if isHashed(name) && !strings.HasSuffix(name, repo.Sum(data).String()) {
			t.Errorf("%s has another content", name)
		}
	}
	all, err := r.Releases()
	if err != nil {
		t.Fatal(err)
	}
	out := []string{}
	for _, rel := range all {
		out = append(out, fmt.Sprintf("%s %d %s", rel.Target, rel.N, rel.Version))
	}
	slices.Sort(out)
	return out
}

// quick makes a place impatient.
func quick(p *Place) *Place {
	p.backoff, p.patience = time.Millisecond, time.Minute
	return p
}

func s3Place(t testing.TB, s *s3Server, address, cache string) *Place {
	t.Helper()
	env := s.environ()
	return s3PlaceWith(t, env, address, cache)
}

func s3PlaceWith(t testing.TB, env map[string]string, address, cache string) *Place {
	t.Helper()
	for _, name := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"} {
		t.(interface{ Setenv(string, string) }).Setenv(name, env[name])
	}
	p, err := Open(address, cache)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return quick(p)
}

func (s *s3Server) server() server {
	const address = "s3://apps/a prefix+1/repo"
	return server{
		address: "s3://apps/a%20prefix+1/repo",
		open:    func(t testing.TB, cache string) *Place { return s3Place(t, s, address, cache) },
		state:   func(testing.TB) map[string][]byte { return s.state("a prefix+1/repo/") },
	}
}

func same(a, b map[string][]byte) bool {
	return maps.EqualFunc(a, b, func(x, y []byte) bool { return string(x) == string(y) })
}

func initOptions(k key.Signer) publish.InitOptions {
	return publish.InitOptions{Options: publish.Options{Keys: []key.Signer{k}}, Default: []key.Public{k.Public()}, URL: "https://example.org/repo/", Title: "Example"}
}
