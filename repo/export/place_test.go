package export

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sandbox/manifest"
)

const program = "/opt/sandbox/bin/sandbox"

// newPlace is a place of its own, on a host that has the programs named.
func newPlace(t testing.TB, programs ...string) Place {
	t.Helper()
	root := t.TempDir()
	host := filepath.Join(root, "host")
	write(t, filepath.Join(host, "share/man/man1/hostpage.1.gz"), "")
	for _, name := range programs {
		write(t, filepath.Join(host, "bin", name), "#!/bin/sh\n")
		os.Chmod(filepath.Join(host, "bin", name), 0o755)
	}
	return Place{Data: filepath.Join(root, "data/sandbox"), Config: filepath.Join(root, "config/sandbox"), Program: program,
		Path: []string{filepath.Join(host, "bin")}, Man: []string{filepath.Join(host, "share/man")}, Mode: 0o700}
}

func write(t testing.TB, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

// newApp is a deployed bundle. Files are by name in the bundle; "->TARGET" is a
// link.
func newApp(t testing.TB, id, more string, files map[string]string) App {
	t.Helper()
	dir := t.TempDir()
	write(t, filepath.Join(dir, manifest.FileName), fmt.Sprintf("id = %q\nname = \"A Tool\"\nversion = \"1\"\nsummary = \"Does things\"\ncommand = \"tool\"\n%s\n", id, more))
	if err := os.MkdirAll(filepath.Join(dir, "files"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, content := range files {
		path := filepath.Join(dir, name)
		if target, link := strings.CutPrefix(content, "->"); link {
			os.MkdirAll(filepath.Dir(path), 0o755)
			if err := os.Symlink(target, path); err != nil {
				t.Fatal(err)
			}
			continue
		}
		write(t, path, content)
	}
	return App{ID: manifest.ID(id), Dir: dir}
}

// these are what is installed.
func these(apps ...App) func() ([]App, error) {
	return func() ([]App, error) { return apps, nil }
}

// syncs wants success, and that a second Sync finds nothing to do.
func syncs(t testing.TB, p Place, apps ...App) Report {
	t.Helper()
	r, err := Sync(p, these(apps...))
	if err != nil {
		t.Fatal(err)
	}
	again, err := Sync(p, these(apps...))
	if err != nil || again.Changed != 0 {
		t.Errorf("the second Sync changed %d files: %v", again.Changed, err)
	}
	return r
}

// listing is what is there, a line each: name, and where a link leads.
func listing(t testing.TB, p Place) string {
	t.Helper()
	var b strings.Builder
	filepath.WalkDir(p.Data, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Base(path) == recordName || filepath.Base(path) == lockName {
			return nil
		}
		rel, _ := filepath.Rel(p.Data, path)
		b.WriteString(rel)
		if target, err := os.Readlink(path); err == nil {
			b.WriteString(" -> " + target)
		}
		b.WriteByte('\n')
		return nil
	})
	return b.String()
}

func content(t testing.TB, p Place, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(p.Data, name))
	if err != nil {
		t.Error(err)
	}
	return string(data)
}

func absent(t testing.TB, p Place, name string) {
	t.Helper()
	if _, err := os.Lstat(filepath.Join(p.Data, name)); err == nil {
		t.Errorf("%s is there", name)
	}
}

// noted wants a note that holds each of the words.
func noted(t testing.TB, r Report, words ...string) {
	t.Helper()
	for _, n := range r.Notes {
		ok := true
		for _, w := range words {
			ok = ok && strings.Contains(n.Text, w)
		}
		if ok {
			return
		}
	}
	t.Errorf("no note says %q: %+v", words, r.Notes)
}

func picture(t testing.TB, width, height int) string {
	t.Helper()
	img := image.NewRGBA(image.Rect(0, 0, width, height))
	img.Set(1, 1, color.RGBA{255, 0, 0, 255})
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func zipped(text string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	z.Write([]byte(text))
	z.Close()
	return b.String()
}

const drawing = `<?xml version="1.0" encoding="UTF-8"?>
<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="16" height="16"><defs><linearGradient id="g"/></defs><rect style="fill:url(#g)" width="9" height="9"/><use xlink:href="#g"/></svg>`

const entry = `[Desktop Entry]
Type=Application
Version=1.0
Name=Tool Window
Name[de]=Werkzeug
GenericName=Editor
Comment=Does things in a window
Exec=/usr/bin/toolw --flag %F
TryExec=/usr/bin/toolw
Icon=org.example.Tool
Terminal=true
Categories=Utility;TextEditor;
MimeType=text/plain;application/x-tool;
Keywords=a;b\;c;
Actions=new;
DBusActivatable=true
X-GNOME-Autostart-enabled=true

[Desktop Action new]
Name=New
Exec=/bin/evil
`

const types = `<?xml version="1.0"?>
<mime-info xmlns="http://www.freedesktop.org/standards/shared-mime-info">
 <mime-type type="application/x-tool">
  <comment>Tool file</comment><comment xml:lang="de">Werkzeugdatei</comment>
  <sub-class-of type="text/plain"/>
  <glob pattern="*.tool" weight="100"/><glob pattern="*"/><glob pattern="*.[ch]"/>
  <magic priority="100"><match type="string" offset="0" value="#!"/></magic>
 </mime-type>
</mime-info>`

// full is an app that exports everything there is.
func full(t testing.TB) App {
	t.Helper()
	return newApp(t, "org.example.Tool", `
commands = { tool = "tool", toolw = "/app/bin/toolw" }
homepage = "https://example.org/"
license = "MIT"
[permissions]
"session-bus:own:org.example.Tool" = "be found by its windows"
"session-bus:own:org.example.Tool.Helper" = { reason = "be found later", optional = true }
"session-bus:own:org.mpris.MediaPlayer2.tool" = "be found as a player"
[export]
desktop = ["share/applications/org.example.Tool.desktop"]
opens = ["text/plain", "application/x-tool"]
icons = ["share/icons/org.example.Tool.png", "share/icons/org.example.Tool.svg", "share/icons/org.example.Tool-symbolic.svg"]
man = ["/usr/share/man/man1/tool.1.gz", "share/man/toolrc.5"]
mime = ["share/mime/org.example.Tool.xml"]
metainfo = ["share/metainfo/org.example.Tool.metainfo.xml"]
completions = ["share/c/tool", "share/c/_tool", "share/c/toolw.fish"]
`, map[string]string{
		"files/share/applications/org.example.Tool.desktop": entry,
		"files/share/icons/org.example.Tool.png":            picture(t, 50, 50),
		"files/share/icons/org.example.Tool.svg":            drawing,
		"files/share/icons/org.example.Tool-symbolic.svg":   drawing,
		"usr/share/man/man1/tool.1.gz":                      zipped(".TH TOOL 1\n"),
		"files/share/man/toolrc.5":                          ".TH TOOLRC 5\n",
		"files/share/mime/org.example.Tool.xml":             types,
		"files/share/c/tool":                                "complete -W 'a b' tool\n",
		"files/share/c/_tool":                               "#compdef tool\n",
		"files/share/c/toolw.fish":                          "complete -c toolw\n",
	})
}
