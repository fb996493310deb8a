package runtime

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	goruntime "runtime"
	"strconv"

	"golang.org/x/sys/unix"
)

// process is a started instance as its supervisor holds it.
type process struct {
	pid    int      // pid 1 of the namespaces, in the host's numbering
	pidfd  int      // the same, immune to reuse of the number
	status *os.File // what the child reports
	gate   *os.File // a byte here lets it go on
	names  []string // what its steps are for
	reaped bool
}

// event is one report of the child, in Go's terms.
type event struct {
	kind   uint32
	value  uint32
	detail uint32
}

// start clones the child and sets it going: it builds the view and then waits
// at its gate. The caller's OS thread must live as long as the instance, since
// the child dies with it (PR_SET_PDEATHSIG is per thread).
func start(p *Plan, w wiring, cgroupFD int, join []int) (_ *process, err error) {
	var statusPipe, gatePipe [2]int
	if err := unix.Pipe2(statusPipe[:], unix.O_CLOEXEC); err != nil {
		return nil, fmt.Errorf("cannot make a pipe: %w", err)
	}
	unix.SetNonblock(statusPipe[0], true) // waited for by the poller, not by a thread
	defer unix.Close(statusPipe[1])
	if err := unix.Pipe2(gatePipe[:], unix.O_CLOEXEC); err != nil {
		unix.Close(statusPipe[0])
		return nil, fmt.Errorf("cannot make a pipe: %w", err)
	}
	defer unix.Close(gatePipe[0])
	proc := &process{
		status: os.NewFile(uintptr(statusPipe[0]), "status"),
		gate:   os.NewFile(uintptr(gatePipe[1]), "gate"),
		pidfd:  -1,
	}
	defer func() {
		if err != nil {
			proc.close()
		}
	}()
	w.status, w.gate = statusPipe[1], gatePipe[0]
	w.theirs = [2]int{statusPipe[0], gatePipe[1]}
	prog, err := compileFor(p, w, join)
	if err != nil {
		return nil, err
	}
	defer prog.free()
	proc.names = prog.names

	var pidfd int32
	args := &cloneArgs{
		flags:      cloneFlags(p, join),
		pidfd:      addressOf(&pidfd),
		exitSignal: uint64(unix.SIGCHLD),
	}
	if cgroupFD >= 0 {
		args.flags |= unix.CLONE_INTO_CGROUP
		args.cgroup = uint64(cgroupFD)
	}
	pid, errno := prog.clone3(args)
	goruntime.KeepAlive(&pidfd)
	if errno != 0 {
		return nil, cloneError(unix.Errno(errno), cgroupFD >= 0)
	}
	proc.pid, proc.pidfd = pid, int(pidfd)
	if !w.mapIDs && join == nil {
		if err := mapIDs(p, pid); err != nil {
			proc.kill()
			return nil, err
		}
		proc.release(goForeground)
	}
	return proc, nil
}

func compileFor(p *Plan, w wiring, join []int) (*builder, error) {
	if join != nil {
		return compileEnter(p, w, join)
	}
	return compile(p, w)
}

func cloneFlags(p *Plan, join []int) uint64 {
	if join != nil {
		return unix.CLONE_PIDFD
	}
	flags := uint64(unix.CLONE_NEWUSER | unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWIPC |
		unix.CLONE_NEWUTS | unix.CLONE_PIDFD)
	if !p.ShareNet {
		flags |= unix.CLONE_NEWNET
	}
	return flags
}

// mapIDs writes the maps of a child that cannot: a root caller's, whose one id
// inside is an unprivileged one outside.
func mapIDs(p *Plan, pid int) error {
	dir := "/proc/" + strconv.Itoa(pid) + "/"
	for _, m := range []struct{ file, text string }{
		{"setgroups", "deny"},
		{"uid_map", fmt.Sprintf("%d %d 1", p.UID, p.Outside.UID)},
		{"gid_map", fmt.Sprintf("%d %d 1", p.GID, p.Outside.GID)},
	} {
		if err := os.WriteFile(dir+m.file, []byte(m.text), 0); err != nil {
			return fmt.Errorf("cannot map the app's ids: %w", err)
		}
	}
	return nil
}

// release lets the child pass the gate it waits at, or will come to.
func (p *process) release(word byte) { p.gate.Write([]byte{word}) }

// next is the child's next report; io.EOF when it is gone.
func (p *process) next() (event, error) {
	var rec [16]byte
	if _, err := io.ReadFull(p.status, rec[:]); err != nil {
		if errors.Is(err, io.ErrUnexpectedEOF) {
			err = io.EOF
		}
		return event{}, err
	}
	return event{
		kind:   binary.NativeEndian.Uint32(rec[0:]),
		value:  binary.NativeEndian.Uint32(rec[4:]),
		detail: binary.NativeEndian.Uint32(rec[8:]),
	}, nil
}

func (p *process) stepName(e event) string {
	if int(e.value) < len(p.names) {
		return p.names[e.value]
	}
	return "launch"
}

// signal goes to pid 1, which hands everything but SIGKILL and SIGSTOP on to
// the app.
func (p *process) signal(sig unix.Signal) error {
	if p.pidfd < 0 {
		return unix.ESRCH
	}
	return unix.PidfdSendSignal(p.pidfd, sig, nil, 0)
}

// kill ends every process of the instance: the kernel takes a pid namespace
// down with its pid 1.
func (p *process) kill() {
	p.signal(unix.SIGKILL)
	p.reap()
}

// reap collects the child, which has ended or is about to.
func (p *process) reap() unix.WaitStatus {
	var ws unix.WaitStatus
	for {
		_, err := unix.Wait4(p.pid, &ws, unix.WALL, nil)
		if err != unix.EINTR {
			p.reaped = true
			return ws
		}
	}
}

func (p *process) close() {
	p.status.Close()
	p.gate.Close()
	if p.pidfd >= 0 {
		unix.Close(p.pidfd)
		p.pidfd = -1
	}
}
