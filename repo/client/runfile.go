package client

import (
	"fmt"

	"sandbox/internal/hint"
	"sandbox/manifest"
	"sandbox/repo"
	"sandbox/repo/installed"
)

// App is the one app in a single-file bundle.
func (f *CarriedFile) App() (repo.Ref, error) {
	var apps []repo.Ref
	for _, r := range f.Refs {
		if r.Kind == manifest.App {
			apps = append(apps, r)
		}
	}
	if len(apps) != 1 {
		return repo.Ref{}, hint.With(fmt.Errorf("cannot run %q: there are %d apps in it", f.tar, len(apps)), "'sandbox install --file %s' installs them", f.tar)
	}
	return apps[0], nil
}

// Deployed is where an applied file's app lies, and its runtime when that came
// along; "" stands for an installed one. Both are held for as long as this program
// lives, and what it becomes by exec.
func (c *Client) Deployed(app repo.Ref) (dir, runtime string, err error) {
	rec, err := c.Store.Current(app)
	if err != nil {
		return "", "", err
	}
	if dir, err = c.hold(app); err != nil {
		return "", "", err
	}
	base := rec.Release.Runtime
	if base.IsZero() {
		return dir, "", nil
	}
	if _, err := c.Store.Current(base); err != nil {
		return dir, "", nil
	}
	runtime, err = c.hold(base)
	return dir, runtime, err
}

func (c *Client) hold(r repo.Ref) (dir string, err error) {
	b, err := installed.Hold(installed.Place{Dir: c.Store.Dir()}, installed.Ref{Kind: r.Kind, ID: r.ID, Arch: r.Arch, Channel: r.Channel})
	if err == nil {
		err = b.Inherit()
	}
	if err != nil {
		return "", fmt.Errorf("cannot hold %s: %w", r.ID, err)
	}
	return b.Dir, nil
}
