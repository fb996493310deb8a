package main

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gdamore/tcell/v2"
	"github.com/gdamore/tcell/v2/terminfo"

	"sandbox/internal/e2e"
)

// recorder is a terminal that remembers what it was sent.
type recorder struct {
	mu     sync.Mutex
	sent   bytes.Buffer
	w, h   int
	closed chan struct{}
	once   sync.Once
}

func newRecorder(w, h int) *recorder { return &recorder{w: w, h: h, closed: make(chan struct{})} }

func (r *recorder) Start() error        { return nil }
func (r *recorder) Stop() error         { return nil }
func (r *recorder) NotifyResize(func()) {}
func (r *recorder) Drain() error        { r.once.Do(func() { close(r.closed) }); return nil }
func (r *recorder) Close() error        { return r.Drain() }
func (r *recorder) Read([]byte) (int, error) {
	<-r.closed
	return 0, errors.New("closed")
}

func (r *recorder) WindowSize() (tcell.WindowSize, error) {
	return tcell.WindowSize{Width: r.w, Height: r.h}, nil
}

func (r *recorder) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.sent.Write(p)
}

func (r *recorder) take() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	defer r.sent.Reset()
	return r.sent.String()
}

// onRecorder puts a bench's app on a terminal.
func onRecorder(t *testing.T, w, h int) (*bench, *recorder) {
	t.Helper()
	t.Setenv("NO_COLOR", "")
	ti, err := terminfo.LookupTerminfo("xterm-256color")
	if err != nil {
		t.Fatal(err)
	}
	tty := newRecorder(w, h)
	screen, err := tcell.NewTerminfoScreenFromTtyTerminfo(tty, ti)
	if err != nil {
		t.Fatal(err)
	}
	b := newBench(t, w, h, true)
	s := &steady{Screen: screen}
	if err := s.Init(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Fini)
	b.app.screen = s
	return b, tty
}

func TestOnlyChangesAreSent(t *testing.T) {
	b, tty := onRecorder(t, 120, 40)
	b.press("tick tick")
	if first := tty.take(); len(first) < 500 {
		t.Fatalf("the first frame is %d bytes: %q", len(first), first)
	}
	b.draw()
	if again := tty.take(); len(again) > 64 {
		t.Errorf("a frame without changes is %d bytes: %q", len(again), again)
	}
	b.press("tick")
	if ticked := tty.take(); len(ticked) > 600 {
		t.Errorf("a second later %d bytes are sent: %q", len(ticked), ticked)
	}
}

// No byte of a control sequence comes from an app.
func TestNothingHostileIsSent(t *testing.T) {
	b, tty := onRecorder(t, 120, 40)
	b.world.list = hostile()
	b.world.log = "\x1b]52;c;AAAA\a\x1bPq\x1b\\\x9b2J[red]x\n"
	for i := range b.world.list {
		b.world.list[i].Detached = true
	}
	b.press("tick Enter q s Esc K Esc j j j Enter q l q j Enter q ? q / [red]")
	sent := tty.take()
	for _, part := range []string{"\x1b]0;", "\x1b]52;", "\x1b]8;", "\x1bP", "\a", "\x1b[1A", "\x9b", "\u009b", "\u202e", "\u2066", "\u200b", "\ufeff", "\U000e0041"} {
		if strings.Contains(sent, part) {
			t.Errorf("%q reached the terminal", part)
		}
	}
}

// The event loop, on a screen that is resized by somebody who cannot decide.
func TestLoop(t *testing.T) {
	sim := tcell.NewSimulationScreen("UTF-8")
	a := newApp(&fake{list: three()}, theme{true})
	ended := make(chan error, 1)
	go func() { ended <- a.run(sim) }()
	on := func(do func()) { a.loop.QueueUpdate(do) }
	sees := func(text string) {
		t.Helper()
		var got string
		if !e2e.Within(5*time.Second, func() bool {
			on(func() { got = a.top().title() + a.message.Text })
			return strings.Contains(got, text)
		}) {
			t.Fatalf("no %q but %q", text, got)
		}
	}
	if !e2e.Within(5*time.Second, func() bool {
		n := 0
		on(func() { n = a.running.Len() })
		return n == 3
	}) {
		t.Fatal("nothing was read")
	}
	sim.InjectKey(tcell.KeyEnter, 0, 0)
	sees("Running > editor")
	for n := range 60 {
		w, h := n*7%130, n*5%45
		on(func() { sim.SetSize(w, h) })
		sim.PostEvent(tcell.NewEventResize(w, h))
	}
	on(func() { sim.SetSize(80, 24) })
	sim.InjectKey(tcell.KeyEsc, 0, 0)
	sees("Running")
	sim.InjectKey(tcell.KeyRune, 'p', 0)
	sees("editor is paused")
	sim.InjectKey(tcell.KeyRune, 'q', 0)
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(5 * time.Second):
		t.Fatal("q does not quit")
	}
}

const (
	otherScreen = "\x1b[?1049h" // the terminal's second screen, and back
	firstScreen = "\x1b[?1049l"
)

// A failure of ours leaves a terminal that can be worked in.
func TestTerminalIsGivenBack(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, where := range []string{"work", "draw"} {
		t.Run(where, func(t *testing.T) {
			h := e2e.NewHome(t)
			p := h.OnPty(e2e.Cmd{Program: self, Env: []string{"SANDBOX_TUI_CRASH=" + where}})
			before := p.Termios()
			p.Expect("a bug", 20*time.Second)
			if code := p.Wait(20 * time.Second); code != 2 {
				t.Errorf("exit status %d", code)
			}
			out := p.Output()
			in, back, said := strings.LastIndex(out, otherScreen), strings.LastIndex(out, firstScreen), strings.LastIndex(out, "a bug")
			if in < 0 || back < in || said < back {
				t.Fatalf("screen entered at %d, left at %d, failure told at %d: %q", in, back, said, out)
			}
			if strings.LastIndex(out, "\x1b[?25h") < strings.LastIndex(out, "\x1b[?25l") {
				t.Errorf("the cursor stays hidden: %q", out)
			}
			if where == "work" && strings.Contains(out[max(back, 0):], "\x1b[2J") {
				t.Errorf("the failure is told with its escapes: %q", out[back:])
			}
			if after := p.Termios(); after.Lflag != before.Lflag {
				t.Errorf("local modes %#x, before %#x", after.Lflag, before.Lflag)
			}
		})
	}
}
