package manifest

import (
	"fmt"
	"strings"

	"sandbox/internal/hint"
)

const maxPath = 1024

// checkRelative wants a path that stays below where it starts and has one
// spelling: no leading or trailing slash, no empty, "." or ".." element. The
// users of the path resolve it beneath their root as well (CVE-2026-96282).
func checkRelative(path string) error {
	if path == "" {
		return fmt.Errorf("path is empty")
	}
	if len(path) > maxPath {
		return fmt.Errorf("path is longer than %d bytes", maxPath)
	}
	if strings.HasPrefix(path, "/") {
		return hint.With(fmt.Errorf("path %q is absolute", path), "write it relative, without the first slash")
	}
	for _, part := range strings.Split(path, "/") {
		if part == "" || part == "." || part == ".." {
			return hint.With(fmt.Errorf("path %q has the element %q", path, part), "write the path in its shortest form, without . and .. and double slashes")
		}
		if len(part) > 255 {
			return fmt.Errorf("path element is longer than 255 bytes")
		}
	}
	if strings.ContainsAny(path, "\r\n\t\\") {
		return fmt.Errorf("path %q holds a backslash, tab or line end", path)
	}
	return nil
}

// insidePath is a clean absolute path below /app or /usr; a relative one is
// meant below /app.
func insidePath(path string) (string, error) {
	if strings.HasPrefix(path, "~") {
		return "", fmt.Errorf("path %q is in a home directory", path)
	}
	if !strings.HasPrefix(path, "/") {
		path = "/app/" + path
	}
	if err := checkRelative(path[1:]); err != nil {
		return "", err
	}
	if !strings.HasPrefix(path, "/app/") && !strings.HasPrefix(path, "/usr/") {
		return "", hint.With(fmt.Errorf("path %q is not below /app or /usr", path), "files of the bundle are below /app, those of the runtime below /usr")
	}
	return path, nil
}
