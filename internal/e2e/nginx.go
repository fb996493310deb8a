package e2e

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sandbox/internal/testenv"
)

// NeedNginx returns the path of nginx and skips when there is none.
func NeedNginx(t testing.TB) string {
	t.Helper()
	const usual = "/usr/sbin/nginx" // not in the PATH of ordinary users
	if _, err := os.Stat(usual); err == nil {
		return usual
	}
	return testenv.NeedCommand(t, "nginx")
}

// Nginx serves a directory as static files, as any web server would: nothing is
// set but the port. It returns the address and the log of requests.
func Nginx(t testing.TB, dir string) (url, log string) {
	t.Helper()
	program := NeedNginx(t)
	work := testenv.ShortDir(t)
	if os.Geteuid() == 0 {
		os.Chmod(work, 0o755)
	}
	log = filepath.Join(work, "access")
	address := freeAddress(t)
	config := filepath.Join(work, "nginx.conf")
	if err := os.WriteFile(config, []byte(nginxConfig(work, dir, address)), 0o600); err != nil {
		t.Fatal(err)
	}
	var said lockedBuffer
	c := exec.Command(program, "-e", "stderr", "-p", work, "-c", config)
	c.Stdout, c.Stderr = &said, &said
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Process.Signal(os.Interrupt)
		c.Wait()
	})
	if !Within(10*time.Second, func() bool {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			conn.Close()
		}
		return err == nil
	}) {
		t.Fatalf("nginx does not answer: %s", said.String())
	}
	return "http://" + address, log
}

// freeAddress is one that nobody listens on now.
func freeAddress(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func nginxConfig(work, dir, address string) string {
	var temp strings.Builder
	for _, what := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		fmt.Fprintf(&temp, "  %s_temp_path %s/%s;\n", what, work, what)
	}
	return fmt.Sprintf(`daemon off;
master_process off;
pid %[1]s/pid;
error_log stderr;
events {}
http {
  access_log %[1]s/access;
%[2]s  server {
    listen %[3]s;
    root %[4]s;
  }
}
`, work, temp.String(), address, dir)
}
