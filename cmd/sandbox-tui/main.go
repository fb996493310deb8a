// Command sandbox-tui shows the running instances on a full screen and steers
// them. Its users type "sandbox tui": sandbox replaces itself with it.
//
// What instances say about themselves, and what they have written, is hostile:
// it reaches the screen through canvas only. Leaving, whichever way, leaves the
// apps running and the terminal as it was.
package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/gdamore/tcell/v2"

	"sandbox/internal/cli"
	"sandbox/internal/hint"
)

func main() {
	os.Exit(cli.Report(os.Stderr, start(os.Args[1:])))
}

func start(args []string) error {
	v, _ := cli.Find("tui")
	if len(args) > 0 && args[0] == v.Name {
		args = args[1:]
	}
	if _, err := v.Parse(args); errors.Is(err, cli.ErrHelp) {
		return v.Help(os.Stdout)
	} else if err != nil {
		return err
	}
	if !cli.Terminal(os.Stdin) || !cli.Terminal(os.Stdout) {
		return cli.Usagef(plainly, "cannot show a full screen: this is not a terminal")
	}
	if term := os.Getenv("TERM"); term == "" || term == "dumb" {
		return cli.Usagef(plainly, "cannot show a full screen on a terminal of type %q", term)
	}
	w, err := thisHost()
	if err != nil {
		return err
	}
	screen, err := tcell.NewScreen()
	if err != nil {
		return hint.With(fmt.Errorf("cannot use the terminal: %w", err), "is TERM right? %s", plainly)
	}
	a := newApp(w, theme{cli.Colour(os.Stdout)})
	a.obeySignals()
	return a.run(screen)
}

// plainly is the way to the same without a screen.
const plainly = "'sandbox ps' lists instances, 'sandbox ps --json' for programs; 'sandbox stop' ends them"
