// Command sandbox-tool performs the verbs of sandbox that are not in the way of
// a launch. Its users never type its name: sandbox replaces itself with it, and
// it calls itself sandbox in everything it prints.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"sandbox/internal/cli"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := newRoot().ExecuteContext(ctx)
	stop()
	os.Exit(cli.Report(os.Stderr, err))
}
