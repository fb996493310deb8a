package export

import (
	"os"
	"path/filepath"

	"sandbox/internal/disk"
	"sandbox/repo/installed"
)

// Place is where exports go and how much of the host they may hide.
type Place struct {
	Data    string   // bin/, command/, share/ and exports.json are made below it
	Config  string   // the user's decisions: aliases, completions
	Program string   // the program sandbox, absolute: what command names lead to
	Path    []string // directories in which a program of the host takes precedence
	Man     []string // directories with man1/ …, likewise
	Mode    os.FileMode
}

// UserPlace is the place of the calling user. program is the program sandbox.
func UserPlace(d disk.Dirs, program string) Place {
	return Place{Data: d.Data, Config: d.Config, Program: program,
		Path: hostPath(os.Getenv("PATH")), Man: hostMan, Mode: 0o700}
}

// SystemPlace is the place of the whole machine, for a system directory such as
// /var/lib/sandbox.
func SystemPlace(dir, program string) Place {
	return Place{Data: dir, Config: filepath.Join(dir, "config"), Program: program,
		Path: hostPath(os.Getenv("PATH")), Man: hostMan, Mode: 0o755}
}

// Bin is the directory for PATH.
func (p Place) Bin() string { return filepath.Join(p.Data, binDir) }

// Share is the directory for XDG_DATA_DIRS.
func (p Place) Share() string { return filepath.Join(p.Data, shareDir) }

const (
	binDir     = installed.BinDir
	commandDir = "command"
	shareDir   = "share"
	recordName = "exports.json"
	scratch    = ".exports-new" // what is being written, until its rename
	lockName   = ".exports-lock"
)

// usualPath is searched whatever PATH holds: an update may be started by a
// timer, whose PATH is short, and must come to the same result.
var usualPath = []string{"/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin", "/usr/games", "/usr/local/games"}

var hostMan = []string{"/usr/local/share/man", "/usr/local/man", "/usr/share/man"}

func hostPath(path string) []string {
	dirs := append([]string{}, usualPath...)
	for _, dir := range filepath.SplitList(path) {
		if filepath.IsAbs(dir) {
			dirs = append(dirs, filepath.Clean(dir))
		}
	}
	return dirs
}
