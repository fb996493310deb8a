package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"

	"sandbox/internal/hint"
)

// dirSource is a repository in a directory: a disk that was carried here, or
// one that is being tried out. What lies in it is as hostile as a server.
type dirSource struct {
	dir  string
	root *os.Root
}

func openDir(dir string) (*dirSource, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, hint.With(fmt.Errorf("%w: cannot open %q: %w", ErrUnreachable, dir, plain(err)), "is the disk mounted?")
	}
	return &dirSource{dir, root}, nil
}

func (s *dirSource) String() string { return "file://" + s.dir }

func (s *dirSource) Close() error { return s.root.Close() }

// open opens a regular file. Without O_NONBLOCK a fifo would hold us for ever.
func (s *dirSource) open(path string) (*os.File, int64, error) {
	if err := checkPath(path); err != nil {
		return nil, 0, err
	}
	f, err := s.root.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) {
		err = ErrNotFound
	}
	if err != nil {
		return nil, 0, s.explain(path, plain(err))
	}
	st, err := f.Stat()
	if err == nil && !st.Mode().IsRegular() {
		err = errors.New("it is not a regular file")
	}
	if err != nil {
		f.Close()
		return nil, 0, s.explain(path, err)
	}
	return f, st.Size(), nil
}

func (s *dirSource) Fetch(ctx context.Context, path string, max int64) ([]byte, error) {
	f, size, err := s.open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if size > max {
		return nil, s.explain(path, fmt.Errorf("%w (%d bytes)", ErrTooLong, max))
	}
	data, err := io.ReadAll(io.LimitReader(f, max))
	if err != nil {
		return nil, s.explain(path, plain(err))
	}
	return data, ctx.Err()
}

func (s *dirSource) Open(ctx context.Context, path string, off, n int64) (*Body, error) {
	f, size, err := s.open(path)
	if err != nil {
		return nil, err
	}
	if off < 0 || n <= 0 || size-n < off {
		f.Close()
		return nil, s.explain(path, errors.New("the file is shorter than it must be"))
	}
	return &Body{ReadCloser: section{io.NewSectionReader(f, off, n), f, ctx}}, nil
}

func (s *dirSource) explain(path string, err error) error {
	return fmt.Errorf("cannot read %s/%s: %w", s.dir, path, err)
}

// section is a part of an open file.
type section struct {
	r io.Reader
	io.Closer
	ctx context.Context
}

func (s section) Read(b []byte) (int, error) {
	if err := s.ctx.Err(); err != nil {
		return 0, err
	}
	return s.r.Read(b)
}

// plain takes the path out of an error of package os.
func plain(err error) error {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		return p.Err
	}
	return err
}
