package publish

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sandbox/internal/hint"
)

// Who works on the directory itself heeds the lock of those who put files there over
// a network.
func TestUploadIsHeeded(t *testing.T) {
	dir, o := newRepo(t)
	path := filepath.Join(dir, UploadLock)
	write(t, path, `{"token":"x","who":"me@laptop\u001b (process 1)"}`, 0o644)
	told := ""
	o.Wait = func(who string) {
		told = who
		os.Remove(path)
	}
	publish(t, dir, o, Request{Bundles: []string{newBundle(t, app, "1", "", nil)}})
	if !strings.HasPrefix(told, "me@laptop") || strings.Contains(told, "\x1b") {
		t.Errorf("waited for %q", told)
	}
	defer func(d time.Duration) { uploadPatience = d }(uploadPatience)
	uploadPatience = 0
	o.Wait = nil
	write(t, path, "", 0o644)
	if _, err := tryPublish(t, dir, o, Request{Bundles: []string{newBundle(t, app, "2", "", nil)}}); err == nil || !strings.Contains(hint.Of(err), path) {
		t.Errorf("a lock that stays: %v", err)
	}
}
