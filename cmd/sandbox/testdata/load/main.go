// Command load does one kind of work and prints the nanoseconds it took and
// those of processor time, its own and its children's. Benchmarks run it inside
// and outside.
package main

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

func main() {
	if len(os.Args) < 3 {
		fail("usage: load calls COUNT | spawn COUNT PROGRAM | read TIMES FILE")
	}
	count, err := strconv.Atoi(os.Args[2])
	if err != nil {
		fail(err)
	}
	work := map[string]func(int) error{"calls": calls, "spawn": spawn, "read": read}[os.Args[1]]
	if work == nil {
		fail("unknown work")
	}
	if os.Getenv("LOAD_FILTER") != "" {
		if err := filter(); err != nil {
			fail(err)
		}
	}
	start, used := time.Now(), processor()
	if err := work(count); err != nil {
		fail(err)
	}
	fmt.Println(time.Since(start).Nanoseconds(), processor()-used)
}

func fail(why any) {
	fmt.Fprintln(os.Stderr, "load:", why)
	os.Exit(1)
}

// filter has every thread's system calls allowed by a filter of one instruction.
func filter() error {
	program := []unix.SockFilter{{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW}}
	arg := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	// Threads must agree on no_new_privs: TSYNC gives them the caller's.
	_, _, errno := syscall.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC,
		uintptr(unsafe.Pointer(&arg)))
	if errno != 0 {
		return fmt.Errorf("seccomp: %w", errno)
	}
	return nil
}

func calls(count int) error {
	for range count {
		syscall.RawSyscall(syscall.SYS_GETPPID, 0, 0, 0)
	}
	return nil
}

func spawn(count int) error {
	program := os.Args[3]
	for range count {
		pid, err := syscall.ForkExec(program, []string{program}, &syscall.ProcAttr{Files: []uintptr{0, 1, 2}})
		if err != nil {
			return err
		}
		var status syscall.WaitStatus
		if _, err := syscall.Wait4(pid, &status, 0, nil); err != nil || status != 0 {
			return fmt.Errorf("%s: status %d, %v", program, status, err)
		}
	}
	return nil
}

func read(times int) error {
	f, err := os.Open(os.Args[3])
	if err != nil {
		return err
	}
	buf := make([]byte, 1<<20)
	for range times {
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			return err
		}
		for {
			if _, err := f.Read(buf); err == io.EOF {
				break
			} else if err != nil {
				return err
			}
		}
	}
	return nil
}

func processor() (total int64) {
	for _, who := range []int{syscall.RUSAGE_SELF, syscall.RUSAGE_CHILDREN} {
		var r syscall.Rusage
		syscall.Getrusage(who, &r)
		total += r.Utime.Nano() + r.Stime.Nano()
	}
	return total
}
