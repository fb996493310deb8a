package bundle

import (
	"path/filepath"
	"strings"
	"testing"
)

func TestCleanName(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"plain", "usr/bin/nano", "usr/bin/nano"},
		{"leading dot slash", "./usr/bin/nano", "usr/bin/nano"},
		{"directory", "usr/bin/", "usr/bin"},
		{"the top", "./", "."},
		{"dots inside a name", "a..b/...", "a..b/..."},
		{"composed letters", "share/Főtanúsítvány.crt", "share/Főtanúsítvány.crt"},
		{"longest name", strings.Repeat("n", 255), strings.Repeat("n", 255)},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got, err := cleanName(c.in); err != nil || got != c.want {
				t.Errorf("cleanName(%q) = %q, %v", c.in, got, err)
			}
		})
	}
}

func TestCleanNameRefuses(t *testing.T) {
	for _, c := range []struct{ name, in string }{
		{"empty", ""},
		{"parent", ".."},
		{"traversal", "../canary"},
		{"traversal behind a directory", "a/../../canary"},
		{"traversal that comes back", "a/../b"},
		{"absolute", "/etc/passwd"},
		{"root", "/"},
		{"double slash", "a//b"},
		{"inner dot", "a/./b"},
		{"two trailing slashes", "a//"},
		{"backslash", `..\canary`},
		{"drive", `C:\canary`},
		{"NUL", "a\x00b"},
		{"newline", "a\nb"},
		{"escape", "a\x1b[2Jb"},
		{"C1 control", "a\u009bb"},
		{"bidi override", "a\u202eb"},
		{"not UTF-8", "a\xffb"},
		{"decomposed letters", "cafe\u0301"},
		{"whiteout", "usr/.wh.bin"},
		{"name too long", strings.Repeat("n", 256)},
		{"path too long", strings.Repeat("n/", 2001)},
		{"too deep", strings.Repeat("d/", 64) + "f"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got, err := cleanName(c.in); err == nil {
				t.Errorf("cleanName(%q) = %q, want a refusal", c.in, got)
			}
		})
	}
}

func TestFold(t *testing.T) {
	same := [][2]string{{"README", "readme"}, {"\u212a", "k"}, {"\ufb01", "fi"}, {"stra\u00dfe", "STRASSE"}, {"É", "e\u0301"}}
	for _, c := range same {
		if fold(c[0]) != fold(c[1]) {
			t.Errorf("%q and %q are not one name", c[0], c[1])
		}
	}
	if fold("a") == fold("b") || fold("é") == fold("e") {
		t.Error("different names are folded to one")
	}
}

func FuzzCleanName(f *testing.F) {
	for _, s := range []string{"a/b", "./a", "../a", "a/", "/", "a\\b", "é"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := cleanName(s)
		if err == nil && (!filepath.IsLocal(got) || filepath.Clean(got) != got || strings.ContainsAny(got, "\\\x00\n")) {
			t.Errorf("cleanName(%q) = %q", s, got)
		}
	})
}
