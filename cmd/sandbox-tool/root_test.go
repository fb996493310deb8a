package main

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"sandbox/repo"
	"sandbox/repo/client"
)

// Completion shows what a flag is for, without the marks that help reads.
func TestPlainFlags(t *testing.T) {
	root := newRoot()
	plainFlags(root)
	var look func(c *cobra.Command)
	look = func(c *cobra.Command) {
		c.Flags().VisitAll(func(f *pflag.Flag) {
			if strings.HasPrefix(f.Usage, "`") {
				t.Errorf("%s --%s: %s", c.CommandPath(), f.Name, f.Usage)
			}
		})
		for _, sub := range c.Commands() {
			look(sub)
		}
	}
	look(root)
}

// A remote that does not answer is told of once.
func TestTellFailedGathers(t *testing.T) {
	down, other := errors.New("the repository cannot be reached"), errors.New("it is damaged")
	var b bytes.Buffer
	tellFailed(&b, []client.Held{
		{Ref: repo.Ref{ID: "org.example.A"}, Version: "1", Err: down},
		{Ref: repo.Ref{ID: "org.example.B"}, Version: "2", Err: other},
		{Ref: repo.Ref{ID: "org.example.C"}, Version: "3", Err: down},
		{Ref: repo.Ref{ID: "org.example.D"}, Version: "4", Why: "pinned"},
	})
	want := "sandbox: warning: org.example.A 1, org.example.C 3 stay: the repository cannot be reached\n" +
		"sandbox: warning: org.example.B 2 stays: it is damaged\n"
	if b.String() != want {
		t.Errorf("%q", b.String())
	}
}
