package bundle

import (
	"strings"
	"testing"

	"sandbox/manifest"
)

// The page is for people who have nothing else: what it leaves out does not
// exist for them.
func TestReferenceIsComplete(t *testing.T) {
	for _, key := range manifest.Keys() {
		name, ok := strings.CutPrefix(key.Path, "build.source.")
		if !ok && key.Path == "build.steps" {
			name, ok = "steps", true
		}
		if !ok {
			continue
		}
		if !strings.Contains(Reference, "`"+name+"`") {
			t.Errorf("BUILD.md does not explain %q", name)
		}
		row := tableRow(name)
		for i, kind := range []string{"debian", "dir", "file", "archive"} {
			if name == "steps" || row == nil {
				break
			}
			want := mark(key, kind)
			if row[i] != want {
				t.Errorf("BUILD.md: %s of a %s source is marked %q, the manifest says %q", name, kind, row[i], want)
			}
		}
	}
	for _, p := range pretended {
		if !strings.Contains(Reference, "`"+p.name+"`") {
			t.Errorf("BUILD.md does not name %q", p.name)
		}
	}
	for _, l := range []Layout{Static, OnRuntime, Overlay, AsRuntime} {
		if !strings.Contains(Reference, "**"+string(l)+"**") {
			t.Errorf("BUILD.md does not explain layout %q", l)
		}
	}
}

func tableRow(name string) []string {
	for line := range strings.Lines(Reference) {
		cells := strings.Split(line, "|")
		if len(cells) == 8 && strings.TrimSpace(cells[1]) == "`"+name+"`" {
			for i := range cells {
				cells[i] = strings.TrimSpace(cells[i])
			}
			return cells[2:6]
		}
	}
	return nil
}

func mark(key manifest.KeyInfo, kind string) string {
	has := func(list []string) bool {
		for _, k := range list {
			if k == kind {
				return true
			}
		}
		return false
	}
	switch {
	case has(key.RequiredFor):
		return "●"
	case len(key.For) == 0 || has(key.For):
		return "○"
	}
	return ""
}

// The first example of the page is one that works.
func TestReferenceExample(t *testing.T) {
	_, rest, _ := strings.Cut(Reference, "```toml\n")
	text, _, ok := strings.Cut(rest, "```")
	if !ok {
		t.Fatal("no example")
	}
	if _, err := manifest.Parse("BUILD.md", []byte(text)); err != nil {
		t.Error(err)
	}
}
