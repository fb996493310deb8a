package main

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"sandbox/internal/safe"
	"sandbox/repo/client"
)

// row is one of several things on their way. On a terminal each has a line, so
// that what waits and what is done is seen beside what comes.
type row struct {
	name        string
	done, total int64
	state       string // "" while it waits
}

// The states of a row.
const (
	rowComes    = "download"
	rowInstalls = "installing"
	rowDone     = "done"
)

// mostRows is how many lines are painted: a low terminal must hold them.
const mostRows = 8

// expect names what will come. One alone is told in the one line, as everything is.
func (p *progress) expect(plan *client.Plan) {
	p.rows = nil
	if len(plan.Steps) < 2 || !p.paints {
		return
	}
	for _, s := range plan.Steps {
		p.rows = append(p.rows, row{name: string(s.Release.Ref.ID), total: s.Download})
	}
}

// row takes an event that is about one of the rows.
func (p *progress) row(e client.Event) bool {
	i := p.rowOf(e)
	if i < 0 {
		return false
	}
	for j := range p.rows[:i] {
		p.rows[j].state = rowDone // one after the other
	}
	r := &p.rows[i]
	fresh := r.state != e.Stage
	if r.state = e.Stage; e.Stage == rowComes {
		r.done, r.total = e.Done, e.Total
	} else {
		r.state, r.done = rowInstalls, r.total
	}
	text := r.state
	if r.state == rowComes {
		text = p.amount(e.Text, e.Done, e.Total, e.Extra)
	}
	if now := p.now(); fresh || now.Sub(p.last) >= repaint || e.Done >= e.Total {
		p.last = now
		p.paintRows(i, text)
	}
	return true
}

// rowOf is the first row that an event can be about: two channels of one app have
// one name.
func (p *progress) rowOf(e client.Event) int {
	for i := range p.rows {
		if r := &p.rows[i]; r.name == e.Text && r.state != rowDone && (e.Stage == "install" || e.Stage == rowComes && r.state != rowInstalls) {
			return i
		}
	}
	return -1
}

// paintRows paints the rows around the one that text is about.
func (p *progress) paintRows(now int, text string) {
	first := max(0, min(now-mostRows/2, len(p.rows)-mostRows))
	last := min(len(p.rows), first+mostRows)
	wide := 0
	for _, r := range p.rows[first:last] {
		wide = max(wide, min(utf8.RuneCountInString(r.name), p.width/2))
	}
	p.clear()
	for i := first; i < last; i++ {
		r := &p.rows[i]
		said := r.state
		switch {
		case i == now:
			said = text
		case r.state == "" && r.total > 0:
			said = size(r.total)
		}
		line := fmt.Sprintf("%-*.*s %s %s", wide, wide, safe.Text(r.name), p.bar(r.share()), said)
		if i > first {
			fmt.Fprint(p.w, "\n")
		}
		fmt.Fprint(p.w, cut(line, p.width))
	}
	p.painted, p.below = true, last-first-1
}

// share is how much of a row is there, of 100.
func (r *row) share() int64 {
	switch {
	case r.state == rowDone || r.state == rowInstalls:
		return 100
	case r.total <= 0:
		return 0
	}
	return min(r.done, r.total) * 100 / r.total
}

func (p *progress) bar(percent int64) string {
	width := max(6, min(24, (p.width-30)/2)) // the words need room on a narrow terminal
	full := int(percent) * width / 100
	done, rest := "━", "╌"
	if p.ascii {
		done, rest = "#", "."
	}
	return strings.Repeat(done, full) + strings.Repeat(rest, width-full) + fmt.Sprintf(" %3d%%", percent)
}

func cut(line string, width int) string {
	if r := []rune(line); len(r) > width {
		return string(r[:width])
	}
	return line
}

// amount says how much came, how fast, and how long the rest will take. extra is
// what came besides, because the server sends no parts.
func (p *progress) amount(name string, done, total, extra int64) string {
	rate, left := p.pace.see(name, done, total, p.now())
	text := size(done)
	if total > 0 {
		text += " of " + size(total)
	}
	if extra >= 1<<20 {
		text += " and " + size(extra) + " more: the server sends only whole files"
	}
	if rate > 0 {
		text += ", " + size(rate) + "/s"
	}
	if left > 0 {
		text += ", " + left.Round(time.Second).String() + " left"
	}
	return text
}
