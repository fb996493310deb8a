package store

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"

	"sandbox/repo"
)

// Event is one line of the history.
type Event struct {
	Time        time.Time `json:"time"`
	Action      string    `json:"action"` // install update rollback uninstall hold unhold pin unpin repair …
	Ref         repo.Ref  `json:"ref"`
	From        uint64    `json:"from,omitempty"` // release numbers
	To          uint64    `json:"to,omitempty"`
	FromVersion string    `json:"from_version,omitempty"`
	ToVersion   string    `json:"to_version,omitempty"`
	Remote      string    `json:"remote,omitempty"`
	Note        string    `json:"note,omitempty"`
}

const (
	historyName = "history.jsonl"
	maxHistory  = 1 << 20 // beyond it, the older half is dropped
)

// Note adds an event to the history.
func (s *Store) Note(l *Lock, e Event) error {
	if err := s.holds(l); err != nil {
		return err
	}
	return s.note(e)
}

func (s *Store) noteIf(err error, e Event) error {
	if err != nil {
		return err
	}
	return s.note(e)
}

// note appends a line. It says what was done already, so that it is not forced to
// the disk: that goes along with the next change.
func (s *Store) note(e Event) error {
	if e.Time.IsZero() {
		e.Time = time.Now()
	}
	e.Time = e.Time.UTC().Truncate(time.Second)
	line, err := json.Marshal(e)
	if err == nil {
		err = s.shorten()
	}
	if err == nil {
		err = s.append(append(line, '\n'))
	}
	if err != nil {
		return explain(fmt.Errorf("cannot write the history: %w", err), s.system)
	}
	return nil
}

func (s *Store) append(line []byte) error {
	if err := s.step("append %s", historyName); err != nil {
		return err
	}
	f, err := s.root.OpenFile(historyName, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Chmod(0o644); err != nil { // whatever the umask: the machine's is for all to read
		return err
	}
	_, err = f.Write(line)
	return err
}

func (s *Store) shorten() error {
	st, err := s.root.Lstat(historyName)
	if errors.Is(err, fs.ErrNotExist) || err == nil && st.Size() < maxHistory {
		return nil
	}
	data, err := s.readFile(historyName, 8*maxHistory)
	if err != nil {
		return s.remove(historyName) // of no use to anybody
	}
	_, late, _ := bytes.Cut(data[len(data)/2:], []byte("\n"))
	return s.writeFile(historyName, late)
}

// History is what was done, oldest first. Lines that a crash cut are passed over.
func (s *Store) History() ([]Event, error) {
	data, err := s.readFile(historyName, 8*maxHistory)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the history: %w", err)
	}
	var list []Event
	for line := range bytes.Lines(data) {
		var e Event
		if json.Unmarshal(line, &e) == nil && !e.Ref.IsZero() {
			list = append(list, e)
		}
	}
	slices.SortStableFunc(list, func(a, b Event) int { return a.Time.Compare(b.Time) })
	return list, nil
}
