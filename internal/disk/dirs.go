package disk

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"sandbox/internal/hint"
)

// Dirs are the places where the project keeps what it keeps. All are absolute
// and none is created by asking.
type Dirs struct {
	Data    string // apps' homes, installed bundles: $XDG_DATA_HOME/sandbox
	Config  string // decisions: $XDG_CONFIG_HOME/sandbox
	Cache   string // downloads and build caches: $XDG_CACHE_HOME/sandbox
	Runtime string // running instances: $XDG_RUNTIME_DIR/sandbox
}

// UserDirs follows the XDG base directory specification for the environment
// env and the home directory home; relative values are ignored, as it demands.
// Runtime is empty when XDG_RUNTIME_DIR is unset.
func UserDirs(env func(string) string, home string) Dirs {
	pick := func(name, fallback string) string {
		if v := env(name); filepath.IsAbs(v) {
			return filepath.Join(v, "sandbox")
		}
		return filepath.Join(home, fallback, "sandbox")
	}
	d := Dirs{
		Data:   pick("XDG_DATA_HOME", ".local/share"),
		Config: pick("XDG_CONFIG_HOME", ".config"),
		Cache:  pick("XDG_CACHE_HOME", ".cache"),
	}
	if v := env("XDG_RUNTIME_DIR"); filepath.IsAbs(v) {
		d.Runtime = filepath.Join(v, "sandbox")
	}
	return d
}

// Home is the home directory of the calling user: $HOME when it is an absolute
// path that names an existing directory, else what the password file says.
func Home() (string, error) {
	if h := os.Getenv("HOME"); h != "" {
		if !filepath.IsAbs(h) || strings.ContainsAny(h, "\n\x00:") {
			return "", hint.With(fmt.Errorf("cannot use HOME=%q", h), "set HOME to an absolute path without ':' or line breaks")
		}
		return filepath.Clean(h), nil
	}
	data, err := os.ReadFile("/etc/passwd")
	if err != nil {
		return "", err
	}
	uid := strconv.Itoa(os.Getuid())
	for line := range strings.Lines(string(data)) {
		f := strings.Split(strings.TrimSpace(line), ":")
		if len(f) >= 7 && f[2] == uid && filepath.IsAbs(f[5]) {
			return filepath.Clean(f[5]), nil
		}
	}
	return "", hint.With(errors.New("cannot find your home directory"), "set HOME")
}
