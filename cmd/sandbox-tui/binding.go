package main

import (
	"strings"

	"github.com/gdamore/tcell/v2"

	"sandbox/cmd/sandbox-tui/model"
)

// stroke is a key: a rune, or one that has none.
type stroke struct {
	key  tcell.Key
	rune rune
}

// letters are strokes for the runes of a text.
func letters(text string, more ...tcell.Key) []stroke {
	var out []stroke
	for _, r := range text {
		out = append(out, stroke{tcell.KeyRune, r})
	}
	for _, k := range more {
		out = append(out, stroke{key: k})
	}
	return out
}

// binding is what a key does. Footer and help are made from it.
type binding struct {
	strokes   []stroke
	keys      string // as help spells them
	short     string // as the footer does; "" is not in the footer
	does      string // "stop"
	why       string // a sentence for help
	dangerous bool   // something may be lost; asked about first
	disabled  string // why it cannot be done now; "" when it can
	do        func()
}

func (b binding) has(s stroke) bool {
	for _, own := range b.strokes {
		if own == s {
			return true
		}
	}
	return false
}

// strokeOf is the key of an event. With Alt or Ctrl a letter is another key.
func strokeOf(ev *tcell.EventKey) (stroke, bool) {
	if ev.Key() == tcell.KeyRune {
		return stroke{tcell.KeyRune, ev.Rune()}, ev.Modifiers()&(tcell.ModAlt|tcell.ModCtrl|tcell.ModMeta) == 0
	}
	return stroke{key: ev.Key()}, true
}

// drawFooter shows as many keys as fit. The last two, help and the way out,
// always have a place.
func drawFooter(c canvas, y int, list []binding) {
	var shown []binding
	for _, b := range list {
		if b.short != "" {
			shown = append(shown, b)
		}
	}
	tail := max(0, len(shown)-2)
	reserved := 0
	for _, b := range shown[tail:] {
		reserved += b.room()
	}
	x := 1
	for i, b := range shown {
		if i < tail && x+b.room()+reserved > c.w+2 {
			continue
		}
		x = b.draw(c, x, y) + 2
	}
}

const gap = 2

// room is the width of an entry with the gap behind it.
func (b binding) room() int { return width(split(b.short+" "+b.does)) + gap }

func (b binding) draw(c canvas, x, y int) int {
	key, text := c.theme.style(model.Strong), c.theme.style(model.Plain)
	if b.disabled != "" {
		key, text = c.theme.style(model.Dim), c.theme.style(model.Dim)
	}
	x = c.put(x, y, key, b.short)
	return c.put(x+1, y, text, b.does)
}

// helpLines explains keys.
func helpLines(list []binding) []model.Line {
	const column = 18
	var out []model.Line
	for _, b := range list {
		keys := b.keys
		if keys == "" {
			keys = b.short
		}
		l := model.Line{Hang: column, Spans: []model.Span{
			{Text: keys + strings.Repeat(" ", max(1, column-width(split(keys)))), Tone: model.Strong},
			{Text: b.does, Tone: model.Plain}}}
		if b.why != "" {
			l.Spans = append(l.Spans, model.Span{Text: " – " + b.why, Tone: model.Plain})
		}
		if b.dangerous {
			l.Spans = append(l.Spans, model.Span{Text: " Asks first.", Tone: model.Bad})
		}
		if b.disabled != "" {
			l.Spans = append(l.Spans, model.Span{Text: " Not now: " + b.disabled + ".", Tone: model.Warn})
		}
		out = append(out, l)
	}
	return out
}
