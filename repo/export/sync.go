package export

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"

	"sandbox/manifest"
)

// App is an installed app.
type App struct {
	ID        manifest.ID
	Dir       string // its deployed bundle
	Elsewhere bool   // exported by another place; here an alias may name it
}

// Report is what Sync has to say.
type Report struct {
	Commands []Command // every name that is or would be in PATH, sorted
	Notes    []Note    // what could not be exported, and why
	Changed  int       // files made, replaced or removed
}

// Note is one thing that is not as somebody wanted it.
type Note struct {
	App  manifest.ID // empty when it concerns none
	Text string
}

// Sync makes the exports of a place equal to what is installed, and to what the
// user decided. list says what is installed; it is called under the lock of the
// place, so that of two at once the later one sees what the earlier one saw, or
// more. Decisions on apps that are gone are dropped. An export that cannot be made
// is noted and keeps nothing else from being made.
func Sync(p Place, list func() ([]App, error)) (Report, error) {
	return Change(p, list, func([]App, *Decisions) error { return nil })
}

// Change is Sync after an edit of the user's decisions. When edit fails, nothing
// is changed.
func Change(p Place, list func() ([]App, error), edit func([]App, *Decisions) error) (Report, error) {
	if err := makeTop(p.Data, p.Mode); err != nil {
		return Report{}, fmt.Errorf("cannot export: %w", err)
	}
	unlock, err := lock(filepath.Join(p.Data, lockName))
	if err != nil {
		return Report{}, fmt.Errorf("cannot export: %w", err)
	}
	defer unlock()
	had, err := loadRecord(p)
	if err != nil {
		return Report{}, err
	}
	before, err := LoadDecisions(p)
	if err != nil {
		return Report{}, err
	}
	apps, err := list()
	if err != nil {
		return Report{}, err
	}
	d := before.keeping(apps)
	if err := edit(apps, &d); err != nil {
		return Report{}, err
	}
	if !d.equal(before) {
		if err := d.Save(p); err != nil {
			return Report{}, err
		}
	}
	w := collect(p, apps, d, had)
	err = w.apply(had)
	return w.report, err
}

// Look says what Sync would, and changes nothing.
func Look(p Place, apps []App) (Report, error) {
	had, err := loadRecord(p)
	if err != nil {
		return Report{}, err
	}
	d, err := LoadDecisions(p)
	if err != nil {
		return Report{}, err
	}
	return collect(p, apps, d.keeping(apps), had).report, nil
}

// Try says what of a bundle could not be exported, to its packager.
func Try(dir string) ([]Note, error) {
	m, err := manifest.Load(dir)
	if err != nil || m.Kind != manifest.App {
		return nil, err
	}
	d := Decisions{Completions: []manifest.ID{m.ID}, Aliases: map[string]Target{}}
	for _, c := range m.Commands { // as if every name were free
		d.Aliases[c.Name] = Target{m.ID, c.Name}
	}
	return collect(Place{Program: "/sandbox"}, []App{{ID: m.ID, Dir: dir}}, d, record{}).report.Notes, nil
}

// keeping drops what was decided on apps that are not installed.
func (d Decisions) keeping(apps []App) Decisions {
	gone := func(id manifest.ID) bool {
		return !slices.ContainsFunc(apps, func(a App) bool { return a.ID == id })
	}
	kept := Decisions{Aliases: maps.Clone(d.Aliases), Completions: slices.Clone(d.Completions)}
	maps.DeleteFunc(kept.Aliases, func(_ string, t Target) bool { return gone(t.App) })
	kept.Completions = slices.DeleteFunc(kept.Completions, gone)
	return kept
}

func (d Decisions) equal(other Decisions) bool {
	return maps.Equal(d.Aliases, other.Aliases) && slices.Equal(d.Completions, other.Completions)
}

// apply makes what is wanted, in an order in which a crash at any moment leaves
// no file that the record does not know.
func (w *work) apply(had record) error {
	next := record{Format: 1, Files: map[string]recorded{}}
	for path, f := range w.files {
		next.Files[path] = recorded{f.app, f.alias, []string{f.sum()}}
	}
	root, err := os.OpenRoot(w.place.Data)
	if err != nil {
		return fmt.Errorf("cannot export: %w", err)
	}
	defer root.Close()
	t := tree{root, w.place.Mode}
	both := had.with(next)
	if err := t.save(had, both); err != nil {
		return err
	}
	var first error
	// Names in PATH are made after what they lead to, and go before it.
	for _, path := range slices.Backward(sortedKeys(w.files)) {
		changed, err := t.make(path, w.files[path], had.Files[path])
		switch {
		case isForeign(err):
			w.note(w.files[path].app, "%v", err)
			delete(next.Files, path)
		case err != nil && first == nil:
			first = fmt.Errorf("cannot export: %w", err)
		case changed:
			w.report.Changed++
		}
	}
	for _, path := range sortedKeys(both.Files) {
		if _, kept := w.files[path]; kept {
			continue
		}
		changed, err := t.remove(path, both.Files[path])
		switch {
		case isForeign(err):
			w.note(both.Files[path].App, "%v", err)
		case err != nil && first == nil:
			first = fmt.Errorf("cannot export: %w", err)
		case changed:
			w.report.Changed++
		}
	}
	if first != nil {
		return first // both stays: the next Sync goes on
	}
	return t.save(both, next)
}

// save writes the record unless it is as it was.
func (t tree) save(was, now record) error {
	data, err := json.MarshalIndent(now, "", " ")
	if err != nil {
		return err
	}
	if old, _ := json.MarshalIndent(was, "", " "); bytes.Equal(old, data) && len(now.Files) > 0 {
		return nil
	}
	if err := t.write(recordName, product{data: append(data, '\n')}); err != nil {
		return fmt.Errorf("cannot export: %w", err)
	}
	return nil
}

// lock lets one process at a time change a place.
func lock(name string) (unlock func(), err error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0o600)
	if err != nil {
		return nil, err
	}
	for {
		if err = unix.Flock(int(f.Fd()), unix.LOCK_EX); err != unix.EINTR {
			break
		}
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("lock %s: %w", name, err)
	}
	return func() { f.Close() }, nil
}
