package main

import (
	"github.com/gdamore/tcell/v2"

	"sandbox/cmd/sandbox-tui/model"
)

// runningView is the list of instances, with the selected one described below
// it or, where there is room, beside it.
type runningView struct {
	app  *app
	top  int // the first row shown
	page int // rows shown at the last drawing
}

func (v *runningView) aside() string { return v.app.running.Summary() }
func (v *runningView) refreshed()    {}

func (v *runningView) title() string {
	if f := v.app.running.Filter(); f != "" {
		return "Running, with " + quote(f)
	}
	return "Running"
}

func (v *runningView) bindings() []binding {
	m, a := &v.app.running, v.app
	none := ""
	i, ok := m.Selected()
	if !ok {
		none = "no instance is selected"
		if m.Len() == 0 {
			none = "nothing is running"
		}
	}
	list := []binding{
		{strokes: letters("", tcell.KeyEnter), short: "Enter", does: "open", why: "All it may do, with the reasons, and what it uses.", disabled: none,
			do: func() { a.open(newDetails(a, i)) }},
	}
	list = append(list, a.steering(i, none)...)
	list = append(list, binding{strokes: letters("/"), short: "/", does: "filter", why: "Show only what has a text in its name, app or state.", do: func() { a.open(newFilter(a)) }},
		binding{strokes: letters("j", tcell.KeyDown), keys: "↓ j", does: "next", do: func() { m.Move(1) }},
		binding{strokes: letters("k", tcell.KeyUp), keys: "↑ k", does: "previous", do: func() { m.Move(-1) }},
		binding{strokes: letters("g", tcell.KeyHome), keys: "g Home", does: "first", do: func() { m.Move(-m.Len()) }},
		binding{strokes: letters("G", tcell.KeyEnd), keys: "G End", does: "last", do: func() { m.Move(m.Len()) }},
		binding{strokes: letters("", tcell.KeyPgDn, tcell.KeyCtrlF), keys: "PgDn", does: "a page down", do: func() { m.Move(v.page) }},
		binding{strokes: letters("", tcell.KeyPgUp, tcell.KeyCtrlB), keys: "PgUp", does: "a page up", do: func() { m.Move(-v.page) }})
	all := binding{strokes: letters("", tcell.KeyEsc), keys: "Esc", does: "show all", why: "Drops the filter.", do: func() { m.SetFilter("") }}
	if m.Filter() != "" {
		all.short = "Esc"
	} else {
		all.disabled = "nothing is hidden; q quits"
	}
	return append(list, all, a.help(v),
		binding{strokes: letters("q"), short: "q", does: "quit", why: "Apps keep running.", do: a.quit})
}

func (v *runningView) draw(c canvas) {
	switch {
	case !v.app.running.Known():
		return
	case v.app.running.Len() == 0:
		v.drawEmpty(c)
	case c.w >= beside:
		v.drawBeside(c)
	case c.h < 9:
		v.drawTable(c)
	default:
		v.drawBelow(c)
	}
}

// beside is the width from which two panes stand side by side.
const beside = 140

func (v *runningView) drawBeside(c canvas) {
	right := min(max(c.w*2/5, 44), 72)
	left := c.w - right - 3
	v.drawTable(c.part(0, 0, left, c.h))
	for y := range c.h {
		c.put(left+1, y, c.theme.style(model.Dim), "│")
	}
	v.drawDetails(c.part(left+3, 0, right-1, c.h))
}

func (v *runningView) drawBelow(c canvas) {
	table := min(max(len(v.app.running.Rows())+1, 4), c.h/2)
	v.drawTable(c.part(0, 0, c.w, table))
	c.fill(table, "─", c.theme.style(model.Dim))
	v.drawDetails(c.part(1, table+1, c.w-2, c.h-table-1))
}

// drawDetails says how much it leaves out, and how bad that is.
func (v *runningView) drawDetails(c canvas) {
	i, ok := v.app.running.Selected()
	if !ok {
		return
	}
	_, now := v.app.running.Stale()
	lines := model.Details(i, now, false)
	rows := wrap(lines, c.w)
	for y, r := range rows {
		if y == c.h-1 && len(rows) > c.h {
			c.put(0, y, c.theme.style(model.Strong), more(i, lines, c.w, y))
			return
		}
		c.row(y, r)
	}
}

func (v *runningView) drawEmpty(c canvas) {
	text := []model.Line{
		{Spans: []model.Span{{Text: "Nothing is running.", Tone: model.Strong}}},
		{},
		{Spans: []model.Span{{Text: "Start an app in another terminal, and it appears here within a second:"}}},
		{},
		{Spans: []model.Span{{Text: "  sandbox run BUNDLE", Tone: model.Good}}, Hang: 4},
		{Spans: []model.Span{{Text: "  sandbox run --detach BUNDLE", Tone: model.Good}, {Text: "   in the background, with a log", Tone: model.Dim}}, Hang: 4},
		{},
		{Spans: []model.Span{{Text: "BUNDLE is the directory that 'sandbox build' makes; 'sandbox init' begins one."}}},
	}
	y := 1
	if c.h < 12 {
		y = 0
	}
	for n, r := range wrap(text, min(c.w-4, 76)) {
		c.part(2, 0, c.w-2, c.h).row(y+n, r)
	}
}

func (v *runningView) drawTable(c canvas) {
	rows := v.app.running.Rows()
	if len(rows) == 0 {
		c.put(1, 0, c.theme.style(model.Plain), "No instance matches "+quote(v.app.running.Filter())+".")
		c.put(1, 1, c.theme.style(model.Plain), "Esc shows all of them.")
		return
	}
	v.page = max(1, c.h-1)
	at := 0
	for n, r := range rows {
		if r.Selected {
			at = n
		}
	}
	v.top = max(0, min(v.top, at, len(rows)-v.page))
	v.top = max(v.top, at-v.page+1)
	cols := columns(rows, c.w)
	drawHead(c, cols)
	for n, r := range rows[v.top:] {
		if n == v.page {
			break
		}
		drawRow(c, n+1, cols, r)
	}
}
