package terminal

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestTerminalIsRawWhileTheAppRunsAndRestoredAfter(t *testing.T) {
	s := newSession(t)
	before := s.modes()
	s.sh("echo up; read line; echo got:$line; exit 7")
	s.expect("up\r\n")
	if !s.isRaw() {
		t.Error("the terminal is not raw while the app runs")
	}
	s.typed("hello\r")
	s.expect("got:hello\r\n")
	s.wait("exit 7")
	if s.modes() != before {
		t.Error("the modes were not restored")
	}
}

func TestAppHasItsOwnTerminal(t *testing.T) {
	s := newSession(t)
	s.sh("ls -l /proc/self/fd/0; exec 9</dev/tty && echo controlled")
	s.expect("controlled")
	s.wait("exit 0")
	var st unix.Stat_t
	n, err := unix.IoctlGetUint32(int(s.master.Fd()), unix.TIOCGPTN)
	if err != nil || unix.Fstat(int(s.master.Fd()), &st) != nil {
		t.Fatal(err)
	}
	if strings.Contains(s.screen(), fmt.Sprintf("/dev/pts/%d\r", n)) {
		t.Errorf("the app was given the user's terminal: %s", s.screen())
	}
}

func TestCtrlCReachesTheAppOnly(t *testing.T) {
	s := newSession(t)
	s.sh("trap 'echo interrupted; exit 3' INT; echo up; while :; do sleep 0.05; done")
	s.expect("up")
	s.typed("\x03")
	s.expect("interrupted")
	s.wait("exit 3")
}

func TestCtrlCStopsAFlood(t *testing.T) {
	s := newSession(t)
	s.run(job{App: []string{"yes"}})
	s.expect("y\r\ny\r\n")
	s.typed("\x03")
	s.wait("exit 130")
}

func TestCtrlZStopsTheJobAndForegroundContinuesIt(t *testing.T) {
	s := newSession(t)
	before := s.modes()
	s.sh("echo up; read line; echo first:$line; read line; echo second:$line")
	for i := range 2 {
		if i == 0 {
			s.expect("up")
		}
		s.until("raw mode", s.isRaw)
		s.typed("\x1a")
		s.wait("stopped SIGTSTP")
		if s.modes() != before {
			t.Fatal("the modes were not restored for the shell")
		}
		s.resize(33, uint16(100+i))
		s.do(order{Do: "fg"})
		s.until("raw mode after fg", s.isRaw)
		s.typed("x\r")
		s.expect([]string{"first:x", "second:x"}[i])
	}
	s.wait("exit 0")
	if s.modes() != before {
		t.Error("the modes were not restored")
	}
}

func TestContinuedInTheBackgroundLeavesTheTerminalAlone(t *testing.T) {
	s := newSession(t)
	before := s.modes()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	s.run(job{App: []string{"env", roleVar + "=app", self}})
	s.expect("up")
	s.typed("\x1a")
	s.wait("stopped SIGTSTP")
	s.do(order{Do: "bg"})
	s.expect("continued")
	if s.modes() != before {
		t.Error("the modes changed while the job was in the background")
	}
	if strings.Contains(s.screen(), "continued\r\r\n") {
		t.Error("a line feed got two carriage returns")
	}
	s.wait("exit 4")
	if s.modes() != before {
		t.Error("the modes changed at the end of a background job")
	}
}

func TestStartedInTheBackground(t *testing.T) {
	s := newSession(t)
	before := s.modes()
	s.run(job{Background: true, App: []string{"/bin/sh", "-c", "echo out; read line; echo got:$line"}})
	s.expect("out\r\n")
	if strings.Contains(s.screen(), "\r\r\n") {
		t.Error("a line feed got two carriage returns")
	}
	s.wait("stopped SIGTTIN") // the read: as for any background job
	if s.modes() != before {
		t.Error("a background job changed the modes")
	}
	s.do(order{Do: "fg"})
	s.until("raw mode after fg", s.isRaw)
	s.typed("hello\r")
	s.expect("got:hello\r\n")
	s.wait("exit 0")
	if s.modes() != before {
		t.Error("the modes were not restored")
	}
}

func TestRunningBackgroundJobIsForegroundedWithoutASignal(t *testing.T) {
	s := newSession(t)
	s.run(job{Background: true, App: []string{"/bin/sh", "-c", "echo out; sleep 0.5; read line; echo got:$line"}})
	s.expect("out\r\n")
	s.do(order{Do: "fg-running"})
	s.until("raw mode", s.isRaw)
	s.typed("hello\r")
	s.expect("got:hello\r\n")
	s.wait("exit 0")
}

func TestPipelineLeavesTheKeyboardToTheOthersUntilTheAppReads(t *testing.T) {
	s := newSession(t)
	before := s.modes()
	file := filepath.Join(t.TempDir(), "out")
	s.run(job{Stdout: file, App: []string{"/bin/sh", "-c", "echo data; echo busy >&2; sleep 0.3; echo asking >&2; read x; echo got:$x >&2"}})
	s.expect("busy\r\n")
	if s.modes() != before {
		t.Error("the terminal was taken before the app read from it")
	}
	s.expect("asking")
	s.until("raw mode", s.isRaw)
	s.typed("k\r")
	s.expect("got:k")
	s.wait("exit 0")
	if data, _ := os.ReadFile(file); string(data) != "data\n" {
		t.Errorf("the redirected output is %q", data)
	}
}

func TestSupervisorStoppedFromOutside(t *testing.T) {
	s := newSession(t)
	s.sh("echo up; read line; echo got:$line")
	s.expect("up")
	s.until("raw mode", s.isRaw)
	s.do(order{Do: "kill", Sig: int(unix.SIGSTOP)})
	if got := s.do(order{Do: "wait", Sig: 1}); got != "stopped SIGSTOP" {
		t.Fatal(got)
	}
	if s.isRaw() {
		t.Fatal("the shell did not restore its modes")
	}
	s.do(order{Do: "bg"})
	time.Sleep(100 * time.Millisecond)
	if s.isRaw() {
		t.Fatal("continued in the background, it took the terminal")
	}
	s.do(order{Do: "fg-running"})
	s.until("raw mode", s.isRaw)
	s.typed("x\r")
	s.expect("got:x")
	s.wait("exit 0")
	if s.isRaw() {
		t.Error("the modes were not restored")
	}
}

func TestResizeReachesTheApp(t *testing.T) {
	s := newSession(t)
	s.resize(30, 90)
	s.sh("trap 'stty size' WINCH; stty size; echo up; while ! read -t 0.05 x 2>/dev/null; do sleep 0.05; [ $((i+=1)) -gt 200 ] && exit; done")
	s.expect("30 90\r\n")
	s.expect("up")
	s.resize(50, 132)
	s.expect("50 132\r\n")
	s.typed("\x03")
	s.wait("exit 130")
}

func TestTerminalWithoutASizeIs80By24(t *testing.T) {
	s := newSession(t)
	s.resize(0, 0)
	s.sh("stty size")
	s.expect("24 80\r\n")
	s.wait("exit 0")
}

func TestFatalSignalsRestoreTheTerminal(t *testing.T) {
	for _, sig := range []unix.Signal{unix.SIGTERM, unix.SIGHUP, unix.SIGINT, unix.SIGQUIT} {
		t.Run(unix.SignalName(sig), func(t *testing.T) {
			s := newSession(t)
			before := s.modes()
			s.sh("echo up; sleep 20")
			s.expect("up")
			s.until("raw mode", s.isRaw)
			s.do(order{Do: "kill", Sig: int(sig)})
			s.wait("signal " + unix.SignalName(sig))
			if s.modes() != before {
				t.Error("the modes were not restored")
			}
		})
	}
}

func TestLastBytesArrive(t *testing.T) {
	s := newSession(t)
	s.sh("head -c 1000000 /dev/zero | tr '\\0' x; printf END")
	s.wait("exit 0")
	s.expect("END")
	if n := strings.Count(s.screen(), "x"); n != 1000000 {
		t.Errorf("%d bytes of 1000000 arrived", n)
	}
}

func TestChildThatKeepsTheTerminalDoesNotKeepUs(t *testing.T) {
	for name, script := range map[string]string{
		"silent": "trap '' HUP; sleep 30 & echo done",
		"noisy":  "trap '' HUP; (sleep 0.2; timeout 5 yes) & echo done; sleep 0.4",
	} {
		t.Run(name, func(t *testing.T) {
			s := newSession(t)
			start := time.Now()
			s.sh(script)
			s.wait("exit 0")
			s.expect("done")
			if took := time.Since(start); took > 4*time.Second {
				t.Errorf("it took %v", took)
			}
		})
	}
}

func TestHangup(t *testing.T) {
	s := newSession(t)
	mark := filepath.Join(t.TempDir(), "mark")
	s.sh("trap 'echo hup >" + mark + "; exit' HUP; echo up; while :; do sleep 0.05; done")
	s.expect("up")
	s.until("raw mode", s.isRaw)
	s.shell.Process.Kill() // or it would get the SIGHUP, and the job from it
	s.master.Close()
	end := time.Now().Add(5 * time.Second)
	for {
		if data, _ := os.ReadFile(mark); string(data) == "hup\n" {
			return
		}
		if time.Now().After(end) {
			t.Fatal("the app heard nothing of the hangup")
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// Attack I11: questions to the terminal, timed so that the shell gets the answers.
func TestAnswersToTheAppDoNotReachTheShell(t *testing.T) {
	s := newSession(t)
	s.mu.Lock()
	s.reply = func(seen []byte) []byte {
		time.Sleep(60 * time.Millisecond) // the network
		var answer []byte
		for query, text := range map[string]string{"\x1b[c": "\x1b[?62;c", "\x1b[6n": "\x1b[24;1R", "\x1b[5n": "\x1b[0n"} {
			if strings.Contains(string(seen), query) && query != "\x1b[5n" {
				answer = append(answer, text...)
			}
		}
		if strings.Contains(string(seen), "\x1b[5n") {
			answer = append(answer, "\x1b[0n"...)
		}
		return answer
	}
	s.mu.Unlock()
	s.sh(`printf '\033[c\033[6n'`)
	s.wait("exit 0")
	time.Sleep(100 * time.Millisecond)
	// Whatever had stayed would be echoed by the terminal, as ^[[…, or be read here.
	if strings.Contains(s.screen(), "^[") || strings.Contains(s.screen(), "62;c") {
		t.Errorf("an answer came through: %q", s.screen())
	}
}

func TestTerminalThatDoesNotAnswerDelaysLittle(t *testing.T) {
	s := newSession(t)
	start := time.Now()
	s.sh(`printf '\033[c'`)
	s.wait("exit 0")
	if took := time.Since(start); took > 3*time.Second {
		t.Errorf("it took %v", took)
	}
}

func TestClipboardIsAPermission(t *testing.T) {
	for _, allowed := range []bool{false, true} {
		t.Run(fmt.Sprint(allowed), func(t *testing.T) {
			s := newSession(t)
			s.run(job{App: []string{"/bin/sh", "-c", `printf 'a\033]52;c;c2VjcmV0\007b\n'; echo end`},
				Options: Options{Escapes: Escapes{Clipboard: allowed}}})
			s.wait("exit 0")
			s.expect("end")
			if got := strings.Contains(s.screen(), "c2VjcmV0"); got != allowed {
				t.Errorf("clipboard sequence passed: %v", got)
			}
		})
	}
}
