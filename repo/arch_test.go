package repo

import (
	"strings"
	"testing"
)

// TestArchOf: nobody is served programs that his machine cannot run.
func TestArchOf(t *testing.T) {
	x86 := map[string]string{"x86_64": "files/bin/x"}
	both := map[string]string{"x86_64": "files/bin/x", "aarch64": "files/bin/a"}
	for _, c := range []struct {
		name     string
		said     []string
		machines map[string]string
		wanted   string
		arch     string
		problem  string
	}{
		{"scripts run everywhere", nil, nil, "", "any", ""},
		{"programs say what they are for", nil, x86, "", "x86_64", ""},
		{"programs for two, one is wanted", nil, both, "aarch64", "aarch64", ""},
		{"the manifest agrees", []string{"x86_64"}, x86, "", "x86_64", ""},
		{"the manifest says it of data", []string{"aarch64"}, nil, "", "aarch64", ""},
		{"a program that is said to run everywhere", []string{"any"}, x86, "", "", `"files/bin/x" is for x86_64`},
		{"one that looks for its own machine's part", []string{"any"}, both, "", "any", ""},
		{"a program for another machine", []string{"aarch64"}, x86, "", "", `to be for aarch64, and "files/bin/x" is for x86_64`},
		{"an arch that is not offered", []string{"x86_64"}, x86, "aarch64", "", "for x86_64, not for aarch64"},
	} {
		t.Run(c.name, func(t *testing.T) {
			arch, err := archOf(c.said, c.machines, c.wanted)
			if arch != c.arch || (err == nil) != (c.problem == "") || err != nil && !strings.Contains(err.Error(), c.problem) {
				t.Errorf("got %q, %v", arch, err)
			}
		})
	}
}
