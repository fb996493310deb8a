package upload

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"testing"
	"testing/iotest"
	"time"

	"github.com/pkg/sftp"
)

// endless is an sftp server whose directories go on for n names.
type endless struct{ n int64 }

type entry struct{ name string }

func (e entry) Name() string       { return e.name }
func (e entry) Size() int64        { return 1 }
func (e entry) Mode() fs.FileMode  { return 0o644 }
func (e entry) ModTime() time.Time { return time.Time{} }
func (e entry) IsDir() bool        { return false }
func (e entry) Sys() any           { return nil }

func (e endless) Filelist(*sftp.Request) (sftp.ListerAt, error) { return e, nil }

func (e endless) ListAt(list []os.FileInfo, off int64) (int, error) {
	for i := range list {
		if off+int64(i) >= e.n {
			return i, io.EOF
		}
		list[i] = entry{"x"}
	}
	return len(list), nil
}

// dialTo has a directory behind a server in this process.
func dialTo(t *testing.T, files sftp.FileLister, max int64, split bool) *directory {
	d := newDirectory(mustParse(t, "ssh://host/srv/repo"))
	d.dial = func(context.Context, Address) (*session, error) {
		here, there := net.Pipe()
		server := sftp.NewRequestServer(there, sftp.Handlers{FileList: files})
		go server.Serve()
		s := &session{cmd: exec.Command("true"), said: &tail{}, gone: make(chan struct{}), seen: &listed{Reader: here, max: max}}
		if split {
			s.seen.Reader = iotest.OneByteReader(here)
		}
		if err := s.cmd.Start(); err != nil {
			return nil, err
		}
		var err error
		if s.Client, err = sftp.NewClientPipe(s.seen, here); err != nil {
			return nil, err
		}
		go func() { s.Wait(); close(s.gone) }()
		return s, nil
	}
	t.Cleanup(func() { d.close() })
	return d
}

func TestSFTPListingEnds(t *testing.T) {
	if _, err := dialTo(t, endless{100000}, 5000, false).list(context.Background()); !errors.Is(err, errTooMany) || errors.Is(err, errPassing) {
		t.Errorf("of one without an end: %v", err)
	}
	// What arrives in pieces is counted as well, and each listing begins anew.
	d := dialTo(t, endless{500}, 5000, true)
	for range 3 {
		if files, err := d.list(context.Background()); err != nil || files["meta/x"] != 1 {
			t.Errorf("%v, %v", files, err)
		}
		if n := d.live.seen.names.Load(); n != int64(500*len(rooms)) {
			t.Errorf("%d names were counted", n)
		}
	}
}
