package remote

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sandbox/internal/hint"
)

var someRoot = "sha256:" + strings.Repeat("ab", 32)

func named(name string, priority int) Remote {
	a, _ := ParseAddress("https://example.org/repo")
	return Remote{Name: name, Address: a, Root: someRoot, Priority: priority, Added: time.Unix(1e9, 0).UTC()}
}

func TestRemotesAreKept(t *testing.T) {
	s := In(t.TempDir())
	if all, err := s.List(); err != nil || len(all) != 0 {
		t.Fatalf("%v, %v", all, err)
	}
	main := named("main", 0)
	main.Allow, main.Deny, main.Title, main.Disabled = []Pattern{"org.example.*"}, []Pattern{"org.example.Bad"}, "Main", true
	for _, r := range []Remote{named("zeta", 0), main, named("first", 10), named("last", -5)} {
		if err := s.Put(r); err != nil {
			t.Fatal(err)
		}
	}
	all, err := s.List()
	var names []string
	for _, r := range all {
		names = append(names, r.Name)
	}
	if got := strings.Join(names, " "); err != nil || got != "first main zeta last" {
		t.Errorf("%s, %v", got, err)
	}
	got, err := s.Get("main")
	if err != nil || got.Title != "Main" || !got.Disabled || got.Address.String() != "https://example.org/repo/" || got.Allow[0] != "org.example.*" || got.Root != someRoot {
		t.Errorf("%+v, %v", got, err)
	}
	if err := s.Remove("main"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Get("main"); !errors.Is(err, ErrNoRemote) {
		t.Errorf("%v", err)
	}
	if err := s.Remove("main"); !errors.Is(err, ErrNoRemote) {
		t.Errorf("%v", err)
	}
}

func TestRemoteThatCannotBeRead(t *testing.T) {
	dir := t.TempDir()
	s := In(dir)
	if err := s.Put(named("good", 0)); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"cut":         `{"format":1,`,
		"format":      `{"format":2,"name":"format","fingerprint":"` + someRoot + `"}`,
		"other":       `{"format":1,"name":"good","fingerprint":"` + someRoot + `"}`,
		"fingerprint": `{"format":1,"name":"fingerprint","fingerprint":"sha256:00"}`,
		"scheme":      `{"format":1,"name":"scheme","url":"gopher://x/","fingerprint":"` + someRoot + `"}`,
		"pattern":     `{"format":1,"name":"pattern","fingerprint":"` + someRoot + `","deny":["a/b"]}`,
		"more":        `{"format":1,"name":"more","fingerprint":"` + someRoot + `","trusted":true}`,
		"twice":       `{"format":1,"name":"twice","url":"http://a.example/","url":"http://b.example/","fingerprint":"` + someRoot + `"}`,
		"case":        `{"format":1,"name":"case","Fingerprint":"` + someRoot + `","fingerprint":"` + someRoot + `"}`,
		"after":       `{"format":1,"name":"after","fingerprint":"` + someRoot + `"} {}`,
		"null":        `{"format":1,"name":"null","fingerprint":"` + someRoot + `","deny":null}`,
		"large":       `{"format":1,"title":"` + strings.Repeat("x", maxConfigSize) + `"}`,
	} {
		if err := os.MkdirAll(s.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(s.Dir(name), configName), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		_, err := s.Get(name)
		if err == nil {
			t.Errorf("%s: read", name)
		} else if name != "large" && (!strings.Contains(err.Error(), configName) || hint.Of(err) == "") {
			t.Errorf("%s: which file it is, or the way out, is not said: %v", name, err)
		}
	}
	all, err := s.List()
	if err == nil || len(all) != 1 || all[0].Name != "good" {
		t.Errorf("%v, %v", all, err)
	}
}

func TestNamesAndFingerprints(t *testing.T) {
	for _, name := range []string{"", ".", "..", "../x", "a/b", "A", "1a", "-a", "a b", "a\n", strings.Repeat("a", 33), "ä", ".offline"} {
		if CheckName(name) == nil {
			t.Errorf("%q passes", name)
		}
		if In(t.TempDir()).Put(named(name, 0)) == nil {
			t.Errorf("%q is written", name)
		}
	}
	for _, name := range []string{"a", "main", "my-repo2"} {
		if err := CheckName(name); err != nil {
			t.Error(err)
		}
	}
	for _, f := range []string{"", "sha256:", "sha256:" + strings.Repeat("AB", 32), strings.Repeat("ab", 32), someRoot + "0", "sha512:" + strings.Repeat("ab", 32)} {
		if CheckFingerprint(f) == nil {
			t.Errorf("%q passes", f)
		}
	}
	if err := In(t.TempDir()).Put(named("a", MaxPriority+1)); err == nil {
		t.Error("a priority out of bounds is written")
	}
}

func TestFilters(t *testing.T) {
	for _, c := range []struct {
		name        string
		allow, deny []Pattern
		id          string
		want        bool
	}{
		{"no filter lets all through", nil, nil, "org.example.Edit", true},
		{"allowed by name", []Pattern{"org.example.Edit"}, nil, "org.example.Edit", true},
		{"not among the allowed", []Pattern{"org.example.Edit"}, nil, "org.example.Editor", false},
		{"allowed by its beginning", []Pattern{"org.example.*"}, nil, "org.example.Edit", true},
		{"the beginning ends at the dot", []Pattern{"org.example.*"}, nil, "org.examples.Edit", false},
		{"denied", nil, []Pattern{"org.example.*"}, "org.example.Edit", false},
		{"denial wins", []Pattern{"*"}, []Pattern{"org.example.Edit"}, "org.example.Edit", false},
		{"all denied", []Pattern{"org.example.Edit"}, []Pattern{"*"}, "org.example.Edit", false},
	} {
		r := Remote{Allow: c.allow, Deny: c.deny}
		if r.Admits(c.id) != c.want {
			t.Error(c.name)
		}
	}
	for text, good := range map[string]bool{"*": true, "org.*": true, "org.a.B": true, "org.a-b.C_d*": true, "": false, "org": false, "a*b": false, "org.**": false, "org/a": false, "org.?": false} {
		if _, err := ParsePattern(text); (err == nil) != good {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestRemoteFile(t *testing.T) {
	a, _ := ParseAddress("https://example.org/repo/")
	f := &File{a, "Example's", []byte(`{"signed":{},"signatures":[]}`)}
	data, err := f.Encode()
	if err != nil {
		t.Fatal(err)
	}
	back, err := ParseFile(data)
	if err != nil || back.Address.String() != a.String() || back.Title != f.Title || !json.Valid(back.Root) {
		t.Errorf("%+v, %v", back, err)
	}
	for _, text := range []string{
		"", "{}", "[]", `{"sandboxremote":2,"url":"https://x.org/","root":{}}`, `{"sandboxremote":1,"url":"https://x.org/"}`,
		`{"sandboxremote":1,"url":"ftp://x.org/","root":{}}`, `{"sandboxremote":1,"url":"https://x.org/","root":{},"key":1}`,
		`{"sandboxremote":1,"url":"https://x.org/","root":{}}{}`, `{"sandboxremote":1,"url":"https://u@x.org/","root":{}}`,
		`{"sandboxremote":1,"url":"https://x.org/","root":{},"root":{"signed":{}}}`, `{"sandboxremote":1,"url":"https://x.org/","root":{},"ROOT":{"signed":{}}}`,
	} {
		if _, err := ParseFile([]byte(text)); err == nil {
			t.Errorf("%q is read", text)
		}
	}
}
