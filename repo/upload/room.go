package upload

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"sandbox/internal/amount"
	"sandbox/internal/hint"
)

// spare is what is left free besides.
const spare = 64 << 20

var errRoom = errors.New("there is not enough space")

// checkRoom compares what the server says it has with what is free here, before any
// of it comes.
func (p *Place) checkRoom(bytes int64) error {
	var st unix.Statfs_t
	if unix.Statfs(p.home, &st) != nil {
		return nil // then the disk itself will say so
	}
	return roomFor(bytes, int64(st.Bavail)*int64(st.Bsize), p.home)
}

// roomFor decides.
func roomFor(bytes, free int64, dir string) error {
	if bytes == 0 || bytes > 0 && bytes <= free-spare {
		return nil
	}
	err := fmt.Errorf("%w in %s: the server says that it has %s, and %s are free", errRoom, dir, amount.Bytes(max(bytes, 0)), amount.Bytes(free))
	return hint.With(err, "XDG_CACHE_HOME names another place for the working copy; if that is more than you have published, look at what else writes there")
}
