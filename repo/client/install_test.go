package client

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sandbox/internal/hint"
	"sandbox/repo"
	"sandbox/repo/repotest"
	"sandbox/repo/store"
)

func TestInstall(t *testing.T) {
	b := newBench(t, edit("1.0").With("[permissions]\n"), repotest.App("org.example.Draw", "3.0"))
	p, r, err := b.install(PlanOptions{}, "org.example.Edit")
	if err != nil || len(r.Done) != 1 || r.Bytes == 0 {
		t.Fatalf("%+v, %v", r, err)
	}
	s := p.Steps[0]
	if s.Action != Install || s.Download == 0 || s.Disk == 0 || s.Manifest == nil || !s.Explicit || s.Origin.Name != "main" {
		t.Errorf("%+v", s)
	}
	rec := b.record("org.example.Edit")
	if rec.Remote != "main" || rec.RemoteFingerprint != b.repo.Fingerprint() || string(rec.Publisher) != string(b.repo.Publisher.Public()) || !rec.Explicit || rec.Accepted != rec.Release.PermissionText {
		t.Errorf("%+v", rec)
	}
	if b.version("org.example.Edit") != "1.0" || b.version("org.example.Draw") != "" {
		t.Error("the wrong thing is installed")
	}
	dir := b.client().Store.BundleDir(rec)
	if st, err := os.Stat(filepath.Join(dir, "files/bin/tool")); err != nil || st.Mode().Perm() != 0o755 {
		t.Errorf("%v, %v", st, err)
	}
	p, r, err = b.install(PlanOptions{}, "Edit")
	if err != nil || len(r.Done) != 0 || len(p.Notes) != 1 || !strings.Contains(p.Notes[0], "already") {
		t.Errorf("again: %+v %+v, %v", p.Notes, r, err)
	}
}

func TestInstallNames(t *testing.T) {
	b := newBench(t, edit("1.0"), repotest.App("com.other.Edit", "5.0"), repotest.App("org.example.Draw", "3.0"))
	beta := edit("2.0-beta")
	beta.Channel = "beta"
	any := repotest.App("org.example.Anywhere", "1")
	any.Arch = repo.AnyArch
	other := repotest.App("org.example.Foreign", "1")
	other.Arch = "aarch64"
	if repo.HostArch() == "aarch64" {
		other.Arch = "x86_64"
	}
	b.publish(beta, any, other)
	for _, c := range []struct {
		text, want string
		err        error
	}{
		{"org.example.Edit", "org.example.Edit/" + repo.HostArch() + "/stable", nil},
		{"org.example.Edit/beta", "org.example.Edit/" + repo.HostArch() + "/beta", nil},
		{"app/org.example.Edit/" + repo.HostArch() + "/beta", "org.example.Edit/" + repo.HostArch() + "/beta", nil},
		{"draw", "org.example.Draw/" + repo.HostArch() + "/stable", nil},
		{"org.example.Anywhere", "org.example.Anywhere/any/stable", nil},
		{"Edit", "", ErrAmbiguous},
		{"org.example.Nothing", "", ErrNotOffered},
		{"nothing", "", ErrNotOffered},
		{"org.example.Draw/beta", "", ErrNotOffered},
		{"org.example.Foreign", "", ErrNotOffered},
	} {
		p, err := b.client().PlanInstall(t.Context(), want(t, c.text), PlanOptions{})
		if c.err != nil {
			if !errors.Is(err, c.err) || hint.Of(err) == "" {
				t.Errorf("%s: %v (%s)", c.text, err, hint.Of(err))
			}
			continue
		}
		if err != nil || len(p.Steps) != 1 || !strings.HasSuffix(p.Steps[0].Release.Ref.String(), "/"+c.want) {
			t.Errorf("%s: %+v, %v", c.text, p, err)
		}
	}
	for _, text := range []string{"", "a b", "../x", "org/../x", "app/x/y", "-x", "org.example.Edit/", "org.example.Edit/Beta", "ed\x1bit", "a/b/c/d/e", strings.Repeat("a", 100)} {
		if w, err := ParseWant(text); err == nil && text != "-x" {
			t.Errorf("%q: %+v", text, w)
		}
	}
}

func TestRuntimeComesAlong(t *testing.T) {
	b := newBench(t, withRuntime(edit("1.0")), runtimeBundle("12"))
	p, r, err := b.install(PlanOptions{}, "org.example.Edit")
	if err != nil || len(r.Done) != 2 || p.Steps[0].Release.Ref.Kind != "runtime" || p.Steps[0].Explicit {
		t.Fatalf("%+v, %v", r, err)
	}
	if b.version("org.example.Base") != "12" || b.record("org.example.Base").Explicit {
		t.Error("the runtime is not there, or as if asked for")
	}
	b.publish(repotest.App("org.example.Draw", "1").File("files/x", "x"))
	if _, r, err := b.install(PlanOptions{}, "org.example.Draw"); err != nil || len(r.Done) != 1 {
		t.Errorf("%+v, %v", r, err)
	}
	// Asked for by name it is wanted for itself.
	if _, r, err = b.install(PlanOptions{}, "org.example.Base"); err != nil || !b.record("org.example.Base").Explicit {
		t.Errorf("%+v, %v", r, err)
	}
	b.publish(withRuntime(edit("1.1")), runtimeBundle("12.1"))
	if p, r, err = b.update(PlanOptions{}, 0, "Edit"); err != nil || len(r.Done) != 2 || b.version("org.example.Base") != "12.1" {
		t.Errorf("an update of the app alone: %+v, %v", r, err)
	}
}

func TestRuntimeThatNobodyHas(t *testing.T) {
	b := newBench(t, withRuntime(edit("1.0")))
	if _, _, err := b.install(PlanOptions{}, "Edit"); !errors.Is(err, ErrNotOffered) || hint.Of(err) == "" {
		t.Fatalf("%v", err)
	}
	other := repotest.New()
	other.Release(runtimeBundle("12"))
	other.Keys["root"] = []repotest.Key{repotest.NewKey("other root")}
	other.Publish()
	b.add("runtimes", repotest.Serve(t, other).URL, other.Fingerprint())
	if _, r, err := b.install(PlanOptions{}, "Edit"); err != nil || len(r.Done) != 2 || b.record("org.example.Base").Remote != "runtimes" {
		t.Errorf("from another remote: %+v, %v", r, err)
	}
}

func TestSharedContentIsNotFetchedAgain(t *testing.T) {
	large := strings.Repeat("0123456789abcdef", 64<<10)
	b := newBench(t, edit("1.0").File("files/share/large", large))
	b.mustInstall("Edit")
	b.publish(edit("1.1").File("files/share/large", large))
	b.server.Requests()
	p, _, err := b.update(PlanOptions{}, 0)
	if err != nil || b.version("Edit") != "1.1" {
		t.Fatal(err)
	}
	if p.Steps[0].Disk > 100_000 {
		t.Errorf("%d bytes for a small change", p.Steps[0].Disk)
	}
	for _, r := range b.server.Requests() {
		if strings.HasPrefix(r, "pack/") && !strings.Contains(r, "bytes=") {
			t.Errorf("a whole pack: %s", r)
		}
	}
}

// An object of several frames, and one of exactly the size of a frame.
func TestLargeObjects(t *testing.T) {
	if testing.Short() {
		t.Skip("writes 200 MB")
	}
	var s strings.Builder
	for i := 0; s.Len() < 130<<20; i++ {
		s.WriteString(strings.Repeat(string(rune('a'+i%26)), 1000+i%7))
	}
	large := s.String()
	b := newBench(t, edit("1.0").File("files/share/large", large).File("files/share/one", large[:64<<20]))
	b.mustInstall("Edit")
	rec := b.record("Edit")
	got, err := os.ReadFile(filepath.Join(b.client().Store.BundleDir(rec), "files/share/large"))
	if err != nil || string(got) != large {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

// The contents of which one mode is here are not fetched for the other.
func TestSameContentInBothModes(t *testing.T) {
	one := repotest.App("org.example.Plain", "1")
	one.Files = map[string]string{"files/bin/tool": "#!/bin/sh\necho 1\n", "files/x": "the same"}
	two := repotest.App("org.example.Exec", "1").File("files/x", "the same")
	two.Exec = map[string]bool{"files/bin/tool": true, "files/x": true}
	b := newBench(t, one, two)
	b.mustInstall("org.example.Plain")
	b.mustInstall("org.example.Exec")
	dir := b.client().Store.BundleDir(b.record("org.example.Exec"))
	if st, err := os.Stat(filepath.Join(dir, "files/x")); err != nil || st.Mode().Perm() != 0o755 {
		t.Errorf("%v, %v", st, err)
	}
}

func TestPriorityAndFilters(t *testing.T) {
	b := newBench(t, edit("1.0"))
	other := repotest.New()
	other.Keys["root"] = []repotest.Key{repotest.NewKey("other root")}
	other.Release(edit("9.0"))
	other.Release(repotest.App("org.example.Draw", "1"))
	other.Publish()
	if err := b.addErr("other", repotest.Serve(t, other).URL, other.Fingerprint(), -1); err != nil {
		t.Fatal(err)
	}
	plan := func() *Step {
		t.Helper()
		p, err := b.client().PlanInstall(t.Context(), want(t, "org.example.Edit"), PlanOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return p.Steps[0]
	}
	if s := plan(); s.Origin.Name != "main" || len(s.Also) != 1 || s.Also[0].Name != "other" {
		t.Errorf("%s, also %v", s.Origin.Name, s.Also)
	}
	set := b.client().Remotes()
	r, _ := set.Get("other")
	r.Priority = 5
	set.Put(*r)
	if s := plan(); s.Origin.Name != "other" {
		t.Error(s.Origin.Name)
	}
	r.Deny = append(r.Deny, "org.example.Edit")
	set.Put(*r)
	if s := plan(); s.Origin.Name != "main" || len(s.Also) != 0 {
		t.Error(s.Origin.Name)
	}
	if _, err := b.client().PlanInstall(t.Context(), want(t, "org.example.Edit"), PlanOptions{From: "other"}); !errors.Is(err, ErrNotOffered) || !strings.Contains(hint.Of(err), "filter") {
		t.Errorf("%v (%s)", err, hint.Of(err))
	}
	r.Deny, r.Disabled = nil, true
	set.Put(*r)
	if s := plan(); s.Origin.Name != "main" {
		t.Error(s.Origin.Name)
	}
	p, err := b.client().PlanInstall(t.Context(), want(t, "org.example.Edit"), PlanOptions{From: "other"})
	if err != nil || p.Steps[0].Origin.Name != "other" {
		t.Errorf("named: %v", err)
	}
}

// B20: what is installed stays with its repository and its publisher.
func TestAnotherRemoteIsNotTakenSilently(t *testing.T) {
	b := newBench(t, edit("1.0"))
	b.mustInstall("Edit")
	evil := repotest.New()
	evil.Keys["root"] = []repotest.Key{repotest.NewKey("evil root")}
	evil.Publisher = repotest.NewKey("evil")
	for range 5 {
		evil.Release(edit("9.0"))
	}
	evil.Publish()
	if err := b.addErr("evil", repotest.Serve(t, evil).URL, evil.Fingerprint(), 100); err != nil {
		t.Fatal(err)
	}
	for _, agreed := range []Need{0, NeedPermissions, NeedPublisher, NeedOrigin} {
		for what, do := range map[string]func() (*Plan, Result, error){
			"update":         func() (*Plan, Result, error) { return b.update(PlanOptions{}, agreed) },
			"update by name": func() (*Plan, Result, error) { return b.update(PlanOptions{}, agreed, "Edit") },
			"install":        func() (*Plan, Result, error) { return b.install(PlanOptions{}, "org.example.Edit") },
			"install --from": func() (*Plan, Result, error) { return b.install(PlanOptions{From: "evil"}, "org.example.Edit") },
			"update --from":  func() (*Plan, Result, error) { return b.update(PlanOptions{From: "evil"}, agreed, "Edit") },
		} {
			if _, r, err := do(); err != nil || len(r.Done) != 0 || b.version("Edit") != "1.0" {
				t.Fatalf("%s: %+v, %v, version %s", what, r, err, b.version("Edit"))
			}
		}
	}
	p, r, err := b.update(PlanOptions{From: "evil"}, NeedOrigin|NeedPublisher, "Edit")
	if err != nil || len(r.Done) != 1 || p.Steps[0].Action != Switch || b.version("Edit") != "9.0" {
		t.Fatalf("by explicit wish: %+v, %v", r, err)
	}
	if rec := b.record("Edit"); rec.RemoteFingerprint != evil.Fingerprint() || rec.Remote != "evil" {
		t.Errorf("%+v", rec)
	}
	if _, r, err := b.update(PlanOptions{}, 0); err != nil || len(r.Done) != 0 {
		t.Errorf("back by itself: %+v, %v", r, err)
	}
}

// A remote that was removed and added again, under any name, is the same.
func TestRenamedRemote(t *testing.T) {
	b := newBench(t, edit("1.0"))
	b.mustInstall("Edit")
	b.remove("main")
	b.publish(edit("1.1"))
	p, r, err := b.update(PlanOptions{}, 0)
	if err != nil || len(r.Done) != 0 || !errors.Is(p.Held[0].Err, ErrNoOrigin) {
		t.Fatalf("%+v %+v, %v", p, r, err)
	}
	b.add("again", b.server.URL, b.repo.Fingerprint())
	if _, _, err := b.update(PlanOptions{}, 0); err != nil || b.version("Edit") != "1.1" {
		t.Errorf("%s, %v", b.version("Edit"), err)
	}
}

func TestRepositoryUnderTwoNames(t *testing.T) {
	b := newBench(t, edit("1.0"))
	err := b.addErr("twin", b.server.URL, b.repo.Fingerprint(), 9)
	if err == nil || !strings.Contains(hint.Of(err), "remote modify main --url") {
		t.Errorf("%v, hint %q", err, hint.Of(err))
	}
	if all, _ := b.client().Remotes().List(); len(all) != 1 {
		t.Errorf("%d remotes", len(all))
	}
	other := repotest.New()
	other.Keys["root"] = []repotest.Key{repotest.NewKey("other root")}
	other.Publish()
	b.add("other", repotest.Serve(t, other).URL, other.Fingerprint())
}

// The machine may have a user's repository under another name and address.
func TestRepositoryOfTheMachineToo(t *testing.T) {
	b := newBench(t, edit("1.0"))
	b.mustInstall("Edit")
	c := b.client()
	all, err := c.load()
	if err != nil {
		t.Fatal(err)
	}
	twin := *all[0]
	twin.Name, twin.Machine = "first", true
	for _, disabled := range []bool{false, true} {
		all[0].Disabled = disabled
		c.origins = []*Origin{&twin, all[0]}
		want := map[bool]string{false: "main", true: "first"}[disabled]
		if o, err := c.originOf(b.record("Edit")); err != nil || o.Name != want {
			t.Errorf("%+v, %v; want %s", o, err, want)
		}
	}
	c.origins = all
	if o, err := c.originOf(b.record("Edit")); err == nil {
		t.Errorf("disabled: %+v", o)
	}
}

func TestPermissionsOfAPlan(t *testing.T) {
	b := newBench(t, edit("1.0").With("[permissions]\n\"files:~/Documents:write\" = \"edit your documents\"\n\"network:internet\" = { reason = \"x\", optional = true }\n"))
	p, err := b.client().PlanInstall(t.Context(), want(t, "Edit"), PlanOptions{})
	if err != nil {
		t.Fatal(err)
	}
	s := p.Steps[0]
	if got := s.Required.String() + s.Optional.String(); got != "files:~/Documents:write\nnetwork:internet\n" || s.Manifest.Permissions[0].Reason != "edit your documents" {
		t.Errorf("%q, %+v", got, s.Manifest.Permissions)
	}
}

func TestSpaceIsCheckedBefore(t *testing.T) {
	for _, c := range []struct {
		name                                   string
		bytes, files, free, inodes, freeInodes int64
		good                                   bool
	}{
		{"room", 1e6, 10, 100e6, 1000, 100, true},
		{"too little", 90e6, 10, 100e6, 1000, 100, false},
		{"nothing to write on a full disk", 0, 0, 0, 1000, 0, true},
		{"too few inodes", 1e6, 101, 100e6, 1000, 100, false},
		{"no limit of inodes", 1e6, 101, 100e6, 0, 0, true},
	} {
		err := roomFor(c.bytes, c.files, c.free, c.inodes, c.freeInodes, "/x")
		if (err == nil) != c.good || err != nil && !errors.Is(err, ErrSpace) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestAfterChangeAndBeforeUpdate(t *testing.T) {
	b := newBench(t, edit("1.0"))
	var after, before []string
	hooked := func() *Client {
		c := b.client()
		c.AfterChange = func(_ context.Context, recs []store.Record) error {
			for _, r := range recs {
				after = append(after, r.Release.Version)
			}
			return nil
		}
		c.BeforeUpdate = func(_ context.Context, old store.Record, to repo.Release) error {
			before = append(before, old.Release.Version+">"+to.Version)
			return nil
		}
		return c
	}
	do := func(c *Client, p *Plan, err error) {
		t.Helper()
		if err == nil {
			_, err = c.Apply(t.Context(), p)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	c := hooked()
	p, err := c.PlanInstall(t.Context(), want(t, "Edit"), PlanOptions{})
	do(c, p, err)
	b.publish(edit("1.1"))
	c = hooked()
	p, err = c.PlanUpdate(t.Context(), nil, PlanOptions{})
	do(c, p, err)
	if !slices.Equal(after, []string{"1.0", "1.1"}) || !slices.Equal(before, []string{"1.0>1.1"}) {
		t.Errorf("after %v, before %v", after, before)
	}
	b.publish(edit("1.2"))
	c = hooked()
	c.BeforeUpdate = func(context.Context, store.Record, repo.Release) error { return errors.New("no snapshot") }
	p, err = c.PlanUpdate(t.Context(), nil, PlanOptions{})
	if err == nil {
		_, err = c.Apply(t.Context(), p)
	}
	if err == nil || b.version("Edit") != "1.1" {
		t.Errorf("updated without a snapshot: %v", err)
	}
}
