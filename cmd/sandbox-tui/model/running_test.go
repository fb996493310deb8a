package model

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

var noon = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

func instance(name string, pid int) Instance {
	return Instance{Key: Key{name, pid}, App: "org.example." + name, Started: noon.Add(-time.Minute), CPU: -1, Memory: -1, Pids: -1, OOM: -1}
}

func names(r *Running) string {
	var out []string
	for _, row := range r.Rows() {
		name := row.Name
		if row.Selected {
			name = "[" + name + "]"
		}
		out = append(out, name)
	}
	return strings.Join(out, " ")
}

func TestSelection(t *testing.T) {
	abc := []Instance{instance("a", 2), instance("b", 3), instance("c", 4)}
	for _, c := range []struct {
		name string
		do   func(r *Running)
		want string
	}{
		{"begins at the first", func(r *Running) {}, "[a] b c"},
		{"moves", func(r *Running) { r.Move(1) }, "a [b] c"},
		{"stops at the end", func(r *Running) { r.Move(9) }, "a b [c]"},
		{"stops at the beginning", func(r *Running) { r.Move(1); r.Move(-9) }, "[a] b c"},
		{"stays on its instance when others end", func(r *Running) { r.Move(1); r.Update(abc[1:], noon) }, "[b] c"},
		{"stays on its instance when others begin", func(r *Running) {
			r.Move(1)
			r.Update(append([]Instance{instance("z", 9)}, abc...), noon)
		}, "z a [b] c"},
		{"goes to the next when its instance ends", func(r *Running) { r.Move(1); r.Update([]Instance{abc[0], abc[2]}, noon) }, "a [c]"},
		{"goes to the last when the last ends", func(r *Running) { r.Move(2); r.Update(abc[:2], noon) }, "a [b]"},
		{"does not take a new run for the old one", func(r *Running) {
			r.Move(1)
			r.Update([]Instance{abc[0], abc[2], instance("b", 77)}, noon)
		}, "a [c] b"},
		{"survives an empty list", func(r *Running) { r.Move(2); r.Update(nil, noon); r.Update(abc, noon) }, "a b [c]"},
		{"stays under a filter that keeps it", func(r *Running) { r.Move(1); r.SetFilter("B") }, "[b]"},
		{"moves off what the filter hides", func(r *Running) { r.SetFilter("c") }, "[c]"},
		{"stays when the filter goes", func(r *Running) { r.SetFilter("c"); r.SetFilter("") }, "a b [c]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var r Running
			r.Update(slices.Clone(abc), noon)
			c.do(&r)
			if got := names(&r); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
		})
	}
}

func TestNothingSelectedUnderAFilterThatHidesAll(t *testing.T) {
	var r Running
	r.Update([]Instance{instance("a", 2)}, noon)
	r.SetFilter("zzz")
	if i, ok := r.Selected(); ok {
		t.Errorf("%v is acted upon and cannot be seen", i)
	}
	r.SetFilter("")
	if _, ok := r.Selected(); !ok {
		t.Error("nothing is selected again")
	}
}

func TestFilterLooksAtNameAppAndState(t *testing.T) {
	a, b := instance("one", 2), instance("two", 3)
	b.Paused = true
	for filter, want := range map[string]string{"ONE": "[one]", "example.two": "[two]", "paused": "[two]", "running": "[one]", "": "[one] two", "none": ""} {
		var r Running
		r.Update([]Instance{a, b}, noon)
		r.SetFilter(filter)
		if got := names(&r); got != want {
			t.Errorf("%q: %q, want %q", filter, got, want)
		}
	}
}

func TestState(t *testing.T) {
	var r Running
	i := instance("a", 2)
	state := func() string { return r.Rows()[0].State }
	r.Update([]Instance{i}, noon)
	if state() != "running" {
		t.Errorf("%s", state())
	}
	i.Paused = true
	r.Update([]Instance{i}, noon)
	if state() != "paused" || r.Summary() != "0 running, 1 paused" {
		t.Errorf("%s: %s", state(), r.Summary())
	}
	r.SetBusy(i.Key, "stopping…")
	if state() != "stopping…" {
		t.Errorf("%s", state())
	}
	r.Update(nil, noon)
	if r.Busy(i.Key) != "" {
		t.Error("busy with what has ended")
	}
}

func TestProcessorTime(t *testing.T) {
	i := instance("a", 2)
	var r Running
	cpu := func(used time.Duration, at time.Time) string {
		i.CPU = used
		r.Update([]Instance{i}, at)
		return r.Rows()[0].CPU
	}
	if got := cpu(time.Second, noon); got != "-" {
		t.Errorf("one reading is %s", got)
	}
	if got := cpu(1500*time.Millisecond, noon.Add(time.Second)); got != "50.0" {
		t.Errorf("half a second in one: %s", got)
	}
	if got := cpu(4500*time.Millisecond, noon.Add(2*time.Second)); got != "300" {
		t.Errorf("three processors: %s", got)
	}
	if got := cpu(time.Second, noon.Add(3*time.Second)); got != "0.0" {
		t.Errorf("a counter that went back: %s", got)
	}
	if got := cpu(-1, noon.Add(4*time.Second)); got != "-" {
		t.Errorf("unknown: %s", got)
	}
	i.PID = 99
	if got := cpu(time.Hour, noon.Add(5*time.Second)); got != "-" {
		t.Errorf("another run of the name: %s", got)
	}
}

func TestFailureKeepsTheList(t *testing.T) {
	var r Running
	if r.Fail(errors.New("x")); r.Known() {
		t.Error("known without an answer")
	}
	r.Update([]Instance{instance("a", 2)}, noon)
	r.Fail(errors.New("cannot look"))
	if err, since := r.Stale(); err == nil || since != noon || names(&r) != "[a]" {
		t.Errorf("%v since %v: %s", err, since, names(&r))
	}
	r.Update(nil, noon)
	if err, _ := r.Stale(); err != nil {
		t.Errorf("still %v", err)
	}
}

func TestFormats(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{age(-time.Second), "0s"}, {age(59 * time.Second), "59s"}, {age(60 * time.Second), "1m 0s"}, {age(3 * time.Hour), "3h 0m"}, {age(49 * time.Hour), "2d 1h"},
		{percent(-1), "-"}, {percent(0), "0.0"}, {percent(99.94), "99.9"}, {percent(99.96), "100"}, {processes(1), "1 process or thread"}, {processes(2), "2 processes and threads"},
	} {
		if c.got != c.want {
			t.Errorf("%q, want %q", c.got, c.want)
		}
	}
}
