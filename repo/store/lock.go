package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"sandbox/internal/disk"
	"sandbox/internal/hint"
)

// Lock is the right to change a store. Who has it is the only one.
type Lock struct {
	s *Store
	f *os.File
}

// Holder is who has the lock.
type Holder struct {
	PID     int       `json:"pid"`
	Command string    `json:"command"` // unsafe: as it was typed
	Since   time.Time `json:"since"`
}

func (h Holder) String() string {
	if h.PID == 0 {
		return "another program"
	}
	return fmt.Sprintf("`%s` (pid %d, since %s)", h.Command, h.PID, h.Since.Local().Format("15:04:05"))
}

// The lock is nobody else's to open, in the store of the machine neither: who
// can read a file can hold a shared lock of it, and keep its owner out for ever.
const (
	lockName = "lock"
	lockMode = 0o600
)

// Lock waits until nobody else changes the store, tells Waiting once for whom,
// and clears away what a writer left that did not come to its end. It goes with
// the program, however that ends.
func (s *Store) Lock(ctx context.Context) (*Lock, error) {
	if !s.write {
		return nil, errors.New("internal error: a lock on a store that was opened for reading")
	}
	f, err := s.root.OpenFile(lockName, os.O_RDWR|os.O_CREATE, lockMode)
	if err == nil {
		if err = f.Chmod(lockMode); err != nil {
			f.Close()
		}
	}
	if err != nil {
		return nil, explain(fmt.Errorf("cannot lock the store: %w", err), s.system)
	}
	if err := s.wait(ctx, f); err != nil {
		f.Close()
		return nil, err
	}
	l := &Lock{s, f}
	l.sign()
	if err := s.recover(); err != nil {
		l.Unlock()
		return nil, explain(fmt.Errorf("cannot clear the store up: %w", err), s.system)
	}
	return l, nil
}

func (s *Store) wait(ctx context.Context, f *os.File) error {
	told := s.Waiting == nil
	for pause := time.Millisecond; ; pause = min(2*pause, 100*time.Millisecond) {
		err := disk.TryExclusive(int(f.Fd()))
		if !errors.Is(err, disk.ErrLocked) {
			if err != nil {
				err = fmt.Errorf("cannot lock the store: %w", err)
			}
			return err
		}
		if !told && pause > 50*time.Millisecond {
			told = true
			s.Waiting(holder(f))
		}
		select {
		case <-ctx.Done():
			err := fmt.Errorf("cannot change the store %s: %s is at it", s.dir, holder(f))
			return hint.With(err, "wait until it is done")
		case <-time.After(pause):
		}
	}
}

// sign says who we are. It is for people alone: the lock is what counts.
func (l *Lock) sign() {
	h := Holder{os.Getpid(), strings.Join(append([]string{"sandbox"}, os.Args[1:]...), " "), time.Now().UTC()}
	h.Command = h.Command[:min(len(h.Command), 200)]
	data, err := json.Marshal(h)
	if err != nil || l.f.Truncate(0) != nil {
		return
	}
	l.f.WriteAt(append(data, '\n'), 0)
}

func holder(f *os.File) (h Holder) {
	buf := make([]byte, 2048)
	n, _ := f.ReadAt(buf, 0)
	if json.Unmarshal(buf[:n], &h) != nil {
		return Holder{}
	}
	return h
}

// Unlock gives the right back. It may be called again.
func (l *Lock) Unlock() {
	if l.f != nil {
		l.f.Close()
		l.f = nil
	}
}

// holds is the check of every change.
func (s *Store) holds(l *Lock) error {
	if l == nil || l.s != s || l.f == nil {
		return errors.New("internal error: the store is changed without its lock")
	}
	return nil
}

// recover clears away what an interrupted writer left. While a download goes on
// that cannot be told from what it is writing.
func (s *Store) recover() error {
	if s.fetch != nil {
		return nil
	}
	if s.othersFetch() {
		s.remark()
		return nil
	}
	list, err := fs.ReadDir(s.root.FS(), "tmp")
	if err != nil {
		return err
	}
	for _, e := range list {
		if err := s.discard("tmp/" + e.Name()); err != nil {
			return err
		}
	}
	if _, _, err := s.sweepPartials(false); err != nil {
		return err
	}
	return s.recheck()
}
