package bundle

import (
	"errors"
	"fmt"
	"iter"
	"path"
	"strings"
	"unicode/utf8"

	"sandbox/manifest"
)

// An Entry is one name in a bundle, as List found it.
type Entry struct {
	Path   string // slash-separated, below the bundle
	Kind   EntryKind
	Exec   bool   // of a file: mode 0755 instead of 0644
	Size   int64  // of a file
	SHA256 string // of a file, in hex
	Target string // of a link
}

// EntryKind is one of the three things that a bundle holds.
type EntryKind byte

const (
	DirEntry EntryKind = iota + 1
	FileEntry
	LinkEntry
)

// A Listing is a checked bundle with all that it holds. The files have been
// read once; whoever reads them again compares with the digests.
type Listing struct {
	*Info
	TOML    []byte  // of sandbox.toml: the bytes that Manifest was parsed from
	Entries []Entry // by path; all but sandbox.toml
}

// List is Check, and keeps what it saw.
func List(dir string) (*Listing, error) {
	info, s, err := check(dir)
	if err != nil {
		return nil, err
	}
	l := &Listing{Info: info, TOML: s.toml, Entries: make([]Entry, 0, len(s.entries))}
	for _, e := range s.entries {
		if e.path == manifest.FileName {
			continue
		}
		out := Entry{Path: e.path, Exec: e.kind == "exec", Size: e.size}
		switch e.kind {
		case "dir":
			out.Kind = DirEntry
		case "link":
			out.Kind, out.Target = LinkEntry, e.value
		default:
			out.Kind, out.SHA256 = FileEntry, e.value
		}
		l.Entries = append(l.Entries, out)
	}
	return l, nil
}

// CheckPath is the rule for every path in a bundle: relative, of one spelling,
// of components that a file system can hold and a person can read.
func CheckPath(unsafePath string) error { return checkPath(unsafePath) }

// CheckTarget is the rule for the text of a symbolic link. Where it leads is
// decided by CheckLinks.
func CheckTarget(unsafeTarget string) error { return checkTarget(unsafeTarget) }

// CheckLinks follows every link of a bundle, given as path and target, and
// refuses those that leave it. Paths and targets have passed CheckPath and
// CheckTarget.
func CheckLinks(isRuntime bool, links iter.Seq2[string, string]) error {
	space := newLinkSpace(isRuntime)
	for p, target := range links {
		space.add(p, target)
	}
	for p, target := range links {
		if err := space.check(p); err != nil {
			return fmt.Errorf("link %q to %q %w", p, target, err)
		}
	}
	return nil
}

// CheckAlike refuses names of one directory that differ in nothing a person
// sees: K (U+212A) beside k, the ligature ﬁ beside fi (CVE-2026-23950). Names
// that differ in the case of ASCII letters only are allowed, because Debian has
// such names. Paths have passed CheckPath.
func CheckAlike(paths iter.Seq[string]) error {
	folded := map[string]string{}
	for p := range paths {
		if isASCII(path.Base(p)) {
			continue
		}
		key := path.Join(path.Dir(p), fold(path.Base(p)))
		if other, ok := folded[key]; ok {
			return alike(other, p)
		}
		folded[key] = p
	}
	if len(folded) == 0 {
		return nil
	}
	for p := range paths {
		if !isASCII(path.Base(p)) {
			continue
		}
		if other, ok := folded[path.Join(path.Dir(p), strings.ToLower(path.Base(p)))]; ok {
			return alike(other, p)
		}
	}
	return nil
}

func alike(a, b string) error {
	return fmt.Errorf("%w: %q and %q", errAlike, a, b)
}

var errAlike = errors.New("two names that look like one")

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
