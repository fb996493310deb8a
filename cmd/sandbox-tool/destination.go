package main

import (
	"context"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"sandbox/internal/cli"
	"sandbox/internal/disk"
	"sandbox/internal/safe"
	"sandbox/repo/publish"
	"sandbox/repo/upload"
)

// destination is the repository that a verb is about: a directory, or one on a server
// that has an address.
type destination struct{ dir, address string }

// findDestination reads what a user names, in a way that the hint says, or
// $SANDBOX_REPO.
func findDestination(text, way string) (destination, error) {
	if text == "" {
		text = os.Getenv("SANDBOX_REPO")
	}
	if text == "" {
		return destination{}, cli.Usagef("name its directory"+way+", or set SANDBOX_REPO", "which repository?")
	}
	if dir, ok := strings.CutPrefix(text, "file://"); ok && strings.HasPrefix(dir, "/") {
		return destination{dir: dir}, nil
	}
	if upload.Is(text) {
		_, err := upload.Parse(text)
		return destination{address: text}, err
	}
	return destination{dir: text}, nil
}

// local is for verbs that need a directory.
func (d destination) local(c *cobra.Command) (string, error) {
	if d.address != "" {
		return "", usage(c, "%s works on a directory, and %q is none", c.CommandPath(), d.address)
	}
	return d.dir, nil
}

func (d destination) String() string { return d.dir + d.address }

func (d destination) place() (*upload.Place, error) {
	home, err := disk.Home()
	if err != nil {
		return nil, err
	}
	return upload.Open(d.address, disk.UserDirs(os.Getenv, home).Cache)
}

// change has do change the repository. What do says of it holds when change has
// succeeded, and do may be called again before.
func (d destination) change(ctx context.Context, o publish.Options, sweeps bool, do func(*publish.Repository) error) error {
	if d.address != "" {
		p, err := d.place()
		if err != nil {
			return err
		}
		defer p.Close()
		return p.Change(ctx, o, sweeps, do)
	}
	r, err := publish.Open(ctx, d.dir, o)
	if err != nil {
		return err
	}
	defer r.Close()
	return do(r)
}

// look has do look at the repository, which may be somebody else's.
func (d destination) look(ctx context.Context, o publish.Options, do func(*publish.Repository) error) error {
	if d.address != "" {
		p, err := d.place()
		if err != nil {
			return err
		}
		defer p.Close()
		return p.Look(ctx, o, do)
	}
	o.ReadOnly = true
	r, err := publish.Open(ctx, d.dir, o)
	if err != nil {
		return err
	}
	defer r.Close()
	return do(r)
}

// show is a path in the directory as its users name it.
func (d destination) show(path string) string {
	if d.address == "" {
		return path
	}
	p, err := d.place()
	if err != nil {
		return path
	}
	return p.Show(path)
}

func (d destination) init(ctx context.Context, i publish.InitOptions) (*publish.Created, error) {
	if d.address == "" {
		return publish.Init(d.dir, i)
	}
	p, err := d.place()
	if err != nil {
		return nil, err
	}
	defer p.Close()
	return p.Init(ctx, i)
}

// change opens the keys and has do change the repository.
func (s *signing) change(ctx context.Context, d destination, p *progress, sweeps bool, do func(*publish.Repository) error) error {
	signers, ring, err := s.signers(ctx)
	if err != nil {
		return err
	}
	defer p.clear()
	return d.change(ctx, publishOptions(signers, ring, p), sweeps, do)
}

func repoUnlockCommand() *cobra.Command {
	asJSON := false
	c := child("unlock [FLAGS] URL", "lift a lock that a publisher has left at a server", exactly(1), nil)
	c.Long = `Who changes a repository on a server holds a lock there. One that was cut off leaves
it; the next change from the same machine lifts it, and others name its holder and
wait. When you know that the holder is not at work any more, this lifts it, and
prints whose it was. Needs no key.`
	c.ValidArgsFunction = completeDestination
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	c.RunE = func(c *cobra.Command, args []string) error {
		d, err := findDestination(args[0], "")
		if err != nil {
			return err
		}
		if d.address == "" {
			return cli.Usagef("the lock of a directory ends with its process", "%q is a directory, which needs no unlocking", args[0])
		}
		p, err := d.place()
		if err != nil {
			return err
		}
		defer p.Close()
		who, err := p.Unlock(c.Context())
		switch {
		case err != nil:
			return err
		case asJSON:
			return cli.WriteJSON(c.OutOrStdout(), map[string]string{"holder": who})
		case who == "":
			cli.Note(c.ErrOrStderr(), "nobody holds a lock there")
			return nil
		}
		return safe.Line(c.OutOrStdout(), "%s", who)
	}
	return c
}

func repoUploadCommand() *cobra.Command {
	asJSON := false
	c := child("upload [FLAGS] DIR URL", "move a repository that is a directory to a server", exactly(2), nil)
	c.Long = `Puts all that a repository needs to URL, which holds nothing yet: ssh://HOST/PATH or
s3://BUCKET/PREFIX. From then on name URL in the place of DIR; what is published into
DIR afterwards will not come along. Needs no key.`
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	c.ValidArgsFunction = func(c *cobra.Command, args []string, text string) ([]string, cobra.ShellCompDirective) {
		if len(args) == 0 {
			return nil, cobra.ShellCompDirectiveFilterDirs
		}
		return completeDestination(c, args[1:], text)
	}
	c.RunE = func(c *cobra.Command, args []string) error {
		from, err := findDestination(args[0], "")
		if err != nil {
			return err
		}
		dir, err := from.local(c)
		if err != nil {
			return err
		}
		to, err := findDestination(args[1], "")
		if err != nil {
			return err
		}
		if to.address == "" {
			return cli.Usagef("write ssh://HOST/PATH or s3://BUCKET/PREFIX; a directory is copied by 'cp -a'", "%q is no address", args[1])
		}
		place, err := to.place()
		if err != nil {
			return err
		}
		defer place.Close()
		p := newProgress(os.Stderr)
		defer p.clear()
		if err := place.Adopt(c.Context(), dir, publishOptions(nil, nil, p)); err != nil {
			return err
		}
		p.clear()
		if asJSON {
			return cli.WriteJSON(c.OutOrStdout(), map[string]string{"url": place.String()})
		}
		return safe.Line(c.OutOrStdout(), "%s", place)
	}
	return c
}

// completeDestination completes directories, and the beginnings of addresses.
func completeDestination(_ *cobra.Command, args []string, text string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return completeAddress(text)
}

func completeAddress(text string) ([]string, cobra.ShellCompDirective) {
	var words []string
	for _, scheme := range upload.Schemes {
		if text != "" && strings.HasPrefix(scheme, text) {
			words = append(words, scheme)
		}
	}
	switch {
	case len(words) > 0:
		return words, cobra.ShellCompDirectiveNoSpace | cobra.ShellCompDirectiveNoFileComp
	case upload.Is(text):
		return nil, cobra.ShellCompDirectiveNoSpace | cobra.ShellCompDirectiveNoFileComp
	}
	return nil, cobra.ShellCompDirectiveFilterDirs
}
