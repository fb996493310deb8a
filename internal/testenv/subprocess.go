package testenv

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

const (
	inside = "SANDBOX_TEST_SUBPROCESS"
	passed = "testenv: the body has passed"
)

// Subprocess runs body in a process of its own: this test binary, started
// again with only the calling test. It is for state that cannot be undone, such
// as filters, dropped capabilities and limits. What the test does before the
// call happens in both processes; what follows, only outside and after body has
// passed. prepare may change the command before it starts (its credentials,
// namespaces, environment).
func Subprocess(t *testing.T, body func(t *testing.T), prepare ...func(*exec.Cmd)) {
	t.Helper()
	if os.Getenv(inside) == t.Name() {
		body(t)
		if !t.Failed() {
			fmt.Println(passed)
		}
		t.SkipNow() // a failed test stays failed
	}
	// Not by its path: go test keeps the binary where only its user can look.
	c := exec.Command("/proc/self/exe", "-test.run="+pattern(t.Name()), "-test.v", "-test.count=1")
	c.Env = append(os.Environ(), inside+"="+t.Name())
	for _, p := range prepare {
		p(c)
	}
	out, err := c.CombinedOutput()
	switch {
	case err != nil:
		t.Fatalf("in a subprocess: %v\n%s", err, out)
	case bytes.Contains(out, []byte(passed)):
		return
	case bytes.Contains(out, []byte("--- SKIP")):
		t.Skipf("in a subprocess: %s", out)
	}
	t.Fatalf("the subprocess did not run %s:\n%s", t.Name(), out)
}

// pattern matches one test by its full name.
func pattern(name string) string {
	parts := strings.Split(name, "/")
	for i, p := range parts {
		parts[i] = "^" + regexp.QuoteMeta(p) + "$"
	}
	return strings.Join(parts, "/")
}
