package publish

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"sandbox/internal/hint"
	"sandbox/repo/key"
)

func rotate(t testing.TB, dir string, o Options, c Rotation) (out *Rotated, err error) {
	t.Helper()
	err = with(t, dir, o, func(r *Repository) error { out, err = r.Rotate(c); return err })
	return out, err
}

func add(role string, keys ...key.Signer) map[string][]key.Public {
	m := map[string][]key.Public{}
	for _, k := range keys {
		m[role] = append(m[role], k.Public())
	}
	return m
}

func remove(role string, keys ...key.Signer) map[string][]string {
	m := map[string][]string{}
	for _, k := range keys {
		m[role] = append(m[role], k.Public().Fingerprint())
	}
	return m
}

func TestRootIsRenewed(t *testing.T) {
	dir, o := newRepo(t)
	publish(t, dir, o, Request{Bundles: []string{newBundle(t, app, "1", "", nil)}})
	later := o
	start := o.now()
	later.Now = func() time.Time { return start.Add(300 * day) }
	out, err := rotate(t, dir, later, Rotation{})
	if err != nil || out.Root != 2 || !out.Complete {
		t.Fatalf("%+v, %v", out, err)
	}
	if r := open(t, dir, o); r.root.Signed.Expires.Sub(start) != 665*day {
		t.Errorf("it expires %v", r.root.Signed.Expires)
	} else {
		r.Close()
	}
	accepts(t, dir, o)
}

func TestRotateOneRole(t *testing.T) {
	for _, role := range []string{"root", "targets", "snapshot", "timestamp", "bins"} {
		t.Run(role, func(t *testing.T) {
			old, fresh := newKey(t), newKey(t)
			dir, o := newRepo(t, func(i *InitOptions) {
				i.Keys = append(i.Keys, old)
				i.Roles = map[string][]key.Public{role: {old.Public()}}
			})
			base := Options{Keys: o.Keys[:1]}
			publish(t, dir, o, Request{Bundles: []string{newBundle(t, app, "1", "", nil)}, Author: base.Keys[0]})
			if _, err := rotate(t, dir, and(base, old, fresh), Rotation{Add: add(role, fresh), Remove: remove(role, old)}); err != nil {
				t.Fatal(err)
			}
			accepts(t, dir, o)
			// The new key is enough from now on, and the old one is not.
			publish(t, dir, and(base, fresh), Request{Bundles: []string{newBundle(t, app, "2", "", nil)}})
			accepts(t, dir, o)
			switch role {
			case "root":
				if out, err := rotate(t, dir, and(base, old), Rotation{Add: add(role, old)}); err != nil || out.Complete {
					t.Errorf("the old key made a root: %+v, %v", out, err)
				}
			case "targets":
				if err := addPublisher(t, dir, and(base, old), false, "acme", []string{"com.acme.*"}, old); err == nil {
					t.Error("the old key still signs")
				}
			default:
				if _, err := tryPublish(t, dir, and(base, old), Request{Bundles: []string{newBundle(t, app, "3", "", nil)}}); err == nil {
					t.Error("the old key still signs")
				}
			}
		})
	}
}

// The key of the timestamp is lost: the root's owner gives the role another.
func TestRotateALostKey(t *testing.T) {
	for _, role := range []string{"targets", "snapshot", "timestamp"} {
		t.Run(role, func(t *testing.T) {
			lost, fresh := newKey(t), newKey(t)
			dir, o := newRepo(t, func(i *InitOptions) {
				i.Keys = append(i.Keys, lost)
				i.Roles = map[string][]key.Public{role: {lost.Public()}}
			})
			publish(t, dir, o, Request{Bundles: []string{newBundle(t, app, "1", "", nil)}})
			base := Options{Keys: o.Keys[:1]}
			if _, err := rotate(t, dir, base, Rotation{Add: add(role, fresh), Remove: remove(role, lost)}); err == nil || !strings.Contains(err.Error(), "0 of 1") {
				t.Errorf("a root under which nobody can sign: %v", err)
			}
			// Cut short between the root and the rest: the next run repairs it.
			crash := and(base, fresh)
			crash.fault = func(step string) error {
				if step == "root" {
					return errCrash
				}
				return nil
			}
			if _, err := rotate(t, dir, crash, Rotation{Add: add(role, fresh), Remove: remove(role, lost)}); err == nil {
				t.Fatal("it did not crash")
			}
			if err := with(t, dir, and(base, fresh), func(r *Repository) error { _, err := r.Refresh(); return err }); err != nil {
				t.Fatal(err)
			}
			accepts(t, dir, o)
			publish(t, dir, and(base, fresh), Request{Bundles: []string{newBundle(t, app, "2", "", nil)}})
			accepts(t, dir, o)
		})
	}
}

// Two of three people sign a new root, each on a machine of their own.
func TestOfflineSigners(t *testing.T) {
	a, b, c, online := newKey(t), newKey(t), newKey(t), newKey(t)
	dir, _ := newRepo(t, func(i *InitOptions) {
		i.Keys = []key.Signer{a, b, online}
		i.Roles = map[string][]key.Public{"root": {a.Public(), b.Public(), c.Public()}}
		i.RootThreshold = 2
		i.Default = []key.Public{online.Public()}
	})
	o := Options{Keys: []key.Signer{online}}
	d := newKey(t)
	out, err := rotate(t, dir, o, Rotation{Add: add("root", d), Remove: remove("root", c)})
	if err != nil || out.Complete || !strings.Contains(out.Missing, "2 of") {
		t.Fatalf("%+v, %v", out, err)
	}
	file := filepath.Join(t.TempDir(), "root.json")
	write(t, file, string(out.Proposal), 0o644)
	apply := func() (err error) {
		return with(t, dir, o, func(r *Repository) error { _, err := r.ApplyRoot(file); return err })
	}
	// The old root takes two of a, b, c; the new one two of a, b, d.
	for _, who := range []key.Signer{c, a, a} {
		if _, err := SignRoot(file, []key.Signer{who}); err != nil {
			t.Fatal(err)
		}
		if err := apply(); err == nil || !strings.Contains(hint.Of(err), "still takes") {
			t.Errorf("before all have signed: %v", err)
		}
	}
	if _, err := SignRoot(file, []key.Signer{d}); err != nil {
		t.Fatal(err)
	}
	m, err := ReadRoot(file)
	if err != nil || len(m.Summary().Signatures) != 3 {
		t.Fatalf("%+v, %v", m.Summary(), err)
	}
	if err := apply(); err != nil {
		t.Fatal(err)
	}
	accepts(t, dir, o)
	if err := apply(); err == nil || !strings.Contains(err.Error(), "the next is 3") {
		t.Errorf("applied twice: %v", err)
	}
}

func TestProposalsThatAreRefused(t *testing.T) {
	dir, o := newRepo(t)
	evil := newKey(t)
	r := open(t, dir, o)
	next, err := r.nextRoot(Rotation{Add: add("root", evil), Remove: remove("root", o.Keys[0])})
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	file := filepath.Join(t.TempDir(), "root.json")
	put := func(m *metadata.Metadata[metadata.RootType]) {
		data, _ := encode(m)
		os.WriteFile(file, data, 0o644)
	}
	apply := func() error {
		return with(t, dir, Options{}, func(r *Repository) error { _, err := r.ApplyRoot(file); return err })
	}
	for _, c := range []struct {
		name string
		make func()
	}{
		{"signed by the new key alone", func() { sign(next, []key.Signer{evil}); put(next) }},
		{"signed by nobody", func() { next.ClearSignatures(); put(next) }},
		{"a jump of two", func() { next.Signed.Version = 3; sign(next, []key.Signer{evil, o.Keys[0]}); put(next) }},
		{"the same version", func() { next.Signed.Version = 1; sign(next, []key.Signer{evil, o.Keys[0]}); put(next) }},
		{"threshold 0", func() {
			next.Signed.Version = 2
			next.Signed.Roles["timestamp"].Threshold = 0
			sign(next, []key.Signer{evil, o.Keys[0]})
			put(next)
		}},
		{"threshold -1", func() {
			next.Signed.Roles["timestamp"].Threshold = -1
			sign(next, []key.Signer{evil, o.Keys[0]})
			put(next)
		}},
		{"no timestamp role", func() {
			delete(next.Signed.Roles, "timestamp")
			sign(next, []key.Signer{evil, o.Keys[0]})
			put(next)
		}},
		{"no JSON", func() { os.WriteFile(file, []byte("hello"), 0o644) }},
		{"another kind of metadata", func() { data, _ := os.ReadFile(filepath.Join(dir, timestampFile)); os.WriteFile(file, data, 0o644) }},
		{"no file", func() { os.Remove(file) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.make()
			if err := apply(); err == nil {
				t.Error("it was applied")
			}
			if r := open(t, dir, o); r.root.Signed.Version != 1 {
				t.Error("there is a new root")
			} else {
				r.Close()
			}
		})
	}
}

func TestRotateRefuses(t *testing.T) {
	dir, o := newRepo(t)
	for name, c := range map[string]Rotation{
		"an unknown role":         {Add: add("bin-00", newKey(t))},
		"the last key":            {Remove: remove("timestamp", o.Keys[0])},
		"the last key of bins":    {Remove: remove("bins", o.Keys[0])},
		"a key that is not there": {Remove: remove("root", newKey(t))},
		"too high a threshold":    {Threshold: map[string]int{"targets": 2}},
		"a negative threshold":    {Threshold: map[string]int{"root": -1}},
	} {
		if _, err := rotate(t, dir, o, c); err == nil {
			t.Errorf("%s: done", name)
		}
	}
	if got := files(t, dir); slices.Contains(got, "2.root.json") {
		t.Error("a root was written")
	}
}

func TestThresholds(t *testing.T) {
	dir, o := newRepo(t)
	second := newKey(t)
	if _, err := rotate(t, dir, and(o, second), Rotation{
		Add:       map[string][]key.Public{"targets": {second.Public()}, "bins": {second.Public()}},
		Threshold: map[string]int{"targets": 2, "bins": 2},
	}); err != nil {
		t.Fatal(err)
	}
	b := newBundle(t, app, "1", "", nil)
	if _, err := tryPublish(t, dir, o, Request{Bundles: []string{b}}); err == nil || !strings.Contains(err.Error(), "1 of 2") {
		t.Errorf("with one of two keys: %v", err)
	}
	publish(t, dir, and(o, second), Request{Bundles: []string{b}})
	accepts(t, dir, o)
}
