// Command launch asks for a filter and nothing else, to see what that links.
package main

import (
	"os"

	"sandbox/runtime/seccomp"
)

func main() {
	program, err := seccomp.Program(seccomp.AMD64, seccomp.Of(os.Args[1:]...))
	if err != nil {
		os.Exit(1)
	}
	os.Stdout.Write(program)
}
