package bundle

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"

	"sandbox/internal/hint"
	"sandbox/manifest"
)

func (b *build) addSource(ctx context.Context, src manifest.Source) error {
	if src.Type == manifest.SourceDebian {
		return b.debianSource(ctx, src)
	}
	dest, err := cleanName("./" + src.Dest)
	if err != nil {
		return err
	}
	dest = path.Join("files", dest)
	switch src.Type {
	case manifest.SourceDir:
		return b.dirSource(ctx, src, dest)
	case manifest.SourceFile:
		return b.fileSource(src, dest)
	case manifest.SourceArchive:
		return b.archiveSource(src, dest)
	}
	return fmt.Errorf("internal error: source of type %q", src.Type)
}

// open opens a regular file below the manifest's directory. Links on the way
// are followed as far as they stay below it, and no open blocks on a FIFO.
func (b *build) open(root *os.Root, name string) (*os.File, fs.FileInfo, error) {
	f, err := root.OpenFile(name, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil, sourceError(err)
	}
	st, err := f.Stat()
	if err == nil && !st.Mode().IsRegular() {
		err = fmt.Errorf("%q is no regular file", name)
	}
	if err != nil {
		f.Close()
		return nil, nil, err
	}
	return f, st, nil
}

func sourceError(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return hint.With(err, "paths of sources are relative to the directory of %s", manifest.FileName)
	}
	return err
}

func (b *build) fileSource(src manifest.Source, dest string) error {
	f, _, err := b.open(b.source, src.Path)
	if err != nil {
		return err
	}
	defer f.Close()
	if src.SHA256 != "" {
		if err := checkDigest(f, src.SHA256); err != nil {
			return err
		}
	}
	if src.Dest == "" {
		dest = path.Join("files", path.Base(src.Path))
	}
	return b.tree.file(dest, src.Executable, f)
}

func (b *build) archiveSource(src manifest.Source, dest string) error {
	f, st, err := b.open(b.source, src.Path)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := checkDigest(f, src.SHA256); err != nil {
		return err
	}
	if err := b.tree.addArchive(f, st.Size(), dest, src.Strip); err != nil {
		return fmt.Errorf("archive refused: %w", err)
	}
	return nil
}

// dirSource copies a directory. Links in it are copied as links and checked
// with the whole tree.
func (b *build) dirSource(ctx context.Context, src manifest.Source, dest string) error {
	root, err := b.source.OpenRoot(src.Path)
	if err != nil {
		return sourceError(err)
	}
	defer root.Close()
	out, err := filepath.Rel(filepath.Join(b.dir, src.Path), b.out)
	if err != nil {
		out = ""
	}
	return b.copyDir(ctx, root, ".", dest, filepath.ToSlash(out), 0)
}

// copyDir leaves out the build itself, which may lie below a source.
func (b *build) copyDir(ctx context.Context, root *os.Root, dir, dest, skip string, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("%q is deeper than %d levels", dir, maxDepth)
	}
	if err := b.tree.mkdir(dest); err != nil {
		return err
	}
	entries, err := readDir(root, dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := ctx.Err(); err != nil {
			return err
		}
		from, to := path.Join(dir, e.Name()), path.Join(dest, e.Name())
		if from == skip || isStaging(from, skip) {
			continue
		}
		if err := b.copyEntry(ctx, root, e, from, to, skip, depth); err != nil {
			return err
		}
	}
	return nil
}

func (b *build) copyEntry(ctx context.Context, root *os.Root, e fs.DirEntry, from, to, skip string, depth int) error {
	switch {
	case e.IsDir():
		return b.copyDir(ctx, root, from, to, skip, depth+1)
	case e.Type() == fs.ModeSymlink:
		target, err := root.Readlink(from)
		if err != nil {
			return err
		}
		return b.tree.symlink(to, target)
	case !e.Type().IsRegular():
		return fmt.Errorf("%q is of type %v, which a bundle cannot hold", from, e.Type())
	}
	f, st, err := b.open(root, from)
	if err != nil {
		return err
	}
	defer f.Close()
	return b.tree.file(to, st.Mode()&0o111 != 0, f)
}

func readDir(root *os.Root, dir string) ([]fs.DirEntry, error) {
	f, err := root.OpenFile(dir, os.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	entries, err := f.ReadDir(-1)
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return bytes.Compare([]byte(a.Name()), []byte(b.Name())) })
	return entries, err
}

type loadedManifest struct {
	m    *manifest.Manifest
	data []byte
}

// readManifest reads the bytes once: what is parsed is what the bundle gets.
func readManifest(dir string) (*loadedManifest, error) {
	root, err := os.OpenRoot(dir)
	if st, _ := os.Stat(dir); err != nil && (st == nil && errors.Is(err, fs.ErrNotExist) || st != nil && !st.IsDir()) {
		return nil, hint.With(fmt.Errorf("%q is no directory", dir), "name the directory that holds %s", manifest.FileName)
	}
	if err != nil {
		return nil, err
	}
	defer root.Close()
	name := filepath.Join(dir, manifest.FileName)
	f, err := root.OpenFile(manifest.FileName, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, hint.With(fmt.Errorf("no %s in %q", manifest.FileName, dir), "sandbox init writes one")
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if st, err := f.Stat(); err != nil || !st.Mode().IsRegular() {
		return nil, fmt.Errorf("%q is no regular file", name)
	}
	data, err := io.ReadAll(io.LimitReader(f, manifest.MaxSize+1))
	if err != nil {
		return nil, err
	}
	m, err := manifest.Parse(name, data)
	return &loadedManifest{m, data}, err
}

func (b *build) copyManifest() error {
	loaded, err := readManifest(b.dir)
	if err != nil {
		return err
	}
	b.manifest, b.manifestText = loaded.m, loaded.data
	return b.tree.file(manifest.FileName, false, bytes.NewReader(loaded.data))
}

// checkManifest makes sure that no build step changed what the bundle says
// about itself: the packager has read and agreed to the text beside it.
func (b *build) checkManifest(dir string) error {
	now, err := readManifest(dir)
	if err != nil {
		return err
	}
	if !bytes.Equal(now.data, b.manifestText) {
		return fmt.Errorf("a build step changed %s", manifest.FileName)
	}
	return nil
}
