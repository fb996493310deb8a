package main

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"sandbox/internal/cli"
	"sandbox/manifest"
	"sandbox/runtime"
)

func TestJudge(t *testing.T) {
	did := outcome{Made: true, Succeeded: true}
	failed := func(text string) outcome { return outcome{Made: true, Text: text} }
	for _, c := range []struct {
		name            string
		inside, outside outcome
		want            string
	}{
		{"stopped by the sandbox", failed("not there"), did, blocked},
		{"stopped by something else than outside", failed("read-only"), failed("denied"), blocked},
		{"stopped outside alike", failed("denied"), failed("denied"), unclear},
		{"not stopped", did, did, open},
		{"not stopped, and stopped outside", did, failed("denied"), open},
		{"no answer from inside", outcome{}, did, unclear},
		{"no answer from outside", failed("denied"), outcome{}, unclear},
		{"no answer at all", outcome{}, outcome{}, unclear},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := judge(c.inside, c.outside); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func TestSelfTestHolds(t *testing.T) {
	for _, c := range []struct {
		name string
		s    selfTest
		want bool
	}{
		{"all blocked", selfTest{Attacks: []result{{Verdict: blocked}, {Verdict: blocked}}}, true},
		{"some unclear", selfTest{Attacks: []result{{Verdict: blocked}, {Verdict: unclear}}}, true},
		{"one got through", selfTest{Attacks: []result{{Verdict: blocked}, {Verdict: open}}}, false},
		{"nothing proved", selfTest{Attacks: []result{{Verdict: unclear}}}, false},
		{"nothing tried", selfTest{}, false},
		{"broken off", selfTest{Error: "x", Attacks: []result{{Verdict: blocked}}}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := c.s.held(); got != c.want {
				t.Errorf("held = %v", got)
			}
		})
	}
}

func TestAttacksAreWellFormed(t *testing.T) {
	seen := map[string]bool{}
	for _, a := range attacks() {
		if seen[a.id] || !regexp.MustCompile(`^[a-z][a-z-]*$`).MatchString(a.id) || a.try == nil || len(a.title) > 33 {
			t.Errorf("%+v", a)
		}
		seen[a.id] = true
	}
	for e := syscall.Errno(1); e < 134; e++ {
		if text := brief(e); text == "" || len(text) > 17 {
			t.Errorf("%d: %q does not fit its column", e, text)
		}
	}
	if _, err := manifest.Parse("sandbox.toml", []byte(probeManifest)); err != nil {
		t.Errorf("the probe's manifest: %v", err)
	}
}

func TestReachedIsNotRefused(t *testing.T) {
	for _, e := range []error{unix.EPERM, unix.EACCES, unix.ENOSYS} {
		if reached(e) == nil {
			t.Errorf("%v counts as a success", e)
		}
	}
	for _, e := range []error{unix.EFAULT, unix.EINVAL, unix.Errno(0)} {
		if reached(e) != nil {
			t.Errorf("%v counts as a refusal", e)
		}
	}
}

func TestWrap(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"", ""},
		{"one", "one"},
		{"one two three", "one two|three"},
		{"a-word-longer-than-ten then", "a-word-longer-than-ten|then"},
		{"  spaces   vanish ", "spaces|vanish"},
		{"äöü äöü äöü", "äöü äöü|äöü"},
	} {
		if got := strings.Join(wrap(c.text, 10), "|"); got != c.want {
			t.Errorf("wrap(%q) = %q, want %q", c.text, got, c.want)
		}
	}
}

func TestReport(t *testing.T) {
	d := diagnosis{
		Host: hostRow{Distro: "Evil\x1b[2J Linux", Kernel: "6.1", Arch: "amd64", UID: 1000, Container: "docker"},
		Findings: []runtime.Finding{
			{ID: "a", Group: runtime.Isolation, Title: "user namespaces", State: runtime.Good, Text: "you may make them"},
			{ID: "b", Group: runtime.Isolation, Title: "mounts", State: runtime.Missing, Text: strings.Repeat("refused ", 20),
				Cost: strings.Repeat("no app ", 30), Fix: &runtime.Fix{Text: strings.Repeat("do this ", 20),
					Commands: []string{"docker run \\", "  --more"}, File: "/etc/x", Content: "line one\nline two\n"}},
			{ID: "c", Group: runtime.Limiting, Title: "limit:cpu", State: runtime.Degraded, Text: "none", Cost: "all",
				Fix: &runtime.Fix{Text: "the same"}},
			{ID: "d", Group: runtime.Limiting, Title: "limit:io", State: runtime.Degraded, Text: "none", Cost: "all",
				Fix: &runtime.Fix{Text: "the same"}},
		},
		SelfTest: &selfTest{Attacks: []result{
			{Title: "read a file in your home", Verdict: blocked, Inside: outcome{Made: true, Text: "not there"}, Outside: outcome{Made: true, Succeeded: true}},
			{Title: "load a BPF program", Verdict: unclear},
		}},
	}
	var b bytes.Buffer
	p := newPrinter(&b, false)
	p.findings(&d)
	p.attacks(d.SelfTest)
	p.end(&d)
	text := b.String()
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if utf8.RuneCountInString(line) > width {
			t.Errorf("%d columns: %s", utf8.RuneCountInString(line), line)
		}
		if strings.HasSuffix(line, " ") {
			t.Errorf("spaces at the end of %q", line)
		}
	}
	for _, want := range []string{
		`Evil\x1b[2J Linux, Linux 6.1, amd64, as uid 1000, in a docker container`,
		"\nIsolation\n  ok        user namespaces         you may make them\n  missing   mounts ",
		"              /etc/x:\n              | line one\n              | line two\n              $ docker run \\\n                --more\n",
		"     to lift: the same\n  degraded  limit:io ", "to lift: as for limit:cpu\n",
		"  blocked   read a file in your home          not there         succeeds\n",
		"  unclear   load a BPF program                no answer         no answer\n",
		"\nApps cannot run here: lift what is missing first.\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if strings.ContainsRune(text, '\x1b') {
		t.Errorf("an escape reached the terminal:\n%q", text)
	}
	b.Reset()
	p = newPrinter(&b, true)
	p.findings(&d)
	if !strings.Contains(b.String(), "\x1b[32mok\x1b[0m        user namespaces") {
		t.Errorf("no colour:\n%q", b.String())
	}
}

func TestReportEnds(t *testing.T) {
	good := []runtime.Finding{{State: runtime.Good}}
	for _, c := range []struct {
		name string
		d    diagnosis
		want string
	}{
		{"all is well", diagnosis{OK: true, Findings: good}, "Apps can run here.\n"},
		{"degraded", diagnosis{OK: true, Findings: []runtime.Finding{{State: runtime.Degraded}}}, "1 thing degraded"},
		{"missing", diagnosis{Findings: []runtime.Finding{{State: runtime.Missing}}}, "lift what is missing"},
		{"an attack got through", diagnosis{Findings: good, SelfTest: &selfTest{}}, "does not hold"},
		{"nothing started", diagnosis{Findings: good, SelfTest: &selfTest{Error: "x"}}, "could not start"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var b bytes.Buffer
			newPrinter(&b, false).end(&c.d)
			if !strings.Contains(b.String(), c.want) {
				t.Errorf("%q", b.String())
			}
		})
	}
}

func TestReportStopsAtAFullDisk(t *testing.T) {
	p := newPrinter(fullDisk{}, false)
	p.end(&diagnosis{OK: true})
	if !errors.Is(p.err, unix.ENOSPC) {
		t.Errorf("%v", p.err)
	}
}

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, fmt.Errorf("write: %w", unix.ENOSPC) }

func TestDoctorTakesNoArguments(t *testing.T) {
	_, err := sandbox("doctor", "x")
	if s, ok := errors.AsType[cli.Status](err); !ok || s.Code != cli.UsageError {
		t.Errorf("%v", err)
	}
}

func TestDoctorWithoutSelfTest(t *testing.T) {
	out, err := sandbox("doctor", "--no-self-test")
	if s, ok := errors.AsType[cli.Status](err); err != nil && (!ok || s.Code != cli.Failed) {
		t.Fatal(err)
	}
	if !strings.Contains(out, "\nIsolation\n") || strings.Contains(out, "Self-test") {
		t.Errorf("%s", out)
	}
	page, err := sandbox("help", "machine")
	if err != nil || !strings.Contains(page, "`user-namespaces`") {
		t.Errorf("%v: %s", err, page)
	}
}
