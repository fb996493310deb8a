package main_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sandbox/internal/e2e"
)

const neglectVar = "SANDBOX_TEST_NEGLECT"

// neglect is the first process of a container that waits for nobody but the one
// it has started. It enters an instance again and again, in vain, and prints how
// many processes were left to it.
func neglect(program string) int {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		fmt.Println(err)
		return 1
	}
	failed := 0
	for range 30 {
		if exec.Command(program, "enter", "bare").Run() != nil {
			failed++
		}
	}
	time.Sleep(100 * time.Millisecond)
	left := 0
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, name := range stats {
		text, _ := os.ReadFile(name)
		_, rest, _ := strings.Cut(string(text), ") ")
		if f := strings.Fields(rest); len(f) > 1 && f[1] == strconv.Itoa(os.Getpid()) {
			left++
		}
	}
	fmt.Printf("%d failed, %d left\n", failed, left)
	return 0
}

// A namespace ends only when all of its processes were waited for. That is not
// left to the first process of a container, which often waits for none.
func TestEnterLeavesNobodyToWaitFor(t *testing.T) {
	t.Parallel()
	h := e2e.NewHome(t)
	p := h.Start("run", "--name", "bare", e2e.ProbeBundle(t), "say up", "hold")
	p.Expect("up", soon)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	r := h.Do(e2e.Cmd{Program: self, Env: []string{neglectVar + "=" + e2e.Program(t, "sandbox")}, Timeout: time.Minute})
	if r.Stdout != "30 failed, 0 left\n" {
		t.Errorf("%d: %s%s", r.Code, r.Stdout, r.Stderr)
	}
	wants(t, h.Run("kill", "bare"), 0, "")
	p.Wait()
}
