package client

import (
	"strings"
	"testing"
)

// What somebody may have to agree to is on the page, with the flag.
func TestReferenceIsComplete(t *testing.T) {
	for _, n := range Needs {
		if n.Flag() == "" || n.String() == "" || !strings.Contains(Reference, "`"+n.Flag()+"`") {
			t.Errorf("INSTALL.md lacks %q", n.Flag())
		}
	}
	for line := range strings.Lines(Reference) {
		if n := len([]rune(line)); n > 91 {
			t.Errorf("%d columns: %s", n, line)
		}
	}
}
