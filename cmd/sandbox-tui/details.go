package main

import (
	"fmt"

	"sandbox/cmd/sandbox-tui/model"
	"sandbox/internal/amount"
)

// detailsView is all about one instance on the whole screen.
type detailsView struct {
	pager
	app   *app
	seen  model.Instance // as it was last seen
	ended bool
}

func newDetails(a *app, i model.Instance) *detailsView {
	v := &detailsView{app: a, seen: i}
	v.refreshed()
	return v
}

func (v *detailsView) title() string {
	text := "Running > " + v.seen.Name
	switch {
	case v.ended:
		return text + " (has ended)"
	case v.app.running.Busy(v.seen.Key) != "":
		return text + " (" + v.app.running.Busy(v.seen.Key) + ")"
	case v.seen.Paused:
		return text + " (paused)"
	}
	return text
}

func (v *detailsView) refreshed() {
	i, ok := v.app.running.Find(v.seen.Key)
	if ok {
		v.seen = i
	}
	v.ended = !ok
	if _, now := v.app.running.Stale(); ok {
		v.set(model.Details(v.seen, now, true))
	}
}

func (v *detailsView) bindings() []binding {
	gone := ""
	if v.ended {
		gone = v.seen.Name + " has ended"
	}
	return append(append(v.app.steering(v.seen, gone), v.scrolling()...), v.app.help(v), v.app.back(v))
}

// more says what a short description leaves out: its rows from the given one
// on are not shown.
func more(i model.Instance, lines []model.Line, width, shown int) string {
	grants, _ := model.Grants(i.Permissions)
	whole := 0 // lines that are shown to their end
	for whole < len(lines) && len(wrap(lines[:whole+1], width)) <= shown {
		whole++
	}
	first := min(max(whole-1, 0), len(grants)) // the first line is the heading
	hidden := grants[first:]
	switch bad := model.Dangerous(hidden); {
	case bad > 0:
		return fmt.Sprintf("… %s (%d dangerous): Enter shows all", amount.Of(len(hidden), "more permission"), bad)
	case len(hidden) > 0:
		return fmt.Sprintf("… %s: Enter shows all", amount.Of(len(hidden), "more permission"))
	}
	return "… Enter shows the rest"
}
