package main

import (
	"os"
	"os/exec"
	"path/filepath"
	goruntime "runtime"
	"strconv"
	"strings"

	"sandbox/internal/testenv"
	"sandbox/runtime"
	"sandbox/runtime/seccomp"
)

// bwrapLine is the command line by which bubblewrap (0.8) makes the view of a
// plan: the same mounts in the same order, and our own filter. What it cannot
// do is left out, which is in its favour: limits on the number of files and
// noexec of file systems in memory, Landlock scopes, resource limits, clearing
// the signal state, the registry and the control socket. Its /dev comes as one
// option and holds the mounts that ours holds. It reads generated files from
// descriptors, which are opened before its time runs.
type bwrapLine struct {
	args  []string
	files []string // by descriptor, from 3 on
}

func (s *benchSession) newBwrapLine() *bwrapLine {
	w := &bwrapLine{args: []string{testenv.NeedCommand(s.b, "bwrap"),
		"--unshare-all", "--unshare-user", "--disable-userns", "--die-with-parent", "--new-session", "--cap-drop", "ALL",
		"--hostname", s.plan.Hostname, "--clearenv"}}
	if s.plan.ShareNet {
		s.b.Fatal("the plan shares the network")
	}
	for _, e := range s.plan.Env {
		name, value, _ := strings.Cut(e, "=")
		w.add("--setenv", name, value)
	}
	empty := s.dir("empty")
	for i := range s.plan.View {
		w.step(s, &s.plan.View[i], empty)
	}
	w.add("--remount-ro", "/")
	filter, err := seccomp.Program(goruntime.GOARCH, seccomp.Of(s.plan.Features...))
	s.must(err)
	w.add("--seccomp", w.data(s, filter), "--chdir", s.plan.Dirs[0], "--")
	return w
}

func (w *bwrapLine) add(args ...string) { w.args = append(w.args, args...) }

// data is the number of a descriptor that holds it.
func (w *bwrapLine) data(s *benchSession, data []byte) string {
	w.files = append(w.files, s.file(filepath.Join(s.root, "data-"+strconv.Itoa(len(w.files))), data))
	return strconv.Itoa(2 + len(w.files))
}

func (w *bwrapLine) step(s *benchSession, v *runtime.Step, empty string) {
	_, missing := os.Lstat(v.Target)
	inProc := strings.HasPrefix(v.Target, "/proc/") // the host's has the same names
	switch {
	case inProc && missing != nil:
	case strings.HasPrefix(v.Target, "/dev/") && v.Target != "/dev/shm": // by --dev
	case v.Do == runtime.Tmpfs && v.Target == "/dev":
		w.add("--dev", "/dev")
	case v.Do == runtime.Tmpfs:
		w.add("--perms", octal(v.Mode), "--size", strconv.FormatInt(v.Size, 10), "--tmpfs", v.Target)
	case v.Do == runtime.Dir && v.Mode != 0:
		w.add("--perms", octal(v.Mode), "--dir", v.Target)
	case v.Do == runtime.Dir:
		w.add("--dir", v.Target)
	case v.Do == runtime.File:
		w.add("--perms", octal(v.Mode), "--file", w.data(s, v.Data), v.Target)
	case v.Do == runtime.Symlink:
		w.add("--symlink", v.Source, v.Target)
	case v.Do == runtime.Bind && v.ReadOnly:
		w.add("--ro-bind", v.Source, v.Target)
	case v.Do == runtime.Bind:
		w.add("--bind", v.Source, v.Target)
	case v.Do == runtime.Proc:
		w.add("--proc", v.Target)
	case v.Do == runtime.Self:
		w.add("--ro-bind", v.Target, v.Target)
	case v.Do == runtime.Mask && v.IsFile:
		w.add("--ro-bind", "/dev/null", v.Target)
	case v.Do == runtime.Mask:
		w.add("--ro-bind", empty, v.Target)
	case v.Do == runtime.Freeze:
		w.add("--remount-ro", v.Target)
	default:
		s.b.Fatalf("bwrap has nothing for %s", v)
	}
}

func octal(mode uint32) string { return "0" + strconv.FormatUint(uint64(mode), 8) }

// bwrap runs a program in the same view.
func (s *benchSession) bwrap(w *bwrapLine, program ...string) *exec.Cmd {
	c := s.command(append(append([]string{}, w.args...), program...)...)
	for _, name := range w.files {
		f, err := os.Open(name)
		s.must(err)
		c.ExtraFiles = append(c.ExtraFiles, f)
	}
	return c
}
