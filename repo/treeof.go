package repo

import (
	"fmt"
	"slices"

	"sandbox/internal/hint"
	"sandbox/repo/bundle"
)

// TreeOf reads a bundle directory, checks it as bundle.Check does and hashes
// every file. Of a bundle for several arches it gives the tree for this
// machine's.
func TreeOf(dir string) (*Tree, error) { return TreeFor(dir, "") }

// TreeFor is TreeOf for a given arch, which the manifest must list.
func TreeFor(dir, arch string) (*Tree, error) {
	l, err := bundle.List(dir)
	if err != nil {
		return nil, err
	}
	m := l.Manifest
	switch {
	case arch != "" && !slices.Contains(m.Arch, arch):
		return nil, fmt.Errorf("cannot use %q: it is for %q, not for %q", dir, m.Arch, arch)
	case arch != "":
	case len(m.Arch) == 1:
		arch = m.Arch[0]
	case slices.Contains(m.Arch, HostArch()):
		arch = HostArch()
	default:
		return nil, hint.With(fmt.Errorf("cannot use %q: it is for %q, and this machine is none of them", dir, m.Arch), "say which arch is meant")
	}
	t := &Tree{
		Kind: m.Kind, ID: m.ID, Arch: arch, Version: m.Version, Runtime: m.Runtime.String(),
		TOML: l.TOML, Entries: make([]Entry, 0, len(l.Entries)),
	}
	for _, e := range l.Entries {
		entry, err := entryOf(e)
		if err != nil {
			return nil, fmt.Errorf("cannot use %q: %w", dir, err)
		}
		if entry.Type == File {
			t.Files++
			t.Size += entry.Size
		}
		t.Entries = append(t.Entries, entry)
	}
	if err := t.check(); err != nil {
		return nil, fmt.Errorf("cannot use %q: %w", dir, err)
	}
	return t, nil
}

func entryOf(e bundle.Entry) (Entry, error) {
	switch e.Kind {
	case bundle.DirEntry:
		return Entry{Path: e.Path, Type: Dir}, nil
	case bundle.LinkEntry:
		return Entry{Path: e.Path, Type: Link, Target: e.Target}, nil
	}
	out := Entry{Path: e.Path, Type: File, Size: e.Size, Exec: e.Exec}
	if e.Size == 0 {
		return out, nil
	}
	var err error
	out.Object, err = ParseDigest(e.SHA256)
	return out, err
}
