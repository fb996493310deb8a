package publish

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"sandbox/internal/hint"
	"sandbox/internal/lazy"
)

// served are the names that a repository has; everything else in its directory
// does not exist for clients.
var (
	hashed    = lazy.Regexp(`^(?:(?:man|loc|pack|delta)/([0-9a-f]{2})/([0-9a-f]{64})|cat/([0-9a-f]{64}))$`)
	versioned = lazy.Regexp(`^(?:[1-9][0-9]*\.root\.json|meta/[1-9][0-9]*\.[a-z0-9-]+\.json)$`)
	named     = lazy.Regexp(`^(?:sandbox-repo\.json|timestamp\.json|[A-Za-z0-9][A-Za-z0-9._-]*\.sandboxremote)$`)
)

// Handler serves the repository in dir as plain files: ranges, entity tags, and
// headers that let caches keep for ever what never changes. It lists no
// directory and follows no way out of dir.
func Handler(dir string) (http.Handler, error) {
	if _, err := readLayout(dir); err != nil {
		return nil, fmt.Errorf("cannot serve %q: %w", dir, err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("cannot serve %q: %w", dir, err)
	}
	return &handler{root}, nil
}

type handler struct{ root *os.Root }

func (h *handler) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	w.Header().Set("X-Content-Type-Options", "nosniff")
	if q.Method != http.MethodGet && q.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "only GET and HEAD", http.StatusMethodNotAllowed)
		return
	}
	name := strings.TrimPrefix(q.URL.Path, "/")
	cache, tag := policy(name)
	if cache == "" {
		notFound(w)
		return
	}
	f, err := h.root.OpenFile(name, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		notFound(w)
		return
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil || !st.Mode().IsRegular() {
		notFound(w)
		return
	}
	if tag == "" {
		if tag, err = contentTag(f); err != nil {
			notFound(w)
			return
		}
	}
	w.Header().Set("ETag", `"`+tag+`"`)
	w.Header().Set("Cache-Control", cache)
	w.Header().Set("Content-Type", contentType(name))
	http.ServeContent(w, q, "", st.ModTime(), f)
}

// contentTag is for files whose name says nothing of their content. They are
// small; a time would not tell two writes apart that follow closely.
func contentTag(f *os.File) (string, error) {
	h := sha256.New()
	if _, err := io.Copy(h, io.LimitReader(f, maxRoleFile)); err != nil {
		return "", err
	}
	_, err := f.Seek(0, io.SeekStart)
	return hex.EncodeToString(h.Sum(nil)[:16]), err
}

// policy is how long caches may keep a file, and its entity tag where the name
// is one. Names that a repository does not have are "".
func policy(name string) (cache, tag string) {
	const forEver = "public, max-age=31536000, immutable"
	if m := hashed().FindStringSubmatch(name); m != nil {
		if m[2] != "" && !strings.HasPrefix(m[2], m[1]) {
			return "", ""
		}
		return forEver, m[2] + m[3]
	}
	switch {
	case versioned().MatchString(name):
		return forEver, ""
	case named().MatchString(name):
		return "no-cache", "" // kept, but asked for each time
	}
	return "", ""
}

// notFound must not be remembered: the next root will be there one day.
func notFound(w http.ResponseWriter) {
	w.Header().Set("Cache-Control", "no-store")
	http.Error(w, "not found", http.StatusNotFound)
}

func contentType(name string) string {
	if strings.HasSuffix(name, ".json") || strings.HasSuffix(name, remoteSuffix) {
		return "application/json"
	}
	return "application/octet-stream"
}

// Serve answers on address until ctx ends. ready is told the address that it
// listens on.
func Serve(ctx context.Context, dir, address string, ready func(net.Addr)) error {
	h, err := Handler(dir)
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return hint.With(fmt.Errorf("cannot serve %q: %w", dir, err), "name another address with --listen HOST:PORT; port 0 takes a free one")
	}
	s := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 16 << 10}
	stop := context.AfterFunc(ctx, func() {
		patience, cancel := context.WithTimeout(context.Background(), 3*time.Second)
		defer cancel()
		if s.Shutdown(patience) != nil {
			s.Close()
		}
	})
	defer stop()
	if ready != nil {
		ready(l.Addr())
	}
	if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("cannot serve %q: %w", dir, err)
	}
	return nil
}
