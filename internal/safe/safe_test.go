package safe

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestText(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"plain text stays", "GNU nano 7.2", "GNU nano 7.2"},
		{"letters of other scripts stay", "Übung 日本語 Ελληνικά हिन्दी", "Übung 日本語 Ελληνικά हिन्दी"},
		{"an accent made of two characters stays", "e\u0301", "e\u0301"},
		{"an emoji stays", "🎉", "🎉"},
		{"backslash stays", `C:\x`, `C:\x`},
		{"escape sequence that rewrites the list (CVE-2023-28101)", "\x1b[2K\x1b[1A", `\x1b[2K\x1b[1A`},
		{"window title", "\x1b]0;x\a", `\x1b]0;x\x07`},
		{"clipboard write", "\x1b]52;c;eA==\x1b\\", `\x1b]52;c;eA==\x1b\`},
		{"raw C1 byte", "\x9b2J", `\x9b2J`},
		{"encoded C1", "\u009b2J", `\u009b2J`},
		{"NEL", "\u0085", `\u0085`},
		{"line break makes no second line", "a\nb\r\tc", `a\nb\r\tc`},
		{"backspace and delete", "a\b\x7f", `a\x08\x7f`},
		{"NUL", "a\x00", `a\x00`},
		{"bidi override (CVE-2021-42574)", "allow\u202eyned", `allow\u202eyned`},
		{"bidi isolates and marks", "\u2066\u2069\u200e\u200f\u061c", `\u2066\u2069\u200e\u200f\u061c`},
		{"zero width", "a\u200b\u200d\u2060\ufeffb", `a\u200b\u200d\u2060\ufeffb`},
		{"line and paragraph separator", "\u2028\u2029", `\u2028\u2029`},
		{"tags", "\U000e0041", `\U000e0041`},
		{"private use", "\ue000\U000f0000", `\ue000\U000f0000`},
		{"noncharacter", "\ufffe", `\ufffe`},
		{"unassigned", "\u0378", `\u0378`},
		{"blank letters", "\u3164\u115f\u2800\uffa0", `\u3164\u115f\u2800\uffa0`},
		{"variation selector", "a\ufe0f", `a\ufe0f`},
		{"invisible joiner that is a mark", "a\u034f", `a\u034f`},
		{"soft hyphen", "a\u00adb", `a\u00adb`},
		{"broken UTF-8", "a\xff\xc3", `a\xff\xc3`},
		{"surrogate half", "\xed\xa0\x80", `\xed\xa0\x80`},
		{"overlong slash", "\xc0\xaf", `\xc0\xaf`},
		{"a real replacement character stays", "\ufffd", "\ufffd"},
		{"many marks are cut", "a" + strings.Repeat("\u0300", 1000) + "b", "a\u0300\u0300\ufffdb"},
		{"a mark at the start has nothing to sit on", "\u0301x", `\u0301x`},
		{"two marks on each letter", "a\u0300\u0301b\u0300\u0301", "a\u0300\u0301b\u0300\u0301"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := Text(c.in); got != c.want {
				t.Errorf("Text(%+q) = %+q, want %+q", c.in, got, c.want)
			}
		})
	}
}

func TestLinesKeepsLineFeedsOnly(t *testing.T) {
	if got, want := Lines("a\n\u0301b\r\n\x1b"), "a\n\\u0301b\\r\n\\x1b"; got != want {
		t.Errorf("Lines = %q, want %q", got, want)
	}
}

type stringer struct{ s string }

func (s stringer) String() string { return s.s }

func TestSprintfCleansEveryArgument(t *testing.T) {
	got := Sprintf("%s|%v|%q|%d|%v|%v|%v", "\x1b", errors.New("\x1b"), "\x1b", 7, stringer{"\x1b"}, []string{"\n"}, struct{ A string }{"\r"})
	if want := `\x1b|\x1b|"\\x1b"|7|\x1b|[\n]|{\r}`; got != want {
		t.Errorf("Sprintf = %q, want %q", got, want)
	}
	var b bytes.Buffer
	if err := Line(&b, "app %s", "a\nb"); err != nil || b.String() != "app a\\nb\n" {
		t.Errorf("Line wrote %q, %v", b.String(), err)
	}
}

func TestWriterHoldsSplitCharacters(t *testing.T) {
	in := "ä日\x1b[0m\u202e\xffe\u0301\u0301\u0301\n\xe6"
	var b bytes.Buffer
	w := NewWriter(&b)
	for i := range len(in) {
		if n, err := w.Write([]byte{in[i]}); n != 1 || err != nil {
			t.Fatalf("Write = %d, %v", n, err)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	if want := Lines(in); b.String() != want {
		t.Errorf("wrote %q, want %q", b.String(), want)
	}
}

// harmless is written from the requirement, not from Rune.
func harmless(s string) bool {
	if !utf8.ValidString(s) {
		return false
	}
	run := 0
	for _, r := range s {
		if r < 0x20 || r >= 0x7f && r <= 0x9f {
			return false
		}
		if unicode.In(r, unicode.Cf, unicode.Co, unicode.Zl, unicode.Zp, unicode.Cs, unicode.Bidi_Control) {
			return false
		}
		if !unicode.In(r, unicode.L, unicode.M, unicode.N, unicode.P, unicode.S, unicode.Zs) {
			return false // unassigned
		}
		if unicode.Is(unicode.M, r) {
			run++
		} else {
			run = 0
		}
		if run > maxMarks {
			return false
		}
	}
	return true
}

func FuzzText(f *testing.F) {
	for _, s := range []string{"", "a", "\x1b[2K", "\u202e\u0301", "a\u0300\u0300\u0300", "\xff\xfe", "\u009b", "日本\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := Text(s)
		if !harmless(got) {
			t.Errorf("Text(%+q) = %+q", s, got)
		}
		if again := Text(got); again != got {
			t.Errorf("Text is not stable: %+q then %+q", got, again)
		}
		if harmless(strings.ReplaceAll(Lines(s), "\n", "")) == false {
			t.Errorf("Lines(%+q) = %+q", s, Lines(s))
		}
		var b bytes.Buffer
		w := NewWriter(&b)
		half := len(s) / 2
		w.Write([]byte(s[:half]))
		w.Write([]byte(s[half:]))
		w.Flush()
		if b.String() != Lines(s) {
			t.Errorf("Writer gave %+q, Lines %+q", b.String(), Lines(s))
		}
	})
}

func TestEveryRuneIsHarmless(t *testing.T) {
	for r := rune(0); r <= unicode.MaxRune; r++ {
		if s := Text("a" + string(r)); !harmless(s) {
			t.Fatalf("%U comes out as %+q", r, s)
		}
	}
}

func BenchmarkTextPlain(b *testing.B) {
	for b.Loop() {
		Text("org.freedesktop.Notifications")
	}
}
