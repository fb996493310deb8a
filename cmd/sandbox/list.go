package main

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"text/tabwriter"
	"time"

	"sandbox/internal/amount"
	"sandbox/internal/cli"
	"sandbox/internal/safe"
	"sandbox/runtime"
)

// registry opens the list of the user's instances.
func registry() (*runtime.Host, *runtime.Registry, error) {
	host, err := runtime.ThisHost()
	if err != nil {
		return nil, nil, err
	}
	r, err := runtime.OpenRegistry(host)
	return host, r, err
}

// chosen finds the instances that were named, or with --all every one.
func chosen(a cli.Args) ([]*runtime.Entry, error) {
	_, r, err := registry()
	if err != nil {
		return nil, err
	}
	if a.Has("all") {
		if len(a.Rest) > 0 {
			return nil, cli.Usagef("drop the names or --all", "cannot use names together with --all")
		}
		return r.List()
	}
	if len(a.Rest) == 0 {
		return nil, cli.Usagef("name an instance, or give --all; 'sandbox ps' lists them", "no instance is named")
	}
	var out []*runtime.Entry
	for _, name := range a.Rest {
		e, err := find(r, name)
		if err != nil {
			return nil, err
		}
		out = append(out, e)
	}
	return out, nil
}

// psRow is one instance for ps --json.
type psRow struct {
	*runtime.Entry
	State  string        `json:"state"`
	Uptime float64       `json:"uptime"` // seconds
	Usage  runtime.Usage `json:"usage"`
}

func rows(entries []*runtime.Entry) []psRow {
	out := make([]psRow, 0, len(entries))
	for _, e := range entries {
		state := "running"
		if e.Paused() {
			state = "paused"
		}
		out = append(out, psRow{e, state, time.Since(e.Started).Seconds(), e.Usage()})
	}
	return out
}

func runPs(a cli.Args) error {
	_, r, err := registry()
	if err != nil {
		return err
	}
	entries, err := r.List()
	if err != nil {
		return err
	}
	r.Sweep()
	list := rows(entries)
	if a.Has("json") {
		return cli.WriteJSON(os.Stdout, list)
	}
	w := newTable(os.Stdout, "INSTANCE", "APP", "PID", "STATE", "UPTIME", "CPU", "MEMORY", "PIDS")
	for _, p := range list {
		w.row(p.Instance, p.App, strconv.Itoa(p.PID), p.State, age(p.Uptime), cpu(p.Usage.CPU), amount.Memory(p.Usage.Memory), amount.Count(p.Usage.Pids))
	}
	return w.flush()
}

func runStats(a cli.Args) error {
	_, r, err := registry()
	if err != nil {
		return err
	}
	entries, err := r.List()
	if len(a.Rest) > 0 {
		entries, err = chosen(a)
	}
	if err != nil {
		return err
	}
	before := map[string]runtime.Usage{}
	for _, e := range entries {
		before[e.Instance] = e.Usage()
	}
	const span = 500 * time.Millisecond
	if len(entries) > 0 {
		time.Sleep(span)
	}
	type statsRow struct {
		Instance   string        `json:"instance"`
		App        string        `json:"app"`
		CPUPercent float64       `json:"cpu_percent"` // of one processor, over half a second
		Usage      runtime.Usage `json:"usage"`
	}
	list := make([]statsRow, 0, len(entries))
	for _, e := range entries {
		u := e.Usage()
		list = append(list, statsRow{e.Instance, e.App, max(0, float64(u.CPU-before[e.Instance].CPU)/float64(span)*100), u})
	}
	if a.Has("json") {
		return cli.WriteJSON(os.Stdout, list)
	}
	w := newTable(os.Stdout, "INSTANCE", "APP", "CPU%", "CPU", "MEMORY", "PIDS", "READ", "WRITTEN", "OOM")
	for _, s := range list {
		w.row(s.Instance, s.App, fmt.Sprintf("%.1f", s.CPUPercent), cpu(s.Usage.CPU), amount.Memory(s.Usage.Memory), amount.Count(s.Usage.Pids),
			amount.Memory(s.Usage.IORead), amount.Memory(s.Usage.IOWrite), amount.Count(s.Usage.OOM))
	}
	return w.flush()
}

// table prints aligned columns, every cell escaped.
type table struct{ w *tabwriter.Writer }

func newTable(w io.Writer, head ...string) *table {
	t := &table{tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)}
	t.row(head...)
	return t
}

func (t *table) row(cells ...string) {
	for i, c := range cells {
		if i > 0 {
			io.WriteString(t.w, "\t")
		}
		io.WriteString(t.w, safe.Text(c))
	}
	io.WriteString(t.w, "\n")
}

func (t *table) flush() error { return t.w.Flush() }

func age(seconds float64) string {
	d := time.Duration(seconds * float64(time.Second))
	switch {
	case d < time.Minute:
		return d.Truncate(100 * time.Millisecond).String()
	case d < time.Hour:
		return d.Truncate(time.Second).String()
	}
	return d.Truncate(time.Minute).String()
}

func cpu(d time.Duration) string {
	if d < 0 {
		return "-"
	}
	return d.Truncate(10 * time.Millisecond).String()
}
