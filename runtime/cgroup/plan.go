package cgroup

import (
	"fmt"
	"slices"
	"strings"

	"sandbox/internal/hint"
)

// Mode says who holds the limits of an instance.
type Mode string

const (
	V2    Mode = "v2"    // a leaf in a unified hierarchy that is ours
	Scope Mode = "scope" // a transient scope of systemd's
	V1    Mode = "v1"    // v1 controllers, for what v2 does not have here
	None  Mode = "none"  // no group: resource limits of each process, at best
)

// Plan is what will be done for one instance. It holds no secrets and no
// handles, so it can be printed and compared.
type Plan struct {
	Mode       Mode       `json:"mode"`
	Name       string     `json:"name"` // of the group: "sandbox-" and the instance
	Limits     Limits     `json:"limits"`
	Supervisor string     `json:"supervisor,omitempty"` // group into which we move aside first
	Enable     *Write     `json:"enable,omitempty"`     // controllers handed on to Groups
	Groups     []Dir      `json:"groups,omitempty"`     // directories to make
	Unit       *Unit      `json:"unit,omitempty"`       // scope to ask for
	Rlimits    []Rlimit   `json:"rlimits,omitempty"`    // for the app's first process, set in its own user namespace
	Degraded   []Degraded `json:"degraded,omitempty"`   // limits that hold less than asked, or not at all
	Disk       string     `json:"disk,omitempty"`
}

// Dir is one group in one hierarchy.
type Dir struct {
	Path        string   `json:"path"`
	Unified     bool     `json:"unified,omitempty"`
	Controllers []string `json:"controllers,omitempty"`
	Writes      []Write  `json:"writes,omitempty"`
}

// Write is one value for one control file. An Optional file may be missing
// where the kernel was built without it.
type Write struct {
	File     string `json:"file"`
	Value    string `json:"value"`
	Optional bool   `json:"optional,omitempty"`
}

// Degraded is a limit that this host cannot hold as asked.
type Degraded struct {
	Limit string `json:"limit"`
	Why   string `json:"why"`
}

func (d Degraded) String() string { return d.Limit + ": " + d.Why }

const prefix = "sandbox-"

// checkName keeps a name to one path element that is also a valid unit name.
func checkName(unsafeName string) error {
	ok := len(unsafeName) > 0 && len(unsafeName) <= 100 && alphanumeric(unsafeName[0])
	for i := range len(unsafeName) {
		ok = ok && (alphanumeric(unsafeName[i]) || strings.IndexByte("_.-", unsafeName[i]) >= 0)
	}
	if !ok {
		return fmt.Errorf("cannot name a control group after %q: only letters, digits, '.', '_' and '-' are allowed", unsafeName)
	}
	return nil
}

func alphanumeric(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}

// Decide says how an instance called name gets its limits on host h: the first
// way that holds all of them, in the order v2, scope, v1, none; else the one
// that holds most. Without limits a group is planned only where it costs next
// to nothing.
func Decide(h Host, name string, l Limits) (Plan, error) {
	if err := checkName(name); err != nil {
		return Plan{}, err
	}
	if err := l.Check(); err != nil {
		return Plan{}, err
	}
	ways := []func(Host, Plan) (Plan, bool){planV2}
	if l.grouped() {
		ways = append(ways, planScope, planV1)
	}
	ways = append(ways, planNone)
	var best Plan
	least := 0
	for _, way := range ways {
		p, ok := way(h, Plan{Name: prefix + name, Limits: l, Disk: h.Disk})
		if !ok {
			continue
		}
		wanted := len(l.wanted())
		missed := fill(h, &p)
		if missed == wanted && (p.Mode == Scope || p.Mode == V1) {
			continue // dear, and of no use
		}
		// A degraded limit weighs more than one held by other means.
		loss := missed + wanted*len(p.Degraded)
		if best.Mode == "" || loss < least {
			best, least = p, loss
		}
		if loss == 0 {
			break
		}
	}
	return best, nil
}

// wanted lists the controllers that the limits need, each with the limit's name.
func (l Limits) wanted() []need {
	var out []need
	add := func(ok bool, limit, v2, v1 string) {
		if ok {
			out = append(out, need{limit, v2, v1})
		}
	}
	add(l.Memory != Unset, "memory", "memory", "memory")
	add(l.Swap != Unset, "swap", "memory", "memory")
	add(l.Pids != Unset, "pids", "pids", "pids")
	add(l.CPU != 0, "cpu", "cpu", "cpu")
	add(l.IORead != Unset || l.IOWrite != Unset, "io", "io", "blkio")
	return out
}

type need struct{ limit, v2, v1 string }

// held says whether the plan's groups or scope hold the limit.
func (p *Plan) held(n need) bool {
	if p.Unit != nil {
		return has(p.Unit.Controllers, n.v2) && (n.limit != "io" || p.Unit.IOPath != "")
	}
	for _, d := range p.Groups {
		name := n.v1
		if d.Unified {
			name = n.v2
		}
		ok := has(d.Controllers, name)
		switch n.limit {
		case "io":
			ok = ok && p.Disk != ""
		case "swap":
			// v1 counts it together with memory only.
			ok = ok && (d.Unified || p.Limits.Memory != Unset)
		}
		if ok {
			return true
		}
	}
	return false
}

// fill adds to a plan what its groups do not hold: limits of each process
// where those come near, and the word that the limit is degraded.
// The result is how many were not held.
func fill(h Host, p *Plan) (missed int) {
	for _, n := range p.Limits.wanted() {
		if !p.held(n) {
			substitute(h, p, n.limit)
			missed++
		}
	}
	if p.Limits.Files != Unset {
		p.Rlimits = append(p.Rlimits, nofile(p.Limits.Files))
	}
	slices.SortFunc(p.Rlimits, func(a, b Rlimit) int { return strings.Compare(a.Name, b.Name) })
	return missed
}

func planNone(_ Host, p Plan) (Plan, bool) {
	p.Mode = None
	return p, true
}

// Strict turns the first degraded limit into an error, for those who would
// rather not start.
func (p Plan) Strict() error {
	if len(p.Degraded) == 0 {
		return nil
	}
	return hint.With(fmt.Errorf("cannot hold limit %s", p.Degraded[0]),
		"start without --strict, or from a session with a systemd user manager or a delegated control group")
}

// String is the plan for a reader, one step a line.
func (p Plan) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "limits by %s\n", p.Mode)
	if p.Supervisor != "" {
		fmt.Fprintf(&b, "move this process to %s\n", p.Supervisor)
	}
	if p.Enable != nil {
		fmt.Fprintf(&b, "write %s to %s\n", p.Enable.Value, p.Enable.File)
	}
	for _, d := range p.Groups {
		fmt.Fprintf(&b, "make group %s\n", d.Path)
		for _, w := range d.Writes {
			fmt.Fprintf(&b, "  %s = %s\n", w.File, w.Value)
		}
	}
	if p.Unit != nil {
		fmt.Fprintf(&b, "ask systemd at %s for %s\n", p.Unit.Socket, p.Unit.Name)
		for _, v := range p.Unit.Properties {
			fmt.Fprintf(&b, "  %s\n", v)
		}
	}
	for _, r := range p.Rlimits {
		fmt.Fprintf(&b, "rlimit %s = %d\n", r.Name, r.Value)
	}
	for _, d := range p.Degraded {
		fmt.Fprintf(&b, "DEGRADED %s\n", d)
	}
	return b.String()
}
