package upload

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sandbox/internal/hint"
	"sandbox/internal/testenv"
	"sandbox/repo/publish"
)

// mortal is a store that dies with its process at one call: the connection is cut,
// and nothing works any more.
type mortal struct {
	store
	mu    sync.Mutex
	calls []string
	stop  int // at this call, from 1; 0: never
	after bool
	kill  func()
	dead  bool
}

var errDead = errors.New("the power went")

// call counts, and runs do unless the end has come.
func (m *mortal) call(name string, do func() error) error {
	m.mu.Lock()
	if m.dead {
		m.mu.Unlock()
		return errDead
	}
	m.calls = append(m.calls, name)
	last := len(m.calls) == m.stop
	m.dead = last
	m.mu.Unlock()
	if last && !m.after {
		m.kill()
		return errDead
	}
	err := do()
	if last {
		m.kill()
		return errDead
	}
	return err
}

func (m *mortal) list(ctx context.Context) (files map[string]int64, err error) {
	err = m.call("list", func() (e error) { files, e = m.store.list(ctx); return e })
	return files, err
}

func (m *mortal) get(ctx context.Context, name string) (body io.ReadCloser, tag string, err error) {
	err = m.call("get "+name, func() (e error) { body, tag, e = m.store.get(ctx, name); return e })
	return body, tag, err
}

func (m *mortal) put(ctx context.Context, name string, c content, when condition, sent func(int64)) error {
	return m.call("put "+name, func() error { return m.store.put(ctx, name, c, when, sent) })
}

func (m *mortal) remove(ctx context.Context, name string) error {
	return m.call("remove "+name, func() error { return m.store.remove(ctx, name) })
}

// The connection and the publisher die at every step that changes something. Readers
// see the old state or the new one, and the same command, which finds its own lock,
// leads to the new one.
func TestSSHDiesAtEveryStep(t *testing.T) {
	d := newSSHD(t)
	first := d.server(t)
	o := start(t, first)
	p := first.open(t, t.TempDir())
	put(t, p, o, newBundle(t, appID, "1", 60_000), newBundle(t, "org.example.Other", "1", 3000))
	if err := p.Change(context.Background(), o, false, func(r *publish.Repository) error { _, err := r.Retract(appID, true); return err }); err != nil {
		t.Fatal(err)
	}
	before := first.state(t)
	old := offered(t, before)
	bundle := newBundle(t, appID, "2", 5000)
	for name, op := range map[string]func(p *Place) error{
		"publish": func(p *Place) error { _, err := tryPut(p, o, bundle); return err },
		"gc":      func(p *Place) error { _, err := collect(p, o); return err },
	} {
		t.Run(name, func(t *testing.T) {
			again := func(files map[string][]byte) server {
				s := d.server(t)
				dir := strings.TrimPrefix(s.address, d.address(""))
				for name, data := range files {
					path := filepath.Join(dir, name)
					os.MkdirAll(filepath.Dir(path), 0o755)
					os.WriteFile(path, data, 0o644)
				}
				return s
			}
			whole := again(before)
			p := whole.open(t, t.TempDir())
			all := &mortal{store: p.store}
			p.store = all
			if err := op(p); err != nil {
				t.Fatal(err)
			}
			after := offered(t, whole.state(t))
			died := map[string]bool{}
			for stop, call := range all.calls {
				verb, name, _ := strings.Cut(call, " ")
				if room, _, below := strings.Cut(name, "/"); below && room != "meta" && name != lockFile {
					call = verb + " " + room // one of each will do
				}
				if verb != "put" && verb != "remove" || died[call] {
					continue
				}
				died[call] = true
				if testing.Short() && len(died)%4 != 0 {
					continue
				}
				for _, late := range []bool{false, true} {
					if late && name != lockFile && name != publish.TimestampFile {
						continue // it is like dying before the next
					}
					s := again(before)
					cache := t.TempDir()
					p := s.open(t, cache)
					p.store = &mortal{store: p.store, stop: stop + 1, after: late, kill: d.killSessions}
					if err := op(p); err == nil && stop+1 < len(all.calls) {
						t.Errorf("%q and dead: it is said to be done", call)
					}
					if got := offered(t, s.state(t)); !slices.Equal(got, old) && !slices.Equal(got, after) {
						t.Errorf("dead at %q: neither old nor new: %q", call, got)
					}
					if err := op(s.open(t, cache)); err != nil {
						t.Errorf("dead at %q, then again: %v", call, err)
					}
					state := s.state(t)
					if got := offered(t, state); !slices.Equal(got, after) {
						t.Errorf("dead at %q, then again: %q, want %q", call, got, after)
					}
					for name := range state {
						if name == lockFile || isStray(name) {
							t.Errorf("dead at %q, then again: %s stays", call, name)
						}
					}
				}
			}
			if len(died) < 5 {
				t.Errorf("died at %q only", slices.Sorted(maps.Keys(died)))
			}
		})
	}
}

// killSessions ends all connections; the server goes on.
func (d *sshd) killSessions() {
	for _, pid := range d.sessions() {
		syscall.Kill(pid, syscall.SIGKILL)
	}
}

// A connection that breaks is made anew, and the command goes on, even in the
// middle of a file. What the cut left is removed.
func TestSSHConnectionBreaks(t *testing.T) {
	d := newSSHD(t)
	s := d.server(t)
	o := start(t, s)
	p := s.open(t, t.TempDir())
	var once sync.Once
	o.Progress = func(e publish.Event) {
		if e.Stage == "upload" && e.Done > 100_000 {
			once.Do(d.killSessions)
		}
	}
	put(t, p, o, newBundle(t, appID, "1", 3_000_000))
	once.Do(func() { t.Error("nothing was cut") })
	put(t, p, o, newBundle(t, appID, "2", 10))
	if got := offered(t, s.state(t)); len(got) != 2 {
		t.Errorf("offered: %q", got)
	}
	for name := range s.state(t) {
		if isStray(name) {
			t.Errorf("%s stays", name)
		}
	}
}

// One that is interrupted gives its lock up.
func TestSSHInterrupted(t *testing.T) {
	d := newSSHD(t)
	s := d.server(t)
	o := start(t, s)
	before := s.state(t)
	ctx, cancel := context.WithCancel(context.Background())
	o.Progress = func(e publish.Event) {
		if e.Stage == "upload" {
			cancel()
		}
	}
	err := s.open(t, t.TempDir()).Change(ctx, o, false, func(r *publish.Repository) error {
		_, err := r.Publish(ctx, publish.Request{Bundles: []string{newBundle(t, appID, "1", 3_000_000)}})
		return err
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
	if after := s.state(t); !same(before, after) {
		t.Errorf("interrupted, there is %q", slices.Sorted(keys(after)))
	}
}

func TestSSHRefuses(t *testing.T) {
	publishing := func(t *testing.T, address string) error {
		p, err := Open(address, t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		_, err = tryPut(quick(p), publish.Options{}, newBundle(t, appID, "1", 10))
		return err
	}
	d := newSSHD(t)
	none := newSSHD(t, "AllowTcpForwarding no") // and no subsystem
	for _, c := range []struct {
		name      string
		prepare   func(t *testing.T)
		address   string
		want, way string
	}{
		{"no repository", nil, d.address("/nonexistent/repo"), "no repository", "repo init"},
		{"nobody listens", nil, "ssh://127.0.0.1:" + freePort(t) + "/srv/repo", "refused", "port"},
		{"no such host", nil, "ssh://nonexistent.invalid/srv/repo", "resolve", "name of the host"},
		{"no sftp", func(t *testing.T) { t.Setenv("PATH", none.dir+"/bin:"+os.Getenv("PATH")) }, none.address("/srv/repo"), "subsystem request failed", "openssh-sftp-server"},
		{"another host's key", func(t *testing.T) {
			key, _ := os.ReadFile(none.dir + "/host.pub")
			known, _ := os.ReadFile(d.dir + "/known")
			d.write(t, "known", 0o600, "[127.0.0.1]:"+d.port+" "+string(key))
			t.Cleanup(func() { d.write(t, "known", 0o600, string(known)) })
		}, d.address("/srv/repo"), "verification failed", "ssh -p " + d.port},
		{"a key that it does not know", func(t *testing.T) {
			mine, _ := os.ReadFile(d.dir + "/id.pub")
			other, _ := os.ReadFile(none.dir + "/id.pub")
			d.write(t, "id.pub", 0o600, string(other))
			t.Cleanup(func() { d.write(t, "id.pub", 0o600, string(mine)) })
		}, d.address("/srv/repo"), "Permission denied", "ssh -p " + d.port},
		{"no ssh", func(t *testing.T) { t.Setenv("PATH", t.TempDir()) }, d.address("/srv/repo"), "no ssh", "openssh-client"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Setenv("PATH", d.dir+"/bin:"+os.Getenv("PATH"))
			if c.prepare != nil {
				c.prepare(t)
			}
			err := publishing(t, c.address)
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(hint.Of(err), c.way) {
				t.Errorf("%v (hint %q)", err, hint.Of(err))
			}
		})
	}
	t.Setenv("PATH", d.dir+"/bin:"+os.Getenv("PATH"))
	s := d.server(t)
	start(t, s)

	dir := filepath.Join(t.TempDir(), "full")
	os.MkdirAll(filepath.Join(dir, "photos"), 0o755)
	p, _ := Open(d.address(dir), t.TempDir())
	defer p.Close()
	_, err := p.Init(context.Background(), publish.InitOptions{})
	if err == nil || !strings.Contains(err.Error(), `"photos/"`) || hint.Of(err) == "" {
		t.Errorf("a directory of somebody's: %v", err)
	}
	if left, _ := os.ReadDir(dir); len(left) != 1 {
		t.Errorf("it was touched: %v", left)
	}
}

// What an sftp server calls "failure" is explained.
func TestSSHDiskTrouble(t *testing.T) {
	d := newSSHD(t)
	o := publish.Options{}
	try := func(t *testing.T, dir, want, way string) {
		t.Helper()
		p, err := Open(d.address(dir), t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		_, err = tryPut(quick(p), o, newBundle(t, "org.example.Big", "1", 8_000_000))
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(hint.Of(err), way) {
			t.Errorf("%v (hint %q)", err, hint.Of(err))
		}
	}
	if os.Getuid() != 0 {
		s := d.server(t)
		o = start(t, s)
		dir := strings.TrimPrefix(s.address, d.address(""))
		sub := filepath.Join(dir, "pack")
		os.Mkdir(sub, 0o555)
		try(t, dir, "denied", "writable")
		os.Chmod(sub, 0o755)
		put(t, s.open(t, t.TempDir()), o, newBundle(t, appID, "1", 10))
		return
	}
	mnt := t.TempDir()
	if err := unix.Mount("none", mnt, "tmpfs", 0, "size=2m"); err != nil {
		testenv.Skip(t, "needs to mount a tmpfs: %v", err)
	}
	t.Cleanup(func() { unix.Unmount(mnt, unix.MNT_DETACH) })
	dir := filepath.Join(mnt, "repo")
	p, err := Open(d.address(dir), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	o = start(t, server{address: d.address(dir), open: func(testing.TB, string) *Place { return quick(p) }})
	put(t, p, o, newBundle(t, appID, "1", 10))
	before := readTree(t, dir)
	try(t, dir, "disk is full", "free some space")
	if after := readTree(t, dir); !same(before, after) {
		t.Errorf("after a full disk there is %q", slices.Sorted(keys(after)))
	}
	if err := unix.Mount("none", mnt, "tmpfs", unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	try(t, dir, "read-only", "mounted for writing")
}

// Files are for a web server, whatever the umask of the account is.
func TestSSHFilesAreForAWebServer(t *testing.T) {
	d := newSSHD(t, "Subsystem sftp "+sftpPath+" -u 077")
	s := d.server(t)
	o := start(t, s)
	put(t, s.open(t, t.TempDir()), o, newBundle(t, appID, "1", 10))
	dir := strings.TrimPrefix(s.address, d.address(""))
	seen := 0
	filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err != nil {
			t.Fatal(err)
		}
		st, _ := e.Info()
		want := os.FileMode(0o444)
		if e.IsDir() {
			want = 0o555
		}
		if st.Mode().Perm()&want != want {
			t.Errorf("%s has mode %v", path, st.Mode())
		}
		seen++
		return nil
	})
	if seen < 10 {
		t.Errorf("%d files", seen)
	}
}

// The home of the account is written as ~.
func TestSSHBelowHome(t *testing.T) {
	d := newSSHD(t)
	p, err := Open(d.address("/~/"+fmt.Sprintf("sandbox-test-%d/repo", os.Getpid())), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	defer func() {
		home, _ := os.UserHomeDir()
		os.RemoveAll(filepath.Join(home, fmt.Sprintf("sandbox-test-%d", os.Getpid())))
	}()
	k := newKey(t)
	if _, err := p.Init(context.Background(), initOptions(k)); err != nil {
		t.Fatal(err)
	}
	if _, err := tryPut(p, publish.Options{Keys: initOptions(k).Keys}, newBundle(t, appID, "1", 10)); err != nil {
		t.Error(err)
	}
}

// Of many who reach for the lock at once, one gets it.
func TestSSHLockIsExclusive(t *testing.T) {
	d := newSSHD(t)
	s := d.server(t)
	var stores []store
	for range 4 {
		p := s.open(t, t.TempDir())
		if _, err := p.list(context.Background()); err != nil { // connected
			t.Fatal(err)
		}
		stores = append(stores, p.store)
	}
	for round := range 30 {
		var wg sync.WaitGroup
		got := make([]error, len(stores))
		for i, st := range stores {
			wg.Go(func() {
				got[i] = st.put(context.Background(), lockFile, bytesOf(fmt.Appendf(nil, "%d", i)), condition{absent: true}, nil)
			})
		}
		wg.Wait()
		won := 0
		for _, err := range got {
			if err == nil {
				won++
			} else if !errors.Is(err, errCondition) {
				t.Error(err)
			}
		}
		if won != 1 {
			t.Fatalf("round %d: %d have the lock", round, won)
		}
		if err := stores[0].remove(context.Background(), lockFile); err != nil {
			t.Fatal(err)
		}
	}
}

// What a user has set for logins by hand does not get into the way of the subsystem,
// and no connection is left behind.
func TestSSHOfAUser(t *testing.T) {
	d := newSSHD(t)
	for name, lines := range map[string]string{
		"a command there":     "RemoteCommand tmux attach\nRequestTTY force\n",
		"a shared connection": "ControlMaster auto\nControlPersist 60\nControlPath " + d.dir + "/control\n",
		"forwarding":          "LocalForward " + freePort(t) + " 127.0.0.1:1\nExitOnForwardFailure yes\n",
	} {
		t.Run(name, func(t *testing.T) {
			d.write(t, "ssh_config", 0o600, lines)
			d.write(t, "bin/ssh", 0o755, "#!/bin/sh\nexec "+realSSH+" -F "+d.dir+"/ssh_config -oIdentityFile="+d.dir+"/id -oIdentitiesOnly=yes -oUserKnownHostsFile="+d.dir+"/known -oStrictHostKeyChecking=yes -oBatchMode=yes \"$@\"\n")
			ctx, cancel := context.WithTimeout(context.Background(), testenv.Patience(20*time.Second))
			defer cancel()
			s := newDirectory(mustParse(t, d.address(t.TempDir())))
			if err := s.put(ctx, "timestamp.json", bytesOf([]byte("{}")), condition{}, nil); err != nil {
				t.Fatal(err)
			}
			if err := s.close(); err != nil {
				t.Error(err)
			}
			if _, err := os.Stat(d.dir + "/control"); err == nil {
				t.Error("the connection stays open")
				exec.Command(realSSH, "-F", "none", "-oControlPath="+d.dir+"/control", "-O", "exit", "x").Run()
			}
		})
	}
}

func mustParse(t *testing.T, text string) Address {
	t.Helper()
	a, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return a
}
