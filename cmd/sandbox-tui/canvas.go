package main

import (
	"strings"

	"github.com/gdamore/tcell/v2"

	"sandbox/cmd/sandbox-tui/model"
	"sandbox/internal/safe"
)

// canvas is a rectangle of the screen. All text gets there through put, which
// escapes it and writes it cell by cell: there are no style tags in it that a
// hostile name could use ("[red]x"; escaping such tags can be got round).
type canvas struct {
	screen     tcell.Screen
	theme      theme
	x, y, w, h int
}

// part is a rectangle within, cut to fit.
func (c canvas) part(x, y, w, h int) canvas {
	x, y = min(max(x, 0), c.w), min(max(y, 0), c.h)
	return canvas{c.screen, c.theme, c.x + x, c.y + y, max(0, min(w, c.w-x)), max(0, min(h, c.h-y))}
}

// put writes text from x to the right, ending in "…" when it does not fit, and
// returns the column behind it.
func (c canvas) put(x, y int, style tcell.Style, text string) int {
	if y < 0 || y >= c.h || x < 0 {
		return x
	}
	return c.glyphs(x, y, style, cut(split(safe.Text(text)), c.w-x))
}

// right writes text so that it ends at the right edge.
func (c canvas) right(y int, style tcell.Style, text string) {
	g := cut(split(safe.Text(text)), c.w)
	if y >= 0 && y < c.h {
		c.glyphs(c.w-width(g), y, style, g)
	}
}

func (c canvas) glyphs(x, y int, style tcell.Style, list []glyph) int {
	for _, g := range list {
		if x+g.width > c.w {
			break
		}
		c.screen.Put(c.x+x, c.y+y, g.text, style)
		x += g.width
	}
	return x
}

// row writes a row that wrap made.
func (c canvas) row(y int, list []glyph) {
	if y < 0 || y >= c.h {
		return
	}
	x := 0
	for _, g := range list {
		x = c.glyphs(x, y, c.theme.style(g.tone), []glyph{g})
	}
}

// fill paints a row in a style.
func (c canvas) fill(y int, text string, style tcell.Style) {
	if y >= 0 && y < c.h {
		for x := range c.w {
			c.screen.Put(c.x+x, c.y+y, text, style)
		}
	}
}

// clear empties the rectangle.
func (c canvas) clear() {
	for y := range c.h {
		c.fill(y, " ", tcell.StyleDefault)
	}
}

// frame draws a border inside the rectangle.
func (c canvas) frame(style tcell.Style) {
	if c.w < 2 || c.h < 2 {
		return
	}
	bar := strings.Repeat("─", c.w-2)
	c.put(0, 0, style, "┌"+bar+"┐")
	c.put(0, c.h-1, style, "└"+bar+"┘")
	for y := 1; y < c.h-1; y++ {
		c.put(0, y, style, "│")
		c.put(c.w-1, y, style, "│")
	}
}

// glyph is what occupies one place on the screen: a letter with its marks.
type glyph struct {
	text  string
	width int
	tone  model.Tone
}

// split takes text apart as the screen will, so that columns cannot be shifted
// by what only one of the two takes for wide.
func split(text string) []glyph {
	out := make([]glyph, 0, len(text))
	var ruler tcell.CellBuffer
	for text != "" {
		// A letter with another behind it stands alone.
		if text[0] < 0x80 && (len(text) == 1 || text[1] < 0x80) {
			out, text = append(out, glyph{text[:1], 1, 0}), text[1:]
			continue
		}
		if w, _ := ruler.Size(); w == 0 {
			ruler.Resize(4, 1)
		}
		rest, w := ruler.Put(0, 0, text, tcell.StyleDefault)
		if w > 0 {
			out = append(out, glyph{text[:len(text)-len(rest)], w, 0})
		}
		text = rest
	}
	return out
}

func width(list []glyph) (w int) {
	for _, g := range list {
		w += g.width
	}
	return w
}

// cut shortens from the right.
func cut(list []glyph, most int) []glyph {
	if width(list) <= most {
		return list
	}
	used := 0
	for i, g := range list {
		if used+g.width > most-1 {
			list = list[:i:i]
			break
		}
		used += g.width
	}
	if most < 1 {
		return nil
	}
	return append(list, glyph{"…", 1, 0})
}

// cutLeft shortens from the left: what tells ids apart is at their end.
func cutLeft(list []glyph, most int) []glyph {
	if width(list) <= most {
		return list
	}
	for len(list) > 0 && width(list) > most-1 {
		list = list[1:]
	}
	if most < 1 {
		return nil
	}
	return append([]glyph{{"…", 1, 0}}, list...)
}
