package remote

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/net/http/httpproxy"

	"sandbox/internal/hint"
)

type httpSource struct {
	base   Address
	pace   Pace
	client *http.Client
}

const maxRedirects = 3

func newHTTP(a Address, pace Pace) *httpSource {
	pace = pace.orDefault()
	proxy := httpproxy.FromEnvironment().ProxyFunc()
	s := &httpSource{base: a, pace: pace}
	s.client = &http.Client{
		Transport: &http.Transport{
			Proxy:                  func(r *http.Request) (*url.URL, error) { return proxy(r.URL) },
			DialContext:            (&net.Dialer{Timeout: pace.Connect}).DialContext,
			TLSHandshakeTimeout:    pace.Connect,
			TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
			ResponseHeaderTimeout:  pace.Answer,
			MaxResponseHeaderBytes: 64 << 10,
			MaxIdleConnsPerHost:    8,
			IdleConnTimeout:        30 * time.Second,
			DisableCompression:     true, // what is counted is what came
			ForceAttemptHTTP2:      true,
		},
		CheckRedirect: func(r *http.Request, via []*http.Request) error {
			if !a.sameOrigin(r.URL) {
				return fmt.Errorf("%w: %s://%s", ErrRedirect, r.URL.Scheme, r.URL.Host)
			}
			if len(via) > maxRedirects {
				return fmt.Errorf("%w, and that to the next one", ErrRedirect)
			}
			return nil
		},
	}
	return s
}

func (s *httpSource) String() string { return s.base.String() }

// Close gives up idle connections.
func (s *httpSource) Close() error {
	s.client.CloseIdleConnections()
	return nil
}

func (s *httpSource) Fetch(ctx context.Context, path string, max int64) (data []byte, err error) {
	for try := 0; ; try++ {
		if data, err = s.fetch(ctx, path, max); err == nil {
			return data, nil
		}
		if !transient(err) || try >= s.pace.Retries || pause(ctx, s.pace.Backoff<<min(try, 5)) != nil {
			return nil, s.explain(path, err)
		}
	}
}

func (s *httpSource) fetch(ctx context.Context, path string, max int64) ([]byte, error) {
	body, err := s.get(ctx, path, -1, 0)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	if body.length > max {
		return nil, fmt.Errorf("%w (%d bytes)", ErrTooLong, max)
	}
	data, err := io.ReadAll(io.LimitReader(body, max+1))
	if err == nil && int64(len(data)) > max {
		err = fmt.Errorf("%w (%d bytes)", ErrTooLong, max)
	}
	return data, err
}

// answer is the body of one response.
type answer struct {
	io.ReadCloser
	length int64 // -1: not said
	whole  bool
}

// get asks for n bytes from off, or for all of the file when off is negative.
func (s *httpSource) get(ctx context.Context, path string, off, n int64) (*answer, error) {
	u, err := s.base.join(path)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		cancel(nil)
		return nil, err
	}
	r.Header.Set("User-Agent", "sandbox")
	r.Header.Set("Accept-Encoding", "identity")
	if off >= 0 {
		r.Header.Set("Range", fmt.Sprintf("bytes=%d-%d", off, off+n-1))
	}
	w, err := s.client.Do(r)
	if err != nil {
		cancel(nil)
		return nil, err
	}
	if err := checkAnswer(w, off, n); err != nil {
		w.Body.Close()
		cancel(nil)
		return nil, err
	}
	return &answer{newPaced(ctx, cancel, w.Body, s.pace), w.ContentLength, w.StatusCode == http.StatusOK}, nil
}

// checkAnswer looks at the head of a response to a request of get.
func checkAnswer(w *http.Response, off, n int64) error {
	switch w.StatusCode {
	case http.StatusOK:
	case http.StatusPartialContent:
		want := fmt.Sprintf("bytes %d-%d/", off, off+n-1)
		if off < 0 || !strings.HasPrefix(w.Header.Get("Content-Range"), want) || w.ContentLength >= 0 && w.ContentLength != n {
			return fmt.Errorf("the server answers with another part than was asked for (%q)", w.Header.Get("Content-Range"))
		}
	case http.StatusNotFound, http.StatusGone, http.StatusForbidden: // 403: object stores hide what is missing
		return fmt.Errorf("%w (%s)", ErrNotFound, w.Status)
	case http.StatusRequestedRangeNotSatisfiable:
		return errors.New("the server's file is shorter than it must be")
	default:
		return statusError{w.StatusCode, w.Status}
	}
	if e := w.Header.Get("Content-Encoding"); e != "" && e != "identity" {
		return fmt.Errorf("the server sends the encoding %q, which was not asked for", e)
	}
	return nil
}

type statusError struct {
	code int
	text string
}

func (e statusError) Error() string { return fmt.Sprintf("the server answers %q", e.text) }

// transient tells whether asking again may help.
func transient(err error) bool {
	if status, ok := errors.AsType[statusError](err); ok {
		return status.code == http.StatusTooManyRequests || status.code == http.StatusRequestTimeout || status.code >= 500 && status.code != http.StatusNotImplemented
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) && !isTimeout(err) || errors.Is(err, ErrRedirect) || errors.Is(err, ErrTooSlow) {
		return false
	}
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return true
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return false
	}
	_, network := errors.AsType[net.Error](err)
	return network
}

func isTimeout(err error) bool {
	e, ok := errors.AsType[net.Error](err)
	return ok && e.Timeout()
}

// explain gives an error the file it is about, once, and the way out.
func (s *httpSource) explain(path string, err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err // its text repeats the address
	}
	wrapped := fmt.Errorf("cannot fetch %s%s: %w", s.base, path, err)
	_, status := errors.AsType[statusError](err)
	switch {
	case errors.Is(err, context.Canceled):
		return wrapped
	case errors.Is(err, ErrRedirect):
		return hint.With(wrapped, "if the repository has moved, add it at its new address")
	case errors.Is(err, ErrTooSlow), status:
		return hint.With(fmt.Errorf("%w: %w", ErrUnreachable, wrapped), "try again later")
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return hint.With(wrapped, "is this machine's clock right? is its list of certificate authorities installed (SSL_CERT_FILE)?")
	}
	if transient(err) {
		return hint.With(fmt.Errorf("%w: %w", ErrUnreachable, wrapped), "check the network; behind a proxy set HTTPS_PROXY")
	}
	return wrapped
}

// pause waits, unless ctx ends before.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
