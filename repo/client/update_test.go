package client

import (
	"errors"
	"strings"
	"testing"

	"sandbox/internal/hint"
	"sandbox/repo/repotest"
	"sandbox/repo/store"
)

const writes = "[permissions]\n\"files:~/Documents:write\" = \"edit\"\n"

func TestUpdate(t *testing.T) {
	b := newBench(t, edit("1.0"), repotest.App("org.example.Draw", "3.0"))
	b.mustInstall("Edit", "Draw")
	if p, r, err := b.update(PlanOptions{}, 0); err != nil || len(p.Steps)+len(p.Held)+len(r.Done) != 0 {
		t.Errorf("nothing new: %+v, %v", p, err)
	}
	b.publish(edit("1.1"))
	p, r, err := b.update(PlanOptions{}, 0)
	if err != nil || len(r.Done) != 1 || p.Steps[0].Action != Update || p.Steps[0].Old.Release.Version != "1.0" {
		t.Fatalf("%+v, %v", r, err)
	}
	if b.version("Edit") != "1.1" || b.version("Draw") != "3.0" {
		t.Error("the wrong thing was updated")
	}
	b.publish(edit("1.2"), repotest.App("org.example.Draw", "3.1"))
	if _, _, err := b.update(PlanOptions{}, 0, "draw"); err != nil || b.version("Edit") != "1.1" || b.version("Draw") != "3.1" {
		t.Errorf("one by name: %s, %s, %v", b.version("Edit"), b.version("Draw"), err)
	}
	if _, _, err := b.update(PlanOptions{}, 0, "nothing"); err == nil {
		t.Error("what is not installed was updated")
	}
}

// Wider permissions are held until somebody agrees to just that.
func TestWiderPermissionsAreHeld(t *testing.T) {
	b := newBench(t, edit("1.0").With(writes))
	b.mustInstall("Edit")
	b.publish(edit("1.1").With(writes + "\"network:internet\" = \"look for updates\"\n"))
	for _, agreed := range []Need{0, NeedOrigin, NeedPublisher | NeedExpired} {
		p, r, err := b.update(PlanOptions{}, agreed)
		if err != nil || len(r.Done) != 0 || held(p, "org.example.Edit") == "" || b.version("Edit") != "1.0" {
			t.Fatalf("agreed to %d: %+v %+v, %v", agreed, p.Held, r, err)
		}
		if s := p.Held[0].Step; s.Changes.String() != "+ network:internet\n" {
			t.Errorf("%q", s.Changes)
		}
	}
	// The next one that asks for less passes; what was accepted shrinks with it.
	b.publish(edit("1.2"))
	if _, _, err := b.update(PlanOptions{}, 0); err != nil || b.version("Edit") != "1.2" || b.record("Edit").Accepted != "" {
		t.Errorf("narrower: %s, %v", b.version("Edit"), err)
	}
	b.publish(edit("1.3").With(writes))
	if p, _, err := b.update(PlanOptions{}, 0); err != nil || held(p, "org.example.Edit") == "" {
		t.Errorf("back to what was accepted once: %+v, %v", p, err)
	}
	if _, _, err := b.update(PlanOptions{}, NeedPermissions); err != nil || b.version("Edit") != "1.3" || !strings.Contains(b.record("Edit").Accepted, "Documents") {
		t.Errorf("agreed: %s, %v", b.version("Edit"), err)
	}
	// What is asked about at first use needs no consent now.
	b.publish(edit("1.4").With(writes + "\"network:internet\" = { reason = \"x\", optional = true }\n"))
	if _, _, err := b.update(PlanOptions{}, 0); err != nil || b.version("Edit") != "1.4" {
		t.Errorf("optional: %s, %v", b.version("Edit"), err)
	}
	// A limit that goes away is wider too.
	b.publish(edit("1.5").With(writes + "[limits]\nmemory = \"512M\"\n"))
	if _, _, err := b.update(PlanOptions{}, 0); err != nil || b.version("Edit") != "1.5" {
		t.Errorf("a limit: %s, %v", b.version("Edit"), err)
	}
	b.publish(edit("1.6").With(writes))
	if p, _, err := b.update(PlanOptions{}, 0); err != nil || held(p, "org.example.Edit") == "" {
		t.Errorf("without the limit: %+v, %v", p, err)
	}
}

// What an app that is held needs does not come without it.
func TestHeldAppKeepsItsNewRuntimeAway(t *testing.T) {
	b := newBench(t, edit("1.0"))
	b.mustInstall("Edit")
	b.publish(withRuntime(edit("1.1")).With(writes), runtimeBundle("12"))
	p, r, err := b.update(PlanOptions{}, 0)
	if err != nil || len(r.Done) != 0 || held(p, "org.example.Edit") == "" || b.version("org.example.Base") != "" {
		t.Errorf("%+v %+v, %v", p, r, err)
	}
	if _, r, err = b.update(PlanOptions{}, NeedPermissions); err != nil || len(r.Done) != 2 {
		t.Errorf("%+v, %v", r, err)
	}
}

func (b *bench) locked(do func(s *store.Store, l *store.Lock) error) {
	b.Helper()
	s := b.client().Store
	l, err := s.Lock(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	defer l.Unlock()
	if err := do(s, l); err != nil {
		b.Fatal(err)
	}
}

func TestHoldPinAndRollbackAreRespected(t *testing.T) {
	b := newBench(t, edit("1.0"))
	b.mustInstall("Edit")
	ref := edit("1").Ref()
	b.publish(edit("1.1"))
	b.locked(func(s *store.Store, l *store.Lock) error { return s.SetHeld(l, ref, true) })
	for _, names := range [][]string{nil, {"Edit"}} {
		if p, _, err := b.update(PlanOptions{}, 0, names...); err != nil || !strings.Contains(held(p, "org.example.Edit"), "held") || b.version("Edit") != "1.0" {
			t.Errorf("held: %+v, %v", p, err)
		}
	}
	// Nor does an install, which is an update here.
	if p, r, err := b.install(PlanOptions{}, "Edit"); err != nil || len(r.Done) != 0 || !strings.Contains(held(p, "org.example.Edit"), "held") || b.version("Edit") != "1.0" {
		t.Errorf("held, installed again: %+v, %v", p, err)
	}
	b.locked(func(s *store.Store, l *store.Lock) error { return s.SetHeld(l, ref, false) })
	b.locked(func(s *store.Store, l *store.Lock) error { return s.SetPinned(l, ref, 1) })
	if p, _, err := b.update(PlanOptions{}, 0); err != nil || !strings.Contains(held(p, "org.example.Edit"), "pinned") {
		t.Errorf("pinned: %+v, %v", p, err)
	}
	b.locked(func(s *store.Store, l *store.Lock) error { return s.SetPinned(l, ref, 0) })
	if _, _, err := b.update(PlanOptions{}, 0); err != nil || b.version("Edit") != "1.1" {
		t.Fatalf("free again: %v", err)
	}
	b.locked(func(s *store.Store, l *store.Lock) error { _, _, err := s.Rollback(l, ref, 0); return err })
	if p, _, err := b.update(PlanOptions{}, 0); err != nil || !strings.Contains(held(p, "org.example.Edit"), "rolled back") || b.version("Edit") != "1.0" {
		t.Errorf("rolled back: %+v, %v", p, err)
	}
	if _, _, err := b.update(PlanOptions{Release: 2}, 0, "Edit"); err != nil || b.version("Edit") != "1.1" {
		t.Errorf("that very release: %s, %v", b.version("Edit"), err)
	}
	b.locked(func(s *store.Store, l *store.Lock) error { _, _, err := s.Rollback(l, ref, 0); return err })
	b.publish(edit("1.2"))
	if _, _, err := b.update(PlanOptions{}, 0); err != nil || b.version("Edit") != "1.2" {
		t.Errorf("a newer one: %s, %v", b.version("Edit"), err)
	}
}

func TestDowngradeIsExplicit(t *testing.T) {
	b := newBench(t, edit("1.0"))
	b.publish(edit("1.1"))
	b.mustInstall("Edit")
	p, r, err := b.update(PlanOptions{Release: 1}, 0, "Edit")
	if err != nil || len(r.Done) != 0 || !errors.Is(p.Held[0].Err, ErrOlder) || !strings.Contains(hint.Of(p.Held[0].Err), "--downgrade") {
		t.Fatalf("%+v %+v, %v", p.Held, r, err)
	}
	p, r, err = b.update(PlanOptions{Release: 1, Downgrade: true}, 0, "Edit")
	if err != nil || p.Steps[0].Action != Downgrade || b.version("Edit") != "1.0" {
		t.Fatalf("%+v %+v, %v", p, r, err)
	}
	if _, _, err := b.update(PlanOptions{}, 0); err != nil || b.version("Edit") != "1.1" {
		t.Errorf("and forward again: %s, %v", b.version("Edit"), err)
	}
}

// B05: removing an app, its remote and all caches is no way back.
func TestFloorOutlivesUninstall(t *testing.T) {
	b := newBench(t, edit("1.0"))
	old := b.repo.Clone()
	b.publish(edit("1.1"))
	b.mustInstall("Edit")
	ref := edit("1").Ref()
	b.locked(func(s *store.Store, l *store.Lock) error { _, err := s.Uninstall(l, ref); return err })
	b.remove("main")
	b.server.Carry(old)
	b.add("main", b.server.URL, b.repo.Fingerprint())
	if _, r, err := b.install(PlanOptions{}, "Edit"); !errors.Is(err, ErrOlder) || b.version("Edit") != "" {
		t.Fatalf("%+v, %v", r, err)
	}
	if _, _, err := b.install(PlanOptions{Downgrade: true}, "Edit"); err != nil || b.version("Edit") != "1.0" {
		t.Errorf("on purpose: %v", err)
	}
}

// A release that was only seen counts as well.
func TestFloorOfWhatWasOnlySeen(t *testing.T) {
	b := newBench(t, edit("1.0"))
	b.mustInstall("Edit")
	old := b.repo.Clone()
	old.Releases[edit("1").Ref().String()] = 1
	b.publish(edit("1.1").With(writes))
	if p, _, err := b.update(PlanOptions{}, 0); err != nil || held(p, "org.example.Edit") == "" {
		t.Fatal(err)
	}
	if floor, err := b.client().Store.Floor(edit("1").Ref(), b.repo.Fingerprint()); err != nil || floor != 2 {
		t.Errorf("%d, %v", floor, err)
	}
}

func TestPublisherKeyChanges(t *testing.T) {
	b := newBench(t, edit("1.0"))
	b.mustInstall("Edit")
	b.repo.Publisher = repotest.NewKey("somebody else")
	b.publish(edit("1.1"))
	for _, agreed := range []Need{0, NeedPermissions, NeedOrigin} {
		p, _, err := b.update(PlanOptions{}, agreed)
		if err != nil || held(p, "org.example.Edit") != NeedPublisher.String() || b.version("Edit") != "1.0" {
			t.Fatalf("agreed to %d: %+v, %v", agreed, p.Held, err)
		}
	}
	if _, _, err := b.update(PlanOptions{}, NeedPublisher); err != nil || b.version("Edit") != "1.1" {
		t.Errorf("agreed: %v", err)
	}
	b.publish(edit("1.2"))
	if _, _, err := b.update(PlanOptions{}, 0); err != nil || b.version("Edit") != "1.2" {
		t.Errorf("the new key is remembered: %v", err)
	}
}

func TestEndOfLife(t *testing.T) {
	b := newBench(t, edit("1.0"))
	b.mustInstall("Edit")
	last := edit("1.1")
	last.EOL, last.ReplacedBy = "its author has stopped", repotest.App("org.example.Writer", "1").Ref().String()
	b.publish(last)
	for range 2 { // told each time
		p, _, err := b.update(PlanOptions{}, 0)
		if err != nil || len(p.Notes) != 1 || !strings.Contains(p.Notes[0], "its author has stopped; org.example.Writer takes over") {
			t.Errorf("%q, %v", p.Notes, err)
		}
	}
	if b.version("Edit") != "1.1" {
		t.Error(b.version("Edit"))
	}
}

// The end can be said long after the release: it is remembered, and so is that it
// was taken back.
func TestEndOfLifeOfWhatIsInstalled(t *testing.T) {
	b := newBench(t, edit("1.0"))
	b.mustInstall("Edit")
	custom := b.repo.Targets[edit("1").Ref().String()]["custom"].(repotest.Doc)
	for _, end := range []string{"its author has stopped", ""} {
		custom["eol"] = end
		b.repo.Publish()
		if p, r, err := b.update(PlanOptions{}, 0); err != nil || len(r.Done) != 0 || len(p.Notes) != min(1, len(end)) {
			t.Fatalf("%+v %+v, %v", p, r, err)
		}
		if got := b.record("Edit").Release.EOL; got != end || b.version("Edit") != "1.0" {
			t.Errorf("the record says %q, want %q", got, end)
		}
	}
	b.sound("1.0")
}

func TestRepositoryThatChangesARelease(t *testing.T) {
	b := newBench(t, edit("1.0"))
	b.mustInstall("Edit")
	b.repo.Targets[edit("1").Ref().String()] = b.repo.Target(edit("1.0").File("files/share/backdoor", "x"), 1)
	b.publish()
	p, r, err := b.update(PlanOptions{}, 0)
	if err != nil || len(r.Done) != 0 || !errors.Is(p.Held[0].Err, ErrDamaged) {
		t.Errorf("%+v, %v", p, err)
	}
}

func TestWithdrawnApp(t *testing.T) {
	b := newBench(t, edit("1.0"), repotest.App("org.example.Draw", "1"))
	b.mustInstall("Edit", "Draw")
	delete(b.repo.Targets, edit("1").Ref().String())
	b.publish(repotest.App("org.example.Draw", "2"))
	p, _, err := b.update(PlanOptions{}, 0)
	if err != nil || !strings.Contains(held(p, "org.example.Edit"), "not offer") || b.version("Draw") != "2" || b.version("Edit") != "1.0" {
		t.Errorf("%+v, %v", p, err)
	}
}

// One remote that does not answer does not keep the others from being used.
func TestOneRemoteIsDown(t *testing.T) {
	b := newBench(t, edit("1.0"))
	other := repotest.New()
	other.Keys["root"] = []repotest.Key{repotest.NewKey("other root")}
	other.Release(repotest.App("org.example.Draw", "1"))
	other.Publish()
	server := repotest.Serve(t, other)
	b.add("other", server.URL, other.Fingerprint())
	b.mustInstall("Edit", "Draw")
	server.Close()
	b.publish(edit("1.1"))
	p, r, err := b.update(PlanOptions{}, 0)
	if err != nil || len(r.Done) != 1 || b.version("Edit") != "1.1" || !strings.Contains(held(p, "org.example.Draw"), "cannot be reached") {
		t.Errorf("%+v, %v", p, err)
	}
}
