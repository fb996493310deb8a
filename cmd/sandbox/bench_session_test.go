package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"sandbox/internal/e2e"
	"sandbox/internal/testapps"
	"sandbox/internal/testenv"
	"sandbox/runtime"
)

// benchUser is whom root's benchmarks launch as.
const benchUser = "sandbox-bench"

const benchManifest = `id = "org.example.Bench"
name = "Bench"
version = "1"
runtime = "org.debian.Platform/12"
command = "true"
`

// benchSession is an ordinary user's session with a bundle on a runtime. The
// benchmark itself may be root's, which lets it read what memory others use.
type benchSession struct {
	b        *testing.B
	owner    *syscall.Credential // nil: the caller's own
	root     string
	env      []string
	program  string
	bundle   string
	platform string
	plan     *runtime.Plan // of `true`
	launches int           // commands made so far
}

func newBenchSession(b *testing.B) *benchSession {
	testenv.NeedUserNS(b)
	s := &benchSession{b: b, root: testenv.ShortDir(b)}
	name := os.Getenv("USER")
	if os.Geteuid() == 0 {
		u, err := user.Lookup(benchUser)
		if err != nil {
			testenv.Skip(b, "needs the user %q, whom `make bench` makes", benchUser)
		}
		uid, _ := strconv.Atoi(u.Uid)
		gid, _ := strconv.Atoi(u.Gid)
		s.owner, name = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, benchUser
	}
	s.env = []string{"HOME=" + s.dir("home"), "XDG_RUNTIME_DIR=" + s.dir("run"), "USER=" + name,
		"PATH=/usr/local/bin:/usr/bin:/bin", "LANG=C.UTF-8", "TERM=xterm-256color"}
	s.must(os.Chmod(s.root, 0o755))
	s.program = e2e.Program(b, "sandbox")
	_, s.platform = testapps.Bundle(b, "org.gnu.Bash")
	s.bundle = e2e.Bundle(b, benchManifest, map[string]string{"files/bin/load": s.loader()})
	text, err := s.sandbox("true", "--dry-run", "--json").Output()
	s.must(err)
	s.must(json.Unmarshal(text, &s.plan))
	// What a side leaves behind comes to us and is waited for before the other's turn.
	s.must(unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0))
	s.must(s.sandbox("true").Run())
	return s
}

func (s *benchSession) must(err error) {
	s.b.Helper()
	if exit, ok := err.(*exec.ExitError); ok {
		s.b.Fatalf("%v: %s", err, exit.Stderr)
	}
	if err != nil {
		s.b.Fatal(err)
	}
}

// dir makes a directory of the session's user.
func (s *benchSession) dir(name string) string {
	path := filepath.Join(s.root, name)
	s.must(os.MkdirAll(path, 0o700))
	s.give(path)
	return path
}

func (s *benchSession) give(path string) {
	if s.owner != nil {
		s.must(os.Chown(path, int(s.owner.Uid), int(s.owner.Gid)))
	}
}

// file makes a file that the session's user can read.
func (s *benchSession) file(path string, data []byte) string {
	s.must(os.WriteFile(path, data, 0o644))
	s.give(path)
	return path
}

func (s *benchSession) loader() string {
	out := filepath.Join(s.root, "load")
	c := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", out, "./testdata/load")
	c.Env = append(os.Environ(), "CGO_ENABLED=0")
	if said, err := c.CombinedOutput(); err != nil {
		s.b.Fatalf("cannot build the load: %v\n%s", err, said)
	}
	return out
}

// command is any command of the session's user.
func (s *benchSession) command(args ...string) *exec.Cmd {
	c := exec.Command(args[0], args[1:]...)
	c.Env, c.Dir = s.env, "/"
	c.SysProcAttr = &syscall.SysProcAttr{Credential: s.owner}
	return c
}

// sandbox is `sandbox run` of a program in the bundle. words are its arguments
// but for those that begin with two dashes, which are flags.
func (s *benchSession) sandbox(program string, words ...string) *exec.Cmd {
	args := []string{s.program, "run", "--runtime", s.platform, "--command", program}
	var rest []string
	for _, w := range words {
		if strings.HasPrefix(w, "--") {
			args = append(args, w)
		} else {
			rest = append(rest, w)
		}
	}
	return s.command(append(append(args, s.bundle), rest...)...)
}

// appHome is where the app's own home lies on the host.
func (s *benchSession) appHome() string {
	for _, step := range s.plan.View {
		if step.Why == "the app's own home" {
			return step.Source
		}
	}
	s.b.Fatal("the plan has no home")
	return ""
}
