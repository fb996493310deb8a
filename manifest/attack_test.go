package manifest

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestTextThatReadsOtherwiseIsRefused is the attack of CVE-2021-43860 and of
// Trojan Source: what is shown and what is applied differ.
// (B01)
func TestTextThatReadsOtherwiseIsRefused(t *testing.T) {
	cases := []struct{ name, text, problem string }{
		{"raw NUL", base + "summary = \"a\x00b\"\n", "NUL character"},
		{"raw NUL in a comment", base + "# a\x00b\n", "NUL character"},
		{"escaped NUL", base + `summary = "a\u0000b"`, "string holds a NUL character"},
		{"escaped NUL, eight digits", base + `summary = "a\U00000000b"`, "string holds a NUL character"},
		{"escaped NUL, two digits", base + `summary = "a\x00b"`, "string holds a NUL character"},
		{"escaped NUL in a key", base + "[env]\n\"A\\u0000B\" = \"x\"", "key holds a NUL character"},
		{"byte order mark", "\uFEFF" + base, "byte order mark"},
		{"byte order mark inside", base + "# \uFEFF\n", "byte order mark"},
		{"UTF-16, little endian", "\xff\xfei\x00d\x00", "UTF-16"},
		{"UTF-16, big endian", "\xfe\xff\x00i\x00d", "UTF-16"},
		{"lone carriage return", base + "# hidden\rsummary = \"x\"\n", "control character U+000D"},
		{"carriage return at the end", base + "# x\r", "control character U+000D"},
		{"escaped carriage return", base + `summary = "a\rb"`, "control character U+000D"},
		{"invalid UTF-8", base + "summary = \"a\xffb\"\n", "byte 0xff"},
		{"overlong UTF-8", base + "summary = \"a\xc0\x80b\"\n", "byte 0xc0"},
		{"surrogate in UTF-8", base + "summary = \"a\xed\xa0\x80b\"\n", "byte 0xed"},
		{"raw escape", base + "summary = \"a\x1b[2Kb\"\n", "control character U+001B"},
		{"escaped escape", base + `summary = "a\u001b[2Kb"`, "control character U+001B"},
		{"short escaped escape", base + `summary = "a\e[2Kb"`, "control character U+001B"},
		{"C1 control", base + "summary = \"a\u009b2Jb\"\n", "control character U+009B"},
		{"delete", base + "summary = \"a\x7fb\"\n", "control character U+007F"},
		{"bidirectional override", base + "summary = \"a\u202eb\"\n", "bidirectional"},
		{"escaped bidirectional override", base + `summary = "a\u202eb"`, "bidirectional"},
		{"bidirectional override in a comment", base + "# a\u2066b\n", "bidirectional"},
		{"Arabic letter mark", base + "summary = \"a\u061cb\"\n", "bidirectional"},
		{"zero-width space in a name", base + "name = \"Firefox\u200b\"\n", "invisible character U+200B"},
		{"zero-width joiner", base + "name = \"Fire\u200dfox\"\n", "invisible"},
		{"Hangul filler", base + "name = \"\u3164\"\n", "invisible"},
		{"tag characters", base + "summary = \"a\U000e0041b\"\n", "invisible"},
		{"line separator", base + "summary = \"a\u2028b\"\n", "line separator"},
		{"no-break space", base + "summary = \"a\u00a0b\"\n", "space U+00A0"},
		{"private use", base + "summary = \"a\ue000b\"\n", "private use"},
		{"pile of marks", base + "summary = \"a" + strings.Repeat("\u0301", 20) + "\"\n", "combining marks"},
		{"escaped pile of marks", base + `summary = "a` + strings.Repeat(`\u0301`, 20) + `"`, "combining marks"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) { refused(t, c.text, c.problem) })
	}
	m := parses(t, strings.ReplaceAll(base, "\n", "\r\n")+"name = \"Ünïcode ✓ 編集 e\u0301\"\r\n# \tcomment\r\n")
	if m.Name != "Ünïcode ✓ 編集 e\u0301" {
		t.Errorf("Name = %q", m.Name)
	}
}

// TestKeysThatDecodersMatchLoosely are documents in which a struct decoder
// would let a second spelling of a key fill or replace the first.
// B02: keys that two decoders read differently.
func TestKeysThatDecodersMatchLoosely(t *testing.T) {
	permission := "[permissions]\n\"device:gpu\" = \"draw the text\"\n"
	cases := []struct{ name, text, problem string }{
		{"table in another case", base + permission + "[Permissions]\n\"network:host\" = \"x y\"\n", `unknown key "Permissions"`},
		{"table in capitals alone", base + "[PERMISSIONS]\n\"network:host\" = \"x y\"\n", `unknown key "PERMISSIONS"`},
		{"key in another case", base + "ID = \"org.other.Tool\"\n", `unknown key "ID"`},
		{"key in another case alone", "Id = \"org.example.Tool\"\nversion = \"1\"\ncommand = \"tool\"\n", `unknown key "Id"`},
		{"Go field name", base + "Exports = {}\n", `unknown key "Exports"`},
		{"dotted key in another case", base + "Build.steps = [\"true\"]\n", `unknown key "Build"`},
		{"inline table in another case", base + "Limits = { memory = \"1G\" }\n", `unknown key "Limits"`},
		{"array of tables in another case", base + "[[build.Source]]\ntype = \"dir\"\n", `unknown key "Source"`},
		{"key of a source in another case", base + "[[build.source]]\ntype = \"dir\"\npath = \"a\"\nPath = \"b\"\n", `unknown key "Path"`},
		{"key of a permission in another case", base + "[permissions]\n\"device:gpu\" = { Optional = true }\n", `unknown key "Optional"`},
		{"permission in another case", base + "[permissions]\n\"Network:host\" = \"x y\"\n", "Network"},
		{"limit in another case", base + "[limits]\nMemory = \"1G\"\n", `unknown limit "Memory"`},
		{"long s, which folds to s", base + "\"ver\u017fion\" = \"2\"\n", "unknown key"},
		{"Kelvin sign, which folds to k", base + "\"\u212aind\" = \"runtime\"\n", "unknown key"},
		{"quoted key with a space", base + "\"id \" = \"org.other.Tool\"\n", `unknown key "id "`},
		{"escaped key twice", base + "\"\\u0069d\" = \"org.other.Tool\"\n", `key "id" is defined twice`},
		{"literal key twice", base + "'id' = \"org.other.Tool\"\n", `key "id" is defined twice`},
		{"empty key", base + "\"\" = 1\n", `unknown key ""`},
		{"table by header and dots", base + "[build]\n[export]\nman = []\n[build]\nsteps = []\n", `key "build" is defined twice`},
		{"header into a closed table", base + "limits = { memory = \"1G\" }\n[limits.memory]\n", "limits"},
		{"string that one parser ends earlier", base + "args = [\"\"\"\\\\\"\"\"\"\"\", \"--x\"]\n", "sandbox.toml:4:"},
		{"the placeholder of the table of keys", base + "[env]\nA = \"b\"\n[permissions.NAME]\n", "NAME"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) { refused(t, c.text, c.problem) })
	}
	parses(t, base+permission+"[build]\nsteps = []\n")
}

// TestKeysThatWouldRunCodeAtInstallation is CVE-2019-8308 and its relatives.
func TestKeysThatWouldRunCodeAtInstallation(t *testing.T) {
	for _, key := range []string{"hooks", "hooks.install", "post_install", "pre-remove", "apply_extra", "cwd", "install", "build.hooks", "export.dbus"} {
		refused(t, base+key+" = \"/proc/self/fd/7\"\n", "unknown key")
	}
	parses(t, base+"build.steps = [\"make\"]\n")
}

// TestPathsThatEscape is CVE-2026-96282: each field that names a path, with
// each spelling that leaves its root or has a second form.
func TestPathsThatEscape(t *testing.T) {
	fields := map[string]string{
		"source path":  base + "[[build.source]]\ntype = \"dir\"\npath = %\n",
		"source dest":  base + "[[build.source]]\ntype = \"dir\"\npath = \"a\"\ndest = %\n",
		"archive dest": base + "[[build.source]]\ntype = \"archive\"\npath = \"a\"\nsha256 = \"" + strings.Repeat("0", 64) + "\"\ndest = %\n",
		"command":      "id = \"org.example.Tool\"\nversion = \"1\"\ncommand = %\n",
		"commands":     base + "commands = { tool = % }\n",
		"export":       base + "[export]\nman = [%]\n",
		"export path":  base + "[export]\nman = [{ path = %, name = \"tool.1\" }]\n",
	}
	bad := []string{`"../x"`, `"/etc"`, `"/"`, `"a/../../b"`, `"a//b"`, `"./a"`, `"a/"`, `""`, `"a\u0000b"`, `".."`, `"."`, `"/app/../etc/x"`, `"/usr//x"`, `"/proc/self/exe"`, `"a\nb"`, `"a\\b/c"`}
	for name, text := range fields {
		for _, path := range bad {
			t.Run(name+" "+path, func(t *testing.T) { refused(t, strings.ReplaceAll(text, "%", path)) })
		}
		t.Run(name+" is fine", func(t *testing.T) { parses(t, strings.ReplaceAll(text, "%", `"share/tool.1"`)) })
	}
}

// TestCommandNamesThatTakeOverThePath is CVE-2019-16775 and CVE-2024-1724.
func TestCommandNamesThatTakeOverThePath(t *testing.T) {
	for _, name := range []string{"../x", "/usr/bin/ls", "a/b", ".", "..", "-rf", ".hidden", "a b", "", "sandbox", "sandbox-tui", "a\\\\b", "é"} {
		refused(t, base+"commands = { \""+name+"\" = \"tool\" }\n", "command name")
	}
	m := parses(t, base+"commands = { ls = \"tool\", sudo = \"tool\", \"g++\" = \"tool\" }\n")
	warned := 0
	for _, p := range Lint(m) {
		if strings.Contains(p.Text, "name of a program of the system") {
			warned++
		}
	}
	if warned != 2 {
		t.Errorf("%d warnings about ls, sudo and g++; want 2", warned)
	}
}

// TestExportNamesThatShadow: a bundle exports under its own id only.
func TestExportNamesThatShadow(t *testing.T) {
	for _, name := range []string{"firefox.desktop", "org.example.ToolX.desktop", "../x.desktop", "org.example.Tool.desktop/", "org.example.Tool",
		"org.example.Tool..desktop", "org.example.Tool.a.b.desktop", "org.example.tool.desktop", ".desktop", "org.example.Tool.desktop.desktop\\n"} {
		refused(t, base+"[export]\ndesktop = [{ path = \"share/x.desktop\", name = \""+name+"\" }]\n")
	}
	for _, name := range []string{"org.example.Tool.desktop", "org.example.Tool.Viewer.desktop"} {
		parses(t, base+"[export]\ndesktop = [{ path = \"share/x.desktop\", name = \""+name+"\" }]\n")
	}
	refused(t, base+"[export]\nman = [\"share/man/man1/sudo.1\"]\n", "cannot be exported")
	refused(t, base+"[export]\ncompletions = [\"share/x/ls\"]\n", "cannot be exported")
	parses(t, base+"[export]\nman = [\"share/man/man1/tool-add.1\"]\ncompletions = [\"share/x/_tool\"]\n")
}

// TestTypesThatOpenMore: what an app opens is written into files of the desktop, and
// shown to people as it is.
func TestTypesThatOpenMore(t *testing.T) {
	opens := func(text string) string { return base + "[export]\nopens = [\"" + text + "\"]\n" }
	for _, text := range []string{"text/plain\\n[Desktop Action x]", "text/plain\\u0000", "text/plain;text/html", "text/*", "*/*", "Text/Plain", "text/plain ", "text/a=b", "text/a/b", "text/", "/plain",
		"text/[a]", "all/all;", strings.Repeat("a", 121), "x-scheme-handler/HTTPS", "x-scheme-handler/a:", "x-scheme-handler/"} {
		refused(t, opens(text), "not a type of files")
	}
	for _, text := range []string{"a_b", "a^b", "a&b", "a#b", "1a", "a$b", "a!"} { // a scheme is less than a type
		refused(t, opens("x-scheme-handler/"+text), "scheme")
	}
	// These name what is on this machine or what a program is to run, and no way to it.
	for _, scheme := range []string{"file", "javascript", "data", "about", "blob", "vbscript", "view-source"} {
		refused(t, opens("x-scheme-handler/"+scheme), "scheme")
	}
	for _, text := range []string{"text/plain", "text/x-c++", "application/vnd.oasis.opendocument.text", "x-scheme-handler/https", "x-scheme-handler/web+tool", "x-scheme-handler/ms-word.x", "inode/directory"} {
		parses(t, opens(text))
	}
}

// TestValuesThatInjectLines is CVE-2022-4318, CVE-2026-53488 and CVE-2024-3154:
// values that reach generated files, unit properties or argument lists.
// (B40)
func TestValuesThatInjectLines(t *testing.T) {
	for _, text := range []string{
		`env = { A = "x\nroot2::0:0::/:/bin/sh" }`, `env = { "A\nB" = "x" }`, `env = { "A=B" = "x" }`, `env = { HOME = "/x" }`,
		`env = { SANDBOX_ID = "x" }`, "env = { A = \"\"\"x\ny\"\"\" }",
		"[limits]\nmemory = \"1G\\nExecStart=/bin/sh\"", "[limits]\nmemory = \"1G+kernel.core_pattern\"", "[limits]\n\"memory=1G\\nx\" = 1",
		"[limits]\n\"kernel.core_pattern\" = \"x\"", "[limits]\nmemory = -1", "[limits]\npids = 1.5",
		"[[build.source]]\ntype = \"debian\"\nsuite = \"bookworm main\"\npackages = [\"nano\"]",
		"[[build.source]]\ntype = \"debian\"\nsuite = \"[trusted=yes]\"\npackages = [\"nano\"]",
		"[[build.source]]\ntype = \"debian\"\nsuite = \"bookworm\"\npackages = [\"--allow-unauthenticated\"]",
		"[[build.source]]\ntype = \"debian\"\nsuite = \"bookworm\"\npackages = [\"nano-\"]",
		"[[build.source]]\ntype = \"debian\"\nsuite = \"bookworm\"\npackages = [\"./nano.deb\"]",
		"[permissions]\n\"files:~/a\\nb:read\" = \"x y\"",
	} {
		refused(t, base+text+"\n")
	}
	parses(t, base+"env = { A = \"x\" }\n[limits]\nmemory = \"1G\"\npids = 10\n[[build.source]]\ntype = \"debian\"\nsuite = \"bookworm-backports\"\npackages = [\"nano\", \"g++\", \"libstdc++6\"]\n")
}

// TestTextThatCostsTooMuch ends in time, with a problem.
func TestTextThatCostsTooMuch(t *testing.T) {
	many := func(format string, n int) string { return strings.Repeat(format, n) }
	cases := map[string]string{
		"deep arrays":          base + "a = " + many("[", 300000),
		"deep arrays, broken":  base + "a = " + many("[\n", 300000),
		"deep inline tables":   base + "a = " + many("{a=", 300000),
		"deep dotted key":      base + many("a.", 300000) + "b = 1",
		"deep header":          base + "[" + many("a.", 1000) + "b]",
		"many values":          base + "args = [" + many("1,\n", 300000) + "]",
		"many unknown keys":    base + many("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.b", 1) + " = 1\n" + numbered("key%d = 1\n", 15000),
		"many limits":          base + "[limits]\n" + numbered("key%d = 1\n", 15000),
		"many permissions":     base + "[permissions]\n" + numbered("\"files:~/d%d:read\" = \"x y\"\n", 15000),
		"many sources":         base + many("[[build.source]]\n", 15000),
		"long line":            base + "summary = \"" + many("a", 100000) + "\"",
		"long file":            base + many("# comment\n", 200000),
		"many bad characters":  base + many("# \u200b\n", 100000),
		"long unclosed string": base + "a = \"\"\"" + many("a\n", 300000),
		"long number":          base + "a = " + many("1", 4000),
	}
	for name, text := range cases {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			problems := refused(t, text)
			if took := time.Since(start); took > 2*time.Second {
				t.Errorf("took %v", took)
			}
			if len(problems) > maxProblems+1 || len(problems.Error()) > 1<<20 {
				t.Errorf("%d problems in %d bytes", len(problems), len(problems.Error()))
			}
		})
	}
}

// TestLoadOfWhatIsNoFile: the file may lie where somebody else can write.
func TestLoadOfWhatIsNoFile(t *testing.T) {
	make := map[string]func(path string) error{
		"symbolic link": func(path string) error { return os.Symlink("other.toml", path) },
		"FIFO":          func(path string) error { return syscall.Mkfifo(path, 0o644) },
		"directory":     func(path string) error { return os.Mkdir(path, 0o755) },
		"nothing":       func(string) error { return nil },
		"too large":     func(path string) error { return os.WriteFile(path, []byte(strings.Repeat("#\n", MaxSize)), 0o644) },
	}
	for name, prepare := range make {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "other.toml"), []byte(base), 0o644); err != nil {
				t.Fatal(err)
			}
			if err := prepare(filepath.Join(dir, FileName)); err != nil {
				t.Fatal(err)
			}
			m, err := Load(dir)
			if err == nil || m != nil || !strings.HasPrefix(err.Error(), "cannot read manifest") {
				t.Errorf("Load = %v, %v", m, err)
			}
		})
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, FileName), []byte(base), 0o644); err != nil {
		t.Fatal(err)
	}
	if m, err := Load(dir); err != nil || m.ID != "org.example.Tool" {
		t.Errorf("Load of a file = %v, %v", m, err)
	}
}
