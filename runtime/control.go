package runtime

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"sandbox/internal/hint"
)

// control is the socket on which a supervisor takes orders from the user's
// other commands. One order a connection: a word, answered by a JSON object, with
// descriptors beside it where the order asks for them. It is a sequenced-packet
// socket, so that an order is one packet. (Package net is not used for it: its
// first Listen alone reads a file through a buffer of 64 KiB.)
type control struct {
	listener *os.File
	path     string
}

// order is what a client sends.
type order string

const (
	orderEnter  order = "enter"
	orderPause  order = "pause"
	orderResume order = "resume"
)

// reply is the answer. For "enter" the namespaces' descriptors come with it,
// in the order of namespaceFiles.
type reply struct {
	Error string `json:"error,omitempty"`
	Enter *Plan  `json:"enter,omitempty"`
}

// request carries an order into the supervisor's one goroutine.
type request struct {
	order
	done chan answer
}

type answer struct {
	reply
	fds []int
}

func (r request) answer(s *supervisor) { r.done <- s.obey(r.order) }

// maxSocketPath is what sockaddr_un holds, without its NUL.
const maxSocketPath = 107

// maxOrder bounds what is read from a client.
const maxOrder = 16

// listen opens the control socket. It lies in a directory that only the user
// can enter, and every caller's uid is asked of the kernel besides: the name a
// client binds itself to proves nothing (CVE-2019-7304).
func listen(path string, asked chan<- request, end <-chan struct{}) (*control, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("cannot open the control socket: %w", err)
	}
	err = near(path, func(short string) error { return unix.Bind(fd, &unix.SockaddrUnix{Name: short}) })
	if err == nil {
		err = unix.Listen(fd, 16)
	}
	if err != nil {
		unix.Close(fd)
		err = fmt.Errorf("cannot open the control socket %s: %w", path, err)
		if len(path) > maxSocketPath {
			err = hint.With(err, "its path is too long: set XDG_RUNTIME_DIR to a directory with a shorter one")
		}
		return nil, err
	}
	c := &control{os.NewFile(uintptr(fd), path), path}
	raw, err := c.listener.SyscallConn()
	if err != nil {
		c.close()
		return nil, fmt.Errorf("cannot open the control socket: %w", err)
	}
	go accept(raw, asked, end)
	return c, nil
}

// near names a socket by its directory's descriptor: an address holds no more
// than 107 bytes (unix(7)), and a home may lie deep.
func near(path string, do func(short string) error) error {
	dir, err := unix.Open(filepath.Dir(path), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(dir)
	return do("/proc/self/fd/" + strconv.Itoa(dir) + "/" + filepath.Base(path))
}

// undisturbed makes a call again that a signal has ended: those on sockets with
// a timeout are not restarted by the kernel (signal(7)), and Go sends signals to
// itself.
func undisturbed(call func() error) error {
	for {
		if err := call(); err != unix.EINTR {
			return err
		}
	}
}

// accept takes one client at a time: a stalled one delays others by a second
// at most.
func accept(raw syscall.RawConn, asked chan<- request, end <-chan struct{}) {
	for {
		conn := -1
		err := raw.Read(func(fd uintptr) bool {
			var err error
			conn, _, err = unix.Accept4(int(fd), unix.SOCK_CLOEXEC)
			return err != unix.EAGAIN
		})
		if err != nil {
			return
		}
		if conn >= 0 {
			serve(conn, asked, end)
			unix.Close(conn)
		}
	}
}

func (c *control) close() {
	c.listener.Close()
	os.Remove(c.path)
}

func serve(conn int, asked chan<- request, end <-chan struct{}) {
	patient(conn, time.Second)
	cred, err := unix.GetsockoptUcred(conn, unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err != nil || cred.Uid != uint32(os.Geteuid()) && cred.Uid != 0 {
		return
	}
	buf := make([]byte, maxOrder)
	var n int
	err = undisturbed(func() (err error) { n, err = unix.Read(conn, buf); return err })
	if err != nil {
		return
	}
	r := request{order(buf[:n]), make(chan answer, 1)}
	select {
	case asked <- r:
	case <-end:
		return
	}
	a := <-r.done
	data, err := json.Marshal(a.reply)
	if err != nil {
		return
	}
	var oob []byte
	if len(a.fds) > 0 {
		oob = unix.UnixRights(a.fds...)
	}
	unix.Sendmsg(conn, data, oob, nil, unix.MSG_NOSIGNAL)
}

// patient bounds how long the other side may keep us.
func patient(fd int, limit time.Duration) {
	tv := unix.NsecToTimeval(limit.Nanoseconds())
	unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &tv)
	unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &tv)
}

// obey carries out an order.
func (s *supervisor) obey(o order) answer {
	var err error
	switch o {
	case orderEnter:
		return answer{reply: reply{Enter: s.plan}, fds: s.spaces}
	case orderPause:
		err = s.pause()
	case orderResume:
		err = s.resume()
	default:
		err = errors.New("unknown order")
	}
	if err != nil {
		return answer{reply: reply{Error: err.Error()}}
	}
	return answer{}
}

// pause freezes the group, or without one stops every process.
func (s *supervisor) pause() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if err := s.group.Freeze(ctx); err != nil {
		if err := s.proc.signal(steerPause); err != nil {
			return err
		}
	}
	return s.entry.mark(true)
}

func (s *supervisor) resume() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if err := s.group.Thaw(ctx); err != nil {
		if err := s.proc.signal(steerResume); err != nil {
			return err
		}
	}
	return s.entry.mark(false)
}

// command sends an order to the entry's supervisor.
func (e *Entry) command(do order) (r reply, fds []int, err error) {
	fail := func(err error) (reply, []int, error) {
		return reply{}, fds, fmt.Errorf("cannot reach the supervisor of %s: %w", e.Instance, err)
	}
	conn, err := unix.Socket(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fail(err)
	}
	defer unix.Close(conn)
	patient(conn, 5*time.Second)
	err = near(e.registry.socket(e.Instance), func(short string) error {
		return undisturbed(func() error { return unix.Connect(conn, &unix.SockaddrUnix{Name: short}) })
	})
	if err != nil {
		return fail(err)
	}
	if err := undisturbed(func() error { return unix.Sendmsg(conn, []byte(do), nil, nil, unix.MSG_NOSIGNAL) }); err != nil {
		return fail(err)
	}
	buf, oob := make([]byte, 1<<20), make([]byte, unix.CmsgSpace(4*len(namespaceFiles)))
	var n, oobn int
	err = undisturbed(func() (err error) {
		n, oobn, _, _, err = unix.Recvmsg(conn, buf, oob, unix.MSG_CMSG_CLOEXEC)
		return err
	})
	if err != nil {
		return fail(err)
	}
	fds = received(oob[:oobn])
	if err := json.Unmarshal(buf[:n], &r); err != nil {
		return fail(err)
	}
	if r.Error != "" {
		return r, fds, fmt.Errorf("cannot %s %s: %s", do, e.Instance, r.Error)
	}
	return r, fds, nil
}

func received(oob []byte) (fds []int) {
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return nil
	}
	for i := range messages {
		if got, err := unix.ParseUnixRights(&messages[i]); err == nil {
			fds = append(fds, got...)
		}
	}
	return fds
}

// Pause and Resume freeze an instance as a whole and let it go on.
func (e *Entry) Pause() error {
	_, _, err := e.command(orderPause)
	return err
}

func (e *Entry) Resume() error {
	_, _, err := e.command(orderResume)
	return err
}
