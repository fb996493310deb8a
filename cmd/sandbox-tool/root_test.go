package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"sandbox/internal/e2e"
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

// Every start pays for what packages do before main: ours do next to nothing there.
// A table of some entries is fine, a regular expression is not (internal/lazy).
func TestNothingIsMadeAtStart(t *testing.T) {
	const most = 100 // allocations of a package
	for _, name := range []string{"sandbox", "sandbox-tool"} {
		c := exec.Command(e2e.Program(t, name), "--version")
		c.Env = append(os.Environ(), "GODEBUG=inittrace=1", "HOME="+t.TempDir())
		var trace bytes.Buffer
		c.Stderr = &trace
		if err := c.Run(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		// init PACKAGE @1.2 ms, 0.1 ms clock, 300 bytes, 4 allocs
		lines := regexp.MustCompile(`(?m)^init (sandbox/\S+) .* (\d+) allocs$`).FindAllStringSubmatch(trace.String(), -1)
		if len(lines) == 0 {
			t.Errorf("%s tells of no package:\n%s", name, &trace)
		}
		for _, l := range lines {
			if n, _ := strconv.Atoi(l[2]); n > most {
				t.Errorf("%s: the start of %s takes %d allocations", name, l[1], n)
			}
		}
	}
}
