package cli

import (
	"errors"
	"strings"
)

// ErrHelp is what Parse returns for --help and -h.
var ErrHelp = errors.New("help wanted")

// Args is a checked command line.
type Args struct {
	Rest  []string // positional arguments
	flags []given
}

type given struct{ name, value string }

// Has reports whether the flag was given.
func (a Args) Has(name string) bool {
	for _, f := range a.flags {
		if f.name == name {
			return true
		}
	}
	return false
}

// String is the flag's value, "" when it was not given.
func (a Args) String(name string) string {
	for _, f := range a.flags {
		if f.name == name {
			return f.value
		}
	}
	return ""
}

// Strings are the values of a flag that may be repeated, in order.
func (a Args) Strings(name string) []string {
	var values []string
	for _, f := range a.flags {
		if f.name == name {
			values = append(values, f.value)
		}
	}
	return values
}

// Parse reads what followed the verb on the command line, by the same rules as
// the other programs' library: --name VALUE, --name=VALUE, -n VALUE, -nVALUE,
// joined switches, and "--" before arguments that look like flags. Errors are
// usage errors.
func (v *Verb) Parse(args []string) (Args, error) {
	var a Args
	for len(args) > 0 {
		arg := args[0]
		switch {
		case arg == "--":
			a.Rest = append(a.Rest, args[1:]...)
			return a, v.count(a)
		case strings.HasPrefix(arg, "--"):
			n, err := v.long(&a, arg[2:], args[1:])
			if err != nil {
				return Args{}, err
			}
			args = args[1+n:]
		case len(arg) > 1 && arg[0] == '-':
			n, err := v.short(&a, arg[1:], args[1:])
			if err != nil {
				return Args{}, err
			}
			args = args[1+n:]
		case v.Forward:
			a.Rest = args
			return a, v.count(a)
		default:
			a.Rest = append(a.Rest, arg)
			args = args[1:]
		}
	}
	return a, v.count(a)
}

// long handles one --flag and returns how many of the following arguments it took.
func (v *Verb) long(a *Args, text string, next []string) (int, error) {
	name, value, joined := strings.Cut(text, "=")
	if name == "help" && !joined {
		return 0, ErrHelp
	}
	f := v.flag(func(f *Flag) bool { return f.Name == name })
	switch {
	case f == nil:
		return 0, v.unknown("--"+name, name)
	case f.Arg == "" && joined:
		return 0, v.usage("--%s takes no value", name)
	case f.Arg == "" || joined:
		return 0, v.add(a, f, value)
	case len(next) == 0:
		return 0, v.usage("--%s needs a value: %s", name, f.Arg)
	}
	return 1, v.add(a, f, next[0])
}

// short handles -x, -xy and -xVALUE likewise.
func (v *Verb) short(a *Args, text string, next []string) (int, error) {
	for i := range len(text) {
		letter := text[i : i+1]
		if letter == "h" {
			return 0, ErrHelp
		}
		f := v.flag(func(f *Flag) bool { return f.Short == letter })
		switch rest := text[i+1:]; {
		case f == nil && len(text) > 1:
			return 0, v.unknown("-"+text, text)
		case f == nil:
			return 0, v.usage("unknown flag %q", "-"+letter)
		case f.Arg == "":
			if err := v.add(a, f, ""); err != nil {
				return 0, err
			}
		case rest != "":
			return 0, v.add(a, f, strings.TrimPrefix(rest, "="))
		case len(next) == 0:
			return 0, v.usage("-%s needs a value: %s", letter, f.Arg)
		default:
			return 1, v.add(a, f, next[0])
		}
	}
	return 0, nil
}

// add refuses a second value where only one can count, instead of guessing
// which, and an empty one, which is a script's unset variable: no flag means
// anything by it.
func (v *Verb) add(a *Args, f *Flag, value string) error {
	if !f.Repeat && a.Has(f.Name) {
		if f.Arg == "" {
			return nil
		}
		return v.usage("--%s is given twice", f.Name)
	}
	if f.Arg != "" && value == "" {
		return v.usage("--%s needs a value: %s", f.Name, f.Arg)
	}
	a.flags = append(a.flags, given{f.Name, value})
	return nil
}

func (v *Verb) count(a Args) error {
	switch n := len(a.Rest); {
	case n < v.Min:
		return v.usage("too few arguments: usage: sandbox %s %s", v.Name, v.Usage)
	case v.Max >= 0 && n > v.Max:
		return v.usage("unexpected argument %q", a.Rest[v.Max])
	}
	return nil
}

func (v *Verb) flag(match func(*Flag) bool) *Flag {
	for i := range v.Flags {
		if match(&v.Flags[i]) {
			return &v.Flags[i]
		}
	}
	return nil
}

func (v *Verb) unknown(shown, name string) error {
	names := make([]string, len(v.Flags))
	for i, f := range v.Flags {
		names[i] = f.Name
	}
	if near := Nearest(name, names); near != "" {
		return Usagef("did you mean --"+near+"?", "unknown flag %q", shown)
	}
	return v.usage("unknown flag %q", shown)
}

func (v *Verb) usage(format string, args ...any) error {
	return Usagef("see 'sandbox "+v.Name+" --help'", format, args...)
}

// TakesValue reports whether a flag, as written, takes the argument after it.
func (v *Verb) TakesValue(arg string) bool {
	if name, long := strings.CutPrefix(arg, "--"); long {
		f := v.flag(func(f *Flag) bool { return f.Name == name })
		return f != nil && f.Arg != ""
	}
	if len(arg) < 2 {
		return false
	}
	// In -xy only the last letter can reach for the next argument.
	for i := 1; i < len(arg); i++ {
		f := v.flag(func(f *Flag) bool { return f.Short == arg[i:i+1] })
		if f == nil || f.Arg != "" {
			return f != nil && i == len(arg)-1
		}
	}
	return false
}
