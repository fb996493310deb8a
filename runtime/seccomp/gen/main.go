//go:build libseccomp

// Command gen compiles the policy with libseccomp and writes the packs that
// runtime/seccomp embeds. Run it by "go generate" on amd64 with cgo, libseccomp
// and its headers; its output depends on the policy alone.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	goruntime "runtime"

	"sandbox/runtime/seccomp"
)

func main() {
	seed := flag.Uint64("shuffle", 0, "add the rules in another order, to see that it means nothing")
	flag.Parse()
	dir := flag.Arg(0)
	if dir == "" {
		dir = "."
	}
	if err := run(dir, *seed); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

func run(dir string, seed uint64) error {
	if goruntime.GOARCH != "amd64" {
		return fmt.Errorf("cannot compile on %s: the numbers are given to libseccomp as those of x86_64", goruntime.GOARCH)
	}
	if err := agree(); err != nil {
		return err
	}
	for _, arch := range []string{seccomp.AMD64, seccomp.ARM64} {
		programs := make([][]instruction, seccomp.Variants)
		for f := range programs {
			p, err := program(arch, seccomp.Features(f), seed)
			if err != nil {
				return fmt.Errorf("cannot compile %s with %q: %w", arch, seccomp.Features(f), err)
			}
			programs[f] = p
		}
		data, err := pack(programs)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, arch+".bpf"), data, 0o644); err != nil {
			return err
		}
	}
	return nil
}
