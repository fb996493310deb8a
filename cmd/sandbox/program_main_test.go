package main_test

import (
	"os"
	"syscall"
	"testing"

	"sandbox/internal/e2e"
)

func TestMain(m *testing.M) { os.Exit(e2e.Main(m)) }

// owner is the uid of a file, -1 when there is none.
func owner(st os.FileInfo) int {
	if st == nil {
		return -1
	}
	return int(st.Sys().(*syscall.Stat_t).Uid)
}
