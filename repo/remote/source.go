package remote

import (
	"context"
	"io"
	"time"
)

// Source gives the files of a repository. It may be used by several goroutines.
type Source interface {
	// Fetch returns a whole file of at most max bytes.
	Fetch(ctx context.Context, path string, max int64) ([]byte, error)
	// Open streams n bytes of a file from off. The stream ends after them, or
	// with an error that is not io.EOF.
	Open(ctx context.Context, path string, off, n int64) (*Body, error)
	// String is the address, for people.
	String() string
}

// Body is a stream of a file.
type Body struct {
	io.ReadCloser
	// Whole says that the server sends the file from its first byte, whatever
	// was asked for: it knows no ranges. The stream then ends where the file does.
	Whole bool

	kept *keptBody // nil where nothing of it is kept
}

// Pace says how long a server may take. The zero value stands for the defaults.
type Pace struct {
	Connect time.Duration // to connect, and to greet in TLS
	Answer  time.Duration // from the request to the answer's head
	Idle    time.Duration // without any byte
	Window  time.Duration // of waiting, over which Rate is measured
	Rate    int64         // bytes a second that a server must bring
	Retries int           // times a broken transfer may go on without progress; -1: none
	Backoff time.Duration // before the first of them, doubled each time
}

func (p Pace) orDefault() Pace {
	set := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	set(&p.Connect, 15*time.Second)
	set(&p.Answer, 30*time.Second)
	set(&p.Idle, 20*time.Second)
	set(&p.Window, 8*time.Second)
	set(&p.Backoff, 250*time.Millisecond)
	if p.Rate == 0 {
		p.Rate = 256
	}
	if p.Retries == 0 {
		p.Retries = 4
	}
	return p
}

// OpenSource returns the source at an address.
func OpenSource(a Address, pace Pace) (Source, error) {
	if dir := a.Dir(); dir != "" {
		return openDir(dir)
	}
	return newHTTP(a, pace), nil
}
