// Command sandbox-tool performs the verbs of sandbox that are not in the way of
// a launch. Its users never type its name: sandbox replaces itself with it, and
// it calls itself sandbox in everything it prints.
package main

import (
	"context"
	"os"

	"sandbox/internal/cli"
)

func main() {
	ctx, stop := untilSignal(context.Background())
	err := interrupted(ctx, newRoot().ExecuteContext(ctx))
	stop()
	os.Exit(cli.Report(os.Stderr, err))
}
