package export

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"

	"golang.org/x/sys/unix"
)

// tree makes and removes files below a place. Nothing on the way to them is
// followed: a directory that turns out to be a link is an error.
type tree struct {
	root *os.Root
	mode os.FileMode // of directories
}

// foreign is the error for a file that is not ours.
type foreign struct{ text string }

func (f foreign) Error() string { return f.text }

func isForeign(err error) bool {
	_, ok := errors.AsType[foreign](err)
	return ok
}

// make brings a file into the wanted state, unless somebody else's stands there.
// A link that stands in the place of a file is replaced, never followed: we make
// no such links, and nothing of theirs is lost.
func (t tree) make(name string, want product, known recorded) (changed bool, err error) {
	if err := t.directories(path.Dir(name)); err != nil {
		return false, err
	}
	now, kind, err := t.look(name)
	if err != nil {
		return false, err
	}
	stray := kind == fs.ModeSymlink && want.link == ""
	switch {
	case now == want.sum():
		return false, nil
	case now == "" || stray || slices.Contains(known.Sums, now):
	default:
		return false, foreign{fmt.Sprintf("%s is there and was not made by sandbox: it stays, and what would be there is left out", t.full(name))}
	}
	return true, t.write(name, want)
}

// remove takes away what we made, and the directories that become empty.
func (t tree) remove(name string, known recorded) (changed bool, err error) {
	if err := t.real(path.Dir(name)); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return false, nil
		}
		return false, err
	}
	now, _, err := t.look(name)
	if err != nil || now == "" {
		return false, err
	}
	if !slices.Contains(known.Sums, now) {
		return false, foreign{fmt.Sprintf("%s was changed by somebody since sandbox made it: it stays", t.full(name))}
	}
	if err := t.root.Remove(name); err != nil {
		return false, err
	}
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		if t.root.Remove(dir) != nil {
			break
		}
	}
	return true, nil
}

// look is the sum of what stands at name, "" for nothing.
func (t tree) look(name string) (sum string, kind fs.FileMode, err error) {
	st, err := t.root.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return "", 0, nil
	}
	if err != nil {
		return "", 0, err
	}
	switch st.Mode().Type() {
	case fs.ModeSymlink:
		target, err := t.root.Readlink(name)
		return product{link: target}.sum(), fs.ModeSymlink, err
	case 0:
		f, err := t.root.OpenFile(name, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
		if err != nil {
			return "", 0, err
		}
		data, err := readRegular(f, maxProduct)
		if err != nil {
			return "not ours", 0, nil
		}
		return product{data: data}.sum(), 0, nil
	}
	return "not ours", st.Mode().Type(), nil
}

// maxProduct is larger than every file we make.
const maxProduct = 16 << 20

// write replaces name by a rename.
func (t tree) write(name string, want product) error {
	if err := t.root.Remove(scratch); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := t.fill(want); err != nil {
		return err
	}
	if err := t.root.Rename(scratch, name); err != nil {
		t.root.Remove(scratch)
		return err
	}
	return t.syncDir(path.Dir(name))
}

func (t tree) fill(want product) error {
	if want.link != "" {
		return t.root.Symlink(want.link, scratch)
	}
	f, err := t.root.OpenFile(scratch, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.Write(want.data); err != nil {
		return err
	}
	if err := f.Chmod(0o644); err != nil {
		return err
	}
	return f.Sync()
}

// directories makes dir and those above it.
func (t tree) directories(dir string) error {
	if dir == "." {
		return nil
	}
	if err := t.directories(path.Dir(dir)); err != nil {
		return err
	}
	if err := t.root.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return t.isReal(dir)
}

// real wants dir and all above it to be directories.
func (t tree) real(dir string) error {
	if dir == "." {
		return nil
	}
	if err := t.real(path.Dir(dir)); err != nil {
		return err
	}
	return t.isReal(dir)
}

func (t tree) isReal(dir string) error {
	st, err := t.root.Lstat(dir)
	if err != nil {
		return err
	}
	if !st.IsDir() {
		return fmt.Errorf("%s is not a directory but %v", t.full(dir), st.Mode().Type())
	}
	return nil
}

func (t tree) full(name string) string { return path.Join(t.root.Name(), name) }

func (t tree) syncDir(dir string) error {
	d, err := t.root.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
