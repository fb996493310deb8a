package e2e

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"sandbox/internal/testenv"
)

// patience bounds a command that does not say otherwise.
const patience = 30 * time.Second

// Home is a test's own user session: a home, a runtime directory and nothing
// of the caller's environment.
type Home struct {
	Root    string // holds everything below; 0711, so that root's apps can be granted parts
	Dir     string // $HOME
	Runtime string // $XDG_RUNTIME_DIR
	Env     []string
	t       testing.TB
	as      *syscall.SysProcAttr // who it is, when not the caller
}

// Result is how a command ended and what it wrote.
type Result struct {
	Stdout, Stderr string
	Code           int // exit status; 128+n after signal n; -1 when it did not end in time
}

// Cmd is a command to be run in a home, with more than its arguments.
type Cmd struct {
	Args    []string
	Stdin   *os.File // nil: /dev/null
	Stdout  *os.File // nil: collected
	Stderr  *os.File // nil: collected
	Dir     string   // working directory; the home when empty
	Env     []string // on top of the home's
	Files   []*os.File
	Program string // sandbox when empty
	Timeout time.Duration
}

// NewHome makes a session, and fails the test at its end when something is
// left of what ran in it. It skips where no sandbox can run at all.
func NewHome(t testing.TB) *Home {
	t.Helper()
	testenv.NeedUserNS(t)
	root, err := os.MkdirTemp("", "sb-")
	if err != nil {
		t.Fatal(err)
	}
	if root, err = filepath.EvalSymlinks(root); err != nil {
		t.Fatal(err)
	}
	h := &Home{Root: root, Dir: filepath.Join(root, "home"), Runtime: filepath.Join(root, "run"), t: t}
	if err := os.Chmod(root, 0o711); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{h.Dir, h.Runtime} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	h.Env = []string{"HOME=" + h.Dir, "XDG_RUNTIME_DIR=" + h.Runtime, "USER=probe", "LOGNAME=probe",
		"PATH=/usr/local/bin:/usr/bin:/bin", "LANG=C.UTF-8", "TERM=xterm-256color"}
	t.Cleanup(func() {
		h.checkLeftovers()
		os.RemoveAll(root)
	})
	return h
}

// Run runs `sandbox ARGS…` to its end.
func (h *Home) Run(args ...string) Result {
	h.t.Helper()
	return h.Do(Cmd{Args: args})
}

// Do runs a command to its end. Everything that still holds its output then
// counts as left behind, and fails the test.
func (h *Home) Do(c Cmd) Result {
	h.t.Helper()
	p := h.Begin(c)
	return p.Wait()
}

// Process is a running command.
type Process struct {
	*exec.Cmd
	home           *Home
	stdout, stderr lockedBuffer
	ctx            context.Context
	cancel         context.CancelFunc
}

// Start starts `sandbox ARGS…` in the background.
func (h *Home) Start(args ...string) *Process {
	h.t.Helper()
	return h.Begin(Cmd{Args: args})
}

// Begin starts a command in the background; it is killed at the end of the
// test, with a complaint to come if anything survives that.
func (h *Home) Begin(c Cmd) *Process {
	h.t.Helper()
	if c.Timeout == 0 {
		c.Timeout = patience
	}
	program := h.program(c) // built first: that takes its time, which is not the command's
	ctx, cancel := context.WithTimeout(context.Background(), testenv.Patience(c.Timeout))
	p := &Process{home: h, ctx: ctx, cancel: cancel}
	p.Cmd = exec.CommandContext(ctx, program, c.Args...)
	p.WaitDelay = testenv.Patience(3 * time.Second)
	h.prepare(p.Cmd, c)
	if c.Stdout == nil {
		p.Stdout = &p.stdout
	}
	if c.Stderr == nil {
		p.Stderr = &p.stderr
	}
	if err := p.Cmd.Start(); err != nil {
		cancel()
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() {
		if p.ProcessState == nil {
			p.Process.Kill()
			p.Cmd.Wait()
		}
		cancel()
	})
	return p
}

func (h *Home) program(c Cmd) string {
	if c.Program != "" {
		return c.Program
	}
	return Program(h.t, "sandbox")
}

func (h *Home) prepare(cmd *exec.Cmd, c Cmd) {
	cmd.Env = append(append([]string{}, h.Env...), c.Env...)
	cmd.Dir = c.Dir
	if cmd.Dir == "" {
		cmd.Dir = h.Dir
	}
	cmd.ExtraFiles = c.Files
	attr := syscall.SysProcAttr{}
	if h.as != nil {
		attr = *h.as
	}
	attr.Setsid = true // without the terminal that the tests were started from, which can be asked
	cmd.SysProcAttr = &attr
	if c.Stdin != nil {
		cmd.Stdin = c.Stdin
	}
	if c.Stdout != nil {
		cmd.Stdout = c.Stdout
	}
	if c.Stderr != nil {
		cmd.Stderr = c.Stderr
	}
}

// Wait waits for the end.
func (p *Process) Wait() Result {
	p.home.t.Helper()
	err := p.Cmd.Wait()
	r := Result{Stdout: p.stdout.String(), Stderr: p.stderr.String(), Code: -1}
	switch {
	case p.ctx.Err() != nil:
		p.home.t.Errorf("%q did not end in time\nstdout: %s\nstderr: %s", p.Args, r.Stdout, r.Stderr)
		return r
	case errors.Is(err, exec.ErrWaitDelay):
		p.home.t.Errorf("a process outlived %q: its output is still open", p.Args)
	}
	if ws, ok := p.ProcessState.Sys().(syscall.WaitStatus); ok {
		r.Code = ws.ExitStatus()
		if ws.Signaled() {
			r.Code = 128 + int(ws.Signal())
		}
	}
	return r
}

// Output is what the command has written to standard output so far.
func (p *Process) Output() string { return p.stdout.String() }

// Expect waits until standard output holds text.
func (p *Process) Expect(text string, timeout time.Duration) {
	p.home.t.Helper()
	if !Within(timeout, func() bool { return strings.Contains(p.Output(), text) }) {
		p.home.t.Fatalf("%q has not written %q but %q\nstderr: %s", p.Args, text, p.Output(), p.stderr.String())
	}
}

// Within asks again and again until the answer is yes or the time is over,
// which is more where the machine is emulated.
func Within(timeout time.Duration, ok func() bool) bool {
	for end := time.Now().Add(testenv.Patience(timeout)); ; time.Sleep(5 * time.Millisecond) {
		if ok() {
			return true
		}
		if time.Now().After(end) {
			return false
		}
	}
}

// ID is the id of the app in a bundle that ProbeBundle made.
func freshID() string { return "org.example.P" + strings.ToLower(rand.Text()[:8]) }

// Write makes a file in the home, with its parents, and returns its path.
func (h *Home) Write(name, content string) string {
	h.t.Helper()
	path := filepath.Join(h.Dir, name)
	makeParents(h.t, path)
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		h.t.Fatal(err)
	}
	h.own(path)
	return path
}

// Mkdir makes a directory in the home and returns its path.
func (h *Home) Mkdir(name string) string {
	h.t.Helper()
	path := filepath.Join(h.Dir, name)
	if err := os.MkdirAll(path, 0o755); err != nil {
		h.t.Fatal(err)
	}
	h.own(path)
	return path
}

// Read is the content of a file of the host, "" when there is none.
func Read(path string) string {
	data, _ := os.ReadFile(path)
	return string(data)
}

// State is the directory that the project keeps about an app's bundle.
func (h *Home) State(bundle string) string {
	return filepath.Join(h.Dir, ".local/share/sandbox/app", ID(h.t, bundle))
}

// ID is the id in a bundle's manifest.
func ID(t testing.TB, bundle string) string {
	t.Helper()
	_, rest, _ := strings.Cut(Read(filepath.Join(bundle, "sandbox.toml")), "id = \"")
	id, _, ok := strings.Cut(rest, "\"")
	if !ok {
		t.Fatalf("no id in the manifest of %s", bundle)
	}
	return id
}

var _ io.Writer = (*lockedBuffer)(nil)

// maxOutput bounds what is kept of a command that never stops talking.
const maxOutput = 1 << 20

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.buf.Len() < maxOutput {
		b.buf.Write(p)
	}
	return len(p), nil
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return string(bytes.Clone(b.buf.Bytes()))
}
