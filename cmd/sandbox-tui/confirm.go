package main

import (
	"github.com/gdamore/tcell/v2"

	"sandbox/cmd/sandbox-tui/model"
)

// confirmView asks before something ends. Only one key says yes; Enter, which
// a person may have been about to type somewhere else, says no.
type confirmView struct {
	app   *app
	about model.Key
	ask   model.Question
	yes   func()
}

func (v *confirmView) over()         {}
func (v *confirmView) title() string { return v.ask.Title }
func (v *confirmView) aside() string { return "" }

func (v *confirmView) bindings() []binding {
	return []binding{
		{strokes: letters("y"), short: "y", does: v.ask.Does, do: func() {
			v.app.close(v)
			v.yes()
		}},
		{strokes: letters("nq", tcell.KeyEsc, tcell.KeyEnter), keys: "Esc n Enter", short: "Esc", does: v.ask.Refuse, do: func() { v.app.close(v) }},
	}
}

// refreshed withdraws the question when there is nothing left to end.
func (v *confirmView) refreshed() {
	if _, ok := v.app.running.Find(v.about); !ok {
		v.app.close(v)
		v.app.say(model.Plain, "%s has ended by itself", v.about.Name)
	}
}

func (v *confirmView) draw(c canvas) {
	tone := model.Strong
	if v.ask.Bad {
		tone = model.Bad
	}
	wide := min(64, c.w)
	lines := []model.Line{{Spans: []model.Span{{Text: v.ask.Title, Tone: tone}}}}
	for _, t := range v.ask.Text {
		lines = append(lines, model.Line{Spans: []model.Span{{Text: t}}})
	}
	rows := wrap(lines, wide-4)
	keys := []model.Line{{}, {Spans: []model.Span{{Text: "y", Tone: tone}, {Text: " " + v.ask.Does + "   "}, {Text: "Esc", Tone: model.Strong}, {Text: " " + v.ask.Refuse}}}}
	answers := wrap(keys, wide-4)
	if len(rows)+len(answers)+2 > c.h { // the keys are in the footer as well
		answers = nil
	}
	rows = append(rows, answers...)
	high := min(len(rows)+2, c.h)
	box := c.part((c.w-wide)/2, (c.h-high)/2, wide, high)
	box.frame(c.theme.style(tone))
	inner := box.part(2, 1, wide-4, high-2)
	for y, r := range rows {
		inner.row(y, r)
	}
	c.screen.HideCursor()
}
