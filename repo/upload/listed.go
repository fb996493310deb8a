package upload

import (
	"encoding/binary"
	"io"
	"sync/atomic"
)

// listed counts the names that an sftp server sends, and ends the stream when they
// are more than a repository may have: the client reads a directory to its end
// before it shows any of it, and a server need not have one.
type listed struct {
	io.Reader
	max   int64
	names atomic.Int64

	head []byte // of the packet that has begun, as far as it came
	rest int64  // of the packet, behind its head
}

const (
	nameHead = 4 + 1 + 4 + 4 // length, type, id, count
	nameType = 104           // SSH_FXP_NAME
)

func (l *listed) Read(p []byte) (int, error) {
	n, err := l.Reader.Read(p)
	l.count(p[:n])
	if l.over() {
		return 0, errTooMany
	}
	return n, err
}

func (l *listed) over() bool { return l.names.Load() > l.max }

func (l *listed) count(b []byte) {
	for len(b) > 0 {
		if l.rest > 0 {
			n := min(l.rest, int64(len(b)))
			b, l.rest = b[n:], l.rest-n
			continue
		}
		want := 4
		if len(l.head) >= 4 {
			want = int(min(nameHead, 4+int64(binary.BigEndian.Uint32(l.head))))
		}
		n := min(want-len(l.head), len(b))
		l.head, b = append(l.head, b[:n]...), b[n:]
		if len(l.head) < want || want == 4 && binary.BigEndian.Uint32(l.head) > 0 {
			continue
		}
		if len(l.head) == nameHead && l.head[4] == nameType {
			l.names.Add(int64(binary.BigEndian.Uint32(l.head[9:])))
		}
		l.rest = 4 + int64(binary.BigEndian.Uint32(l.head)) - int64(len(l.head))
		l.head = l.head[:0]
	}
}
