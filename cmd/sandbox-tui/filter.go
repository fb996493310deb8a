package main

import (
	"strings"

	"github.com/gdamore/tcell/v2"
	"github.com/rivo/tview"

	"sandbox/internal/safe"
)

// filterView takes the text of a filter on the status line; the list follows
// with every key.
type filterView struct {
	app   *app
	input *tview.InputField
}

func newFilter(a *app) *filterView {
	f := tview.NewInputField().SetLabel("filter: ").SetText(a.running.Filter())
	f.SetFieldStyle(tcell.StyleDefault).SetLabelStyle(tcell.StyleDefault.Bold(true)).SetBackgroundColor(tcell.ColorDefault)
	f.Focus(func(tview.Primitive) {})
	return &filterView{a, f}
}

func (v *filterView) over()         {}
func (v *filterView) title() string { return "filter" }
func (v *filterView) aside() string { return "" }
func (v *filterView) refreshed()    {}

func (v *filterView) bindings() []binding {
	return []binding{
		{short: "Enter", does: "keep"},
		{short: "↑↓", does: "select"},
		{short: "Ctrl-U", does: "clear"},
		{short: "Esc", does: "show all"},
	}
}

func (v *filterView) typed(ev *tcell.EventKey) bool {
	m := &v.app.running
	switch ev.Key() {
	case tcell.KeyEnter:
		v.app.close(v)
	case tcell.KeyEsc:
		m.SetFilter("")
		v.app.close(v)
	case tcell.KeyUp:
		m.Move(-1)
	case tcell.KeyDown:
		m.Move(1)
	case tcell.KeyCtrlL, tcell.KeyCtrlZ:
		return false
	default:
		v.input.InputHandler()(ev, func(tview.Primitive) {})
		m.SetFilter(v.input.GetText())
	}
	return true
}

// pasted takes the first line, made visible where it is not.
func (v *filterView) pasted(text string) {
	text, _, _ = strings.Cut(strings.TrimLeft(text, "\r\n"), "\n")
	v.input.PasteHandler()(safe.Text(text), func(tview.Primitive) {})
	v.app.running.SetFilter(v.input.GetText())
}

func (v *filterView) draw(c canvas) {
	c.clear()
	v.input.SetRect(c.x+1, c.y, max(0, c.w-2), c.h)
	v.input.Draw(c.screen)
}
