package publish

import (
	"fmt"
	"path/filepath"
	"strings"

	"sandbox/internal/hint"
	"sandbox/repo/key"
)

// Settings are what can be changed of a repository without a signature. A nil
// field stays as it is.
type Settings struct {
	Title, URL          *string
	TimestampDays, Keep *int
	Name                string // of the .sandboxremote file; "": the one there is
}

// Set changes settings, and writes the file for users anew.
func (r *Repository) Set(s Settings) (remoteFile string, err error) {
	if remoteFile, err = r.change(s); err != nil {
		return "", explain(fmt.Errorf("cannot change the settings of %q: %w", r.called(), err))
	}
	return remoteFile, nil
}

func (r *Repository) change(s Settings) (string, error) {
	c := r.config
	if s.Title != nil {
		c.Title = *s.Title
	}
	if s.URL != nil {
		c.URL = *s.URL
	}
	if s.TimestampDays != nil {
		c.TimestampDays = *s.TimestampDays
	}
	if s.Keep != nil {
		c.Keep = *s.Keep
	}
	if err := c.check(); err != nil {
		return "", err
	}
	name, err := r.remoteName(s.Name)
	if err != nil {
		return "", err
	}
	root, err := readBounded(r.path(rootFile(1)), maxTop)
	if err != nil {
		return "", err
	}
	r.config = c
	if err := c.write(r.dir); err != nil {
		return "", err
	}
	return r.writeRemoteFile(name, root)
}

// remoteName is what the file for users is called: as asked, as it is, or as
// the directory.
func (r *Repository) remoteName(name string) (string, error) {
	if name != "" {
		return name, checkRemoteName(name)
	}
	have, err := filepath.Glob(filepath.Join(escape(r.dir), "*"+remoteSuffix))
	if err != nil {
		return "", err
	}
	switch len(have) {
	case 1:
		return strings.TrimSuffix(filepath.Base(have[0]), remoteSuffix), nil
	case 0:
		absolute, err := filepath.Abs(r.dir)
		if err != nil {
			return "", err
		}
		name = filepath.Base(absolute)
		return name, checkRemoteName(name)
	}
	return "", hint.With(fmt.Errorf("there are %d files *%s", len(have), remoteSuffix), "name the one with --name")
}

func checkRemoteName(name string) error {
	if err := key.CheckName(name); err != nil {
		return hint.With(fmt.Errorf("the remote cannot be called %q", name), "give it a name of letters, digits and . _ - with --name")
	}
	return nil
}

func escape(dir string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(dir)
}

func (c config) check() error {
	if c.TimestampDays < 0 || c.TimestampDays > int(maxAge/day) {
		return hint.With(fmt.Errorf("a timestamp of %d days", c.TimestampDays), "1 to %d days; it is how long a stale mirror goes unnoticed", maxAge/day)
	}
	if c.Keep < 0 {
		return fmt.Errorf("%d releases to keep", c.Keep)
	}
	if err := checkURL(c.URL); err != nil {
		return err
	}
	return checkTitle(c.Title)
}
