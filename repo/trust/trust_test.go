package trust_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"sandbox/internal/hint"
	"sandbox/repo"
	"sandbox/repo/remote"
	"sandbox/repo/repotest"
	"sandbox/repo/trust"
)

const day = 24 * time.Hour

// files is a source in memory; it counts what it is asked for.
type files struct {
	of    *repotest.Repo
	asked []string
}

func (f *files) String() string { return "memory" }

func (f *files) Fetch(ctx context.Context, path string, max int64) ([]byte, error) {
	f.asked = append(f.asked, path)
	data, ok := f.of.Files[path]
	if !ok {
		return nil, remote.ErrNotFound
	}
	if int64(len(data)) > max {
		return nil, remote.ErrTooLong
	}
	return data, nil
}

// user is somebody who trusts a repository since its first root.
type user struct {
	t   *testing.T
	dir string
	src *files
	now time.Time
}

func newUser(t *testing.T, r *repotest.Repo) *user {
	t.Helper()
	u := &user{t, t.TempDir(), &files{of: r}, r.Now.Add(time.Hour)}
	root, err := trust.ReadRoot(r.Files["1.root.json"])
	if err != nil {
		t.Fatal(err)
	}
	if root.Fingerprint != r.Fingerprint() {
		t.Fatalf("fingerprint %s, not %s", root.Fingerprint, r.Fingerprint())
	}
	if err := trust.Init(u.dir, root); err != nil {
		t.Fatal(err)
	}
	return u
}

func (u *user) view() *trust.Repository {
	return trust.New(u.src, trust.Options{Dir: u.dir, Now: func() time.Time { return u.now }, NotFound: func(err error) bool { return errors.Is(err, remote.ErrNotFound) }})
}

func (u *user) refresh() (*trust.Repository, error) {
	v := u.view()
	return v, v.Refresh(u.t.Context())
}

// stored is everything below the user's directory but the roots and the lock.
func (u *user) stored() map[string]string {
	all := map[string]string{}
	filepath.WalkDir(u.dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() && !strings.HasSuffix(path, ".root.json") && d.Name() != "lock" {
			data, _ := os.ReadFile(path)
			all[strings.TrimPrefix(path, u.dir)] = string(data)
		}
		return err
	})
	return all
}

var edit = repotest.App("org.example.Edit", "1.0")

func simple() *repotest.Repo { return simpleOnce().Clone() }

var simpleOnce = sync.OnceValue(func() *repotest.Repo {
	r := repotest.New()
	r.Release(edit)
	r.Publish()
	return r
})

func next(r *repotest.Repo, version string) *repotest.Repo {
	c := r.Clone()
	c.Now = c.Now.Add(day)
	c.Release(repotest.App("org.example.Edit", version))
	c.Publish()
	return c
}

func TestRepositoryIsRead(t *testing.T) {
	r := simple()
	u := newUser(t, r)
	v, err := u.refresh()
	if err != nil {
		t.Fatal(err)
	}
	rel, err := v.Release(t.Context(), edit.Ref())
	if err != nil {
		t.Fatal(err)
	}
	if rel.Version != "1.0" || rel.N != 1 || r.Files[repo.TreePath(rel.Tree)] == nil || int64(len(r.Files[repo.TreePath(rel.Tree)])) != rel.TreeLength {
		t.Errorf("%+v", rel)
	}
	if _, err := v.Release(t.Context(), repotest.App("org.example.Other", "1").Ref()); !errors.Is(err, trust.ErrNoRef) {
		t.Errorf("unknown: %v", err)
	}
	rows, err := v.Catalogue(t.Context(), repo.HostArch())
	if err != nil || len(rows) != 1 || rows[0].Ref != edit.Ref() {
		t.Errorf("%v, %v", rows, err)
	}
	if rows, err := v.Catalogue(t.Context(), "aarch64"); repo.HostArch() != "aarch64" && (err != nil || rows != nil) {
		t.Errorf("another arch: %v, %v", rows, err)
	}

	u.src.of = next(next(r, "1.1"), "1.2")
	u.now = u.now.Add(2 * day)
	if v, err = u.refresh(); err != nil {
		t.Fatal(err)
	}
	if rel, err = v.Release(t.Context(), edit.Ref()); err != nil || rel.Version != "1.2" || rel.N != 3 {
		t.Errorf("%+v, %v", rel, err)
	}
	if old, err := v.ReleaseAt(t.Context(), edit.Ref(), 2); err != nil || old.Version != "1.1" {
		t.Errorf("%+v, %v", old, err)
	}
	if same, err := v.ReleaseAt(t.Context(), edit.Ref(), 3); err != nil || same.Version != "1.2" {
		t.Errorf("%+v, %v", same, err)
	}
	older, err := v.Older(t.Context(), edit.Ref(), 3)
	if err != nil || len(older) != 2 || older[0].N != 2 || older[1].N != 1 {
		t.Errorf("%+v, %v", older, err)
	}
}

// What is known already is not fetched again.
func TestRefreshAsksForLittle(t *testing.T) {
	r := simple()
	u := newUser(t, r)
	look := func() []string {
		u.src.asked = nil
		v, err := u.refresh()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := v.Release(t.Context(), edit.Ref()); err != nil {
			t.Fatal(err)
		}
		if _, err := v.Catalogue(t.Context(), repo.HostArch()); err != nil {
			t.Fatal(err)
		}
		return u.src.asked
	}
	if got := look(); len(got) != 6 {
		t.Errorf("at first: %v", got)
	}
	if got := look(); !reflect.DeepEqual(got, []string{"2.root.json", "timestamp.json"}) {
		t.Errorf("again: %v", got)
	}
	u.src.of = next(r, "1.1")
	if got := look(); len(got) != 6 {
		t.Errorf("after a release: %v", got)
	}
	if left, _ := filepath.Glob(u.dir + "/*/*"); len(left) != 4 {
		t.Errorf("what is not named any more stays: %v", left)
	}
}

func TestOfflineView(t *testing.T) {
	r := simple()
	u := newUser(t, r)
	offline := func() (*trust.Repository, error) {
		v := trust.New(nil, trust.Options{Dir: u.dir, Now: func() time.Time { return u.now }})
		return v, v.Load(t.Context())
	}
	if _, err := offline(); !errors.Is(err, trust.ErrNeverSeen) || hint.Of(err) == "" {
		t.Errorf("before the first look: %v", err)
	}
	v, err := u.refresh()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := v.Catalogue(t.Context(), repo.HostArch()); err != nil {
		t.Fatal(err)
	}
	seen := v.Checked()
	u.now = u.now.Add(400 * day)
	before := u.stored()
	if v, err = offline(); err != nil {
		t.Fatal(err)
	}
	if rows, err := v.Catalogue(t.Context(), repo.HostArch()); err != nil || len(rows) != 1 {
		t.Errorf("%v, %v", rows, err)
	}
	if !v.Checked().Equal(seen) || len(v.Stale()) < 3 {
		t.Errorf("checked %v, stale %v", v.Checked(), v.Stale())
	}
	if !reflect.DeepEqual(u.stored(), before) {
		t.Error("looking changed what is stored")
	}
}

// refusal is a repository that must not be believed, after one that was.
type refusal struct {
	name string
	bend func(r *repotest.Repo) // before the second publication
	want error                  // nil: any
	text string                 // in the error
}

func (c refusal) run(t *testing.T) {
	t.Helper()
	good := simple()
	u := newUser(t, good)
	if _, err := u.refresh(); err != nil {
		t.Fatal(err)
	}
	before := u.stored()

	bad := good.Clone()
	bad.Now = bad.Now.Add(day)
	u.now = u.now.Add(day)
	bad.Release(repotest.App("org.example.Edit", "6.6.6"))
	if c.bend != nil {
		c.bend(bad)
	}
	bad.Publish()
	u.src.of = bad
	v, err := u.refresh()
	if err == nil {
		_, err = v.Release(t.Context(), edit.Ref())
	}
	if err == nil || c.want != nil && !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.text) {
		t.Fatalf("%v; want %v %q", err, c.want, c.text)
	}
	after := u.stored()
	if v != nil && !v.Checked().Equal(u.now) && !reflect.DeepEqual(after, before) {
		t.Errorf("something was stored: %d files, before %d", len(after), len(before))
	}

	// The positive twin: the same release, published as it should be.
	fine := good.Clone()
	fine.Versions["timestamp"], fine.Versions["snapshot"] = bad.Versions["timestamp"]+1, bad.Versions["snapshot"]+1
	fine.Versions["targets"], fine.Versions["bin-00"] = bad.Versions["targets"]+1, bad.Versions["bin-00"]+1
	fine.Now = bad.Now
	fine.Release(repotest.App("org.example.Edit", "6.6.6"))
	fine.Publish()
	u.src.of = fine
	if v, err = u.refresh(); err != nil {
		t.Fatalf("the good one after it: %v", err)
	}
	if rel, err := v.Release(t.Context(), edit.Ref()); err != nil || rel.Version != "6.6.6" {
		t.Errorf("the good one after it: %+v, %v", rel, err)
	}
}

var roles = []string{"timestamp", "snapshot", "targets", "bin-00"}

// B19: a signature is over the very bytes that are read, and nothing follows them.
func TestSignatureFaults(t *testing.T) {
	for _, role := range roles {
		for _, c := range []struct {
			name string
			keys []repotest.Key
		}{
			{"unsigned", []repotest.Key{}},
			{"by a stranger", []repotest.Key{repotest.NewKey("stranger")}},
			{"by the key of another role", []repotest.Key{repotest.NewKey(map[string]string{"timestamp": "snapshot", "snapshot": "timestamp", "targets": "bin-00", "bin-00": "targets"}[role])}},
		} {
			t.Run(role+" "+c.name, refusal{bend: func(r *repotest.Repo) { r.Sign[role] = c.keys }}.run)
		}
		t.Run(role+" changed after signing", refusal{bend: func(r *repotest.Repo) {
			r.Break[role] = func(b []byte) []byte { return []byte(strings.Replace(string(b), `"version":2`, `"version":3`, 1)) }
		}}.run)
		t.Run(role+" signed twice by one key", refusal{bend: func(r *repotest.Repo) {
			r.Sign[role] = []repotest.Key{repotest.NewKey(role), repotest.NewKey(role)}
		}}.run)
		t.Run(role+" with text after its end", refusal{bend: func(r *repotest.Repo) {
			r.Break[role] = func(b []byte) []byte { return append(b, "{}"...) }
		}}.run)
		t.Run(role+" cut", refusal{bend: func(r *repotest.Repo) {
			r.Break[role] = func(b []byte) []byte { return b[:len(b)/2] }
		}}.run)
		t.Run(role+" with a flipped byte", refusal{bend: func(r *repotest.Repo) {
			r.Break[role] = func(b []byte) []byte { b[len(b)/2] ^= 1; return b }
		}}.run)
	}
	t.Run("a timestamp with a million signatures", refusal{bend: func(r *repotest.Repo) {
		r.Break["timestamp"] = func(b []byte) []byte {
			return []byte(`{"signed":{},"signatures":[` + strings.Repeat(`{"keyid":"a","sig":"00"},`, 1e6) + `{}]}`)
		}
	}, want: remote.ErrTooLong}.run)
	t.Run("a bin with many signatures", refusal{text: "signatures", bend: func(r *repotest.Repo) {
		r.Sign["bin-00"] = manyKeys(65)
	}}.run)
}

func manyKeys(n int) (keys []repotest.Key) {
	for i := range n {
		keys = append(keys, repotest.NewKey(fmt.Sprint(i)))
	}
	return keys
}

func TestWrongShape(t *testing.T) {
	for _, role := range roles {
		for name, bend := range map[string]func(repotest.Doc){
			"of another type":             func(d repotest.Doc) { d["_type"] = "root" },
			"without a type":              func(d repotest.Doc) { delete(d, "_type") },
			"of version 0":                func(d repotest.Doc) { d["version"] = 0 },
			"of version -1":               func(d repotest.Doc) { d["version"] = -1 },
			"of a version that is no int": func(d repotest.Doc) { d["version"] = "7" },
			"without a date":              func(d repotest.Doc) { delete(d, "expires") },
			"with a date that is none":    func(d repotest.Doc) { d["expires"] = "tomorrow" },
			"of another specification":    func(d repotest.Doc) { d["spec_version"] = "2.0" },
			"with null":                   func(d repotest.Doc) { d["x"] = nil },
			"with a key in another case":  func(d repotest.Doc) { d["Version"] = 99 },
			"nested deeply": func(d repotest.Doc) {
				deep := any(1)
				for range 50 {
					deep = []any{deep}
				}
				d["x"] = deep
			},
		} {
			t.Run(role+" "+name, refusal{bend: func(r *repotest.Repo) { r.Bend[role] = bend }}.run)
		}
		t.Run(role+" says a name twice", refusal{bend: func(r *repotest.Repo) {
			r.Break[role] = func(b []byte) []byte {
				return []byte(strings.Replace(string(b), `{"_type"`, `{"version":9,"_type"`, 1))
			}
		}}.run)
	}
	for _, c := range []struct {
		name, role string
		bend       func(d repotest.Doc)
	}{
		{"a timestamp without a snapshot", "timestamp", func(d repotest.Doc) { d["meta"] = repotest.Doc{} }},
		{"a timestamp that lists more", "timestamp", func(d repotest.Doc) {
			d["meta"].(repotest.Doc)["targets.json"] = d["meta"].(repotest.Doc)["snapshot.json"]
		}},
		{"a snapshot without length", "timestamp", func(d repotest.Doc) { delete(d["meta"].(repotest.Doc)["snapshot.json"].(repotest.Doc), "length") }},
		{"a snapshot without hash", "timestamp", func(d repotest.Doc) { delete(d["meta"].(repotest.Doc)["snapshot.json"].(repotest.Doc), "hashes") }},
		{"a huge snapshot", "timestamp", func(d repotest.Doc) {
			d["meta"].(repotest.Doc)["snapshot.json"].(repotest.Doc)["length"] = int64(1) << 40
		}},
		{"a negative length", "timestamp", func(d repotest.Doc) { d["meta"].(repotest.Doc)["snapshot.json"].(repotest.Doc)["length"] = -1 }},
		{"a length one too short", "timestamp", func(d repotest.Doc) {
			m := d["meta"].(repotest.Doc)["snapshot.json"].(repotest.Doc)
			m["length"] = m["length"].(int) - 1
		}},
		{"a hash of another kind", "timestamp", func(d repotest.Doc) {
			d["meta"].(repotest.Doc)["snapshot.json"].(repotest.Doc)["hashes"] = repotest.Doc{"md5": "00000000000000000000000000000000"}
		}},
		{"a snapshot without targets", "snapshot", func(d repotest.Doc) { delete(d["meta"].(repotest.Doc), "targets.json") }},
		{"a role named as a path", "snapshot", func(d repotest.Doc) {
			d["meta"].(repotest.Doc)["../../x.json"] = d["meta"].(repotest.Doc)["bin-00.json"]
		}},
		{"targets without length", "snapshot", func(d repotest.Doc) { delete(d["meta"].(repotest.Doc)["targets.json"].(repotest.Doc), "length") }},
		{"a huge bin", "snapshot", func(d repotest.Doc) {
			d["meta"].(repotest.Doc)["bin-00.json"].(repotest.Doc)["length"] = int64(1) << 40
		}},
		{"a bin that delegates", "bin-00", func(d repotest.Doc) { d["delegations"] = repotest.Doc{"keys": repotest.Doc{}, "roles": []any{}} }},
	} {
		t.Run(c.name, refusal{bend: func(r *repotest.Repo) { r.Bend[c.role] = c.bend }}.run)
	}
}

// B07, B08: rollback, freeze, mix-and-match.
func TestRollback(t *testing.T) {
	for _, role := range roles {
		t.Run(role, func(t *testing.T) {
			r := simple()
			newer := next(next(r, "1.1"), "1.2")
			u := newUser(t, r)
			u.src.of = newer
			if _, err := u.refresh(); err != nil {
				t.Fatal(err)
			}
			bad := newer.Clone()
			bad.Versions[role] = 1
			bad.Publish()
			u.src.of = bad
			if _, err := u.refresh(); !errors.Is(err, trust.ErrRollback) {
				t.Errorf("%v", err)
			}
			u.src.of = next(newer, "1.3")
			if _, err := u.refresh(); err != nil {
				t.Errorf("the good one after it: %v", err)
			}
		})
	}
	r := simple()
	newer := next(next(r, "1.1"), "1.2")
	u := newUser(t, newer)
	u.src.of = newer
	if _, err := u.refresh(); err != nil {
		t.Fatal(err)
	}
	u.src.of = next(r, "1.1")
	if _, err := u.refresh(); !errors.Is(err, trust.ErrRollback) {
		t.Errorf("the state of yesterday: %v", err)
	}
	u.src.of = next(newer, "1.3")
	if _, err := u.refresh(); err != nil {
		t.Errorf("the state of tomorrow: %v", err)
	}
}

func TestVanishedRole(t *testing.T) {
	r := repotest.New()
	r.Delegations = []repotest.Delegation{{Name: "pub-ann", Patterns: []string{"app/org.example.*/*/*"}, Keys: []repotest.Key{repotest.NewKey("ann")}}}
	r.Release(edit)
	r.Publish()
	u := newUser(t, r)
	if _, err := u.refresh(); err != nil {
		t.Fatal(err)
	}
	gone := r.Clone()
	gone.Delegations = nil
	gone.Publish()
	u.src.of = gone
	if _, err := u.refresh(); !errors.Is(err, trust.ErrRollback) {
		t.Errorf("a file left the snapshot: %v", err)
	}
}

func TestMixAndMatch(t *testing.T) {
	old := simple()
	good := next(old, "1.1")
	for name, path := range map[string][2]string{
		"an old bin under a new snapshot":         {"meta/2.bin-00.json", "meta/1.bin-00.json"},
		"old targets under a new snapshot":        {"meta/2.targets.json", "meta/1.targets.json"},
		"an old snapshot under a new timestamp":   {"meta/2.snapshot.json", "meta/1.snapshot.json"},
		"the targets as the bin":                  {"meta/2.bin-00.json", "meta/2.targets.json"},
		"the timestamp as the snapshot":           {"meta/2.snapshot.json", "timestamp.json"},
		"a root as the timestamp (B23)":           {"timestamp.json", "1.root.json"},
		"the remote's description as a timestamp": {"timestamp.json", "sandbox-repo.json"},
	} {
		t.Run(name, func(t *testing.T) {
			u := newUser(t, old)
			if _, err := u.refresh(); err != nil {
				t.Fatal(err)
			}
			mixed := good.Clone()
			mixed.Files[path[0]] = mixed.Files[path[1]]
			u.src.of = mixed
			v, err := u.refresh()
			if err == nil {
				_, err = v.Release(t.Context(), edit.Ref())
			}
			if err == nil {
				t.Error("believed")
			}
			u.src.of = good
			if _, err := u.refresh(); err != nil {
				t.Errorf("the good one after it: %v", err)
			}
		})
	}
}

func TestFreeze(t *testing.T) {
	r := simple()
	u := newUser(t, r)
	u.now = r.Now.Add(14*day - time.Minute)
	if _, err := u.refresh(); err != nil {
		t.Fatalf("a minute before the end: %v", err)
	}
	u.now = r.Now.Add(14*day + time.Minute)
	_, err := u.refresh()
	if !errors.Is(err, trust.ErrExpired) || hint.Of(err) == "" {
		t.Errorf("a minute after the end: %v", err)
	}
	for _, role := range []string{"snapshot", "targets", "bin-00"} {
		t.Run(role, refusal{want: trust.ErrExpired, bend: func(r *repotest.Repo) { r.Expiry[role] = time.Minute }}.run)
	}
}

// The clock is set back to when the old state was good.
func TestClockSetBack(t *testing.T) {
	r := simple()
	u := newUser(t, r)
	first := u.now
	later := next(r, "1.1")
	later.Now = r.Now.Add(20 * day)
	later.Publish()
	u.src.of, u.now = later, later.Now.Add(time.Hour)
	if _, err := u.refresh(); err != nil {
		t.Fatal(err)
	}
	// A timestamp of a higher version that expired before the time last seen.
	trick := later.Clone()
	trick.Now = r.Now
	trick.Expiry["timestamp"] = 15 * day
	trick.Publish()
	u.src.of, u.now = trick, first.Add(day)
	_, err := u.refresh()
	if !errors.Is(err, trust.ErrExpired) || !strings.Contains(hint.Of(err), "clock") {
		t.Errorf("%v (%s)", err, hint.Of(err))
	}
	u.src.of = later
	if _, err := u.refresh(); err != nil {
		t.Errorf("what was good at the time last seen: %v", err)
	}
}

// A clock that ran ahead does not lock a user out once it is right again: what
// is beyond the timestamp's life is never stored as seen.
func TestClockThatRanAhead(t *testing.T) {
	r := simple()
	u := newUser(t, r)
	right := u.now
	u.now = right.Add(3650 * day)
	if _, err := u.refresh(); !errors.Is(err, trust.ErrExpired) {
		t.Fatal(err)
	}
	u.now = right
	if _, err := u.refresh(); err != nil {
		t.Error(err)
	}
}

func TestExpiredIsTakenWhenAsked(t *testing.T) {
	r := simple()
	u := newUser(t, r)
	u.now = r.Now.Add(400 * day)
	v := trust.New(u.src, trust.Options{Dir: u.dir, Expired: true, Now: func() time.Time { return u.now }, NotFound: func(err error) bool { return errors.Is(err, remote.ErrNotFound) }})
	if err := v.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := v.Release(t.Context(), edit.Ref()); err != nil {
		t.Error(err)
	}
	if len(v.Stale()) != 5 || len(u.stored()) != 0 {
		t.Errorf("stale %v, stored %d", v.Stale(), len(u.stored()))
	}
	// Everything else counts as ever.
	u.src.of.Files["meta/1.bin-00.json"] = u.src.of.Files["meta/1.targets.json"]
	v = trust.New(u.src, trust.Options{Dir: u.dir, Expired: true, Now: func() time.Time { return u.now }, NotFound: func(err error) bool { return errors.Is(err, remote.ErrNotFound) }})
	err := v.Refresh(t.Context())
	if err == nil {
		_, err = v.Release(t.Context(), edit.Ref())
	}
	if err == nil {
		t.Error("a mixed-up repository is believed")
	}
}
