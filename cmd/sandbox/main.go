// Command sandbox starts and steers sandboxed applications. Every other verb
// is performed by sandbox-tool, which it replaces itself with.
package main

import (
	"os"

	"sandbox/internal/cli"
	_ "sandbox/internal/oneproc"
)

// No goroutine is locked to a thread, here or in what is linked: with one
// processor (oneproc), every switch between a locked one and others is two
// switches of threads (20 % of a launch on a busy machine). An instance dies with
// the thread that started it (PR_SET_PDEATHSIG); Go ends a thread only when a
// goroutine that is locked to it ends, so its threads live as long as the
// program. TestNoLockedThreads holds that.

func main() {
	args, err := linked(os.Args)
	if err != nil {
		os.Exit(cli.Report(os.Stderr, err))
	}
	os.Exit(cli.Main(args, handler))
}

func handler(verb string) cli.Handler {
	switch verb {
	case "run":
		return runRun
	case "ps":
		return runPs
	case "stop":
		return runStop
	case "kill":
		return runKill
	case "pause":
		return runPause
	case "resume":
		return runResume
	case "enter":
		return runEnter
	case "stats":
		return runStats
	case "logs":
		return runLogs
	}
	return nil
}
