package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"sandbox/internal/cli"
	"sandbox/internal/hint"
	"sandbox/manifest"
	"sandbox/repo/installed"
	"sandbox/runtime"
)

// chosenBundle is what a person wants to run.
type chosenBundle struct {
	dir     string // absolute, without links
	man     *manifest.Manifest
	command string // when it was named by one of its exported commands
}

// isPath: what has a slash or starts with a dot is a file's name, anything else
// is the name of something installed. Whatever lies in the working directory
// never decides which of the two is run.
func isPath(name string) bool { return strings.HasPrefix(name, ".") || strings.ContainsRune(name, '/') }

// openBundle finds a bundle by its directory or among what is installed. What is
// installed is held, for as long as this program lives: an update or removal
// leaves its files where they are.
func openBundle(name, channel string, host *runtime.Host) (chosenBundle, error) {
	switch {
	case name == "": // not the working directory, which a script with an unset variable would get
		return chosenBundle{}, cli.Usagef("name an app, or a bundle's directory", "no bundle is named")
	case !isPath(name):
		return openInstalled(name, channel, host)
	case channel != "":
		return chosenBundle{}, cli.Usagef("drop it, or name an installed app", "cannot use --channel: %s is a directory", name)
	}
	dir, man, err := openDir(name)
	return chosenBundle{dir: dir, man: man}, err
}

// places are where an app may be installed.
func places(host *runtime.Host) []installed.Place { return installed.Places(host.Dirs, host.Env) }

func openInstalled(name, channel string, host *runtime.Host) (chosenBundle, error) {
	b, err := installed.App(places(host), name, channel)
	if err != nil {
		return chosenBundle{}, notInstalled(fmt.Errorf("cannot run %q: %w", name, err))
	}
	man, err := manifest.Load(b.Dir)
	if err == nil && man.ID != b.Ref.ID {
		err = hint.With(fmt.Errorf("cannot run %s: its files are those of %s", b.Ref.ID, man.ID), "'sandbox repair %s' mends it", b.Ref.ID)
	}
	return chosenBundle{b.Dir, man, b.Command}, err
}

// notInstalled adds what may have been meant.
func notInstalled(err error) error {
	missing, ok := errors.AsType[*installed.NotInstalled](err)
	if !ok {
		return err
	}
	words := append([]string{}, missing.Have...)
	for _, id := range missing.Have {
		words = append(words, strings.ToLower(manifest.ID(id).Base()))
	}
	if near := cli.Nearest(missing.Name, words); near != "" {
		return hint.With(err, "did you mean %s? 'sandbox search %s' looks for what can be installed", near, missing.Name)
	}
	if _, err2 := os.Lstat(filepath.Join(missing.Name, manifest.FileName)); err2 == nil {
		return hint.With(err, "for the bundle in that directory: ./%s", missing.Name)
	}
	return hint.With(err, "'sandbox search %s' looks for what can be installed; a bundle's directory is written ./%s", missing.Name, missing.Name)
}

// openDir opens a bundle's directory, once, without links on the way.
func openDir(dir string) (string, *manifest.Manifest, error) {
	real, err := realDir(dir)
	if err != nil {
		return "", nil, hint.With(fmt.Errorf("cannot open bundle %q: %w", dir, err), "name a bundle's directory, which holds a %s", manifest.FileName)
	}
	man, err := manifest.Load(real)
	if errors.Is(err, syscall.ENOTDIR) {
		err = hint.With(fmt.Errorf("cannot open bundle %q: it is not a directory", dir), "name the directory, not a file in it")
	}
	return real, man, err
}

// openRuntime finds the runtime that the manifest wants: the one named, or an
// installed one. Without any, the plan says what is missing.
func openRuntime(dir string, man *manifest.Manifest, host *runtime.Host) (string, *manifest.Manifest, error) {
	if dir == "" {
		return installedRuntime(man, host)
	}
	real, err := realDir(dir)
	if err != nil {
		return "", nil, fmt.Errorf("cannot open runtime %q: %w", dir, err)
	}
	base, err := manifest.Load(real)
	if err != nil {
		return "", nil, err
	}
	if base.Kind != manifest.Runtime {
		return "", nil, hint.With(fmt.Errorf("cannot use %q as a runtime: it is of kind %q", dir, base.Kind), "name the bundle of %s", man.Runtime)
	}
	if man.Runtime.ID == "" {
		return "", nil, hint.With(fmt.Errorf("cannot use a runtime: %s needs none", man.ID), "drop --runtime")
	}
	return real, base, nil
}

func installedRuntime(man *manifest.Manifest, host *runtime.Host) (string, *manifest.Manifest, error) {
	if man.Runtime.ID == "" || man.Kind != manifest.App {
		return "", nil, nil
	}
	b, err := installed.Runtime(places(host), man.Runtime)
	if _, missing := errors.AsType[*installed.NotInstalled](err); missing {
		return "", nil, hint.With(fmt.Errorf("cannot run %s: it needs the runtime %s, which is not installed", man.ID, man.Runtime),
			"'sandbox install %s', or name its bundle with --runtime DIR", man.Runtime)
	}
	if err != nil {
		return "", nil, fmt.Errorf("cannot run %s: %w", man.ID, err)
	}
	base, err := manifest.Load(b.Dir)
	return b.Dir, base, err
}

func realDir(dir string) (string, error) {
	real, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return "", err
	}
	return filepath.Abs(real)
}
