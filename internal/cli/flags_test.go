package cli

import (
	"errors"
	"reflect"
	"testing"

	"sandbox/internal/hint"
)

func TestParse(t *testing.T) {
	for _, c := range []struct {
		name, verb string
		args       []string
		flags      map[string][]string
		rest       []string
	}{
		{"nothing", "ps", nil, nil, nil},
		{"value apart", "run", []string{"--runtime", "/r", "app"}, map[string][]string{"runtime": {"/r"}}, []string{"app"}},
		{"value joined", "run", []string{"--runtime=/r", "app"}, map[string][]string{"runtime": {"/r"}}, []string{"app"}},
		{"value with an equals sign", "run", []string{"--limit=memory=1G", "app"}, map[string][]string{"limit": {"memory=1G"}}, []string{"app"}},
		{"value like a flag", "run", []string{"--env", "-x", "app"}, map[string][]string{"env": {"-x"}}, []string{"app"}},
		{"repeated in order", "run", []string{"--grant", "b", "--grant", "a", "app"}, map[string][]string{"grant": {"b", "a"}}, []string{"app"}},
		{"the app's flags are the app's", "run", []string{"app", "--json", "-h"}, nil, []string{"app", "--json", "-h"}},
		{"the app's dashes are the app's", "run", []string{"app", "--", "x"}, nil, []string{"app", "--", "x"}},
		{"dashes before the app", "run", []string{"--json", "--", "-app"}, map[string][]string{"json": {""}}, []string{"-app"}},
		{"joined switches", "run", []string{"-dn", "app"}, map[string][]string{"detach": {""}, "dry-run": {""}}, []string{"app"}},
		{"short value apart", "run", []string{"-e", "A=1", "app"}, map[string][]string{"env": {"A=1"}}, []string{"app"}},
		{"short value joined", "run", []string{"-deA=1", "app"}, map[string][]string{"detach": {""}, "env": {"A=1"}}, []string{"app"}},
		{"flags after arguments", "stop", []string{"a", "--all", "b"}, map[string][]string{"all": {""}}, []string{"a", "b"}},
		{"a switch twice", "stop", []string{"-a", "--all"}, map[string][]string{"all": {""}}, nil},
		{"a lone dash is an argument", "stop", []string{"-"}, nil, []string{"-"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			v, _ := Find(c.verb)
			a, err := v.Parse(c.args)
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range v.Flags {
				if got := a.Strings(f.Name); !reflect.DeepEqual(got, c.flags[f.Name]) {
					t.Errorf("--%s = %q, want %q", f.Name, got, c.flags[f.Name])
				}
				if _, want := c.flags[f.Name]; a.Has(f.Name) != want {
					t.Errorf("Has(%q) = %v", f.Name, !want)
				}
			}
			if len(a.Rest)+len(c.rest) > 0 && !reflect.DeepEqual(a.Rest, c.rest) {
				t.Errorf("rest = %q, want %q", a.Rest, c.rest)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	for _, c := range []struct {
		name, verb string
		args       []string
		want, hint string
	}{
		{"unknown flag", "ps", []string{"--xyzzy"}, `unknown flag "--xyzzy"`, "see 'sandbox ps --help'"},
		{"typo", "run", []string{"--detatch"}, `unknown flag "--detatch"`, "did you mean --detach?"},
		{"one dash", "run", []string{"-runtime", "x"}, `unknown flag "-runtime"`, "did you mean --runtime?"},
		{"unknown letter", "ps", []string{"-z"}, `unknown flag "-z"`, "see 'sandbox ps --help'"},
		{"value missing", "run", []string{"--grant"}, "--grant needs a value: PERMISSION", "see 'sandbox run --help'"},
		{"short value missing", "run", []string{"-e"}, "-e needs a value: NAME[=VALUE]", "see 'sandbox run --help'"},
		{"empty value", "run", []string{"--name=", "app"}, "--name needs a value: NAME", "see 'sandbox run --help'"},
		{"empty value apart", "run", []string{"--cwd", "", "app"}, "--cwd needs a value: DIR", "see 'sandbox run --help'"},
		{"value for a switch", "ps", []string{"--json=yes"}, "--json takes no value", "see 'sandbox ps --help'"},
		{"two values where one counts", "run", []string{"--name=a", "--name=b", "x"}, "--name is given twice", "see 'sandbox run --help'"},
		{"too few", "run", nil, "too few arguments: usage: sandbox run [FLAGS] APP|BUNDLE [ARGUMENTS…]", "see 'sandbox run --help'"},
		{"too many", "ps", []string{"x"}, `unexpected argument "x"`, "see 'sandbox ps --help'"},
	} {
		t.Run(c.name, func(t *testing.T) {
			v, _ := Find(c.verb)
			_, err := v.Parse(c.args)
			if err == nil || err.Error() != c.want || hint.Of(err) != c.hint {
				t.Errorf("got %v (hint %q)\nwant %s (hint %q)", err, hint.Of(err), c.want, c.hint)
			}
			if s, ok := errors.AsType[Status](err); !ok || s.Code != UsageError {
				t.Errorf("not a usage error: %#v", err)
			}
		})
	}
}

func TestParseHelp(t *testing.T) {
	for _, args := range [][]string{{"--help"}, {"-h"}, {"-dh"}, {"--json", "-h", "app"}} {
		v, _ := Find("run")
		if _, err := v.Parse(args); !errors.Is(err, ErrHelp) {
			t.Errorf("Parse(%q) = %v", args, err)
		}
	}
}

func TestNearest(t *testing.T) {
	words := []string{"run", "ps", "stop", "stats", "build", "permission"}
	for text, want := range map[string]string{
		"rnu": "run", "biuld": "build", "permissions": "permission", "stat": "stats", "sotp": "stop",
		"": "", "x": "", "zz": "", "install": "", "uninstallable-and-very-long-word-beyond-every-limit-of-the-table": "",
	} {
		if got := Nearest(text, words); got != want {
			t.Errorf("Nearest(%q) = %q, want %q", text, got, want)
		}
	}
}
