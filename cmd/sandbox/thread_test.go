package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"sandbox/internal/e2e"
)

// TestNoLockedThreads: a goroutine that ends while it is locked takes its
// thread along, and the kernel the instance that this thread started.
func TestNoLockedThreads(t *testing.T) {
	all := list(t)
	files := 0
	for path := range closure(all, module+"cmd/sandbox") {
		if all[path].Standard {
			continue
		}
		for _, name := range all[path].GoFiles {
			files++
			text, err := os.ReadFile(filepath.Join(all[path].Dir, name))
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(string(text), "LockOSThread(") {
				t.Errorf("%s of %s locks a thread", name, path)
			}
		}
	}
	if files < 50 {
		t.Errorf("looked at %d files only", files)
	}
}

// TestOneProcessorFromTheBeginning: before the packages that allocate.
func TestOneProcessorFromTheBeginning(t *testing.T) {
	h := e2e.NewHome(t)
	r := h.Do(e2e.Cmd{Args: []string{"ps"}, Env: []string{"GODEBUG=inittrace=1"}})
	at := map[string]int{}
	for i, name := range regexp.MustCompile(`(?m)^init (\S+) @`).FindAllStringSubmatch(r.Stderr, -1) {
		at[name[1]] = i + 1
	}
	one := at["sandbox/internal/oneproc"]
	for _, name := range []string{"syscall", "time", "os"} {
		if one == 0 || at[name] <= one {
			t.Errorf("oneproc is initialised at %d, %s at %d of\n%s", one, name, at[name], r.Stderr)
		}
	}
}
