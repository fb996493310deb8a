package export

import (
	"slices"
	"strings"

	"sandbox/manifest"
)

// schemeType is how desktops write a scheme of addresses as a type of files.
const schemeType = "x-scheme-handler/"

// Registration is what an app offers itself for outside of its sandbox, besides its
// commands. It is known from the manifest, before anything is installed.
type Registration struct {
	Schemes  []string `json:"schemes,omitempty"`   // of addresses: "magnet"
	Types    []string `json:"types,omitempty"`     // of files: "text/plain"
	BusNames []string `json:"bus_names,omitempty"` // on the session bus, by which it is started
}

// Registers reads it. Types that no desktop entry can claim count for nothing.
func Registers(m *manifest.Manifest) (r Registration) {
	if m == nil {
		return r
	}
	if len(m.Exports.Desktop) > 0 {
		for _, t := range m.Exports.Opens {
			if scheme, ok := strings.CutPrefix(t, schemeType); ok {
				r.Schemes = append(r.Schemes, scheme)
			} else {
				r.Types = append(r.Types, t)
			}
		}
	}
	r.BusNames = ownNames(m)
	return r
}

// Lines say it to people; old is the release before, of which only what is new
// counts, or nil.
func (r Registration) Lines(old Registration) (lines []string) {
	say := func(what string, now, before []string, end string) {
		var names []string
		for _, n := range now {
			if !slices.Contains(before, n) {
				names = append(names, n+end)
			}
		}
		if len(names) > 0 {
			lines = append(lines, what+" "+strings.Join(names, ", "))
		}
	}
	say("open addresses that begin with", r.Schemes, old.Schemes, ":")
	say("open files of the type", r.Types, old.Types, "")
	say("be started through the session bus as", r.BusNames, old.BusNames, "")
	return lines
}
