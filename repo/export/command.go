package export

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"sandbox/manifest"
)

// Command is a name that an app or the user wants in PATH, and what became of it.
type Command struct {
	Name   string
	Target Target
	Alias  bool   // the user's own word
	Linked bool   // it is there
	Hides  string // program of the host that it stands in front of, if any
	Why    string // why it is not linked
}

// owned is a default name that an app already has; it keeps it.
type owned map[string]manifest.ID

// decide says which name starts what. It reads nothing: hostHas gives the path of
// the host's program of a name, or "".
func decide(apps []*manifest.Manifest, d Decisions, had owned, hostHas func(name string) string, elsewhere map[manifest.ID]bool) []Command {
	byID := map[manifest.ID]*manifest.Manifest{}
	claims := map[string][]Target{}
	for _, m := range apps {
		byID[m.ID] = m
		if elsewhere[m.ID] {
			continue
		}
		for _, c := range m.Commands {
			claims[c.Name] = append(claims[c.Name], Target{m.ID, c.Name})
		}
	}
	var out []Command
	for name, target := range d.Aliases {
		c := Command{Name: name, Target: target, Alias: true, Hides: hostHas(name)}
		c.Why = whyNotAlias(byID[target.App], target)
		c.Linked = c.Why == ""
		out = append(out, c)
	}
	for name, wanted := range claims {
		out = append(out, share(name, wanted, d, had[name], hostHas)...)
	}
	slices.SortFunc(out, func(a, b Command) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Target.String(), b.Target.String()))
	})
	return out
}

func whyNotAlias(m *manifest.Manifest, t Target) string {
	switch {
	case m == nil:
		return fmt.Sprintf("%s is not installed", t.App)
	case t.Command == "" && m.Command == "":
		return fmt.Sprintf("%s has no main command", t.App)
	case t.Command != "" && !HasCommand(m, t.Command):
		return fmt.Sprintf("%s has no command %s", t.App, t.Command)
	}
	return ""
}

// HasCommand tells whether the manifest offers a command of that name.
func HasCommand(m *manifest.Manifest, name string) bool {
	return slices.ContainsFunc(m.Commands, func(c manifest.Command) bool { return c.Name == name })
}

// share decides about one name that apps want by default.
func share(name string, wanted []Target, d Decisions, owner manifest.ID, hostHas func(string) string) []Command {
	slices.SortFunc(wanted, func(a, b Target) int { return cmp.Compare(a.App, b.App) })
	alias, decided := d.Aliases[name]
	host := hostHas(name)
	keeps := slices.ContainsFunc(wanted, func(t Target) bool { return t.App == owner })
	winner := Target{}
	if !decided && !manifest.Shadows(name) && (keeps || host == "") {
		winner = wanted[0]
		if keeps {
			winner.App = owner
		}
	}
	var out []Command
	for _, t := range wanted {
		c := Command{Name: name, Target: t}
		switch {
		case decided && t == alias:
			continue // said as the alias
		case decided:
			c.Why = fmt.Sprintf("by your alias it starts %s", alias)
		case t == winner:
			c.Linked, c.Hides = true, host
		case host != "":
			c.Why = host + " has this name"
		case winner == Target{}:
			c.Why = "it is the name of a program of the system"
		default:
			c.Why = fmt.Sprintf("%s has this name", winner.App)
		}
		out = append(out, c)
	}
	return out
}

// hostProgram looks a name up in directories, without those that hold our links:
// a link to sandbox is an app's command and no program of the host.
func hostProgram(dirs []string, own string) func(name string) string {
	return func(name string) string {
		for _, dir := range dirs {
			if dir == own {
				continue
			}
			path := filepath.Join(dir, name)
			var st unix.Stat_t
			if unix.Stat(path, &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFREG || st.Mode&0o111 == 0 {
				continue
			}
			if target, err := os.Readlink(path); err == nil && strings.HasPrefix(target, "../"+commandDir+"/") {
				continue
			}
			return path
		}
		return ""
	}
}
