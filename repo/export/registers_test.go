package export

import (
	"reflect"
	"slices"
	"strings"
	"testing"
)

// What an app registers itself for stands in its manifest, all of it.
func TestRegisters(t *testing.T) {
	const desktop = "[export]\ndesktop = [\"share/applications/org.example.Tool.desktop\"]\n"
	const opens = "opens = [\"text/plain\", \"x-scheme-handler/magnet\", \"x-scheme-handler/tool\"]\n"
	for _, c := range []struct {
		what, manifest string
		want           Registration
		lines          []string
	}{
		{"nothing", "", Registration{}, nil},
		{"a desktop entry that opens nothing", desktop, Registration{}, nil},
		{"types and schemes", desktop + opens, Registration{Schemes: []string{"magnet", "tool"}, Types: []string{"text/plain"}},
			[]string{"open addresses that begin with magnet:, tool:", "open files of the type text/plain"}},
		{"no desktop entry to claim them", "[export]\n" + opens, Registration{}, nil},
		{"a name on the bus", "[permissions]\n\"session-bus:own:org.example.Tool\" = \"be found\"\n\"session-bus:own:org.other.Name\" = \"be found\"\n",
			Registration{BusNames: []string{"org.example.Tool"}}, []string{"be started through the session bus as org.example.Tool"}},
	} {
		got := Registers(load(t, newApp(t, "org.example.Tool", c.manifest, nil)))
		if !reflect.DeepEqual(got, c.want) || !slices.Equal(got.Lines(Registration{}), c.lines) {
			t.Errorf("%s: %+v, %q", c.what, got, got.Lines(Registration{}))
		}
	}
	old, now := Registration{Schemes: []string{"magnet"}, Types: []string{"text/plain"}}, Registration{Schemes: []string{"magnet", "https"}, Types: []string{"text/plain"}}
	if got := now.Lines(old); !slices.Equal(got, []string{"open addresses that begin with https:"}) {
		t.Errorf("of an update: %q", got)
	}
	if got := Registers(nil).Lines(Registration{}); got != nil {
		t.Errorf("without a manifest: %q", got)
	}
}

// A claim that users were not told of is left out, of the entry and of the cache
// that desktops read, and whoever builds the bundle is told.
func TestClaimUnasked(t *testing.T) {
	const name = "org.example.Tool.desktop"
	app := newApp(t, "org.example.Tool", "[export]\ndesktop = [\"share/applications/"+name+"\"]\nopens = [\"x-scheme-handler/tool\"]\n", map[string]string{
		"files/share/applications/" + name: "[Desktop Entry]\nType=Application\nExec=tool %u\nMimeType=x-scheme-handler/https;x-scheme-handler/tool;text/html;\n"})
	p := newPlace(t)
	syncs(t, p, app)
	for _, file := range []string{name, "mimeinfo.cache"} {
		text := content(t, p, "share/applications/"+file)
		if !strings.Contains(text, "x-scheme-handler/tool") || strings.Contains(text, "https") || strings.Contains(text, "html") {
			t.Errorf("%s says\n%s", file, text)
		}
	}
	notes, err := Try(app.Dir)
	if err != nil || len(notes) != 1 || !strings.Contains(notes[0].Text, "export.opens") || !strings.HasSuffix(notes[0].Text, ": x-scheme-handler/https, text/html") {
		t.Errorf("got %v, %v", notes, err)
	}
}
