package manifest

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// place is a position in the text: both numbers start at 1 and the column
// counts characters, not bytes.
type place struct {
	line, column int
	width        int    // characters that are meant, at least 1
	text         string // the whole line
}

// Problem is one thing that is wrong with a manifest, or advice about it.
type Problem struct {
	File    string `json:"file"`
	Line    int    `json:"line"` // 0 when no line is to blame
	Column  int    `json:"column"`
	Text    string `json:"text"`
	Hint    string `json:"hint,omitempty"`
	Warning bool   `json:"warning"`

	at place
}

// Error is the problem on one line: file:line:column: text.
func (p Problem) Error() string {
	if p.Line == 0 {
		return fmt.Sprintf("%s: %s", p.File, p.Text)
	}
	return fmt.Sprintf("%s:%d:%d: %s", p.File, p.Line, p.Column, p.Text)
}

// Problems is the error of Parse: everything that is wrong, sorted by position.
type Problems []Problem

// Error has a line for each problem.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.Error()
	}
	return strings.Join(lines, "\n")
}

// sortProblems orders by position; problems without one come last, and of
// those at the same place the order of finding is kept.
func sortProblems(ps []Problem) {
	slices.SortStableFunc(ps, func(a, b Problem) int {
		if (a.Line == 0) != (b.Line == 0) {
			return cmp.Compare(b.Line, a.Line)
		}
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
}
