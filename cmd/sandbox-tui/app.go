package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"time"

	"github.com/gdamore/tcell/v2"
	"github.com/rivo/tview"

	"sandbox/cmd/sandbox-tui/model"
	"sandbox/internal/hint"
	"sandbox/internal/safe"
)

// view is one screen. All its methods run on the thread that draws.
type view interface {
	title() string
	aside() string // at the right of the title
	bindings() []binding
	draw(c canvas)
	refreshed() // the list of instances is new
}

// typing is a view that takes text.
type typing interface {
	typed(ev *tcell.EventKey) bool // whether the key was part of it
	pasted(text string)
}

// over is a view drawn over the one below it.
type over interface{ over() }

// app is the stack of views and the only two ways between threads: work leaves
// the one that draws, show returns to it.
type app struct {
	world   world
	theme   theme
	running model.Running
	views   []view
	message model.Span // the status line

	screen tcell.Screen
	loop   *tview.Application
	wake   chan struct{}
	now    func() time.Time
	spawn  func(func()) // starts a goroutine; tests do it at once
	show   func(func()) // for other threads only; waits until it is done
}

func newApp(w world, t theme) *app {
	a := &app{world: w, theme: t, wake: make(chan struct{}, 1), now: time.Now, loop: tview.NewApplication()}
	a.spawn = func(f func()) {
		go func() {
			defer a.rescue()
			f()
		}()
	}
	// After the loop has ended this waits for ever, and the program is at its end.
	a.show = func(f func()) { a.loop.QueueUpdateDraw(f) }
	a.views = []view{&runningView{app: a}}
	return a
}

// run shows the app on a screen until the person leaves.
func (a *app) run(screen tcell.Screen) error {
	s := &steady{Screen: screen}
	a.screen = s
	a.loop.SetScreen(s)
	if s.err != nil {
		return fmt.Errorf("cannot use the terminal: %w", s.err)
	}
	defer s.Fini()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	a.loop.EnablePaste(true).SetRoot(newRoot(a), true)
	a.spawn(func() { a.watch(ctx) })
	return a.loop.Run()
}

// rescue gives the terminal back when a goroutine fails; the widget library
// does so for its own only.
func (a *app) rescue() {
	if p := recover(); p != nil {
		stack := debug.Stack()
		if a.screen != nil {
			a.screen.Fini()
		}
		fmt.Fprintf(os.Stderr, "sandbox: internal error: %s\n%s", safe.Text(fmt.Sprint(p)), stack)
		os.Exit(2)
	}
}

// work does something off the thread that draws. What do returns is then done
// on it.
func (a *app) work(do func() (after func())) {
	a.spawn(func() { a.show(do()) })
}

const interval = time.Second

// watch reads the instances again and again, never twice at a time.
func (a *app) watch(ctx context.Context) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		list, err := a.world.List()
		now := a.now()
		a.show(func() { a.refresh(list, err, now) })
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-a.wake:
		}
	}
}

func (a *app) refresh(list []model.Instance, err error, now time.Time) {
	if err != nil {
		a.running.Fail(err)
	} else {
		a.running.Update(list, now)
	}
	// A view may leave the stack when what it is about has ended.
	for _, v := range append([]view{}, a.views...) {
		v.refreshed()
	}
}

// hurry asks for the next reading now.
func (a *app) hurry() {
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

func (a *app) top() view { return a.views[len(a.views)-1] }

func (a *app) open(v view) { a.views = append(a.views, v) }

// close takes a view off the stack. The first stays.
func (a *app) close(v view) {
	for i := len(a.views) - 1; i > 0; i-- {
		if a.views[i] == v {
			a.views = append(a.views[:i:i], a.views[i+1:]...)
			return
		}
	}
}

func (a *app) quit() { a.loop.Stop() }

// say writes to the status line, until the next key.
func (a *app) say(tone model.Tone, format string, args ...any) {
	a.message = model.Span{Text: safe.Sprintf(format, args...), Tone: tone}
}

func (a *app) fail(err error) {
	text := err.Error()
	if way := hint.Of(err); way != "" && !errors.Is(err, errGone) {
		text += " (" + way + ")"
	}
	a.say(model.Bad, "%s", text)
}

// key does what a key is bound to.
func (a *app) key(ev *tcell.EventKey) {
	a.message = model.Span{}
	s, plain := strokeOf(ev)
	if s.key == tcell.KeyCtrlC {
		a.quit()
		return
	}
	if t, ok := a.top().(typing); ok && t.typed(ev) {
		return
	}
	if !plain {
		return
	}
	for _, b := range append(a.top().bindings(), a.global()...) {
		if !b.has(s) {
			continue
		}
		if b.disabled != "" {
			a.say(model.Warn, "%s is not possible: %s", b.does, b.disabled)
			return
		}
		b.do()
		return
	}
}

// paste gives pasted text to what takes text. As keys it could stop an app.
func (a *app) paste(text string) {
	if t, ok := a.top().(typing); ok {
		t.pasted(text)
		return
	}
	a.say(model.Warn, "pasted text does nothing here: / takes it as a filter")
}

// global are the keys that work everywhere.
func (a *app) global() []binding {
	return []binding{
		{strokes: letters("", tcell.KeyCtrlL), keys: "Ctrl-L", does: "repaint", why: "When something else has written on the terminal.", do: func() { a.screen.Sync() }},
		{strokes: letters("", tcell.KeyCtrlZ), keys: "Ctrl-Z", does: "suspend", why: "'fg' in the shell comes back.", do: a.suspend},
		{strokes: letters("", tcell.KeyCtrlC), keys: "Ctrl-C", does: "quit at once", why: "Apps keep running.", do: a.quit},
	}
}

// draw shows the topmost whole view and what lies over it.
func (a *app) draw(c canvas) {
	if c.w < minWidth || c.h < minHeight {
		c.put(0, 0, c.theme.style(model.Plain), "too small; q quits")
		return
	}
	base := len(a.views) - 1
	for base > 0 {
		if _, ok := a.views[base].(over); !ok {
			break
		}
		base--
	}
	body := c.part(0, 1, c.w, c.h-3)
	if a.message.Text != "" {
		c.put(1, c.h-2, c.theme.style(a.message.Tone), a.message.Text)
	} else if err, since := a.running.Stale(); err != nil {
		text := err.Error()
		if a.running.Known() {
			text = "as of " + since.Format("15:04:05") + ": " + text
		}
		c.put(1, c.h-2, c.theme.style(model.Bad), text)
	}
	for _, v := range a.views[base:] {
		if _, ok := v.(typing); ok {
			v.draw(c.part(0, c.h-2, c.w, 1))
			continue
		}
		v.draw(body)
	}
	a.header(c, a.views[base]) // last: what it says of the place in a text is known by now
	drawFooter(c, c.h-1, a.top().bindings())
}

const minWidth, minHeight = 20, 5

func (a *app) header(c canvas, v view) {
	x := c.put(1, 0, c.theme.style(model.Strong), "sandbox")
	aside := v.aside()
	room := c.w - width(split(aside)) - 3
	c.part(0, 0, max(room, x), 1).put(x+2, 0, c.theme.style(model.Plain), v.title())
	if room > x {
		c.part(0, 0, c.w-1, 1).right(0, c.theme.style(model.Plain), aside)
	}
}
