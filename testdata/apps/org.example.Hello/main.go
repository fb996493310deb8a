// Hello is the smallest bundle there is. It tries what it is told to and says
// how that went: exit status 0 when it worked, 1 when it was refused.
package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"
)

const usage = `usage: hello [ACTION [ARGUMENT…]]

  (none)          greet
  read PATH…      print files, list directories
  write PATH…     write a line to each file
  dial HOST:PORT  connect
  processes       list what runs here
  env             print the environment
`

var actions = map[string]func(args []string) error{
	"read":      each(read),
	"write":     each(write),
	"dial":      each(dial),
	"processes": processes,
	"env":       func([]string) error { fmt.Println(strings.Join(os.Environ(), "\n")); return nil },
}

func main() {
	if len(os.Args) < 2 {
		fmt.Printf("hello from process %d, user %d\n", os.Getpid(), os.Getuid())
		return
	}
	act, ok := actions[os.Args[1]]
	if !ok {
		fmt.Fprint(os.Stderr, usage)
		os.Exit(2)
	}
	if err := act(os.Args[2:]); err != nil {
		fmt.Fprintf(os.Stderr, "hello: %v\n", err)
		os.Exit(1)
	}
}

func each(act func(string) error) func([]string) error {
	return func(args []string) error {
		for _, a := range args {
			if err := act(a); err != nil {
				return err
			}
		}
		return nil
	}
}

func read(name string) error {
	entries, err := os.ReadDir(name)
	if err == nil {
		for _, e := range entries {
			fmt.Println(e.Name())
		}
		return nil
	}
	data, err := os.ReadFile(name)
	os.Stdout.Write(data)
	return err
}

func write(name string) error {
	return os.WriteFile(name, []byte("written by hello\n"), 0o644)
}

func dial(address string) error {
	c, err := net.DialTimeout("tcp", address, 3*time.Second)
	if err != nil {
		return err
	}
	fmt.Println("connected to", c.RemoteAddr())
	return c.Close()
}

func processes([]string) error {
	names, err := filepath.Glob("/proc/[0-9]*/comm")
	if err != nil {
		return err
	}
	for _, name := range names {
		if comm, err := os.ReadFile(name); err == nil {
			fmt.Printf("%s %s", filepath.Base(filepath.Dir(name)), comm)
		}
	}
	return nil
}
