package main

import (
	"context"
	"errors"
	"fmt"

	"sandbox/internal/hint"
	"sandbox/manifest"
	"sandbox/repo"
	"sandbox/repo/snapshot"
	"sandbox/repo/store"
	"sandbox/runtime"
)

// freeze holds the instances of an app still, while its home is copied. Those
// that were paused before stay so.
func freeze(id manifest.ID) func() (thaw func(), err error) {
	return func() (func(), error) {
		host, err := runtime.ThisHost()
		if err != nil {
			return nil, err
		}
		r, err := runtime.OpenRegistry(host)
		if err != nil {
			return nil, err
		}
		all, err := r.List()
		if err != nil {
			return nil, err
		}
		var held []*runtime.Entry
		thaw := func() {
			for _, e := range held {
				e.Resume()
			}
		}
		found := false
		for _, e := range all {
			if e.App != string(id) {
				continue
			}
			found = true
			if e.Paused() {
				continue
			}
			if err := e.Pause(); err != nil {
				thaw()
				return nil, hint.With(fmt.Errorf("cannot hold %s still: %w", e.Instance, err), "sandbox stop %s", e.Instance)
			}
			held = append(held, e)
		}
		if !found {
			return nil, hint.With(snapshot.ErrRunning, "an instance of %s is just beginning or ending: try again", id)
		}
		return thaw, nil
	}
}

// snapshotBefore keeps an app's home as it is before an update of it. An app that
// has never run has none. A store of the machine serves homes that are not ours to
// copy.
func snapshotBefore(ctx context.Context, old store.Record, _ repo.Release) error {
	if old.Ref().Kind != manifest.App || old.System {
		return nil
	}
	dirs, err := userDirs()
	if err != nil {
		return err
	}
	h := snapshot.Of(dirs, old.Ref().ID)
	if !h.Exists() {
		return nil
	}
	_, err = h.Create(ctx, snapshot.Options{Reason: snapshot.Update, N: old.Release.N, Version: old.Release.Version, Freeze: freeze(h.ID)})
	if errors.Is(err, snapshot.ErrNoHome) {
		return nil
	}
	return err
}
