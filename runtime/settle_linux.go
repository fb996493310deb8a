package runtime

import (
	"bytes"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// settleAfter keeps the work of settle away from programs that end soon.
const settleAfter = 300 * time.Millisecond

// settle gives back the pages of this program's file: a supervisor that only
// waits needs few of them, and the kernel brings back those that it touches.
//
// It would bring back 64 KiB around each of them, though (fault-around), but
// never beyond the mapping. So the mapping is cut into small ones, by giving
// every other chunk an advice of its own.
func settle() {
	const chunk = 16 << 10
	for line := range bytes.Lines(ownMaps()) {
		s, writable := parseSpan(line)
		if writable || s.to == 0 || !bytes.Contains(line, []byte(" /")) {
			continue
		}
		for at := s.from + chunk; at+chunk <= s.to; at += 2 * chunk {
			madvise(at, chunk, unix.MADV_RANDOM)
		}
		madvise(s.from, s.to-s.from, unix.MADV_DONTNEED)
	}
}

func madvise(from, size uintptr, advice uintptr) {
	syscall.RawSyscall(unix.SYS_MADVISE, from, size, advice)
}
