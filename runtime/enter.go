package runtime

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"sandbox/internal/hint"
	"sandbox/runtime/cgroup"
)

// namespaceFiles are the namespaces of an instance as /proc names them, in the
// order in which they are entered: the user namespace first, for it gives the
// right to enter the others.
var namespaceFiles = []struct {
	name string
	flag int
}{
	{"user", unix.CLONE_NEWUSER},
	{"mnt", unix.CLONE_NEWNS},
	{"pid", unix.CLONE_NEWPID},
	{"net", unix.CLONE_NEWNET},
	{"ipc", unix.CLONE_NEWIPC},
	{"uts", unix.CLONE_NEWUTS},
}

// openNamespaces keeps the namespaces of a child that is still waiting at its
// gate. Later they could not be opened: init is not dumpable then, and what the
// app shows under /proc is the app's word (CVE-2015-1334, CVE-2022-31214).
func openNamespaces(pid int) ([]int, error) {
	var fds []int
	for _, ns := range namespaceFiles {
		fd, err := unix.Open("/proc/"+strconv.Itoa(pid)+"/ns/"+ns.name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			for _, fd := range fds {
				unix.Close(fd)
			}
			return nil, fmt.Errorf("cannot keep the %s namespace: %w", ns.name, err)
		}
		fds = append(fds, fd)
	}
	return fds, nil
}

// EnterOptions are one more command in a running instance.
type EnterOptions struct {
	Argv  []string // the command and its arguments; empty: a shell
	Env   []string // NAME=VALUE, on top of the app's
	Dir   string
	Std   [3]int
	NoPty bool
	Warn  func(string)
}

// Enter runs a command in the instance, confined as the app is: the same
// namespaces, filter, scopes, control group, and no capability. The result is
// as Run's.
func (e *Entry) Enter(host *Host, opt EnterOptions) (int, error) {
	if e.Paused() { // the command would stand still in the same group
		return 0, hint.With(fmt.Errorf("cannot enter %s: it is paused", e.Instance), "let it go on first: sandbox resume %s", e.Instance)
	}
	r, fds, err := e.command(orderEnter)
	defer func() {
		for _, fd := range fds {
			unix.Close(fd)
		}
	}()
	if err != nil {
		return 0, err
	}
	if r.Enter == nil || len(fds) != len(namespaceFiles) {
		return 0, errors.New("cannot enter: the supervisor sent no namespaces")
	}
	plan := enterPlan(r.Enter, opt)
	s := &supervisor{opt: Options{Plan: plan, Host: host, Std: opt.Std, NoPty: opt.NoPty, Warn: opt.Warn, Limits: cgroup.Unlimited()}, plan: plan, join: fds,
		events: make(chan event, 8), signals: make(chan os.Signal, 16)}
	unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
	defer reapOrphans()
	defer s.close()
	if s.std, err = inspect(opt.Std); err != nil {
		return 0, err
	}
	// Without a group there is nothing to join: the limits are then resource
	// limits, which the plan carries.
	if s.group, err = cgroup.Open(e.Group); err != nil {
		return 0, fmt.Errorf("cannot enter %s: %w", e.Instance, err)
	}
	s.keepGroup = true
	if err := s.launch(); err != nil {
		return 0, err
	}
	return s.supervise()
}

// reapOrphans waits for a command whose parent, sandbox-enter, was killed before
// it had waited. A namespace ends only when all of its processes were waited for,
// and the first process of a container often waits for none.
func reapOrphans() {
	for range 200 {
		pid, err := unix.Wait4(-1, nil, unix.WNOHANG|unix.WALL, nil)
		switch {
		case err != nil && err != unix.EINTR:
			return // ECHILD: there are none
		case pid <= 0:
			time.Sleep(5 * time.Millisecond)
		}
	}
}

// enterPlan is the instance's plan with another program.
func enterPlan(p *Plan, opt EnterOptions) *Plan {
	plan := *p
	plan.View, plan.Make = nil, nil
	plan.Argv = opt.Argv
	if len(plan.Argv) == 0 {
		plan.Argv = []string{"sh"}
		plan.Search = []string{"/usr/bin/bash", "/usr/bin/sh", "/app/bin/sh"}
	} else {
		plan.Search = searchPath(plan.Argv[0])
	}
	plan.Env = mergeEnv(p.Env, opt.Env)
	if opt.Dir != "" {
		plan.Dirs = []string{opt.Dir}
	}
	return &plan
}

// mergeEnv puts later settings over earlier ones.
func mergeEnv(base, over []string) []string {
	e := newEnvironment()
	for _, list := range [][]string{base, over} {
		for _, kv := range list {
			for i := range kv {
				if kv[i] == '=' {
					e.set(kv[:i], kv[i+1:])
					break
				}
			}
		}
	}
	return e.list()
}

// compileEnter is compile for a process that joins instead of making.
func compileEnter(p *Plan, w wiring, namespaces []int) (*builder, error) {
	c, err := newCompiler(p, w, "sandbox-enter")
	if err != nil {
		return nil, err
	}
	c.joins = true
	for i, ns := range namespaceFiles {
		c.name("enter the " + ns.name + " namespace")
		c.call(unix.SYS_SETNS, namespaces[i], ns.flag)
	}
	c.become()
	c.name("enter the working directory")
	c.chdir()
	c.session()
	c.drop()
	c.app()
	return c.builder, nil
}
