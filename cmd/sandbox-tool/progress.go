package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"sandbox/internal/cli"
	"sandbox/internal/safe"
)

// progress shows where long work stands: one line that is painted over on a
// terminal, a line for each stage elsewhere.
type progress struct {
	w       io.Writer
	paints  bool
	width   int
	stage   string
	painted bool
	last    time.Time
	now     func() time.Time
	pace    pace
}

func newProgress(f *os.File) *progress {
	p := &progress{w: f, now: time.Now, width: 79}
	if cli.Terminal(f) && os.Getenv("TERM") != "dumb" {
		p.paints = true
		if n := cli.Columns(f); n > 20 {
			p.width = n - 1 // the last column would wrap on some terminals
		}
	}
	return p
}

const repaint = 80 * time.Millisecond

// step reports that stage has come to done of total, 0 when unknown.
func (p *progress) step(stage, text string, done, total int64) {
	fresh := stage != p.stage
	p.stage = stage
	if !p.paints {
		if fresh {
			fmt.Fprintf(p.w, "sandbox: %s: %s\n", safe.Text(stage), safe.Text(text))
		}
		return
	}
	if now := p.now(); fresh || now.Sub(p.last) >= repaint || total > 0 && done >= total {
		p.last = now
		p.paint(stage, text, done, total)
	}
}

// warn prints a line that stays.
func (p *progress) warn(text string) {
	p.clear()
	cli.Warn(p.w, "%s", text)
}

// clear removes the painted line, before anything else is printed.
func (p *progress) clear() {
	if p.painted {
		io.WriteString(p.w, "\r\x1b[K")
		p.painted = false
	}
}

const barWidth = 24

func (p *progress) paint(stage, text string, done, total int64) {
	line := []rune(safe.Text(stage))
	for len(line) < 10 {
		line = append(line, ' ')
	}
	if total > 0 {
		full := int(min(done, total) * barWidth / total)
		line = append(line, []rune(" "+strings.Repeat("━", full)+strings.Repeat("╌", barWidth-full))...)
		line = append(line, []rune(fmt.Sprintf(" %3d%%", min(done, total)*100/total))...)
	}
	line = append(line, []rune(" "+safe.Text(text))...)
	if len(line) > p.width {
		line = line[:p.width]
	}
	fmt.Fprintf(p.w, "\r\x1b[K%s", string(line))
	p.painted = true
}
