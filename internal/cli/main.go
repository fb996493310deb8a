package cli

import (
	"errors"
	"fmt"
	"os"
	"runtime/debug"

	"sandbox/internal/hint"
)

// Version is set when a release is linked.
var Version = "devel"

// Handler performs a verb of the lean program.
type Handler func(Args) error

// Main is the main function of the lean program but for the exit: it finds the
// verb, performs it with what handler returns for its name or hands over to the
// program that does, and prints what went wrong.
func Main(args []string, handler func(verb string) Handler) (code int) {
	defer func() {
		if bug := recover(); bug != nil {
			code = Report(os.Stderr, Bug(bug))
		}
	}()
	return Report(os.Stderr, dispatch(args, handler))
}

// Bug is the error for what must not happen: a person gets a sentence, and
// whoever can mend it gets the trace on request.
func Bug(bug any) error {
	if os.Getenv("SANDBOX_TRACE") != "" {
		os.Stderr.Write(debug.Stack())
	}
	return Exit(NotStarted, hint.With(fmt.Errorf("internal error: %v", bug), "please report it, with what SANDBOX_TRACE=1 adds"))
}

func dispatch(args []string, handler func(verb string) Handler) error {
	if err := refusePrivileged(); err != nil {
		return err
	}
	if len(args) == 0 {
		return Overview(os.Stdout)
	}
	switch args[0] {
	case "-h", "--help":
		return Overview(os.Stdout)
	case "--version":
		_, err := fmt.Println("sandbox", Version)
		return err
	}
	if b := performer(args[0]); b != Lean && b != "" {
		return Exec(b, args)
	}
	v, err := Lookup(args[0])
	if err != nil {
		return err
	}
	a, err := v.Parse(args[1:])
	if errors.Is(err, ErrHelp) {
		return v.Help(os.Stdout)
	}
	if err != nil {
		return err
	}
	return handler(v.Name)(a)
}

// elsewhere is how other programs call what some verbs do. A typo of another verb
// may be nearer in letters than what was meant.
var elsewhere = map[string]string{
	"remove": "uninstall", "rm": "uninstall", "purge": "uninstall", "delete": "uninstall",
	"add": "install", "get": "install", "upgrade": "update", "show": "info", "ls": "list",
	"find": "search", "exec": "enter", "shell": "enter", "start": "run", "serve": "repo serve",
	"sign": "repo sign", "check": "lint", "permissions": "permission", "remotes": "remote list",
	"log": "logs", "status": "ps", "top": "stats", "freeze": "pause", "thaw": "resume",
	"downgrade": "rollback", "undo": "rollback", "clean": "gc", "autoremove": "gc", "bundle": "download",
}

// Lookup is Find with an error that says what was probably meant.
func Lookup(name string) (*Verb, error) {
	if v, ok := Find(name); ok {
		return v, nil
	}
	if len(name) > 0 && name[0] == '-' {
		return nil, Usagef("flags follow the verb; see 'sandbox --help'", "unknown flag %q", name)
	}
	if same, ok := elsewhere[name]; ok {
		return nil, Usagef("did you mean 'sandbox "+same+"'?", "unknown verb %q", name)
	}
	names := make([]string, 0, len(Verbs))
	for i := range Verbs {
		names = append(names, Verbs[i].Name)
	}
	if near := Nearest(name, names); near != "" {
		return nil, Usagef("did you mean 'sandbox "+near+"'?", "unknown verb %q", name)
	}
	return nil, Usagef("see 'sandbox --help'", "unknown verb %q", name)
}
