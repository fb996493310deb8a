package repotest

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// Server carries a repository over HTTP on the loopback.
type Server struct {
	URL string
	web *httptest.Server

	mu       sync.Mutex // guards what follows
	repo     *Repo
	hook     func(w http.ResponseWriter, r *http.Request, data []byte) bool
	requests []string
}

// Serve starts a server; it ends with the test.
func Serve(t testing.TB, r *Repo) *Server {
	t.Helper()
	s := &Server{repo: r}
	s.web = httptest.NewServer(s)
	s.URL = s.web.URL
	t.Cleanup(s.Close)
	return s
}

// Close breaks all connections and listens no more.
func (s *Server) Close() {
	s.web.CloseClientConnections()
	s.web.Close()
}

// Carry replaces the repository.
func (s *Server) Carry(r *Repo) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.repo = r
}

// Misbehave sets what happens to requests; nil is nothing. A hook that returns
// false leaves the request to the server. data is nil when there is no such file.
func (s *Server) Misbehave(hook func(w http.ResponseWriter, r *http.Request, data []byte) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hook = hook
}

// Requests returns what was asked for since the last call, in order: the path,
// and the range behind a space.
func (s *Server) Requests() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.requests
	s.requests = nil
	return all
}

func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := strings.TrimPrefix(r.URL.Path, "/")
	s.mu.Lock()
	data, ok := s.repo.Files[path]
	hook := s.hook
	s.requests = append(s.requests, strings.TrimSpace(path+" "+r.Header.Get("Range")))
	s.mu.Unlock()
	if hook != nil && hook(w, r, data) {
		return
	}
	if !ok {
		http.NotFound(w, r)
		return
	}
	Send(w, r, data)
}

// Send answers with data, or with the part of it that is asked for.
func Send(w http.ResponseWriter, r *http.Request, data []byte) {
	http.ServeContent(w, r, "", time.Time{}, strings.NewReader(string(data)))
}

// Hook is a kind of misbehaviour.
type Hook = func(w http.ResponseWriter, r *http.Request, data []byte) bool

// Only applies a hook to the paths that begin so.
func Only(prefix string, hook Hook) Hook {
	return func(w http.ResponseWriter, r *http.Request, data []byte) bool {
		return strings.HasPrefix(strings.TrimPrefix(r.URL.Path, "/"), prefix) && hook(w, r, data)
	}
}

// Times applies a hook to the first n requests.
func Times(n int, hook Hook) Hook {
	var mu sync.Mutex
	return func(w http.ResponseWriter, r *http.Request, data []byte) bool {
		mu.Lock()
		n--
		now := n >= 0
		mu.Unlock()
		return now && hook(w, r, data)
	}
}

// Missing answers 404.
func Missing(w http.ResponseWriter, r *http.Request, _ []byte) bool {
	http.NotFound(w, r)
	return true
}

// Endless never stops sending.
func Endless(w http.ResponseWriter, r *http.Request, _ []byte) bool {
	block := make([]byte, 64<<10)
	for r.Context().Err() == nil {
		if _, err := w.Write(block); err != nil {
			break
		}
	}
	return true
}

// Drip sends a byte a second.
func Drip(w http.ResponseWriter, r *http.Request, data []byte) bool {
	for i := range data {
		w.Write(data[i : i+1])
		w.(http.Flusher).Flush()
		if wait(r.Context(), time.Second) != nil {
			break
		}
	}
	return true
}

// Dying breaks the connection after some bytes of each answer.
func Dying(after int64) Hook {
	return func(w http.ResponseWriter, r *http.Request, data []byte) bool {
		if data != nil {
			Send(&dying{ResponseWriter: w, left: after}, r, data)
		}
		return data != nil
	}
}

// NoRanges answers every request with the whole file.
func NoRanges(w http.ResponseWriter, r *http.Request, data []byte) bool {
	r.Header.Del("Range")
	return false
}

// Redirect leads to another address; %s stands for the path.
func Redirect(to string) Hook {
	return func(w http.ResponseWriter, r *http.Request, _ []byte) bool {
		w.Header().Set("Location", strings.ReplaceAll(to, "%s", r.URL.Path))
		w.WriteHeader(http.StatusFound)
		return true
	}
}

// Changed sends what change makes of the file.
func Changed(change func([]byte) []byte) Hook {
	return func(w http.ResponseWriter, r *http.Request, data []byte) bool {
		if data != nil {
			Send(w, r, change(append([]byte(nil), data...)))
		}
		return data != nil
	}
}

type dying struct {
	http.ResponseWriter
	left int64
}

func (d *dying) Write(p []byte) (int, error) {
	n := min(int64(len(p)), d.left)
	d.ResponseWriter.Write(p[:n])
	if d.left -= n; d.left <= 0 {
		d.ResponseWriter.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}
	return int(n), nil
}

func wait(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
