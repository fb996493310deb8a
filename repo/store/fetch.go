package store

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"sandbox/internal/disk"
)

// A download takes long, and others must be able to change the store meanwhile. So
// it goes on without the lock, and holds another file, shared with other downloads.
// It begins under the lock: whoever has the lock and finds no download knows that
// none begins. As long as there is one, nothing is removed that no release refers
// to, nor what is in tmp/, nor the mark of what is not synced.

const fetchName = "fetching"

// Fetch is the right to write contents and trees without the lock.
type Fetch struct {
	s *Store
	f *os.File
}

// Fetch begins a download, of which a store has one at a time. What it brings stays
// until End, or until the program ends.
func (s *Store) Fetch(l *Lock) (*Fetch, error) {
	err := s.holds(l)
	if err == nil && s.fetch != nil {
		err = errors.New("internal error: a second download")
	}
	if err != nil {
		return nil, err
	}
	f, err := s.openFetch()
	if err == nil {
		if err = disk.TryShared(int(f.Fd())); err != nil {
			f.Close()
		}
	}
	if err != nil {
		return nil, explain(fmt.Errorf("cannot begin a download: %w", err), s.system)
	}
	s.fetch = &Fetch{s, f}
	s.remark()
	return s.fetch, nil
}

// remark looks whether the mark of what is not synced is there: another writer may
// have taken it away. Nobody else does as long as a download goes on.
func (s *Store) remark() {
	s.mu.Lock()
	defer s.mu.Unlock()
	mark, err := s.readFile(unsyncedName, 64)
	s.pending = err == nil && strings.TrimSpace(string(mark)) == s.boot()
}

func (s *Store) openFetch() (*os.File, error) {
	f, err := s.root.OpenFile(fetchName, os.O_RDWR|os.O_CREATE, lockMode)
	if err == nil {
		if err = f.Chmod(lockMode); err != nil {
			f.Close()
		}
	}
	return f, err
}

// End ends the download. It may be called again.
func (f *Fetch) End() {
	if f.f != nil {
		f.f.Close()
		f.f, f.s.fetch = nil, nil
	}
}

// fetching reports whether a download goes on, whoever's. The caller has the lock.
func (s *Store) fetching() bool { return s.fetch != nil || s.othersFetch() }

// othersFetch reports whether one of another program goes on, or of another Store.
func (s *Store) othersFetch() bool {
	if s.fetch != nil { // our own hold becomes an exclusive one if nobody else has one
		fd := int(s.fetch.f.Fd())
		err := disk.TryExclusive(fd)
		if err == nil {
			err = disk.TryShared(fd)
		}
		return err != nil
	}
	f, err := s.openFetch()
	if err != nil {
		return true // what cannot be told is not risked
	}
	defer f.Close()
	return disk.TryExclusive(int(f.Fd())) != nil
}
