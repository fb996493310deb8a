package cgroup

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// The test binary doubles as the app in the group: what VICTIM says, once the
// gate (descriptor 3) has been opened.
func TestMain(m *testing.M) {
	if v := os.Getenv("VICTIM"); v != "" {
		victim(v)
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// used is the processor time of this process so far.
func used() time.Duration {
	var ru unix.Rusage
	check(unix.Getrusage(unix.RUSAGE_SELF, &ru))
	return time.Duration(ru.Utime.Nano() + ru.Stime.Nano())
}

func victim(v string) {
	if os.Getenv("GATE") != "" {
		gate := os.NewFile(3, "gate")
		if n, _ := gate.Read(make([]byte, 1)); n != 1 {
			os.Exit(99) // the parent is gone: never run outside the group
		}
		gate.Close()
	}
	what, arg, _ := strings.Cut(v, " ")
	n, _ := strconv.Atoi(arg)
	switch what {
	case "sleep":
		time.Sleep(time.Minute)
	case "count": // one line each 10 ms, for a minute
		for i := range 6000 {
			fmt.Println(i)
			time.Sleep(10 * time.Millisecond)
		}
	case "spin": // for n milliseconds; prints how many of them it had
		before := used()
		for end := time.Now().Add(time.Duration(n) * time.Millisecond); time.Now().Before(end); {
		}
		fmt.Println((used() - before).Milliseconds())
	case "allocate": // n MiB, touched
		fmt.Println(len(touch(n)))
	case "shared": // n MiB of shared memory, touched
		fd, err := unix.MemfdCreate("victim", 0)
		check(err)
		chunk := make([]byte, 1<<20)
		for range n {
			_, err := unix.Write(fd, chunk)
			check(err)
		}
		fmt.Println(n)
	case "fork": // how many of n children could be started
		started := 0
		for range n {
			if exec.Command("sleep", "10").Start() == nil {
				started++
			}
		}
		fmt.Println(started)
		os.Exit(0)
	case "read": // n MiB of this program, not through the page cache
		fd, err := unix.Open("/proc/self/exe", unix.O_RDONLY|unix.O_DIRECT, 0)
		check(err)
		page, err := unix.Mmap(-1, 0, 1<<20, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
		check(err)
		begin := time.Now()
		for i := range n {
			got, err := unix.Pread(fd, page, int64(i)<<20)
			check(err)
			if got != len(page) {
				os.Exit(1)
			}
		}
		fmt.Println(time.Since(begin).Milliseconds())
	case "create": // a group below the own one, by the plan in the environment
		var p Plan
		check(json.Unmarshal([]byte(os.Getenv("PLAN")), &p))
		g, err := Create(p)
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		own, _ := os.ReadFile("/proc/self/cgroup")
		fmt.Println(string(own))
		check(g.Remove(context.Background()))
	case "leaf": // what is planned and made from in here
		h := Probe()
		p, err := Decide(h, "x", Unlimited())
		check(err)
		if p.Mode != V2 {
			fmt.Printf("%s: %+v\n", p.Mode, h.V2)
			return
		}
		g, err := Create(p)
		check(err)
		c := exec.Command("sleep", "20")
		c.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: g.FD()}
		check(c.Start())
		check(g.Add(c.Process.Pid))
		fmt.Println(h.V2.Base, g.Mode(), p.Groups[0].Path)
		go c.Wait()
		check(g.Remove(context.Background()))
	case "bomb": // until killed; bounded in time should that fail
		for end := time.Now().Add(20 * time.Second); time.Now().Before(end); {
			c := exec.Command("/proc/self/exe")
			c.Env = []string{"VICTIM=bomb"}
			c.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
			if c.Start() != nil {
				time.Sleep(time.Millisecond)
			}
		}
	}
}

func touch(mib int) []byte {
	b := make([]byte, mib<<20)
	for i := 0; i < len(b); i += 4096 {
		b[i] = 1
	}
	return b
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// app is a victim in a group.
type app struct {
	*exec.Cmd
	gate *os.File
	out  *strings.Builder
}

// start makes a group by the plan and puts a victim into it, its gate open.
func start(t *testing.T, p Plan, what string) (*Group, *app) {
	t.Helper()
	g, err := Create(p)
	if err != nil {
		t.Fatal(err)
	}
	a := newApp(t, what)
	t.Cleanup(func() {
		a.Process.Kill()
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := g.Remove(ctx); err != nil {
			t.Error(err)
		}
	})
	a.run(t, g.FD())
	if err := g.Add(a.Process.Pid); err != nil {
		t.Fatal(err)
	}
	a.open(t)
	return g, a
}

func newApp(t *testing.T, what string) *app {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	a := &app{Cmd: exec.Command(exe), out: new(strings.Builder)}
	a.Env = []string{"VICTIM=" + what, "GATE=1", "GOMAXPROCS=2", "PATH=" + os.Getenv("PATH")}
	a.Stdout, a.Stderr = a.out, a.out
	a.WaitDelay = time.Second // children of a victim may hold the pipe
	a.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return a
}

func (a *app) run(t *testing.T, fd int) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	a.ExtraFiles, a.gate = []*os.File{r}, w
	if fd >= 0 {
		a.SysProcAttr.UseCgroupFD, a.SysProcAttr.CgroupFD = true, fd
	}
	err = a.Start()
	r.Close()
	if err != nil {
		t.Fatal(err)
	}
}

func (a *app) open(t *testing.T) {
	t.Helper()
	if _, err := a.gate.Write([]byte{1}); err != nil {
		t.Fatal(err)
	}
	a.gate.Close()
}

// signal is what ended the app, 0 if it exited by itself.
func (a *app) signal(t *testing.T) syscall.Signal {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- a.Wait() }()
	select {
	case err := <-done:
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			if ws := exit.Sys().(syscall.WaitStatus); ws.Signaled() {
				return ws.Signal()
			}
		}
	case <-time.After(15 * time.Second):
		t.Fatal("the victim did not end")
	}
	return 0
}

func context10(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// uniqueName is a fresh instance name for real groups.
func uniqueName(t *testing.T) string {
	return "test-" + strconv.Itoa(os.Getpid()) + "-" + strconv.FormatInt(time.Now().UnixNano()%1e9, 10)
}
