package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"sandbox/internal/cli"
	"sandbox/internal/safe"
)

// progress shows where long work stands: one line that is painted over on a
// terminal, or one for each of several things (rows.go). Elsewhere that is a line
// for each stage, or an object for whoever asked for JSON (events.go).
type progress struct {
	w     io.Writer
	now   func() time.Time
	ascii bool                       // the terminal shows nothing else
	size  func() (columns, rows int) // of the terminal; may be nil

	mu      sync.Mutex // guards what follows: several things are told of at a time
	paints  bool
	json    bool
	width   int
	height  int // 0: unknown
	stage   string
	painted bool
	last    time.Time
	pace    pace
	rows    []*row // several things on their way
	below   int    // lines that are painted under the first
}

// narrowest is how many columns painting needs.
const narrowest = 32

func newProgress(f *os.File) *progress {
	p := &progress{w: f, now: time.Now, width: 79, ascii: !unicodeLocale(os.Getenv)}
	if cli.Terminal(f) && os.Getenv("TERM") != "dumb" {
		p.size = func() (int, int) { return cli.Size(f) }
		columns, _ := p.size()
		p.paints = columns == 0 || columns >= narrowest
		p.measure()
	}
	return p
}

// measure looks how large the terminal is now.
func (p *progress) measure() {
	if p.size == nil {
		return
	}
	columns, lines := p.size()
	if columns > 1 {
		p.width = columns - 1 // the last column would wrap on some terminals
	}
	p.height = lines
}

// unicodeLocale is false where the user's words say that the terminal shows
// something else. Without any most terminals do.
func unicodeLocale(env func(string) string) bool {
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if value := strings.ToLower(env(name)); value != "" {
			return strings.Contains(value, "utf-8") || strings.Contains(value, "utf8")
		}
	}
	return true
}

const repaint = 80 * time.Millisecond

// step reports that stage has come to done of total, 0 when unknown.
func (p *progress) step(stage, text string, done, total int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stepLocked(stage, text, done, total)
}

func (p *progress) stepLocked(stage, text string, done, total int64) {
	fresh := stage != p.stage
	p.stage = stage
	if !p.paints {
		if fresh {
			fmt.Fprintf(p.w, "sandbox: %s: %s\n", safe.Text(stage), safe.Text(text))
		}
		return
	}
	if p.due(fresh || total > 0 && done >= total) {
		p.paint(stage, text, done, total)
	}
}

// due tells whether it is time to paint again.
func (p *progress) due(must bool) bool {
	now := p.now()
	if !must && now.Sub(p.last) < repaint {
		return false
	}
	p.last = now
	return true
}

// warn prints a line that stays.
func (p *progress) warn(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.erase()
	cli.Warn(p.w, "%s", text)
}

// note prints one that is no warning.
func (p *progress) note(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.erase()
	cli.Note(p.w, format, args...)
}

// clear removes what is painted, before anything else is printed.
func (p *progress) clear() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.erase()
}

func (p *progress) erase() {
	if p.painted && p.below == 0 {
		io.WriteString(p.w, "\r\x1b[K")
	} else if p.painted {
		io.WriteString(p.w, p.top()+"\x1b[J")
	}
	p.painted, p.below = false, 0
}

// top leads to the first painted line.
func (p *progress) top() string {
	if p.below > 0 {
		return fmt.Sprintf("\r\x1b[%dA", p.below)
	}
	return "\r"
}

func (p *progress) paint(stage, text string, done, total int64) {
	p.measure()
	line := fmt.Sprintf("%-10s", safe.Text(stage))
	if total > 0 {
		line += " " + p.bar(percent(done, total), max(6, min(24, p.width-76))) // the words need the room more
	}
	p.paintLines([]string{line + " " + safe.Text(text)})
}

// paintLines paints over what was painted before, in one piece: no terminal shows
// a half of it.
func (p *progress) paintLines(lines []string) {
	var b strings.Builder
	b.WriteString(p.top())
	for i, line := range lines {
		if i > 0 {
			b.WriteString("\n\r")
		}
		b.WriteString(cut(line, p.width) + "\x1b[K")
	}
	if len(lines)-1 < p.below {
		b.WriteString("\x1b[J")
	}
	io.WriteString(p.w, b.String())
	p.painted, p.below = true, len(lines)-1
}
