package main

import "time"

// bytes reports how much of a download is there, how fast it comes and how long
// it will take. Without a terminal that is a line at the start and one every now
// and then.
func (p *progress) bytes(stage, name string, done, total, extra int64) {
	text := name + " " + arrived(&p.pace, name, &row{done: done, total: total, extra: extra}, p.now())
	if !p.paints && !p.pace.due(p.now(), paceLines) && (done < total || total == 0) {
		return
	}
	if !p.paints {
		p.stage = "" // a line each time
	}
	p.stepLocked(stage, text, done, total)
}

// pace measures how fast something comes, over the last seconds.
type pace struct {
	name  string
	start time.Time
	marks []mark // the oldest first
	line  time.Time
}

type mark struct {
	at   time.Time
	done int64
}

const (
	paceWindow = 5 * time.Second
	paceMarks  = 64
	paceLines  = 10 * time.Second
)

// see notes a state and returns bytes a second and what is left, 0 when that
// cannot be told yet.
func (p *pace) see(name string, done, total int64, now time.Time) (rate int64, left time.Duration) {
	if name != p.name || len(p.marks) > 0 && done < p.marks[len(p.marks)-1].done {
		*p = pace{name: name, start: now}
	}
	if n := len(p.marks); n == 0 || now.Sub(p.marks[n-1].at) >= paceWindow/paceMarks {
		p.marks = append(p.marks, mark{now, done})
	}
	for len(p.marks) > 2 && now.Sub(p.marks[0].at) > paceWindow {
		p.marks = p.marks[1:]
	}
	span := now.Sub(p.marks[0].at)
	if span < 500*time.Millisecond {
		return 0, 0
	}
	rate = int64(float64(done-p.marks[0].done) / span.Seconds())
	if rate > 0 && total > done {
		left = time.Duration(float64(total-done) / float64(rate) * float64(time.Second))
	}
	return rate, left
}

// due reports whether a line is due, when there is one in each interval.
func (p *pace) due(now time.Time, interval time.Duration) bool {
	if now.Sub(p.line) < interval {
		return false
	}
	p.line = now
	return true
}
