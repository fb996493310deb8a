package testenv

import (
	"testing"

	"golang.org/x/sys/unix"
)

// Landlock is the level of this kernel, asked of it alone (landlock(7)); 0 without.
func Landlock(t testing.TB) int {
	t.Helper()
	level, _, e := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	if e != 0 {
		t.Logf("Landlock: %v", e)
		return 0
	}
	t.Logf("Landlock level %d", level)
	return int(level)
}
