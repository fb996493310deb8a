package main

import (
	"context"
	"io"
	"os"

	"github.com/spf13/cobra"

	"sandbox/internal/cli"
)

func updateCommand() *cobra.Command {
	var o changeOptions
	c := command("update", func(c *cobra.Command, args []string) error {
		return runUpdate(c.Context(), o, args, c.OutOrStdout(), newProgress(os.Stderr))
	})
	c.Args = between(0, 1000)
	c.ValidArgsFunction = completeInstalled
	c.Long = `Without APP everything that is installed is updated. What would change is shown
before. An update that asks for more than you have accepted is held: -y does not
agree to that, --accept-permissions does. So is one that comes from another
publisher; where nobody can be asked, the exit status is then 1. What you hold or
pin stays too. The home of each app is kept as it was before its update. Prints one
line for each update: ID, version, release.`
	o.flags(c)
	return c
}

func runUpdate(ctx context.Context, o changeOptions, args []string, stdout io.Writer, p *progress) error {
	if o.plan.From != "" && len(args) == 0 {
		return cli.Usagef("name the apps that are to come from there", "--from moves apps to another repository")
	}
	if o.plan.Release != 0 && len(args) != 1 {
		return cli.Usagef("name the one that is meant", "--release is about a single app")
	}
	c, done, err := o.open(p)
	if err != nil {
		return err
	}
	defer done()
	o.reach(p)
	plan, err := c.PlanUpdate(ctx, args, o.plan)
	if err != nil {
		p.clear()
		return (&storeFlags{system: o.system}).suggest(err)
	}
	if len(plan.Steps)+len(plan.Held) == 0 && !o.json {
		p.clear()
		cli.Note(p.w, "all is up to date")
	}
	return o.carryOut(ctx, c, plan, stdout, p, "Update?")
}
