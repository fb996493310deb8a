package cgroup

import (
	"runtime"
	"syscall"
)

// lockedAs runs do on a thread with another effective user, and lets that
// thread end with the goroutine.
func lockedAs(uid int, do func()) {
	runtime.LockOSThread()
	if _, _, e := syscall.RawSyscall(syscall.SYS_SETRESUID, ^uintptr(0), uintptr(uid), ^uintptr(0)); e != 0 {
		panic(e)
	}
	do()
}
