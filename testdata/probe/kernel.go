package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

func init() {
	register(map[string]operation{
		"sys": func(a []string) (string, error) { return call(0, a) },
		"x32": func(a []string) (string, error) { return call(0x40000000, a) },
		"int80": func([]string) (string, error) {
			return fmt.Sprint(getpid80()), nil
		},
		// In a process of its own: what is asked may end it.
		"apart": apart,
		"tiocsti": func(a []string) (string, error) {
			c := []byte("x")
			_, _, e := unix.Syscall(unix.SYS_IOCTL, uintptr(number(a[0])), uintptr(number(a[1])), uintptr(unsafe.Pointer(&c[0])))
			return "", errOf(e)
		},
		"threads": func([]string) (string, error) {
			done := make(chan int)
			for range 50 {
				go func() { unix.Getpid(); done <- unix.Gettid() }()
			}
			for range 50 {
				<-done
			}
			return "", nil
		},
	})
}

func errOf(e syscall.Errno) error {
	if e == 0 {
		return nil
	}
	return e
}

// call makes any system call; the words are its number and arguments, "buf" is
// the address of some zeroed memory.
func call(bit int, a []string) (string, error) {
	var arg [7]uintptr
	buf := make([]byte, 8192)
	for i, w := range a {
		if w == "buf" {
			arg[i] = uintptr(unsafe.Pointer(&buf[0]))
			continue
		}
		arg[i] = uintptr(number(w))
	}
	r, _, e := syscall.RawSyscall6(arg[0]|uintptr(bit), arg[1], arg[2], arg[3], arg[4], arg[5], arg[6])
	return fmt.Sprint(int(r)), errOf(e)
}

func apart(a []string) (string, error) {
	var out bytes.Buffer
	c := exec.Command("/proc/self/exe", strings.Join(a, " "))
	c.Stdout = &out
	c.Stderr = os.Stderr
	err := c.Run()
	if c.ProcessState == nil {
		return "", fmt.Errorf("cannot start: %w", err)
	}
	if ws, ok := c.ProcessState.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		return "killed by " + unix.SignalName(ws.Signal()), nil
	}
	if err != nil {
		return "", err
	}
	_, got, _ := strings.Cut(out.String(), " = ")
	return strings.TrimSpace(got), nil
}
