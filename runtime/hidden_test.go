package runtime

import (
	"slices"
	"testing"
)

func TestHiddenArguments(t *testing.T) {
	f := standard()
	f["/home/ann/Documents/private"], f["/home/ann/Documents/a"] = "dir", "file"
	p := mustPlan(t, f, "files:~/Documents:read", "!files:~/Documents/private")
	host := f.host()
	for _, c := range []struct {
		arg    string
		hidden bool
	}{
		{"notes.txt", true},
		{"/home/ann/notes.txt", true},
		{"./Documents/../notes.txt", true},
		{"Documents/a", false},
		{"/home/ann/Documents/private", true},
		{"not-there.txt", false},
		{"--file", false},
		{"/usr", false},
		{"", false},
		{"/srv", true},
	} {
		if got := len(p.Hidden(host, []string{c.arg})) == 1; got != c.hidden {
			t.Errorf("%q hidden: %v", c.arg, got)
		}
	}
	if got := p.Hidden(host, []string{"-x", "notes.txt", "/srv"}); !slices.Equal(got, []string{"/home/ann/notes.txt", "/srv"}) {
		t.Errorf("Hidden: %q", got)
	}
}
