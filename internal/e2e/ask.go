package e2e

import (
	"os/exec"
	"strings"
	"testing"
)

// Answers are what the probe said to each operation: "EPERM", "ok", "ok WORDS".
type Answers struct {
	of map[string]string
	t  testing.TB
}

// Of is the answer to one operation. It fails the test when there is none.
func (a Answers) Of(op string) string {
	a.t.Helper()
	got, ok := a.of[op]
	if !ok {
		a.t.Fatalf("the probe did not answer %q but %q", op, a.of)
	}
	return got
}

// Is checks an answer against several good ones; "ok" allows any words behind.
func (a Answers) Is(op string, want ...string) {
	a.t.Helper()
	got := a.Of(op)
	for _, w := range want {
		if got == w || w == "ok" && strings.HasPrefix(got, "ok ") {
			return
		}
	}
	a.t.Errorf("%s: got %s, want %s", op, got, strings.Join(want, " or "))
}

// Has checks that an operation went well and what it found holds text.
func (a Answers) Has(op, text string) {
	a.t.Helper()
	if got := a.Of(op); !strings.HasPrefix(got, "ok") || !strings.Contains(got, text) {
		a.t.Errorf("%s: got %s, want something with %q", op, got, text)
	}
}

// Lacks checks that an answer does not hold text.
func (a Answers) Lacks(op, text string) {
	a.t.Helper()
	if got := a.Of(op); strings.Contains(got, text) {
		a.t.Errorf("%s: got %s, which holds %q", op, got, text)
	}
}

// Inside runs operations of the probe in its bundle, with flags of `run`
// before it.
func (h *Home) Inside(bundle string, flags []string, ops ...string) Answers {
	h.t.Helper()
	args := append(append([]string{"run"}, flags...), bundle)
	return h.Answers(h.Run(append(args, ops...)...), ops...)
}

// Answers reads what the probe printed.
func (h *Home) Answers(r Result, ops ...string) Answers {
	h.t.Helper()
	if r.Code != 0 {
		h.t.Fatalf("the probe ended with %d\nstdout: %s\nstderr: %s", r.Code, r.Stdout, r.Stderr)
	}
	return parseAnswers(h.t, r.Stdout, ops)
}

// Outside runs operations of the probe without a sandbox, in the home: what is
// refused inside must not be refused here, or the refusal proves nothing.
func (h *Home) Outside(ops ...string) Answers {
	h.t.Helper()
	c := exec.Command(Probe(h.t), ops...)
	c.Dir = h.Dir
	c.Env = h.Env
	out, err := c.Output()
	if err != nil {
		h.t.Fatalf("the probe failed outside: %v\n%s", err, out)
	}
	return parseAnswers(h.t, string(out), ops)
}

func parseAnswers(t testing.TB, out string, ops []string) Answers {
	a := Answers{of: map[string]string{}, t: t}
	for line := range strings.Lines(out) {
		op, got, ok := strings.Cut(strings.TrimSpace(line), " = ")
		if ok {
			a.of[op] = got
		} else if op, ok := strings.CutSuffix(strings.TrimSpace(line), " ="); ok {
			a.of[op] = ""
		}
	}
	return a
}
