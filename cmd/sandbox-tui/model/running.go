package model

import (
	"fmt"
	"strings"
	"time"

	"sandbox/internal/amount"
	"sandbox/internal/safe"
)

// Running is the list of running instances with what a person has chosen in it.
type Running struct {
	all   []Instance
	now   time.Time
	known bool // there has been an answer
	err   error

	filter   string
	selected Key
	row      int // of the selection, to stay near when it goes
	busy     map[Key]string
	meter    meter
}

// Row is an instance as the list shows it.
type Row struct {
	Key
	Name, App, State, Uptime, CPU, Memory, Pids string
	Tone                                        Tone // of the state
	Selected                                    bool
}

// Update takes what runs now. The selection stays on its instance, and when
// that has ended goes to the one that took its place.
func (r *Running) Update(list []Instance, now time.Time) {
	r.meter.read(list, now)
	r.all, r.now, r.known, r.err = list, now, true, nil
	for k := range r.busy {
		if _, ok := r.Find(k); !ok {
			delete(r.busy, k)
		}
	}
	r.settle()
}

// Fail keeps what was known and remembers that it is old.
func (r *Running) Fail(err error) { r.err = err }

// Stale is why the list is old, and since when.
func (r *Running) Stale() (error, time.Time) { return r.err, r.now }

// Known reports whether the list has ever been read.
func (r *Running) Known() bool { return r.known }

// Len is the number of instances, whatever the filter hides.
func (r *Running) Len() int { return len(r.all) }

// Find returns the instance when it still runs.
func (r *Running) Find(k Key) (Instance, bool) {
	for _, i := range r.all {
		if i.Key == k {
			return i, true
		}
	}
	return Instance{}, false
}

// Selected is the instance that keys act upon.
func (r *Running) Selected() (Instance, bool) {
	i, ok := r.Find(r.selected)
	return i, ok && r.matches(i)
}

// Move moves the selection by rows and stops at both ends.
func (r *Running) Move(rows int) {
	r.row += rows
	r.take()
}

// settle finds the selection again after the list or the filter has changed.
func (r *Running) settle() {
	for n, i := range r.visible() {
		if i.Key == r.selected {
			r.row = n
			return
		}
	}
	r.take()
}

// take selects what is on the selection's row.
func (r *Running) take() {
	list := r.visible()
	r.row = max(0, min(r.row, len(list)-1))
	if len(list) > 0 {
		r.selected = list[r.row].Key
	}
}

// Filter is the text by which the list is narrowed down.
func (r *Running) Filter() string { return r.filter }

// SetFilter shows only what has text in its name, app or state, in any case.
func (r *Running) SetFilter(text string) {
	r.filter = text
	r.settle()
}

func (r *Running) matches(i Instance) bool {
	if r.filter == "" {
		return true
	}
	state, _ := r.state(i)
	text := strings.Join([]string{safe.Text(i.Name), safe.Text(i.App), state}, "\n")
	return strings.Contains(strings.ToLower(text), strings.ToLower(r.filter))
}

func (r *Running) visible() []Instance {
	var out []Instance
	for _, i := range r.all {
		if r.matches(i) {
			out = append(out, i)
		}
	}
	return out
}

// SetBusy notes what is being done to an instance, "" when it is done.
func (r *Running) SetBusy(k Key, what string) {
	if r.busy == nil {
		r.busy = map[Key]string{}
	}
	r.busy[k] = what
	if what == "" {
		delete(r.busy, k)
	}
}

// Busy is what is being done to an instance.
func (r *Running) Busy(k Key) string { return r.busy[k] }

func (r *Running) state(i Instance) (string, Tone) {
	switch {
	case r.busy[i.Key] != "":
		return r.busy[i.Key], Warn
	case i.Paused:
		return "paused", Warn
	}
	return "running", Good
}

// Rows are what the filter leaves, oldest first.
func (r *Running) Rows() []Row {
	var rows []Row
	for _, i := range r.visible() {
		state, tone := r.state(i)
		rows = append(rows, Row{
			Key: i.Key, Name: safe.Text(i.Name), App: safe.Text(i.App), State: state, Tone: tone,
			Uptime: age(r.now.Sub(i.Started)), CPU: percent(r.meter.of(i.Key)), Memory: amount.Memory(i.Memory), Pids: amount.Count(i.Pids),
			Selected: i.Key == r.selected,
		})
	}
	return rows
}

// Summary counts: "3 running, 1 paused".
func (r *Running) Summary() string {
	if !r.known {
		return "looking…"
	}
	paused := 0
	for _, i := range r.all {
		if i.Paused {
			paused++
		}
	}
	text := fmt.Sprintf("%d running", len(r.all)-paused)
	if paused > 0 {
		text += fmt.Sprintf(", %d paused", paused)
	}
	if r.filter != "" {
		text += fmt.Sprintf(", %d shown", len(r.visible()))
	}
	return text
}
