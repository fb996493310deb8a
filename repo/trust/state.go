package trust

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"sandbox/internal/disk"
	"sandbox/internal/hint"
	"sandbox/repo"
	"sandbox/repo/strictjson"
)

const (
	stateName   = "state.json"
	stateFormat = 1
	rootDir     = "root"
	roleDir     = "meta"
	catDir      = "cat"
	maxState    = 6*(maxTimestamp+maxSnapshot) + 4096 // a byte becomes six by quoting, at worst: <
)

// state is what was last verified. It is written in one piece: a timestamp and
// a snapshot that belong together.
type state struct {
	Format    int       `json:"format"`
	Checked   time.Time `json:"checked"` // when; the clock is never believed to be before it
	Timestamp string    `json:"timestamp"`
	Snapshot  string    `json:"snapshot"`
}

func (r *Repository) readState() (state, error) {
	if r.opt.Dir == "" {
		return state{}, nil
	}
	path := filepath.Join(r.opt.Dir, stateName)
	data, err := disk.ReadFile(path, maxState)
	if errors.Is(err, fs.ErrNotExist) {
		return state{}, nil
	}
	var st state
	if err == nil {
		err = strictjson.Unmarshal(data, &st)
	}
	if err == nil && st.Format != stateFormat {
		err = fmt.Errorf("its format is %d and this program knows %d", st.Format, stateFormat)
	}
	if err != nil {
		// Without it an old state of the repository would pass for a new one.
		return state{}, hint.With(fmt.Errorf("cannot read %q: %w", path, err), "remove the remote and add it again")
	}
	return st, nil
}

func (r *Repository) writeState(st state) error {
	st.Format = stateFormat
	data, err := json.Marshal(st)
	if err != nil {
		return err
	}
	return r.write(stateName, data)
}

// write replaces a file of the remote's directory, if there is one.
func (r *Repository) write(name string, data []byte) error {
	if r.opt.Dir == "" || r.opt.ReadOnly {
		return nil
	}
	path := filepath.Join(r.opt.Dir, name)
	err := os.MkdirAll(filepath.Dir(path), 0o755)
	if err == nil {
		err = disk.WriteFile(path, data, 0o644)
	}
	if err != nil {
		return fmt.Errorf("cannot keep what was verified: %w", err)
	}
	return nil
}

// newestRoot is the stored root with the highest version.
func newestRoot(dir string) ([]byte, error) {
	entries, err := os.ReadDir(filepath.Join(dir, rootDir))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	newest := int64(0)
	for _, e := range entries {
		text, ok := strings.CutSuffix(e.Name(), ".root.json")
		if v, err := strconv.ParseInt(text, 10, 64); ok && err == nil {
			newest = max(newest, v)
		}
	}
	if newest == 0 {
		return nil, hint.With(fmt.Errorf("there is no root in %q", dir), "remove the remote and add it again")
	}
	return disk.ReadFile(filepath.Join(dir, rootDir, rootName(newest)), maxRoot)
}

func rootName(version int64) string { return fmt.Sprintf("%d.root.json", version) }

func roleName(role string, version int64) string { return fmt.Sprintf("%d.%s.json", version, role) }

// Init puts the root that is trusted from now on into a remote's directory.
func Init(dir string, root *Root) error {
	if err := os.MkdirAll(filepath.Join(dir, rootDir), 0o755); err != nil {
		return err
	}
	return disk.WriteFile(filepath.Join(dir, rootDir, rootName(root.Version)), root.Data, 0o644)
}

// lock keeps other processes out of the directory; it waits. The file is of mode
// 0600 in the store of the machine too: flock(2) asks only that it can be opened,
// so that any user who can read it could keep root from its own remotes for ever.
func (r *Repository) lock(ctx context.Context) (unlock func(), err error) {
	if r.opt.Dir == "" || r.opt.ReadOnly {
		return func() {}, nil
	}
	f, err := os.OpenFile(filepath.Join(r.opt.Dir, "lock"), os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("cannot keep what is verified: %w", err)
	}
	if err := f.Chmod(0o600); err != nil {
		f.Close()
		return nil, fmt.Errorf("cannot keep what is verified: %w", err)
	}
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return func() { f.Close() }, nil
		}
		if err != syscall.EWOULDBLOCK && err != syscall.EINTR {
			f.Close()
			return nil, fmt.Errorf("flock: %w", err)
		}
		select {
		case <-ctx.Done():
			f.Close()
			return nil, fmt.Errorf("another process is at this remote: %w", ctx.Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// tidy removes role files and catalogues that the snapshot no longer names. It
// only saves space, so its failures are nobody's business.
func (r *Repository) tidy() {
	if r.opt.Dir == "" || r.opt.ReadOnly {
		return
	}
	entries, _ := os.ReadDir(filepath.Join(r.opt.Dir, roleDir))
	for _, e := range entries {
		version, role, _ := strings.Cut(strings.TrimSuffix(e.Name(), ".json"), ".")
		if m := r.tm.Snapshot.Signed.Meta[role+".json"]; m == nil || strconv.FormatInt(m.Version, 10) != version {
			os.Remove(filepath.Join(r.opt.Dir, roleDir, e.Name()))
		}
	}
}

// keepOnly removes the catalogues of an arch beside the wanted one.
func (r *Repository) keepOnly(arch string, wanted repo.Digest) {
	entries, _ := os.ReadDir(filepath.Join(r.opt.Dir, catDir))
	for _, e := range entries {
		if name, ok := strings.CutPrefix(e.Name(), arch+"."); ok && name != wanted.String() {
			os.Remove(filepath.Join(r.opt.Dir, catDir, e.Name()))
		}
	}
}

// Searched reports whether a catalogue is stored: somebody searches here.
func (r *Repository) Searched() bool {
	entries, _ := os.ReadDir(filepath.Join(r.opt.Dir, catDir))
	return len(entries) > 0
}

// StoredRoot is the newest root that is trusted in a remote's directory.
func StoredRoot(dir string) (*Root, error) {
	data, err := newestRoot(dir)
	if err != nil {
		return nil, err
	}
	return ReadRoot(data)
}

// LastChecked is when a remote was last asked and all was well; zero when never.
func LastChecked(dir string) time.Time {
	st, err := (&Repository{opt: Options{Dir: dir}}).readState()
	if err != nil {
		return time.Time{}
	}
	return st.Checked
}
