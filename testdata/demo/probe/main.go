// Command probe is the app of the demonstration: it tries things, some of which
// it was granted, and says what happened. It exits with 1 when something was
// possible that should not be, or the other way round.
package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

type attempt struct {
	what    string
	allowed bool
	try     func() error
}

func main() {
	switch {
	case len(os.Args) == 2 && os.Args[1] == "serve":
		serve()
	case len(os.Args) != 4:
		fmt.Fprintln(os.Stderr, "usage: probe GRANTED-DIR OTHER-FILE HOST-ADDRESS | probe serve")
		os.Exit(2)
	}
	granted, other, address := os.Args[1], os.Args[2], os.Args[3]
	surprises := 0
	for _, a := range attempts(granted, other, address) {
		err := a.try()
		answer := "done"
		if err != nil {
			answer = "refused: " + reason(err)
		}
		if (err == nil) != a.allowed {
			answer += "   <-- NOT AS IT SHOULD BE"
			surprises++
		}
		fmt.Printf("  %-46s %s\n", a.what, answer)
	}
	if surprises > 0 {
		os.Exit(1)
	}
}

func attempts(granted, other, address string) []attempt {
	return []attempt{
		{"read a file that was granted", true, func() error { return read(filepath.Join(granted, "notes.txt")) }},
		{"write a file that was granted", true, func() error { return write(filepath.Join(granted, "reply.txt")) }},
		{"keep something in a home of its own", true, func() error { return write(os.ExpandEnv("$HOME/.demo")) }},
		{"read a file next to the granted directory", false, func() error { return read(other) }},
		{"read the passwords of the host", false, func() error { return read("/etc/shadow") }},
		{"change its own program", false, func() error { return write("/app/bin/probe") }},
		{"see processes of the host", false, foreignProcesses},
		{"connect to a service on the host", false, func() error { return dial(address) }},
		{"connect to the internet", false, func() error { return dial("192.0.2.1:443") }},
		{"mount a file system", false, func() error { return syscall.Mount("none", "/tmp", "tmpfs", 0, "") }},
		{"become root in a namespace of its own", false, func() error { return syscall.Unshare(syscall.CLONE_NEWUSER) }},
		{"trace another process", false, func() error { return syscall.PtraceAttach(1) }},
	}
}

// serve is a service of the host, for the app to fail to reach.
func serve() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(l.Addr())
	for {
		if c, err := l.Accept(); err == nil {
			c.Close()
		}
	}
}

func read(path string) error {
	_, err := os.ReadFile(path)
	return err
}

func write(path string) error {
	return os.WriteFile(path, []byte("written from inside\n"), 0o644)
}

func dial(address string) error {
	c, err := net.DialTimeout("tcp", address, 2*time.Second)
	if err == nil {
		c.Close()
	}
	return err
}

// foreignProcesses fails when there is nothing to see but init and this one.
func foreignProcesses() error {
	processes, err := filepath.Glob("/proc/[0-9]*")
	if err == nil && len(processes) <= 3 {
		return fmt.Errorf("only %d processes exist here", len(processes))
	}
	return err
}

// reason is the system's own word, without the path it was about.
func reason(err error) string {
	if no, ok := errors.AsType[syscall.Errno](err); ok {
		return no.Error()
	}
	return strings.TrimSpace(err.Error())
}
