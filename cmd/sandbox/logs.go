package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"sandbox/internal/cli"
	"sandbox/internal/disk"
	"sandbox/internal/hint"
	"sandbox/internal/safe"
	"sandbox/runtime"
)

// A log keeps the last megabytes of what a detached instance wrote: two files,
// the older of which is forgotten when the newer is full.
const (
	logHalf  = 4 << 20
	logsKept = 50
)

type instanceLog struct {
	in   *os.File // the app's end
	out  *os.File
	path string
	size int
	done sync.WaitGroup
}

// openLog starts a log. It lies outside everything that an app can reach, and
// a link in its place is refused (CVE-2024-5154).
func openLog(host *runtime.Host, instance string) (*instanceLog, error) {
	path := runtime.LogFile(host, instance)
	dir := filepath.Dir(path)
	if err := disk.PrivateDir(dir); err != nil {
		return nil, fmt.Errorf("cannot keep a log: %w", err)
	}
	forgetOldLogs(dir)
	l := &instanceLog{path: path}
	os.Remove(l.path + ".1")
	if err := l.create(); err != nil {
		return nil, fmt.Errorf("cannot keep a log: %w", err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		l.out.Close()
		return nil, fmt.Errorf("cannot keep a log: %w", err)
	}
	l.in = w
	l.done.Add(1)
	go l.copy(r)
	return l, nil
}

func (l *instanceLog) create() error {
	f, err := os.OpenFile(l.path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	l.out, l.size = f, 0
	return nil
}

// copy goes on reading when the disk is full: the app must not hang for it.
func (l *instanceLog) copy(r *os.File) {
	defer l.done.Done()
	defer r.Close()
	buf := make([]byte, 16<<10)
	for {
		n, err := r.Read(buf)
		if l.size+n > logHalf {
			l.out.Close()
			os.Rename(l.path, l.path+".1")
			if l.create() != nil {
				l.out = nil
			}
		}
		if n > 0 && l.out != nil {
			w, _ := l.out.Write(buf[:n])
			l.size += w
		}
		if err != nil {
			return
		}
	}
}

func (l *instanceLog) close() {
	l.in.Close()
	l.done.Wait()
	if l.out != nil {
		l.out.Close()
	}
}

func forgetOldLogs(dir string) {
	names, err := os.ReadDir(dir)
	if err != nil || len(names) < logsKept {
		return
	}
	for _, n := range names {
		if info, err := n.Info(); err == nil && time.Since(info.ModTime()) > 7*24*time.Hour {
			os.Remove(filepath.Join(dir, n.Name()))
		}
	}
}

func runLogs(a cli.Args) error {
	host, r, err := registry()
	if err != nil {
		return err
	}
	name := a.Rest[0]
	e, missing := find(r, name)
	if missing == nil {
		name = e.Instance
	}
	if !runtime.ValidInstance(name) {
		return fmt.Errorf("cannot show the log of %q: no instance has such a name", name)
	}
	path := runtime.LogFile(host, name)
	var out io.Writer = os.Stdout
	if cli.Terminal(os.Stdout) {
		w := safe.NewWriter(os.Stdout)
		defer w.Flush()
		out = w
	}
	if old, err := openPlain(path + ".1"); err == nil {
		io.Copy(out, old)
		old.Close()
	}
	f, err := openPlain(path)
	if errors.Is(err, fs.ErrNotExist) {
		if missing != nil {
			return hint.With(fmt.Errorf("cannot show a log of %q: there is none", name), "only what runs with --detach has a log; %s", hint.Of(missing))
		}
		return hint.With(fmt.Errorf("cannot show a log of %q: there is none", name), "only what runs with --detach has a log")
	}
	if err != nil {
		return fmt.Errorf("cannot show the log of %q: %w", name, err)
	}
	defer f.Close()
	for {
		if _, err := io.Copy(out, f); err != nil {
			return fmt.Errorf("cannot show the log of %q: %w", name, err)
		}
		if !a.Has("follow") {
			return nil
		}
		if _, err := r.Find(name); err != nil {
			_, err := io.Copy(out, f)
			return err
		}
		time.Sleep(100 * time.Millisecond)
	}
}

func openPlain(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW, 0)
}
