package terminal

import (
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// BenchmarkThroughput compares the bytes per second of an app on a bare pty with
// those through the relay and through script(1), a relay in C without a filter,
// in turns within one run. x/bare and x/script are the ratios.
//
// Bytes that are relayed go through the kernel's pty twice and cost about twice
// the processor time, by any relay. Where other work keeps the processors busy
// x/bare says more about that work: run it on a quiet machine.
func BenchmarkThroughput(b *testing.B) {
	for _, content := range []struct{ name, file string }{
		{"plain", writeSample(b, sample("The quick brown fox jumps over the lazy dog, and then some.\n"))},
		{"colour", writeSample(b, sample("\x1b[1;32mThe quick\x1b[0m brown \x1b[4mfox\x1b[24m jumps \x1b]0;over\x07 the lazy dog.\n"))},
		{"utf8", writeSample(b, sample("Съешь же ещё этих мягких французских булок “да” выпей чаю.\n"))},
	} {
		b.Run(content.name, func(b *testing.B) {
			var bare, relayed, peer time.Duration
			script, _ := exec.LookPath("script")
			for b.Loop() {
				bare += timeBare(b, content.file)
				relayed += timeRelayed(b, exec.Command("/proc/self/exe", content.file))
				if script != "" {
					peer += timeRelayed(b, exec.Command(script, "-qec", "cat "+content.file, "/dev/null"))
				}
			}
			mb := float64(b.N) * size / 1e6
			b.ReportMetric(mb/bare.Seconds(), "bare-MB/s")
			b.ReportMetric(mb/relayed.Seconds(), "relay-MB/s")
			if script != "" {
				b.ReportMetric(peer.Seconds()/relayed.Seconds(), "x/script")
			}
			b.ReportMetric(bare.Seconds()/relayed.Seconds(), "x/bare")
		})
	}
}

const size = 16 << 20

func sample(line string) []byte {
	p := make([]byte, 0, size+len(line))
	for len(p) < size {
		p = append(p, line...)
	}
	return p[:size]
}

func writeSample(b *testing.B, data []byte) string {
	f, err := os.CreateTemp(b.TempDir(), "sample")
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	f.Write(data)
	return f.Name()
}

// The emulator, the relay and the app are processes of their own, as in life.

// timeBare runs "cat FILE" on a pty whose master is read by "cat".
func timeBare(b *testing.B, file string) time.Duration {
	outer, screen := openScreen(b)
	start := time.Now()
	cmd := exec.Command("cat", file)
	onTerminal(b, cmd, outer.Slave)
	outer.Slave.Close()
	cmd.Wait()
	screen.Wait() // fails with EIO at the end
	return time.Since(start)
}

// timeRelayed does the same with a relay in between, which cmd starts.
func timeRelayed(b *testing.B, cmd *exec.Cmd) time.Duration {
	outer, screen := openScreen(b)
	cmd.Env = append(os.Environ(), roleVar+"=relay")
	start := time.Now()
	onTerminal(b, cmd, outer.Slave)
	outer.Slave.Close()
	if err := cmd.Wait(); err != nil {
		b.Fatal(err)
	}
	screen.Wait()
	return time.Since(start)
}

// openScreen makes a terminal that shows nothing.
func openScreen(b *testing.B) (*Pty, *exec.Cmd) {
	outer, err := Open(Std{Control: -1})
	if err != nil {
		b.Skip("needs a pty: ", err)
	}
	unix.SetNonblock(int(outer.Master.Fd()), false)
	screen := exec.Command("cat")
	screen.Stdin = outer.Master
	if err := screen.Start(); err != nil {
		b.Fatal(err)
	}
	outer.Master.Close()
	return outer, screen
}

func onTerminal(b *testing.B, cmd *exec.Cmd, slave *os.File) {
	cmd.Stdin, cmd.Stdout, cmd.Stderr = slave, slave, slave
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true, Ctty: 0}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
}

// relayFile is the supervisor of the benchmark.
func relayFile(file string) int {
	std, err := Inspect([3]int{0, 1, 2})
	if err != nil {
		return 1
	}
	pty, err := Open(std)
	if err != nil {
		return 1
	}
	relay := New(std, pty, Options{})
	if relay.Start() != nil {
		return 1
	}
	cmd := exec.Command("cat", file)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = pty.Slave, pty.Slave, pty.Slave
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true, Ctty: 0}
	if cmd.Run() != nil || relay.Finish() != nil {
		return 1
	}
	return 0
}
