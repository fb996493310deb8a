package main

import (
	"strings"
	"testing"

	"sandbox/runtime"
)

func TestMaybe(t *testing.T) {
	some := []*runtime.Entry{{Instance: "web", App: "org.example.Server"}, {Instance: "nano-1", App: "org.gnu.Nano"}, {Instance: "nano-2", App: "org.gnu.Nano"}}
	many := append(some, &runtime.Entry{Instance: "a1", App: "x.y.A"}, &runtime.Entry{Instance: "b1", App: "x.y.B"}, &runtime.Entry{Instance: "c1", App: "x.y.C"})
	for _, c := range []struct {
		what, name string
		running    []*runtime.Entry
		want       string
	}{
		{"its beginning", "we", some, "did you mean web?"},
		{"a typo", "wbe", some, "did you mean web?"},
		{"the app's, mistyped", "sever", some, "did you mean web?"},
		{"the beginning of the app's id", "org.example", some, "did you mean web?"},
		{"in capitals", "WE", some, "did you mean web?"},
		{"of two", "nan", some, "did you mean one of nano-1, nano-2?"},
		{"nothing near of few", "mutt", some, "what runs, by 'sandbox ps': web, nano-1, nano-2"},
		{"nothing near of many", "mutt", many, "'sandbox ps' lists what runs"},
		{"no name", "", some, "what runs, by 'sandbox ps': web, nano-1, nano-2"},
		{"nothing runs", "web", nil, "nothing runs"},
	} {
		if got := maybe(c.name, c.running); !strings.HasPrefix(got, c.want) {
			t.Errorf("%s: %q, want %q", c.what, got, c.want)
		}
	}
}
