// Package safe makes text of unknown origin fit for a terminal, a log line or a
// window title. Names, reasons and paths come from bundles, repositories and
// running apps; printed as they are they could move the cursor, rewrite the
// permission list above them (CVE-2023-28101), answer the terminal's questions,
// or read differently from what they say (CVE-2021-42574).
//
// What may pass is an allow-list: assigned, visible characters and the plain
// space. All else is shown as the escape Go source would use for it.
package safe

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// A letter may carry this many marks that take no room of their own, and this
// many marks altogether; more would paint over the lines above and below.
const (
	maxStacked = 2
	maxMarks   = 4
)

// Text returns s as one line without anything a terminal acts upon: every line
// break, control, format, bidirectional, invisible, private or unassigned
// character and every byte that is not UTF-8 is written as an escape (`\n`,
// `\x1b`, `\u202e`). Marks beyond the limit become one U+FFFD.
//
// Backslashes stay as they are, so Text(Text(s)) == Text(s): calling it once
// too often does no harm, and the result is for eyes, not for parsing back.
func Text(s string) string { return escape(s, false) }

// Lines is Text for prose of several lines: line feeds stay.
func Lines(s string) string { return escape(s, true) }

// Rune reports whether r may be shown as it is.
func Rune(r rune) bool {
	if r < utf8.RuneSelf {
		return r >= 0x20 && r != 0x7f
	}
	switch {
	case r == '\u2800': // a braille pattern without dots
		return false
	case unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector):
		return false // letters and marks that draw nothing or change a neighbour's width
	}
	return unicode.IsGraphic(r)
}

func plain(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c >= 0x7f {
			return false
		}
	}
	return true
}

func escape(s string, keepLF bool) string {
	if plain(s) {
		return s
	}
	e := escaper{keepLF: keepLF}
	e.b.Grow(len(s) + 16)
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		e.add(r, s[:n])
		s = s[n:]
	}
	return e.b.String()
}

// escaper writes one character after the other and counts the marks on the
// last one that was not a mark.
type escaper struct {
	b              strings.Builder
	keepLF         bool
	base           bool // something stands there for a mark to sit on
	stacked, marks int
	cut            bool
}

func (e *escaper) add(r rune, raw string) {
	switch {
	case r == '\n' && e.keepLF:
		e.put(raw)
		e.base = false
	case r == utf8.RuneError && len(raw) == 1:
		e.put(hexByte(raw[0]))
	case !Rune(r):
		e.put(name(r))
	case unicode.Is(unicode.M, r):
		e.mark(r, raw)
	default:
		e.put(raw)
	}
}

func (e *escaper) put(s string) {
	e.b.WriteString(s)
	e.base, e.stacked, e.marks, e.cut = true, 0, 0, false
}

func (e *escaper) mark(r rune, raw string) {
	if !e.base { // it would sit on whatever was printed before this text
		e.put(name(r))
		return
	}
	stacks := !unicode.Is(unicode.Mc, r)
	if e.cut || e.marks == maxMarks || stacks && e.stacked == maxStacked {
		if !e.cut {
			e.b.WriteRune(utf8.RuneError)
			e.cut = true
		}
		return
	}
	e.b.WriteString(raw)
	e.marks++
	if stacks {
		e.stacked++
	}
}

const hexDigits = "0123456789abcdef"

func hexByte(c byte) string {
	return string([]byte{'\\', 'x', hexDigits[c>>4], hexDigits[c&15]})
}

func name(r rune) string {
	switch {
	case r == '\n':
		return `\n`
	case r == '\r':
		return `\r`
	case r == '\t':
		return `\t`
	case r < 0x80:
		return hexByte(byte(r))
	case r <= 0xffff:
		return `\u` + hex(r, 4)
	}
	return `\U` + hex(r, 8)
}

func hex(r rune, digits int) string {
	b := make([]byte, digits)
	for i := digits - 1; i >= 0; i-- {
		b[i] = hexDigits[r&15]
		r >>= 4
	}
	return string(b)
}
