package main

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sandbox/internal/e2e"
	"sandbox/internal/testenv"
)

// Who asks is what the kernel says, not what the client calls itself
// (CVE-2019-7304).
func TestV01AnotherUserIsNotObeyed(t *testing.T) {
	testenv.NeedRoot(t)
	h, b := attack(t)
	// The instance of an ordinary user, and of root, whose directories are open as
	// no careful person would leave them.
	p := h.Start("run", "--name", "asked", b, "say up", "hold")
	p.Expect("up", 10*time.Second)
	sock := h.Runtime + "/sandbox/instances/asked.sock"
	for _, dir := range []string{h.Root, h.Runtime, h.Runtime + "/sandbox", h.Runtime + "/sandbox/instances"} {
		os.Chmod(dir, 0o777)
	}
	os.Chmod(sock, 0o777)
	for _, local := range []string{"@;uid=0;", "@/run/;uid=0;pid=1", ""} {
		for _, order := range []string{"enter", "pause"} {
			ops := []string{"order " + sock + " " + order + " " + local}
			got, err := asUser(h, 65534, e2e.Probe(t), ops...)
			if err != nil || !strings.Contains(got, " = ") {
				t.Fatalf("%s %v", got, err)
			}
			if strings.Contains(got, "ok {") || strings.Contains(got, "fds") {
				t.Errorf("another user asked %s as %q: %s", order, local, got)
			}
		}
	}
	if paused, _ := filepath.Glob(h.Runtime + "/sandbox/instances/*.paused"); len(paused) > 0 {
		t.Error("another user paused the instance")
	}
	for _, dir := range []string{h.Runtime, h.Runtime + "/sandbox", h.Runtime + "/sandbox/instances"} {
		os.Chmod(dir, 0o700)
	}
	// The user themself is.
	out := h.Outside("order " + sock + " pause")
	out.Is("order "+sock+" pause", "ok")
	if paused, _ := filepath.Glob(h.Runtime + "/sandbox/instances/*.paused"); len(paused) != 1 {
		t.Error("the user's own order is not obeyed")
	}
	h.Run("resume", "asked")
	h.Run("kill", "asked")
	p.Wait()
}

// asUser runs a program under another id.
func asUser(h *e2e.Home, uid uint32, program string, args ...string) (string, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return "", err
	}
	defer r.Close()
	p, err := os.StartProcess(program, append([]string{program}, args...), &os.ProcAttr{Env: h.Env, Dir: "/", Files: []*os.File{nil, w, w},
		Sys: &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}})
	w.Close()
	if err != nil {
		return "", err
	}
	out := make([]byte, 64<<10)
	n := 0
	for {
		k, err := r.Read(out[n:])
		if n += k; err != nil {
			break
		}
	}
	_, err = p.Wait()
	return string(out[:n]), err
}

// Orders that no client of ours sends: nothing is done, and the next is served.
func TestV07MalformedOrders(t *testing.T) {
	h, b := attack(t)
	p := h.Start("run", "--name", "asked", b, "say up", "hold")
	p.Expect("up", 10*time.Second)
	sock := h.Runtime + "/sandbox/instances/asked.sock"
	before := descriptors(p.Process.Pid)
	for _, text := range []string{"", "{", "null", `"enter"`, "ENTER", "enter ", "pause\x00", "pausepause", `{"do":"pause"}`, strings.Repeat("x", 100<<10), strings.Repeat("[", 60000), "\x00\x00\x00\x00"} {
		c, err := net.DialUnix("unixpacket", nil, &net.UnixAddr{Name: sock, Net: "unixpacket"})
		if err != nil {
			t.Fatalf("%.20q: %v", text, err)
		}
		// A descriptor that was not asked for is closed.
		f, _ := os.Open("/dev/null")
		c.WriteMsgUnix([]byte(text), unix.UnixRights(int(f.Fd()), int(f.Fd())), nil)
		f.Close()
		c.SetDeadline(time.Now().Add(3 * time.Second))
		buf := make([]byte, 1<<16)
		c.Read(buf)
		c.Close()
	}
	if paused, _ := filepath.Glob(h.Runtime + "/sandbox/instances/*.paused"); len(paused) > 0 {
		t.Error("a malformed order paused the instance")
	}
	// Clients that connect and say nothing.
	for range 3 {
		c, err := net.DialUnix("unixpacket", nil, &net.UnixAddr{Name: sock, Net: "unixpacket"})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	if r := h.Run("enter", "asked", "/app/bin/probe", "say entered"); r.Code != 0 || !strings.Contains(r.Stdout, "entered") {
		t.Errorf("after that: %+v", r)
	}
	if !e2e.Within(5*time.Second, func() bool { return descriptors(p.Process.Pid) <= before+1 }) {
		t.Errorf("the supervisor had %d descriptors, and has %d", before, descriptors(p.Process.Pid))
	}
	h.Run("kill", "asked")
	p.Wait()
}

func descriptors(pid int) int {
	names, _ := os.ReadDir(format("/proc/%d/fd", pid))
	return len(names)
}

// Directories that others could have prepared are not used.
func TestV09HostileRuntimeDirectory(t *testing.T) {
	h, b := attack(t)
	start := func(env ...string) e2e.Result { return h.Do(e2e.Cmd{Env: env, Args: []string{"run", b, "say ran"}}) }
	refused := func(name string, env ...string) {
		t.Helper()
		if r := start(env...); r.Code != 125 || strings.Contains(r.Stdout, "ran") || !strings.Contains(r.Stderr, "hint") {
			t.Errorf("%s: %+v", name, r)
		}
	}
	dir := h.Runtime + "/sandbox"
	for _, mode := range []os.FileMode{0o777, 0o770, 0o722} {
		os.RemoveAll(dir)
		os.Mkdir(dir, 0o700)
		os.Chmod(dir, mode)
		refused(mode.String())
	}
	os.RemoveAll(dir)
	os.MkdirAll(dir+"/instances", 0o700)
	os.Chmod(dir+"/instances", 0o777)
	refused("instances open to all")
	os.RemoveAll(dir)
	os.WriteFile(dir, nil, 0o600)
	refused("a file")
	os.Remove(dir)
	os.MkdirAll(h.Root+"/elsewhere", 0o700)
	os.Symlink(h.Root+"/elsewhere", dir)
	refused("a link")
	os.Remove(dir)
	defer func() {
		if left, _ := os.ReadDir(h.Root + "/elsewhere"); len(left) > 0 {
			t.Errorf("something was made by way of a link: %v", left)
		}
	}()
	refused("not writable", "XDG_RUNTIME_DIR=/proc")
	if _, err := os.Stat(format("/run/user/%d", os.Getuid())); err != nil {
		tmp := h.Mkdir("tmp")
		os.Symlink(h.Root+"/elsewhere", format("%s/sandbox-%d", tmp, os.Getuid()))
		start("XDG_RUNTIME_DIR=", "TMPDIR="+tmp) // it may find another place, but not this
	}
	if os.Getuid() == 0 {
		os.MkdirAll(dir, 0o700)
		os.Chown(dir, 65534, 65534)
		refused("another user's")
		os.RemoveAll(dir)
	}
	if r := start(); r.Code != 0 {
		t.Errorf("a clean one: %+v", r)
	}
}

// What an app writes in its own runtime directory nobody outside reads.
func TestV10InstanceFilesOfTheApp(t *testing.T) {
	h, b := attack(t)
	own := format("/run/user/%d", os.Getuid())
	if os.Getuid() == 0 {
		own = "/run/user/1000"
	}
	fake := `{"instance":"fake","app":"org.example.Fake","pid":2}`
	p := h.Start("run", "--name", "real", b, "mkdir "+own+"/sandbox", "mkdir "+own+"/sandbox/instances", "write "+own+"/sandbox/instances/fake.json "+fake,
		"mkdir "+h.Dir+"/.local", "mkdir "+h.Dir+"/.config", "mkdir "+h.Dir+"/.config/sandbox", "write "+h.Dir+"/.config/sandbox/x fake", "say up", "hold")
	p.Expect("say up", 10*time.Second)
	if !strings.Contains(p.Output(), "fake.json "+fake+" = ok") {
		t.Errorf("the app could not write: %s", p.Output())
	}
	if r := h.Run("ps"); strings.Contains(strings.ToLower(r.Stdout), "fake") || !strings.Contains(r.Stdout, "real") {
		t.Errorf("%+v", r)
	}
	if _, err := os.Stat(h.Dir + "/.config/sandbox/x"); err == nil {
		t.Error("the app's own configuration is the user's")
	}
	h.Run("kill", "real")
	p.Wait()
}

// Two at once under one name: one runs, the other says why not, and neither
// takes the other's entry away.
func TestV10OneNameTwice(t *testing.T) {
	h, b := attack(t)
	var wg sync.WaitGroup
	results := make([]e2e.Result, 6)
	for i := range results {
		wg.Add(1)
		go func() {
			defer wg.Done()
			results[i] = h.Run("run", "--name", "same", b, "sleep 700ms", "say ran")
		}()
	}
	wg.Wait()
	ran := 0
	for _, r := range results {
		if strings.Contains(r.Stdout, "ran") {
			ran++
		} else if r.Code != 125 || !strings.Contains(r.Stderr, "sandbox: error: ") {
			t.Errorf("%+v", r)
		}
	}
	if ran > 1 {
		t.Errorf("%d of one name ran", ran)
	}
	if r := h.Run("run", "--name", "same", b, "say ran"); r.Code != 0 {
		t.Errorf("the name is not free again: %+v", r)
	}
}

// Names become files and control groups: none leads out.
func TestV07NamesOfInstances(t *testing.T) {
	h, b := attack(t)
	canary := e2e.NewCanary(t)
	for _, name := range []string{"../x", "/etc/x", "a/b", ".", "..", ".hidden", "-x", "a b", "a\nb", "a\x1b[2J", strings.Repeat("a", 65), strings.Repeat("../", 10) + canary.Dir[1:] + "/x", "ä", "\u202e", "a%s"} {
		for _, flags := range [][]string{nil, {"--detach"}, {"--dry-run"}} {
			r := h.Run(append(append([]string{"run"}, flags...), "--name", name, b, "say ran")...)
			if r.Code == 0 || strings.Contains(r.Stdout, "ran") || strings.Contains(r.Stderr, "\x1b") || strings.Contains(r.Stderr, "\u202e") {
				t.Errorf("%q %v: %+v", name, flags, r)
			}
		}
		for _, verb := range []string{"kill", "stop", "pause", "resume", "logs", "stats", "enter"} {
			if r := h.Run(verb, "--", name); r.Code == 0 || strings.Contains(r.Stderr, "\x1b") {
				t.Errorf("%s %q: %+v", verb, name, r)
			}
		}
	}
	if r := h.Run("run", "--name", strings.Repeat("a", 50), b, "say ran"); r.Code != 0 {
		t.Errorf("%+v", r)
	}
}

// There is no socket of the supervisor's but the one in the user's directory.
func TestV12NoNetworkSocket(t *testing.T) {
	h, b := attack(t)
	p := h.Start("run", "--grant", "network:host", "--name", "net", b, "say up", "hold")
	p.Expect("up", 10*time.Second)
	var inodes []string
	names, _ := os.ReadDir(format("/proc/%d/fd", p.Process.Pid))
	for _, n := range names {
		to, _ := os.Readlink(format("/proc/%d/fd/%s", p.Process.Pid, n.Name()))
		if inode, ok := strings.CutPrefix(to, "socket:["); ok {
			inodes = append(inodes, strings.TrimSuffix(inode, "]"))
		}
	}
	if len(inodes) == 0 {
		t.Error("the supervisor has no control socket")
	}
	for _, table := range []string{"tcp", "tcp6", "udp", "udp6", "raw", "packet"} {
		for line := range strings.Lines(e2e.Read("/proc/net/" + table)) {
			for _, inode := range inodes {
				if strings.Contains(line, " "+inode+" ") {
					t.Errorf("the supervisor has a %s socket: %s", table, line)
				}
			}
		}
	}
	for line := range strings.Lines(e2e.Read("/proc/net/unix")) {
		for _, inode := range inodes {
			if strings.Contains(line, " "+inode+" ") && strings.Contains(line, "@") {
				t.Errorf("the supervisor has an abstract socket: %s", line)
			}
		}
	}
	h.Run("kill", "net")
	p.Wait()
}

// Pause and resume are only the supervisor's: a paused instance can be killed,
// and an app that resumes itself cannot.
func TestV15PausedInstancesStayPaused(t *testing.T) {
	h, b := attack(t)
	beat := h.Mkdir("beat")
	p := h.Start("run", "--name", "p", "--grant", "files:~/beat:write", b, "daemon sleep 1s, write "+beat+"/daemon x, hold", "say up", "sleep 1s", "write "+beat+"/main x", "kill 1 18", "hold")
	p.Expect("up", 10*time.Second)
	if r := h.Run("pause", "p"); r.Code != 0 {
		t.Fatalf("%+v", r)
	}
	time.Sleep(1500 * time.Millisecond)
	if got, _ := os.ReadDir(beat); len(got) > 0 {
		t.Errorf("a paused app wrote %v", got)
	}
	if r := h.Run("resume", "p"); r.Code != 0 {
		t.Fatalf("%+v", r)
	}
	if !e2e.Within(5*time.Second, func() bool { got, _ := os.ReadDir(beat); return len(got) == 2 }) {
		t.Error("the app did not go on")
	}
	h.Run("pause", "p")
	if r := h.Run("kill", "p"); r.Code != 0 {
		t.Errorf("%+v", r)
	}
	p.Wait()
}
