package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
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
