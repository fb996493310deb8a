package remote

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"

	"sandbox/internal/hint"
	"sandbox/repo/strictjson"
)

// BundleSuffix is how single-file bundles are named.
const BundleSuffix = ".sandbox"

// BundleHead is the first file of a single-file bundle. It says what is inside
// and is believed in nothing: what counts is the signed metadata that follows.
type BundleHead struct {
	Type   string   `json:"type"`
	Format int      `json:"format"`
	Refs   []string `json:"refs"`
}

// What a single-file bundle begins with.
const (
	BundleType     = "sandbox-bundle"
	BundleFormat   = 1
	BundleHeadName = "sandbox-bundle.json"

	maxBundleHead  = 64 << 10
	maxBundleFiles = 8192
)

// TarFile is a single-file bundle: the files of a repository that its refs
// need, in one tar. It is a Source.
type TarFile struct {
	Head  BundleHead
	path  string
	f     *os.File
	files map[string]tarEntry
}

type tarEntry struct{ off, size int64 }

// OpenTar reads what is in a single-file bundle. A name that no repository has,
// a file that is there twice, anything but regular files makes it no bundle.
func OpenTar(path string) (*TarFile, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOCTTY, 0)
	if err != nil {
		return nil, fmt.Errorf("cannot open %q: %w", path, plain(err))
	}
	t := &TarFile{path: path, f: f, files: map[string]tarEntry{}}
	if err := t.index(); err != nil {
		f.Close()
		return nil, hint.With(fmt.Errorf("cannot read %q: %w", path, err), "was it made by 'sandbox download', and copied whole?")
	}
	return t, nil
}

func (t *TarFile) index() error {
	st, err := t.f.Stat()
	if err != nil {
		return err
	}
	if !st.Mode().IsRegular() {
		return errors.New("it is not a regular file")
	}
	r := tar.NewReader(t.f)
	for {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		if err := t.add(h, st.Size()); err != nil {
			return err
		}
		if len(t.files) == 1 {
			if err := t.readHead(h, r); err != nil {
				return err
			}
		}
	}
	if len(t.files) == 0 {
		return errors.New("it is empty")
	}
	return nil
}

// add notes where a file lies. The reader stands at its first byte.
func (t *TarFile) add(h *tar.Header, whole int64) error {
	if h.Typeflag != tar.TypeReg || len(h.PAXRecords) > 0 || h.Linkname != "" {
		return fmt.Errorf("%q in it is no plain file", h.Name)
	}
	if err := checkPath(h.Name); err != nil {
		return fmt.Errorf("it has a file %q", h.Name)
	}
	if _, twice := t.files[h.Name]; twice {
		return fmt.Errorf("it has %q twice", h.Name)
	}
	off, err := t.f.Seek(0, io.SeekCurrent)
	if err != nil {
		return err
	}
	if h.Size < 0 || h.Size > whole-off {
		return fmt.Errorf("it ends within %q", h.Name)
	}
	if len(t.files) >= maxBundleFiles {
		return fmt.Errorf("it has more than %d files", maxBundleFiles)
	}
	t.files[h.Name] = tarEntry{off, h.Size}
	return nil
}

func (t *TarFile) readHead(h *tar.Header, r io.Reader) error {
	if h.Name != BundleHeadName || h.Size > maxBundleHead {
		return fmt.Errorf("it does not begin with %s", BundleHeadName)
	}
	data, err := io.ReadAll(io.LimitReader(r, maxBundleHead))
	if err != nil {
		return err
	}
	if err := strictjson.Unmarshal(data, &t.Head); err != nil {
		return fmt.Errorf("%s: %w", BundleHeadName, err)
	}
	if t.Head.Type != BundleType || t.Head.Format != BundleFormat {
		return fmt.Errorf("it is a %q of format %d, not a %q of format %d", t.Head.Type, t.Head.Format, BundleType, BundleFormat)
	}
	return nil
}

func (t *TarFile) String() string { return t.path }

// Close closes the file.
func (t *TarFile) Close() error { return t.f.Close() }

func (t *TarFile) Fetch(ctx context.Context, path string, max int64) ([]byte, error) {
	e, ok := t.files[path]
	if !ok {
		return nil, t.explain(path, ErrNotFound)
	}
	if e.size > max {
		return nil, t.explain(path, fmt.Errorf("%w (%d bytes)", ErrTooLong, max))
	}
	data := make([]byte, e.size)
	if _, err := io.ReadFull(io.NewSectionReader(t.f, e.off, e.size), data); err != nil {
		return nil, t.explain(path, err)
	}
	return data, ctx.Err()
}

func (t *TarFile) Open(ctx context.Context, path string, off, n int64) (*Body, error) {
	e, ok := t.files[path]
	if !ok {
		return nil, t.explain(path, ErrNotFound)
	}
	if off < 0 || n <= 0 || e.size-n < off {
		return nil, t.explain(path, errors.New("the file is shorter than it must be"))
	}
	return &Body{ReadCloser: section{io.NewSectionReader(t.f, e.off+off, n), io.NopCloser(nil), ctx}}, nil
}

func (t *TarFile) explain(path string, err error) error {
	return fmt.Errorf("cannot read %s in %q: %w", strings.TrimPrefix(path, "/"), t.path, err)
}
