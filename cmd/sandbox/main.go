// Command sandbox starts and steers sandboxed applications. Every other verb
// is performed by sandbox-tool, which it replaces itself with.
package main

import (
	"os"
	goruntime "runtime"

	"sandbox/internal/cli"
)

// The main goroutine keeps the main thread: an instance dies with the thread
// that started it, and this one lives as long as the program.
//
// One processor is enough for what this program does, and spares a launch the
// wake-ups of idle threads.
func init() {
	goruntime.LockOSThread()
	goruntime.GOMAXPROCS(1)
}

func main() {
	os.Exit(cli.Main(os.Args[1:], handler))
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
