package signals

import (
	"fmt"
	"os"
	"slices"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// action is struct sigaction as the kernel has it on amd64 and arm64.
type action struct {
	handler  uintptr
	flags    uint64
	restorer uintptr
	mask     uint64
}

const (
	saSigaction = 0x4 // SA_SIGINFO, as the handlers of Go have it
	saRestorer  = 0x04000000
	saOnStack   = 0x08000000
	saRestart   = 0x10000000

	sigIgnore = 1 // SIG_IGN
)

// In catch_ARCH.s: where the handler begins, and what returns from it (0 where
// the kernel brings its own).
var (
	catchPC    uintptr
	restorerPC uintptr
)

// catchFD is where the handler writes.
var catchFD int32

var (
	mu       sync.Mutex
	pipe     *os.File // where the handler's bytes are read
	sink     *os.File
	heard    map[unix.Signal][]chan<- os.Signal // guarded by mu
	previous map[unix.Signal]action             // guarded by mu
)

// Notify sends each of the signals to c when it arrives. It never waits for c:
// a signal that finds it full is lost.
func Notify(c chan<- os.Signal, sigs ...unix.Signal) error {
	mu.Lock()
	defer mu.Unlock()
	if err := openLocked(); err != nil {
		return err
	}
	for _, sig := range sigs {
		if len(heard[sig]) == 0 {
			a := action{catchPC, saSigaction | saOnStack | saRestart, 0, ^uint64(0)}
			if restorerPC != 0 {
				a.flags, a.restorer = a.flags|saRestorer, restorerPC
			}
			var old action
			if err := sigaction(sig, &a, &old); err != nil {
				return fmt.Errorf("cannot catch %s: %w", unix.SignalName(sig), err)
			}
			previous[sig] = old
		}
		if !slices.Contains(heard[sig], c) {
			heard[sig] = append(heard[sig], c)
		}
	}
	return nil
}

// Stop sends nothing to c any more. Signals that nobody asks for do again what
// they did before.
func Stop(c chan<- os.Signal) {
	mu.Lock()
	defer mu.Unlock()
	for sig, list := range heard {
		at := slices.Index(list, c)
		if at < 0 {
			continue
		}
		heard[sig] = slices.Delete(list, at, at+1)
		if len(heard[sig]) == 0 {
			old := previous[sig]
			sigaction(sig, &old, nil)
		}
	}
}

// Ignored says whether the process ignores a signal.
func Ignored(sig unix.Signal) bool {
	var now action
	return sigaction(sig, nil, &now) == nil && now.handler == sigIgnore
}

// Ignore has the process ignore a signal.
func Ignore(sig unix.Signal) { sigaction(sig, &action{handler: sigIgnore}, nil) }

func openLocked() error {
	if pipe != nil {
		return nil
	}
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		return fmt.Errorf("cannot catch signals: %w", err)
	}
	pipe, sink = os.NewFile(uintptr(fds[0]), "signals"), os.NewFile(uintptr(fds[1]), "signals")
	catchFD = int32(fds[1])
	heard, previous = map[unix.Signal][]chan<- os.Signal{}, map[unix.Signal]action{}
	go deliver(pipe)
	return nil
}

func deliver(pipe *os.File) {
	var buf [64]byte
	for {
		n, err := pipe.Read(buf[:])
		if err != nil {
			return
		}
		mu.Lock()
		for _, b := range buf[:n] {
			for _, c := range heard[unix.Signal(b)] {
				select {
				case c <- unix.Signal(b):
				default:
				}
			}
		}
		mu.Unlock()
	}
}

func sigaction(sig unix.Signal, act, old *action) error {
	_, _, e := unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(sig), uintptr(unsafe.Pointer(act)),
		uintptr(unsafe.Pointer(old)), unsafe.Sizeof(action{}.mask), 0, 0)
	if e != 0 {
		return e
	}
	return nil
}
