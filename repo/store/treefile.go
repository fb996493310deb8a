package store

import (
	"errors"
	"fmt"
	"io"
	"io/fs"

	"golang.org/x/sys/unix"

	"sandbox/repo"
)

func treeName(d repo.Digest) string {
	h := d.String()
	return "trees/" + h[:2] + "/" + h
}

// HasTree reports whether a tree file is there.
func (s *Store) HasTree(d repo.Digest) bool {
	var st unix.Stat_t
	return unix.Fstatat(s.fd, treeName(d), &st, unix.AT_SYMLINK_NOFOLLOW) == nil && st.Mode&unix.S_IFMT == unix.S_IFREG
}

// WriteTree keeps the stored bytes of a tree, when their digest is want. It must
// come before Deploy, which reads these very bytes.
func (s *Store) WriteTree(want repo.Digest, stored []byte) error {
	if repo.Sum(stored) != want {
		return fmt.Errorf("cannot store the tree file %s: %w", want.Short(), errContent)
	}
	err := s.store(treeName(want), 0o644, func(w io.Writer) error {
		_, err := w.Write(stored)
		return err
	})
	if err != nil {
		return explain(fmt.Errorf("cannot store the tree file %s: %w", want.Short(), err), s.system)
	}
	return nil
}

// Tree reads a tree file: its bytes are those of the digest, or it is an error.
// It is a *Missing when it is not there.
func (s *Store) Tree(d repo.Digest) (*repo.Tree, error) {
	data, err := s.readFile(treeName(d), repo.MaxTree)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &Missing{d, true}
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the tree file %s: %w", d.Short(), err)
	}
	if repo.Sum(data) != d {
		return nil, fmt.Errorf("cannot read the tree file %s: it has changed since it was stored", d.Short())
	}
	return repo.DecodeTree(data)
}
