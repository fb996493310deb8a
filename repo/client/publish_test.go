package client

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"sandbox/repo/key"
	"sandbox/repo/publish"
	"sandbox/repo/repotest"
)

// publisher is a repository of package publish in a directory.
type publisher struct {
	t   *testing.T
	dir string
	opt publish.Options
	key key.Signer
}

func newPublisher(t *testing.T, bins int) *publisher {
	t.Helper()
	p := &publisher{t: t, dir: filepath.Join(t.TempDir(), "repo"), key: newKey(t)}
	p.opt.Keys = []key.Signer{p.key}
	if _, err := publish.Init(p.dir, publish.InitOptions{Options: p.opt, Default: []key.Public{p.key.Public()}, Bins: bins}); err != nil {
		t.Fatal(err)
	}
	return p
}

func newKey(t *testing.T) key.Signer {
	t.Helper()
	k, err := key.New()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// with opens the repository for one change.
func (p *publisher) with(do func(r *publish.Repository) error) {
	p.t.Helper()
	r, err := publish.Open(p.t.Context(), p.dir, p.opt)
	if err != nil {
		p.t.Fatal(err)
	}
	defer r.Close()
	if err := do(r); err != nil {
		p.t.Fatal(err)
	}
}

func (p *publisher) publish(bundles ...repotest.Bundle) {
	p.t.Helper()
	var dirs []string
	for _, x := range bundles {
		dirs = append(dirs, lay(p.t, x))
	}
	p.with(func(r *publish.Repository) error {
		_, err := r.Publish(p.t.Context(), publish.Request{Bundles: dirs})
		return err
	})
}

func (p *publisher) fingerprint() (f string) {
	p.t.Helper()
	p.with(func(r *publish.Repository) (err error) { f, err = r.Fingerprint(); return err })
	return f
}

// lay writes a bundle's directory.
func lay(t *testing.T, x repotest.Bundle) string {
	t.Helper()
	dir := t.TempDir()
	for name, data := range x.Files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		mode := os.FileMode(0o644)
		if x.Exec[name] {
			mode = 0o755
		}
		if err := os.WriteFile(path, []byte(data), mode); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "sandbox.toml"), x.Tree().TOML, 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

// What package publish writes is read here, in every shape it comes in.
func TestPublishedRepositories(t *testing.T) {
	for _, bins := range []int{1, 16, 256} {
		t.Run(fmt.Sprintf("%d bins", bins), func(t *testing.T) {
			p := newPublisher(t, bins)
			var xs []repotest.Bundle
			for i := range 12 {
				xs = append(xs, repotest.App(fmt.Sprintf("org.example.App%d", i), "1.0"))
			}
			xs = append(xs, edit("1.0").With(writes), repotest.App("com.other.Edit", "7"))
			p.publish(xs...)
			b := &bench{T: t, store: filepath.Join(t.TempDir(), "store"), now: time.Now()}
			b.add("main", p.dir, p.fingerprint())
			b.mustInstall("org.example.Edit", "org.example.App3", "org.example.App7", "com.other.Edit")
			if got, _, err := b.search(SearchOptions{}); err != nil || len(got) < 60 {
				t.Errorf("%q, %v", got, err)
			}
			p.publish(edit("1.1").With(writes), repotest.App("org.example.App3", "1.1"))
			b.now = time.Now().Add(time.Minute)
			if _, r, err := b.update(PlanOptions{}, 0); err != nil || len(r.Done) != 2 || b.version("App3") != "1.1" {
				t.Errorf("%+v, %v", r, err)
			}
			in, err := b.client().Info(t.Context(), want(t, "org.example.Edit")[0], InfoOptions{})
			if err != nil || len(in.Older) != 1 || in.Older[0].Version != "1.0" {
				t.Errorf("%+v, %v", in, err)
			}
			if _, _, err := b.update(PlanOptions{Release: 1, Downgrade: true}, 0, "org.example.Edit"); err != nil || b.version("org.example.Edit") != "1.0" {
				t.Errorf("back: %v", err)
			}
			there := b.elsewhere()
			path := b.carry("org.example.Edit", "com.other.Edit")
			c := there.client()
			f, err := c.OpenFile(t.Context(), path)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			if err := f.Trust(); err != nil {
				t.Fatal(err)
			}
			plan, err := c.PlanFile(t.Context(), f, nil, PlanOptions{})
			if err == nil {
				_, err = c.Apply(t.Context(), plan)
			}
			if err != nil || there.version("com.other.Edit") != "7" {
				t.Errorf("carried: %v", err)
			}
			if bad, err := b.client().Info(t.Context(), want(t, "org.example.None")[0], InfoOptions{}); !errors.Is(err, ErrNotOffered) {
				t.Errorf("%+v, %v", bad, err)
			}
		})
	}
}

// The life of a repository: publishers come and go, keys change, releases are
// promoted, retracted and brought to their end. A client follows all of it.
func TestLifeOfARepository(t *testing.T) {
	p := newPublisher(t, 1)
	p.publish(edit("1.0"), repotest.App("org.example.Draw", "1"))
	b := &bench{T: t, store: filepath.Join(t.TempDir(), "store"), now: time.Now()}
	b.add("main", p.dir, p.fingerprint())
	b.mustInstall("Edit", "Draw")
	follow := func(what string, id, version string, agreed Need) *Plan {
		t.Helper()
		b.now = time.Now().Add(time.Minute)
		plan, _, err := b.update(PlanOptions{}, agreed)
		if err != nil || b.version(id) != version {
			t.Fatalf("%s: %s, %v; held %+v", what, b.version(id), err, plan.Held)
		}
		return plan
	}
	// Ann gets the IDs of the editor, with a key of her own.
	ann := newKey(t)
	pattern, err := publish.ParsePattern("app/org.example.Edit/*/*")
	if err != nil {
		if pattern, err = publish.ParsePattern("org.example.Edit"); err != nil {
			t.Fatal(err)
		}
	}
	p.opt.Keys = []key.Signer{p.key, ann}
	p.with(func(r *publish.Repository) error {
		return r.AddPublisher(publish.Publisher{Name: "ann", Patterns: []publish.Pattern{pattern}, Keys: []key.Public{ann.Public()}}, false)
	})
	follow("delegated, nothing published yet", "Edit", "1.0", 0)
	p.publish(edit("2.0"))
	follow("published by her", "Edit", "2.0", NeedPublisher)

	// The root is signed anew by another key; so is the timestamp.
	next := newKey(t)
	p.opt.Keys = []key.Signer{p.key, ann, next}
	p.with(func(r *publish.Repository) error {
		done, err := r.Rotate(publish.Rotation{Add: map[string][]key.Public{"root": {next.Public()}, "timestamp": {next.Public()}, "snapshot": {next.Public()}}})
		if err == nil && !done.Complete {
			t.Errorf("missing: %s", done.Missing)
		}
		return err
	})
	p.publish(repotest.App("org.example.Draw", "2"))
	follow("after a rotation", "Draw", "2", 0)
	p.with(func(r *publish.Repository) error {
		_, err := r.Rotate(publish.Rotation{Remove: map[string][]string{"timestamp": {p.key.Public().Fingerprint()}, "snapshot": {p.key.Public().Fingerprint()}}})
		return err
	})
	p.with(func(r *publish.Repository) error { _, err := r.Refresh(); return err })
	p.publish(repotest.App("org.example.Draw", "3"))
	follow("after the old keys left", "Draw", "3", 0)

	// Retracted: who has it keeps it, and is not brought back.
	p.with(func(r *publish.Repository) error { _, err := r.Retract("org.example.Draw", false); return err })
	follow("retracted", "Draw", "3", 0)
	p.publish(repotest.App("org.example.Draw", "4"))
	follow("and published again", "Draw", "4", 0)

	p.with(func(r *publish.Repository) error {
		_, err := r.EndOfLife("org.example.Draw", publish.EndOfLife{Why: "its author has stopped"})
		return err
	})
	if plan := follow("at its end", "Draw", "4", 0); len(plan.Notes) == 0 {
		t.Error("not told that it is at its end")
	}
	// Ann goes; what she had published is gone with her.
	p.with(func(r *publish.Repository) error { _, err := r.RemovePublisher("ann"); return err })
	plan := follow("without her", "Edit", "2.0", 0)
	if held(plan, "org.example.Edit") == "" {
		t.Error("not told that it is offered no more")
	}
}
