package export

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"sandbox/manifest"
)

// CVE-2024-29069: a file to export is a link to one of the host, or lies behind
// one, or is no file at all. What it leads to is not read. The twin of each is
// the same file without the link.
// (B38)
func TestLinksInTheBundleAreNotFollowed(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "secret.png")
	write(t, secret, picture(t, 16, 16)) // a sound icon, or the link would not be what refuses it
	const more = "commands = {}\n[export]\nicons = [\"share/org.example.Tool.png\"]"
	const name = "share/icons/hicolor/16x16/apps/org.example.Tool.png"
	for what, files := range map[string]map[string]string{
		"a link to the host":            {"files/share/org.example.Tool.png": "->" + secret},
		"a link in the tree":            {"files/share/org.example.Tool.png": "->other.png", "files/share/other.png": picture(t, 16, 16)},
		"a directory that is a link":    {"files/share": "->" + filepath.Dir(secret)},
		"the first directory is a link": {"files/share": "->../..", "org.example.Tool.png": picture(t, 16, 16)},
		"a directory":                   {"files/share/org.example.Tool.png/x": ""},
	} {
		t.Run(what, func(t *testing.T) {
			p := newPlace(t)
			if strings.HasPrefix(files["files/share"], "->/") {
				os.Rename(secret, filepath.Join(filepath.Dir(secret), "org.example.Tool.png"))
				defer os.Rename(filepath.Join(filepath.Dir(secret), "org.example.Tool.png"), secret)
			}
			r := syncs(t, p, newApp(t, "org.example.Tool", more, files))
			absent(t, p, name)
			noted(t, r, "cannot export org.example.Tool.png")
		})
	}
	t.Run("the file itself", func(t *testing.T) {
		p := newPlace(t)
		syncs(t, p, newApp(t, "org.example.Tool", more, map[string]string{"files/share/org.example.Tool.png": picture(t, 16, 16)}))
		content(t, p, name)
	})
	t.Run("a pipe", func(t *testing.T) {
		p := newPlace(t)
		app := newApp(t, "org.example.Tool", more, map[string]string{"files/share/x": ""})
		if err := syscall.Mkfifo(filepath.Join(app.Dir, "files/share/org.example.Tool.png"), 0o644); err != nil {
			t.Fatal(err)
		}
		r := syncs(t, p, app) // and does not wait for a writer
		noted(t, r, "not a regular file")
	})
	t.Run("files is a link", func(t *testing.T) {
		p := newPlace(t)
		app := newApp(t, "org.example.Tool", more, nil)
		os.Remove(filepath.Join(app.Dir, "files"))
		os.MkdirAll(filepath.Join(filepath.Dir(secret), "share"), 0o755)
		write(t, filepath.Join(filepath.Dir(secret), "share/org.example.Tool.png"), picture(t, 16, 16))
		os.Symlink(filepath.Dir(secret), filepath.Join(app.Dir, "files"))
		r := syncs(t, p, app)
		absent(t, p, name)
		noted(t, r, "is a link")
	})
}

func TestFilesWithoutEndAreNotRead(t *testing.T) {
	p := newPlace(t)
	big := strings.Repeat("x", maxPage+1)
	r := syncs(t, p, newApp(t, "org.example.Tool", "[export]\nman = [\"tool.1\", \"tool.2.gz\", \"tool.3\"]\nicons = [\"org.example.Tool.png\"]", map[string]string{
		"files/tool.1": big, "files/tool.2.gz": zipped(strings.Repeat(" ", maxPageText+1)), "files/tool.3": big[:maxPage],
		"files/org.example.Tool.png": picture(t, 1100, 1100)}))
	noted(t, r, "tool.1", "larger than 1024 KiB")
	noted(t, r, "tool.2.gz", "larger than 4096 KiB when unpacked")
	noted(t, r, "1100 by 1100")
	absent(t, p, "share/man/man2/tool.2")
	content(t, p, "share/man/man3/tool.3")
}

// A link that waits where a file is to be made leads out of the place: it is
// replaced, and what it leads to stays as it was.
func TestLinksInTheWayAreReplaced(t *testing.T) {
	p := newPlace(t)
	canary := filepath.Join(t.TempDir(), "canary")
	write(t, canary, "canary")
	desktop := filepath.Join(p.Data, "share/applications/org.example.Tool.desktop")
	os.MkdirAll(filepath.Dir(desktop), 0o755)
	os.Chmod(p.Data, 0o700)
	for _, name := range []string{desktop, filepath.Join(p.Data, scratch)} {
		if err := os.Symlink(canary, name); err != nil {
			t.Fatal(err)
		}
	}
	r := syncs(t, p, full(t))
	if len(r.Notes) != 1 {
		t.Errorf("notes: %+v", r.Notes)
	}
	if st, err := os.Lstat(desktop); err != nil || !st.Mode().IsRegular() {
		t.Errorf("the link is still there: %v", err)
	}
	// The same once the file is ours and somebody exchanges it.
	os.Remove(desktop)
	os.Symlink(canary, desktop)
	syncs(t, p, full(t))
	if st, err := os.Lstat(desktop); err != nil || !st.Mode().IsRegular() {
		t.Errorf("the link is still there: %v", err)
	}
	if data, _ := os.ReadFile(canary); string(data) != "canary" {
		t.Errorf("the canary says %q", data)
	}
}

// A directory on the way that is a link is an error, not a way out.
func TestLinkedDirectoriesAreRefused(t *testing.T) {
	p := newPlace(t)
	outside := t.TempDir()
	os.MkdirAll(filepath.Join(p.Data, "share"), 0o755)
	os.Chmod(p.Data, 0o700)
	os.Symlink(outside, filepath.Join(p.Data, "share/applications"))
	os.Symlink("applications", filepath.Join(p.Data, "share/mime"))
	if _, err := Sync(p, these(full(t))); err == nil || !strings.Contains(err.Error(), "not a directory") {
		t.Errorf("got %v", err)
	}
	if names, _ := os.ReadDir(outside); len(names) != 0 {
		t.Errorf("written outside: %v", names)
	}
	os.Remove(filepath.Join(p.Data, "share/applications"))
	os.Remove(filepath.Join(p.Data, "share/mime"))
	syncs(t, p, full(t)) // and the work is ended when they are gone
	content(t, p, "share/applications/org.example.Tool.desktop")
}

// What another program put there is its own: neither replaced nor removed.
func TestFilesOfOthersStay(t *testing.T) {
	p := newPlace(t)
	app := full(t)
	desktop, tool := filepath.Join(p.Data, "share/applications/org.example.Tool.desktop"), filepath.Join(p.Data, "bin/tool")
	write(t, desktop, "theirs")
	write(t, filepath.Join(p.Data, "share/applications/other.desktop"), "theirs")
	os.MkdirAll(filepath.Dir(tool), 0o755)
	os.Symlink("/usr/bin/env", tool)
	os.Chmod(p.Data, 0o700)
	r := syncs(t, p, app)
	noted(t, r, "share/applications/org.example.Tool.desktop", "not made by sandbox")
	noted(t, r, "bin/tool", "not made by sandbox")
	// A file of ours that somebody has rewritten since is somebody's.
	page := filepath.Join(p.Data, "share/man/man1/tool.1")
	write(t, page, "mine now")
	noted(t, syncs(t, p, app), "tool.1", "not made by sandbox")
	syncs(t, p)
	for name, want := range map[string]string{desktop: "theirs", filepath.Join(p.Data, "share/applications/other.desktop"): "theirs", page: "mine now"} {
		if data, _ := os.ReadFile(name); string(data) != want {
			t.Errorf("%s says %q", name, data)
		}
	}
	if target, _ := os.Readlink(tool); target != "/usr/bin/env" {
		t.Errorf("the link leads to %q", target)
	}
}

// Nothing in a desktop entry of a bundle gets a line, a group or a word of the
// command line of its own making.
func TestDesktopEntryInjection(t *testing.T) {
	p := newPlace(t)
	p.Program = `/opt/odd "dir" $(x) 100%/sandbox`
	m := load(t, newApp(t, "org.example.Tool", "commands = { tool = \"tool\", toolw = \"toolw\" }\n[export]\nopens = [\"text/html\", \"x-scheme-handler/tool\"]", nil))
	for name, c := range map[string]struct{ unsafe, want string }{
		"a line end in the name":        {`Name=x\nExec=/bin/evil`, "Name=A Tool\n"},
		"a carriage return":             {`Name=x\rExec=/bin/evil`, "Name=A Tool\n"},
		"a raw one in a value":          {"Name=x\rExec=evil", "Name=A Tool\n"},
		"letters that turn the line":    {"Name=x\u202egpj.exe", "Name=A Tool\n"},
		"a key with a line end":         {"Name[de\\nExec]=x", ""},
		"a key of another group":        {"Name[de]]=x", ""},
		"a long name":                   {"Name=" + strings.Repeat("n", maxShown+1), "Name=A Tool\n"},
		"a harmless name":               {"Name=My Tool; good", "Name=My Tool; good\n"},
		"backslashes":                   {`Comment=a\\nb \\`, `Comment=a\\nb \\` + "\n"},
		"a word that ends the list":     {`Keywords=a\nExec=b;ok;`, "Keywords=ok;\n"},
		"a semicolon in a word":         {`Keywords=a\;b;`, `Keywords=a\;b;` + "\n"},
		"a type with a line":            {"MimeType=text/plain\\n[x];text/html;../x;a/b/c;", "MimeType=text/html;\n"},
		"types that nobody was told of": {"MimeType=text/plain;x-scheme-handler/https;text/HTML;inode/directory;", ""},
		"a scheme among them":           {"MimeType=x-scheme-handler/https;x-scheme-handler/tool;", "MimeType=x-scheme-handler/tool;\n"},
		"categories":                    {"Categories=Utility;A B;[x];", "Categories=Utility;\n"},
		"a switch that is none":         {"Terminal=true; x", ""},
		"a switch":                      {"Terminal=true", "Terminal=true\n"},
		"what hides entries":            {"Hidden=true", ""},
		"the bus starts it":             {"DBusActivatable=true", ""},
		"a probe":                       {"TryExec=/bin/evil", ""},
		"an icon of the desktop's":      {"Icon=/etc/shadow", ""},
		"a field code in the middle":    {"Exec=/bin/evil %i %k x %U", " run -- org.example.Tool %U\n"},
		"a field code in a word":        {"Exec=evil --x=%f", " run -- org.example.Tool\n"},
		"another command of the bundle": {"Exec=\"/usr/bin/toolw\" --evil %f", " run --command toolw -- org.example.Tool %f\n"},
		"a command of the host":         {"Exec=sh -c evil", " run -- org.example.Tool\n"},
	} {
		t.Run(name, func(t *testing.T) {
			text, _, err := desktopEntry(p, m, nil, []byte("[Desktop Entry]\nType=Application\n"+c.unsafe+"\n"))
			if err != nil {
				t.Fatal(err)
			}
			got := string(text)
			if !strings.Contains(got, c.want) {
				t.Errorf("%q is missing in\n%s", c.want, got)
			}
			if strings.Contains(got, "evil") || strings.Count(got, "\n[") != 0 || strings.Count(got, "Exec=") != 1 {
				t.Errorf("something came in:\n%s", got)
			}
			if c.want == "" && strings.Contains(got, strings.SplitN(c.unsafe, "=", 2)[0]+"=") {
				t.Errorf("the key came in:\n%s", got)
			}
			if !strings.Contains(got, `Exec="/opt/odd \\"dir\\" \\$(x) 100%%/sandbox" run`) {
				t.Errorf("our own program is not quoted:\n%s", got)
			}
		})
	}
	for name, unsafe := range map[string]string{
		"the group twice": "[Desktop Entry]\nType=Application\n[Desktop Entry]\nExec=x\n",
		"a key twice":     "[Desktop Entry]\nType=Application\nName=a\nName=b\n",
		"no group":        "Type=Application\n",
		"bytes":           "[Desktop Entry]\nType=Application\nName=\xff\n",
		"a loose line":    "[Desktop Entry]\nType=Application\nNameless\n",
		"a link":          "[Desktop Entry]\nType=Link\nURL=file:///etc/passwd\n",
	} {
		if text, _, err := desktopEntry(p, m, nil, []byte(unsafe)); err == nil {
			t.Errorf("%s is accepted:\n%s", name, text)
		}
	}
}

// What a manifest says about itself ends up in files that desktops parse.
func TestManifestTextIsEscaped(t *testing.T) {
	app := newApp(t, "org.example.Tool", "homepage = \"https://example.org/?a=b&c\"", nil)
	data, _ := os.ReadFile(filepath.Join(app.Dir, manifest.FileName))
	text := strings.Replace(string(data), `"Does things"`, `"</summary><launchable>&\\n"`, 1)
	write(t, filepath.Join(app.Dir, manifest.FileName), text)
	m := load(t, app)
	got := string(metainfo(m, []string{"a.desktop"}))
	if strings.Contains(got, "</summary><launch") || !strings.Contains(got, "&lt;/summary&gt;") || !strings.Contains(got, "a=b&amp;c") {
		t.Errorf("not escaped:\n%s", got)
	}
	entry, _, err := desktopEntry(newPlace(t), m, nil, []byte("[Desktop Entry]\nType=Application\n"))
	if err != nil || !strings.Contains(string(entry), `Comment=</summary><launchable>&\\n`+"\n") {
		t.Errorf("%v\n%s", err, entry)
	}
}

func load(t testing.TB, a App) *manifest.Manifest {
	t.Helper()
	m, err := manifest.Load(a.Dir)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestHostileDrawings(t *testing.T) {
	svg := func(inner string) string { return `<svg xmlns="http://www.w3.org/2000/svg">` + inner + `</svg>` }
	if err := checkSVG([]byte(drawing)); err != nil {
		t.Errorf("a sound one is refused: %v", err)
	}
	if err := checkSVG([]byte(svg(`<image href="data:image/png;base64,AAAA"/><style>.a{fill:url( "#b")}</style><title>50%</title>`))); err != nil {
		t.Errorf("a sound one is refused: %v", err)
	}
	for name, text := range map[string]string{
		"no drawing":            "<html/>",
		"of no name space":      "<svg/>",
		"empty":                 "",
		"text":                  "GIF89a",
		"a document type":       `<!DOCTYPE svg [<!ENTITY a "b">]>` + svg("&a;"),
		"an unknown entity":     svg("&a;"),
		"a style sheet":         `<?xml-stylesheet href="http://example.org/"?>` + svg(""),
		"another encoding":      `<?xml version="1.0" encoding="UTF-7"?>` + svg(""),
		"a script":              svg("<script>1</script>"),
		"a script in disguise":  svg(`<x:SCRIPT xmlns:x="http://www.w3.org/2000/svg">1</x:SCRIPT>`),
		"foreign elements":      svg("<foreignObject/>"),
		"an event":              svg(`<g onload="x"/>`),
		"a file of the host":    svg(`<image href="file:///etc/passwd"/>`),
		"a relative file":       svg(`<image href="../secret.png"/>`),
		"a drawing in it":       svg(`<image href="data:image/svg+xml;base64,AAAA"/>`),
		"an address":            svg(`<use xlink:href="//example.org/x#a" xmlns:xlink="http://www.w3.org/1999/xlink"/>`),
		"an address in a style": svg(`<g style="fill:url(https://example.org)"/>`),
		"an import":             svg(`<style>@IMPORT "x";</style>`),
		"escapes in a style":    svg(`<style>.a{fill:u\72l(//x)}</style>`),
		"escapes in attributes": svg(`<g fill="u\72l(//x)"/>`),
		"too deep":              svg(strings.Repeat("<g>", 100) + strings.Repeat("</g>", 100)),
		"too many":              svg(strings.Repeat("<g/>", maxXMLElements)),
		"two drawings":          svg("") + svg(""),
		"not closed":            `<svg xmlns="http://www.w3.org/2000/svg">`,
	} {
		if err := checkSVG([]byte(text)); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}

// A package of types takes no files from types that the host knows, and is no
// way to write elsewhere.
func TestHostileTypes(t *testing.T) {
	pack := func(inner string) []byte {
		return []byte(`<mime-info xmlns="` + mimeSpace + `">` + inner + `</mime-info>`)
	}
	for name, inner := range map[string]string{
		"a name that leads away":     `<mime-type type="../../x"/>`,
		"among the packages":         `<mime-type type="packages/org.example.Other"/>`,
		"a name with more parts":     `<mime-type type="text/x/y"/>`,
		"a line end":                 "<mime-type type=\"text/x&#10;text/y\"/>",
		"nothing":                    ``,
		"a type of another language": `<mime-type xmlns="urn:x" type="text/x"/>`,
	} {
		if got, err := readTypes(pack(inner)); err == nil {
			t.Errorf("%s is accepted: %+v", name, got)
		}
	}
	got, err := readTypes(pack(`<mime-type type="text/x-tool"><comment>a
b</comment><comment xml:lang="../x">c</comment><comment>A &lt;b&gt; file</comment>
<glob pattern="*"/><glob pattern="*.*"/><glob pattern="[a]"/><glob pattern="*.x:y"/><glob pattern="*.tool"/><glob pattern="Toolfile"/>
<sub-class-of type="x"/><alias type="text/plain"/><root-XML namespaceURI="http://x"/><treemagic/></mime-type>`))
	if err != nil || len(got) != 1 || strings.Join(got[0].globs, " ") != "*.tool Toolfile" || len(got[0].parents) != 0 {
		t.Fatalf("%v: %+v", err, got)
	}
	text := string(mimePackage(got))
	if !strings.Contains(text, "<comment>A &lt;b&gt; file</comment>") || strings.Contains(text, "alias") || strings.Contains(text, "root-XML") || strings.Contains(text, "magic") {
		t.Errorf("written:\n%s", text)
	}
	if again, err := readTypes([]byte(text)); err != nil || len(again) != 1 {
		t.Errorf("what was written cannot be read: %v", err)
	}
}
