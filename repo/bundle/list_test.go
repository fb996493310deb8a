package bundle

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestList(t *testing.T) {
	dir := project(t, dirSource, map[string]string{"root/bin/tool*": "tool", "root/share/x": "data"})
	res := mustBuild(t, Options{Dir: dir})
	if err := os.Symlink("tool", filepath.Join(res.Dir, "files/bin/alias")); err != nil {
		t.Fatal(err)
	}
	l, err := List(res.Dir)
	if err != nil {
		t.Fatal(err)
	}
	toml, _ := os.ReadFile(filepath.Join(res.Dir, "sandbox.toml"))
	if string(l.TOML) != string(toml) {
		t.Errorf("the manifest is %q", l.TOML)
	}
	var got []string
	for _, e := range l.Entries {
		got = append(got, e.Path)
		switch e.Path {
		case "files/bin/tool":
			if e.Kind != FileEntry || !e.Exec || e.Size != 4 || len(e.SHA256) != 64 {
				t.Errorf("%+v", e)
			}
		case "files/bin/alias":
			if e.Kind != LinkEntry || e.Target != "tool" {
				t.Errorf("%+v", e)
			}
		}
	}
	if want := "files files/bin files/bin/alias files/bin/tool files/share files/share/x"; strings.Join(got, " ") != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if err := os.Chmod(filepath.Join(res.Dir, "files/share/x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := List(res.Dir); err == nil {
		t.Error("a bundle with an odd mode was listed")
	}
}

func TestCheckAlike(t *testing.T) {
	for _, c := range []struct {
		name  string
		paths string
		ok    bool
	}{
		{"different", "a b é", true},
		{"ASCII case, as in terminfo", "share/terminfo/A share/terminfo/a", true},
		{"Kelvin sign before k", "d/\u212a d/k", false},
		{"k before Kelvin sign", "d/K d/\u212a", false},
		{"in another directory", "d/k e/\u212a", true},
		{"ligature", "\ufb01le file", false},
		{"accented case", "É é", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := CheckAlike(slices.Values(strings.Fields(c.paths))); (err == nil) != c.ok {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestCheckLinks(t *testing.T) {
	for _, c := range []struct {
		name, links string // path=target
		isRuntime   bool
		ok          bool
	}{
		{"in place", "files/bin/a=b", false, true},
		{"to the runtime", "files/bin/a=/usr/bin/env", false, true},
		{"to the host", "files/a=/etc/shadow", false, false},
		{"above the top", "files/a=../../etc/shadow", false, false},
		{"by way of another", "files/d/s=.. files/d/x=s/../../etc", false, false},
		{"a runtime has no /app", "files/a=/app/x", true, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			links := map[string]string{}
			for l := range strings.FieldsSeq(c.links) {
				p, target, _ := strings.Cut(l, "=")
				links[p] = target
			}
			if err := CheckLinks(c.isRuntime, maps.All(links)); (err == nil) != c.ok {
				t.Errorf("got %v", err)
			}
		})
	}
}
