package publish

import (
	"path/filepath"
	"testing"
	"time"

	"sandbox/repo/key"
)

func TestKeyIDsAreThoseOfTheLibrary(t *testing.T) {
	p := newKey(t).Public()
	k, err := tufKey(p).ID()
	if err != nil || k != p.ID() {
		t.Errorf("ID = %s, go-tuf says %s, %v", p.ID(), k, err)
	}
	if back, ok := publicOf(tufKey(p)); !ok || back != p {
		t.Error("the key does not come back")
	}
}

func TestInitOpensAgain(t *testing.T) {
	for _, bins := range []int{1, 16, 256} {
		dir, o := newRepo(t, func(i *InitOptions) { i.Bins = bins })
		r := open(t, dir, o)
		if len(r.roles) != bins || r.timestamp.Signed.Version != 1 || r.root.Signed.Version != 1 {
			t.Errorf("%d bins: %d roles, timestamp %d", bins, len(r.roles), r.timestamp.Signed.Version)
		}
		r.Close()
	}
}

func TestTwoRepositoriesOfOneKeyAreTwo(t *testing.T) {
	k, at := newKey(t), time.Now()
	seen := map[string]bool{}
	for range 4 {
		o := InitOptions{Options: Options{Keys: []key.Signer{k}, Now: func() time.Time { return at }}, Default: []key.Public{k.Public()}}
		made, err := Init(filepath.Join(t.TempDir(), "repo"), o)
		if err != nil {
			t.Fatal(err)
		}
		seen[made.Fingerprint] = true
	}
	if len(seen) < 3 { // two of four may be alike once in 14,000 times
		t.Errorf("%d fingerprints", len(seen))
	}
}

func TestRefreshRenewsWhatIsDue(t *testing.T) {
	dir, o := newRepo(t)
	start := time.Now()
	for _, c := range []struct {
		after time.Duration
		want  int // renewed roles
	}{{day, 0}, {70 * day, 2}, {71 * day, 0}, {300 * day, 3}} {
		o.Now = func() time.Time { return start.Add(c.after) }
		r := open(t, dir, o)
		out, err := r.Refresh()
		if err != nil || len(out.Renewed) != c.want {
			t.Errorf("after %v: renewed %v, %v", c.after, out.Renewed, err)
		}
		if left := out.Timestamp.Sub(o.now()); left != DefaultAge {
			t.Errorf("after %v: the timestamp lives %v", c.after, left)
		}
		r.Close()
	}
	if r := open(t, dir, o); r.timestamp.Signed.Version != 5 || r.roles["bin-00"].Signed.Version != 3 {
		t.Errorf("timestamp %d, bin %d", r.timestamp.Signed.Version, r.roles["bin-00"].Signed.Version)
	}
}
