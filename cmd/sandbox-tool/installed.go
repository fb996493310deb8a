package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"sandbox/internal/cli"
	"sandbox/internal/disk"
	"sandbox/internal/hint"
	"sandbox/manifest"
	"sandbox/repo/store"
)

// storeFlags are of the verbs about what is installed.
type storeFlags struct {
	system bool
	json   bool
}

func (o *storeFlags) add(c *cobra.Command) {
	c.Flags().BoolVar(&o.system, "system", false, "the store of the whole machine (root)")
	c.Flags().BoolVar(&o.json, "json", false, "print JSON")
}

func userDirs() (disk.Dirs, error) {
	home, err := disk.Home()
	if err != nil {
		return disk.Dirs{}, err
	}
	return disk.UserDirs(os.Getenv, home), nil
}

// readable are the user's store and the machine's, or with --system the latter
// alone; those that exist.
func (o *storeFlags) readable() ([]*store.Store, func(), error) {
	dirs, err := userDirs()
	if err != nil {
		return nil, nil, err
	}
	all, err := store.Readable(dirs)
	if err != nil {
		return nil, nil, err
	}
	done := func() {
		for _, s := range all {
			s.Close()
		}
	}
	list := all
	if o.system {
		list = slices.DeleteFunc(slices.Clone(all), func(s *store.Store) bool { return !s.System() })
	}
	return list, done, nil
}

// changed is a store that is open and locked.
type changed struct {
	*store.Store
	lock *store.Lock
}

func (c *changed) close() {
	c.lock.Unlock()
	c.Close()
}

// change opens the user's own store, or the machine's, for a change of what is
// there. One that does not exist is fs.ErrNotExist: nothing is made.
func (o *storeFlags) change(ctx context.Context, stderr io.Writer) (*changed, error) {
	dirs, err := userDirs()
	if err != nil {
		return nil, err
	}
	dir := store.UserDir(dirs)
	if o.system {
		if os.Geteuid() != 0 {
			return nil, hint.With(errors.New("cannot change the store of the machine: you are not root"), "leave --system out to use your own")
		}
		dir = store.SystemDir()
	}
	return lockStore(ctx, dir, stderr)
}

// lockStore opens a store that exists, and waits for its lock.
func lockStore(ctx context.Context, dir string, stderr io.Writer) (*changed, error) {
	there, err := store.OpenReadOnly(dir)
	if err != nil {
		return nil, err
	}
	there.Close()
	s, err := store.Open(dir)
	if err != nil {
		return nil, err
	}
	s.Waiting = func(h store.Holder) { cli.Note(stderr, "waiting: %s is changing the store", h) }
	l, err := s.Lock(ctx)
	if err != nil {
		s.Close()
		return nil, err
	}
	return &changed{s, l}, nil
}

// chosen opens the store and finds in it what the names mean, all of them, before
// anything is done.
func (o *storeFlags) chosen(ctx context.Context, stderr io.Writer, names []string) (*changed, []store.Record, error) {
	s, err := o.change(ctx, stderr)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, o.suggest(&store.NotInstalled{Name: names[0]})
	}
	if err != nil {
		return nil, nil, err
	}
	all, failed := s.Records()
	var list []store.Record
	for _, name := range names {
		rec, err := store.Choose(all, name)
		if err != nil {
			s.close()
			return nil, nil, o.suggest(errors.Join(err, failed))
		}
		if !slices.ContainsFunc(list, func(r store.Record) bool { return r.Ref() == rec.Ref() }) {
			list = append(list, rec)
		}
	}
	return s, list, nil
}

// one is chosen for a verb about a single thing.
func (o *storeFlags) one(ctx context.Context, stderr io.Writer, name string) (*changed, store.Record, error) {
	s, list, err := o.chosen(ctx, stderr, []string{name})
	if err != nil {
		return nil, store.Record{}, err
	}
	return s, list[0], nil
}

// suggest says what may have been meant instead of what is not installed.
func (o *storeFlags) suggest(err error) error {
	missing, ok := errors.AsType[*store.NotInstalled](err)
	if !ok {
		return err
	}
	if !o.system {
		machine := storeFlags{system: true}
		if list, done, err2 := machine.readable(); err2 == nil {
			defer done()
			for _, s := range list {
				if _, err2 := s.Find(missing.Name); err2 == nil {
					return hint.With(fmt.Errorf("%q is installed for the whole machine", missing.Name), "as root: add --system")
				}
			}
		}
	}
	words := slices.Clone(missing.Have)
	for _, id := range missing.Have {
		words = append(words, strings.ToLower(manifest.ID(id).Base()))
	}
	if near := cli.Nearest(missing.Name, words); near != "" {
		return hint.With(err, "did you mean %s?", near)
	}
	return hint.With(err, "'sandbox list --all' shows what is")
}

// row is something installed as --json prints it.
type installedRow struct {
	releaseRow
	Remote      string `json:"remote"`
	Fingerprint string `json:"fingerprint"`
	InstalledAt string `json:"installed_at"`
	Explicit    bool   `json:"explicit"` // asked for by name
	Current     bool   `json:"current"`
	System      bool   `json:"system"`
	Held        bool   `json:"held"`
	Pinned      uint64 `json:"pinned"`
	Rejected    uint64 `json:"rejected"` // rolled back from it
	Dir         string `json:"dir"`
	Size        int64  `json:"size"` // bytes of its files

	// With --size, of a current one: with the older releases that are kept.
	Own    *int64 `json:"own,omitempty"`    // what an uninstall would free
	Shared *int64 `json:"shared,omitempty"` // what others use too
}

func installedOf(s *store.Store, r store.Record) installedRow {
	return installedRow{releaseRow: rowOf(r.Release), Remote: r.Remote, Fingerprint: r.RemoteFingerprint,
		InstalledAt: r.InstalledAt.UTC().Format("2006-01-02T15:04:05Z"), Explicit: r.Explicit, Current: r.Current, System: r.System,
		Held: r.Held, Pinned: r.Pinned, Rejected: r.Rejected, Dir: s.BundleDir(r), Size: r.Release.Installed}
}
