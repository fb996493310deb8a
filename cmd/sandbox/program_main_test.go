package main_test

import (
	"os"
	"os/signal"
	"syscall"
	"testing"

	"sandbox/internal/e2e"
)

func TestMain(m *testing.M) {
	if program := os.Getenv(neglectVar); program != "" {
		os.Exit(neglect(program))
	}
	// Started in the background of a script, the tests ignore what ^C sends, and
	// so would all that they start. A signal that is caught is not inherited.
	if signal.Ignored(syscall.SIGINT) {
		signal.Notify(make(chan os.Signal, 1), syscall.SIGINT, syscall.SIGQUIT)
	}
	if signal.Ignored(syscall.SIGHUP) {
		signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP)
	}
	os.Exit(e2e.Main(m))
}

// owner is the uid of a file, -1 when there is none.
func owner(st os.FileInfo) int {
	if st == nil {
		return -1
	}
	return int(st.Sys().(*syscall.Stat_t).Uid)
}
