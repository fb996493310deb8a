package runtime

import (
	"bytes"
	"runtime/debug"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// span is a range of addresses.
type span struct{ from, to uintptr }

const pageSize = 4096 // of alignment for advice; larger pages round it down

// stackBelow and stackAbove bound what a child uses of the stack it was cloned
// on, from the frame that clones.
const stackBelow, stackAbove = 16 << 10, 16 << 10

// private lists the writable memory of this process but for the arena, with
// room for one more entry.
func (a *arena) private() []span {
	arena := uintptr(unsafe.Pointer(&a.mem[0]))
	out := make([]span, 0, 64)
	if withC {
		return append(out, span{})
	}
	for line := range bytes.Lines(ownMaps()) {
		if s, writable := parseSpan(line); writable && (arena < s.from || arena >= s.to) {
			out = append(out, s)
		}
	}
	return append(out, span{})
}

// keepOut keeps that memory out of the child that is about to be cloned, but
// for the stack around here. So the child has no copy of anything that the
// supervisor knows, neither side pays for breaking copies, and
// /proc/1/cmdline inside says nothing of the host.
//
// From here to the clone the stack must not move: all that is called must be
// nosplit.
//
//go:noinline
func keepOut(spans []span) {
	var here byte
	sp := uintptr(unsafe.Pointer(&here))
	stack := span{(sp - stackBelow) &^ (pageSize - 1), (sp + stackAbove) &^ (pageSize - 1)}
	last := len(spans) - 1
	for i := 0; i < last; i++ {
		s := &spans[i]
		if stack.to > s.from && stack.from < s.to {
			spans[last] = span{stack.to, s.to}
			s.to = stack.from
		}
		advise(s.from, s.to, unix.MADV_DONTFORK)
	}
	advise(spans[last].from, spans[last].to, unix.MADV_DONTFORK)
}

// letIn makes this process one that can be copied again.
func letIn(spans []span) {
	for _, s := range spans {
		advise(s.from, s.to, unix.MADV_DOFORK)
	}
}

//go:nosplit
func advise(from, to uintptr, advice int) {
	if from < to {
		syscall.RawSyscall(unix.SYS_MADVISE, from, to-from, uintptr(advice))
	}
}

// settleAfter keeps the work of settle away from programs that end soon.
const settleAfter = 300 * time.Millisecond

// heapLimit is what a supervisor's memory may grow to before garbage is
// collected: all that Go counts, of which a third is never touched.
const heapLimit = 16 << 20

// settle makes this process one that waits. A collection would cost more memory
// than the launch left behind (each class of sizes gets a list of its own, of
// 6 KiB), and wake an idle supervisor every two minutes: there is none before
// heapLimit.
//
// The pages of this program's file are given back: a supervisor that only waits
// needs few of them, and the kernel brings back those that it touches.
//
// It would bring back 64 KiB around each of them, though (fault-around), but
// never beyond the mapping. So the mapping is cut into small ones, by giving
// every other chunk an advice of its own.
func settle() {
	debug.SetGCPercent(-1)
	debug.SetMemoryLimit(heapLimit)
	const chunk = 16 << 10
	for line := range bytes.Lines(ownMaps()) {
		s, writable := parseSpan(line)
		if writable || s.to == 0 || !bytes.Contains(line, []byte(" /")) {
			continue
		}
		for at := s.from + chunk; at+chunk <= s.to; at += 2 * chunk {
			advise(at, at+chunk, unix.MADV_RANDOM)
		}
		advise(s.from, s.to, unix.MADV_DONTNEED)
	}
}

// ownMaps is /proc/self/maps, read without a buffer that grows.
func ownMaps() []byte {
	fd, err := unix.Open("/proc/self/maps", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil
	}
	defer unix.Close(fd)
	buf, n := make([]byte, 16<<10), 0
	for n < len(buf) {
		m, err := unix.Read(fd, buf[n:])
		if m <= 0 || err != nil {
			break
		}
		n += m
	}
	return buf[:n]
}

// parseSpan reads the range of a line of proc_pid_maps(5).
func parseSpan(line []byte) (s span, writable bool) {
	rng, rest, ok := bytes.Cut(line, []byte(" "))
	from, to, ok2 := bytes.Cut(rng, []byte("-"))
	if !ok || !ok2 || len(rest) < 4 {
		return span{}, false
	}
	s.from, ok = parseHex(from)
	s.to, ok2 = parseHex(to)
	if !ok || !ok2 {
		return span{}, false
	}
	return s, rest[1] == 'w'
}

func parseHex(text []byte) (v uintptr, ok bool) {
	for _, c := range text {
		switch {
		case c >= '0' && c <= '9':
			v = v<<4 | uintptr(c-'0')
		case c >= 'a' && c <= 'f':
			v = v<<4 | uintptr(c-'a'+10)
		default:
			return 0, false
		}
	}
	return v, len(text) > 0
}
