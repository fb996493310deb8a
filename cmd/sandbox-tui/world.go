package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"sandbox/cmd/sandbox-tui/model"
	"sandbox/runtime"
)

// world is what the screens look at and act upon. Every call may take its time.
type world interface {
	List() ([]model.Instance, error)
	Stop(k model.Key, patience time.Duration) (forced bool, err error)
	Kill(k model.Key) error
	Pause(k model.Key) error
	Resume(k model.Key) error
	// Log is the last part of what a detached instance wrote; whole means that
	// it begins at the beginning of a line.
	Log(k model.Key) (data string, whole bool, err error)
}

// errGone is what acting on an instance that has ended comes to.
var errGone = errors.New("it has ended")

// host is the world of the user who is looking.
type host struct {
	registry *runtime.Registry
	machine  *runtime.Host
}

func thisHost() (*host, error) {
	h, err := runtime.ThisHost()
	if err != nil {
		return nil, err
	}
	r, err := runtime.OpenRegistry(h)
	if err != nil {
		return nil, err
	}
	return &host{r, h}, nil
}

func (h *host) List() ([]model.Instance, error) {
	entries, err := h.registry.List()
	if err != nil {
		return nil, err
	}
	out := make([]model.Instance, 0, len(entries))
	for _, e := range entries {
		u := e.Usage()
		out = append(out, model.Instance{
			Key: model.Key{Name: e.Instance, PID: e.PID},
			App: e.App, Version: e.Version, Command: e.Command, Started: e.Started,
			Paused: e.Paused(), Detached: e.Detached, Permissions: e.Permissions, Notes: e.Notes,
			CPU: u.CPU, Memory: u.Memory, Pids: u.Pids, OOM: u.OOM,
		})
	}
	return out, nil
}

// entry finds the very instance that a person saw: another one of that name is
// not it.
func (h *host) entry(k model.Key) (*runtime.Entry, error) {
	entries, err := h.registry.List()
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if e.Instance == k.Name && e.PID == k.PID {
			return e, nil
		}
	}
	return nil, fmt.Errorf("cannot reach %s: %w", k.Name, errGone)
}

func (h *host) Stop(k model.Key, patience time.Duration) (bool, error) {
	e, err := h.entry(k)
	if err != nil {
		return false, err
	}
	return e.Stop(patience)
}

func (h *host) with(k model.Key, do func(*runtime.Entry) error) error {
	e, err := h.entry(k)
	if err != nil {
		return err
	}
	return do(e)
}

func (h *host) Kill(k model.Key) error   { return h.with(k, (*runtime.Entry).Kill) }
func (h *host) Pause(k model.Key) error  { return h.with(k, (*runtime.Entry).Pause) }
func (h *host) Resume(k model.Key) error { return h.with(k, (*runtime.Entry).Resume) }

// tail is how much of a log is read.
const tail = 256 << 10

func (h *host) Log(k model.Key) (string, bool, error) {
	if !runtime.ValidInstance(k.Name) {
		return "", false, fmt.Errorf("cannot show the log of %q: no instance has such a name", k.Name)
	}
	path := runtime.LogFile(h.machine, k.Name)
	data, whole, err := readTail(path, tail)
	if errors.Is(err, fs.ErrNotExist) {
		return "", false, fmt.Errorf("cannot show the log of %s: there is none", k.Name)
	}
	if err != nil {
		return "", false, fmt.Errorf("cannot show the log of %s: %w", k.Name, err)
	}
	// The older half is in a file of its own.
	if left := tail - len(data); whole && left > 0 {
		if old, all, err := readTail(path+".1", left); err == nil {
			return old + data, all, nil
		}
	}
	return data, whole, nil
}

// readTail reads the last part of a file, and says whether that is all of it.
func readTail(path string, most int) (string, bool, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return "", false, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", false, err
	}
	if !info.Mode().IsRegular() {
		return "", false, errors.New("not a file of ours")
	}
	start := max(0, info.Size()-int64(most))
	data, err := io.ReadAll(io.NewSectionReader(f, start, int64(most)))
	return string(data), start == 0, err
}
