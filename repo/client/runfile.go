package client

import (
	"fmt"

	"sandbox/internal/hint"
	"sandbox/manifest"
	"sandbox/repo"
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
// along; "" stands for an installed one.
func (c *Client) Deployed(app repo.Ref) (dir, runtime string, err error) {
	rec, err := c.Store.Current(app)
	if err != nil {
		return "", "", err
	}
	if base, err := c.Store.Current(rec.Release.Runtime); err == nil && !rec.Release.Runtime.IsZero() {
		runtime = c.Store.BundleDir(base)
	}
	return c.Store.BundleDir(rec), runtime, nil
}
