package testenv

import (
	"os"
	"path/filepath"
	"testing"
)

// ShortDir is a private temporary directory with a short path: sockets allow
// 107 bytes, which t.TempDir with a long test name exceeds.
func ShortDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "sb-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// TempXDG points HOME and the XDG variables to fresh directories of the test,
// takes the session's bus out of the environment, and returns the home.
func TempXDG(t *testing.T) string {
	t.Helper()
	root := ShortDir(t)
	home := filepath.Join(root, "home")
	for name, dir := range map[string]string{
		"HOME":            home,
		"XDG_DATA_HOME":   filepath.Join(home, ".local/share"),
		"XDG_CONFIG_HOME": filepath.Join(home, ".config"),
		"XDG_CACHE_HOME":  filepath.Join(home, ".cache"),
		"XDG_STATE_HOME":  filepath.Join(home, ".local/state"),
		"XDG_RUNTIME_DIR": filepath.Join(root, "run"),
	} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		t.Setenv(name, dir)
	}
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", "")
	return home
}
