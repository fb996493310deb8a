// Command probe is the app of attack tests: each argument is one operation,
// words separated by blanks. It prints a line for each, "OPERATION = ERRNO",
// or "= ok" with what was found. Arguments are chosen so that a refusal cannot
// be taken for another failure: a bad descriptor gives EBADF, a bad address
// EFAULT, and only a wall gives EPERM, ENOSYS, EROFS, or ENOENT for what exists.
package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

type operation func(a []string) (string, error)

var operations = map[string]operation{}

func register(table map[string]operation) {
	for name, f := range table {
		operations[name] = f
	}
}

func main() {
	runtime.LockOSThread() // operations on the terminal and on signals are of one thread
	for _, text := range os.Args[1:] {
		words := strings.Fields(text)
		f := operations[words[0]]
		if f == nil {
			fmt.Printf("%s = unknown operation\n", text)
			os.Exit(2)
		}
		fmt.Printf("%s = %s\n", text, answer(f, words[1:]))
	}
}

func answer(f operation, a []string) (line string) {
	defer func() {
		if r := recover(); r != nil {
			line = fmt.Sprintf("panic: %v", r)
		}
	}()
	found, err := f(a)
	if err != nil {
		var errno syscall.Errno
		if errors.As(err, &errno) {
			if name := unix.ErrnoName(errno); name != "" {
				return name
			}
			return fmt.Sprintf("errno %d", int(errno))
		}
		return "error: " + err.Error()
	}
	return strings.TrimSpace("ok " + strings.ReplaceAll(found, "\n", "|"))
}

func number(s string) int {
	n, err := strconv.ParseInt(s, 0, 64)
	if err != nil {
		u, err := strconv.ParseUint(s, 0, 64)
		if err != nil {
			panic(err)
		}
		return int(u)
	}
	return int(n)
}
