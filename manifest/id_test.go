package manifest

import (
	"strings"
	"testing"
)

func TestParseID(t *testing.T) {
	long := strings.Repeat("a", 63)
	good := []string{"org.gnu.Nano", "org.debian.Platform", "io.github.a-b.c_d", "net._7_zip.Seven-zip", "a.b.c", "org.x.y1.z2",
		long + "." + long + "." + long}
	for _, id := range good {
		if got, err := ParseID(id); err != nil || got != ID(id) {
			t.Errorf("ParseID(%q) = %q, %v", id, got, err)
		}
	}
	bad := map[string]string{
		"empty": "", "one part": "nano", "two parts": "org.nano", "empty part": "org..nano", "leading dot": ".org.gnu.nano", "trailing dot": "org.gnu.nano.",
		"digit first": "org.7zip.Zip", "hyphen first": "org.-a.b", "hyphen last": "org.gnu.nano-", "slash": "org.gnu/x.nano", "parent": "org.gnu...",
		"space": "org.gnu.na no", "umlaut": "org.gnü.nano", "Cyrillic": "org.gnu.N\u0430no", "newline": "org.gnu.nano\n", "NUL": "org.gnu.na\x00no",
		"bidirectional": "org.gnu.\u202enano", "not UTF-8": "org.gnu.\xff", "long part": "org.gnu." + long + "a",
		"long": long + "." + long + "." + long + ".aaaaaaaaa",
	}
	for name, id := range bad {
		if got, err := ParseID(id); err == nil || got != "" {
			t.Errorf("%s: ParseID(%q) = %q, %v", name, id, got, err)
		}
	}
	if got := ID("org.gnu.Nano").Base(); got != "Nano" {
		t.Errorf("Base = %q", got)
	}
}

func TestParseRuntimeRef(t *testing.T) {
	for text, want := range map[string]string{
		"org.debian.Platform": "org.debian.Platform/stable", "org.debian.Platform/12": "org.debian.Platform/12",
		"org.debian.Platform/": "", "org.debian.Platform/12/x": "", "org.debian.Platform/../x": "", "/12": "", "": "", "org.debian.Platform/Beta": "",
	} {
		ref, err := ParseRuntimeRef(text)
		if ref.String() != want || (err == nil) != (want != "") {
			t.Errorf("ParseRuntimeRef(%q) = %q, %v; want %q", text, ref, err, want)
		}
	}
}

// TestFieldGrammars has for each checker what passes and what does not.
func TestFieldGrammars(t *testing.T) {
	cases := []struct {
		name      string
		check     func(string) error
		good, bad []string
	}{
		{"version", CheckVersion, []string{"7.2", "1", "2:1"[2:], "7.2-1+deb12u1", "1.0~rc1", "v2", "2024.05_1"},
			[]string{"", "1 2", "1:2", "-1", ".1", "1/2", "1\n", "ü1", strings.Repeat("1", 65)}},
		{"channel", CheckChannel, []string{"stable", "12", "beta-2", "a.b_c"}, []string{"", "Stable", "..", ".a", "a/b", "-a", strings.Repeat("a", 33)}},
		{"license", checkLicense, []string{"MIT", "GPL-3.0-or-later", "MIT OR Apache-2.0", "(MIT AND Zlib) OR LicenseRef-x", "GPL-2.0+ WITH Classpath-exception-2.0",
			"((MIT))", "DocumentRef-a:LicenseRef-b", "MIT AND (Zlib OR X11)"},
			[]string{"", " ", "GPL v3", "MIT OR", "OR MIT", "(MIT", "MIT)", "()", "MIT AND OR X", "MIT WITH (X)", "MIT, Zlib", "MIT\tOR X", "MIT/X11", "A WITH B WITH C", strings.Repeat("a", 201)}},
		{"homepage", checkURL, []string{"https://nano-editor.org", "http://a.b:8080/x?y=z#w", "https://x.org/~me/%20", "https://xn--bcher-kva.example/"},
			[]string{"", "nano-editor.org", "ftp://x.org", "javascript:alert(1)", "https://", "https:///x", "https://u@x.org", "https://u:p@x.org", "https://x.org:", "https://x.org:port",
				"https://x.org/a b", "https://x.org/\u00fc", "https://b\u00fccher.example", "https://x.org/<script>", "https://-x.org", "HTTPS://x.org", "https://x..org", "https://x.org\\@y.org"}},
		{"package", CheckPackage, []string{"nano", "g++", "libstdc++6", "libx11-6", "0ad", "python3.11", "c++"},
			[]string{"", "a", "Nano", "-y", "nano-", "nano+", "nano=7", "nano:i386", "nano/sid", "./x.deb", "na no", "nano_7", "~nnano", "?installed"}},
		{"command name", CheckCommandName, []string{"nano", "g++", "7z", "x86_64-gcc-12.2", "A"}, []string{"", "-a", ".a", "_a", "a/b", "a b", "ä", "sandbox", strings.Repeat("a", 65)}},
		{"variable", CheckEnvName, []string{"A", "_", "LC_ALL", "a1"}, []string{"", "1A", "A-B", "A=B", "Ä", "HOME", "TERM", "SANDBOX_X", "A\n"}},
		{"relative path", checkRelative, []string{"a", "a/b", ".a", "a b", "...", "a.b/..c", "é"}, []string{"", "/", "/a", "a/", "a//b", ".", "./a", "a/.", "..", "../a", "a/../b", "a\\b", "a\nb",
			strings.Repeat("a", 256), strings.Repeat("a/", 600) + "b"}},
	}
	for _, c := range cases {
		for _, text := range c.good {
			if err := c.check(text); err != nil {
				t.Errorf("%s %q is refused: %v", c.name, text, err)
			}
		}
		for _, text := range c.bad {
			if c.check(text) == nil {
				t.Errorf("%s %q is accepted", c.name, text)
			}
		}
	}
}

func TestCommandPath(t *testing.T) {
	for text, want := range map[string]string{
		"nano": "nano", "_x": "_x", "bin/nano": "/app/bin/nano", "/usr/bin/nano": "/usr/bin/nano", "/app/x": "/app/x",
		"": "", "/bin/sh": "", "/usr": "", "/app": "", "/usr/../etc/x": "", "/usrx/a": "", "nano -w": "", "./nano": "", "-x": "", "~/x": "", "a/": "",
	} {
		got, err := commandPath(text)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("commandPath(%q) = %q, %v; want %q", text, got, err, want)
		}
	}
}
