package main

import (
	"github.com/gdamore/tcell/v2"

	"sandbox/cmd/sandbox-tui/model"
)

// helpView explains the keys of the view it was asked in.
type helpView struct {
	pager
	app *app
}

// help is the key that opens it.
func (a *app) help(of view) binding {
	return binding{strokes: letters("?", tcell.KeyF1), keys: "? F1", short: "?", does: "help", do: func() {
		lines := helpLines(of.bindings())
		lines = append(lines, model.Line{}, model.Line{Spans: []model.Span{{Text: "Everywhere", Tone: model.Dim}}})
		v := &helpView{app: a}
		v.set(append(lines, helpLines(a.global())...))
		a.open(v)
	}}
}

// back is the key that leads to the view below.
func (a *app) back(v view) binding {
	return binding{strokes: letters("qh", tcell.KeyEsc, tcell.KeyLeft), keys: "Esc q h ←", short: "Esc", does: "back", do: func() { a.close(v) }}
}

func (v *helpView) title() string { return "Keys" }
func (v *helpView) refreshed()    {}
func (v *helpView) bindings() []binding {
	return append(v.scrolling(), v.app.back(v))
}
