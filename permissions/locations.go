package permissions

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"sandbox/internal/hint"
)

// Locations says where the home and the xdg directories are. It is text only:
// nothing here looks at the disk or follows a symlink.
type Locations struct {
	Home string            // absolute
	XDG  map[string]string // "xdg-download" → absolute path; as Resolve's subjects
}

var xdgFallback = [...][2]string{
	{"xdg-config", ".config"}, {"xdg-cache", ".cache"},
	{"xdg-data", ".local/share"}, {"xdg-state", ".local/state"},
}

// Resolve turns a files subject into an absolute path; "host" becomes "/".
func (l Locations) Resolve(subject string) (string, error) {
	if subject == "host" {
		return "/", nil
	}
	root, rest, _ := strings.Cut(subject, "/")
	var base string
	switch {
	case root == "":
		return absolutePath(subject)
	case subject == "home" || root == "~":
		base = l.Home
		if base == "" {
			return "", hint.With(errors.New("home directory is not known"), "set HOME")
		}
	default:
		if base = l.xdg(root); base == "" {
			return "", hint.With(fmt.Errorf("directory %s is not defined", root), "define it in ~/.config/user-dirs.dirs")
		}
	}
	return absolutePath(strings.TrimSuffix(base, "/") + "/" + rest)
}

// xdg is "" for a folder that is not defined, and for one that is the home
// itself: that is how user-dirs.dirs switches a folder off, and a grant of the
// folder must not become a grant of the home.
func (l Locations) xdg(name string) string {
	if p := l.XDG[name]; p != "" {
		if clean, err := absolutePath(p); err == nil && clean == strings.TrimRight(l.Home, "/") {
			return ""
		}
		return p
	}
	for _, f := range xdgFallback {
		if f[0] == name && l.Home != "" {
			return strings.TrimSuffix(l.Home, "/") + "/" + f[1]
		}
	}
	return ""
}

func absolutePath(path string) (string, error) {
	if !strings.HasPrefix(path, "/") {
		return "", fmt.Errorf("path %q is not absolute", clip(path))
	}
	return cleanPath(path)
}

// Resolve rewrites the files subjects of s for one machine and user, so that
// comparing, asking Covers and explaining are exact there. A grant whose place
// is not known, or lies in a reserved tree, is left out and reported in the
// error; the returned Set is good in any case.
func (s Set) Resolve(l Locations) (Set, error) {
	var errs []error
	b := builder{s: Set{limits: slices.Clone(s.limits)}}
	for _, g := range s.grants {
		r, err := g.rule.resolve(l)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", g.Permission, err))
			continue
		}
		b.s.grants = append(b.s.grants, grant{rule: r, except: resolveMasks(g.except, l)})
	}
	b.s.denies = resolveMasks(s.denies, l)
	return b.set(), errors.Join(errs...)
}

// A mask over a place that does not exist here has nothing to hide.
func resolveMasks(masks []rule, l Locations) []rule {
	var out []rule
	for _, m := range masks {
		if r, err := m.resolve(l); err == nil {
			out = append(out, r)
		}
	}
	return out
}

func (r rule) resolve(l Locations) (rule, error) {
	if r.Kind != Files || r.whole || r.Subject == "host" {
		return r, nil
	}
	path, err := l.Resolve(r.Subject)
	r.Subject = path
	return r, err
}

// FileView is the files part of a Set on one machine.
type FileView struct{ set Set }

// FileNode is a path at which the access differs from that around it.
type FileNode struct {
	Path   string // absolute; "/" for host
	Access Access // None: masked
}

// View resolves the files part of s. The error names the grants that lead
// nowhere here; the view leaves them out.
func (s Set) View(l Locations) (FileView, error) {
	resolved, err := s.only(Files).Resolve(l)
	return FileView{resolved}, err
}

// Access is the effective access of one absolute path, denials at any depth
// applied. Reserved trees have none: what the app sees there is the sandbox's.
func (v FileView) Access(path string) Access {
	clean, err := absolutePath(path)
	if err != nil {
		return None
	}
	return Access(v.set.level(point{kind: Files, text: clean}))
}

// Nodes are the points at which access changes, directories first: a plan of
// what to bind, and what to mask again inside it.
func (v FileView) Nodes() []FileNode {
	var paths []string
	for _, r := range v.set.Files() {
		if r.Path == "host" {
			r.Path = "/"
		}
		paths = append(paths, r.Path)
	}
	slices.SortFunc(paths, comparePaths)
	var out []FileNode
	for _, p := range slices.Compact(paths) {
		n := FileNode{p, Access(v.set.level(point{kind: Files, text: p}))}
		if n.Access != around(out, p) {
			out = append(out, n)
		}
	}
	return out
}

// around is the access of the nearest directory above path among nodes.
func around(nodes []FileNode, path string) Access {
	for i := len(nodes) - 1; i >= 0; i-- {
		if nodes[i].Path == "/" || within(nodes[i].Path, path) {
			return nodes[i].Access
		}
	}
	return None
}

// FileAccess is the effective access of one absolute path. For many paths,
// make a View once.
func (s Set) FileAccess(path string, l Locations) Access {
	v, _ := s.View(l) // a grant that leads nowhere grants nothing
	return v.Access(path)
}
