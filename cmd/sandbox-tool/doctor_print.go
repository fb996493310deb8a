package main

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"sandbox/internal/safe"
)

// width is that of the narrowest terminal people still use. Commands and the
// content of files are not broken.
const width = 80

// printer writes the report of doctor and remembers the first error.
type printer struct {
	w      io.Writer
	colour bool
	fixes  map[string]string // what was printed already → where
	err    error
}

func newPrinter(w io.Writer, colour bool) *printer {
	return &printer{w: w, colour: colour, fixes: map[string]string{}}
}

type colour string

const (
	bold   colour = "1"
	red    colour = "31"
	green  colour = "32"
	yellow colour = "33"
)

func (p *printer) paint(c colour, text string) string {
	if !p.colour {
		return text
	}
	return "\x1b[" + string(c) + "m" + text + "\x1b[0m"
}

// stateColours are for states and verdicts.
func stateColour(word string) colour {
	switch word {
	case "ok", blocked:
		return green
	case "degraded", unclear:
		return yellow
	}
	return red
}

const (
	stateWidth = 10
	titleWidth = 24
	noteIndent = "              "
)

// row is a state, a title, and a text that is broken over as many lines as it
// needs.
func (p *printer) row(state, title, text string) {
	const left = 2 + stateWidth + titleWidth
	word := p.paint(stateColour(state), state) + strings.Repeat(" ", stateWidth-len(state))
	parts := wrap(safe.Text(text), width-left)
	p.line("  %s%-*s%s", word, titleWidth, title, parts[0])
	for _, part := range parts[1:] {
		p.line("%*s%s", left, "", part)
	}
}

func (p *printer) note(label, text string) {
	indent := strings.Repeat(" ", 2+3) + label
	for _, part := range wrap(safe.Text(text), width-len(noteIndent)) {
		p.line("%s%s", indent, part)
		indent = noteIndent
	}
}

// wrap breaks text at spaces into lines of at most the columns, longer only
// where one word is; there is always one line.
func wrap(text string, columns int) []string {
	var out []string
	line := ""
	for word := range strings.FieldsSeq(text) {
		switch {
		case line == "":
			line = word
		case utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > columns:
			out = append(out, line)
			line = word
		default:
			line += " " + word
		}
	}
	return append(out, line)
}

func lines(text string) []string {
	return strings.Split(strings.TrimSuffix(text, "\n"), "\n")
}

// attacks prints the table of the self-test.
func (p *printer) attacks(s *selfTest) {
	p.line("\n%s", p.paint(bold, "Self-test"))
	if s.Error != "" {
		p.row(notRun, "attacks from inside", s.Error)
		return
	}
	const form = "  %s%-34s%-18s%s"
	p.line(form, fmt.Sprintf("%-*s", stateWidth, ""), "attack", "in the sandbox", "outside")
	for _, r := range s.Attacks {
		word := p.paint(stateColour(r.Verdict), r.Verdict) + strings.Repeat(" ", stateWidth-len(r.Verdict))
		p.line(form, word, r.Title, r.Inside.text(), r.Outside.text())
	}
	for _, r := range s.Attacks {
		if r.Verdict == unclear {
			p.note("unclear: ", "the attack goes the same way outside, so that it shows nothing")
			break
		}
	}
}
