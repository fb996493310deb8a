package bundle

import (
	"strings"
	"testing"
)

func TestLinks(t *testing.T) {
	for _, c := range []struct {
		name    string
		runtime bool
		links   []string // "path -> target"; the first is checked
		want    string   // "" when allowed
	}{
		{"beside it", false, []string{"files/bin/a -> b"}, ""},
		{"up and down", false, []string{"files/bin/a -> ../lib/b"}, ""},
		{"to the top itself", false, []string{"files/a -> ."}, ""},
		{"absolute into the app", false, []string{"files/a -> /app/b"}, ""},
		{"absolute into the runtime", false, []string{"files/a -> /usr/bin/python3"}, ""},
		{"absolute in usr", false, []string{"usr/bin/awk -> /usr/bin/mawk"}, ""},
		{"from usr into the app", false, []string{"usr/bin/a -> /app/bin/a"}, ""},
		{"runtime inside itself", true, []string{"files/bin/awk -> /usr/bin/mawk"}, ""},
		{"through another link", false, []string{"files/a -> l/b", "files/l -> d/e"}, ""},
		{"through a link and up", false, []string{"files/a -> l/../b", "files/l -> d/e"}, ""},

		{"above the top", false, []string{"files/a -> ../b"}, "out of the bundle"},
		{"far above the top", false, []string{"files/a -> ../../../../etc/passwd"}, "out of the bundle"},
		{"from usr to the app by a relative way", false, []string{"usr/a -> ../app/b"}, "out of the bundle"},
		{"absolute to the host", false, []string{"files/a -> /etc/passwd"}, "outside the bundle"},
		{"to the root", false, []string{"files/a -> /"}, "root"},
		{"absolute and up", false, []string{"files/a -> /app/../etc/passwd"}, "out of the bundle"},
		{"runtime into an app", true, []string{"files/a -> /app/b"}, "outside the bundle"},
		{"clean as text, outside in fact", false, []string{"files/a -> d/e/l/../..", "files/d/e/l -> ../.."}, "out of the bundle"},
		{"onto a link that leads out", false, []string{"files/a -> l/x", "files/l -> /proc"}, "outside the bundle"},
		{"itself", false, []string{"files/a -> a"}, "loop"},
		{"a loop of two", false, []string{"files/a -> b", "files/b -> a"}, "loop"},
		{"a loop that grows", false, []string{"files/a -> a/a"}, "loop"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newLinkSpace(c.runtime)
			first := ""
			for _, l := range c.links {
				p, target, _ := strings.Cut(l, " -> ")
				s.add(p, target)
				if first == "" {
					first = p
				}
			}
			err := s.check(first)
			if c.want == "" && err != nil {
				t.Errorf("refused: %v", err)
			}
			if c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("got %v, want a refusal with %q", err, c.want)
			}
		})
	}
}
