package bundle

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"

	"golang.org/x/sys/unix"
)

type kind uint8

const (
	dirKind kind = iota + 1
	fileKind
	linkKind
)

type node struct {
	kind   kind
	exec   bool
	target string // of a link
}

// A tree is a bundle being written. It remembers what it made, so that nothing
// is ever written through a link or over another entry, whatever the order in
// which a hostile source names them; os.Root holds the same line in the kernel.
type tree struct {
	root     *os.Root
	limits   Limits
	nodes    map[string]node
	folded   map[string]string // folded path → path, to find names that differ by case only
	bytes    int64
	isStrict bool // refuse names that differ by case only
}

func newTree(dir string, limits Limits) (*tree, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	return &tree{root: root, limits: limits.withDefaults(), nodes: map[string]node{}, folded: map[string]string{}}, nil
}

func (t *tree) close() { t.root.Close() }

// claim reserves the name p for something new.
func (t *tree) claim(p string, n node) error {
	if err := checkPath(p); err != nil {
		return fmt.Errorf("name %q %w", p, err)
	}
	if _, ok := t.nodes[p]; ok {
		return fmt.Errorf("%q is there twice", p)
	}
	key := fold(p)
	if other, ok := t.folded[key]; ok && other != p && t.isStrict {
		return fmt.Errorf("%q and %q are one name where case does not count", other, p)
	}
	if err := t.mkdir(path.Dir(p)); err != nil {
		return err
	}
	if len(t.nodes) >= t.limits.Entries {
		return tooMany("over %d entries", t.limits.Entries)
	}
	t.nodes[p], t.folded[key] = n, p
	return nil
}

// mkdir makes p and what is missing above it. A directory that is there is fine.
func (t *tree) mkdir(p string) error {
	if p == "." {
		return nil
	}
	if n, ok := t.nodes[p]; ok {
		switch n.kind {
		case dirKind:
			return nil
		case linkKind:
			return fmt.Errorf("%q is a symbolic link, and something lies below it", p)
		}
		return fmt.Errorf("%q is a file, and something lies below it", p)
	}
	if err := t.claim(p, node{kind: dirKind}); err != nil {
		return err
	}
	return t.root.Mkdir(p, 0o755)
}

// file makes the regular file p from r. The mode is exact, whatever the umask.
func (t *tree) file(p string, exec bool, r io.Reader) error {
	if err := t.claim(p, node{kind: fileKind, exec: exec}); err != nil {
		return err
	}
	f, err := t.root.OpenFile(p, os.O_WRONLY|os.O_CREATE|os.O_EXCL|unix.O_NOFOLLOW, 0o644)
	if err != nil {
		return err
	}
	err = errors.Join(t.fill(f, r), f.Chmod(fileMode(exec)), f.Close())
	if err != nil {
		return fmt.Errorf("%q: %w", p, err)
	}
	return nil
}

func (t *tree) fill(f *os.File, r io.Reader) error {
	room := t.limits.Bytes - t.bytes
	n, err := io.Copy(f, io.LimitReader(r, room+1))
	t.bytes += n
	if err == nil && n > room {
		return tooMany("over %d bytes", t.limits.Bytes)
	}
	return err
}

func (t *tree) symlink(p, unsafeTarget string) error {
	if err := checkTarget(unsafeTarget); err != nil {
		return fmt.Errorf("target %q of link %q %w", unsafeTarget, p, err)
	}
	if err := t.claim(p, node{kind: linkKind, target: unsafeTarget}); err != nil {
		return err
	}
	return t.root.Symlink(unsafeTarget, p)
}

// copy makes p with the content of the regular file from, which the same
// source made earlier: what a hard link in an archive becomes (CVE-2026-96279).
func (t *tree) copy(from, p string) error {
	n, ok := t.nodes[from]
	if !ok || n.kind != fileKind {
		return fmt.Errorf("hard link %q to %q, which is no earlier regular file", p, from)
	}
	f, err := t.root.OpenFile(from, os.O_RDONLY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	return t.file(p, n.exec, f)
}

func fileMode(exec bool) fs.FileMode {
	if exec {
		return 0o755
	}
	return 0o644
}
