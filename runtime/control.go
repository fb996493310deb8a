package runtime

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// control is the socket on which a supervisor takes orders from the user's
// other commands. One order a connection: a JSON object, answered by one, with
// descriptors beside it where the order asks for them.
type control struct {
	listener *net.UnixListener
	path     string
}

// order is what a client sends.
type order struct {
	Do string `json:"do"` // "enter", "pause" or "resume"
}

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

// maxOrder bounds what is read from a client.
const maxOrder = 4 << 10

// listen opens the control socket. It lies in a directory that only the user
// can enter, and every caller's uid is asked of the kernel besides: the name a
// client binds itself to proves nothing (CVE-2019-7304).
func listen(path string, asked chan<- request, end <-chan struct{}) (*control, error) {
	l, err := net.ListenUnix("unixpacket", &net.UnixAddr{Name: path, Net: "unixpacket"})
	if err != nil {
		return nil, fmt.Errorf("cannot open the control socket: %w", err)
	}
	l.SetUnlinkOnClose(false)
	c := &control{listener: l, path: path}
	go func() {
		for {
			conn, err := l.AcceptUnix()
			if err != nil {
				return
			}
			// One at a time: a stalled client delays others by a second at most.
			serve(conn, asked, end)
		}
	}()
	return c, nil
}

func (c *control) close() {
	c.listener.Close()
	os.Remove(c.path)
}

func serve(conn *net.UnixConn, asked chan<- request, end <-chan struct{}) {
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(time.Second))
	if !ours(conn) {
		return
	}
	buf := make([]byte, maxOrder)
	n, err := conn.Read(buf)
	if err != nil {
		return
	}
	var o order
	if err := json.Unmarshal(buf[:n], &o); err != nil {
		return
	}
	r := request{o, make(chan answer, 1)}
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
	conn.SetDeadline(time.Now().Add(time.Second))
	conn.WriteMsgUnix(data, oob, nil)
}

// ours reports whether the peer is the same user, or root.
func ours(conn *net.UnixConn) bool {
	raw, err := conn.SyscallConn()
	if err != nil {
		return false
	}
	var cred *unix.Ucred
	if raw.Control(func(fd uintptr) { cred, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) }) != nil || err != nil {
		return false
	}
	return cred.Uid == uint32(os.Geteuid()) || cred.Uid == 0
}

// obey carries out an order.
func (s *supervisor) obey(o order) answer {
	var err error
	switch o.Do {
	case "enter":
		return answer{reply: reply{Enter: s.plan}, fds: s.spaces}
	case "pause":
		err = s.pause()
	case "resume":
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
func (e *Entry) command(do string) (reply, []int, error) {
	conn, err := net.DialUnix("unixpacket", nil, &net.UnixAddr{Name: e.registry.socket(e.Instance), Net: "unixpacket"})
	if err != nil {
		return reply{}, nil, fmt.Errorf("cannot reach the supervisor of %s: %w", e.Instance, err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(5 * time.Second))
	data, err := json.Marshal(order{do})
	if err != nil {
		return reply{}, nil, fmt.Errorf("internal error: %w", err)
	}
	if _, err := conn.Write(data); err != nil {
		return reply{}, nil, fmt.Errorf("cannot reach the supervisor of %s: %w", e.Instance, err)
	}
	buf, oob := make([]byte, 1<<20), make([]byte, unix.CmsgSpace(4*len(namespaceFiles)))
	n, oobn, _, _, err := conn.ReadMsgUnix(buf, oob)
	if err != nil {
		return reply{}, nil, fmt.Errorf("cannot read the answer of %s: %w", e.Instance, err)
	}
	var fds []int
	if messages, err := unix.ParseSocketControlMessage(oob[:oobn]); err == nil {
		for _, m := range messages {
			if got, err := unix.ParseUnixRights(&m); err == nil {
				fds = append(fds, got...)
			}
		}
	}
	for _, fd := range fds {
		unix.CloseOnExec(fd)
	}
	var r reply
	if err := json.Unmarshal(buf[:n], &r); err != nil {
		return reply{}, fds, fmt.Errorf("cannot read the answer of %s: %w", e.Instance, err)
	}
	if r.Error != "" {
		return r, fds, fmt.Errorf("cannot %s %s: %s", do, e.Instance, r.Error)
	}
	return r, fds, nil
}

// Pause and Resume freeze an instance as a whole and let it go on.
func (e *Entry) Pause() error {
	_, _, err := e.command("pause")
	return err
}

func (e *Entry) Resume() error {
	_, _, err := e.command("resume")
	return err
}
