package installed

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"sandbox/internal/disk"
	"sandbox/manifest"
)

// CommandsFile is the file of exported commands, below the store: a line for
// each, NAME, ID and COMMAND parted by tabs and sorted by name. It is made anew
// by whoever exports, and only a way to find things: what it says grants nothing.
const CommandsFile = "commands"

// maxCommands bounds the file.
const maxCommands = 1 << 20

// Command is a name in PATH and what it starts.
type Command struct {
	Name    string // in PATH; an alias where names met
	ID      manifest.ID
	Command string // the app's own name for it
}

// EncodeCommands is the file for list, in one order whatever the order of list.
func EncodeCommands(list []Command) ([]byte, error) {
	list = slices.Clone(list)
	slices.SortFunc(list, func(a, b Command) int { return strings.Compare(a.Name, b.Name) })
	var b bytes.Buffer
	for _, c := range list {
		if !validCommand(c.Name) || !validCommand(c.Command) {
			return nil, fmt.Errorf("cannot export the command %q as %q", c.Command, c.Name)
		}
		fmt.Fprintf(&b, "%s\t%s\t%s\n", c.Name, c.ID, c.Command)
	}
	if b.Len() > maxCommands {
		return nil, errors.New("cannot export so many commands")
	}
	return b.Bytes(), nil
}

// DecodeCommands passes over lines that are not commands.
func DecodeCommands(unsafe []byte) []Command {
	var list []Command
	for line := range strings.Lines(string(unsafe)) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if len(f) != 3 || !validCommand(f[0]) || !validCommand(f[2]) {
			continue
		}
		if id, err := manifest.ParseID(f[1]); err == nil {
			list = append(list, Command{f[0], id, f[2]})
		}
	}
	return list
}

func validCommand(name string) bool {
	return name != "" && len(name) <= 255 && name[0] != '-' && name[0] != '.' &&
		!strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '/' })
}

// command looks a name up in the store's file; nil when it is not there.
func (s *opened) command(name string) (*Command, error) {
	text, err := s.read(CommandsFile)
	if err != nil || text == nil {
		return nil, err
	}
	for len(text) > 0 {
		line, rest, _ := bytes.Cut(text, []byte{'\n'})
		text = rest
		if len(line) > len(name) && line[len(name)] == '\t' && string(line[:len(name)]) == name {
			if list := DecodeCommands(line); len(list) == 1 {
				return &list[0], nil
			}
		}
	}
	return nil, nil
}

// read is a small file at the top of the store; nil when there is none.
func (s *opened) read(name string) ([]byte, error) {
	fd, err := Beneath(s.fd, name, unix.O_RDONLY|unix.O_NONBLOCK)
	if err == unix.ENOENT {
		return nil, nil
	}
	var data []byte
	if err == nil {
		defer unix.Close(fd)
		data, err = disk.ReadFD(fd, maxCommands)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", filepath.Join(s.real, name), err)
	}
	return data, nil
}
