package main

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"sandbox/internal/amount"
	"sandbox/internal/safe"
	"sandbox/repo"
	"sandbox/repo/client"
)

// row is one of several things on their way. On a terminal each has a line, so
// that what waits and what is done is seen beside what comes, and the last line is
// about all of them.
type row struct {
	ref         repo.Ref
	name        string
	done, total int64
	kept, extra int64
	state       string // "" while it waits
	pace        pace
}

// The states of a row.
const (
	rowComes    = "download"
	rowInstalls = "install"
	rowDone     = "done"
)

// mostRows is how many lines are painted at most, without the last one.
const mostRows = 8

// expect names what will come.
func (p *progress) expect(plan *client.Plan) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rows, p.pace = nil, pace{}
	for _, s := range plan.Steps {
		p.rows = append(p.rows, &row{ref: s.Release.Ref, name: string(s.Release.Ref.ID), total: s.Download})
	}
}

// row takes an event that is about one of the rows.
func (p *progress) row(e client.Event) bool {
	var r *row
	for _, other := range p.rows {
		if other.ref == e.Ref {
			r = other
		}
	}
	if r == nil {
		return false
	}
	fresh := r.state != e.Stage
	switch e.Stage {
	case rowComes:
		r.done, r.total, r.kept, r.extra = e.Done, e.Total, e.Kept, e.Extra
	case rowInstalls, rowDone:
		r.total = r.done // what did not have to come is not to come
	default:
		return false
	}
	r.state = e.Stage
	switch {
	case !p.paints:
		p.plain(r, fresh)
	case len(p.rows) == 1 && r.state == rowComes:
		p.stepLocked(e.Stage, r.name+" "+r.amount(p.now()), r.done, r.total)
	case len(p.rows) == 1 && r.state == rowInstalls:
		p.stepLocked(e.Stage, r.name, 0, 0)
	case len(p.rows) == 1:
	case p.due(fresh):
		p.paintLines(p.lines())
	}
	return true
}

// plain tells of a row without a terminal: at its start, every now and then, and
// at its end.
func (p *progress) plain(r *row, fresh bool) {
	switch r.state {
	case rowInstalls:
		p.stage = ""
		p.stepLocked(r.state, r.name, 0, 0)
		return
	case rowDone:
		return // the result says it
	}
	text := r.amount(p.now())
	if r.pace.due(p.now(), paceLines) || fresh || r.done >= r.total {
		p.stage = "" // a line each time
		p.stepLocked(r.state, r.name+" "+text, r.done, r.total)
	}
}

// lines are those of the first rows that are not done, and one of all.
func (p *progress) lines() []string {
	p.measure()
	shown := p.shown()
	const share, words = len("  100% "), len("100.0 MB of 100.0 MB, 100.0 kB/s, 1m10s left")
	wide := len("total")
	for _, r := range shown {
		wide = max(wide, min(utf8.RuneCountInString(r.name), max(12, p.width-6-share-words)))
	}
	bar := max(6, min(24, p.width-wide-share-words))
	line := func(name string, share int64, text string) string {
		return fmt.Sprintf("%-*s %s %s", wide, p.short(name, wide), p.bar(share, bar), text)
	}
	var lines []string
	for _, r := range shown {
		lines = append(lines, line(r.name, r.share(), r.said(p.now())))
	}
	var all row
	for _, r := range p.rows {
		all.done, all.total, all.kept, all.extra = all.done+r.done, all.total+r.total, all.kept+r.kept, all.extra+r.extra
	}
	text := arrived(&p.pace, "total", &all, p.now())
	return append(lines, line("total", percent(all.done, all.total), text))
}

// shown are as many rows as the terminal holds: what is done leaves first.
func (p *progress) shown() []*row {
	most := mostRows
	if p.height > 0 {
		most = min(most, max(0, p.height-2))
	}
	first := 0
	for first < len(p.rows) && p.rows[first].state == rowDone {
		first++
	}
	first = max(0, min(first-1, len(p.rows)-most))
	return p.rows[first:min(len(p.rows), first+most)]
}

// short leaves the end of a name: of an ID it says the most.
func (p *progress) short(name string, wide int) string {
	r, dots := []rune(safe.Text(name)), "…"
	if p.ascii {
		dots = "."
	}
	if len(r) > wide {
		return dots + string(r[len(r)-wide+1:])
	}
	return string(r)
}

// said is what there is to say of a row beside its bar.
func (r *row) said(now time.Time) string {
	switch r.state {
	case rowComes:
		if r.done >= r.total && r.total > 0 {
			return amount.Bytes(r.done) + " are here"
		}
		return r.amount(now)
	case rowInstalls:
		return "installing"
	case "":
		return amount.Bytes(r.total)
	}
	return r.state
}

// share is how much of a row is there, of 100.
func (r *row) share() int64 {
	if r.state == rowDone || r.state == rowInstalls {
		return 100
	}
	return percent(r.done, r.total)
}

func percent(done, total int64) int64 {
	if total <= 0 {
		return 0
	}
	return min(done, total) * 100 / total
}

func (p *progress) bar(percent int64, width int) string {
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

func (r *row) amount(now time.Time) string { return arrived(&r.pace, r.name, r, now) }

// arrived says how much came, how fast, and how long the rest will take. extra is
// what came besides, because the server sends no parts.
func arrived(p *pace, name string, r *row, now time.Time) string {
	rate, left := p.see(name, r.done-r.kept, r.total-r.kept, now)
	text := amount.Bytes(r.done)
	if r.total > 0 {
		text += " of " + amount.Bytes(r.total)
	}
	if r.extra >= 1<<20 {
		text += " and " + amount.Bytes(r.extra) + " more: the server sends only whole files"
	}
	if rate > 0 {
		text += ", " + amount.Bytes(rate) + "/s"
	}
	if left > 0 {
		text += ", " + left.Round(time.Second).String() + " left"
	}
	return text
}
