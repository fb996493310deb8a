package main

import (
	"encoding/json"
	"fmt"
	"time"

	"sandbox/repo/client"
)

// event shows what a client is doing.
func (p *progress) event(e client.Event) {
	if e.Warning {
		p.warn(e.Text)
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.json:
		p.object(e)
	case p.row(e):
	case e.Stage == rowDone: // the result says it
	case e.Stage == rowComes:
		p.bytes(e.Stage, e.Text, e.Done, e.Total, e.Extra)
	default:
		p.stepLocked(e.Stage, e.Text, e.Done, e.Total)
	}
}

// eventDoc is an event as --json prints it where standard error is no terminal:
// one object a line, of each download at most one a second and one at its end.
type eventDoc struct {
	Event string `json:"event"` // look, download, install, done
	Text  string `json:"text"`  // of which remote or ID
	Ref   string `json:"ref,omitempty"`
	Done  int64  `json:"done"`
	Total int64  `json:"total"` // 0: unknown
	Kept  int64  `json:"kept"`  // of done: was here from an attempt that broke off
	Extra int64  `json:"extra"` // came besides, unasked
	Rate  int64  `json:"rate"`  // bytes a second; 0: unknown
	Left  int64  `json:"left"`  // seconds; 0: unknown
}

func (p *progress) object(e client.Event) {
	doc := eventDoc{e.Stage, e.Text, e.Ref.String(), e.Done, e.Total, e.Kept, e.Extra, 0, 0}
	if e.Stage == rowComes {
		r := p.rowFor(e)
		rate, left := r.pace.see(r.name, e.Done-e.Kept, e.Total-e.Kept, p.now())
		if !r.pace.due(p.now(), time.Second) && e.Done < e.Total {
			return
		}
		doc.Rate, doc.Left = rate, int64(left.Round(time.Second)/time.Second)
	}
	if data, err := json.Marshal(doc); err == nil {
		fmt.Fprintf(p.w, "%s\n", data)
	}
}

// rowFor is the row that an event is about, or a new one.
func (p *progress) rowFor(e client.Event) *row {
	for _, r := range p.rows {
		if r.ref == e.Ref {
			return r
		}
	}
	r := &row{ref: e.Ref, name: e.Text}
	p.rows = append(p.rows, r)
	return r
}
