package installed

import (
	"strings"
	"testing"

	"sandbox/manifest"
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

func TestCommandsFile(t *testing.T) {
	list := []Command{{"nano", "org.gnu.Nano", "nano"}, {"edit", "org.example.Edit", "e"}}
	data, err := EncodeCommands(list)
	if err != nil {
		t.Fatal(err)
	}
	if want := "edit\torg.example.Edit\te\nnano\torg.gnu.Nano\tnano\n"; string(data) != want {
		t.Errorf("got %q, want %q", data, want)
	}
	if got := DecodeCommands(data); len(got) != 2 || got[0] != list[1] || got[1] != list[0] {
		t.Errorf("got %v", got)
	}
	for _, bad := range []Command{{"a\tb", "org.example.Edit", "e"}, {"../e", "org.example.Edit", "e"}, {"e", "org.example.Edit", "e\nf"},
		{"", "org.example.Edit", "e"}, {"-e", "org.example.Edit", "e"}, {".e", "org.example.Edit", "e"}, {"é", "org.example.Edit", "e"}} {
		if _, err := EncodeCommands([]Command{bad}); err == nil {
			t.Errorf("%q is exported", bad.Name)
		}
	}
	if got := DecodeCommands([]byte("a\tb\n\tx\ty\nls\t../../etc\tls\nok\torg.example.Edit\te\n/x\torg.example.Edit\te\n")); len(got) != 1 || got[0].Name != "ok" {
		t.Errorf("got %v", got)
	}
	var _ manifest.ID = list[0].ID
}
