package installed

import (
	"os"
	"path/filepath"
	"testing"
)

// link makes a name in the bin directory of a place.
func link(t *testing.T, p Place, name, target string) {
	t.Helper()
	bin := filepath.Join(filepath.Dir(p.Dir), BinDir)
	if err := os.MkdirAll(bin, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(target, filepath.Join(bin, name)); err != nil {
		t.Fatal(err)
	}
}

func TestCommandReadsLinks(t *testing.T) {
	user, system := Place{Dir: filepath.Join(t.TempDir(), "store")}, Place{Dir: filepath.Join(t.TempDir(), "store"), System: true}
	places := []Place{user, system}
	if got, err := Command(places, "nano"); got != nil || err != nil {
		t.Errorf("nothing is there: %v, %v", got, err)
	}
	link(t, system, "nano", CommandLink("org.gnu.Nano", "nano"))
	link(t, system, "pico", CommandLink("org.gnu.Nano", "pico"))
	link(t, user, "nano", CommandLink("org.example.Nano", ""))
	for name, want := range map[string]Target{"nano": {"org.example.Nano", ""}, "pico": {"org.gnu.Nano", "pico"}} {
		if got, err := Command(places, name); err != nil || got == nil || *got != want {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	// What others put there is nothing of ours, whatever it looks like.
	for name, target := range map[string]string{"a": "/usr/bin/env", "b": "../command/../../x:y", "c": "../command/org.gnu.Nano", "d": "../command/org.gnu.Nano:../x",
		"e": "../command/nano:nano", "f": "../command/org.gnu.Nano:nano:x", "g": "../command/org.gnu.Nano:a b", "h": "command/org.gnu.Nano:nano"} {
		link(t, user, name, target)
		if got, err := Command(places, name); got != nil || err != nil {
			t.Errorf("a link to %s is taken for %v, %v", target, got, err)
		}
	}
	for _, name := range []string{"../bin/nano", "", ".", "nano/", "-n"} {
		if got, _ := Command(places, name); got != nil {
			t.Errorf("%q starts %v", name, got)
		}
	}
	bin := filepath.Join(filepath.Dir(user.Dir), BinDir)
	os.Chmod(bin, 0o777)
	if got, err := Command(places, "nano"); err == nil {
		t.Errorf("a directory that others can write to is believed: %v", got)
	}
}
