package upload

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"sandbox/repo"
)

// store is a place that holds files under names with slashes, below the address.
// Each method is one try: perform.go tries again what failed with errPassing.
type store interface {
	// list names all files with their lengths. Some that are no file of a
	// repository may be left out, but in an empty place nothing is listed and in
	// any other something.
	list(ctx context.Context) (map[string]int64, error)

	// get reads a file from its beginning. The tag stands for this content in a
	// condition. Without the file the error is fs.ErrNotExist.
	get(ctx context.Context, name string) (body io.ReadCloser, tag string, err error)

	// put makes c the content of name, all of it or nothing, and makes sure that
	// it stays when the power goes. sent is told what has gone out, negative
	// when it has to go out again; it may be nil.
	put(ctx context.Context, name string, c content, when condition, sent func(int64)) error

	// remove takes a file away. That it is not there is no error.
	remove(ctx context.Context, name string) error

	// conditional reports whether put heeds conditions by itself. Without it, a
	// change holds the lock from beginning to end, where locks reports that a lock
	// can be relied on.
	conditional(ctx context.Context) (bool, error)

	close() error
}

// condition is what must be so for a put to take place; else it fails with
// errCondition. The zero value asks for nothing.
type condition struct {
	absent bool   // there is no file of that name
	tag    string // the file is the one that was read with this tag
}

// content is what a file shall hold.
type content struct {
	path string // of a file, or
	data []byte // when path is ""
	size int64
	sum  repo.Digest
}

func bytesOf(data []byte) content {
	return content{data: data, size: int64(len(data)), sum: sha256.Sum256(data)}
}

func (c content) open() (io.ReadCloser, error) {
	if c.path == "" {
		return io.NopCloser(bytes.NewReader(c.data)), nil
	}
	return os.OpenFile(c.path, os.O_RDONLY|unix.O_NOFOLLOW, 0)
}

var (
	// errCondition says that somebody else was faster.
	errCondition = errors.New("somebody else has changed it meanwhile")
	// errTooMany says that there are more files than a repository may have.
	errTooMany = fmt.Errorf("it holds more than %d files", maxFiles)
	// errPassing is in errors that another try may not meet.
	errPassing = errors.New("")
)

// passing marks an error that another try may not meet.
type passing struct{ err error }

func (p passing) Error() string        { return p.err.Error() }
func (p passing) Unwrap() error        { return p.err }
func (p passing) Is(target error) bool { return target == errPassing }

// counted tells sent what was read of r.
type counted struct {
	r    io.Reader
	sent func(int64)
}

func (c counted) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	if n > 0 && c.sent != nil {
		c.sent(int64(n))
	}
	return n, err
}
