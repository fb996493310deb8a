package terminal

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// usage is the resident memory in KiB and the CPU time in ticks of a process.
func usage(t *testing.T, pid string) (rss, ticks int) {
	t.Helper()
	status, err := os.ReadFile("/proc/" + pid + "/status")
	if err != nil {
		t.Skip("needs /proc: ", err)
	}
	for line := range strings.Lines(string(status)) {
		fmt.Sscanf(line, "VmRSS: %d kB", &rss)
	}
	stat, _ := os.ReadFile("/proc/" + pid + "/stat")
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return rss, user + system
}

// Attack G06: output without end to a terminal that takes none.
func TestStalledTerminalCostsNeitherMemoryNorTime(t *testing.T) {
	s := newSession(t)
	pid := s.run(job{App: []string{"yes"}})
	s.expect("y\r\n")
	s.mu.Lock()
	s.paused = true
	s.mu.Unlock()
	time.Sleep(300 * time.Millisecond)
	rss, ticks := usage(t, pid)
	time.Sleep(1500 * time.Millisecond)
	rssAfter, ticksAfter := usage(t, pid)
	if rssAfter > rss+2048 {
		t.Errorf("resident memory grew from %d to %d KiB", rss, rssAfter)
	}
	if ticksAfter-ticks > 10 {
		t.Errorf("%d ticks were spent while nothing could be done", ticksAfter-ticks)
	}
	s.mu.Lock()
	s.paused = false
	s.mu.Unlock()
	s.typed("\x03")
	s.wait("exit 130")
}

func TestFloodCostsNoMemory(t *testing.T) {
	s := newSession(t)
	pid := s.run(job{App: []string{"yes"}})
	s.expect("y\r\n")
	time.Sleep(200 * time.Millisecond)
	rss, _ := usage(t, pid)
	time.Sleep(time.Second)
	if after, _ := usage(t, pid); after > rss+2048 {
		t.Errorf("resident memory grew from %d to %d KiB", rss, after)
	}
	s.typed("\x03")
	s.wait("exit 130")
}

func TestIdleRelaySleeps(t *testing.T) {
	s := newSession(t)
	pid := s.run(job{App: []string{"/bin/sh", "-c", "echo up; read x"}})
	s.expect("up")
	time.Sleep(200 * time.Millisecond)
	_, before := usage(t, pid)
	time.Sleep(time.Second)
	if _, after := usage(t, pid); after-before > 2 {
		t.Errorf("%d ticks were spent idle", after-before)
	}
	s.typed("\r")
	s.wait("exit 0")
}

func TestInputThatTheAppDoesNotReadWaits(t *testing.T) {
	s := newSession(t)
	s.sh("stty raw -echo; echo up; sleep 0.5; head -c 60000 | cksum; stty sane")
	s.expect("up")
	paste := strings.Repeat("0123456789", 6000)
	go s.typed(paste) // blocks until the app reads
	want, err := exec.Command("sh", "-c", "head -c 60000 /dev/zero | tr '\\0' x >/dev/null; printf %s '"+paste+"' | cksum").Output()
	if err != nil {
		t.Skip("needs cksum: ", err)
	}
	s.expect(strings.TrimSpace(string(want)))
	s.wait("exit 0")
}

func TestNonblockingOutputIsCompleteAndStaysNonblocking(t *testing.T) {
	s := newSession(t)
	s.run(job{Nonblock: true, App: []string{"/bin/sh", "-c", "head -c 300000 /dev/zero | tr '\\0' x; printf END"}})
	s.wait("exit 0")
	s.expect("END")
	if n := strings.Count(s.screen(), "x"); n != 300000 {
		t.Errorf("%d bytes of 300000 arrived", n)
	}
}

// attach relays between a new outer terminal and a new pty in this process.
func attach(t *testing.T, own bool) (outer, inner *Pty, relay *Relay) {
	t.Helper()
	outer = newPty(t)
	fd := int(outer.Slave.Fd())
	std, err := Inspect([3]int{fd, fd, fd})
	if err != nil {
		t.Fatal(err)
	}
	if inner, err = Open(std); err != nil {
		t.Fatal(err)
	}
	relay = New(std, inner, Options{OwnSignals: true})
	if own {
		err = relay.Start()
	} else {
		err = relay.start(&user{in: fd, out: fd, control: fd})
	}
	if err != nil {
		t.Fatal(err)
	}
	return outer, inner, relay
}

// Attack G06: a thousand attachments leave no goroutine and no descriptor.
func TestNothingIsLeftBehind(t *testing.T) {
	descriptors := func() int {
		list, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Skip("needs /proc: ", err)
		}
		return len(list)
	}
	_, _, relay := attach(t, true) // the runtime's signal goroutine stays once it is there
	relay.Finish()
	goroutines, files := runtime.NumGoroutine(), descriptors()
	for range 1000 {
		outer, inner, relay := attach(t, true)
		inner.Slave.WriteString("x")
		if err := relay.Finish(); err != nil {
			t.Fatal(err)
		}
		outer.Close()
	}
	if n := runtime.NumGoroutine(); n > goroutines {
		t.Errorf("%d goroutines became %d", goroutines, n)
	}
	if n := descriptors(); n > files {
		t.Errorf("%d descriptors became %d", files, n)
	}
}

func TestCallersDescriptorsServeWhenTheTerminalCannotBeOpenedAgain(t *testing.T) {
	for _, nonblock := range []bool{false, true} {
		t.Run(fmt.Sprint(nonblock), func(t *testing.T) {
			outer, inner, relay := attach(t, false)
			unix.SetNonblock(int(outer.Slave.Fd()), nonblock)
			unix.SetNonblock(int(outer.Master.Fd()), false)
			inner.Slave.WriteString("out")
			buf := make([]byte, 10)
			if n, err := unix.Read(int(outer.Master.Fd()), buf); err != nil || string(buf[:n]) != "out" {
				t.Errorf("read %q, %v", buf[:max(n, 0)], err)
			}
			outer.Master.WriteString("in\r")
			if n, err := unix.Read(int(inner.Slave.Fd()), buf); err != nil || string(buf[:n]) != "in\n" {
				t.Errorf("read %q, %v", buf[:max(n, 0)], err)
			}
			if err := relay.Finish(); err != nil {
				t.Error(err)
			}
		})
	}
}

// A supervisor is continued while it finishes: whoever killed its app sends the
// signal, in case it had stopped with it.
func TestContinuedWhileItFinishes(t *testing.T) {
	outer, _, relay := attach(t, true)
	cooked := func() bool {
		now, err := unix.IoctlGetTermios(int(outer.Slave.Fd()), unix.TCGETS)
		return err == nil && now.Lflag&unix.ICANON != 0
	}
	if cooked() {
		t.Fatal("the terminal was not taken")
	}
	entered, busy := make(chan struct{}), make(chan struct{})
	relay.post(func() { close(entered); <-busy })
	<-entered
	finished := make(chan error)
	go func() { finished <- relay.Finish() }()
	for len(relay.commands) == 0 {
		time.Sleep(time.Millisecond)
	}
	relay.post(relay.reconsider) // as SIGCONT does
	close(busy)
	if err := <-finished; err != nil {
		t.Error(err)
	}
	if !cooked() {
		t.Error("the terminal was not restored")
	}
}

func TestRelayThatWasNeverStarted(t *testing.T) {
	outer := newPty(t)
	fd := int(outer.Slave.Fd())
	std, _ := Inspect([3]int{fd, fd, fd})
	inner, err := Open(std)
	if err != nil {
		t.Fatal(err)
	}
	relay := New(std, inner, Options{})
	relay.Restore()
	if relay.Foreground() {
		t.Error("in the foreground before the start")
	}
	if err := relay.Finish(); err != nil {
		t.Error(err)
	}
	if inner.Slave.Close() == nil {
		t.Error("the pty is still open")
	}
}

func TestRestoreLetsFinishGoOn(t *testing.T) {
	outer, inner, relay := attach(t, true)
	raw, _ := unix.IoctlGetTermios(int(outer.Slave.Fd()), unix.TCGETS)
	go func() {
		for {
			if _, err := inner.Slave.WriteString(strings.Repeat("x", 1000)); err != nil {
				return
			}
		}
	}()
	time.Sleep(100 * time.Millisecond) // by now nobody reads and everything is full
	finished := make(chan error, 1)
	go func() { finished <- relay.Finish() }()
	select {
	case <-finished:
		t.Fatal("finished although the last bytes cannot have arrived")
	case <-time.After(200 * time.Millisecond):
	}
	relay.Restore()
	select {
	case <-finished:
	case <-time.After(5 * time.Second):
		t.Fatal("a terminal that takes nothing holds us")
	}
	if now, _ := unix.IoctlGetTermios(int(outer.Slave.Fd()), unix.TCGETS); *now == *raw {
		t.Error("the modes were not restored")
	}
}

func TestResizeStorm(t *testing.T) {
	s := newSession(t)
	// The last size must arrive; when is the machine's business.
	s.sh("trap : WINCH; echo up; read x; until [ \"$(stty size)\" = '41 142' ]; do sleep 0.05; done; stty size")
	s.expect("up")
	for i := range 2000 {
		s.resize(uint16(i%500), uint16((i*7)%500))
	}
	s.resize(41, 142)
	s.typed("\r")
	s.expect("41 142\r\n")
	s.wait("exit 0")
}

// supervisor is the command line of a supervisor for shells that are not ours.
func supervisor(script string) string {
	self, _ := os.Executable()
	data, _ := json.Marshal(job{App: []string{"/bin/sh", "-c", script}})
	return fmt.Sprintf("%s=supervisor TERMINAL_TEST_JOB='%s' %s\r", roleVar, strings.ReplaceAll(string(data), "'", `'\''`), self)
}

func TestRealShells(t *testing.T) {
	for _, shell := range [][]string{{"bash", "--norc", "--noprofile", "--noediting", "-i"}, {"dash", "-i"}, {"zsh", "-f", "-i"}} {
		t.Run(shell[0], func(t *testing.T) {
			if _, err := exec.LookPath(shell[0]); err != nil {
				t.Skip("needs ", shell[0])
			}
			cmd := exec.Command(shell[0], shell[1:]...)
			cmd.Env = append(os.Environ(), "PS1=ready> ", "TERM=dumb")
			s := startSession(t, cmd)
			s.expect("ready> ")
			s.typed(supervisor("echo u''p; read a; echo first=$a; read b; echo second=$b; exit 5"))
			s.expect("up\r\n")
			s.typed("one\r")
			s.expect("first=one")
			s.typed("\x1a")
			s.until("the shell's notice", func() bool {
				return strings.Contains(s.screen(), "Stopped") || strings.Contains(s.screen(), "suspended")
			})
			s.typed("echo in''between\r")
			s.expect("inbetween")
			s.typed("fg\r")
			time.Sleep(200 * time.Millisecond)
			s.typed("two\r")
			s.until("the prompt", func() bool {
				_, after, done := strings.Cut(s.screen(), "second=two")
				return done && strings.Contains(after, "ready> ")
			})
			s.typed("echo status=$?\r")
			s.expect("status=5")
		})
	}
}

func TestStartedByAScriptItStopsWithTheScript(t *testing.T) {
	s := newSession(t)
	s.run(job{Script: true, App: []string{"/bin/sh", "-c", "echo up; read line; echo got:$line; exit 6"}})
	s.expect("up")
	s.typed("\x1a")
	if got := s.do(order{Do: "wait"}); !strings.HasPrefix(got, "stopped") {
		t.Fatal(got)
	}
	s.do(order{Do: "fg"})
	s.until("raw mode after fg", s.isRaw)
	s.typed("x\r")
	s.expect("got:x")
	s.wait("exit 6")
}

// As in "xterm -e": stopped, it would stay so for ever.
func TestWithoutAShellCtrlZDoesNotStop(t *testing.T) {
	data, _ := json.Marshal(job{App: []string{"/bin/sh", "-c", "echo up; read line; echo got:$line"}})
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), roleVar+"=supervisor", "TERMINAL_TEST_JOB="+string(data))
	s := startSession(t, cmd)
	s.expect("up")
	s.typed("\x1a")
	time.Sleep(100 * time.Millisecond)
	s.typed("x\r")
	s.expect("got:x")
}
