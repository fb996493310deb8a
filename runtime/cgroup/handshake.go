package cgroup

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"net"
	"strings"

	"golang.org/x/sys/unix"
)

// authenticated is a connection on which the D-Bus handshake (specification,
// "Authentication Protocol") is done already. The library that will use it
// insists on making one; Read and Write play the server to it until its BEGIN.
//
// The library's own handshake cannot be used on systemd's own socket: when its
// BEGIN and its first message reach systemd in one read, systemd (252) waits
// for more before it looks at the message, and both wait for ever. So BEGIN is
// sent together with AUTH, as systemctl does, and the server's OK proves that
// it has been read. It also saves three round trips.
type authenticated struct {
	net.Conn
	in     *bufio.Reader
	played []string // answers to the library
	begun  bool
}

func authenticate(c net.Conn, uid int) (*authenticated, error) {
	id := hex.EncodeToString([]byte(itoa(uid)))
	if _, err := c.Write([]byte("\x00AUTH EXTERNAL " + id + "\r\nBEGIN\r\n")); err != nil {
		return nil, err
	}
	in := bufio.NewReader(c)
	line, err := in.ReadSlice('\n')
	if err != nil {
		return nil, err
	}
	if answer := string(line); !strings.HasPrefix(answer, "OK ") {
		return nil, fmt.Errorf("it answers %q", strings.TrimSpace(answer))
	}
	return &authenticated{Conn: c, in: in, played: []string{"REJECTED EXTERNAL\r\n", "OK 0\r\n"}}, nil
}

func (a *authenticated) Read(p []byte) (int, error) {
	if !a.begun && len(a.played) > 0 {
		n := copy(p, a.played[0])
		if a.played[0] = a.played[0][n:]; a.played[0] == "" {
			a.played = a.played[1:]
		}
		return n, nil
	}
	return a.in.Read(p)
}

func (a *authenticated) Write(p []byte) (int, error) {
	if a.begun {
		return a.Conn.Write(p)
	}
	a.begun = string(p) == "BEGIN\r\n"
	return len(p), nil
}

// checkPeer lets only the user themself and root be at the other end: the path
// may have been replaced since it was looked at.
func checkPeer(c *net.UnixConn) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	var cred *unix.Ucred
	var credErr error
	if err := raw.Control(func(fd uintptr) {
		cred, credErr = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	}); err != nil {
		return err
	}
	if credErr != nil {
		return credErr
	}
	if cred.Uid != 0 && int(cred.Uid) != unix.Geteuid() {
		return fmt.Errorf("the socket is served by uid %d", cred.Uid)
	}
	return nil
}
