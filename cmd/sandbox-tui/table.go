package main

import (
	"slices"
	"strconv"

	"sandbox/cmd/sandbox-tui/model"
)

// column is one of the list's. Its place in the slice is its place on screen.
type column struct {
	head  string
	width int
	most  int // wider is of no use; equal to width for numbers
	rank  int // the least important goes first where there is no room
	right bool
	left  bool // what does not fit is cut at the left
	text  func(model.Row) string
}

const (
	marker  = 2 // room for the selection's mark
	between = 2
)

// columns chooses what fits into a width and how wide it is.
func columns(rows []model.Row, room int) []column {
	name := func(r model.Row) string { return r.Name }
	app := func(r model.Row) string { return r.App }
	all := []column{
		{head: "NAME", width: 10, most: widest(rows, name), rank: 0, text: name},
		{head: "APP", width: 10, most: widest(rows, app), rank: 5, left: true, text: app},
		{head: "STATE", width: 9, most: 9, rank: 1, text: func(r model.Row) string { return r.State }},
		{head: "UPTIME", width: 7, most: 7, rank: 4, right: true, text: func(r model.Row) string { return r.Uptime }},
		{head: "CPU%", width: 5, most: 5, rank: 3, right: true, text: func(r model.Row) string { return r.CPU }},
		{head: "MEMORY", width: 10, most: 10, rank: 2, right: true, text: func(r model.Row) string { return r.Memory }},
		{head: "PIDS", width: 5, most: 5, rank: 6, right: true, text: func(r model.Row) string { return r.Pids }},
	}
	left := room - marker
	for _, c := range all {
		left -= c.width + between
	}
	for rank := 6; left < -between && rank > 0; rank-- {
		i := slices.IndexFunc(all, func(c column) bool { return c.rank == rank })
		left += all[i].width + between
		all = slices.Delete(all, i, i+1)
	}
	left += between // none behind the last
	for i := range all {
		c := &all[i]
		more := max(min(c.most-c.width, left), 0)
		if left < 0 && c.rank == 0 {
			more = max(left, 1-c.width)
		}
		c.width += more
		left -= more
	}
	return all
}

func widest(rows []model.Row, text func(model.Row) string) int {
	most := 0
	for _, r := range rows {
		most = max(most, width(split(text(r))))
	}
	return min(most, 44)
}

func drawHead(c canvas, cols []column) {
	x := marker
	for _, col := range cols {
		cell := c.part(x, 0, col.width, 1)
		if col.right {
			cell.right(0, c.theme.style(model.Dim), col.head)
		} else {
			cell.put(0, 0, c.theme.style(model.Dim), col.head)
		}
		x += col.width + between
	}
}

// drawRow marks the selection with a sign, reversed video and the cursor, which
// screen readers follow.
func drawRow(c canvas, y int, cols []column, r model.Row) {
	plain := c.theme.style(model.Plain).Reverse(r.Selected)
	if r.Selected {
		c.fill(y, " ", plain)
		c.put(0, y, plain, ">")
		if y < c.h {
			c.screen.ShowCursor(c.x, c.y+y)
		}
	}
	x := marker
	for _, col := range cols {
		style := plain
		if col.head == "STATE" && !r.Selected {
			style = c.theme.style(r.Tone)
		}
		cell, text := c.part(x, y, col.width, 1), split(col.text(r))
		if col.left {
			text = cutLeft(text, col.width)
		}
		text = cut(text, cell.w)
		from := 0
		if col.right {
			from = max(0, cell.w-width(text))
		}
		if y < c.h {
			cell.glyphs(from, 0, style, text)
		}
		x += col.width + between
	}
}

func quote(s string) string { return strconv.Quote(s) }
