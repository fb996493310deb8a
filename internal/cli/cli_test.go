package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"sandbox/internal/hint"
)

func TestTableIsSound(t *testing.T) {
	seen := map[string]bool{}
	for _, v := range Verbs {
		if seen[v.Name] {
			t.Errorf("%s: listed twice", v.Name)
		}
		seen[v.Name] = true
		if v.Summary == "" || strings.HasSuffix(v.Summary, ".") || !slices.Contains(Groups[:], v.Group) {
			t.Errorf("%s: summary %q, group %q", v.Name, v.Summary, v.Group)
		}
		if v.Binary == Tool && (v.Flags != nil || v.Max != 0) {
			t.Errorf("%s: its flags belong where it is performed", v.Name)
		}
		flags := map[string]bool{"help": true, "h": true}
		for _, f := range v.Flags {
			for _, n := range []string{f.Name, f.Short} {
				if n != "" && flags[n] {
					t.Errorf("%s: flag %q twice", v.Name, n)
				}
				flags[n] = true
			}
			if len(f.Short) > 1 || (f.Arg == "") != (f.Value == None) || f.Summary == "" {
				t.Errorf("%s: --%s is incomplete", v.Name, f.Name)
			}
		}
	}
}

func TestHelpNamesEverything(t *testing.T) {
	var all bytes.Buffer
	Overview(&all)
	for i := range Verbs {
		v := &Verbs[i]
		if !strings.Contains(all.String(), "\n  "+v.Name+" ") {
			t.Errorf("the overview lacks %s", v.Name)
		}
		var one bytes.Buffer
		v.Help(&one)
		for _, f := range v.Flags {
			if !strings.Contains(one.String(), "--"+f.Name) {
				t.Errorf("the help of %s lacks --%s", v.Name, f.Name)
			}
		}
	}
	for line := range strings.Lines(all.String()) {
		if n := len([]rune(line)); n > 81 {
			t.Errorf("%d columns: %s", n, line)
		}
	}
}

func TestReport(t *testing.T) {
	plain := errors.New("cannot open x")
	for _, c := range []struct {
		name string
		err  error
		code int
		want string
	}{
		{"nothing", nil, 0, ""},
		{"error", plain, 1, "sandbox: error: cannot open x\n"},
		{"hint", hint.With(plain, "try y"), 1, "sandbox: error: cannot open x\nsandbox: hint: try y\n"},
		{"usage", Usagef("", "no"), 2, "sandbox: error: no\n"},
		{"code", Exit(NotStarted, hint.With(plain, "try y")), 125, "sandbox: error: cannot open x\nsandbox: hint: try y\n"},
		{"wrapped code", fmt.Errorf("cannot run: %w", Exit(125, plain)), 125, "sandbox: error: cannot run: cannot open x\n"},
		{"the app's own status says nothing", Status{Code: 42}, 42, ""},
		{"several", errors.Join(plain, hint.With(errors.New("b"), "c")), 1, "sandbox: error: cannot open x\nsandbox: error: b\nsandbox: hint: c\n"},
		{"several below one text", fmt.Errorf("cannot use x: %w", errors.Join(errors.New("a"), errors.New("b"))), 1, "sandbox: error: cannot use x: a; b\n"},
		{"several with a code", Exit(125, errors.Join(plain, plain)), 125, "sandbox: error: cannot open x\nsandbox: error: cannot open x\n"},
		{"several under one text", fmt.Errorf("a: %w, %w", plain, plain), 1, "sandbox: error: a: cannot open x, cannot open x\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var b bytes.Buffer
			if code := Report(&b, c.err); code != c.code || b.String() != c.want {
				t.Errorf("%d %q, want %d %q", code, b.String(), c.code, c.want)
			}
		})
	}
}

func TestErrorsCannotForgeLines(t *testing.T) {
	var b bytes.Buffer
	Report(&b, hint.With(errors.New("a\nsandbox: hint: run this\x1b[2J"), "b\nc"))
	if lines := strings.Count(b.String(), "\n"); lines != 2 || strings.Contains(b.String(), "\x1b") {
		t.Errorf("%q", b.String())
	}
}

func TestExitKeepsNil(t *testing.T) {
	if Exit(125, nil) != nil {
		t.Error("an error from nothing")
	}
}

func TestDispatch(t *testing.T) {
	var called string
	handler := func(verb string) Handler {
		return func(a Args) error {
			called = verb + " " + strings.Join(a.Rest, " ")
			return Status{Code: 7}
		}
	}
	if code := Report(&bytes.Buffer{}, dispatch([]string{"stop", "one"}, handler)); code != 7 || called != "stop one" {
		t.Errorf("code %d, called %q", code, called)
	}
	for _, c := range []struct{ arg, want, hint string }{
		{"remove", `unknown verb "remove"`, "did you mean 'sandbox uninstall'?"},
		{"upgrade", `unknown verb "upgrade"`, "did you mean 'sandbox update'?"},
		{"rnu", `unknown verb "rnu"`, "did you mean 'sandbox run'?"},
		{"frobnicate", `unknown verb "frobnicate"`, "see 'sandbox --help'"},
		{"--json", `unknown flag "--json"`, "flags follow the verb; see 'sandbox --help'"},
	} {
		if err := dispatch([]string{c.arg}, handler); err == nil || err.Error() != c.want || hint.Of(err) != c.hint {
			t.Errorf("%s: %v (hint %q)", c.arg, err, hint.Of(err))
		}
	}
}

func TestExecSaysWhatIsMissing(t *testing.T) {
	err := Exec("sandbox-nowhere", []string{"x"})
	if err == nil || !errors.Is(err, os.ErrNotExist) || !strings.Contains(hint.Of(err), "same directory") {
		t.Errorf("%v (hint %q)", err, hint.Of(err))
	}
}

func TestWriteJSON(t *testing.T) {
	var b bytes.Buffer
	if err := WriteJSON(&b, map[string]string{"a": "<\x1b>"}); err != nil {
		t.Fatal(err)
	}
	if !json.Valid(b.Bytes()) || strings.ContainsRune(b.String(), '\x1b') || !strings.Contains(b.String(), "<") {
		t.Errorf("%q", b.String())
	}
}

func TestPipesAreNoTerminals(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	if Terminal(r) || Colour(w) {
		t.Error("a pipe passes for a terminal")
	}
}

// What other programs call a verb must lead to one that there is.
func TestElsewhere(t *testing.T) {
	for name, verb := range elsewhere {
		if _, ok := Find(name); ok {
			t.Errorf("%s is a verb itself", name)
		}
		first, _, _ := strings.Cut(verb, " ")
		if _, ok := Find(first); !ok {
			t.Errorf("%s: there is no verb %s", name, verb)
		}
	}
}
