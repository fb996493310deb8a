package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	goruntime "runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sandbox/runtime/terminal"
)

// figure is a line of the table at the end: what was to be reached, and what was.
type figure struct {
	name, detail string
	target       float64 // 0: only for comparison
	measured     float64
	unit         string
	atLeast      bool
	cpu          float64 // the same ratio in processor time, 0 where it says nothing
}

func (f figure) String() string {
	target, word := "", ""
	switch {
	case f.target == 0:
	case f.atLeast:
		target, word = fmt.Sprintf(">= %.3f%s", f.target, f.unit), verdict(f.measured >= f.target)
	default:
		target, word = fmt.Sprintf("<= %.3f%s", f.target, f.unit), verdict(f.measured <= f.target)
	}
	cpu := ""
	if f.cpu > 0 {
		cpu = fmt.Sprintf("%.3f", f.cpu)
	}
	return fmt.Sprintf(tableRow, f.name, target, fmt.Sprintf("%.3f%s", f.measured, f.unit), cpu, word, f.detail)
}

const tableRow = "%-32s %-10s %9s %7s  %-4s  %s"

func verdict(met bool) string {
	if met {
		return "PASS"
	}
	return "miss"
}

// BenchmarkPeers measures the figures that docs/PERFORMANCE.md promises, as
// ratios to the peers (or to the host without a sandbox) in the same run. One
// operation is a whole measurement. It never fails for being slow. -short takes
// few samples.
func BenchmarkPeers(b *testing.B) {
	var table []figure
	load := loadAverage()
	s := newBenchSession(b)
	for _, m := range []struct {
		name    string
		measure func(*benchSession) []figure
	}{
		{"launch-bwrap", launchBwrap},
		{"memory", idleMemory},
		{"burst", burst},
		{"inside", insideOutside},
		{"terminal", terminalBytes},
		{"launch-flatpak", launchFlatpak},
	} {
		b.Run(m.name, func(b *testing.B) {
			s.b = b
			var figures []figure
			for range b.N {
				figures = m.measure(s)
			}
			table = append(table, figures...)
			b.ReportMetric(0, "ns/op")
			for _, f := range figures {
				unit := strings.NewReplacer(",", "", " ", "-").Replace(f.name)
				b.ReportMetric(f.measured, unit)
				if f.cpu > 0 {
					b.ReportMetric(f.cpu, unit+"(cpu)")
				}
			}
		})
		s.b = b
	}
	fmt.Printf("\n"+tableRow+"\n", "figure", "target", "measured", "cpu", "",
		fmt.Sprintf("load average %s before, %s after, %d processors", load, loadAverage(), goruntime.NumCPU()))
	for _, f := range table {
		fmt.Println(f)
	}
}

func loadAverage() string {
	text, _ := os.ReadFile("/proc/loadavg")
	first, _, _ := strings.Cut(string(text), " ")
	return first
}

// compare turns two sides into a figure.
func compare(name string, target float64, all map[string]samples, a, b string) figure {
	return figure{name: name, target: target, measured: ratio(all[a].wall(.5), all[b].wall(.5)),
		cpu:    ratio(all[a].cpu(.5), all[b].cpu(.5)),
		detail: fmt.Sprintf("%s %s, %s %s", a, all[a], b, all[b])}
}

func launchBwrap(s *benchSession) []figure {
	line := s.newBwrapLine()
	all := race(rounds(400),
		side{"sandbox", func() sample { return s.runOnce(s.sandbox("true")) }},
		side{"bwrap", func() sample { return s.runOnce(s.bwrap(line, "/usr/bin/true")) }})
	return []figure{compare("launch/bwrap", 0.9, all, "sandbox", "bwrap")}
}

func launchFlatpak(s *benchSession) []figure {
	s.installFlatpak()
	sides := []side{
		{"sandbox", func() sample { return s.runOnce(s.sandbox("true")) }},
		{"flatpak", func() sample { return s.runOnce(s.flatpak("true")) }},
	}
	alone := race(rounds(60), sides...)
	memory := s.instances("flatpak", func() *exec.Cmd { return s.flatpak("sleep", "1000") })
	stop := s.withBus()
	defer stop()
	bus := race(rounds(60), sides...)
	figures := []figure{
		compare("launch/flatpak", 1./15, alone, "sandbox", "flatpak"),
		compare("launch/flatpak with a bus", 1./15, bus, "sandbox", "flatpak"),
	}
	figures[1].cpu = 0 // what the bus and its services do is not counted
	return append(figures, memory...)
}

func idleMemory(s *benchSession) []figure {
	line := s.newBwrapLine()
	return append(
		s.instances("", func() *exec.Cmd { return s.sandbox("sleep", "1000") }),
		s.instances("bwrap", func() *exec.Cmd { return s.bwrap(line, "/usr/bin/sleep", "1000") })...)
}

// instances measures what an idle instance needs besides the app: one alone,
// the median of several turns, and each of ten. Only our own figures have a target.
func (s *benchSession) instances(peer string, start func() *exec.Cmd) (figures []figure) {
	for _, n := range []int{1, 10} {
		turns := rounds(12 / n)
		var mb []float64
		for range turns {
			kib, readable := s.footprint(n, start)
			if !readable {
				s.b.Log("needs root or sudo to read the memory of an init")
				return nil
			}
			mb = append(mb, kib*1024/1e6/float64(n))
		}
		slices.Sort(mb)
		f := figure{name: "memory", target: 1.7, unit: "MB", measured: mb[len(mb)/2],
			detail: fmt.Sprintf("%.3fMB-%.3fMB, n=%d", mb[0], mb[len(mb)-1], len(mb))}
		if n > 1 {
			f.name += fmt.Sprintf(" each of %d", n)
		}
		if peer != "" {
			f.name, f.target = f.name+", "+peer, 0
		}
		figures = append(figures, f)
	}
	return figures
}

// footprint is what n instances need besides the app, in KiB.
func (s *benchSession) footprint(n int, start func() *exec.Cmd) (kib float64, readable bool) {
	for range n {
		c := start()
		s.must(c.Start())
		for _, f := range c.ExtraFiles {
			f.Close()
		}
	}
	time.Sleep(2 * time.Second) // until they are idle, and have given back what they will
	readable = true
	var apps []int
	for _, pid := range offspring(os.Getpid()) {
		if comm(pid) == "sleep" {
			apps = append(apps, pid)
			continue
		}
		part, ok := proportional(pid)
		kib, readable = kib+part, readable && ok
	}
	if len(apps) != n {
		s.b.Fatalf("%d of %d instances run", len(apps), n)
	}
	for _, pid := range apps {
		s.must(s.kill(pid))
	}
	endOffspring()
	return kib, readable
}

func (s *benchSession) kill(pid int) error {
	if s.owner == nil {
		return unix.Kill(pid, unix.SIGKILL)
	}
	return s.command("kill", "-9", strconv.Itoa(pid)).Run()
}

const burstSize = 200

// burst starts many instances at once and takes the time until all run.
func burst(s *benchSession) []figure {
	line := s.newBwrapLine()
	const script = "echo; read x"
	all := race(rounds(20),
		side{"sandbox", func() sample { return s.burst(func() *exec.Cmd { return s.sandbox("sh", "-c", script) }) }},
		side{"bwrap", func() sample { return s.burst(func() *exec.Cmd { return s.bwrap(line, "/usr/bin/sh", "-c", script) }) }})
	f := compare(fmt.Sprintf("%d at once/bwrap", burstSize), 1, all, "sandbox", "bwrap")
	f.detail += " each"
	return []figure{f}
}

func (s *benchSession) burst(make func() *exec.Cmd) sample {
	said, out, err := os.Pipe()
	s.must(err)
	in, hold, err := os.Pipe()
	s.must(err)
	list := []*exec.Cmd{}
	for range burstSize {
		c := make()
		c.Stdin, c.Stdout = in, out
		list = append(list, c)
	}
	before := processorTime()
	start := time.Now()
	for _, c := range list {
		s.must(c.Start())
	}
	said.SetReadDeadline(time.Now().Add(2 * time.Minute))
	buf := [burstSize]byte{}
	for n := 0; n < burstSize; {
		m, err := said.Read(buf[n:])
		s.must(err)
		n += m
	}
	wall := time.Since(start)
	hold.Close()
	for _, c := range list {
		c.Wait()
		for _, f := range c.ExtraFiles {
			f.Close()
		}
	}
	for _, f := range []*os.File{said, out, in} {
		f.Close()
	}
	endOffspring()
	return sample{wall / burstSize, (processorTime() - before) / burstSize}
}

// insideOutside compares a program's own speed with and without the sandbox,
// by its own clock: the launch does not count.
func insideOutside(s *benchSession) (figures []figure) {
	s.file(filepath.Join(s.appHome(), "data"), make([]byte, 128<<20))
	home := strings.TrimPrefix(s.env[0], "HOME=")
	outside := filepath.Join(s.bundle, "files/bin/load")
	for _, w := range []struct {
		name           string
		rounds         int
		args           []string
		inside, beyond string // where the file is
		calls          bool   // it makes many system calls
	}{
		{"1e6 calls", 40, []string{"calls", "1000000"}, "", "", true},
		{"1000 fork+exec", 10, []string{"spawn", "1000"}, "/usr/bin/true", filepath.Join(s.platform, "files/bin/true"), true},
		{"reading 1 GB", 30, []string{"read", "8"}, filepath.Join(home, "data"), filepath.Join(s.appHome(), "data"), false},
	} {
		line := append(append([]string{outside}, w.args...), w.beyond)
		sides := []side{
			{"inside", func() sample { return s.ownClock(s.sandbox("load", append(w.args, w.inside)...)) }},
			{"outside", func() sample { return s.ownClock(s.command(line...)) }},
		}
		if w.calls {
			// What any filter costs, be it of one instruction.
			sides = append(sides, side{"filtered", func() sample {
				c := s.command(line...)
				c.Env = append(slices.Clone(c.Env), "LOAD_FILTER=1")
				return s.ownClock(c)
			}})
		}
		all := race(rounds(w.rounds), sides...)
		figures = append(figures, compare("inside/outside "+w.name, 1.03, all, "inside", "outside"))
		if w.calls {
			figures = append(figures, compare("inside/outside with a filter, "+w.name, 1.03, all, "inside", "filtered"))
		}
	}
	return figures
}

func (s *benchSession) ownClock(c *exec.Cmd) sample {
	text, err := c.Output()
	s.must(err)
	endOffspring()
	var took sample
	_, err = fmt.Sscan(string(text), &took.wall, &took.cpu)
	s.must(err)
	return took
}

// terminalBytes compares the bytes per second of `cat` on a terminal with those
// on the app's own, which is relayed to the first; and with those of script(1),
// a relay without a sandbox. The launch is included.
func terminalBytes(s *benchSession) []figure {
	const size, text = 64 << 20, "The quick brown fox jumps over the lazy dog, and then some.\n"
	file := s.file(filepath.Join(s.appHome(), "text"), []byte(strings.Repeat(text, size/len(text))))
	inside := filepath.Join(strings.TrimPrefix(s.env[0], "HOME="), "text")
	sides := []side{
		{"relay", func() sample { return s.onTerminal(s.sandbox("cat", inside)) }},
		{"bare", func() sample { return s.onTerminal(s.command("cat", file)) }},
	}
	script, _ := exec.LookPath("script")
	if script != "" {
		sides = append(sides, side{"script", func() sample { return s.onTerminal(s.command(script, "-qec", "cat "+file, "/dev/null")) }})
	}
	all := race(rounds(20), sides...)
	// Bytes a second are the inverse of time.
	figures := []figure{compare("bytes, relay/bare terminal", 0.8, all, "bare", "relay")}
	figures[0].atLeast = true
	if script != "" {
		figures = append(figures, compare("bytes, relay/script(1)", 0, all, "script", "relay"))
	}
	return figures
}

// onTerminal times a command on a terminal whose emulator throws all away.
func (s *benchSession) onTerminal(c *exec.Cmd) sample {
	pty, err := terminal.Open(terminal.Std{Control: -1})
	s.must(err)
	unix.SetNonblock(int(pty.Master.Fd()), false)
	screen := s.command("cat")
	screen.Stdin = pty.Master
	s.must(screen.Start())
	pty.Master.Close()
	c.Stdin, c.Stdout, c.Stderr = pty.Slave, pty.Slave, pty.Slave
	c.SysProcAttr.Setsid, c.SysProcAttr.Setctty = true, true
	before := processorTime()
	start := time.Now()
	s.must(c.Start())
	pty.Slave.Close()
	s.must(c.Wait())
	screen.Wait() // fails with EIO at the end
	wall := time.Since(start)
	endOffspring()
	return sample{wall, processorTime() - before}
}
