package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"sandbox/internal/cli"
	"sandbox/internal/disk"
	"sandbox/internal/hint"
	"sandbox/manifest"
	"sandbox/repo/export"
	"sandbox/repo/installed"
)

// exporter is one place of exports and the apps that it is about.
type exporter struct {
	place  export.Place
	stores []installed.Place // the place's own first, then those that aliases may name too
}

// exports is the user's own place, or the machine's.
func exports(system bool) (exporter, error) {
	self, err := os.Executable()
	if err != nil {
		return exporter{}, hint.With(fmt.Errorf("cannot find the program sandbox: %w", err), "is /proc mounted?")
	}
	program := filepath.Join(filepath.Dir(self), string(cli.Lean))
	home, err := disk.Home()
	if err != nil {
		return exporter{}, err
	}
	dirs := disk.UserDirs(os.Getenv, home)
	stores := installed.Places(dirs, os.Getenv)
	if system {
		stores = slices.DeleteFunc(stores, func(p installed.Place) bool { return !p.System })
		return exporter{export.SystemPlace(filepath.Dir(stores[0].Dir), program), stores}, nil
	}
	return exporter{export.UserPlace(dirs, program), stores}, nil
}

// holding calls do with a function that lists the apps, and holds these until do
// returns, so that none is removed while it is read.
func (e exporter) holding(do func(list func() ([]export.App, error)) error) error {
	var held []*installed.Bundle
	defer func() {
		for _, b := range held {
			b.Release()
		}
	}()
	return do(func() (apps []export.App, err error) {
		for i, store := range e.stores {
			list, err := installed.Apps(store)
			if err != nil {
				return nil, err
			}
			held = append(held, list...)
			for _, b := range list {
				apps = append(apps, export.App{ID: b.Ref.ID, Dir: b.Dir, Elsewhere: i > 0})
			}
		}
		return apps, nil
	})
}

// sync is export.Sync over what is installed.
func (e exporter) sync() (r export.Report, err error) {
	err = e.holding(func(list func() ([]export.App, error)) error {
		r, err = export.Sync(e.place, list)
		return err
	})
	return r, err
}

// decide is export.Change over what is installed.
func (e exporter) decide(edit func([]export.App, *export.Decisions) error) (r export.Report, err error) {
	err = e.holding(func(list func() ([]export.App, error)) error {
		r, err = export.Change(e.place, list, edit)
		return err
	})
	return r, err
}

// look is what sync would say.
func (e exporter) look() (r export.Report, err error) {
	err = e.holding(func(list func() ([]export.App, error)) error {
		apps, err := list()
		if err == nil {
			r, err = export.Look(e.place, apps)
		}
		return err
	})
	return r, err
}

// syncExports is called after every change of what is installed: names in PATH,
// pages and desktop entries become those of the apps that are there now. What
// there is to say about the apps that were changed is printed. The change itself
// is done, so a failure here is a warning.
func syncExports(stderr io.Writer, system bool, changed ...manifest.ID) {
	e, err := exports(system)
	var r export.Report
	if err == nil {
		r, err = e.sync()
	}
	if err != nil {
		cli.Warn(stderr, "commands and desktop entries were not brought up to date: %v", err)
		return
	}
	e.tell(stderr, r, changed)
}

// tell prints what concerns the apps named.
func (e exporter) tell(stderr io.Writer, r export.Report, about []manifest.ID) {
	linked := map[manifest.ID][]string{}
	for _, c := range r.Commands {
		if !slices.Contains(about, c.Target.App) {
			continue
		}
		switch {
		case c.Linked:
			linked[c.Target.App] = append(linked[c.Target.App], c.Name)
			if c.Hides != "" {
				cli.Warn(stderr, "%s starts %s and hides %s", c.Name, c.Target, c.Hides)
			}
		case c.Alias:
			cli.Warn(stderr, "the alias %s starts nothing: %s", c.Name, c.Why)
		default:
			cli.Warn(stderr, "%s does not start %s: %s; 'sandbox alias set NAME %s' gives it a name", c.Name, c.Target.App, c.Why, c.Target)
		}
	}
	any := false
	for _, id := range about {
		if names := linked[id]; len(names) > 0 {
			any = true
			cli.Note(stderr, "%s is started by: %s", id, strings.Join(names, ", "))
		}
	}
	for _, n := range r.Notes {
		if slices.Contains(about, n.App) {
			cli.Warn(stderr, "%s: %s", n.App, n.Text)
		}
	}
	if any && !slices.Contains(filepath.SplitList(os.Getenv("PATH")), e.place.Bin()) {
		cli.Note(stderr, "%s is not in PATH: 'sandbox shell-init --help' says how to add it", e.place.Bin())
	}
}

// installedID finds the app that a person means by an id or its last part.
func installedID(apps []export.App, name string) (manifest.ID, error) {
	var found, have []string
	for _, a := range apps {
		have = append(have, string(a.ID))
		if string(a.ID) == name {
			return a.ID, nil
		}
		if strings.EqualFold(a.ID.Base(), name) {
			found = append(found, string(a.ID))
		}
	}
	slices.Sort(found)
	found = slices.Compact(found)
	switch {
	case len(found) == 1:
		return manifest.ID(found[0]), nil
	case len(found) > 1:
		return "", hint.With(fmt.Errorf("%q means more than one app", name), "name one of %s", strings.Join(found, ", "))
	}
	err := fmt.Errorf("%q is not installed", name)
	if near := cli.Nearest(name, have); near != "" {
		return "", hint.With(err, "did you mean %s?", near)
	}
	return "", hint.With(err, "'sandbox list' shows what is")
}
