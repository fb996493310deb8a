package snapshot

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"sandbox/internal/disk"
	"sandbox/repo/installed"
)

// entry is what a file of the home was like when it was copied. With the same
// inode, size and times it is the same content: any change sets ctime, which no
// program can set back.
type entry struct {
	path         string
	dev, ino     uint64
	size         int64
	mtime, ctime int64 // nanoseconds
}

func entryOf(path string, st *unix.Stat_t) entry {
	return entry{path, st.Dev, st.Ino, st.Size, st.Mtim.Nano(), st.Ctim.Nano()}
}

// margin is more than the steps in which any file system counts time: a file that
// changed so shortly before it was copied may have changed again within one.
const margin = int64(3e9)

func (c *copier) remember(path string, st *unix.Stat_t) {
	if st.Ctim.Nano() < c.young {
		c.index = append(c.index, entryOf(path, st))
	}
}

const maxIndex = 256 << 20

func encodeIndex(list []entry) []byte {
	var b []byte
	for _, e := range list {
		b = fmt.Appendf(b, "%d %d %d %d %d ", e.dev, e.ino, e.size, e.mtime, e.ctime)
		b = strconv.AppendQuote(b, e.path)
		b = append(b, '\n')
	}
	return b
}

// readIndex is nil when there is none that can be read: then everything is copied.
func readIndex(snaps int, name string) map[string]entry {
	fd, err := installed.Beneath(snaps, name+"/"+indexName, unix.O_RDONLY|unix.O_NONBLOCK)
	if err != nil {
		return nil
	}
	defer unix.Close(fd)
	data, err := disk.ReadFD(fd, maxIndex)
	if err != nil {
		return nil
	}
	index := map[string]entry{}
	for line := range strings.Lines(string(data)) {
		e, err := parseEntry(strings.TrimSuffix(line, "\n"))
		if err != nil {
			return nil
		}
		index[e.path] = e
	}
	return index
}

func parseEntry(line string) (e entry, err error) {
	f := strings.SplitN(line, " ", 6)
	if len(f) != 6 {
		return e, os.ErrInvalid
	}
	for i, n := range [...]*uint64{&e.dev, &e.ino} {
		if *n, err = strconv.ParseUint(f[i], 10, 64); err != nil {
			return e, err
		}
	}
	for i, n := range [...]*int64{&e.size, &e.mtime, &e.ctime} {
		if *n, err = strconv.ParseInt(f[i+2], 10, 64); err != nil {
			return e, err
		}
	}
	e.path, err = strconv.Unquote(f[5])
	return e, err
}
