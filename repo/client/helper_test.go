package client

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"sandbox/internal/testenv"
	"sandbox/repo/remote"
	"sandbox/repo/repotest"
	"sandbox/repo/store"
)

// quick is a pace for tests.
var quick = remote.Pace{Connect: 2 * time.Second, Answer: 2 * time.Second, Idle: 500 * time.Millisecond, Window: time.Second, Rate: 256, Backoff: time.Millisecond}

const day = 24 * time.Hour

// bench is a user with a store, and a server.
type bench struct {
	*testing.T
	repo   *repotest.Repo
	server *repotest.Server
	store  string
	now    time.Time
	events []Event
	told   int64 // what the last plan was to download
}

// newBench publishes bundles and adds the remote "main".
func newBench(t *testing.T, bundles ...repotest.Bundle) *bench {
	t.Helper()
	r := repotest.New()
	for _, b := range bundles {
		r.Release(b)
	}
	r.Publish()
	b := &bench{T: t, repo: r, server: repotest.Serve(t, r), store: filepath.Join(t.TempDir(), "store"), now: r.Now.Add(time.Hour)}
	b.add("main", b.server.URL, r.Fingerprint())
	return b
}

// client is a fresh client, as each command has one.
func (b *bench) client() *Client {
	b.Helper()
	s, err := store.Open(b.store)
	if err != nil {
		b.Fatal(err)
	}
	c := &Client{Store: s, Pace: quick, Now: func() time.Time { return b.now }, Progress: func(e Event) { b.events = append(b.events, e) }}
	b.Cleanup(func() { c.Close(); s.Close() })
	return c
}

func (b *bench) add(name, url, key string) {
	b.Helper()
	if err := b.addErr(name, url, key, 0); err != nil {
		b.Fatal(err)
	}
}

func (b *bench) addErr(name, url, key string, priority int) error {
	b.Helper()
	a, err := remote.ParseAddress(url)
	if err != nil {
		b.Fatal(err)
	}
	c := b.client()
	n, err := c.LookAt(b.Context(), remote.Remote{Name: name, Address: a, Priority: priority}, key, nil)
	if err != nil {
		return err
	}
	return c.AddRemote(b.Context(), n)
}

func (b *bench) remove(name string) {
	b.Helper()
	if err := b.client().Remotes().Remove(name); err != nil {
		b.Fatal(err)
	}
}

// publish releases bundles a day later.
func (b *bench) publish(bundles ...repotest.Bundle) {
	b.repo.Now = b.repo.Now.Add(day)
	b.now = b.now.Add(day)
	for _, x := range bundles {
		b.repo.Release(x)
	}
	b.repo.Publish()
}

func want(t *testing.T, texts ...string) (all []Want) {
	t.Helper()
	for _, text := range texts {
		w, err := ParseWant(text)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, w)
	}
	return all
}

// install plans and applies, without agreeing to anything.
func (b *bench) install(opt PlanOptions, names ...string) (*Plan, Result, error) {
	b.Helper()
	c := b.client()
	p, err := c.PlanInstall(b.Context(), want(b.T, names...), opt)
	if err != nil {
		return nil, Result{}, err
	}
	p.Settle(func(*Step) Need { return 0 })
	r, err := c.Apply(b.Context(), p)
	return p, r, err
}

func (b *bench) mustInstall(names ...string) {
	b.Helper()
	if _, r, err := b.install(PlanOptions{}, names...); err != nil || len(r.Done) == 0 {
		b.Fatalf("%+v, %v", r, err)
	}
}

// update plans and applies, agreeing to needs.
func (b *bench) update(opt PlanOptions, agreed Need, names ...string) (*Plan, Result, error) {
	b.Helper()
	c := b.client()
	p, err := c.PlanUpdate(b.Context(), names, opt)
	if err != nil {
		return nil, Result{}, err
	}
	p.Settle(func(*Step) Need { return agreed })
	r, err := c.Apply(b.Context(), p)
	return p, r, err
}

// version is what is installed of an ID; "" when nothing is. What it prints is
// what is really deployed.
func (b *bench) version(id string) string {
	b.Helper()
	c := b.client()
	rec, err := c.Store.Find(id)
	if e := (*store.NotInstalled)(nil); errors.As(err, &e) {
		return ""
	}
	if err != nil {
		b.Fatal(err)
	}
	script, err := os.ReadFile(filepath.Join(c.Store.BundleDir(rec), "files/bin/tool"))
	if err != nil {
		return rec.Release.Version
	}
	if got := strings.TrimSpace(strings.TrimPrefix(string(script), "#!/bin/sh\necho ")); got != rec.Release.Version {
		b.Fatalf("the record says %s, the tree %s", rec.Release.Version, got)
	}
	return rec.Release.Version
}

func (b *bench) record(id string) store.Record {
	b.Helper()
	rec, err := b.client().Store.Find(id)
	if err != nil {
		b.Fatal(err)
	}
	return rec
}

func edit(version string) repotest.Bundle { return repotest.App("org.example.Edit", version) }

func runtimeBundle(version string) repotest.Bundle {
	return repotest.Bundle{Kind: "runtime", ID: "org.example.Base", Version: version,
		Files: map[string]string{"files/lib/libbase.so": "base " + version, "files/bin/sh": "#!" + version}, Exec: map[string]bool{"files/bin/sh": true}}
}

func withRuntime(b repotest.Bundle) repotest.Bundle {
	b.Runtime = "org.example.Base/stable"
	return b
}

func held(p *Plan, id string) string {
	for _, h := range p.Held {
		if string(h.Ref.ID) == id {
			return h.Why
		}
	}
	return ""
}

// smallDisk is a file system of its own.
func smallDisk(t *testing.T, bytes int) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("small", dir, "tmpfs", 0, fmt.Sprintf("size=%d,mode=700", bytes)); err != nil {
		testenv.Skip(t, "needs to mount a tmpfs: %v", err)
	}
	t.Cleanup(func() { syscall.Unmount(dir, syscall.MNT_DETACH) })
	return dir
}
