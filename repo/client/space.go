package client

import (
	"fmt"

	"golang.org/x/sys/unix"

	"sandbox/internal/amount"
	"sandbox/internal/hint"
)

// reserve is what is left free besides: a disk that is filled to its last block
// hurts more than an app that is not installed.
const reserve = 16 << 20

// checkSpace compares what will be written with what is free. It errs on the
// side of asking: file systems compress, and others reserve.
func checkSpace(dir string, bytes, files int64) error {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return nil // then the disk itself will say so
	}
	return roomFor(bytes, files, int64(st.Bavail)*int64(st.Bsize), int64(st.Files), int64(st.Ffree), dir)
}

// roomFor decides. A file system without a number of files has no limit of them.
func roomFor(bytes, files, free, inodes, freeInodes int64, dir string) error {
	if bytes > 0 && bytes+reserve > free {
		err := fmt.Errorf("cannot install: %w in %s: %s are needed and %s are free", ErrSpace, dir, amount.Bytes(bytes+reserve), amount.Bytes(free))
		return hint.With(err, "free some space, or clear the store with 'sandbox gc'")
	}
	if inodes > 0 && files > freeInodes {
		return fmt.Errorf("cannot install: %w in %s: %d files more than it can hold", ErrSpace, dir, files-freeInodes)
	}
	return nil
}
