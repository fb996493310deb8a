package client

import (
	"slices"
	"strings"
	"testing"

	"sandbox/repo/repotest"
	"sandbox/repo/store"
)

// The data of an app go by its id. Whoever signs it with another key gets them only
// when somebody agrees: after an uninstall, from another channel, and where the
// machine has the app.
func TestPublisherIsRememberedForTheData(t *testing.T) {
	b := newBench(t, edit("1.0"))
	b.mustInstall("Edit")
	uninstall := func() {
		t.Helper()
		b.locked(func(s *store.Store, l *store.Lock) error {
			_, err := s.Uninstall(l, edit("1").Ref())
			return err
		})
	}
	beta := edit("2.0")
	beta.Channel = "beta"
	install := func(name string, agreed Need) *Plan {
		t.Helper()
		c := b.client()
		p, err := c.PlanInstall(t.Context(), want(t, name), PlanOptions{})
		if err != nil {
			t.Fatal(err)
		}
		p.Settle(func(*Step) Need { return agreed })
		if _, err := c.Apply(t.Context(), p); err != nil {
			t.Fatal(err)
		}
		return p
	}
	uninstall()
	if p := install("Edit", 0); len(p.Held) != 0 || b.version("Edit") != "1.0" {
		t.Errorf("the same publisher again: %+v", p.Held)
	}
	b.repo.Publisher = repotest.NewKey("somebody else")
	b.publish(edit("1.1"), beta)
	if p := install("org.example.Edit/beta", 0); held(p, "org.example.Edit") != NeedPublisher.String() {
		t.Errorf("another channel: %+v", p.Held)
	}
	uninstall()
	for _, agreed := range []Need{0, NeedOrigin | NeedPermissions} {
		if p := install("Edit", agreed); held(p, "org.example.Edit") != NeedPublisher.String() || b.version("Edit") != "" {
			t.Errorf("after an uninstall: %+v", p.Held)
		}
	}
	if p := install("Edit", NeedPublisher); len(p.Held) != 0 || b.version("Edit") != "1.1" || len(p.Steps[0].OldPublisher) == 0 {
		t.Errorf("agreed: %+v", p.Held)
	}
	if p := install("org.example.Edit/beta", 0); len(p.Held) != 0 {
		t.Errorf("it was agreed to before: %+v", p.Held)
	}
}

func TestPublisherOfTheMachinesApp(t *testing.T) {
	b := newBench(t, edit("1.0"))
	b.mustInstall("Edit")
	machine, err := store.OpenReadOnly(b.store)
	if err != nil {
		t.Fatal(err)
	}
	defer machine.Close()
	user := b.elsewhere()
	user.add("main", b.server.URL, b.repo.Fingerprint())
	plan := func() *Step {
		t.Helper()
		c := user.client()
		c.Others = []*store.Store{machine}
		p, err := c.PlanInstall(t.Context(), want(t, "Edit"), PlanOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return p.Steps[0]
	}
	if s := plan(); s.Needs != 0 {
		t.Errorf("of the same publisher: %v", s.Needs)
	}
	b.repo.Publisher = repotest.NewKey("somebody else")
	b.publish(edit("1.1"))
	user.now = b.now
	if s := plan(); s.Needs != NeedPublisher {
		t.Errorf("of another: %v", s.Needs)
	}
}

// A repository that brings a runtime of a known name along for its own app gets to
// run code in the apps of others: whoever installs those is told.
func TestRuntimeOfAnotherRepositoryIsTold(t *testing.T) {
	b := newBench(t, withRuntime(edit("1.0")), runtimeBundle("12"))
	evil := repotest.New()
	evil.Keys["root"] = []repotest.Key{repotest.NewKey("evil root")}
	evil.Release(withRuntime(repotest.App("org.evil.Game", "1")))
	evil.Release(runtimeBundle("12"))
	evil.Publish()
	if err := b.addErr("evil", repotest.Serve(t, evil).URL, evil.Fingerprint(), -1); err != nil {
		t.Fatal(err)
	}
	told := func(name string) bool {
		t.Helper()
		p, _, err := b.install(PlanOptions{}, name)
		if err != nil {
			t.Fatal(err)
		}
		return slices.ContainsFunc(p.Notes, func(n string) bool { return strings.Contains(n, "came from another repository: evil") })
	}
	if told("org.evil.Game") || b.record("org.example.Base").Remote != "evil" {
		t.Error("the runtime is not of the app's own repository")
	}
	if !told("org.example.Edit") {
		t.Error("nothing is said of whose runtime it runs on")
	}
}

// Numbers of a publisher whom nobody has agreed to are not used up for the others.
func TestRefusedPublisherRaisesNoFloor(t *testing.T) {
	b := newBench(t, edit("1.0"))
	b.mustInstall("Edit")
	floor := func() uint64 {
		t.Helper()
		n, err := b.client().Store.Floor(edit("1").Ref(), b.repo.Fingerprint())
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	b.repo.Publisher = repotest.NewKey("somebody else")
	b.publish(edit("1.1"))
	if p, _, err := b.update(PlanOptions{}, 0); err != nil || held(p, "org.example.Edit") == "" || floor() != 1 {
		t.Errorf("refused: %v, floor %d", err, floor())
	}
	if _, _, err := b.update(PlanOptions{}, NeedPublisher); err != nil || floor() != 2 {
		t.Errorf("agreed: %v, floor %d", err, floor())
	}
}
