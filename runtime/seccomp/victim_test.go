package seccomp

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	goruntime "runtime"
	"strconv"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A filter cannot be taken off, so whatever runs under one runs in a child: the
// test binary again, with a task in its environment.
const victimEnv = "SANDBOX_SECCOMP_VICTIM"

func TestMain(m *testing.M) {
	if text := os.Getenv(victimEnv); text != "" {
		var v victim
		err := json.Unmarshal([]byte(text), &v)
		if err == nil {
			err = v.run()
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "victim:", err)
			os.Exit(125)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// victim is one task.
type victim struct {
	Filter   *Features   // nil: none, for the control
	Calls    [][7]uint64 // number and arguments: print the errno of each
	Exec     []string    // become this program
	Threads  bool        // make threads and a child, read, write, listen
	Getppids int         // print the nanoseconds these take
	Reads    int         // the same for reads of /dev/zero
}

func filtered(f Features) *Features { return &f }

// start prepares the child that carries out v.
func (v victim) start(t testing.TB) *exec.Cmd {
	t.Helper()
	if _, err := ABIs(goruntime.GOARCH, 0); err != nil {
		t.Skip(err)
	}
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), victimEnv+"="+string(text))
	cmd.Stderr = os.Stderr
	return cmd
}

func (v victim) run() error {
	if v.Filter != nil {
		if err := install(*v.Filter); err != nil {
			return err
		}
	}
	switch {
	case v.Exec != nil:
		os.Unsetenv(victimEnv)
		return syscall.Exec(v.Exec[0], v.Exec, os.Environ())
	case v.Threads:
		return work()
	case v.Getppids > 0:
		return v.clock(v.Getppids, func() { syscall.RawSyscall(syscall.SYS_GETPPID, 0, 0, 0) })
	case v.Reads > 0:
		fd, err := syscall.Open("/dev/zero", syscall.O_RDONLY, 0)
		if err != nil {
			return err
		}
		var b [1]byte
		return v.clock(v.Reads, func() {
			syscall.RawSyscall(syscall.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(&b)), 1)
		})
	}
	errnos := make([]int, len(v.Calls))
	for i, c := range v.Calls {
		_, _, errno := syscall.RawSyscall6(uintptr(c[0]), uintptr(c[1]), uintptr(c[2]),
			uintptr(c[3]), uintptr(c[4]), uintptr(c[5]), uintptr(c[6]))
		errnos[i] = int(errno)
	}
	return json.NewEncoder(os.Stdout).Encode(errnos)
}

// clock takes the best of many short rounds, which other load disturbs least.
func (v victim) clock(n int, call func()) error {
	const rounds = 50
	best := time.Duration(1 << 62)
	for range rounds {
		start := time.Now()
		for range n / rounds {
			call()
		}
		best = min(best, time.Since(start))
	}
	fmt.Println(strconv.FormatFloat(float64(best.Nanoseconds())/float64(n/rounds), 'f', 2, 64))
	return nil
}

// install puts the filter on every thread.
func install(f Features) error {
	program, err := Program(goruntime.GOARCH, f)
	if err != nil {
		return err
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	fprog := unix.SockFprog{
		Len:    uint16(len(program) / unix.SizeofSockFilter),
		Filter: (*unix.SockFilter)(unsafe.Pointer(&program[0])),
	}
	_, _, errno := syscall.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER,
		unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&fprog)))
	if errno != 0 {
		return fmt.Errorf("seccomp: %w", errno)
	}
	return nil
}

// errnos runs v.Calls in a child.
func (v victim) errnos(t testing.TB) []syscall.Errno {
	t.Helper()
	out, err := v.start(t).Output()
	if err != nil {
		t.Fatal(err)
	}
	var list []syscall.Errno
	if err := json.Unmarshal(out, &list); err != nil || len(list) != len(v.Calls) {
		t.Fatalf("victim printed %q: %v", out, err)
	}
	return list
}

// work does a little of what every program does.
func work() error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer listener.Close()
	answers := make(chan error, 8)
	for range cap(answers) {
		go func() {
			goruntime.LockOSThread() // and die with it, so that each makes a thread
			answers <- talk(listener)
		}()
	}
	for range cap(answers) {
		if err := <-answers; err != nil {
			return err
		}
	}
	return exec.Command("/bin/sh", "-c", "echo x | cat >/dev/null").Run()
}

// talk sends a line over a connection to listener.
func talk(listener net.Listener) error {
	out, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		return err
	}
	defer out.Close()
	in, err := listener.Accept()
	if err != nil {
		return err
	}
	defer in.Close()
	_, err = in.Write([]byte("x\n"))
	return err
}
