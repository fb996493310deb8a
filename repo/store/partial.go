package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"sandbox/internal/disk"
	"sandbox/repo"
)

// What has come of a large content before its download broke off lies in partial/,
// as it is packed. Nothing believes it: it is unpacked and compared with the hash
// of the content like what comes from a server, and goes when it does not fit.
// Whoever uses one holds its lock.

const (
	// PartialAge is how long one lies there unused.
	PartialAge = 7 * 24 * time.Hour
	// MaxPartials is how many bytes lie there; but the newest one stays, however
	// large it is.
	MaxPartials = 1 << 30
)

// Partial is the beginning of n bytes of a pack.
type Partial struct {
	s    *Store
	f    *os.File
	name string
	size int64
}

func partialName(pack repo.Digest, off, n int64) string {
	return fmt.Sprintf("partial/%s-%d-%d", pack, off, n)
}

// Partial opens what there is of n bytes of a pack from off, which may be nothing;
// nil where somebody else is at it or the file system does not allow it: a download
// does without. It may be called by several goroutines.
func (s *Store) Partial(pack repo.Digest, off, n int64) *Partial {
	name := partialName(pack, off, n)
	if s.step("partial %s", name) != nil {
		return nil
	}
	f, err := s.root.OpenFile(name, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0o600)
	if err != nil {
		return nil
	}
	var st unix.Stat_t
	if disk.TryExclusive(int(f.Fd())) != nil || unix.Fstat(int(f.Fd()), &st) != nil || st.Nlink != 1 || st.Mode&unix.S_IFMT != unix.S_IFREG {
		f.Close() // with no name left, somebody has just finished with it; with two, it is more than that
		return nil
	}
	return &Partial{s, f, name, st.Size}
}

// PartialSize is how much Partial would find, for a person who wants to know what is
// left to come.
func (s *Store) PartialSize(pack repo.Digest, off, n int64) int64 {
	var st unix.Stat_t
	if unix.Fstatat(s.fd, partialName(pack, off, n), &st, unix.AT_SYMLINK_NOFOLLOW) != nil || st.Mode&unix.S_IFMT != unix.S_IFREG || st.Size > n {
		return 0
	}
	return st.Size
}

// Size is how much there was when it was opened.
func (p *Partial) Size() int64 { return p.size }

func (p *Partial) ReadAt(b []byte, off int64) (int, error) { return p.f.ReadAt(b, off) }

func (p *Partial) WriteAt(b []byte, off int64) (int, error) {
	if err := p.s.step("write %s", p.name); err != nil {
		return 0, err
	}
	return p.f.WriteAt(b, off)
}

// Close leaves it for the next attempt.
func (p *Partial) Close() error { return p.f.Close() }

// Drop removes it: all has come, or what has come is wrong.
func (p *Partial) Drop() {
	p.s.remove(p.name)
	p.f.Close()
}

// sweepPartials removes what was left there: all that nobody is at, or what is too
// old or too much.
func (s *Store) sweepPartials(all bool) (n int, freed int64, err error) {
	list, err := fs.ReadDir(s.root.FS(), "partial")
	if errors.Is(err, fs.ErrNotExist) {
		return 0, 0, nil
	}
	if err != nil {
		return 0, 0, err
	}
	var infos []fs.FileInfo
	for _, e := range list {
		if info, err := e.Info(); err == nil {
			infos = append(infos, info)
		}
	}
	for _, info := range surplusPartials(infos, time.Now(), all) {
		gone, err := s.dropPartial("partial/" + info.Name())
		if err != nil {
			return n, freed, err
		}
		if gone {
			n++
			freed += info.Size()
		}
	}
	return n, freed, nil
}

// surplusPartials decides which go. What a clock that was wrong has dated ahead is
// the newest.
func surplusPartials(list []fs.FileInfo, now time.Time, all bool) (gone []fs.FileInfo) {
	list = slices.Clone(list)
	slices.SortStableFunc(list, func(a, b fs.FileInfo) int { return b.ModTime().Compare(a.ModTime()) })
	sum := int64(0)
	for i, info := range list {
		sum += info.Size()
		if all || now.Sub(info.ModTime()) > PartialAge || i > 0 && sum > MaxPartials {
			gone = append(gone, info)
		}
	}
	return gone
}

// dropPartial removes one that nobody is at.
func (s *Store) dropPartial(name string) (bool, error) {
	f, err := s.root.OpenFile(name, os.O_RDWR|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err == nil {
		defer f.Close()
		if errors.Is(disk.TryExclusive(int(f.Fd())), disk.ErrLocked) {
			return false, nil
		}
	} else if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return true, s.discard(name) // whatever it is
}
