package manifest

import (
	"fmt"
	"sort"
	"strings"
	"unicode/utf8"
)

// maxProblems ends the collecting: past it a text is noise.
const maxProblems = 100

const maxLine = 4096

// text is a manifest as bytes, with what was found wrong in it so far.
type text struct {
	file     string
	data     []byte
	src      string // data; excerpts share its memory
	lines    []int  // offset of the start of each line
	problems []Problem
}

func newText(file string, data []byte) *text {
	t := &text{file: file, data: data, src: string(data), lines: []int{0}}
	for i, b := range data {
		if b == '\n' {
			t.lines = append(t.lines, i+1)
		}
	}
	return t
}

// place turns a byte range into a position.
func (t *text) place(at, end int) place {
	at = min(max(at, 0), len(t.data))
	end = min(max(end, at), len(t.data))
	line := sort.SearchInts(t.lines, at+1) - 1
	start := t.lines[line]
	stop := len(t.src)
	if line+1 < len(t.lines) {
		stop = t.lines[line+1] - 1
	}
	return place{
		line:   line + 1,
		column: utf8.RuneCountInString(t.src[start:at]) + 1,
		width:  max(1, utf8.RuneCountInString(t.src[at:min(end, max(at, stop))])),
		text:   strings.TrimSuffix(t.src[start:max(start, stop)], "\r"),
	}
}

// checkLines refuses lines that nobody reads to their end. It also bounds the
// work of finding a column.
func (t *text) checkLines() {
	for i, start := range t.lines {
		stop := len(t.src)
		if i+1 < len(t.lines) {
			stop = t.lines[i+1]
		}
		if stop-start > maxLine {
			t.problem(start+maxLine, 1, fmt.Sprintf("line is longer than %d bytes", maxLine), "break the line: arrays may span lines")
			return
		}
	}
}

// problem records a fault of width bytes at the offset.
func (t *text) problem(at, width int, what, hint string) {
	if len(t.problems) >= maxProblems {
		return
	}
	t.problems = append(t.problems, newProblem(t.file, t.place(at, at+width), what, hint))
}

func newProblem(file string, at place, what, hint string) Problem {
	return Problem{File: file, Line: at.line, Column: at.column, Text: what, Hint: hint, at: at}
}

// result is the sorted problems as an error, or nil.
func (t *text) result() error {
	if len(t.problems) == 0 {
		return nil
	}
	sortProblems(t.problems)
	if len(t.problems) >= maxProblems {
		t.problems = append(t.problems, Problem{File: t.file, Text: fmt.Sprintf("stopped after %d problems", maxProblems)})
	}
	return Problems(t.problems)
}
