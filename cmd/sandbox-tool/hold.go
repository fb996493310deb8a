package main

import (
	"context"
	"fmt"
	"io"
	"strconv"

	"github.com/spf13/cobra"

	"sandbox/internal/cli"
	"sandbox/internal/hint"
	"sandbox/repo/store"
)

// decisionCommand is a verb that notes something about what is installed.
func decisionCommand(verb, long string, most int, decide func(s *changed, r store.Record, args []string) (string, error)) *cobra.Command {
	var o storeFlags
	c := command(verb, func(c *cobra.Command, args []string) error {
		return runDecision(c.Context(), o, args, c.OutOrStdout(), c.ErrOrStderr(), decide)
	})
	c.Args = between(1, most)
	c.ValidArgsFunction = func(c *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return completeInstalled(c, args, word)
	}
	c.Long = long
	o.add(c)
	return c
}

func runDecision(ctx context.Context, o storeFlags, args []string, stdout, stderr io.Writer, decide func(*changed, store.Record, []string) (string, error)) error {
	s, rec, err := o.one(ctx, stderr, args[0])
	if err != nil {
		return err
	}
	defer s.close()
	said, err := decide(s, rec, args[1:])
	if err != nil {
		return err
	}
	if o.json {
		if rec, err = s.Current(rec.Ref()); err != nil {
			return err
		}
		return cli.WriteJSON(stdout, installedOf(s.Store, rec))
	}
	cli.Note(stderr, "%s", said)
	return nil
}

func holdCommand() *cobra.Command {
	return decisionCommand("hold", "The app stays as it is, whatever updates there are, until 'sandbox unhold'.", 1,
		func(s *changed, r store.Record, _ []string) (string, error) {
			return fmt.Sprintf("%s stays at %s (release %d)", r.Ref().ID, r.Release.Version, r.Release.N), s.SetHeld(s.lock, r.Ref(), true)
		})
}

func unholdCommand() *cobra.Command {
	return decisionCommand("unhold", "The app is updated again with everything else.", 1,
		func(s *changed, r store.Record, _ []string) (string, error) {
			return fmt.Sprintf("%s follows updates", r.Ref().ID), s.SetHeld(s.lock, r.Ref(), false)
		})
}

func pinCommand() *cobra.Command {
	return decisionCommand("pin", `Updates take the app to no other release than RELEASE, a number as 'sandbox info'
and 'sandbox list --all' show them; without RELEASE it is the current one. That
release is kept on the disk. 'sandbox unpin' ends it.`, 2,
		func(s *changed, r store.Record, args []string) (string, error) {
			n := r.Release.N
			if len(args) == 1 {
				var err error
				if n, err = strconv.ParseUint(args[0], 10, 64); err != nil || n == 0 {
					return "", cli.Exit(cli.UsageError, hint.With(fmt.Errorf("%q is no release number", args[0]), "'sandbox list --all %s' shows those that are kept", r.Ref().ID))
				}
			}
			said := fmt.Sprintf("%s is pinned to release %d", r.Ref().ID, n)
			if n != r.Release.N {
				said += fmt.Sprintf("; 'sandbox update %s --release %d' takes it there", r.Ref().ID, n)
			}
			return said, s.SetPinned(s.lock, r.Ref(), n)
		})
}

func unpinCommand() *cobra.Command {
	return decisionCommand("unpin", "The app is updated again with everything else.", 1,
		func(s *changed, r store.Record, _ []string) (string, error) {
			return fmt.Sprintf("%s follows updates", r.Ref().ID), s.SetPinned(s.lock, r.Ref(), 0)
		})
}
