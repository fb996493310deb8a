package upload

import (
	"context"
	"encoding/hex"
	"maps"
	"os"
	"strings"
	"testing"

	"sandbox/internal/hint"
	"sandbox/repo/key"
	"sandbox/repo/publish"
)

func rotate(p *Place, o publish.Options, role string, add key.Public) error {
	return p.Change(context.Background(), o, false, func(r *publish.Repository) error {
		_, err := r.Rotate(publish.Rotation{Add: map[string][]key.Public{role: {add}}})
		return err
	})
}

// Who can write to the server puts a repository there whose root has the publisher's
// key and another. What the publisher would sign there, a rotation say, counts for
// users of the first one as well.
func TestAnotherRootIsRefused(t *testing.T) {
	s := newS3Server(t)
	o := start(t, s.server())
	p := s.server().open(t, t.TempDir())
	put(t, p, o, newBundle(t, appID, "1", 10))

	other := newS3Server(t)
	evil := newKey(t)
	i := initOptions(evil)
	i.Default = []key.Public{evil.Public(), o.Keys[0].Public()}
	q := other.server().open(t, t.TempDir())
	if _, err := q.Init(context.Background(), i); err != nil {
		t.Fatal(err)
	}
	for _, version := range []string{"1", "2", "3"} { // newer than what was seen
		put(t, q, i.Options, newBundle(t, "org.example.Evil", version, 10))
	}

	p = s3Place(t, s, s.server().address, cacheOf(p))
	first := s.clone(t)
	s.objects = maps.Clone(other.objects)
	before := s.state("")
	for name, do := range map[string]func() error{
		"a rotation": func() error { return rotate(p, o, "timestamp", newKey(t).Public()) },
		"a release":  func() error { _, err := tryPut(p, o, newBundle(t, appID, "2", 10)); return err },
		"a look": func() error {
			return p.Look(context.Background(), publish.Options{}, func(*publish.Repository) error { return nil })
		},
	} {
		err := do()
		if err == nil || !strings.Contains(err.Error(), "another repository") || !strings.Contains(hint.Of(err), p.home) {
			t.Errorf("%s: %v (hint %q)", name, err, hint.Of(err))
		}
	}
	after := s.state("")
	delete(before, "a prefix+1/repo/"+probeFile)
	delete(after, "a prefix+1/repo/"+probeFile)
	if !same(before, after) {
		t.Error("something was put")
	}
	s.objects = first.objects
	put(t, p, o, newBundle(t, appID, "2", 10))
	if err := rotate(p, o, "timestamp", newKey(t).Public()); err != nil {
		t.Error(err)
	}
}

// cacheOf is the directory that a place was opened with.
func cacheOf(p *Place) string {
	return strings.TrimSuffix(p.home[:strings.LastIndexByte(p.home, '/')], "/publish")
}

// A key that was taken from the root signs no way back to before.
func TestOlderRootIsRefused(t *testing.T) {
	s := newS3Server(t)
	o := start(t, s.server())
	p := s.server().open(t, t.TempDir())
	put(t, p, o, newBundle(t, appID, "1", 10))
	old := s.clone(t)
	if err := rotate(p, o, "root", newKey(t).Public()); err != nil {
		t.Fatal(err)
	}
	q := old.server().open(t, t.TempDir())
	for _, version := range []string{"2", "3", "4"} {
		put(t, q, o, newBundle(t, appID, version, 10))
	}
	p = s3Place(t, s, s.server().address, cacheOf(p))
	s.objects = old.objects
	if _, err := tryPut(p, o, newBundle(t, appID, "5", 10)); err == nil || !strings.Contains(err.Error(), "2.root.json") {
		t.Error(err)
	}
}

// Two who rotate at once: the second one goes on from what the first one made, and
// not from a root of its own that was never there.
func TestTwoRotate(t *testing.T) {
	s := newS3Server(t)
	o := start(t, s.server())
	a, b := s.server().open(t, t.TempDir()), s.server().open(t, t.TempDir())
	first, second := newKey(t).Public(), newKey(t).Public()
	faster := false
	err := b.Change(context.Background(), o, false, func(r *publish.Repository) error {
		if !faster {
			faster = true
			if err := rotate(a, o, "timestamp", first); err != nil {
				t.Fatal(err)
			}
		}
		_, err := r.Rotate(publish.Rotation{Add: map[string][]key.Public{"timestamp": {second}}})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	files := s.server().state(t)
	offered(t, files)
	if files["3.root.json"] == nil {
		t.Error("there is no third root")
	}
	newest := files["3.root.json"]
	for _, k := range []key.Public{first, second} {
		if !strings.Contains(string(newest), hex.EncodeToString(k[:])) {
			t.Errorf("%s is not in the newest root", k.Fingerprint())
		}
	}
}

// What is known of the roots is mended by hand only.
func TestDamagedRoots(t *testing.T) {
	s := newS3Server(t)
	o := start(t, s.server())
	p := s.server().open(t, t.TempDir())
	put(t, p, o, newBundle(t, appID, "1", 10))
	if err := os.WriteFile(p.rootsFile(), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := tryPut(p, o, newBundle(t, appID, "2", 10)); err == nil || !strings.Contains(hint.Of(err), p.rootsFile()) {
		t.Errorf("%v (hint %q)", err, hint.Of(err))
	}
	os.Remove(p.rootsFile())
	put(t, p, o, newBundle(t, appID, "2", 10))
}
