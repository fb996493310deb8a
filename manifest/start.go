package manifest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"sandbox/internal/hint"
)

const (
	maxArgs        = 64
	maxArg         = 4096
	maxCommands    = 64
	maxCommandName = 64
	maxEnv         = 128
	maxEnvName     = 128
)

// own are the names under which sandbox itself is started: a link of that name
// would start the application in its place.
var own = []string{"sandbox", "sandbox-tool", "sandbox-tui"}

// CheckCommandName tells whether name may become an entry of PATH.
func CheckCommandName(name string) error {
	if name == "" || len(name) > maxCommandName {
		return fmt.Errorf("command name %q has not 1 to %d characters", name, maxCommandName)
	}
	for i, r := range name {
		if !isAlnum(r) && (i == 0 || !strings.ContainsRune("._+-", r)) {
			return hint.With(fmt.Errorf("command name %q is not a plain name", name), "use letters, digits and inner . _ + -")
		}
	}
	if slices.Contains(own, name) {
		return fmt.Errorf("command name %q belongs to sandbox itself", name)
	}
	return nil
}

// commandPath reads what is to be started: a bare name or a path.
func commandPath(text string) (string, error) {
	if strings.Contains(text, "/") {
		return insidePath(text)
	}
	for i, r := range text {
		if !isAlnum(r) && r != '_' && (i == 0 || !strings.ContainsRune(".+-", r)) {
			return "", hint.With(fmt.Errorf("command %q is not a name or path", text), "arguments go into args")
		}
	}
	if text == "" || len(text) > 255 {
		return "", fmt.Errorf("command has not 1 to 255 characters")
	}
	return text, nil
}

func (r *reader) command(n *node, _ string) {
	path, err := commandPath(n.text)
	r.report(n, err)
	r.m.Command = path
}

func (r *reader) args(n *node, _ string) {
	for _, elem := range r.strings(n, "args", maxArgs) {
		if len(elem.text) > maxArg {
			r.bad(elem, "", "argument is longer than %d bytes", maxArg)
		}
		r.m.Args = append(r.m.Args, elem.text)
	}
}

func (r *reader) commands(n *node, path string) {
	if len(n.names) > maxCommands {
		r.badKey(n, "", "commands has more than %d names", maxCommands)
		return
	}
	r.m.Commands = []Command{}
	for _, name := range n.names {
		child := n.items[name]
		if err := CheckCommandName(name); err != nil {
			r.badKey(child, hint.Of(err), "%v", err)
		}
		if !r.is(child, wantString, strconv.Quote(name)) {
			continue
		}
		target, err := commandPath(child.text)
		r.report(child, err)
		r.m.where[path+"."+name] = r.place(child.keyAt, child.keyEnd)
		r.m.Commands = append(r.m.Commands, Command{Name: name, Path: target})
	}
	slices.SortFunc(r.m.Commands, func(a, b Command) int { return strings.Compare(a.Name, b.Name) })
}

// launcherEnv are the variables that the launcher decides. A manifest that set
// them would either be ignored or make the inside disagree with itself.
var launcherEnv = []string{"HOME", "USER", "LOGNAME", "PWD", "OLDPWD", "TERM", "TMPDIR", "XDG_RUNTIME_DIR", "XDG_SESSION_ID",
	"DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY", "PULSE_SERVER", "PIPEWIRE_REMOTE", "SSH_AUTH_SOCK", "SSH_AGENT_PID",
	"DBUS_SESSION_BUS_ADDRESS", "DBUS_SYSTEM_BUS_ADDRESS", "container"}

// CheckEnvName tells whether a manifest may set the variable.
func CheckEnvName(name string) error {
	if name == "" || len(name) > maxEnvName {
		return fmt.Errorf("variable name %q has not 1 to %d characters", name, maxEnvName)
	}
	for i, r := range name {
		if !isLetter(r) && r != '_' && (i == 0 || !isDigit(r)) {
			return hint.With(fmt.Errorf("variable name %q is not a name", name), "use letters, digits and _, not a digit first")
		}
	}
	if slices.Contains(launcherEnv, name) || strings.HasPrefix(name, "SANDBOX_") {
		return hint.With(fmt.Errorf("variable %q is set by sandbox itself", name), "leave it out: it has the right value inside")
	}
	return nil
}

func (r *reader) env(n *node, path string) {
	if len(n.names) > maxEnv {
		r.badKey(n, "", "env has more than %d variables", maxEnv)
		return
	}
	for _, name := range n.names {
		child := n.items[name]
		if err := CheckEnvName(name); err != nil {
			r.badKey(child, hint.Of(err), "%v", err)
		}
		if !r.is(child, wantString, strconv.Quote(name)) {
			continue
		}
		if len(child.text) > maxArg || strings.ContainsAny(child.text, "\r\n\t") {
			r.bad(child, "", "value of %q is longer than %d bytes or not on one line", name, maxArg)
		}
		r.m.where[path+"."+name] = r.place(child.keyAt, child.keyEnd)
		r.m.Env = append(r.m.Env, EnvVar{Name: name, Value: child.text})
	}
	slices.SortFunc(r.m.Env, func(a, b EnvVar) int { return strings.Compare(a.Name, b.Name) })
}
