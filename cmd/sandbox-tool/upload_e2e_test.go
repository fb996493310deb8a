package main

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/xml"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"sandbox/internal/e2e"
	"sandbox/internal/testenv"
)

// From nothing to an installed app: the repository is made and filled at its address,
// and its users find plain files at another, over http.
func TestPublishToAServer(t *testing.T) {
	t.Run("ssh", func(t *testing.T) {
		p := newPackager(t)
		address, dir := sshServer(t, p)
		web := httptest.NewServer(http.FileServer(http.Dir(dir)))
		t.Cleanup(web.Close)
		publishAndInstall(t, p, address, web.URL)
	})
	t.Run("S3", func(t *testing.T) {
		p := newPackager(t)
		s := httptest.NewServer(&plainBucket{files: map[string][]byte{}})
		t.Cleanup(s.Close)
		p.Env = append(p.Env, "AWS_ENDPOINT_URL="+s.URL, "AWS_ACCESS_KEY_ID=AKID", "AWS_SECRET_ACCESS_KEY=hunter2")
		publishAndInstall(t, p, "s3://apps/stable", s.URL+"/apps/stable")
	})
}

func publishAndInstall(t *testing.T, p packager, address, web string) {
	p.ok("key", "create", "release", "--no-passphrase")
	p.fails(1, "no repository", "publish", "--repo", address, bundleOf(t, "org.example.Edit", "1.0"))
	fingerprint := p.ok("repo", "init", "--key", "release", "--url", web, "--title", "Example", address)
	p.fails(1, "repository already", "repo", "init", "--key", "release", address)
	if out := p.ok("publish", "--repo", address, bundleOf(t, "org.example.Edit", "1.0")); !strings.HasPrefix(out, "app/org.example.Edit/any/stable@1\t1.0\t") {
		t.Errorf("publish printed %q", out)
	}
	p.Env = append(p.Env, "SANDBOX_REPO="+address)
	p.ok("publish", "--channel", "beta", bundleOf(t, "org.example.Edit", "2.0"))
	p.ok("promote", "org.example.Edit/beta", "stable")
	p.ok("eol", "org.example.Edit/beta", "-m", "use stable")
	p.ok("retract", "app/org.example.Edit/any/beta")
	p.ok("repo", "refresh")
	p.ok("repo", "publisher", "add", "acme", "--pattern", "com.acme.*", "--public", p.Dir+"/.config/sandbox/keys/release.pub")
	p.ok("repo", "publisher", "remove", "acme")
	p.ok("repo", "rotate")
	if out := p.ok("repo", "gc", "--now"); !strings.Contains(out, "cat/") {
		t.Errorf("gc printed %q", out)
	}
	if out := p.ok("repo", "set", "--title", "Another"); !strings.HasPrefix(out, address+"/") || !strings.HasSuffix(out, ".sandboxremote") {
		t.Errorf("set printed %q", out)
	}
	if out := p.ok("repo", "show"); !strings.Contains(out, fingerprint) || !strings.Contains(out, "app/org.example.Edit/any/stable ") {
		t.Errorf("show printed %q", out)
	}
	p.ok("repo", "unlock", address)
	p.fails(2, "works on a directory", "repo", "serve")
	p.fails(2, "needs no unlocking", "repo", "unlock", p.Dir)

	// One that was a directory until now.
	p.ok("repo", "init", "--key", "release", "local")
	p.ok("publish", "--repo", "local", bundleOf(t, "org.example.Edit", "7"))
	if out := p.ok("repo", "upload", "local", address+"/second"); out != address+"/second" {
		t.Errorf("upload printed %q", out)
	}
	p.ok("publish", "--repo", address+"/second", bundleOf(t, "org.example.Edit", "8"))
	p.fails(2, "no address", "repo", "upload", "local", "elsewhere")

	u := newPackager(t)
	u.ok("remote", "add", "main", web, "--key", fingerprint)
	u.ok("install", "--yes", "org.example.Edit")
	if out := u.ok("list"); !strings.Contains(out, "org.example.Edit") || !strings.Contains(out, "2.0") {
		t.Errorf("installed: %s", out)
	}
}

// ^C on the terminal reaches ssh too, and yet the lock is given up.
func TestPublishInterruptedOnATerminal(t *testing.T) {
	p := newPackager(t)
	address, dir := sshServer(t, p)
	p.ok("key", "create", "release", "--no-passphrase")
	p.ok("repo", "init", "--key", "release", address)
	for n := 0; ; n++ {
		big := make([]byte, 48<<20)
		rand.Read(big)
		b := e2e.Bundle(t, "id = \"org.example.Big\"\nversion = \"1\"\ncommand = \"main\"\n", map[string]string{"files/bin/main": "=x", "files/data": "=" + string(big)})
		tty := p.Pty("publish", "--force", "--repo", address, b)
		tty.Expect("upload", 30*time.Second)
		tty.Type("\x03")
		code := tty.Wait(30 * time.Second)
		if code == 0 && n < 5 {
			continue // it was faster
		}
		if code != 130 {
			t.Errorf("interrupted: status %d, %s", code, tty.Output())
		}
		break
	}
	if _, err := os.Stat(dir + "/.publish/upload.lock"); err == nil {
		t.Error("the lock stays")
	}
	p.ok("repo", "refresh", address)
}

// sshServer starts a real sshd for p, and says under which address which directory
// is reached. p's ssh knows the way.
func sshServer(t *testing.T, p packager) (address, dir string) {
	const sshd, sftp = "/usr/sbin/sshd", "/usr/lib/openssh/sftp-server"
	keygen, ssh := testenv.NeedCommand(t, "ssh-keygen"), testenv.NeedCommand(t, "ssh")
	for _, path := range []string{sshd, sftp} {
		if _, err := os.Stat(path); err != nil {
			testenv.Skip(t, "needs openssh-server: there is no %s", path)
		}
	}
	at := t.TempDir()
	for _, name := range []string{"host", "id"} {
		if out, err := exec.Command(keygen, "-q", "-t", "ed25519", "-N", "", "-f", filepath.Join(at, name)).CombinedOutput(); err != nil {
			t.Fatalf("ssh-keygen: %v\n%s", err, out)
		}
	}
	if os.Getuid() == 0 {
		os.MkdirAll("/run/sshd", 0o755)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	l.Close()
	write := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(at, name)
		os.MkdirAll(filepath.Dir(path), 0o755)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	host, _ := os.ReadFile(at + "/host.pub")
	config := write("config", "Port "+port+"\nListenAddress 127.0.0.1\nHostKey "+at+"/host\nAuthorizedKeysFile "+at+"/id.pub\nStrictModes no\nUsePAM no\nPidFile none\nPermitRootLogin yes\nPasswordAuthentication no\nSubsystem sftp "+sftp+"\n", 0o600)
	known := write("known", "[127.0.0.1]:"+port+" "+string(host), 0o600)
	wrapper := write("bin/ssh", "#!/bin/sh\nexec "+ssh+" -F none -oIdentityFile="+at+"/id -oIdentitiesOnly=yes -oUserKnownHostsFile="+known+" -oBatchMode=yes \"$@\"\n", 0o755)
	for i, e := range p.Env {
		if rest, ok := strings.CutPrefix(e, "PATH="); ok {
			p.Env[i] = "PATH=" + filepath.Dir(wrapper) + ":" + rest
		}
	}
	c := exec.Command(sshd, "-D", "-e", "-f", config)
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Process.Kill(); c.Wait() })
	if !e2e.Within(20*time.Second, func() bool {
		conn, err := net.Dial("tcp", "127.0.0.1:"+port)
		if err == nil {
			conn.Close()
		}
		return err == nil
	}) {
		t.Fatal("sshd does not listen")
	}
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	dir = filepath.Join(t.TempDir(), "srv", "repo")
	return fmt.Sprintf("ssh://%s@127.0.0.1:%s%s", me.Username, port, dir), dir
}

// plainBucket is the least that a store of one bucket must do: package upload has a
// stricter one, and the real ones.
type plainBucket struct {
	mu    sync.Mutex
	files map[string][]byte
}

func (b *plainBucket) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	defer b.mu.Unlock()
	body, _ := io.ReadAll(r.Body)
	data, there := b.files[r.URL.Path]
	tag := fmt.Sprintf(`"%x"`, sha256.Sum256(data))
	switch {
	case r.Method == http.MethodGet && r.URL.Query().Has("list-type"):
		fmt.Fprint(w, "<ListBucketResult>")
		for name, data := range b.files {
			if key := strings.TrimPrefix(name, "/apps/"); strings.HasPrefix(key, r.URL.Query().Get("prefix")) {
				fmt.Fprint(w, "<Contents><Key>")
				xml.EscapeText(w, []byte(key))
				fmt.Fprintf(w, "</Key><Size>%d</Size></Contents>", len(data))
			}
		}
		fmt.Fprint(w, "</ListBucketResult>")
	case r.Method == http.MethodGet && there:
		w.Header().Set("ETag", tag)
		http.ServeContent(w, r, "", time.Time{}, strings.NewReader(string(data)))
	case r.Method == http.MethodGet:
		http.NotFound(w, r)
	case r.Method == http.MethodDelete:
		delete(b.files, r.URL.Path)
		w.WriteHeader(http.StatusNoContent)
	case r.Header.Get("If-None-Match") == "*" && there, r.Header.Get("If-Match") != "" && r.Header.Get("If-Match") != tag:
		w.WriteHeader(http.StatusPreconditionFailed)
	default:
		b.files[r.URL.Path] = body
	}
}
