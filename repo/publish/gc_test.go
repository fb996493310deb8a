package publish

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func collect(t testing.TB, dir string, o Options, c Collection) *Collected {
	t.Helper()
	var out *Collected
	err := with(t, dir, o, func(r *Repository) (err error) { out, err = r.GC(context.Background(), c); return err })
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func room(names []string, prefix string) (n int) {
	for _, name := range names {
		if strings.HasPrefix(name, prefix) {
			n++
		}
	}
	return n
}

func TestGCWaitsForClients(t *testing.T) {
	dir, o := newRepo(t, func(i *InitOptions) { i.Keep = 1 })
	start := o.now()
	at := func(d time.Duration) Options {
		later := o
		later.Now = func() time.Time { return start.Add(d) }
		return later
	}
	for v := range 2 {
		publish(t, dir, o, Request{Bundles: []string{newBundle(t, app, fmt.Sprint(v), "", map[string]string{"data": noise(uint64(v), 5000)})}})
	}
	// Version 0 is unreferenced: its tree, locator, pack and catalogue.
	if out := collect(t, dir, at(0), Collection{}); len(out.Removed) != 0 || out.Waiting != 4 {
		t.Errorf("at once: %+v", out)
	}
	if out := collect(t, dir, at(DefaultAge), Collection{}); len(out.Removed) != 0 || out.Waiting != 4 {
		t.Errorf("after the life of a timestamp: %+v", out)
	}
	dry := collect(t, dir, at(DefaultAge+2*day), Collection{DryRun: true})
	if len(dry.Removed) != 4 {
		t.Errorf("dry: %+v", dry)
	}
	out := collect(t, dir, at(DefaultAge+2*day), Collection{})
	if !slices.Equal(out.Removed, dry.Removed) || out.Waiting != 0 || out.Bytes < 5000 {
		t.Errorf("after a day more: %+v", out)
	}
	checkAll(t, dir, o)
	accepts(t, dir, o)
	left := files(t, dir)
	if room(left, "pack/") != 1 || room(left, "man/") != 1 || room(left, "loc/") != 1 || room(left, "cat/") != 1 {
		t.Errorf("left: %q", left)
	}
}

// What became referenced again in the meantime starts to wait anew.
func TestGCForgetsWhatIsUsedAgain(t *testing.T) {
	dir, o := newRepo(t, func(i *InitOptions) { i.Keep = 1 })
	one := newBundle(t, app, "1", "", nil)
	publish(t, dir, o, Request{Bundles: []string{one}})
	publish(t, dir, o, Request{Bundles: []string{newBundle(t, app, "2", "", nil)}})
	collect(t, dir, o, Collection{})
	publish(t, dir, o, Request{Bundles: []string{one}})
	later := o
	start := o.now()
	later.Now = func() time.Time { return start.Add(30 * day) }
	collect(t, dir, later, Collection{})
	checkAll(t, dir, later)
	if out := publish(t, dir, o, Request{Bundles: []string{one}, Force: true}); out[0].Objects != 0 {
		t.Errorf("packed %d objects again", out[0].Objects)
	}
}

func TestGCKeepsMetadata(t *testing.T) {
	dir, o := newRepo(t)
	for range 14 {
		if err := with(t, dir, o, func(r *Repository) error { r.touch("bin-00"); return r.commit() }); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := rotate(t, dir, o, Rotation{}); err != nil {
		t.Fatal(err)
	}
	collect(t, dir, o, Collection{Now: true})
	left := files(t, dir)
	if n := room(left, "meta/"); n != 21 { // ten of snapshot and bin, one of targets
		t.Errorf("%d metadata files: %q", n, left)
	}
	for _, name := range []string{"1.root.json", "2.root.json", "meta/15.snapshot.json", "meta/6.snapshot.json", "meta/1.targets.json"} {
		if !slices.Contains(left, name) {
			t.Errorf("%s is gone", name)
		}
	}
	accepts(t, dir, o)
}

func TestGCLeavesWhatIsNotOurs(t *testing.T) {
	dir, o := newRepo(t)
	outside := filepath.Join(t.TempDir(), "canary")
	write(t, outside, "canary", 0o644)
	mine := []string{"index.html", "pack/README", "pack/ab/notes.txt", "man/ab/" + strings.Repeat("a", 63), "meta/notes.json", ".htaccess"}
	for _, name := range mine {
		write(t, filepath.Join(dir, name), "mine", 0o644)
	}
	os.Symlink(outside, filepath.Join(dir, "pack/ab", strings.Repeat("a", 64)))
	stray := filepath.Join(dir, "pack", tempPrefix+"123")
	write(t, stray, "left by a crash", 0o644)
	collect(t, dir, o, Collection{Now: true})
	for _, name := range mine {
		if data, _ := os.ReadFile(filepath.Join(dir, name)); string(data) != "mine" {
			t.Errorf("%s is gone", name)
		}
	}
	if data, _ := os.ReadFile(outside); string(data) != "canary" {
		t.Error("the canary is gone")
	}
	if _, err := os.Stat(stray); err == nil {
		t.Error("what a crash left is still there")
	}
}

// A pack most of which nobody needs is written anew: what is needed is copied
// or taken out, trees and numbers stay.
func TestGCRewritesPacks(t *testing.T) {
	dir, o := newRepo(t, func(i *InitOptions) { i.Keep = 1 })
	big := map[string]string{}
	for i := range 20 { // small files that share frames
		big[fmt.Sprintf("small/%02d", i)] = noise(uint64(i), 20_000)
	}
	kept := map[string]string{"small/03": big["small/03"], "keep": noise(50, 300_000), "new": noise(60, 1000)}
	big["keep"] = kept["keep"]
	big["gone"] = noise(51, 2_000_000)
	publish(t, dir, o, Request{Bundles: []string{newBundle(t, app, "1", "", big)}})
	out := publish(t, dir, o, Request{Bundles: []string{newBundle(t, app, "2", "", kept)}})
	before := out[0]

	got := collect(t, dir, o, Collection{})
	if got.Rewritten != 1 {
		t.Fatalf("%+v", got)
	}
	checkAll(t, dir, o)
	accepts(t, dir, o)
	r := open(t, dir, o)
	e, err := r.find(app)
	if err != nil {
		t.Fatal(err)
	}
	if e.N != before.N || e.Tree != before.Tree || e.Locator == before.Locator {
		t.Errorf("n=%d tree %s locator %s; before %+v", e.N, e.Tree.Short(), e.Locator.Short(), before.Release)
	}
	if e.Download > 330_000 || e.Download >= before.Download {
		t.Errorf("download %d, before %d", e.Download, before.Download)
	}
	if err := e.VerifyPublisher(); err != nil {
		t.Error(err)
	}
	r.Close()
	// The old pack is there for those who have the old locator, until later.
	if n := room(files(t, dir), "pack/"); n != 4 {
		t.Errorf("%d packs", n)
	}
	collect(t, dir, o, Collection{Now: true})
	checkAll(t, dir, o)
	if n := room(files(t, dir), "pack/"); n != 3 {
		t.Errorf("%d packs at the end", n)
	}
	if got := collect(t, dir, o, Collection{}); got.Rewritten != 0 {
		t.Errorf("again: %+v", got)
	}
	// And what was moved is found again.
	if out := publish(t, dir, o, Request{Bundles: []string{newBundle(t, app, "3", "", kept)}}); out[0].Objects != 1 {
		t.Errorf("packed %d objects", out[0].Objects)
	}
	checkAll(t, dir, o)
}

// Packs that a publisher's releases need stay when the publisher's key is not
// here.
func TestGCLeavesPacksOfOthers(t *testing.T) {
	dir, owner, _ := split(t)
	acme := newKey(t)
	if err := addPublisher(t, dir, owner, false, "acme", []string{"com.acme.*"}, acme); err != nil {
		t.Fatal(err)
	}
	o := and(owner, acme)
	for _, v := range []string{"1", "2"} {
		extra := map[string]string{"keep": noise(1, 10_000)}
		if v == "1" {
			extra["gone"] = noise(2, 100_000)
		}
		publish(t, dir, o, Request{Bundles: []string{newBundle(t, "com.acme.App", v, "", extra)}})
	}
	if err := with(t, dir, o, func(r *Repository) error { _, err := r.Retract("app/com.acme.App/any/stable@1", false); return err }); err != nil {
		t.Fatal(err)
	}
	warned := ""
	quiet := owner
	quiet.Progress = func(e Event) {
		if e.Warning {
			warned += e.Text
		}
	}
	if out := collect(t, dir, quiet, Collection{}); out.Rewritten != 0 || !strings.Contains(warned, "not here") {
		t.Errorf("%+v, warned %q", out, warned)
	}
	if out := collect(t, dir, o, Collection{}); out.Rewritten != 1 {
		t.Errorf("with the key: %+v", out)
	}
	checkAll(t, dir, o)
	accepts(t, dir, o)
}

// A file of several frames is moved whole.
func TestGCMovesLargeFiles(t *testing.T) {
	if testing.Short() {
		t.Skip("130 MB of noise")
	}
	dir, o := newRepo(t, func(i *InitOptions) { i.Keep = 1 })
	large := noise(1, 65<<20)
	publish(t, dir, o, Request{Bundles: []string{newBundle(t, app, "1", "", map[string]string{"large": large, "gone": noise(2, 70<<20)})}})
	publish(t, dir, o, Request{Bundles: []string{newBundle(t, app, "2", "", map[string]string{"large": large})}})
	if out := collect(t, dir, o, Collection{Now: true}); out.Rewritten != 1 {
		t.Errorf("%+v", out)
	}
	checkAll(t, dir, o)
	if out := publish(t, dir, o, Request{Bundles: []string{newBundle(t, app, "3", "", map[string]string{"large": large})}}); out[0].Objects != 1 {
		t.Errorf("packed %d objects", out[0].Objects)
	}
	checkAll(t, dir, o)
}
