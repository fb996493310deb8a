package manifest

import (
	"bytes"
	"fmt"
	"unicode"
	"unicode/utf8"
)

// MaxSize is the largest manifest that is read.
const MaxSize = 1 << 20

// badRune says why a character may stand nowhere in a manifest, whether raw or
// by an escape; empty means that it may. Tab and newline are the caller's to
// judge. Letters that merely look alike are Lint's business.
//
// CVE-2021-42574 (bidirectional overrides), CVE-2021-43860 (NUL),
// CVE-2023-28101 (terminal escapes).
func badRune(r rune) string {
	switch {
	case r >= ' ' && r <= '~': // nearly all there is
		return ""
	case r == 0:
		return "NUL character"
	case r == '\uFEFF':
		return "byte order mark"
	case r < 0x20 || r >= 0x7f && r < 0xa0:
		return fmt.Sprintf("control character %U", r)
	case unicode.Is(unicode.Bidi_Control, r):
		return fmt.Sprintf("bidirectional control character %U", r)
	case unicode.In(r, unicode.Zl, unicode.Zp):
		return fmt.Sprintf("line separator %U", r)
	case unicode.Is(unicode.Cf, r) || invisible(r):
		return fmt.Sprintf("invisible character %U", r)
	case unicode.Is(unicode.Co, r):
		return fmt.Sprintf("private use character %U", r)
	case r != ' ' && unicode.Is(unicode.Zs, r):
		return fmt.Sprintf("space %U, which is not the space of the keyboard", r)
	case !unicode.In(r, unicode.L, unicode.M, unicode.N, unicode.P, unicode.S, unicode.Zs):
		return fmt.Sprintf("unassigned character %U", r)
	}
	return ""
}

// invisible holds what is drawn as nothing without being a format character:
// the grapheme joiner, Hangul and Khmer fillers, variation selectors, the
// empty Braille cell.
func invisible(r rune) bool {
	switch r {
	case 0x034f, 0x115f, 0x1160, 0x17b4, 0x17b5, 0x2800, 0x3164, 0xffa0:
		return true
	}
	return unicode.Is(unicode.Variation_Selector, r)
}

// maxMarks is how many combining marks may follow each other: no language
// needs more, and a pile of them covers the lines above.
const maxMarks = 4

// badText gives the first fault of s and its byte offset; why is empty when
// there is none. Newline, also after a carriage return, and tab pass only with
// multiline.
func badText(s string, multiline bool) (offset int, why string) {
	marks := 0
	for i, r := range s {
		if multiline && (r == '\n' || r == '\t' || r == '\r' && i+1 < len(s) && s[i+1] == '\n') {
			continue
		}
		if why := badRune(r); why != "" {
			return i, why
		}
		marks++
		if r < utf8.RuneSelf || !unicode.Is(unicode.M, r) {
			marks = 0
		}
		if marks > maxMarks {
			return i, "pile of combining marks"
		}
	}
	return len(s), ""
}

// checkBytes looks at the raw text before anything parses it.
func (t *text) checkBytes() {
	if bytes.HasPrefix(t.data, []byte("\xff\xfe")) || bytes.HasPrefix(t.data, []byte("\xfe\xff")) {
		t.problem(0, 1, "text is not UTF-8 but UTF-16", "save the file as UTF-8 without a byte order mark")
		return
	}
	for rest := 0; rest < len(t.src) && len(t.problems) < maxProblems; {
		n, why := badText(t.src[rest:], true)
		at := rest + n
		if bad := firstInvalid(t.data[rest:at]); bad >= 0 {
			t.problem(rest+bad, 1, fmt.Sprintf("text is not UTF-8: byte 0x%02x", t.data[rest+bad]), "save the file as UTF-8")
			return
		}
		if why == "" {
			return
		}
		r, size := utf8.DecodeRuneInString(t.src[at:])
		t.problem(at, size, "text holds "+article(why), rawHint(r))
		rest = at + size
	}
}

// firstInvalid is the offset of the first byte that is not UTF-8, or -1.
func firstInvalid(data []byte) int {
	for i := 0; i < len(data); {
		r, size := utf8.DecodeRune(data[i:])
		if r == utf8.RuneError && size == 1 {
			return i
		}
		i += size
	}
	return -1
}

func rawHint(r rune) string {
	switch r {
	case 0:
		return "is this file text, and UTF-8?"
	case '\uFEFF':
		return "save the file as UTF-8 without a byte order mark"
	case '\r':
		return "end lines with LF or CR LF"
	}
	return "remove it: a manifest must read as it looks"
}
