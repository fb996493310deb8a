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
// terminal, or one for each of several things (rows.go), and a line for each stage
// elsewhere.
type progress struct {
	w       io.Writer
	paints  bool
	width   int
	ascii   bool // the terminal shows nothing else
	stage   string
	painted bool
	last    time.Time
	now     func() time.Time
	pace    pace
	rows    []row // several things on their way
	below   int   // lines that are painted under the first
}

func newProgress(f *os.File) *progress {
	p := &progress{w: f, now: time.Now, width: 79, ascii: !unicodeLocale(os.Getenv)}
	if cli.Terminal(f) && os.Getenv("TERM") != "dumb" {
		p.paints = true
		if n := cli.Columns(f); n > 20 {
			p.width = n - 1 // the last column would wrap on some terminals
		}
	}
	return p
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
		if p.below > 0 {
			fmt.Fprintf(p.w, "\r\x1b[%dA\x1b[J", p.below)
		} else {
			io.WriteString(p.w, "\r\x1b[K")
		}
		p.painted, p.below = false, 0
	}
}

func (p *progress) paint(stage, text string, done, total int64) {
	if p.below > 0 {
		p.clear()
	}
	line := fmt.Sprintf("%-10s", safe.Text(stage))
	if total > 0 {
		line += " " + p.bar(min(done, total)*100/total)
	}
	line += " " + safe.Text(text)
	fmt.Fprintf(p.w, "\r\x1b[K%s", cut(line, p.width))
	p.painted = true
}
