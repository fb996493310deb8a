package client

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sandbox/internal/hint"
	"sandbox/repo/remote"
	"sandbox/repo/repotest"
	"sandbox/repo/store"
	"sandbox/repo/trust"
)

func (b *bench) search(opt SearchOptions, words ...string) (string, Listing, error) {
	b.Helper()
	list, err := b.client().Search(b.Context(), words, opt)
	var ids []string
	for _, h := range list.Hits {
		id := string(h.Ref.ID.Base())
		if h.Installed != "" {
			id += "*"
		}
		ids = append(ids, id)
	}
	return strings.Join(ids, " "), list, err
}

func TestSearch(t *testing.T) {
	b := newBench(t, edit("1.0"), repotest.App("org.example.Draw", "1"), runtimeBundle("12"))
	b.mustInstall("Draw")
	for _, c := range []struct {
		words []string
		opt   SearchOptions
		want  string
	}{
		{nil, SearchOptions{}, "Draw* Edit"},
		{nil, SearchOptions{All: true}, "Base Draw* Edit"},
		{[]string{"DRAW"}, SearchOptions{}, "Draw*"},
		{[]string{"example", "edi"}, SearchOptions{}, "Edit"},
		{[]string{"a test"}, SearchOptions{}, "Draw* Edit"},
		{[]string{"edit", "draw"}, SearchOptions{}, ""},
		{[]string{"nothing"}, SearchOptions{}, ""},
	} {
		if got, _, err := b.search(c.opt, c.words...); err != nil || got != c.want {
			t.Errorf("%q: %q, %v; want %q", c.words, got, err, c.want)
		}
	}
}

// A search works on what was seen last, says how old that is, and asks again when
// it is old.
func TestSearchWithoutANetwork(t *testing.T) {
	b := newBench(t, edit("1.0"))
	if _, _, err := b.search(SearchOptions{Stored: true}); err == nil {
		t.Error("a catalogue that was never fetched")
	}
	if got, list, err := b.search(SearchOptions{}); err != nil || got != "Edit" || !list.Offline {
		t.Errorf("%q, %+v, %v", got, list.Age, err)
	}
	b.server.Requests()
	b.now = b.now.Add(time.Hour)
	if got, list, err := b.search(SearchOptions{}); err != nil || got != "Edit" || list.Age != time.Hour || len(b.server.Requests()) != 0 {
		t.Errorf("an hour later: %q, %v, %v", got, list.Age, err)
	}
	b.publish(repotest.App("org.example.Draw", "1"))
	if got, list, err := b.search(SearchOptions{}); err != nil || got != "Draw Edit" || list.Offline {
		t.Errorf("a day later: %q, %v, %v", got, list.Age, err)
	}
	// An update looks at the metadata; the catalogue comes along.
	b.publish(repotest.App("org.example.Paint", "1"))
	if _, _, err := b.update(PlanOptions{}, 0); err != nil {
		t.Fatal(err)
	}
	b.mustInstall("Edit")
	b.server.Close()
	b.now = b.now.Add(40 * day)
	if got, list, err := b.search(SearchOptions{}); err != nil || got != "Draw Edit* Paint" || !list.Offline || list.Age != 40*day {
		t.Errorf("without a network: %q, %v, %v", got, list.Age, err)
	}
	if got, _, err := b.search(SearchOptions{Refresh: true}); err != nil || got != "Draw Edit* Paint" {
		t.Errorf("asked in vain: %q, %v", got, err)
	}
	if warned := b.events[len(b.events)-1]; !warned.Warning || !strings.Contains(warned.Text, "cannot be reached") {
		t.Errorf("no word about it: %+v", warned)
	}
	if _, _, err := b.install(PlanOptions{}, "Draw"); !errors.Is(err, remote.ErrUnreachable) {
		t.Errorf("an install by old metadata: %v", err)
	}
}

func TestInfo(t *testing.T) {
	b := newBench(t, edit("1.0"))
	b.publish(withRuntime(edit("1.1")).With(writes), runtimeBundle("12"))
	in, err := b.client().Info(t.Context(), want(t, "Edit")[0], InfoOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if in.Release.Version != "1.1" || in.Installed != nil || len(in.Older) != 1 || in.Older[0].Version != "1.0" || in.Manifest == nil ||
		in.Required.String() != "files:~/Documents:write\n" || in.Download == 0 || in.Disk == 0 || in.Stored {
		t.Errorf("%+v", in)
	}
	b.mustInstall("Edit")
	if in, err = b.client().Info(t.Context(), want(t, "Edit")[0], InfoOptions{}); err != nil || in.Installed == nil || in.Download != 0 || in.Manifest == nil {
		t.Errorf("installed: %+v, %v", in, err)
	}
	b.server.Close()
	b.now = b.now.Add(3 * time.Hour)
	if in, err = b.client().Info(t.Context(), want(t, "org.example.Edit")[0], InfoOptions{}); err != nil || !in.Stored || in.Age != 3*time.Hour || in.Release.Version != "1.1" {
		t.Errorf("without a network: %+v, %v", in, err)
	}
	if _, err := b.client().Info(t.Context(), want(t, "org.example.Nothing")[0], InfoOptions{Stored: true}); !errors.Is(err, ErrNotOffered) {
		t.Errorf("%v", err)
	}
}

func TestAddRemote(t *testing.T) {
	b := newBench(t, edit("1.0"))
	good := b.repo.Fingerprint()
	other := "sha256:" + strings.Repeat("ab", 32)
	for name, c := range map[string]struct {
		remote, url, key string
		text             string
	}{
		"a name that is taken":    {"main", b.server.URL, good, "already"},
		"a name that is none":     {"../x", b.server.URL, good, "name"},
		"another fingerprint":     {"new", b.server.URL, other, "fingerprint"},
		"a fingerprint that's no": {"new", b.server.URL, "sha256:xx", "fingerprint"},
		"no repository there":     {"new", b.server.URL + "/nowhere", good, "cannot find a repository"},
		"no directory":            {"new", "file:///nowhere", good, "cannot open"},
	} {
		if err := b.addErr(c.remote, c.url, c.key, 0); err == nil || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := b.addErr("high", b.server.URL, good, 5000); err == nil {
		t.Error("a priority out of bounds")
	}
	b.server.Misbehave(repotest.Only("sandbox-repo.json", repotest.Changed(func([]byte) []byte { return []byte(`{"format":2,"bins":1}`) })))
	if err := b.addErr("new", b.server.URL, good, 0); err == nil || !strings.Contains(err.Error(), "format is 2") {
		t.Errorf("a later format: %v", err)
	}
	b.server.Misbehave(repotest.Only("meta/", repotest.Changed(flip)))
	if err := b.addErr("new", b.server.URL, good, 0); err == nil {
		t.Error("a repository that cannot be verified")
	}
	all, err := b.client().Remotes().List()
	if left, _ := os.ReadDir(filepath.Join(b.store, "remotes")); err != nil || len(all) != 1 || len(left) != 1 {
		t.Errorf("left %v, %v", left, err)
	}
	b.server.Misbehave(nil)
	b.remove("main")
	dir := t.TempDir()
	b.repo.Write(t, dir)
	b.add("carried", dir, good)
	if _, r, err := b.install(PlanOptions{From: "carried"}, "Edit"); err != nil || len(r.Done) != 1 {
		t.Errorf("from a directory: %+v, %v", r, err)
	}
}

// Without --key or a file nobody vouches for the root, and the caller has to ask.
func TestTrustOnFirstUse(t *testing.T) {
	b := newBench(t, edit("1.0"))
	b.remove("main")
	look := func(key string, file *remote.File) (*NewRemote, error) {
		a, _ := remote.ParseAddress(b.server.URL)
		return b.client().LookAt(t.Context(), remote.Remote{Name: "new", Address: a}, key, file)
	}
	if n, err := look("", nil); err != nil || n.Known || n.First.Fingerprint != b.repo.Fingerprint() {
		t.Errorf("%+v, %v", n, err)
	}
	if n, err := look(b.repo.Fingerprint(), nil); err != nil || !n.Known {
		t.Errorf("by fingerprint: %+v, %v", n, err)
	}
	first := b.repo.Files["1.root.json"]
	if n, err := look("", &remote.File{Root: first}); err != nil || !n.Known || n.Root != b.repo.Fingerprint() {
		t.Errorf("by file: %+v, %v", n, err)
	}
	b.repo.Keys["root"] = []repotest.Key{repotest.NewKey("root-2")}
	b.repo.NewRoot(repotest.NewKey("root"))
	b.repo.Publish()
	if n, err := look("", &remote.File{Root: b.repo.Files["2.root.json"]}); err != nil || n.Root != b.repo.Fingerprint() || n.Now.Version != 2 {
		t.Errorf("by a file with a later root: %+v, %v", n, err)
	} else if err := b.client().AddRemote(t.Context(), n); err != nil {
		t.Error(err)
	}
	if r, err := trust.StoredRoot(b.client().Remotes().Dir("new")); err != nil || r.Version != 2 {
		t.Errorf("%+v, %v", r, err)
	}
	b.remove("new")
	stranger := repotest.New()
	stranger.Keys["root"] = []repotest.Key{repotest.NewKey("stranger")}
	stranger.NewRoot()
	for name, root := range map[string][]byte{"another repository's": stranger.Files["1.root.json"], "none": []byte("{}"), "a changed one": flip([]byte(string(first)))} {
		if n, err := look("", &remote.File{Root: root}); err == nil {
			t.Errorf("%s: %+v", name, n)
		}
	}
	// A root that the server says is the first, but of another version.
	b.repo.Files["1.root.json"] = b.repo.Files["2.root.json"]
	if n, err := look("", nil); err == nil {
		t.Errorf("a later root as the first: %+v", n)
	}
}

// What the administrator configured can be used by everybody; what a user sees of
// it is kept with the user.
func TestRemoteOfTheMachine(t *testing.T) {
	machine := newBench(t, edit("1.0"), withRuntime(repotest.App("org.example.Draw", "1")), runtimeBundle("12"))
	t.Setenv("SANDBOX_SYSTEM_DIR", machine.store)
	if store.SystemDir() != machine.store {
		t.Fatalf("the machine's store is %s, not %s", store.SystemDir(), machine.store)
	}
	machine.mustInstall("org.example.Base")
	user := &bench{T: t, repo: machine.repo, server: machine.server, store: filepath.Join(t.TempDir(), "store"), now: machine.now}
	with := func() *Client {
		c := user.client()
		s, err := store.OpenReadOnly(store.SystemDir())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		c.Others = []*store.Store{s}
		return c
	}
	for text, installed := range map[string]bool{"org.example.Base": true, "Draw": false} {
		in, err := with().Info(t.Context(), want(t, text)[0], InfoOptions{})
		if err != nil || (in.Installed != nil && in.Installed.System) != installed {
			t.Errorf("%s: %+v, %v", text, in, err)
		}
	}
	before := tree(t, filepath.Join(machine.store, "remotes"))
	c := with()
	p, err := c.PlanInstall(t.Context(), want(t, "Draw"), PlanOptions{})
	if err != nil || len(p.Steps) != 1 || !p.Steps[0].Origin.Machine {
		t.Fatalf("its runtime is here already: %+v, %v", p, err)
	}
	if _, err := c.Apply(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	if after := tree(t, filepath.Join(machine.store, "remotes")); after != before {
		t.Errorf("the machine's remotes were changed:\n%s\n%s", before, after)
	}
	machine.publish(withRuntime(repotest.App("org.example.Draw", "2")))
	user.now = machine.now
	c = with()
	if p, err = c.PlanUpdate(t.Context(), nil, PlanOptions{}); err != nil || len(p.Steps) != 1 {
		t.Errorf("%+v, %v", p, err)
	}
	if _, err := user.client().PlanInstall(t.Context(), want(t, "Edit"), PlanOptions{}); err == nil || hint.Of(err) == "" {
		t.Errorf("without the machine: %v", err)
	}
}

func tree(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			data, _ := os.ReadFile(path)
			b.WriteString(path + "\n" + string(data) + "\n")
		}
		return err
	})
	return b.String()
}
