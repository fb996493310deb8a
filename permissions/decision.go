package permissions

import (
	"cmp"
	"fmt"

	"sandbox/internal/hint"
)

// Decision is what somebody said about a permission. The zero value says
// nothing, which is neither yes nor no.
type Decision uint8

const (
	Unset Decision = iota
	Allow
	Deny
	Ask
)

func (d Decision) String() string {
	switch d {
	case Unset:
		return "unset"
	case Allow:
		return "allow"
	case Deny:
		return "deny"
	case Ask:
		return "ask"
	}
	return "invalid"
}

// ParseDecision is the inverse of Decision.String.
func ParseDecision(s string) (Decision, error) {
	for _, d := range []Decision{Unset, Allow, Deny, Ask} {
		if s == d.String() {
			return d, nil
		}
	}
	return Unset, hint.With(fmt.Errorf("unknown decision %q", clip(s)), "known are allow, deny, ask")
}

// Entry is one decision with the reason given for it and where it was made.
type Entry struct {
	Permission
	Decision Decision
	Reason   string
	Optional bool // the manifest works without it: asked for at first use
	Origin   Origin
}

// Origin says who decided. File and Line are empty for what no file holds.
type Origin struct {
	Layer string
	File  string
	Line  int
}

func (o Origin) String() string {
	switch {
	case o.File == "":
		return o.Layer
	case o.Line == 0:
		return o.Layer + ", " + o.File
	}
	return fmt.Sprintf("%s, %s:%d", o.Layer, o.File, o.Line)
}

// Names of the layers, lowest first.
const (
	LayerBaseline      = "baseline"
	LayerManifest      = "manifest"
	LayerAdministrator = "administrator"
	LayerAllApps       = "user (all apps)"
	LayerUser          = "user"
	LayerRun           = "this run"
	LayerAnswer        = "answer"
)

// Layer is everything that one source decided.
type Layer struct {
	Name    string
	Entries []Entry
}

// Danger is how much harm a permission lets an app do. The zero value means
// that nobody rated it.
type Danger uint8

const (
	Low Danger = iota + 1
	Medium
	High
)

func (d Danger) String() string {
	switch d {
	case Low:
		return "low"
	case Medium:
		return "medium"
	case High:
		return "high"
	}
	return "unrated"
}

func compareEntries(a, b Entry) int {
	return cmp.Or(compare(a.Permission, b.Permission), cmp.Compare(a.Decision, b.Decision))
}
