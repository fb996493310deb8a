package publish

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"sandbox/internal/disk"
	"sandbox/internal/hint"
	"sandbox/repo/strictjson"
)

// Names at the top of a repository.
const (
	layoutFile    = "sandbox-repo.json"
	timestampFile = "timestamp.json"
	metaDir       = "meta"
	configFile    = stateDir + "/config.json"
)

func rootFile(version int64) string { return fmt.Sprintf("%d.root.json", version) }

func metaFile(role string, version int64) string {
	return fmt.Sprintf("%s/%d.%s.json", metaDir, version, role)
}

// layout is sandbox-repo.json: what a client must know before anything else.
type layout struct {
	Format int `json:"format"`
	Bins   int `json:"bins"`
}

const (
	maxLayout    = 4 << 10
	maxTop       = 512 << 10 // root, timestamp
	maxRole      = 64 << 20  // bounds a mistake, no more: what is verified is ours
	maxRootChain = 1024
)

func readLayout(dir string) (bins int, err error) {
	data, err := readBounded(filepath.Join(dir, layoutFile), maxLayout)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, hint.With(errors.New("it is none: there is no "+layoutFile), "'sandbox repo init %s' makes one", dir)
	}
	if err != nil {
		return 0, err
	}
	var l layout
	if err := strictjson.Unmarshal(data, &l); err != nil {
		return 0, fmt.Errorf("%s: %w", layoutFile, err)
	}
	if l.Format != 1 {
		return 0, hint.With(fmt.Errorf("it has format %d, and this program knows 1", l.Format), "a newer version of sandbox may know it")
	}
	if !validBins(l.Bins) {
		return 0, fmt.Errorf("%s: %d bins, not 1, 16 or 256", layoutFile, l.Bins)
	}
	return l.Bins, nil
}

// config is what the publisher chose. Nothing depends on it being right.
type config struct {
	Title         string `json:"title,omitempty"`
	URL           string `json:"url,omitempty"`
	TimestampDays int    `json:"timestamp_days,omitempty"`
	Keep          int    `json:"keep,omitempty"`
}

// DefaultKeep is how many releases of a ref stay available.
const DefaultKeep = 5

func (c config) keep() int {
	if c.Keep > 0 {
		return c.Keep
	}
	return DefaultKeep
}

func (c config) timestampLife() time.Duration {
	life := time.Duration(c.TimestampDays) * day
	if life <= 0 || life > maxAge {
		return DefaultAge
	}
	return life
}

func readConfig(dir string) (config, error) {
	var c config
	data, err := readBounded(filepath.Join(dir, configFile), maxLayout)
	if errors.Is(err, fs.ErrNotExist) {
		return c, nil
	}
	if err == nil {
		err = strictjson.Unmarshal(data, &c)
	}
	if err != nil {
		return c, hint.With(fmt.Errorf("%s: %w", configFile, err), "mend it, or remove it to go by the defaults")
	}
	return c, nil
}

func (c config) write(dir string) error {
	data, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return err
	}
	return disk.WriteFile(filepath.Join(dir, configFile), append(data, '\n'), 0o644)
}

// readBounded reads a regular file of at most limit bytes.
func readBounded(path string, limit int64) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !st.Mode().IsRegular() {
		return nil, fmt.Errorf("%q is no regular file", path)
	}
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = fmt.Errorf("%q has more than %d bytes", path, limit)
	}
	return data, err
}
