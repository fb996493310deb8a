// Command sandbox-tool performs the verbs of sandbox that are not in the way of
// a launch. Its users never type its name: sandbox replaces itself with it, and
// it calls itself sandbox in everything it prints.
package main

import (
	"context"
	"os"

	"github.com/spf13/cobra"

	"sandbox/internal/cli"
)

func main() {
	ctx, stop := untilSignal(context.Background())
	root := newRoot()
	if len(os.Args) > 1 && os.Args[1] == cobra.ShellCompRequestCmd {
		plainFlags(root)
	}
	err := interrupted(ctx, root.ExecuteContext(ctx))
	stop()
	os.Exit(cli.Report(os.Stderr, err))
}
