package publish

import (
	"slices"
	"strings"
	"testing"

	"sandbox/internal/hint"
	"sandbox/repo/key"
)

func pattern(t testing.TB, text string) Pattern {
	t.Helper()
	p, err := ParsePattern(text)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func addPublisher(t testing.TB, dir string, o Options, replace bool, name string, patterns []string, keys ...key.Signer) error {
	t.Helper()
	p := Publisher{Name: name}
	for _, text := range patterns {
		p.Patterns = append(p.Patterns, pattern(t, text))
	}
	for _, k := range keys {
		p.Keys = append(p.Keys, k.Public())
	}
	return with(t, dir, o, func(r *Repository) error { return r.AddPublisher(p, replace) })
}

// split is a repository whose bins have another key than snapshot and
// timestamp, which a publisher may use.
func split(t testing.TB) (dir string, owner, online Options) {
	t.Helper()
	ownerKey, onlineKey := newKey(t), newKey(t)
	dir, _ = newRepo(t, func(i *InitOptions) {
		i.Keys = []key.Signer{ownerKey, onlineKey}
		i.Default = []key.Public{ownerKey.Public()}
		i.Roles = map[string][]key.Public{"snapshot": {onlineKey.Public()}, "timestamp": {onlineKey.Public()}}
	})
	return dir, Options{Keys: []key.Signer{ownerKey, onlineKey}}, Options{Keys: []key.Signer{onlineKey}}
}

func and(o Options, keys ...key.Signer) Options {
	o.Keys = append(slices.Clone(o.Keys), keys...)
	return o
}

func TestPublisherPublishesOnlyTheirs(t *testing.T) {
	dir, owner, online := split(t)
	acme, evil := newKey(t), newKey(t)
	if err := addPublisher(t, dir, owner, false, "acme", []string{"com.acme.*"}, acme); err != nil {
		t.Fatal(err)
	}
	accepts(t, dir, owner) // a publisher who has said nothing yet harms nobody
	theirs, others := newBundle(t, "com.acme.App", "1", "", nil), newBundle(t, app, "1", "", nil)
	for _, c := range []struct {
		name   string
		o      Options
		bundle string
		ok     bool
	}{
		{"what is theirs, with their key", and(online, acme), theirs, true},
		{"what is not theirs", and(online, acme), others, false},
		{"theirs with another's key", and(online, evil), theirs, false},
		{"theirs with the owner's keys", owner, theirs, false},
		{"without the online key", Options{Keys: []key.Signer{acme}}, theirs, false},
		{"the owner's, with the owner's keys", owner, others, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := tryPublish(t, dir, c.o, Request{Bundles: []string{c.bundle}, Force: true})
			if (err == nil) != c.ok || err != nil && hint.Of(err) == "" {
				t.Errorf("err = %v, hint %q", err, hint.Of(err))
			}
		})
	}
	if got := list(t, dir, owner); !slices.Equal(got, []string{stable + " n=1 1", "app/com.acme.App/any/stable n=1 1"}) && len(got) != 2 {
		t.Errorf("got %q", got)
	}
	if _, err := tryPublish(t, dir, and(owner, acme), Request{Bundles: []string{others}, Publisher: "acme", Force: true}); err == nil {
		t.Error("--publisher let another's pass")
	}
	// The catalogue came with the owner's publication.
	accepts(t, dir, owner)
	publish(t, dir, and(online, acme), Request{Bundles: []string{newBundle(t, "com.acme.App", "2", "", nil)}})
	checkAll(t, dir, owner)
}

func TestCatalogueWaitsForItsKey(t *testing.T) {
	dir, owner, online := split(t)
	acme := newKey(t)
	if err := addPublisher(t, dir, owner, false, "acme", []string{"com.acme.*"}, acme); err != nil {
		t.Fatal(err)
	}
	var warned string
	o := and(online, acme)
	o.Progress = func(e Event) {
		if e.Warning {
			warned += e.Text
		}
	}
	publish(t, dir, o, Request{Bundles: []string{newBundle(t, "com.acme.App", "1", "", nil)}})
	if !strings.Contains(warned, "catalogue") {
		t.Errorf("warned %q", warned)
	}
	if err := with(t, dir, owner, func(r *Repository) error { _, err := r.Refresh(); return err }); err != nil {
		t.Fatal(err)
	}
	accepts(t, dir, owner)
}

func TestPublisherTakesReleasesOver(t *testing.T) {
	dir, owner, _ := split(t)
	acme := newKey(t)
	publish(t, dir, owner, Request{Bundles: []string{newBundle(t, "com.acme.App", "1", "", nil)}})
	publish(t, dir, owner, Request{Bundles: []string{newBundle(t, "com.acme.App", "2", "", nil)}})
	if err := addPublisher(t, dir, owner, false, "acme", []string{"com.acme.*"}, acme); err == nil || !strings.Contains(hint.Of(err), "retract") {
		t.Errorf("without their key: %v", err)
	}
	if err := addPublisher(t, dir, and(owner, acme), false, "acme", []string{"com.acme.*"}, acme); err != nil {
		t.Fatal(err)
	}
	accepts(t, dir, owner)
	r := open(t, dir, owner)
	if len(r.roles["pub-acme"].Signed.Targets) != 2 {
		t.Errorf("they have %d releases", len(r.roles["pub-acme"].Signed.Targets))
	}
	r.Close()
	// Numbers go on.
	out := publish(t, dir, and(owner, acme), Request{Bundles: []string{newBundle(t, "com.acme.App", "3", "", nil)}})
	if out[0].N != 3 || out[0].Role != "pub-acme" {
		t.Errorf("release %d by %s", out[0].N, out[0].Role)
	}
}

func TestRemovePublisher(t *testing.T) {
	dir, owner, _ := split(t)
	acme := newKey(t)
	if err := addPublisher(t, dir, owner, false, "acme", []string{"com.acme.*"}, acme); err != nil {
		t.Fatal(err)
	}
	for _, v := range []string{"1", "2"} {
		publish(t, dir, and(owner, acme), Request{Bundles: []string{newBundle(t, "com.acme.App", v, "", nil)}})
	}
	remove := func(name string) (gone []*Release, err error) {
		err = with(t, dir, owner, func(r *Repository) error { gone, err = r.RemovePublisher(name); return err })
		return gone, err
	}
	if gone, err := remove("acme"); err != nil || len(gone) != 2 {
		t.Fatalf("%v, %v", gone, err)
	}
	if _, err := remove("acme"); err == nil || hint.Of(err) == "" {
		t.Errorf("again: %v", err)
	}
	accepts(t, dir, owner)
	if got := list(t, dir, owner); len(got) != 0 {
		t.Errorf("left: %q", got)
	}
	if out := publish(t, dir, owner, Request{Bundles: []string{newBundle(t, "com.acme.App", "1", "", nil)}}); out[0].N != 3 {
		t.Errorf("the number starts again at %d", out[0].N)
	}
	// The same name again: a version that no client has seen. Its releases
	// move, with the number.
	if err := addPublisher(t, dir, and(owner, acme), false, "acme", []string{"com.acme.*"}, acme); err != nil {
		t.Fatal(err)
	}
	accepts(t, dir, owner)
	if r := open(t, dir, owner); r.roles["pub-acme"].Signed.Version != 3 {
		t.Errorf("version %d", r.roles["pub-acme"].Signed.Version)
	}
}

func TestReplacePublisher(t *testing.T) {
	dir, owner, _ := split(t)
	one, two := newKey(t), newKey(t)
	if err := addPublisher(t, dir, owner, false, "acme", []string{"com.acme.*"}, one); err != nil {
		t.Fatal(err)
	}
	publish(t, dir, and(owner, one), Request{Bundles: []string{newBundle(t, "com.acme.App", "1", "", nil)}})
	if err := addPublisher(t, dir, owner, false, "acme", []string{"com.acme.*"}, two); err == nil || !strings.Contains(hint.Of(err), "--replace") {
		t.Errorf("added twice: %v", err)
	}
	if err := addPublisher(t, dir, owner, true, "acme", []string{"com.acme.*"}, two); err == nil {
		t.Error("a key was replaced without the new one's signature")
	}
	if err := addPublisher(t, dir, and(owner, two), true, "acme", []string{"com.acme.*", "app/com.example.Acme"}, two); err != nil {
		t.Fatal(err)
	}
	accepts(t, dir, owner)
	if _, err := tryPublish(t, dir, and(owner, one), Request{Bundles: []string{newBundle(t, "com.acme.App", "2", "", nil)}}); err == nil {
		t.Error("the old key still publishes")
	}
	if _, err := tryPublish(t, dir, and(owner, one, two), Request{Bundles: []string{newBundle(t, "com.acme.App", "2", "", nil)}}); err != nil {
		t.Error(err)
	}
	accepts(t, dir, owner)
}

func TestAddPublisherRefuses(t *testing.T) {
	dir, owner, _ := split(t)
	k := newKey(t)
	if err := addPublisher(t, dir, owner, false, "acme", []string{"com.acme.*", "app/org.thing.App"}, k); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, publisher, pattern string
		ok                       bool
	}{
		{"a name that is a path", "../x", "com.other.*", false},
		{"an empty name", "", "com.other.*", false},
		{"a capital", "Other", "com.other.*", false},
		{"a narrower pattern", "other", "com.acme.apps.*", false},
		{"one app of theirs", "other", "com.acme.App", false},
		{"a kind of theirs", "other", "app/com.acme.*", false},
		{"their one app", "other", "org.thing.App", false},
		{"a pattern around theirs", "other", "org.thing.*", false},
		{"their one id, of another kind", "other", "runtime/org.thing.App", true},
		{"a name that begins alike", "other2", "com.acmecorp.*", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := addPublisher(t, dir, owner, false, c.publisher, []string{c.pattern}, k); (err == nil) != c.ok {
				t.Errorf("err = %v", err)
			}
		})
	}
	if err := addPublisher(t, dir, owner, false, "none", nil, k); err == nil {
		t.Error("a publisher of nothing was added")
	}
	if err := addPublisher(t, dir, owner, false, "none", []string{"net.none.*"}); err == nil {
		t.Error("a publisher without a key was added")
	}
	r := open(t, dir, owner)
	var names []string
	for _, p := range r.Publishers() {
		for _, pattern := range p.Patterns {
			names = append(names, p.Name+" "+pattern.String())
		}
	}
	if want := []string{"acme com.acme.*", "acme app/org.thing.App", "other runtime/org.thing.App", "other2 com.acmecorp.*"}; !slices.Equal(names, want) {
		t.Errorf("publishers %q", names)
	}
}

func TestParsePattern(t *testing.T) {
	for _, text := range []string{"org.example.*", "org.example.App", "app/org.example.*", "runtime/org.example.App"} {
		if p := pattern(t, text); p.String() != text {
			t.Errorf("%q is read as %q", text, p)
		}
	}
	for _, text := range []string{"", "*", "org.*", "org.example*", "org.*.App", "font/org.example.*", "app/*", "app/org.example.*/x", "org.example.[a]", "org.example.?", "../x", "org.example.App@1"} {
		if _, err := ParsePattern(text); err == nil || hint.Of(err) == "" {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestResponsible(t *testing.T) {
	for _, c := range []struct {
		pattern, target string
		want            bool
	}{
		{"app/org.example.*/*/*", "app/org.example.App/x86_64/stable", true},
		{"app/org.example.*/*/*", "app/org.example.App/x86_64/stable@7", true},
		{"app/org.example.*/*/*", "app/org.example.a.b/x86_64/stable", true},
		{"app/org.example.*/*/*", "runtime/org.example.App/x86_64/stable", false},
		{"app/org.example.*/*/*", "app/org.examples.App/x86_64/stable", false},
		{"app/org.example.*/*/*", "app/org.example.App/x86_64", false},
		{"app/org.example.*/*/*", "app/org.example.App/x86_64/stable/x", false},
		{"app/org.example.App/*/*", "app/org.example.AppX/any/stable", false},
	} {
		if got := matches(c.pattern, c.target); got != c.want {
			t.Errorf("%s on %s: %v", c.pattern, c.target, got)
		}
	}
}
