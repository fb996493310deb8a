package manifest

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sandbox/permissions"
)

func TestDefaults(t *testing.T) {
	m := parses(t, base)
	if m.Name != "Tool" || m.Channel != "stable" || m.Kind != App || len(m.Arch) != 0 {
		t.Errorf("defaults are %+v", m)
	}
	if !slices.Equal(m.Commands, []Command{{"tool", "tool"}}) {
		t.Errorf("Commands = %v", m.Commands)
	}
	if m.Runtime != (RuntimeRef{}) || m.Runtime.String() != "" {
		t.Errorf("Runtime = %q", m.Runtime)
	}
	if m := parses(t, base+"commands = {}\n"); len(m.Commands) != 0 {
		t.Errorf("an empty table of commands gives %v", m.Commands)
	}
	if m := parses(t, "id = \"org.example.Tool\"\nversion = \"1\"\ncommands = { x = \"bin/y\" }\n"); m.Command != "/app/bin/y" {
		t.Errorf("Command = %q, want that of the only name", m.Command)
	}
	refused(t, "id = \"org.example.Tool\"\nversion = \"1\"\ncommands = { x = \"x\", y = \"y\" }\n", `"command" is missing`)
}

func TestSupports(t *testing.T) {
	if !parses(t, base).Supports("x86_64") || !parses(t, base+"arch = [\"aarch64\"]\n").Supports("aarch64") {
		t.Error("a supported arch is denied")
	}
	if parses(t, base+"arch = [\"aarch64\"]\n").Supports("x86_64") {
		t.Error("a foreign arch is supported")
	}
}

// TestLayer: required entries are allowed, optional ones asked for, each with
// the place that it came from.
func TestLayer(t *testing.T) {
	m := parses(t, base+`[permissions]
"device:gpu" = "draw the text"
"files:~/a:write" = { reason = "keep notes", optional = true }
"files:~/b:read" = { reason = "read lists", optional = false }
[limits]
memory = "512M"
`)
	layer := m.Layer()
	if layer.Name != permissions.LayerManifest || len(layer.Entries) != 4 {
		t.Fatalf("layer is %+v", layer)
	}
	want := []struct {
		text     string
		decision permissions.Decision
		line     int
	}{{"device:gpu", permissions.Allow, 5}, {"files:~/a:write", permissions.Ask, 6}, {"files:~/b:read", permissions.Allow, 7}, {"limit:memory=512M", permissions.Allow, 9}}
	for i, w := range want {
		e := layer.Entries[i]
		if e.Permission.String() != w.text || e.Decision != w.decision || e.Optional != (w.decision == permissions.Ask) {
			t.Errorf("entry %d is %+v, want %v", i, e, w)
		}
		if e.Origin != (permissions.Origin{Layer: permissions.LayerManifest, File: "sandbox.toml", Line: w.line}) {
			t.Errorf("origin %d is %+v", i, e.Origin)
		}
	}
	if zero := (&Manifest{}).Layer(); len(zero.Entries) != 0 {
		t.Errorf("the zero manifest asks for %v", zero.Entries)
	}
}

// TestPositions: columns count characters, tabs and line ends of both kinds
// included.
func TestPositions(t *testing.T) {
	cases := []struct {
		name, text   string
		line, column int
	}{
		{"key at the start", base + "nme = 1\n", 4, 1},
		{"after a tab", base + "\tnme = 1\n", 4, 2},
		{"after CR LF", strings.ReplaceAll(base, "\n", "\r\n") + "nme = 1\r\n", 4, 1},
		{"after wide characters", base + "env = { A = \"編集é\", \"é b\" = \"x\" }\n", 4, 20},
		{"value", base + "kind = \"ap\"\n", 4, 8},
		{"element of an array", base + "args = [\n  \"a\",\n  5,\n]\n", 6, 3},
		{"element of an array of tables", base + "[[build.source]]\ntype = \"dir\"\npath = \"a\"\n[[build.source]]\ntype = \"dir\"\n", 7, 9},
		{"last part of a dotted key", base + "build . 'stpes' = []\n", 4, 9},
		{"inside an inline table", base + "[permissions]\n\"device:gpu\" = { reason = \"x y\", optionl = true }\n", 5, 34},
		{"multi-line string", base + "summary = \"\"\"\na\nb\"\"\"\n", 4, 11},
		{"after a multi-line string", base + "build.steps = [\"\"\"\na\nb\"\"\", 1]\n", 6, 7},
		{"at the end of the text", base + "a = ", 4, 5},
		{"nothing to point at", "# x\n# y\nversion = \"1\"\ncommand = \"x\"\n", 1, 1},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			p := refused(t, c.text)[0]
			if p.Line != c.line || p.Column != c.column {
				t.Errorf("%v: want %d:%d", p, c.line, c.column)
			}
		})
	}
}

// TestExplainEscapes: what the manifest says cannot write to the terminal.
func TestExplainEscapes(t *testing.T) {
	hostile := "\x1b[2K\x1b]0;x\a\u009b2J\u202e\b\x7f"
	var b strings.Builder
	problems := refused(t, base+"summary = \""+hostile+"\" # "+hostile+"\n")
	problems = append(problems, Problem{File: "a" + hostile, Text: hostile, Hint: hostile})
	if err := Explain(&b, problems); err != nil {
		t.Fatal(err)
	}
	for _, r := range b.String() {
		if r != '\n' && badRune(r) != "" {
			t.Fatalf("output holds %U:\n%q", r, b.String())
		}
	}
}

// TestExplainFitsLongLines: the mark stands under the place also where only a
// part of the line is shown.
func TestExplainFitsLongLines(t *testing.T) {
	var b strings.Builder
	problems := refused(t, base+"args = ["+strings.Repeat("\"abc\", ", 100)+"5, "+strings.Repeat("\"abc\", ", 100)+"]\n")
	if err := Explain(&b, problems[:1]); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(b.String(), "\n")
	at := strings.IndexByte(lines[2], '^')
	if shown := []rune(lines[1]); len(shown) > 100 || string(shown[at]) != "\"" && string(shown[at]) != "5" {
		t.Errorf("excerpt is\n%s", b.String())
	}
}

func TestTemplateParses(t *testing.T) {
	m, err := Parse(FileName, Template("org.example.MyTool"))
	if err != nil {
		t.Fatal(err)
	}
	if m.ID != "org.example.MyTool" || m.Name != "MyTool" || m.Command != "mytool" {
		t.Errorf("template gives %+v", m)
	}
	uncommented := uncomment(string(Template("org.example.MyTool")))
	if _, err := Parse(FileName, []byte(uncommented)); err != nil {
		t.Errorf("with its examples the template is refused: %v\n%s", err, uncommented)
	}
	if _, err := Parse(FileName, Template("\"x\n[permissions]")); err == nil {
		t.Error("a template for a bad id is accepted")
	}
}

// uncomment takes the "# " from the examples of the template.
func uncomment(text string) string {
	var out []string
	for _, line := range strings.Split(text, "\n") {
		if rest, ok := strings.CutPrefix(line, "# "); ok && (strings.Contains(rest, " = ") || strings.HasPrefix(rest, "[")) {
			line = rest
		}
		out = append(out, line)
	}
	return strings.Join(out, "\n")
}

func TestNearest(t *testing.T) {
	known := []string{"name", "version", "permissions", "env", "id"}
	for word, want := range map[string]string{"nmae": "name", "Name": "name", "verison": "version", "permission": "permissions", "evn": "env", "colour": "", "x": "", strings.Repeat("n", 1000): ""} {
		if got := nearest(word, known); got != want {
			t.Errorf("nearest(%q) = %q, want %q", word, got, want)
		}
	}
}

func TestShadows(t *testing.T) {
	if !slices.IsSorted(systemCommands) {
		t.Error("systemCommands is not sorted")
	}
	for _, name := range []string{"ls", "sudo", "su", "[", "zsh"} {
		if !Shadows(name) {
			t.Errorf("%s shadows nothing", name)
		}
	}
	if Shadows("nano") || Shadows("") {
		t.Error("nano shadows something")
	}
}

// TestLintIsQuiet: there is nothing to say about a careful manifest.
func TestLintIsQuiet(t *testing.T) {
	m := parses(t, `id = "org.gnu.Nano"
name = "GNU nano"
version = "7.2"
summary = "Small, friendly text editor"
license = "GPL-3.0-or-later"
homepage = "https://nano-editor.org"
command = "nano"
[permissions]
"files:~/Documents:write" = "edit your documents"
"session-bus:own:org.gnu.Nano.Server" = "be found by its own windows"
"session-bus:see:org.freedesktop.systemd1" = "know how it was started"
`)
	if advice := Lint(m); len(advice) > 0 {
		t.Errorf("advice about a careful manifest: %v", Problems(advice))
	}
	if advice := Lint(&Manifest{}); len(advice) == 0 {
		t.Error("no advice about an empty manifest")
	}
}

func TestReadGivesTheBytes(t *testing.T) {
	path := filepath.Join(t.TempDir(), FileName)
	if err := os.WriteFile(path, []byte(base), 0o644); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if data, err := Read(f, path); err != nil || string(data) != base {
		t.Errorf("Read = %q, %v", data, err)
	}
}
