package main

import (
	"sandbox/cmd/sandbox-tui/model"
	"sandbox/internal/safe"
)

// wrap breaks paragraphs into rows of a width, between words where it can.
func wrap(lines []model.Line, most int) [][]glyph {
	var rows [][]glyph
	for _, l := range lines {
		rows = append(rows, wrapLine(l, most)...)
	}
	return rows
}

func wrapLine(l model.Line, most int) [][]glyph {
	if most < 1 {
		return nil
	}
	var all []glyph
	for _, s := range l.Spans {
		for _, g := range split(safe.Text(s.Text)) {
			g.tone = s.Tone
			all = append(all, g)
		}
	}
	hang := l.Hang
	if hang > most/3 {
		hang = min(2, most/3)
	}
	var rows [][]glyph
	indent := 0
	for {
		n := fit(all, most-indent)
		row := make([]glyph, indent, indent+n)
		for i := range row {
			row[i] = glyph{" ", 1, model.Plain}
		}
		rows = append(rows, append(row, all[:n]...))
		all = all[n:]
		for len(all) > 0 && all[0].text == " " {
			all = all[1:]
		}
		if len(all) == 0 {
			return rows
		}
		indent = hang
	}
}

// fit says how much to take for a row: whole words, unless that would leave two
// thirds of it empty. It takes something even when nothing fits.
func fit(list []glyph, most int) int {
	used, gap := 0, 0
	for i, g := range list {
		if used+g.width > most {
			if g.text == " " {
				return max(1, i)
			}
			if gap > i/3 {
				return gap
			}
			return max(1, i)
		}
		used += g.width
		if g.text == " " {
			gap = i + 1
		}
	}
	return len(list)
}
