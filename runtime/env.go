package runtime

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"unicode/utf8"
)

// passed are the variables of the caller that every app sees. The list allows;
// whatever is not on it stays outside, tokens and agent sockets with it.
var passed = []string{
	"COLORTERM", "LANG", "LANGUAGE", "NO_COLOR", "TERM", "TERM_PROGRAM", "TZ",
	"LC_ADDRESS", "LC_ALL", "LC_COLLATE", "LC_CTYPE", "LC_IDENTIFICATION", "LC_MEASUREMENT", "LC_MESSAGES",
	"LC_MONETARY", "LC_NAME", "LC_NUMERIC", "LC_PAPER", "LC_TELEPHONE", "LC_TIME",
}

// maxEnv bounds one variable. The kernel's own limit is 128 KiB.
const maxEnv = 64 << 10

// environment decides every variable the app sees, later sources winning.
type environment struct {
	vars  map[string]string
	notes []string
}

func newEnvironment() *environment { return &environment{vars: map[string]string{}} }

func (e *environment) set(name, value string) {
	switch {
	case !validName(name):
		e.notes = append(e.notes, fmt.Sprintf("the variable %q is dropped: not a name", name))
	case strings.ContainsRune(value, 0) || len(value) > maxEnv:
		e.notes = append(e.notes, fmt.Sprintf("the variable %s is dropped: its value is too long or holds a NUL", name))
	default:
		e.vars[name] = value
	}
}

// pass takes a variable over from the caller, when the caller has it.
func (e *environment) pass(host *Host, name string) {
	if v := host.Env(name); v != "" {
		e.set(name, v)
	}
}

// list is the environment as execve(2) wants it, sorted.
func (e *environment) list() []string {
	out := make([]string, 0, len(e.vars))
	for name, value := range e.vars {
		out = append(out, name+"="+value)
	}
	slices.Sort(out)
	return out
}

// validName is the portable grammar of POSIX, XBD 8.1.
func validName(name string) bool {
	for i, r := range name {
		letter := r == '_' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z'
		if !letter && (i == 0 || r < '0' || r > '9') {
			return false
		}
	}
	return name != "" && len(name) <= 255
}

// base is what does not depend on the app's permissions.
func (e *environment) base(host *Host, user, home, runtimeDir string) {
	for _, name := range passed {
		v := host.Env(name)
		if v == "" || !utf8.ValidString(v) || strings.ContainsFunc(v, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			continue
		}
		e.set(name, v)
	}
	e.set("HOME", home)
	e.set("USER", user)
	e.set("LOGNAME", user)
	e.set("SHELL", "/bin/sh")
	e.set("PATH", "/app/bin:/usr/bin")
	e.set("XDG_RUNTIME_DIR", runtimeDir)
	e.set("XDG_CONFIG_DIRS", "/app/etc/xdg:/etc/xdg")
	e.set("XDG_DATA_DIRS", "/app/share:/usr/share")
	e.set("container", "sandbox")
}

// stateIn points the base directories of the XDG specification at dir, for
// when $HOME is the user's own and not the app's.
func (e *environment) stateIn(dir string) {
	e.set("XDG_CONFIG_HOME", path.Join(dir, ".config"))
	e.set("XDG_DATA_HOME", path.Join(dir, ".local/share"))
	e.set("XDG_STATE_HOME", path.Join(dir, ".local/state"))
	e.set("XDG_CACHE_HOME", path.Join(dir, ".cache"))
}
