package installed

import (
	"strings"
	"testing"
)

func TestParseDeployment(t *testing.T) {
	const tree = "0123456789ab"
	for _, c := range []struct {
		name string
		ok   bool
	}{
		{"1-" + tree, true},
		{"18446744073709551615-" + tree, true},
		{"18446744073709551616-" + tree, false},
		{"0-" + tree, false},
		{"01-" + tree, false},
		{"+1-" + tree, false},
		{"-1-" + tree, false},
		{"1_0-" + tree, false},
		{"1-" + strings.ToUpper(tree), false},
		{"1-" + tree + "0", false},
		{"1-" + tree[1:], false},
		{"1" + tree, false},
		{"../1-" + tree, false},
		{"1-../../../../x", false},
		{"1-" + tree + "/..", false},
		{"1-" + tree + ".json", false},
		{"1-0123456789a\x00", false},
		{"current", false},
		{"", false},
	} {
		d, err := ParseDeployment(c.name)
		if (err == nil) != c.ok {
			t.Errorf("%q: %v", c.name, err)
		}
		if err == nil && d.String() != c.name {
			t.Errorf("%q reads as %q", c.name, d)
		}
	}
}

func FuzzParseDeployment(f *testing.F) {
	f.Add("1-0123456789ab")
	f.Fuzz(func(t *testing.T, name string) {
		if d, err := ParseDeployment(name); err == nil && d.String() != name {
			t.Errorf("%q reads as %q", name, d)
		}
	})
}
