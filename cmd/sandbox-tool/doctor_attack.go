package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// attack is one thing that an app must not be able to do. A nil error of try
// means that it was done.
type attack struct {
	id    string
	title string
	try   func(*target) error
}

func attacks() []attack {
	return []attack{
		{"read-home", "read a file in your home", func(t *target) error {
			data, err := os.ReadFile(t.Canary)
			return t.recognise(data, err)
		}},
		{"inherited-fd", "use a descriptor left open", inherited},
		{"environment", "read your environment", func(t *target) error {
			return t.recognise([]byte(os.Getenv(secretVariable)), nil)
		}},
		{"write-usr", "write to /usr", func(*target) error { return nameless("/usr") }},
		{"write-app", "change its own program", func(*target) error { return beside("/proc/self/exe") }},
		{"write-sysctl", "change a kernel setting", func(*target) error { return openWrite("/proc/sys/kernel/core_pattern") }},
		{"see-processes", "look at a process of yours", func(t *target) error {
			data, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", t.Victim))
			return t.recognise(data, err)
		}},
		{"kill", "end a process of yours", func(t *target) error { return killed(t) }},
		{"tcp", "reach a service on 127.0.0.1", func(t *target) error { return t.ask("tcp", t.TCP) }},
		{"abstract-socket", "reach an abstract socket", func(t *target) error { return t.ask("unix", t.Abstract) }},
		{"typing", "type into a terminal (TIOCSTI)", func(*target) error { return typing() }},
		{"user-namespace", "make a user namespace", func(*target) error { return step(ownNamespaces(0), nil, stepExit) }},
		{"mount", "mount a file system", func(*target) error { return mounted() }},
		{"trace", "trace a process (ptrace)", func(*target) error { return trace() }},
		{"keys", "read the kernel's key rings", func(*target) error {
			_, err := unix.KeyctlGetKeyringID(unix.KEY_SPEC_USER_KEYRING, true)
			return err
		}},
		{"bpf", "load a BPF program", func(*target) error {
			_, _, errno := unix.Syscall(unix.SYS_BPF, unix.BPF_PROG_LOAD, 0, 0)
			return reached(errno)
		}},
		{"io-uring", "use io_uring", func(*target) error {
			_, _, errno := unix.Syscall(unix.SYS_IO_URING_SETUP, 1, 0, 0)
			return reached(errno)
		}},
		{"capabilities", "hold or regain a capability", func(*target) error { return capable() }},
		{"no-new-privs", "gain rights by executing", func(*target) error { return gaining() }},
		{"setuid", "find a place for setuid files", func(*target) error { return setuidMounts() }},
	}
}

// recognise demands the secret: something else at the same place is no success.
func (t *target) recognise(data []byte, err error) error {
	if err == nil && !bytes.Contains(data, []byte(t.Secret)) {
		return refusal("not there")
	}
	return err
}

func (t *target) ask(network, address string) error {
	c, err := net.DialTimeout(network, address, 2*time.Second)
	if err != nil {
		return err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(2 * time.Second))
	data, err := io.ReadAll(c)
	return t.recognise(data, err)
}

// inherited walks from descriptor 3, which the caller left open on the home.
func inherited(t *target) error {
	fd, err := unix.Openat(3, filepath.Base(t.Canary), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err == unix.ENOTDIR { // one of this program's own
		return unix.EBADF
	}
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	buf := make([]byte, 256)
	n, err := unix.Read(fd, buf)
	return t.recognise(buf[:max(n, 0)], err)
}

// nameless makes a file without a name, which is gone when it is closed.
func nameless(dir string) error {
	fd, err := unix.Open(dir, unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC, 0o600)
	if err == nil {
		unix.Close(fd)
	}
	return err
}

func beside(link string) error {
	program, err := os.Readlink(link)
	if err != nil {
		return err
	}
	return nameless(filepath.Dir(program))
}

// openWrite opens only: nothing is written.
func openWrite(file string) error {
	fd, err := unix.Open(file, unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err == nil {
		unix.Close(fd)
	}
	return err
}

// killed sends the signal. Whether it hit is seen by the one who holds the
// victim: the same number may be another process here.
func killed(t *target) error {
	if err := unix.Kill(t.Victim, unix.SIGKILL); err != nil {
		return err
	}
	return refusal("hit another")
}

func mounted() error {
	if err := unix.Mount("none", "/tmp", "tmpfs", 0, ""); err == nil {
		unix.Unmount("/tmp", unix.MNT_DETACH)
		return nil
	}
	return step(ownNamespaces(unix.CLONE_NEWNS), nil, stepMount)
}

// capable looks for a capability in any of the five sets of any task.
func capable() error {
	for _, set := range []string{"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"} {
		values, err := status(set)
		if err != nil {
			return err
		}
		for _, v := range values {
			if strings.Trim(v, "0") != "" {
				return nil
			}
		}
	}
	return refusal("none in any set")
}

func gaining() error {
	values, err := status("NoNewPrivs")
	if err != nil {
		return err
	}
	for _, v := range values {
		if v != "1" {
			return nil
		}
	}
	return refusal("forbidden")
}

// setuidMounts looks for a mount on which the setuid bit would count.
func setuidMounts() error {
	text, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) > 5 && !strings.Contains(","+fields[5]+",", ",nosuid,") {
			return nil
		}
	}
	return refusal("all nosuid")
}
