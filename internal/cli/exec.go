package cli

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"sandbox/internal/hint"
)

// Exec replaces this process with another of the project's programs, the one
// beside the running executable: one found in PATH could be of another version.
// args begin with the verb. It returns only on failure.
func Exec(tool Binary, args []string) error {
	self, err := os.Executable()
	if err != nil {
		return hint.With(fmt.Errorf("cannot find %s: %w", tool, err), "is /proc mounted?")
	}
	path := filepath.Join(filepath.Dir(self), string(tool))
	err = syscall.Exec(path, append([]string{string(tool)}, args...), os.Environ())
	err = fmt.Errorf("cannot start %s: %w", path, err)
	if errors.Is(err, os.ErrNotExist) {
		return hint.With(err, "sandbox and %s belong in the same directory: install both, or run 'make build'", tool)
	}
	return err
}
