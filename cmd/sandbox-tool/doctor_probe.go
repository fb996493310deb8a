package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	goruntime "runtime"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// target is what a probe attacks. It travels as JSON in an argument.
type target struct {
	Secret   string // what the user's things hold
	Canary   string // a file in the user's home
	TCP      string // a service of the host's
	Abstract string // another, on an abstract socket
	Victim   int    // a process of the host's
}

// Steps are attacks, or parts of some, that need a process of their own.
const (
	stepSleep  = "sleep"  // wait for the end of standard input
	stepExit   = "exit"   // nothing more: that it runs is the success
	stepMount  = "mount"  // mount a file system, as root of a new namespace
	stepTyping = "typing" // put input into the terminal at standard input
)

// runProbe makes every attack on the target in the argument, or one step, and
// prints a JSON object of outcomes. It runs in the sandbox and outside, and
// harms nothing but what was set up for it.
func runProbe(args []string, w io.Writer) error {
	if len(args) == 0 {
		return errors.New("internal error: a probe without a target")
	}
	switch args[0] {
	case stepSleep:
		_, err := io.Copy(io.Discard, os.Stdin)
		return err
	case stepExit:
		return nil
	case stepMount:
		return exitErrno(unix.Mount("none", "/tmp", "tmpfs", 0, ""))
	case stepTyping:
		return exitErrno(unix.IoctlSetPointerInt(0, unix.TIOCSTI, 'x'))
	}
	var t target
	if err := json.Unmarshal([]byte(args[0]), &t); err != nil {
		return fmt.Errorf("internal error: %w", err)
	}
	found := map[string]outcome{}
	for _, a := range attacks() {
		found[a.id] = made(a.try(&t))
	}
	return json.NewEncoder(w).Encode(found)
}

// exitErrno tells the errno by the exit status: Linux has none above 133.
func exitErrno(err error) error {
	var errno unix.Errno
	if errors.As(err, &errno) {
		os.Exit(int(errno) + exitBase)
	}
	return err
}

const exitBase = 100

// step runs a step of this program in a process of its own.
func step(attr *syscall.SysProcAttr, stdin *os.File, name string) error {
	c := exec.Command("/proc/self/exe", "doctor", probeWord, name)
	c.SysProcAttr = attr
	if stdin != nil {
		c.Stdin = stdin
	}
	err := c.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && exit.ExitCode() > exitBase {
		return unix.Errno(exit.ExitCode() - exitBase)
	}
	return err
}

func made(err error) outcome {
	o := outcome{Made: true, Succeeded: err == nil}
	if err != nil {
		o.Text = brief(err)
	}
	return o
}

// refusal is a failure that is no errno's.
type refusal string

func (r refusal) Error() string { return string(r) }

// brief is an error in at most 17 columns.
func brief(err error) string {
	var r refusal
	if errors.As(err, &r) {
		return string(r)
	}
	var errno unix.Errno
	if !errors.As(err, &errno) {
		return "failed"
	}
	switch errno {
	case unix.EPERM:
		return "not permitted"
	case unix.EACCES:
		return "denied"
	case unix.ENOENT:
		return "not there"
	case unix.EROFS:
		return "read-only"
	case unix.ENOSYS:
		return "no such call"
	case unix.ECONNREFUSED:
		return "nobody listens"
	case unix.ESRCH:
		return "no such process"
	case unix.EBADF:
		return "not open"
	case unix.ENOSPC:
		return "none allowed"
	case unix.EIO:
		return "switched off"
	}
	return cmp.Or(unix.ErrnoName(errno), fmt.Sprintf("error %d", int(errno)))
}

// reached turns a nonsensical call's errno into the success of an attack: only
// a refusal keeps the caller away from the code behind the call.
func reached(errno error) error {
	switch errno {
	case unix.EPERM, unix.EACCES, unix.ENOSYS:
		return errno
	}
	return nil
}

// ownNamespaces are those of a process that is root in a user namespace of its own.
func ownNamespaces(flags uintptr) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | flags,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}},
	}
}

// typing opens a terminal of its own, as a stand-in for the user's, and types
// into it.
func typing() error {
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		return err
	}
	defer master.Close()
	fd := int(master.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		return err
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		return err
	}
	terminal, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		return err
	}
	defer terminal.Close()
	return step(&syscall.SysProcAttr{Setsid: true, Setctty: true, Ctty: 0}, terminal, stepTyping)
}

// trace attaches to a child, which every debugger may.
func trace() error {
	goruntime.LockOSThread() // the kernel ties tracing to the thread
	defer goruntime.UnlockOSThread()
	c := exec.Command("/proc/self/exe", "doctor", probeWord, stepSleep)
	if _, err := c.StdinPipe(); err != nil {
		return err
	}
	if err := c.Start(); err != nil {
		return err
	}
	err := unix.PtraceAttach(c.Process.Pid)
	if err == nil {
		var ws unix.WaitStatus
		unix.Wait4(c.Process.Pid, &ws, unix.WALL, nil)
		unix.PtraceDetach(c.Process.Pid)
	}
	// Where another signal came first (Go's own SIGURG), the one of the attaching
	// is still to come and stops the child: only this ends it then.
	c.Process.Kill()
	c.Wait()
	return err
}

// status are the values of a field in the status of every task of this process.
func status(name string) ([]string, error) {
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return nil, err
	}
	var values []string
	for _, t := range tasks {
		text, err := os.ReadFile("/proc/self/task/" + t.Name() + "/status")
		if err != nil {
			continue // it has ended
		}
		for line := range strings.Lines(string(text)) {
			if value, ok := strings.CutPrefix(line, name+":"); ok {
				values = append(values, strings.TrimSpace(value))
			}
		}
	}
	return values, nil
}
