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
	lines := []model.Line{{Spans: []model.Span{{Text: v.ask.Title, Tone: tone}}}}
	for _, t := range v.ask.Text {
		lines = append(lines, model.Line{Spans: []model.Span{{Text: t}}})
	}
	answers := []model.Line{{}, {Spans: []model.Span{{Text: "y", Tone: tone}, {Text: " " + v.ask.Does + "   "}, {Text: "Esc", Tone: model.Strong}, {Text: " " + v.ask.Refuse}}}}
	wide := min(64, c.w)
	rows := wrap(append(lines, answers...), wide-4)
	x, y, high := (c.w-wide)/2, (c.h-len(rows)-2)/2, len(rows)+2
	inner := c.part(x+2, y+1, wide-4, len(rows))
	if high <= c.h {
		c.part(x-1, y, wide+2, high).clear() // off the text beneath
		c.part(x, y, wide, high).frame(c.theme.style(tone))
	} else { // no room for a border; the keys are in the footer as well
		rows = wrap(lines, c.w-2)
		inner = c.part(1, 0, c.w-2, c.h)
		c.clear()
	}
	for y, r := range rows {
		inner.row(y, r)
	}
	c.screen.HideCursor()
}
