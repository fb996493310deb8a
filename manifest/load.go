package manifest

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"sandbox/internal/hint"
)

// Load reads the manifest of a bundle directory.
func Load(bundleDir string) (*Manifest, error) {
	path := filepath.Join(bundleDir, FileName)
	data, err := readFile(path)
	if err != nil {
		return nil, err
	}
	return Parse(path, data)
}

// readFile reads a regular file of at most MaxSize. The manifest may lie where
// somebody else can write: a symbolic link is not followed, and opening a FIFO
// does not wait.
func readFile(path string) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
	switch {
	case errors.Is(err, syscall.ELOOP):
		return nil, hint.With(fmt.Errorf("cannot read manifest %q: it is a symbolic link", path), "put the file itself there")
	case errors.Is(err, fs.ErrNotExist):
		return nil, hint.With(fmt.Errorf("cannot read manifest: %w", err), "a bundle directory holds a %s; 'sandbox init' writes one", FileName)
	case err != nil:
		return nil, fmt.Errorf("cannot read manifest: %w", err)
	}
	defer f.Close()
	return Read(f, path)
}

// Read gives the bytes of an open manifest, for those who sign or hash them
// and then Parse the very same bytes. The path is for errors only.
func Read(f *os.File, path string) ([]byte, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("cannot read manifest: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("cannot read manifest %q: it is not a regular file", path)
	}
	data, err := io.ReadAll(io.LimitReader(f, MaxSize+1))
	if err != nil {
		return nil, fmt.Errorf("cannot read manifest %q: %w", path, err)
	}
	if len(data) > MaxSize {
		return nil, fmt.Errorf("cannot read manifest %q: it is larger than %d bytes", path, MaxSize)
	}
	return data, nil
}
