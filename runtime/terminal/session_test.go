package terminal

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The tests run this binary again as a shell on a real pty, which starts it as a
// supervisor, which starts it as init, which starts the app: what happens to
// process groups and modes is the kernel's doing, not a mock's.
const roleVar = "TERMINAL_TEST_ROLE"

func TestMain(m *testing.M) {
	switch os.Getenv(roleVar) {
	case "shell":
		shell()
	case "supervisor":
		os.Exit(supervise())
	case "relay":
		os.Exit(relayFile(os.Args[1]))
	case "app":
		app()
	case "init":
		initProcess()
	default:
		os.Exit(m.Run())
	}
	os.Exit(0)
}

// job is what the shell starts.
type job struct {
	App        []string
	Background bool
	Stdin      string // a file instead of the terminal
	Stdout     string
	Options    Options
	Nonblock   bool // standard output is O_NONBLOCK
	Script     bool // started by a script, so not the leader of its process group
}

type order struct {
	Do  string // run, fg, bg, wait, kill, terminal
	Job job
	Sig int
}

// shell is a job-control shell on fd 0, ordered about through fds 3 and 4.
func shell() {
	orders := json.NewDecoder(os.NewFile(3, "orders"))
	answers := os.NewFile(4, "answers")
	ignore(1, unix.SIGTTOU, unix.SIGTTIN, unix.SIGTSTP)
	modes, _ := unix.IoctlGetTermios(0, unix.TCGETS)
	pid := 0
	for {
		var o order
		if orders.Decode(&o) != nil {
			return
		}
		answer := "ok"
		switch o.Do {
		case "run":
			pid = launch(o.Job)
			answer = fmt.Sprint(pid)
		case "fg":
			unix.IoctlSetPointerInt(0, unix.TIOCSPGRP, pid)
			unix.Kill(-pid, unix.SIGCONT)
		case "fg-running": // bash sends no SIGCONT to a job that is not stopped
			unix.IoctlSetPointerInt(0, unix.TIOCSPGRP, pid)
		case "bg":
			unix.Kill(-pid, unix.SIGCONT)
		case "kill":
			unix.Kill(pid, unix.Signal(o.Sig))
		case "wait":
			var status unix.WaitStatus
			for {
				if _, err := unix.Wait4(pid, &status, unix.WUNTRACED, nil); err != unix.EINTR {
					break
				}
			}
			switch {
			case status.Stopped():
				answer = "stopped " + unix.SignalName(status.StopSignal())
			case status.Signaled():
				answer = "signal " + unix.SignalName(status.Signal())
			default:
				answer = fmt.Sprintf("exit %d", status.ExitStatus())
			}
			unix.IoctlSetPointerInt(0, unix.TIOCSPGRP, unix.Getpgrp())
			if o.Sig == 1 { // as bash: the shell's own modes
				unix.IoctlSetTermios(0, unix.TCSETS, modes)
			}
		}
		fmt.Fprintln(answers, answer)
	}
}

// ignore sets signals to be ignored (1) or to their default (0): signal.Reset
// leaves stop signals ignored after signal.Ignore, for children too.
func ignore(handler uint64, signals ...unix.Signal) {
	action := [4]uint64{handler}
	for _, sig := range signals {
		unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(sig), uintptr(unsafe.Pointer(&action)), 0, 8, 0, 0)
	}
}

// launch starts the supervisor in a process group of its own.
func launch(j job) int {
	data, _ := json.Marshal(j)
	cmd := exec.Command("/proc/self/exe")
	if j.Script {
		self, _ := os.Executable()
		cmd = exec.Command("/bin/sh", "-c", "\"$0\"; exit $?", self)
	}
	cmd.Env = append(os.Environ(), roleVar+"=supervisor", "TERMINAL_TEST_JOB="+string(data))
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	if j.Stdin != "" {
		cmd.Stdin, _ = os.Open(j.Stdin)
	}
	if j.Stdout != "" {
		cmd.Stdout, _ = os.Create(j.Stdout)
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Foreground: !j.Background, Ctty: 0}
	if j.Background {
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	}
	ignore(0, unix.SIGTTOU, unix.SIGTTIN, unix.SIGTSTP)
	err := cmd.Start()
	ignore(1, unix.SIGTTOU, unix.SIGTTIN, unix.SIGTSTP)
	if err != nil {
		return -1
	}
	return cmd.Process.Pid
}

// app says when it is continued. It forks nothing: a shell that is stopped
// between vfork and exec of a child waits for the child, on any terminal.
func app() {
	continued := make(chan os.Signal, 1)
	signal.Notify(continued, unix.SIGCONT)
	fmt.Println("up")
	<-continued
	fmt.Println("continued")
	time.Sleep(300 * time.Millisecond)
	os.Exit(4)
}

// report is what init tells the supervisor.
type report struct {
	Stopped int
	Exited  bool
	Status  int
}

// supervise does what the launcher does, without a sandbox.
func supervise() int {
	var j job
	json.Unmarshal([]byte(os.Getenv("TERMINAL_TEST_JOB")), &j)
	if j.Nonblock {
		unix.SetNonblock(1, true)
	}
	std, err := Inspect([3]int{0, 1, 2})
	if err != nil || !std.Any {
		fmt.Fprintln(os.Stderr, "no terminal:", err)
		return 125
	}
	pty, err := Open(std)
	if err != nil {
		return 125
	}
	relay := New(std, pty, j.Options)
	defer relay.Restore()
	if err := relay.Start(); err != nil {
		return 125
	}
	files := [3]*os.File{os.Stdin, os.Stdout, os.Stderr}
	for i := range files {
		if std.TTY[i] {
			files[i] = pty.Slave
		}
	}
	orders, toInit, _ := os.Pipe()
	fromInit, answers, _ := os.Pipe()
	cmd := exec.Command("/proc/self/exe", append([]string{fmt.Sprint(relay.Foreground())}, j.App...)...)
	cmd.Env = append(os.Environ(), roleVar+"=init")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = files[0], files[1], files[2]
	cmd.ExtraFiles = []*os.File{orders, answers, pty.Slave}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return 125
	}
	orders.Close()
	answers.Close()
	reports := json.NewDecoder(bufio.NewReader(fromInit))
	for {
		var rep report
		if err := reports.Decode(&rep); err != nil {
			relay.Finish()
			return 124
		}
		if rep.Exited {
			if err := relay.Finish(); err != nil {
				return 125
			}
			return rep.Status
		}
		resume := relay.Stopped(unix.Signal(rep.Stopped))
		json.NewEncoder(toInit).Encode(resume)
	}
}

// initProcess is pid 1 of the sandbox: session leader on the slave (fd 5), parent of the app.
func initProcess() {
	if err := unix.IoctlSetInt(5, unix.TIOCSCTTY, 0); err != nil {
		os.Exit(99)
	}
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, unix.SIGHUP)
	orders, answers := json.NewDecoder(os.NewFile(3, "orders")), json.NewEncoder(os.NewFile(4, "answers"))
	unix.CloseOnExec(3)
	unix.CloseOnExec(4)
	cmd := exec.Command(os.Args[2], os.Args[3:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	unix.CloseOnExec(5)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if os.Args[1] == "true" {
		cmd.SysProcAttr.Foreground, cmd.SysProcAttr.Ctty = true, 5
	}
	if err := cmd.Start(); err != nil {
		answers.Encode(report{Exited: true, Status: 127})
		return
	}
	pid := cmd.Process.Pid
	go func() {
		for range hup {
			unix.Kill(-pid, unix.SIGHUP)
			unix.Kill(-pid, unix.SIGCONT)
		}
	}()
	for {
		var status unix.WaitStatus
		_, err := unix.Wait4(pid, &status, unix.WUNTRACED, nil)
		if err == unix.EINTR {
			continue
		}
		if !status.Stopped() {
			code := status.ExitStatus()
			if status.Signaled() {
				code = 128 + int(status.Signal())
			}
			answers.Encode(report{Exited: true, Status: code})
			return
		}
		answers.Encode(report{Stopped: int(status.StopSignal())})
		var resume Resume
		if orders.Decode(&resume) != nil {
			unix.Kill(-pid, unix.SIGKILL)
			return
		}
		group := unix.Getpgrp()
		if resume.Foreground {
			group = pid
		}
		ignore(1, unix.SIGTTOU)
		unix.IoctlSetPointerInt(5, unix.TIOCSPGRP, group)
		ignore(0, unix.SIGTTOU)
		if resume.Hangup {
			unix.Kill(-pid, unix.SIGHUP)
		}
		unix.Kill(-pid, unix.SIGCONT)
	}
}

// session is a user at a terminal.
type session struct {
	t       *testing.T
	master  *os.File
	shell   *exec.Cmd
	orders  *json.Encoder
	answers *bufio.Scanner
	ends    []*os.File

	mu     sync.Mutex
	seen   bytes.Buffer
	paused bool
	reply  func(seen []byte) []byte // plays a terminal that answers
}

func newSession(t *testing.T) *session {
	t.Helper()
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), roleVar+"=shell")
	return startSession(t, cmd)
}

// startSession runs any program as the session leader on a new terminal.
func startSession(t *testing.T, cmd *exec.Cmd) *session {
	t.Helper()
	pty, err := Open(Std{Control: -1})
	if err != nil {
		t.Skip("needs a pty: ", err)
	}
	unix.SetNonblock(int(pty.Master.Fd()), false)
	ordersR, ordersW, _ := os.Pipe()
	answersR, answersW, _ := os.Pipe()
	cmd.Stdin, cmd.Stdout, cmd.Stderr = pty.Slave, pty.Slave, pty.Slave
	cmd.ExtraFiles = []*os.File{ordersR, answersW}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true, Ctty: 0}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ordersR.Close()
	answersW.Close()
	pty.Slave.Close()
	s := &session{t: t, master: pty.Master, shell: cmd, orders: json.NewEncoder(ordersW),
		answers: bufio.NewScanner(answersR), ends: []*os.File{ordersW, answersR}}
	go s.watch()
	t.Cleanup(s.close)
	return s
}

func (s *session) close() {
	unix.Kill(s.shell.Process.Pid, unix.SIGKILL)
	for _, f := range s.ends {
		f.Close()
	}
	s.master.Close()
	s.shell.Wait()
}

func (s *session) watch() {
	buf := make([]byte, 64<<10)
	for {
		s.mu.Lock()
		paused := s.paused
		s.mu.Unlock()
		if paused {
			time.Sleep(5 * time.Millisecond)
			continue
		}
		n, err := s.master.Read(buf)
		if err != nil && !errors.Is(err, unix.EINTR) {
			if errors.Is(err, unix.EIO) {
				time.Sleep(time.Millisecond)
				continue
			}
			return
		}
		s.mu.Lock()
		s.seen.Write(buf[:n])
		reply := s.reply
		s.mu.Unlock()
		if reply != nil {
			if answer := reply(buf[:n]); answer != nil {
				s.master.Write(answer)
			}
		}
	}
}

func (s *session) do(o order) string {
	s.t.Helper()
	if err := s.orders.Encode(o); err != nil {
		s.t.Fatal(err)
	}
	answer := make(chan string, 1)
	go func() {
		s.answers.Scan()
		answer <- s.answers.Text()
	}()
	select {
	case a := <-answer:
		return a
	case <-time.After(20 * time.Second):
		s.t.Fatalf("%s: no answer from the shell; on the screen: %q", o.Do, tail(s.screen()))
		return ""
	}
}

func (s *session) run(j job) string { s.t.Helper(); return s.do(order{Do: "run", Job: j}) }
func (s *session) sh(script string) {
	s.t.Helper()
	s.run(job{App: []string{"/bin/sh", "-c", script}})
}

func (s *session) wait(want string) {
	s.t.Helper()
	if got := s.do(order{Do: "wait"}); got != want {
		s.t.Fatalf("the job ended with %q, want %q; on the screen: %q", got, want, tail(s.screen()))
	}
}

func (s *session) screen() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen.String()
}

func (s *session) typed(text string) { s.master.WriteString(text) }

func (s *session) expect(text string) {
	s.t.Helper()
	s.until(fmt.Sprintf("%q on the screen", text), func() bool { return strings.Contains(s.screen(), text) })
}

func (s *session) until(what string, holds func() bool) {
	s.t.Helper()
	for end := time.Now().Add(10 * time.Second); !holds(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			s.t.Fatalf("waited for %s; on the screen: %q", what, tail(s.screen()))
		}
	}
}

func (s *session) modes() unix.Termios {
	t, err := unix.IoctlGetTermios(int(s.master.Fd()), unix.TCGETS)
	if err != nil {
		s.t.Fatal(err)
	}
	return *t
}

func (s *session) isRaw() bool { return s.modes().Lflag&(unix.ICANON|unix.ECHO|unix.ISIG) == 0 }

func (s *session) resize(rows, cols uint16) {
	unix.IoctlSetWinsize(int(s.master.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: rows, Col: cols})
}

func tail(s string) string { return s[max(0, len(s)-400):] }
