package main

import (
	"os"
	"os/signal"
	"syscall"

	"github.com/gdamore/tcell/v2"
	"github.com/rivo/tview"
)

// root is the one widget that the library sees: it hands the screen and the
// keys to the app.
type root struct {
	*tview.Box
	app *app
}

func newRoot(a *app) *root { return &root{tview.NewBox(), a} }

func (r *root) Draw(screen tcell.Screen) {
	x, y, w, h := r.GetRect()
	screen.HideCursor()
	r.app.draw(canvas{screen, r.app.theme, x, y, w, h})
}

func (r *root) InputHandler() func(*tcell.EventKey, func(tview.Primitive)) {
	return func(ev *tcell.EventKey, _ func(tview.Primitive)) { r.app.key(ev) }
}

func (r *root) PasteHandler() func(string, func(tview.Primitive)) {
	return func(text string, _ func(tview.Primitive)) { r.app.paste(text) }
}

// suspend stops this process as the shell's Ctrl-Z would, with the terminal
// given back for the time.
func (a *app) suspend() {
	a.loop.Suspend(func() { syscall.Kill(syscall.Getpid(), syscall.SIGSTOP) })
}

// obeySignals gives the terminal back before the process ends of a signal.
func (a *app) obeySignals() {
	ch := make(chan os.Signal, 1)
	signal.Notify(ch, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGINT)
	a.spawn(func() {
		sig := (<-ch).(syscall.Signal)
		if a.screen != nil {
			a.screen.Fini()
		}
		os.Exit(128 + int(sig))
	})
}
