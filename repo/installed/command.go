package installed

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"sandbox/manifest"
)

// BinDir is the directory of command names, beside the store: each is a link to
// ../command/ID:COMMAND, which is a link to the program sandbox. Package export
// makes them.
const BinDir = "bin"

const commandPrefix = "../command/"

// maxTarget is longer than every target that package export makes.
const maxTarget = 512

// Target is what a name in PATH starts.
type Target struct {
	ID      manifest.ID
	Command string // the app's own name for it; empty for its main command
}

// CommandLink is the target of the link in BinDir.
func CommandLink(id manifest.ID, command string) string {
	return commandPrefix + string(id) + ":" + command
}

// ParseCommandLink reads what CommandLink wrote.
func ParseCommandLink(unsafeTarget string) (Target, error) {
	bad := fmt.Errorf("%q is not the link of a command", unsafeTarget)
	rest, ok := strings.CutPrefix(unsafeTarget, commandPrefix)
	id, command, found := strings.Cut(rest, ":")
	if !ok || !found || command != "" && manifest.CheckCommandName(command) != nil {
		return Target{}, bad
	}
	t := Target{manifest.ID(id), command}
	if _, err := manifest.ParseID(id); err != nil {
		return Target{}, bad
	}
	return t, nil
}

// Command finds what a name in PATH starts; nil when no place exports it. The
// user's own names hide the machine's.
func Command(places []Place, unsafeName string) (*Target, error) {
	if manifest.CheckCommandName(unsafeName) != nil {
		return nil, nil
	}
	for _, p := range places {
		t, err := p.command(unsafeName)
		if t != nil || err != nil {
			return t, err
		}
	}
	return nil, nil
}

// command reads one link. Its directory must be ours as the store's: a name
// grants nothing, but it chooses among what is installed.
func (p Place) command(name string) (*Target, error) {
	bin := filepath.Join(filepath.Dir(p.Dir), BinDir)
	dir, err := OpenTrusted(bin)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer unix.Close(dir)
	var buf [maxTarget]byte
	n, err := unix.Readlinkat(dir, name, buf[:])
	if err == unix.ENOENT || err == unix.EINVAL {
		return nil, nil // not there, or somebody else's file
	}
	if err != nil {
		return nil, os.NewSyscallError("readlink", err)
	}
	t, err := ParseCommandLink(string(buf[:n]))
	if err != nil {
		return nil, nil // somebody else's link
	}
	return &t, nil
}
