package runtime

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"sandbox/internal/disk"
	"sandbox/internal/hint"
	"sandbox/runtime/cgroup"
)

// Registry is the directory of running instances, one file for each. A file is
// locked by its supervisor for as long as that lives, so one without a lock is
// what a killed supervisor left behind; the kernel ended the app with it.
type Registry struct{ dir string }

// Entry is one running instance.
type Entry struct {
	Instance    string     `json:"instance"`
	App         string     `json:"app"`
	Version     string     `json:"version"`
	Command     []string   `json:"command"`
	PID         int        `json:"pid"` // of the instance's first process
	Supervisor  int        `json:"supervisor"`
	Started     time.Time  `json:"started"`
	Permissions []string   `json:"permissions"`
	Notes       []string   `json:"notes,omitempty"`
	Group       cgroup.Ref `json:"group"`
	Detached    bool       `json:"detached"`

	registry *Registry
	lock     *os.File
}

// OpenRegistry finds the user's registry, in the session's runtime directory
// or, where a session has none (su, a container), in a directory of the user's
// own below /tmp or in the home. Others can neither read nor plant anything
// there: a directory that is not the user's alone is not used.
func OpenRegistry(host *Host) (*Registry, error) {
	var err error
	for _, base := range registryBases(host) {
		dir := filepath.Join(base, "instances")
		// Nothing is made below a base that is not ours: it may be a link.
		if err = disk.PrivateDir(base); err == nil {
			err = disk.PrivateDir(dir)
		}
		if err == nil {
			return &Registry{dir}, nil
		}
	}
	return nil, hint.With(fmt.Errorf("cannot keep a list of instances: %w", err),
		"set XDG_RUNTIME_DIR to a directory of your own with mode 0700")
}

// registryBases are the places where the registry may lie, best first. No grant
// opens one, for the control sockets are there.
func registryBases(host *Host) []string {
	if host.Dirs.Runtime != "" {
		return []string{host.Dirs.Runtime}
	}
	uid := strconv.Itoa(host.UID)
	session := filepath.Join("/run/user", uid)
	if _, err := host.Look(session); err == nil {
		return []string{filepath.Join(session, "sandbox")}
	}
	tmp := host.Env("TMPDIR")
	if !filepath.IsAbs(tmp) {
		tmp = "/tmp"
	}
	return []string{filepath.Join(tmp, "sandbox-"+uid), filepath.Join(host.Dirs.Data, "run")}
}

// ValidInstance reports whether a name can be an instance's: it becomes a file
// name and the name of a control group.
func ValidInstance(name string) bool {
	if name == "" || len(name) > 64 || name[0] == '-' || name[0] == '.' {
		return false
	}
	return !strings.ContainsFunc(name, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_' || r == '.')
	})
}

func (r *Registry) file(name string) string   { return filepath.Join(r.dir, name+".json") }
func (r *Registry) socket(name string) string { return filepath.Join(r.dir, name+".sock") }
func (r *Registry) paused(name string) string { return filepath.Join(r.dir, name+".paused") }

// clear removes every file of an instance.
func (r *Registry) clear(name string) {
	for _, f := range []string{r.file(name), r.socket(name), r.paused(name)} {
		os.Remove(f)
	}
}

// left reads what a killed supervisor had written; zero when that is unreadable.
func (r *Registry) left(name string) (e Entry) {
	f, err := os.OpenFile(r.file(name), os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return e
	}
	defer f.Close()
	if json.NewDecoder(io.LimitReader(f, 1<<20)).Decode(&e) != nil || e.Instance != name {
		return Entry{}
	}
	return e
}

// sweep clears away what a killed supervisor left under a name, and reports
// whether the name is free. The lock on what is removed keeps a new instance of
// that name, which another process may be listing just now, out of harm's way.
func (r *Registry) sweep(name string) bool {
	f, err := os.OpenFile(r.file(name), os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return errors.Is(err, fs.ErrNotExist)
	}
	defer f.Close()
	for range 20 { // others lock it for a moment to see whether anyone is there
		if err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err == nil {
			break
		}
		time.Sleep(time.Millisecond)
	}
	var held, there unix.Stat_t
	if err != nil || unix.Fstat(int(f.Fd()), &held) != nil || unix.Lstat(r.file(name), &there) != nil || held.Ino != there.Ino {
		return false
	}
	r.clear(name)
	return true
}

// Paused reports whether the instance is frozen by Pause.
func (e *Entry) Paused() bool {
	_, err := os.Lstat(e.registry.paused(e.Instance))
	return err == nil
}

// mark notes for others that the instance is paused, or is not.
func (e *Entry) mark(paused bool) error {
	name := e.registry.paused(e.Instance)
	if !paused {
		os.Remove(name)
		return nil
	}
	return disk.WriteFile(name, nil, 0o600)
}

// unnamed begins the names of entries that are being written.
const unnamed = ".new-"

// add lists an instance under its name and holds the lock on it.
func (r *Registry) add(e *Entry) error {
	if !ValidInstance(e.Instance) {
		return fmt.Errorf("cannot name an instance %q", e.Instance)
	}
	f, err := os.CreateTemp(r.dir, unnamed+"*")
	if err != nil {
		return fmt.Errorf("cannot list the instance: %w", err)
	}
	fail := func(err error) error {
		os.Remove(f.Name())
		f.Close()
		return err
	}
	// The lock goes with the file, so it is held before the name appears.
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return fail(fmt.Errorf("cannot list the instance: %w", err))
	}
	if _, err := f.Write(e.text()); err != nil {
		return fail(diskError(fmt.Errorf("cannot list the instance: %w", err)))
	}
	if err := os.Link(f.Name(), r.file(e.Instance)); err != nil {
		if errors.Is(err, fs.ErrExist) {
			if r.sweep(e.Instance) {
				err = os.Link(f.Name(), r.file(e.Instance))
			} else {
				return fail(errTaken(e.Instance))
			}
		}
		if err != nil {
			return fail(fmt.Errorf("cannot list the instance: %w", err))
		}
	}
	os.Remove(f.Name())
	e.registry, e.lock = r, f
	return nil
}

func errTaken(name string) error {
	return hint.With(fmt.Errorf("cannot start a second instance called %q", name), "choose another --name, or stop the first")
}

// free reports whether a name can be taken, before anything is made for it.
// Whoever comes second all the same finds out when it is listed.
func (r *Registry) free(name string) error {
	if e, err := r.load(name); err == nil && e != nil {
		return errTaken(name)
	}
	return nil
}

// remove takes the instance off the list. It must come before its first
// process is reaped: as long as the name is there, the pid is the instance's.
func (e *Entry) remove() {
	e.registry.clear(e.Instance)
	e.lock.Close()
}

// load reads one entry; nil when no supervisor stands behind it any more.
func (r *Registry) load(name string) (*Entry, error) {
	f, err := os.OpenFile(r.file(name), os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil || int(st.Uid) != os.Geteuid() || st.Mode&unix.S_IFMT != unix.S_IFREG || st.Size > 1<<20 {
		return nil, fmt.Errorf("cannot believe %s: not a file of ours", r.file(name))
	}
	if unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB) == nil {
		return nil, nil
	}
	e := &Entry{registry: r}
	if err := json.NewDecoder(f).Decode(e); err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", r.file(name), err)
	}
	if e.Instance != name || e.PID <= 1 {
		return nil, fmt.Errorf("cannot believe %s: it names instance %q with pid %d", r.file(name), e.Instance, e.PID)
	}
	return e, nil
}

// List returns the running instances, oldest first, and clears away what
// killed supervisors left.
func (r *Registry) List() ([]*Entry, error) {
	names, err := os.ReadDir(r.dir)
	if err != nil {
		return nil, fmt.Errorf("cannot list instances: %w", err)
	}
	var out []*Entry
	stale := false
	for _, n := range names {
		name, ok := strings.CutSuffix(n.Name(), ".json")
		if !ok || !ValidInstance(name) {
			continue
		}
		e, err := r.load(name)
		switch {
		case err == nil && e != nil:
			out = append(out, e)
		case err == nil:
			old := r.left(name)
			if r.sweep(name) {
				cgroup.Discard(old.Group)
				stale = true
			}
		}
	}
	if stale {
		r.Sweep()
	}
	slices.SortFunc(out, func(a, b *Entry) int { return a.Started.Compare(b.Started) })
	return out, nil
}

// Sweep removes what supervisors left that were killed, some before they had
// listed their instance: control groups, and entries that never got their name.
func (r *Registry) Sweep() {
	names, _ := os.ReadDir(r.dir)
	for _, n := range names {
		info, err := n.Info()
		if err == nil && strings.HasPrefix(n.Name(), unnamed) && time.Since(info.ModTime()) > 2*time.Second {
			os.Remove(filepath.Join(r.dir, n.Name()))
		}
	}
	cgroup.Sweep(cgroup.Probe(), func(name string) bool {
		at := strings.LastIndexByte(name, '.')
		if at < 0 {
			return false
		}
		e, _ := r.load(name[:at])
		return e != nil && groupName(e.Instance, e.Supervisor) == name
	})
}

// ErrNoInstance is returned for a name that no running instance has.
var ErrNoInstance = errors.New("no such instance")

// NoInstance is ErrNoInstance with what could have been meant.
type NoInstance struct {
	Name    string
	Running []*Entry
}

func (n *NoInstance) Error() string { return fmt.Sprintf("cannot find %q: %v", n.Name, ErrNoInstance) }
func (n *NoInstance) Unwrap() error { return ErrNoInstance }

// Find returns the instance that name means: its own name, or the app's id or
// the id's last part when only one instance of it runs.
func (r *Registry) Find(name string) (*Entry, error) {
	all, err := r.List()
	if err != nil {
		return nil, err
	}
	var match []*Entry
	for _, e := range all {
		if e.Instance == name {
			return e, nil
		}
		if e.App == name || strings.EqualFold(e.App[strings.LastIndex(e.App, ".")+1:], name) {
			match = append(match, e)
		}
	}
	switch len(match) {
	case 0:
		return nil, &NoInstance{name, all}
	case 1:
		return match[0], nil
	}
	names := make([]string, len(match))
	for i, e := range match {
		names[i] = e.Instance
	}
	return nil, hint.With(fmt.Errorf("cannot choose: %d instances of %s run", len(match), name), "name one of %s", strings.Join(names, ", "))
}

// open returns a pidfd of the instance's first process. The entry is still
// there after the descriptor is open, so the number had not been reused.
func (e *Entry) open() (int, error) {
	if e.PID <= 1 {
		return -1, fmt.Errorf("internal error: pid %d", e.PID)
	}
	fd, err := unix.PidfdOpen(e.PID, 0)
	if err != nil {
		return -1, fmt.Errorf("cannot reach %s: %w", e.Instance, ErrNoInstance)
	}
	again, err := e.registry.load(e.Instance)
	if err != nil || again == nil || again.PID != e.PID {
		unix.Close(fd)
		return -1, fmt.Errorf("cannot reach %s: %w", e.Instance, ErrNoInstance)
	}
	return fd, nil
}

// Signal sends sig to the app, or with SIGKILL ends the whole instance.
func (e *Entry) Signal(sig unix.Signal) error {
	fd, err := e.open()
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if err := unix.PidfdSendSignal(fd, sig, nil, 0); err != nil {
		return fmt.Errorf("cannot signal %s: %w", e.Instance, err)
	}
	return nil
}
