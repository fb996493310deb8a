package client

import (
	"cmp"
	"fmt"
	"slices"

	"sandbox/manifest"
	"sandbox/permissions"
	"sandbox/repo"
	"sandbox/repo/store"
)

// Action is what a step does to a ref.
type Action string

// The actions.
const (
	Install   Action = "install"
	Update    Action = "update"
	Downgrade Action = "downgrade"
	Switch    Action = "switch" // to another repository
)

// Need is what a person has to agree to before a step, one by one.
type Need uint8

// The needs.
const (
	NeedPermissions Need = 1 << iota // it asks for more than was accepted, or registers itself for more
	NeedOrigin                       // it comes from another repository than before
	NeedPublisher                    // its publisher signs with another key than before
	NeedExpired                      // what vouches for it has expired
)

// Needs are the single needs, in the order in which they are asked about.
var Needs = [...]Need{NeedExpired, NeedOrigin, NeedPublisher, NeedPermissions}

// Has reports whether need is part of n.
func (n Need) Has(need Need) bool { return n&need != 0 }

func (n Need) String() string {
	switch n {
	case NeedPermissions:
		return "it asks for more"
	case NeedOrigin:
		return "it comes from another repository"
	case NeedPublisher:
		return "its publisher has another key"
	case NeedExpired:
		return "what vouches for it has expired"
	}
	return ""
}

// Flag is the flag that agrees to a need without being asked.
func (n Need) Flag() string {
	switch n {
	case NeedPermissions:
		return "--accept-permissions"
	case NeedOrigin:
		return "--accept-origin"
	case NeedPublisher:
		return "--accept-publisher"
	case NeedExpired:
		return "--accept-expired"
	}
	return ""
}

// Step is one release on its way.
type Step struct {
	Action  Action
	Origin  *Origin
	Also    []*Origin // that offer the same ref
	Release repo.Release
	Old     *store.Record // what is installed; nil: nothing

	Manifest    *manifest.Manifest
	OldManifest *manifest.Manifest // of Old; nil when it cannot be read
	Required    permissions.Set    // granted by installing
	Optional    permissions.Set    // asked about at first use
	Changes     permissions.Changes
	Needs       Need
	Explicit    bool // asked for by name, not brought along

	OldPublisher []byte // with NeedPublisher: the key until now

	Download int64 // bytes that the store lacks, as they are packed
	Disk     int64 // bytes that it will take
	Files    int

	agreed        bool    // to all of its needs
	back          bool    // a release below the floor was wanted
	tree, locator []byte  // as stored
	kept          []int64 // packed bytes of large contents, which take room until they are unpacked
}

// Held is a release that is not taken, and why.
type Held struct {
	Ref     repo.Ref
	Version string // installed; "" when nothing is
	Newer   string // offered
	Why     string
	Step    *Step // what would have been done, when a person only has to agree
	Err     error // when it failed
}

// Plan is what Apply will do.
type Plan struct {
	Steps []*Step // runtimes before what runs on them
	Held  []Held
	Notes []string // for people

	wishes []repo.Ref     // here already, and now asked for by name
	ends   []repo.Release // here already, and said to be the last, or not any more
}

// Download is what all steps have to fetch. Contents that two of them share are
// counted twice.
func (p *Plan) Download() (n int64) {
	for _, s := range p.Steps {
		n += s.Download
	}
	return n
}

// Disk is what all steps will take.
func (p *Plan) Disk() (n int64) {
	for _, s := range p.Steps {
		n += s.Disk
	}
	return n
}

// scratch is the room that takes besides, for as many as come at a time.
func (p *Plan) scratch() (n int64) {
	var all []int64
	for _, s := range p.Steps {
		all = append(all, s.kept...)
	}
	slices.Sort(all)
	for _, size := range all[max(0, len(all)-requests):] {
		n += size
	}
	return n
}

// Needs is everything that somebody has to agree to.
func (p *Plan) Needs() (n Need) {
	for _, s := range p.Steps {
		n |= s.Needs
	}
	return n
}

func (p *Plan) note(format string, args ...any) {
	if text := fmt.Sprintf(format, args...); !slices.Contains(p.Notes, text) {
		p.Notes = append(p.Notes, text)
	}
}

func (p *Plan) step(ref repo.Ref) *Step {
	for _, s := range p.Steps {
		if s.Release.Ref == ref {
			return s
		}
	}
	return nil
}

// add puts a step in its place.
func (p *Plan) add(s *Step) {
	p.Steps = append(p.Steps, s)
	slices.SortStableFunc(p.Steps, func(a, b *Step) int { return cmp.Compare(rank(a), rank(b)) })
}

func rank(s *Step) int {
	switch s.Release.Ref.Kind {
	case manifest.Runtime:
		return 0
	case manifest.App:
		return 1
	}
	return 2
}

// Settle holds back the steps that need more than agreed, and what was to come
// along for them alone.
func (p *Plan) Settle(agreed func(*Step) Need) {
	p.drop(func(s *Step) string {
		for _, n := range Needs {
			if s.Needs.Has(n) && !agreed(s).Has(n) {
				return n.String()
			}
		}
		s.agreed = true
		return ""
	})
}

// drop moves steps to what is held. what depends on them goes along.
func (p *Plan) drop(why func(*Step) string) {
	gone := map[repo.Ref]bool{}
	p.Steps = slices.DeleteFunc(p.Steps, func(s *Step) bool {
		text := why(s)
		if text == "" && gone[s.Release.Runtime.WithArch("")] {
			text = "its runtime is held"
		}
		if text != "" {
			gone[s.Release.Ref.WithArch("")] = true
			p.hold(s, text)
		}
		return text != ""
	})
	p.Steps = slices.DeleteFunc(p.Steps, func(s *Step) bool {
		return !s.Explicit && s.Old == nil && !slices.ContainsFunc(p.Steps, func(o *Step) bool { return o.Release.Runtime.WithArch("") == s.Release.Ref.WithArch("") })
	})
}

func (p *Plan) hold(s *Step, why string) {
	h := Held{Ref: s.Release.Ref, Newer: s.Release.Version, Why: why, Step: s}
	if s.Old != nil {
		h.Version = s.Old.Release.Version
	}
	p.Held = append(p.Held, h)
}
