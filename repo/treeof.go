package repo

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"sandbox/internal/hint"
	"sandbox/manifest"
	"sandbox/repo/bundle"
)

// TreeOf reads a bundle directory, checks it as bundle.Check does and hashes
// every file. Of a bundle for several arches it gives the tree for this
// machine's.
func TreeOf(dir string) (*Tree, error) { return TreeFor(dir, "") }

// TreeFor is TreeOf for a given arch, which must be one that the bundle is for.
func TreeFor(dir, arch string) (*Tree, error) {
	l, err := bundle.List(dir)
	if err != nil {
		return nil, err
	}
	m := l.Manifest
	if arch, err = archOf(m.Arch, l.Machines, arch); err != nil {
		return nil, fmt.Errorf("cannot use %q: %w", dir, err)
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

// archOf decides which arch a bundle is offered for: the wanted one, else the
// only one, else this machine's. What the manifest says, and what the files are
// made for where it says nothing, must agree: nobody is served programs that his
// machine cannot run.
func archOf(said []string, machines map[string]string, wanted string) (string, error) {
	made := slices.Sorted(maps.Keys(machines))
	if len(said) == 0 {
		said = made
	}
	if len(said) == 0 {
		said = []string{AnyArch}
	}
	if said[0] == AnyArch && len(made) == 1 {
		return "", hint.With(fmt.Errorf("its manifest says that it runs on any machine, and %q is for %s", machines[made[0]], made[0]),
			"set arch = [%q] in %s", made[0], manifest.FileName)
	}
	arch := wanted
	switch {
	case wanted != "" && !slices.Contains(said, wanted):
		return "", fmt.Errorf("it is for %s, not for %s", strings.Join(said, " and "), wanted)
	case wanted != "":
	case len(said) == 1:
		arch = said[0]
	case slices.Contains(said, HostArch()):
		arch = HostArch()
	default:
		return "", hint.With(fmt.Errorf("it is for %s, and this machine is none of them", strings.Join(said, " and ")), "say which arch is meant")
	}
	if arch != AnyArch && len(made) > 0 && machines[arch] == "" {
		return "", fmt.Errorf("it is to be for %s, and %q is for %s", arch, machines[made[0]], made[0])
	}
	return arch, nil
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
