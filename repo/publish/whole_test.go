package publish

import (
	"context"
	"crypto/sha256"
	"hash"
	"io"
	"os"
	"path/filepath"
	"testing"

	"sandbox/repo"
	"sandbox/repo/pack"
)

// checkAll checks that everything a client may ask for is there, down to the
// bytes of every object of every release.
func checkAll(t testing.TB, dir string, o Options) {
	t.Helper()
	r := open(t, dir, o)
	defer r.Close()
	all, err := r.releases()
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range all {
		if err := e.VerifyPublisher(); err != nil {
			t.Errorf("%s: %v", e.target, err)
		}
		tree, err := r.readTree(e.Release)
		if err != nil {
			t.Errorf("%s: %v", e.target, err)
			continue
		}
		l, err := r.readLocator(e.Release)
		if err != nil {
			t.Errorf("%s: %v", e.target, err)
			continue
		}
		got := objectsOf(t, dir, l)
		for _, entry := range tree.Entries {
			if !entry.Object.IsZero() && got[entry.Object] != entry.Size {
				t.Errorf("%s: %s has %d of %d bytes", e.target, entry.Path, got[entry.Object], entry.Size)
			}
		}
		if n := download(l); n != e.Download {
			t.Errorf("%s: download says %d, and it is %d", e.target, e.Download, n)
		}
	}
}

// objectsOf unpacks all that a locator names and gives the length of every
// object whose bytes are right.
func objectsOf(t testing.TB, dir string, l *repo.Locator) map[repo.Digest]int64 {
	t.Helper()
	good := map[repo.Digest]int64{}
	sums := map[repo.Digest]hash.Hash{}
	for _, f := range l.Frames {
		p := l.Packs[f.Pack]
		in, err := os.Open(filepath.Join(dir, repo.PackPath(p.Digest)))
		if err != nil {
			t.Error(err)
			return good
		}
		if st, _ := in.Stat(); st.Size() != p.Length {
			t.Errorf("pack %s has %d bytes, not %d", p.Digest.Short(), st.Size(), p.Length)
		}
		err = pack.Frames(context.Background(), io.NewSectionReader(in, f.Offset, f.CLen), f, func(p repo.Piece, r io.Reader) error {
			if sums[p.Object] == nil {
				sums[p.Object] = sha256.New()
			}
			n, err := io.Copy(sums[p.Object], r)
			good[p.Object] += n
			return err
		})
		in.Close()
		if err != nil {
			t.Error(err)
		}
	}
	for d, s := range sums {
		if repo.Digest(s.Sum(nil)) != d {
			t.Errorf("object %s has other bytes", d.Short())
			delete(good, d)
		}
	}
	return good
}

// copyDir makes a copy of a repository to be broken.
func copyDir(t testing.TB, from string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "repo")
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	return to
}
