package main

import (
	"fmt"

	"github.com/gdamore/tcell/v2"

	"sandbox/cmd/sandbox-tui/model"
)

// pager scrolls through lines. A view embeds it.
type pager struct {
	lines  []model.Line
	rows   [][]glyph // of the lines at width
	width  int
	height int
	top    int
	follow bool // stay at the end
}

// set replaces the lines and stays where it was.
func (p *pager) set(lines []model.Line) { p.lines, p.rows = lines, nil }

func (p *pager) last() int { return max(0, len(p.rows)-p.height) }

func (p *pager) move(rows int) {
	p.top = max(0, min(p.top+rows, p.last()))
	p.follow = p.follow && p.top == p.last()
}

func (p *pager) draw(c canvas) {
	c = c.part(1, 0, c.w-2, c.h)
	if p.rows == nil || p.width != c.w {
		p.rows, p.width = wrap(p.lines, c.w), c.w
	}
	p.height = c.h
	if p.follow {
		p.top = p.last()
	}
	p.top = max(0, min(p.top, p.last()))
	for y, r := range p.rows[p.top:] {
		if y == c.h {
			break
		}
		c.row(y, r)
	}
}

// aside tells where in the text one is.
func (p *pager) aside() string {
	if len(p.rows) <= p.height || p.height == 0 {
		return ""
	}
	return fmt.Sprintf("%d-%d of %d", p.top+1, min(p.top+p.height, len(p.rows)), len(p.rows))
}

func (p *pager) scrolling() []binding {
	none := ""
	if p.last() == 0 {
		none = "all of it is shown"
	}
	list := []binding{
		{strokes: letters("j", tcell.KeyDown), keys: "↓ j", short: "↑↓", does: "scroll", do: func() { p.move(1) }},
		{strokes: letters("k", tcell.KeyUp), keys: "↑ k", does: "scroll up", do: func() { p.move(-1) }},
		{strokes: letters(" ", tcell.KeyPgDn, tcell.KeyCtrlF), keys: "PgDn Space", does: "a page down", do: func() { p.move(max(1, p.height-1)) }},
		{strokes: letters("b", tcell.KeyPgUp, tcell.KeyCtrlB), keys: "PgUp b", does: "a page up", do: func() { p.move(-max(1, p.height-1)) }},
		{strokes: letters("g", tcell.KeyHome), keys: "g Home", does: "to the top", do: func() { p.move(-len(p.rows)) }},
		{strokes: letters("G", tcell.KeyEnd), keys: "G End", does: "to the end", do: func() { p.move(len(p.rows)) }},
	}
	for i := range list {
		list[i].disabled = none
	}
	return list
}
