package publish

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sandbox/internal/hint"
	"sandbox/repo"
	"sandbox/repo/key"
)

const stable = "app/" + app + "/any/stable"

func TestPublishAgainChangesNothing(t *testing.T) {
	dir, o := newRepo(t)
	b := newBundle(t, app, "1", "", nil)
	first := publish(t, dir, o, Request{Bundles: []string{b}})
	before := files(t, dir)
	again := publish(t, dir, o, Request{Bundles: []string{b}})
	if !again[0].Unchanged || again[0].N != 1 || again[0].Tree != first[0].Tree {
		t.Errorf("again: %+v", again[0])
	}
	if after := files(t, dir); !slices.Equal(before, after) {
		t.Errorf("files changed:\n%q\n%q", before, after)
	}
	forced := publish(t, dir, o, Request{Bundles: []string{b}, Force: true})
	if forced[0].Unchanged || forced[0].N != 2 || forced[0].Objects != 0 || forced[0].Tree != first[0].Tree {
		t.Errorf("forced: %+v", forced[0])
	}
}

// files lists what a web server would carry.
func files(t testing.TB, dir string) []string {
	t.Helper()
	var all []string
	filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if d.IsDir() && d.Name() == stateDir {
			return filepath.SkipDir
		}
		if !d.IsDir() {
			all = append(all, strings.TrimPrefix(path, dir+"/"))
		}
		return err
	})
	return all
}

func TestObjectsArePackedOnce(t *testing.T) {
	dir, o := newRepo(t)
	big, small := noise(1, 500_000), noise(2, 1000)
	publish(t, dir, o, Request{Bundles: []string{newBundle(t, app, "1", "", map[string]string{"big": big, "small": small})}})
	out := publish(t, dir, o, Request{Bundles: []string{
		newBundle(t, app, "2", "", map[string]string{"moved/big": big, "small": small, "new": noise(3, 1000)}),
		newBundle(t, "org.example.Other", "2", "", map[string]string{"big": big, "new": noise(3, 1000)}),
	}})
	// New are bin/main of version 2, which both have, and new, which both have.
	if n := out[0].Objects + out[1].Objects; n != 2 {
		t.Errorf("packed %d objects", n)
	}
	packs, _ := filepath.Glob(filepath.Join(dir, "pack/*/*"))
	if len(packs) != 2 {
		t.Errorf("%d packs", len(packs))
	}
	checkAll(t, dir, o)

	// The same without the index, which is only kept for speed; and with a
	// damaged one.
	for _, damage := range []func(){
		func() { os.Remove(filepath.Join(dir, indexFile)) },
		func() { os.WriteFile(filepath.Join(dir, indexFile), []byte("sandbox publish index 1\nxx"), 0o644) },
	} {
		damage()
		out := publish(t, dir, o, Request{Bundles: []string{newBundle(t, app, "2", "", map[string]string{"big": big})}, Channel: "beta"})
		out2 := publish(t, dir, o, Request{Bundles: []string{newBundle(t, app, "1", "", map[string]string{"big": big})}, Channel: "beta"})
		if out[0].Objects+out2[0].Objects != 0 {
			t.Errorf("packed again: %d, %d", out[0].Objects, out2[0].Objects)
		}
	}
	checkAll(t, dir, o)
}

func TestLostPackIsMadeAgain(t *testing.T) {
	dir, o := newRepo(t)
	b := newBundle(t, app, "1", "", map[string]string{"data": noise(1, 5000)})
	publish(t, dir, o, Request{Bundles: []string{b}})
	packs, _ := filepath.Glob(filepath.Join(dir, "pack/*/*"))
	os.Truncate(packs[0], 10)
	out := publish(t, dir, o, Request{Bundles: []string{b}, Force: true})
	if out[0].Objects != 2 {
		t.Errorf("packed %d objects", out[0].Objects)
	}
	checkAll(t, dir, o)
}

func TestOlderReleasesStay(t *testing.T) {
	dir, o := newRepo(t, func(i *InitOptions) { i.Keep = 3 })
	for v := range 5 {
		publish(t, dir, o, Request{Bundles: []string{newBundle(t, app, fmt.Sprint(v+1), "", nil)}})
	}
	want := []string{stable + " n=5 5", stable + "@4 n=4 4", stable + "@3 n=3 3"}
	if got := list(t, dir, o); !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
	checkAll(t, dir, o)
	accepts(t, dir, o)
}

func TestNumbersOnlyGrow(t *testing.T) {
	dir, o := newRepo(t)
	pub := func(v string) uint64 {
		return publish(t, dir, o, Request{Bundles: []string{newBundle(t, app, v, "", nil)}})[0].N
	}
	retract := func(what string, all bool) {
		t.Helper()
		if err := with(t, dir, o, func(r *Repository) error { _, err := r.Retract(what, all); return err }); err != nil {
			t.Fatal(err)
		}
	}
	pub("1")
	pub("2")
	retract(stable, false)
	if got := list(t, dir, o); !slices.Equal(got, []string{stable + "@1 n=1 1"}) {
		t.Errorf("after retract: %q", got)
	}
	if n := pub("3"); n != 3 {
		t.Errorf("after the newest was retracted comes %d", n)
	}
	retract(stable, true)
	if got := list(t, dir, o); len(got) != 0 {
		t.Errorf("after retract --all: %q", got)
	}
	if n := pub("1"); n != 4 {
		t.Errorf("after all were retracted comes %d", n)
	}
	// An older version again, under a new number.
	pub("5")
	err := with(t, dir, o, func(r *Repository) error {
		p, err := r.Promote(context.Background(), Promotion{From: stable + "@4", Channel: "stable"})
		if err == nil && (p.N != 6 || p.Version != "1") {
			t.Errorf("promoted to %d, version %s", p.N, p.Version)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	accepts(t, dir, o)
	checkAll(t, dir, o)
}

func TestPromote(t *testing.T) {
	dir, o := newRepo(t)
	out := publish(t, dir, o, Request{Bundles: []string{newBundle(t, app, "1", "", nil)}, Channel: "beta"})
	before := files(t, dir)
	promote := func(from, channel string) (p *Published, err error) {
		err = with(t, dir, o, func(r *Repository) error {
			p, err = r.Promote(context.Background(), Promotion{From: from, Channel: channel})
			return err
		})
		return p, err
	}
	p, err := promote(app, "stable")
	if err != nil || p.Ref != ref(t, stable) || p.N != 1 || p.Tree != out[0].Tree || p.Locator != out[0].Locator {
		t.Fatalf("%+v, %v", p, err)
	}
	if err := p.VerifyPublisher(); err != nil {
		t.Error(err)
	}
	for _, name := range files(t, dir) {
		if !slices.Contains(before, name) && !strings.HasPrefix(name, metaDir+"/") && !strings.HasPrefix(name, "cat/") {
			t.Errorf("promote wrote %s", name)
		}
	}
	if p, err := promote(app, "stable"); err != nil || !p.Unchanged {
		t.Errorf("again: %+v, %v", p, err)
	}
	for _, c := range []struct{ from, channel, want string }{
		{"org.example.None", "stable", "no release"},
		{stable + "@7", "stable", "no release"},
		{app, "Stable", "channel"},
		{app, "gamma", "any of 2"},
		{"../x", "stable", "no release"},
	} {
		if _, err := promote(c.from, c.channel); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("promote %q to %q: %v", c.from, c.channel, err)
		}
	}
}

func TestEndOfLife(t *testing.T) {
	dir, o := newRepo(t)
	publish(t, dir, o, Request{Bundles: []string{newBundle(t, app, "1", "", nil), newBundle(t, "org.example.New", "1", "", nil)}})
	mark := func(what string, l EndOfLife) (rel *Release, err error) {
		err = with(t, dir, o, func(r *Repository) error { rel, err = r.EndOfLife(what, l); return err })
		return rel, err
	}
	rel, err := mark(app, EndOfLife{ReplacedBy: "org.example.New"})
	if err != nil || rel.ReplacedBy != "app/org.example.New/any/stable" || rel.EOL == "" || rel.N != 1 {
		t.Fatalf("%+v, %v", rel, err)
	}
	if err := rel.VerifyPublisher(); err != nil {
		t.Error(err)
	}
	if rel, err = mark(app, EndOfLife{Undo: true}); err != nil || rel.EOL != "" || rel.ReplacedBy != "" {
		t.Errorf("undo: %+v, %v", rel, err)
	}
	for name, l := range map[string]EndOfLife{
		"no reason":             {},
		"undo with a reason":    {Undo: true, Why: "x"},
		"an unknown successor":  {ReplacedBy: "org.example.None"},
		"itself":                {ReplacedBy: app},
		"a successor of paths":  {ReplacedBy: "../../x"},
		"a line break":          {Why: "a\nb"},
		"too long for a client": {Why: strings.Repeat("x", 400)},
	} {
		if _, err := mark(app, l); err == nil {
			t.Errorf("%s: marked", name)
		}
	}
	accepts(t, dir, o)
}

func TestAuthorKeyStays(t *testing.T) {
	dir, o := newRepo(t)
	author, other := newKey(t), newKey(t)
	b := func(v string) []string { return []string{newBundle(t, app, v, "", nil)} }
	out := publish(t, dir, o, Request{Bundles: b("1"), Author: author})
	if !slices.Equal(out[0].Publisher.Key, bytesOf(author)) {
		t.Error("the author's key is not the one given")
	}
	for name, q := range map[string]Request{
		"another author": {Bundles: b("2"), Author: other},
		"none at hand":   {Bundles: b("2")},
	} {
		if _, err := tryPublish(t, dir, o, q); err == nil || !strings.Contains(hint.Of(err), "--new-author") {
			t.Errorf("%s: %v", name, err)
		}
	}
	o.Keys = append(o.Keys, author)
	if out := publish(t, dir, o, Request{Bundles: b("2")}); !slices.Equal(out[0].Publisher.Key, bytesOf(author)) {
		t.Error("the key that signed before was not used again")
	}
	if out := publish(t, dir, o, Request{Bundles: b("3"), Author: other, NewAuthor: true}); !slices.Equal(out[0].Publisher.Key, bytesOf(other)) {
		t.Error("the author did not change")
	}
}

func bytesOf(s key.Signer) []byte {
	p := s.Public()
	return p[:]
}

func TestSeveralBundlesAreOneTransaction(t *testing.T) {
	dir, o := newRepo(t)
	good, bad := newBundle(t, app, "1", "", nil), newBundle(t, "org.example.Bad", "1", "", nil)
	os.Chmod(filepath.Join(bad, "files/bin/main"), 0o777)
	before := files(t, dir)
	if _, err := tryPublish(t, dir, o, Request{Bundles: []string{good, bad}}); err == nil {
		t.Error("a bad bundle was published")
	}
	if after := files(t, dir); !slices.Equal(before, after) {
		t.Errorf("something was written: %q", after)
	}
	if _, err := tryPublish(t, dir, o, Request{Bundles: []string{good, newBundle(t, app, "2", "", nil)}}); err == nil || !strings.Contains(err.Error(), "are both") {
		t.Errorf("one ref twice: %v", err)
	}
	timestamps := func() int64 { r := open(t, dir, o); defer r.Close(); return r.timestamp.Signed.Version }
	at := timestamps()
	publish(t, dir, o, Request{Bundles: []string{good, newBundle(t, "org.example.Other", "1", "", nil)}})
	if timestamps() != at+1 {
		t.Error("two bundles took two timestamps")
	}
}

// Two at once: the second waits, is told why, and builds on what the first did.
func TestTwoPublishersAtOnce(t *testing.T) {
	dir, o := newRepo(t)
	var waited sync.Map
	var wg sync.WaitGroup
	for i := range 4 {
		b := newBundle(t, fmt.Sprintf("org.example.App%d", i), "1", "", nil)
		wg.Go(func() {
			mine := o
			mine.Wait = func(holder string) { waited.Store(i, holder) }
			mine.fault = func(string) error { time.Sleep(10 * time.Millisecond); return nil }
			if _, err := tryPublish(t, dir, mine, Request{Bundles: []string{b}}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if got := list(t, dir, o); len(got) != 4 {
		t.Errorf("got %q", got)
	}
	accepts(t, dir, o)
	n := 0
	waited.Range(func(_, holder any) bool {
		n++
		if !strings.Contains(holder.(string), "process") {
			t.Errorf("told %q", holder)
		}
		return true
	})
	if n == 0 {
		t.Error("nobody waited")
	}
}

func TestLockGivesUp(t *testing.T) {
	dir, o := newRepo(t)
	r := open(t, dir, o)
	defer r.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	if _, err := Open(ctx, dir, o); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("err = %v", err)
	}
}

func TestCatalogue(t *testing.T) {
	dir, o := newRepo(t)
	icon := "\x89PNG\r\n\x1a\n" + noise(1, 100)
	withIcon := newBundle(t, app, "1", "name = \"Example\"\n[export]\nicons = [\"/app/share/icons/hicolor/64x64/apps/"+app+".png\"]", map[string]string{
		"share/icons/hicolor/64x64/apps/" + app + ".png": icon,
	})
	publish(t, dir, o, Request{Bundles: []string{withIcon}})
	publish(t, dir, o, Request{Bundles: []string{newBundle(t, "org.example.Other", "1", "", nil)}})
	rows := func() map[string]repo.CatalogueRow {
		r := open(t, dir, o)
		defer r.Close()
		out := map[string]repo.CatalogueRow{}
		for ref, row := range r.knownRows(r.roles["bin-00"].Signed.Targets["catalogue/any"]) {
			out[ref.String()] = row
		}
		return out
	}
	got := rows()
	if row := got[stable]; row.Name != "Example" || row.Summary != "An example" || string(row.Icon) != icon || row.N != 1 || row.Installed == 0 {
		t.Errorf("row %+v of %d", row, len(got))
	}
	if len(got) != 2 {
		t.Errorf("%d rows", len(got))
	}
	with(t, dir, o, func(r *Repository) error { _, err := r.Retract("org.example.Other", true); return err })
	with(t, dir, o, func(r *Repository) error {
		_, err := r.Promote(context.Background(), Promotion{From: app, Channel: "beta"})
		return err
	})
	if got = rows(); len(got) != 2 || got["app/"+app+"/any/beta"].Name != "Example" {
		t.Errorf("after retract and promote: %+v", got)
	}
	// The last one goes too.
	with(t, dir, o, func(r *Repository) error { _, err := r.Retract(stable, true); return err })
	with(t, dir, o, func(r *Repository) error { _, err := r.Retract("app/"+app+"/any/beta", true); return err })
	if got = rows(); len(got) != 0 {
		t.Errorf("left: %+v", got)
	}
}
