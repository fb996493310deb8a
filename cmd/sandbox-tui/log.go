package main

import (
	"strings"

	"github.com/gdamore/tcell/v2"

	"sandbox/cmd/sandbox-tui/model"
)

// logView shows what a detached instance has written, and goes on doing so.
type logView struct {
	pager
	app     *app
	of      model.Key
	data    string
	loaded  bool
	reading bool
}

func newLog(a *app, of model.Key) *logView {
	v := &logView{app: a, of: of, pager: pager{follow: true}}
	v.refreshed()
	return v
}

func (v *logView) title() string {
	text := "Running > " + v.of.Name + " > log"
	if _, ok := v.app.running.Find(v.of); !ok {
		return text + " (has ended)"
	}
	return text
}

func (v *logView) aside() string {
	if v.follow {
		return strings.TrimSpace(v.pager.aside() + "  following")
	}
	return v.pager.aside()
}

// refreshed reads the log again, unless that is still going on.
func (v *logView) refreshed() {
	if v.reading {
		return
	}
	v.reading = true
	v.app.work(func() func() {
		data, whole, err := v.app.world.Log(v.of)
		var lines []model.Line
		if err == nil {
			lines = model.LogLines(data, whole)
		}
		return func() {
			v.reading = false
			switch {
			case err != nil:
				v.app.fail(err)
			case !v.loaded || data != v.data:
				v.data = data
				v.set(lines)
			}
			v.loaded = true
		}
	})
}

func (v *logView) draw(c canvas) {
	if v.loaded && len(v.lines) == 0 {
		c.put(1, 0, c.theme.style(model.Plain), "Nothing has been written yet.")
		return
	}
	v.pager.draw(c)
}

func (v *logView) bindings() []binding {
	follow := binding{strokes: letters("f"), short: "f", does: "follow", why: "Stay at the end while more is written.", do: func() { v.follow = true }}
	if v.follow {
		follow.does, follow.do = "stand still", func() { v.follow = false }
	}
	list := v.scrolling()
	for i := range list {
		if list[i].has(stroke{key: tcell.KeyEnd}) {
			list[i].do = func() { v.follow = true }
		}
	}
	return append(append([]binding{follow}, list...), v.app.help(v), v.app.back(v))
}
