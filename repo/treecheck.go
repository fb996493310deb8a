package repo

import (
	"errors"
	"fmt"
	"path"
	"slices"

	"sandbox/manifest"
	"sandbox/repo/bundle"
)

// check is every rule about a tree.
func (t *Tree) check() error {
	if err := t.checkHeader(); err != nil {
		return err
	}
	if err := t.checkEntries(); err != nil {
		return err
	}
	return t.checkWhole()
}

// checkWhole is what can only be said about all entries together.
func (t *Tree) checkWhole() error {
	for _, check := range []func() error{t.checkSums, t.checkNames, t.checkLinks} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

// checkHeader holds the header against the manifest: a tree that is indexed as
// one thing and installs as another is refused (B04).
func (t *Tree) checkHeader() error {
	if len(t.TOML) > manifest.MaxSize {
		return fmt.Errorf("manifest of over %d bytes", manifest.MaxSize)
	}
	m, err := t.Manifest()
	if err != nil {
		return err
	}
	switch {
	case t.Kind != m.Kind:
		return fmt.Errorf("kind %q, but its manifest says %q", clip(string(t.Kind)), m.Kind)
	case t.ID != m.ID:
		return fmt.Errorf("id %q, but its manifest says %q", clip(string(t.ID)), m.ID)
	case t.Version != m.Version:
		return fmt.Errorf("version %q, but its manifest says %q", clip(t.Version), m.Version)
	case t.Runtime != m.Runtime.String():
		return fmt.Errorf("runtime %q, but its manifest says %q", clip(t.Runtime), m.Runtime)
	case len(m.Arch) > 0 && !slices.Contains(m.Arch, t.Arch):
		return fmt.Errorf("arch %q, but its manifest says %q", clip(t.Arch), m.Arch)
	}
	return nil
}

// A treeWalk checks entries one after the other, so that a hostile tree ends at
// its first wrong entry and not when all of it is in memory. It wants every
// directory before what is in it. With the order of paths this leaves no room
// for a name that is there twice, or that lies below a link or a file.
type treeWalk struct {
	isRuntime bool
	n         int
	last      string
	dirs      map[string]bool
}

func (t *Tree) walk() *treeWalk {
	return &treeWalk{isRuntime: t.Kind == manifest.Runtime, dirs: map[string]bool{}}
}

func (w *treeWalk) entry(e *Entry) error {
	if w.n++; w.n > MaxEntries {
		return fmt.Errorf("over %d entries", MaxEntries)
	}
	if err := e.check(); err != nil {
		return fmt.Errorf("entry %q: %w", clip(e.Path), err)
	}
	if e.Path <= w.last {
		return fmt.Errorf("entry %q is not in order", clip(e.Path))
	}
	w.last = e.Path
	parent := path.Dir(e.Path)
	switch {
	case parent != "." && !w.dirs[parent]:
		return fmt.Errorf("entry %q has no directory to be in", clip(e.Path))
	case parent == "." && !w.hasTop(e):
		return fmt.Errorf("%q has no place at the top of a bundle", clip(e.Path))
	}
	if e.Type == Dir {
		w.dirs[e.Path] = true
	}
	return nil
}

func (w *treeWalk) hasTop(e *Entry) bool {
	return e.Type == Dir && (e.Path == "files" || e.Path == "usr" && !w.isRuntime)
}

func (w *treeWalk) end() error {
	if !w.dirs["files"] {
		return errors.New("the directory files is missing")
	}
	return nil
}

func (t *Tree) checkEntries() error {
	w := t.walk()
	for i := range t.Entries {
		if err := w.entry(&t.Entries[i]); err != nil {
			return err
		}
	}
	return w.end()
}

func (e *Entry) check() error {
	if err := bundle.CheckPath(e.Path); err != nil {
		return fmt.Errorf("it %w", err)
	}
	isFile, isLink := e.Type == File, e.Type == Link
	switch {
	case e.Type != Dir && !isFile && !isLink:
		return errors.New("it is of unknown type")
	case !isFile && (e.Size != 0 || e.Exec || !e.Object.IsZero()):
		return errors.New("it is no file and has content")
	case !isLink && e.Target != "":
		return errors.New("it is no link and has a target")
	case e.Size < 0 || e.Size > MaxBytes:
		return fmt.Errorf("size of %d bytes", e.Size)
	case isFile && (e.Size == 0) != e.Object.IsZero():
		return errors.New("only a file that is not empty has an object")
	case isLink:
		if err := bundle.CheckTarget(e.Target); err != nil {
			return fmt.Errorf("its target %w", err)
		}
	}
	return nil
}

// checkSums also wants one size for one object, so that the sizes of objects
// are as sure as those of files.
func (t *Tree) checkSums() error {
	files, size := 0, int64(0)
	sizes := map[Digest]int64{}
	for i := range t.Entries {
		e := &t.Entries[i]
		if e.Type != File {
			continue
		}
		files++
		if size += e.Size; size > MaxBytes {
			return fmt.Errorf("over %d bytes", int64(MaxBytes))
		}
		if before, ok := sizes[e.Object]; ok && before != e.Size {
			return fmt.Errorf("object %s has two sizes", e.Object.Short())
		}
		sizes[e.Object] = e.Size
	}
	if files != t.Files || size != t.Size {
		return fmt.Errorf("%d files of %d bytes, but its header says %d of %d", files, size, t.Files, t.Size)
	}
	return nil
}

func (t *Tree) checkNames() error {
	return bundle.CheckAlike(func(yield func(string) bool) {
		for i := range t.Entries {
			if !yield(t.Entries[i].Path) {
				return
			}
		}
	})
}

func (t *Tree) checkLinks() error {
	return bundle.CheckLinks(t.Kind == manifest.Runtime, func(yield func(string, string) bool) {
		for i := range t.Entries {
			if e := &t.Entries[i]; e.Type == Link && !yield(e.Path, e.Target) {
				return
			}
		}
	})
}

// Objects lists what a store needs for the tree: every object once, in the
// order of the first path that has it.
func (t *Tree) Objects() []Entry {
	seen := map[Digest]bool{}
	var out []Entry
	for _, e := range t.Entries {
		if e.Type == File && e.Size > 0 && !seen[e.Object] {
			seen[e.Object] = true
			out = append(out, e)
		}
	}
	return out
}
