package upload

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"sandbox/internal/testenv"
	"sandbox/repo/publish"
)

// versity is an S3 server that others wrote, over a directory.
func versity(t *testing.T) server {
	t.Helper()
	program := os.Getenv("SANDBOX_TEST_VERSITYGW")
	if program == "" {
		path, err := exec.LookPath("versitygw")
		if err != nil {
			testenv.Skip(t, "needs versitygw, on PATH or named by SANDBOX_TEST_VERSITYGW: go install github.com/versity/versitygw/cmd/versitygw@v1.8.0")
		}
		program = path
	}
	dir := t.TempDir()
	bucket := filepath.Join(dir, "data", "apps")
	if err := os.MkdirAll(bucket, 0o755); err != nil {
		t.Fatal(err)
	}
	address := "127.0.0.1:" + freePort(t)
	c := exec.Command(program, "--port", address, "--quiet", "posix", filepath.Join(dir, "data"))
	c.Env = append(os.Environ(), "ROOT_ACCESS_KEY=AKID", "ROOT_SECRET_KEY=s3cr3t/+key")
	c.Dir = dir
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	c.Stdout, c.Stderr = log, log
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Process.Kill(); c.Wait() })
	for end := time.Now().Add(testenv.Patience(30 * time.Second)); ; time.Sleep(20 * time.Millisecond) {
		if conn, err := net.Dial("tcp", address); err == nil {
			conn.Close()
			break
		}
		if time.Now().After(end) {
			text, _ := os.ReadFile(log.Name())
			testenv.Skip(t, "needs a versitygw that runs here, and a file system with extended attributes: %s", text)
		}
	}
	env := map[string]string{"AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "s3cr3t/+key", "AWS_REGION": "us-east-1", "AWS_ENDPOINT_URL": "http://" + address}
	return server{
		address: "s3://apps/stable/repo",
		open:    func(t testing.TB, cache string) *Place { return s3PlaceWith(t, env, "s3://apps/stable/repo", cache) },
		state:   func(t testing.TB) map[string][]byte { return readTree(t, filepath.Join(bucket, "stable/repo")) },
	}
}

// A bucket that everybody may read is a repository for its users: plain files, by
// ranges too, with what caches are told. What is not there looks like that.
func TestVersityIsReadByHTTP(t *testing.T) {
	s := versity(t)
	o := start(t, s)
	p := s.open(t, t.TempDir())
	put(t, p, o, newBundle(t, appID, "1", 3000))
	b := p.store.(*bucket)
	policy := bytesOf([]byte(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::apps/stable/*"}]}`))
	w, err := b.do(context.Background(), request{method: http.MethodPut, query: url.Values{"policy": {""}}, body: &policy})
	if err != nil {
		t.Fatal(err)
	}
	w.Body.Close()
	get := func(name, span string) (*http.Response, []byte) {
		r, _ := http.NewRequest("GET", b.base.String()+b.prefix+name, nil)
		if span != "" {
			r.Header.Set("Range", span)
		}
		w, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer w.Body.Close()
		var data bytes.Buffer
		data.ReadFrom(w.Body)
		return w, data.Bytes()
	}
	files := map[string][]byte{}
	for name := range s.state(t) {
		w, data := get(name, "")
		if w.StatusCode != 200 {
			t.Errorf("%s: %s", name, w.Status)
			continue
		}
		files[name] = data
		if cache, kind, ok := publish.Headers(name); ok && (w.Header.Get("Cache-Control") != cache || w.Header.Get("Content-Type") != kind) {
			t.Errorf("%s: %v", name, w.Header)
		}
		if part, piece := get(name, "bytes=1-2"); len(data) > 3 && (part.StatusCode != 206 || !bytes.Equal(piece, data[1:3])) {
			t.Errorf("a part of %s: %s", name, part.Status)
		}
	}
	if got := offered(t, files); len(got) != 1 {
		t.Errorf("offered: %q", got)
	}
	if w, _ := get("2.root.json", ""); w.StatusCode != 404 && w.StatusCode != 403 {
		t.Errorf("the next root: %s", w.Status)
	}
}
