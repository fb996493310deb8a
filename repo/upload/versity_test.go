package upload

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"sandbox/internal/testenv"
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
