package main

import (
	"context"
	"fmt"
	"os"
	"runtime/debug"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"sandbox/internal/cli"
	"sandbox/internal/disk"
	"sandbox/internal/hint"
	"sandbox/manifest"
	"sandbox/repo"
	"sandbox/repo/client"
	"sandbox/repo/store"
)

// clientFlags are of every verb that asks repositories.
type clientFlags struct {
	system bool
	json   bool
}

func (o *clientFlags) add(c *cobra.Command) {
	c.Flags().BoolVar(&o.system, "system", false, "the store of the whole machine (root)")
	c.Flags().BoolVar(&o.json, "json", false, "print JSON")
}

// open opens the user's own store, or the machine's, to be changed. The exports
// follow every change.
func (o *clientFlags) open(p *progress) (*client.Client, func(), error) {
	home, err := disk.Home()
	if err != nil {
		return nil, nil, err
	}
	dirs := disk.UserDirs(os.Getenv, home)
	dir := store.UserDir(dirs)
	if o.system {
		if os.Geteuid() != 0 {
			return nil, nil, hint.With(fmt.Errorf("cannot change the store of the machine: you are not root"), "leave --system out to use your own")
		}
		dir = store.SystemDir()
	}
	p.json = o.json && !p.paints
	frugal()
	s, err := store.Open(dir)
	if err != nil {
		return nil, nil, err
	}
	s.Waiting = func(h store.Holder) { p.note("waiting: %s is changing the store", h) }
	c := &client.Client{Store: s, Progress: p.event}
	if !o.system {
		if machine, err := store.OpenReadOnly(store.SystemDir()); err == nil {
			c.Others = []*store.Store{machine}
		}
	}
	if !o.system { // homes of the machine's apps are their users'
		c.BeforeUpdate = snapshotBefore
	}
	c.AfterChange = func(_ context.Context, changed []store.Record) error {
		p.clear()
		var ids []manifest.ID
		for _, r := range changed {
			ids = append(ids, r.Ref().ID)
		}
		syncExports(p.w, o.system, ids...)
		return nil
	}
	return c, func() {
		c.Close()
		for _, other := range c.Others {
			other.Close()
		}
		s.Close()
	}, nil
}

// frugal makes the collector work harder before the heap grows over 32 MiB. What
// is decoded of an index is garbage soon, and costs no measurable time: 195 MB in
// 11,500 files took 57 MB of memory without and 44 with it.
func frugal() {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(32 << 20)
	}
}

// wants reads arguments. A file is not taken for a name: it must be asked for.
func wants(args []string) ([]client.Want, error) {
	var all []client.Want
	for _, a := range args {
		if looksLikeFile(a) {
			return nil, cli.Usagef("sandbox install --file "+a, "%q is a file: installing from one must be asked for", a)
		}
		w, err := client.ParseWant(a)
		if err != nil {
			return nil, cli.Exit(cli.UsageError, err)
		}
		all = append(all, w)
	}
	return all, nil
}

func looksLikeFile(arg string) bool {
	return strings.HasPrefix(arg, "/") || strings.HasPrefix(arg, "./") || strings.HasPrefix(arg, "../") || strings.HasSuffix(arg, ".sandbox")
}

// age prints how long ago something was.
func age(d time.Duration) string {
	switch {
	case d < 2*time.Minute:
		return "just now"
	case d < 2*time.Hour:
		return fmt.Sprintf("%d minutes ago", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d hours ago", int(d.Hours()))
	}
	return fmt.Sprintf("%d days ago", int(d.Hours()/24))
}

// releaseRow is a release as --json prints it.
type releaseRow struct {
	Ref        repo.Ref  `json:"ref"`
	N          uint64    `json:"n"`
	Version    string    `json:"version"`
	Time       time.Time `json:"time"`
	Tree       string    `json:"tree"`
	Runtime    string    `json:"runtime,omitempty"`
	Publisher  string    `json:"publisher"`
	EOL        string    `json:"eol,omitempty"`
	ReplacedBy string    `json:"replaced_by,omitempty"`
}

func rowOf(r repo.Release) releaseRow {
	return releaseRow{r.Ref, r.N, r.Version, r.Time, r.Tree.String(), r.Runtime.String(), publisherOf(r.Publisher.Key), r.EOL, r.ReplacedBy}
}
