package client

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sandbox/repo/store"
)

// repair spoils what is installed and has the client bring it again.
func (b *bench) repair(spoil func(s *store.Store, dir string)) (r store.Repaired, err error) {
	b.Helper()
	c := b.client()
	spoil(c.Store, c.Store.BundleDir(b.record("org.example.Edit")))
	if found, err := c.Store.Verify(b.Context(), store.VerifyOptions{}); err != nil || len(found) == 0 {
		b.Fatalf("nothing is wrong: %v", err)
	}
	b.locked(func(s *store.Store, l *store.Lock) error {
		r, err = s.Repair(b.Context(), l, func(ctx context.Context, n store.Need) error { return c.Refetch(ctx, n) })
		return nil
	})
	return r, err
}

func TestRefetch(t *testing.T) {
	overwrite := func(dir string) {
		if err := os.WriteFile(filepath.Join(dir, "files/bin/tool"), []byte("evil"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		name  string
		spoil func(s *store.Store, dir string)
	}{
		{"a content", func(_ *store.Store, dir string) { overwrite(dir) }},
		{"everything", func(s *store.Store, dir string) {
			os.RemoveAll(dir)
			os.RemoveAll(filepath.Join(s.Dir(), "objects"))
			os.RemoveAll(filepath.Join(s.Dir(), "trees"))
			os.MkdirAll(filepath.Join(s.Dir(), "objects"), 0o755)
			os.MkdirAll(filepath.Join(s.Dir(), "trees"), 0o755)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t, edit("1.0"))
			b.mustInstall("org.example.Edit")
			r, err := b.repair(c.spoil)
			if err != nil || len(r.Left) > 0 || r.Contents == 0 {
				t.Errorf("got %+v, %v", r, err)
			}
			if got := b.version("org.example.Edit"); got != "1.0" {
				t.Errorf("it is %q now", got)
			}
		})
	}
	// An old release comes from where it was, although a newer one is out.
	t.Run("a release that is not the newest", func(t *testing.T) {
		b := newBench(t, edit("1.0"))
		b.mustInstall("org.example.Edit")
		b.publish(edit("2.0"))
		if r, err := b.repair(func(_ *store.Store, dir string) { overwrite(dir) }); err != nil || len(r.Left) > 0 {
			t.Errorf("got %+v, %v", r, err)
		}
		if got := b.version("org.example.Edit"); got != "1.0" {
			t.Errorf("it is %q now", got)
		}
	})
	t.Run("nobody has it any more", func(t *testing.T) {
		b := newBench(t, edit("1.0"))
		b.mustInstall("org.example.Edit")
		b.server.Close()
		r, err := b.repair(func(_ *store.Store, dir string) { overwrite(dir) })
		if err == nil || len(r.Left) == 0 {
			t.Errorf("got %+v, %v", r, err)
		}
		for _, d := range r.Left {
			if !strings.Contains(d.String(), "org.example.Edit") {
				t.Errorf("it is said of %s", d)
			}
		}
	})
}
