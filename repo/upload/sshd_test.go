package upload

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"sandbox/internal/testenv"
)

// sshd is a real one, on a port of the loopback, with keys of its own. The ssh that
// tests find on PATH goes there as the user's own would, with a configuration of
// its own.
type sshd struct {
	dir, port, user string
	cmd             *exec.Cmd
	log             string
}

const (
	sshdPath = "/usr/sbin/sshd"
	sftpPath = "/usr/lib/openssh/sftp-server"
)

// realSSH is found before tests put others in its way.
var realSSH, _ = exec.LookPath("ssh")

func newSSHD(t *testing.T, more ...string) *sshd {
	t.Helper()
	testenv.NeedCommand(t, "ssh")
	testenv.NeedCommand(t, "ssh-keygen")
	for _, path := range []string{sshdPath, sftpPath} {
		if _, err := os.Stat(path); err != nil {
			testenv.Skip(t, "needs openssh-server: there is no %s", path)
		}
	}
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	d := &sshd{dir: t.TempDir(), port: freePort(t), user: me.Username}
	d.log = filepath.Join(d.dir, "log")
	for _, name := range []string{"host", "id"} {
		if out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", filepath.Join(d.dir, name)).CombinedOutput(); err != nil {
			t.Fatalf("ssh-keygen: %v\n%s", err, out)
		}
	}
	if os.Getuid() == 0 {
		os.MkdirAll("/run/sshd", 0o755) // sshd wants it
	}
	lines := append([]string{
		"Port " + d.port, "ListenAddress 127.0.0.1", "HostKey " + d.dir + "/host", "AuthorizedKeysFile " + d.dir + "/id.pub",
		"StrictModes no", "UsePAM no", "PidFile none", "PermitRootLogin yes", "PasswordAuthentication no", "KbdInteractiveAuthentication no",
		"LogLevel VERBOSE", "MaxStartups 100",
	}, more...)
	if len(more) == 0 {
		lines = append(lines, "Subsystem sftp "+sftpPath)
	}
	d.write(t, "config", 0o600, strings.Join(lines, "\n")+"\n")
	host, _ := os.ReadFile(d.dir + "/host.pub")
	d.write(t, "known", 0o600, "[127.0.0.1]:"+d.port+" "+string(host))
	d.write(t, "bin/ssh", 0o755, "#!/bin/sh\nexec "+realSSH+" -F none -oIdentityFile="+d.dir+"/id -oIdentitiesOnly=yes -oUserKnownHostsFile="+d.dir+"/known -oStrictHostKeyChecking=yes -oBatchMode=yes \"$@\"\n")
	t.Setenv("PATH", d.dir+"/bin:"+os.Getenv("PATH"))
	d.start(t)
	t.Cleanup(d.stop)
	return d
}

func (d *sshd) write(t testing.TB, name string, mode os.FileMode, text string) {
	t.Helper()
	path := filepath.Join(d.dir, name)
	os.MkdirAll(filepath.Dir(path), 0o755)
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
}

func freePort(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

func (d *sshd) start(t testing.TB) {
	t.Helper()
	d.cmd = exec.Command(sshdPath, "-D", "-f", d.dir+"/config", "-E", d.log)
	d.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(testenv.Patience(20 * time.Second)); ; time.Sleep(20 * time.Millisecond) {
		if c, err := net.Dial("tcp", "127.0.0.1:"+d.port); err == nil {
			c.Close()
			return
		}
		if time.Now().After(end) {
			data, _ := os.ReadFile(d.log)
			t.Fatalf("sshd does not listen\n%s", data)
		}
	}
}

// stop ends it and all its sessions.
func (d *sshd) stop() {
	for _, pid := range d.sessions() {
		syscall.Kill(pid, syscall.SIGKILL)
	}
	syscall.Kill(-d.cmd.Process.Pid, syscall.SIGKILL)
	d.cmd.Wait()
}

// sessions are the processes below it.
func (d *sshd) sessions() (pids []int) {
	parents := map[int]bool{d.cmd.Process.Pid: true}
	for range 3 { // sshd, its child for the session, sftp-server
		stats, _ := filepath.Glob("/proc/[0-9]*/stat")
		for _, name := range stats {
			data, _ := os.ReadFile(name)
			var pid, parent int
			var state string
			fmt.Sscan(string(data), &pid)
			if i := strings.LastIndexByte(string(data), ')'); i > 0 {
				fmt.Sscan(string(data[i+1:]), &state, &parent)
			}
			if parents[parent] && !parents[pid] {
				parents[pid] = true
				pids = append(pids, pid)
			}
		}
	}
	return pids
}

// address is a directory there.
func (d *sshd) address(dir string) string {
	return "ssh://" + d.user + "@127.0.0.1:" + d.port + dir
}

func (d *sshd) server(t testing.TB) server {
	dir := filepath.Join(t.TempDir(), "srv", "repo")
	address := d.address(dir)
	return server{
		address: address,
		open: func(t testing.TB, cache string) *Place {
			p, err := Open(address, cache)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { p.Close() })
			return quick(p)
		},
		state: func(t testing.TB) map[string][]byte { return readTree(t, dir) },
	}
}

func readTree(t testing.TB, dir string) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	err := filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		name, _ := filepath.Rel(dir, path)
		data, err := os.ReadFile(path)
		files[filepath.ToSlash(name)] = data
		return err
	})
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return files
}
