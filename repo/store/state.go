package store

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"sandbox/manifest"
	"sandbox/repo"
	"sandbox/repo/strictjson"
)

// State is what a person decided about a ref, whichever release is current.
type State struct {
	Held     bool   // no update, whatever there is
	Pinned   uint64 // this release and no other; 0: none
	Rejected uint64 // rolled back from it: no update to it or an older one
}

// stateFile lies outside of what an uninstall removes: of it, the floors and the
// publisher stay.
type stateFile struct {
	Format    int               `json:"format"`
	Held      bool              `json:"held,omitempty"`
	Pinned    uint64            `json:"pinned,omitempty"`
	Rejected  uint64            `json:"rejected,omitempty"`
	Floors    map[string]uint64 `json:"floors,omitempty"`    // by the repository's fingerprint
	Publisher []byte            `json:"publisher,omitempty"` // whose release was installed last
}

const maxState = 64 << 10

func stateName(r repo.Ref) string { return path.Join("state", r.String()+".json") }

func (s *Store) readState(r repo.Ref) (stateFile, error) {
	f := stateFile{Format: 1}
	data, err := s.readFile(stateName(r), maxState)
	if errors.Is(err, fs.ErrNotExist) {
		return f, nil
	}
	if err == nil {
		err = strictjson.Unmarshal(data, &f)
	}
	if err == nil && f.Format != 1 {
		err = fmt.Errorf("unknown format %d", f.Format)
	}
	if err != nil {
		// Not taken for "nothing was decided": a floor would be lost.
		return f, fmt.Errorf("cannot read what was decided about %s: %w", r, err)
	}
	return f, nil
}

func (s *Store) writeState(r repo.Ref, f stateFile) error {
	if err := s.mkdirs(path.Dir(stateName(r))); err != nil {
		return err
	}
	data, err := json.Marshal(f)
	if err != nil {
		return err
	}
	return s.writeFile(stateName(r), data)
}

// changeState rewrites what was decided about a ref, when change changes it.
func (s *Store) changeState(l *Lock, r repo.Ref, change func(*stateFile) bool) error {
	if err := s.holds(l); err != nil {
		return err
	}
	f, err := s.readState(r)
	if err == nil && change(&f) {
		err = s.writeState(r, f)
	}
	if err != nil {
		return explain(fmt.Errorf("cannot note a decision about %s: %w", r, err), s.system)
	}
	return nil
}

func (f *stateFile) state() State { return State{f.Held, f.Pinned, f.Rejected} }

// Floor is the highest release number that was ever seen of a ref in the
// repository with the fingerprint; 0 when none was.
func (s *Store) Floor(r repo.Ref, fingerprint string) (uint64, error) {
	f, err := s.readState(r)
	return f.Floors[fingerprint], err
}

// RaiseFloor notes that the release n was seen, signed as it should be. A floor
// never goes down.
func (s *Store) RaiseFloor(l *Lock, r repo.Ref, fingerprint string, n uint64) error {
	return s.changeState(l, r, func(f *stateFile) bool {
		if n <= f.Floors[fingerprint] {
			return false
		}
		if f.Floors == nil {
			f.Floors = map[string]uint64{}
		}
		f.Floors[fingerprint] = n
		return true
	})
}

// remember notes what a deployment must not be forgotten for: its number, and who
// has signed it.
func (s *Store) remember(l *Lock, rec Record) error {
	if err := s.RaiseFloor(l, rec.Ref(), rec.RemoteFingerprint, rec.Release.N); err != nil {
		return err
	}
	return s.changeState(l, rec.Ref(), func(f *stateFile) bool {
		change := !bytes.Equal(f.Publisher, rec.Publisher)
		f.Publisher = rec.Publisher
		return change
	})
}

// Publishers are the keys of those whose releases of an id were installed, from
// any channel, also when none is now: what an app keeps in its home goes by its id
// alone, and outlives an uninstall.
func (s *Store) Publishers(kind manifest.Kind, id manifest.ID) ([][]byte, error) {
	names, err := s.below(path.Join("state", string(kind), string(id)), 2)
	if err != nil {
		return nil, err
	}
	var keys [][]byte
	for _, name := range names {
		r, err := repo.ParseRef(strings.TrimSuffix(strings.TrimPrefix(name, "state/"), ".json"))
		if err != nil {
			continue
		}
		f, err := s.readState(r)
		if err != nil {
			return nil, err
		}
		key := f.Publisher
		if rec, err := s.Current(r); err == nil && len(key) == 0 { // of before keys were noted
			key = rec.Publisher
		}
		if len(key) > 0 {
			keys = append(keys, key)
		}
	}
	return keys, nil
}

// SetHeld keeps a ref as it is, or ends that.
func (s *Store) SetHeld(l *Lock, r repo.Ref, held bool) error {
	err := s.changeState(l, r, func(f *stateFile) bool {
		change := f.Held != held
		f.Held = held
		return change
	})
	return s.noteIf(err, Event{Action: word(held, "hold", "unhold"), Ref: r})
}

// SetPinned ties a ref to one release; 0 ends that.
func (s *Store) SetPinned(l *Lock, r repo.Ref, n uint64) error {
	err := s.changeState(l, r, func(f *stateFile) bool {
		change := f.Pinned != n
		f.Pinned = n
		return change
	})
	return s.noteIf(err, Event{Action: word(n > 0, "pin", "unpin"), Ref: r, To: n})
}

func word(yes bool, a, b string) string {
	if yes {
		return a
	}
	return b
}

// Stays says why an update must not take a ref to the release n by itself; ""
// when nothing is against it. Whoever asks for that very release is not stopped.
func (st State) Stays(n uint64) string {
	switch {
	case st.Held:
		return "it is held"
	case st.Pinned != 0 && n != st.Pinned:
		return fmt.Sprintf("it is pinned to release %d", st.Pinned)
	case st.Rejected != 0 && n <= st.Rejected:
		return fmt.Sprintf("it was rolled back from release %d", st.Rejected)
	}
	return ""
}
