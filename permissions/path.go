package permissions

import (
	"errors"
	"fmt"
	"strings"

	"sandbox/internal/hint"
)

const (
	maxPath      = 4096 // PATH_MAX
	maxComponent = 255  // NAME_MAX
)

// special are the characters that a files permission writes with a backslash
// before them: the separator, and what a reader would take for a pattern.
const special = `\:*?[]{}`

// reserved are the trees that the sandbox builds itself; a grant there would
// replace part of its walls. /run/media, where removable disks appear, is the
// one exception.
var reserved = [...]string{
	"/app", "/bin", "/dev", "/etc", "/lib", "/lib32", "/lib64", "/libx32",
	"/proc", "/run", "/sbin", "/sys", "/usr", "/var/run",
}

// File makes a files permission from a path as it is, without escapes: "home",
// "host", "~/x", "/abs", "xdg-download/sub".
func File(path string, access Access) (Permission, error) {
	if access < Read || access > Create {
		return Permission{}, fmt.Errorf("files need read, write or create")
	}
	if err := checkText(path); err != nil {
		return Permission{}, err
	}
	subject, err := cleanPath(path)
	if err != nil {
		return Permission{}, err
	}
	if access == Create && (subject == "home" || subject == "host") {
		return Permission{}, hint.With(fmt.Errorf("%s is there already", subject), "use files:%s:write", subject)
	}
	return Permission{Kind: Files, Subject: subject, Access: access}, nil
}

// parseFiles reads PATH[:ACCESS]. Without a suffix it means read: the least
// that can be granted, and as a denial the most that can be taken away.
func parseFiles(s string) (Permission, error) {
	parts, err := splitPath(s)
	if err != nil {
		return Permission{}, err
	}
	access := Read
	switch {
	case len(parts) > 2:
		return Permission{}, hint.With(errors.New("more than one access level"), `give one of read, write, create; a ':' in a name is written \:`)
	case len(parts) == 2:
		var ok bool
		if access, ok = ParseAccess(parts[1]); !ok {
			return Permission{}, hint.With(fmt.Errorf("unknown access %q", clip(parts[1])), `known are read, write, create; a ':' in a name is written \:`)
		}
	}
	return File(parts[0], access)
}

// splitPath cuts at every plain ':' and takes the backslashes away.
func splitPath(s string) ([]string, error) {
	parts := []string{}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\':
			i++
			if i == len(s) || strings.IndexByte(special, s[i]) < 0 {
				return nil, hint.With(errors.New("stray backslash"), `a backslash in a name is written \\`)
			}
			b.WriteByte(s[i])
		case c == ':':
			parts = append(parts, b.String())
			b.Reset()
		case strings.IndexByte(special, c) >= 0:
			return nil, hint.With(fmt.Errorf("pattern character %q", c), `patterns are not understood; grant the directory, or write \%c for a name that has it`, c)
		default:
			b.WriteByte(c)
		}
	}
	return append(parts, b.String()), nil
}

func escapePath(s string) string {
	if !strings.ContainsAny(s, special) {
		return s
	}
	var b strings.Builder
	for i := range len(s) {
		if strings.IndexByte(special, s[i]) >= 0 {
			b.WriteByte('\\')
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// cleanPath gives the one spelling of a path: no "//", no ".", no slash at the
// end. ".." is refused and not resolved: with a symlink before it, the text
// and the kernel would disagree about where it leads (CVE-2026-34078).
func cleanPath(unsafePath string) (string, error) {
	if len(unsafePath) > maxPath {
		return "", fmt.Errorf("path longer than %d bytes", maxPath)
	}
	root, rest, _ := strings.Cut(unsafePath, "/")
	names, err := components(rest)
	if err != nil {
		return "", err
	}
	switch {
	case unsafePath == "":
		return "", hint.With(errors.New("no path"), "write ~/… for a path in your home, /… for any other")
	case root == "":
		return absolute(names)
	case root == "~" && len(names) == 0:
		return "home", nil
	case root == "~":
		return "~/" + strings.Join(names, "/"), nil
	case root[0] == '~':
		return "", hint.With(fmt.Errorf("home of another user %q", clip(root)), "write the path from / on")
	case strings.HasPrefix(root, "xdg-"):
		if kindOf(Files).subject(root) == nil {
			return "", unknown("directory", root, kindOf(Files).words())
		}
		return strings.Join(append([]string{root}, names...), "/"), nil
	case unsafePath == "home" || unsafePath == "host":
		return unsafePath, nil
	}
	return "", hint.With(fmt.Errorf("path %q has no beginning", clip(unsafePath)), "write ~/… for a path in your home, /… for any other")
}

func components(path string) ([]string, error) {
	var names []string
	for name := range strings.SplitSeq(path, "/") {
		switch {
		case name == "" || name == ".":
		case name == "..":
			return nil, hint.With(errors.New(`".." in the path`), "write the path it leads to")
		case len(name) > maxComponent:
			return nil, fmt.Errorf("name longer than %d bytes", maxComponent)
		default:
			names = append(names, name)
		}
	}
	return names, nil
}

func absolute(names []string) (string, error) {
	path := "/" + strings.Join(names, "/")
	if path == "/" {
		return "", hint.With(errors.New("the root directory is not a grant"), "files:host is the host's files outside the system's own trees")
	}
	if isReserved(path) {
		return "", hint.With(fmt.Errorf("%q belongs to the sandbox itself", clip(path)), "grant a path outside %s", strings.Join(reserved[:], ", "))
	}
	return path, nil
}

// isReserved wants a clean absolute path.
func isReserved(path string) bool {
	if path == "/" {
		return true
	}
	if within("/run/media", path) {
		return false
	}
	for _, r := range reserved {
		if within(r, path) {
			return true
		}
	}
	return false
}

// within reports whether the clean path inner is outer or lies below it.
func within(outer, inner string) bool {
	return inner == outer || len(inner) > len(outer) && inner[len(outer)] == '/' && inner[:len(outer)] == outer
}

// subjectWithin is within for subjects, before anyone knows where the home and
// the xdg directories are: "host" holds everything, "home" every "~/…". How an
// absolute path or an xdg directory relates to the home is for Resolve to say.
func subjectWithin(outer, inner string) bool {
	switch outer {
	case "host":
		return true
	case "home":
		return inner == "home" || strings.HasPrefix(inner, "~/")
	}
	return within(outer, inner)
}
