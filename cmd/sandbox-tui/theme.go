package main

import (
	"github.com/gdamore/tcell/v2"

	"sandbox/cmd/sandbox-tui/model"
)

// theme gives tones their looks: the terminal's own foreground and background,
// and of its colours the three that every scheme, light or dark, makes legible.
type theme struct{ colour bool }

func (t theme) style(tone model.Tone) tcell.Style {
	s := tcell.StyleDefault
	switch tone {
	case model.Dim:
		return s.Dim(true)
	case model.Strong:
		return s.Bold(true)
	case model.Good:
		return t.paint(s, tcell.ColorGreen)
	case model.Warn:
		return t.paint(s, tcell.ColorOlive)
	case model.Bad:
		return t.paint(s.Bold(true), tcell.ColorMaroon)
	}
	return s
}

func (t theme) paint(s tcell.Style, c tcell.Color) tcell.Style {
	if !t.colour {
		return s
	}
	return s.Foreground(c)
}
