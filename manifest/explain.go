package manifest

import (
	"fmt"
	"io"
	"strings"
	"unicode"

	"sandbox/internal/safe"
)

// Explain writes problems for a person at a terminal: position and text, the
// line of the manifest with the place marked, and the hint. What comes from
// the manifest is escaped.
func Explain(w io.Writer, problems []Problem) error {
	var b strings.Builder
	for _, p := range problems {
		explain(&b, p)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func explain(b *strings.Builder, p Problem) {
	word := "error"
	if p.Warning {
		word = "warning"
	}
	where := p.File
	if p.Line > 0 {
		where = fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
	}
	fmt.Fprintf(b, "%s: %s: %s\n", safe.Text(where), word, safe.Text(p.Text))
	if p.at.line > 0 && strings.TrimSpace(p.at.text) != "" {
		excerpt(b, p.at)
	}
	if p.Hint != "" {
		fmt.Fprintf(b, "  hint: %s\n", safe.Text(p.Hint))
	}
}

// excerptWidth is how much of a long line is shown around the place.
const excerptWidth = 72

// excerpt writes the line and below it a mark under the place.
func excerpt(b *strings.Builder, at place) {
	line := []rune(strings.ReplaceAll(at.text, "\t", " "))
	start := min(at.column-1, len(line))
	end := min(start+at.width, len(line))
	left, right := window(len(line), start)
	end = min(end, right)
	before := escaped(line[left:start])
	marked := escaped(line[start:end])
	if left > 0 {
		before = "… " + before
	}
	after := escaped(line[end:right])
	if right < len(line) {
		after += " …"
	}
	fmt.Fprintf(b, "%5d | %s%s%s\n", at.line, before, marked, after)
	fmt.Fprintf(b, "      | %s%s\n", strings.Repeat(" ", cells(before)), strings.Repeat("^", max(1, cells(marked))))
}

// window is the part of a line of n characters to show around the place.
func window(n, start int) (left, right int) {
	if n <= excerptWidth {
		return 0, n
	}
	left = max(0, min(start-excerptWidth/3, n-excerptWidth))
	return left, min(n, left+excerptWidth)
}

func escaped(line []rune) string { return safe.Text(string(line)) }

// cells is how many columns of a terminal the text takes: two for the wide
// scripts of East Asia, none for combining marks.
func cells(s string) int {
	n := 0
	for _, r := range s {
		switch {
		case unicode.Is(unicode.M, r):
		case unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul) || r >= 0x1f300 && r < 0x1fb00:
			n += 2
		default:
			n++
		}
	}
	return n
}
