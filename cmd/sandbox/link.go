package main

import (
	"errors"
	"os"
	"path"
	"strings"

	"sandbox/internal/cli"
	"sandbox/internal/disk"
	"sandbox/internal/hint"
	"sandbox/repo/installed"
	"sandbox/runtime"
)

// calledAs is the name of the link that started this program, "" when it was
// started as itself. The app gets it as its argv[0]: programs such as busybox
// look at that.
var calledAs string

// linked turns the command line of a link in PATH into that of `sandbox run`:
// "nano notes.txt" becomes "sandbox run --command nano -- org.gnu.Nano notes.txt".
// A program whose name begins with "sandbox" is this one under another version's
// name. All others are links, and one that nobody exports starts nothing: its
// arguments must not be taken for a verb.
func linked(argv []string) ([]string, error) {
	if len(argv) == 0 {
		return nil, nil
	}
	name := path.Base(argv[0])
	if strings.HasPrefix(name, "sandbox") {
		return argv[1:], nil
	}
	home, err := disk.Home()
	if err != nil {
		return nil, err
	}
	dirs := disk.UserDirs(os.Getenv, home)
	target, err := installed.Command(installed.Places(dirs, os.Getenv), name)
	if err != nil {
		return nil, err
	}
	if target == nil {
		return nil, cli.Exit(cli.NotFound, hint.With(errors.New("cannot run "+name+": no installed app has this command"),
			"'sandbox alias list' shows those there are"))
	}
	calledAs = name
	args := []string{"run"}
	if target.Command != "" {
		args = append(args, "--command", target.Command)
	}
	return append(append(args, "--", string(target.ID)), argv[1:]...), nil
}

// byName starts the command by whose exported name an app was started: by a link,
// whose name it then gets, or as `sandbox run NAME`. The main command keeps the
// arguments that the manifest puts before the user's.
func byName(req *runtime.Request, exported string) {
	req.Name = calledAs
	if calledAs == "" && (exported == "" || req.Command != "") {
		return
	}
	if calledAs == "" {
		req.Command = exported
	}
	for _, c := range req.Manifest.Commands {
		if c.Name == req.Command && c.Path == req.Manifest.Command {
			req.Command = ""
			return
		}
	}
}
