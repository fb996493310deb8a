package snapshot

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"sandbox/internal/disk"
	"sandbox/internal/hint"
	"sandbox/repo/installed"
	"sandbox/repo/strictjson"
)

// Reason is why a snapshot was made.
type Reason string

const (
	Manual   Reason = "manual"
	Update   Reason = "update"   // before an update
	Rollback Reason = "rollback" // what a rollback with data replaced
	Restored Reason = "restore"  // what a restore replaced
)

// Info says what a snapshot is.
type Info struct {
	Name    string    `json:"name"`
	App     string    `json:"app"`
	Time    time.Time `json:"time"`
	Reason  Reason    `json:"reason"`
	N       uint64    `json:"n,omitempty"` // the release that was current
	Version string    `json:"version,omitempty"`
	Note    string    `json:"note,omitempty"` // unsafe: a person's own words

	Files   int   `json:"files"`
	Bytes   int64 `json:"bytes"`   // of all files
	Copied  int64 `json:"copied"`  // of them, neither linked nor cloned: what it took when it was made
	Skipped int   `json:"skipped"` // sockets, devices, files under a lease, directories that lie too deep
	Running bool  `json:"running"` // made while instances were held still
}

// Automatic reports whether it may go when there are too many.
func (i Info) Automatic() bool { return i.Reason != Manual }

const (
	infoName  = "info.json"
	indexName = "index"
	maxInfo   = 64 << 10
)

// nameOf is a snapshot's name: its time in UTC, and a number where two are of one
// second.
func nameOf(t time.Time, again int) string {
	name := t.UTC().Format("20060102T150405Z")
	if again > 1 {
		name += "-" + strconv.Itoa(again)
	}
	return name
}

// validName is the rule for a name, wherever it comes from.
func validName(unsafe string) bool {
	stamp, again, more := strings.Cut(unsafe, "-")
	t, err := time.Parse("20060102T150405Z", stamp)
	if err != nil || t.UTC().Format("20060102T150405Z") != stamp {
		return false
	}
	if !more {
		return true
	}
	n, err := strconv.Atoi(again)
	return err == nil && n > 1 && strconv.Itoa(n) == again && n < 1e6
}

// stamp and number are the parts of a valid name.
func stamp(name string) time.Time {
	t, _ := time.Parse("20060102T150405Z", name[:16])
	return t
}

func number(name string) int {
	if len(name) == 16 {
		return 1
	}
	n, _ := strconv.Atoi(name[17:])
	return n
}

// List returns the snapshots of an app, oldest first. It changes nothing.
func (h *Home) List() ([]Info, error) {
	app, err := unix.Open(h.dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err == unix.ENOENT {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot open %s: %w", h.dir, err)
	}
	defer unix.Close(app)
	snaps, err := unix.Openat(app, snapsName, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err == unix.ENOENT {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot open the snapshots of %s: %w", h.ID, err)
	}
	defer unix.Close(snaps)
	return list(snaps)
}

func list(snaps int) ([]Info, error) {
	names, err := installed.Names(snaps)
	if err != nil {
		return nil, fmt.Errorf("cannot list snapshots: %w", err)
	}
	var infos []Info
	for _, name := range names {
		if !validName(name) {
			continue
		}
		i, err := readInfo(snaps, name)
		if err != nil { // still to be deleted or restored
			i = Info{Time: stamp(name), Reason: Manual, Note: "(its description cannot be read)"}
		}
		i.Name = name
		infos = append(infos, i)
	}
	slices.SortFunc(infos, func(a, b Info) int {
		if c := strings.Compare(a.Name[:16], b.Name[:16]); c != 0 {
			return c
		}
		return number(a.Name) - number(b.Name)
	})
	return infos, nil
}

func readInfo(snaps int, name string) (i Info, err error) {
	fd, err := installed.Beneath(snaps, name+"/"+infoName, unix.O_RDONLY|unix.O_NONBLOCK)
	if err != nil {
		return i, os.NewSyscallError("open", err)
	}
	defer unix.Close(fd)
	data, err := disk.ReadFD(fd, maxInfo)
	if err != nil {
		return i, err
	}
	return i, strictjson.Unmarshal(data, &i)
}

// Find is the snapshot that a person means: by its name or the beginning of it,
// or "latest".
func (h *Home) Find(unsafeName string) (Info, error) {
	infos, err := h.List()
	if err != nil {
		return Info{}, err
	}
	return find(infos, unsafeName)
}

func find(infos []Info, unsafeName string) (Info, error) {
	if len(infos) == 0 {
		return Info{}, hint.With(errors.New("there is no snapshot"), "'sandbox snapshot create' makes one")
	}
	if unsafeName == "latest" {
		return infos[len(infos)-1], nil
	}
	var match []Info
	for _, i := range infos {
		if i.Name == unsafeName {
			return i, nil
		}
		if unsafeName != "" && strings.HasPrefix(i.Name, unsafeName) {
			match = append(match, i)
		}
	}
	switch len(match) {
	case 1:
		return match[0], nil
	case 0:
		return Info{}, hint.With(fmt.Errorf("there is no snapshot %q", unsafeName), "'sandbox snapshot list' shows those there are; \"latest\" is the last")
	}
	return Info{}, hint.With(fmt.Errorf("%q begins the names of %d snapshots", unsafeName, len(match)), "name more of it: %s or %s", match[0].Name, match[1].Name)
}

// Before is the last snapshot that was made before an update from release n; an
// error when none is there.
func (h *Home) Before(n uint64) (Info, error) {
	infos, err := h.List()
	if err != nil {
		return Info{}, err
	}
	for _, i := range slices.Backward(infos) {
		if i.Reason == Update && i.N == n {
			return i, nil
		}
	}
	return Info{}, hint.With(fmt.Errorf("no snapshot was made before the update from release %d", n), "without --with-data the data stay as they are; 'sandbox snapshot list' shows other snapshots")
}

func (w *work) writeInfo(dir int, i Info) error {
	data, err := json.Marshal(i)
	if err != nil {
		return err
	}
	return w.write(dir, infoName, append(data, '\n'))
}

func (w *work) write(dir int, name string, data []byte) error {
	if err := w.h.step("write %s", name); err != nil {
		return err
	}
	fd, err := unix.Openat(dir, name, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return os.NewSyscallError("open", err)
	}
	f := os.NewFile(uintptr(fd), name)
	if _, err = f.Write(data); err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}
