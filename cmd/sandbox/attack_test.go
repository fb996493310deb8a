package main

import (
	"fmt"
	"testing"

	"sandbox/internal/e2e"
)

// The attack tests are named by the cases that peers lost, and run the finished
// programs. What is refused inside is asked outside too, where it must not be
// refused in the same way.

// attack is the start of most of them: a session, and a bundle with the probe.
func attack(t *testing.T, manifest ...string) (*e2e.Home, string) {
	t.Helper()
	t.Parallel()
	return e2e.NewHome(t), e2e.ProbeBundle(t, manifest...)
}

func format(text string, args ...any) string { return fmt.Sprintf(text, args...) }
