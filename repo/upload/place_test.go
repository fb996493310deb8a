package upload

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

	"sandbox/internal/hint"
	"sandbox/repo/key"
	"sandbox/repo/publish"
)

// TestPlaces runs the same over every kind of server there is.
func TestPlaces(t *testing.T) {
	for name, connect := range map[string]func(t *testing.T) server{
		"S3":        func(t *testing.T) server { return newS3Server(t).server() },
		"versitygw": versity,
		"ssh":       func(t *testing.T) server { return newSSHD(t).server(t) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Run("a life", func(t *testing.T) { aLife(t, connect(t)) })
			t.Run("two publishers", func(t *testing.T) { twoPublishers(t, connect(t)) })
			t.Run("a directory moves there", func(t *testing.T) { adopts(t, connect(t)) })
			t.Run("refusals", func(t *testing.T) { refusals(t, connect(t)) })
		})
	}
}

// aLife is a repository from its beginning, kept by two who never share a disk.
func aLife(t *testing.T, s server) {
	o := start(t, s)
	me, other := t.TempDir(), t.TempDir()
	if got := offered(t, s.state(t)); len(got) != 0 {
		t.Errorf("a new one offers %q", got)
	}
	out := put(t, s.open(t, me), o, newBundle(t, appID, "1", 300_000))
	if len(out) != 1 || out[0].Objects != 2 || out[0].N != 1 {
		t.Errorf("published %+v", out)
	}
	// Another machine has no copy, and adds what is new only.
	out = put(t, s.open(t, other), o, newBundle(t, appID, "2", 300_000), newBundle(t, "org.example.Other", "1", 1000))
	if got := offered(t, s.state(t)); !slices.Equal(got, []string{
		"app/org.example.App/any/stable 2 2", "app/org.example.App/any/stable@1 1 1", "app/org.example.Other/any/stable 1 1"}) {
		t.Errorf("offered: %q", got)
	}
	// Unchanged: nothing is put.
	before := s.state(t)
	if out = put(t, s.open(t, me), o, newBundle(t, appID, "2", 300_000)); !out[0].Unchanged {
		t.Errorf("published again: %+v", out)
	}
	if after := s.state(t); !same(before, after) {
		t.Error("publishing what is there has changed something")
	}
	p := s.open(t, me)
	change := func(name string, do func(r *publish.Repository) error) {
		t.Helper()
		if err := p.Change(context.Background(), o, false, do); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	change("promote", func(r *publish.Repository) error {
		_, err := r.Promote(context.Background(), publish.Promotion{From: appID, Channel: "beta"})
		return err
	})
	change("retract", func(r *publish.Repository) error {
		_, err := r.Retract("app/"+appID+"/any/stable@1", false)
		return err
	})
	change("end of life", func(r *publish.Repository) error {
		_, err := r.EndOfLife("org.example.Other", publish.EndOfLife{Why: "done"})
		return err
	})
	change("refresh", func(r *publish.Repository) error { _, err := r.Refresh(); return err })
	title := "Another"
	change("set", func(r *publish.Repository) error { _, err := r.Set(publish.Settings{Title: &title}); return err })
	fresh := newKey(t)
	change("rotate", func(r *publish.Repository) error {
		_, err := r.Rotate(publish.Rotation{Add: map[string][]key.Public{"timestamp": {fresh.Public()}}})
		return err
	})
	state := s.state(t)
	if !strings.Contains(string(state["repo"+publish.RemoteSuffix]), "Another") || state["2.root.json"] == nil {
		t.Errorf("the settings or the root did not come along: %q", slices.Sorted(keys(state)))
	}
	// A pack most of which nobody needs is fetched, and written anew.
	big := newBundle(t, "org.example.Big", "1", 200_000)
	small := newBundle(t, "org.example.Small", "1", 3000)
	put(t, p, o, big, small)
	change("retract", func(r *publish.Repository) error { _, err := r.Retract("org.example.Big", true); return err })
	got, err := collect(p, o)
	if err != nil || got.Rewritten < 1 || len(got.Removed) < 3 {
		t.Errorf("collected %+v, %v", got, err)
	}
	state = s.state(t)
	for _, name := range got.Removed {
		if _, there := state[name]; there {
			t.Errorf("%s was not removed", name)
		}
	}
	want := []string{"app/org.example.App/any/beta 1 2", "app/org.example.App/any/stable 2 2", "app/org.example.Other/any/stable 1 1", "app/org.example.Small/any/stable 1 1"}
	if got := offered(t, state); !slices.Equal(got, want) {
		t.Errorf("after gc: %q", got)
	}
	var seen []string
	err = s.open(t, t.TempDir()).Look(context.Background(), publish.Options{}, func(r *publish.Repository) error {
		all, err := r.Releases()
		for _, rel := range all {
			seen = append(seen, fmt.Sprintf("%s %d %s", rel.Target, rel.N, rel.Version))
		}
		slices.Sort(seen)
		return err
	})
	if err != nil || !slices.Equal(seen, want) {
		t.Errorf("somebody without keys sees %q, %v", seen, err)
	}
	// The working copy holds no packs between two changes.
	if left, _ := filepath.Glob(filepath.Join(me, "publish/*/copy/*/pack/*/*")); len(left) > 0 {
		t.Errorf("packs stay in the cache: %q", left)
	}
	// A damaged working copy is replaced by a good one.
	copies, _ := filepath.Glob(filepath.Join(me, "publish/*/copy/*/meta/*.snapshot.json"))
	for _, name := range copies {
		data, _ := os.ReadFile(name)
		os.WriteFile(name, make([]byte, len(data)), 0o644)
	}
	if len(copies) == 0 {
		t.Error("there is no working copy")
	}
	put(t, s.open(t, me), o, newBundle(t, appID, "3", 100))
	offered(t, s.state(t))
}

func keys(m map[string][]byte) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// twoPublishers work at the same time; no release of either is lost, and each sees
// the other's.
func twoPublishers(t *testing.T, s server) {
	const each = 4
	o := start(t, s)
	var places []*Place
	var bundles [2][]string
	for who := range 2 {
		places = append(places, s.open(t, t.TempDir()))
		for n := range each {
			// Some are the same: one of the two has nothing to do then.
			id := fmt.Sprintf("org.example.App%d", n)
			if n%2 == 0 {
				id = fmt.Sprintf("org.example.Of%d.App%d", who, n)
			}
			bundles[who] = append(bundles[who], newBundle(t, id, "1", 20_000))
		}
	}
	var wg sync.WaitGroup
	for who, p := range places {
		wg.Go(func() {
			for _, b := range bundles[who] {
				if _, err := tryPut(p, o, b); err != nil {
					t.Errorf("publisher %d: %v", who, err)
				}
			}
		})
	}
	wg.Wait()
	if got := offered(t, s.state(t)); len(got) != 6 {
		t.Errorf("offered: %q", got)
	}
}

func refusals(t *testing.T, s server) {
	refused := func(name string, err error, want, way string) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(hint.Of(err), way) {
			t.Errorf("%s: %v (hint %q)", name, err, hint.Of(err))
		}
	}
	_, err := tryPut(s.open(t, t.TempDir()), publish.Options{}, newBundle(t, appID, "1", 10))
	refused("no repository", err, "no repository", "repo init "+s.address)
	if left := s.state(t); len(left) > 0 {
		t.Errorf("where there was none, there is %q", slices.Sorted(keys(left)))
	}
	o := start(t, s)
	_, err = s.open(t, t.TempDir()).Init(context.Background(), publish.InitOptions{Options: o, Default: []key.Public{o.Keys[0].Public()}})
	refused("another one over it", err, "repository already", "new place")
	offered(t, s.state(t))

	// It goes back in time.
	p := s.open(t, t.TempDir())
	put(t, p, o, newBundle(t, appID, "1", 10))
	timestamp, _, err := p.read(context.Background(), publish.TimestampFile)
	if err != nil {
		t.Fatal(err)
	}
	put(t, p, o, newBundle(t, appID, "2", 10))
	if err := p.put(context.Background(), step{name: publish.TimestampFile}, bytesOf(timestamp), nil); err != nil {
		t.Fatal(err)
	}
	_, err = tryPut(p, o, newBundle(t, appID, "3", 10))
	refused("gone back", err, "gone back", "older copy")

	// What somebody planted is not signed.
	planted := strings.Replace(string(timestamp), `"version":2`, `"version":9`, 1)
	if err := p.put(context.Background(), step{name: publish.TimestampFile}, bytesOf([]byte(planted)), nil); err != nil {
		t.Fatal(err)
	}
	_, err = tryPut(s.open(t, t.TempDir()), o, newBundle(t, appID, "3", 10))
	refused("planted", err, "not to be trusted", "")

	// A lock that somebody left says whose it is.
	if err := p.put(context.Background(), step{name: lockFile}, bytesOf([]byte(`{"token":"t","who":"me@\u001b[31mlaptop","since":"2026-01-02T03:04:05Z"}`)), nil); err != nil {
		t.Fatal(err)
	}
	late := s.open(t, t.TempDir())
	late.patience = 0
	waits := 0
	o.Wait = func(who string) {
		waits++
		if !strings.HasPrefix(who, "me@") || strings.Contains(who, "\x1b") {
			t.Errorf("waiting for %q", who)
		}
	}
	if err := p.put(context.Background(), step{name: publish.TimestampFile}, bytesOf(timestamp), nil); err != nil {
		t.Fatal(err)
	}
	_, err = tryPut(late, o, newBundle(t, appID, "3", 10))
	refused("locked", err, "locked by me@", "repo unlock "+s.address)
	if waits != 1 || !errors.Is(err, errLocked) {
		t.Errorf("%d waits, %v", waits, err)
	}
	if who, err := late.Unlock(context.Background()); err != nil || !strings.HasPrefix(who, "me@") {
		t.Errorf("unlocked %q, %v", who, err)
	}
	if who, err := late.Unlock(context.Background()); err != nil || who != "" {
		t.Errorf("unlocked again: %q, %v", who, err)
	}
	put(t, late, o, newBundle(t, appID, "3", 10))
}

// adopts moves a repository that was a directory, with all that is needed of it.
func adopts(t *testing.T, s server) {
	dir := filepath.Join(t.TempDir(), "repo")
	k := newKey(t)
	i := initOptions(k)
	i.Keep = 3
	if _, err := publish.Init(dir, i); err != nil {
		t.Fatal(err)
	}
	for n := range 4 {
		r, err := publish.Open(context.Background(), dir, i.Options)
		if err != nil {
			t.Fatal(err)
		}
		_, err = r.Publish(context.Background(), publish.Request{Bundles: []string{newBundle(t, appID, fmt.Sprint(n), 50_000)}})
		r.Close()
		if err != nil {
			t.Fatal(err)
		}
	}
	want := offered(t, readTree(t, dir))
	if err := s.open(t, t.TempDir()).Adopt(context.Background(), dir, publish.Options{}); err != nil {
		t.Fatal(err)
	}
	state := s.state(t)
	if got := offered(t, state); len(want) != 3 || !slices.Equal(got, want) {
		t.Errorf("there is %q, want %q", got, want)
	}
	packs := 0
	for name := range state {
		if strings.HasPrefix(name, "pack/") {
			packs++
		}
	}
	if packs != 3 {
		t.Errorf("%d packs went along", packs)
	}
	// Its settings came too, and it goes on there.
	put(t, s.open(t, t.TempDir()), i.Options, newBundle(t, appID, "9", 10))
	if got := offered(t, s.state(t)); len(got) != 3 {
		t.Errorf("three releases are kept, not %q", got)
	}
	if err := s.open(t, t.TempDir()).Adopt(context.Background(), dir, publish.Options{}); err == nil || !strings.Contains(err.Error(), "repository already") {
		t.Errorf("another one over it: %v", err)
	}
	if err := s.open(t, t.TempDir()).Adopt(context.Background(), t.TempDir(), publish.Options{}); err == nil {
		t.Error("what is no repository was put there")
	}
}
