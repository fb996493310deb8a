package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A side is one of two things that are compared.
type side struct {
	name string
	once func() sample
}

// sample is what one turn took.
type sample struct{ wall, cpu time.Duration }

// samples are a side's, in the order they were taken.
type samples []sample

// race lets the sides take turns, so that whatever else the machine does meets
// them alike. The first turns warm caches and are not counted. A slow machine
// gets fewer rounds, so that a measurement ends.
func race(rounds int, sides ...side) map[string]samples {
	out := map[string]samples{}
	warm := min(rounds, 3)
	for i, end := 0, time.Now().Add(45*time.Second); i < warm+rounds; i++ {
		if i >= warm+3 && time.Now().After(end) {
			break
		}
		for j := range sides {
			s := sides[(i+j)%len(sides)]
			if took := s.once(); i >= warm {
				out[s.name] = append(out[s.name], took)
			}
		}
	}
	return out
}

// rounds shortens a measurement when asked to (-short).
func rounds(full int) int {
	if testing.Short() {
		return max(2, full/20)
	}
	return full
}

// runOnce times a command from its start to its end. Its processor time is
// that of all its processes, also of those that outlive it a little.
func (s *benchSession) runOnce(c *exec.Cmd) sample {
	s.b.Helper()
	said, err := os.OpenFile(filepath.Join(s.root, "stderr"), os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	s.must(err)
	defer said.Close()
	c.Stderr = said
	before := processorTime()
	start := time.Now()
	err = c.Run()
	wall := time.Since(start)
	for _, f := range c.ExtraFiles {
		f.Close()
	}
	endOffspring()
	if err != nil {
		text, _ := os.ReadFile(said.Name())
		s.b.Fatalf("%q: %v\n%s", c.Args, err, text)
	}
	return sample{wall, processorTime() - before}
}

// processorTime is that of all children that were waited for.
func processorTime() time.Duration {
	var r unix.Rusage
	unix.Getrusage(unix.RUSAGE_CHILDREN, &r)
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// endOffspring waits for what was left to us, unless it goes on for long: a
// session's bus and its services do.
func endOffspring() {
	for end := time.Now().Add(time.Second); time.Now().Before(end); {
		pid, err := unix.Wait4(-1, nil, unix.WNOHANG, nil)
		switch {
		case err != nil && err != unix.EINTR:
			return
		case pid == 0 && !dying():
			return
		case pid == 0:
			time.Sleep(200 * time.Microsecond)
		}
	}
}

// dying reports whether a child is left that is not a bus or served by one.
func dying() bool {
	for _, pid := range children(os.Getpid()) {
		switch comm(pid) {
		case "dbus-daemon", "flatpak-session", "at-spi-bus-laun", "at-spi2-registr":
		default:
			return true
		}
	}
	return false
}

func children(pid int) (list []int) {
	tasks, _ := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	for _, t := range tasks {
		text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/children", pid, t.Name()))
		for word := range strings.FieldsSeq(string(text)) {
			if n, err := strconv.Atoi(word); err == nil {
				list = append(list, n)
			}
		}
	}
	return list
}

// offspring are all descendants.
func offspring(pid int) (list []int) {
	for _, c := range children(pid) {
		list = append(append(list, c), offspring(c)...)
	}
	return list
}

func comm(pid int) string {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	return strings.TrimSpace(string(text))
}

// proportional is the proportional set size of a process in KiB: of a page that
// n processes share, the n-th part. An init is not dumpable, so only root may
// look; ok is false without root or sudo.
func proportional(pid int) (kib float64, ok bool) {
	name := fmt.Sprintf("/proc/%d/smaps_rollup", pid)
	text, err := os.ReadFile(name)
	if err != nil || len(text) == 0 {
		if text, err = exec.Command("sudo", "-n", "cat", name).Output(); err != nil {
			return 0, false
		}
	}
	for line := range strings.Lines(string(text)) {
		if rest, found := strings.CutPrefix(line, "Pss:"); found {
			kib, err = strconv.ParseFloat(strings.Fields(rest)[0], 64)
			return kib, err == nil
		}
	}
	return 0, false
}

func (s samples) wall(quantile float64) time.Duration {
	return pick(s, quantile, func(x sample) time.Duration { return x.wall })
}

func (s samples) cpu(quantile float64) time.Duration {
	return pick(s, quantile, func(x sample) time.Duration { return x.cpu })
}

func pick(s samples, quantile float64, of func(sample) time.Duration) time.Duration {
	list := make([]time.Duration, len(s))
	for i, x := range s {
		list[i] = of(x)
	}
	slices.Sort(list)
	return list[int(quantile*float64(len(list)-1)+0.5)]
}

// String is the median, the middle half of all samples, and their number.
func (s samples) String() string {
	return fmt.Sprintf("%s (%s-%s, n=%d)", brief(s.wall(.5)), brief(s.wall(.25)), brief(s.wall(.75)), len(s))
}

func brief(d time.Duration) string {
	if d < 100*time.Millisecond {
		return fmt.Sprintf("%.2fms", d.Seconds()*1e3)
	}
	return fmt.Sprintf("%.0fms", d.Seconds()*1e3)
}

// ratio is that of two medians.
func ratio(a, b time.Duration) float64 { return a.Seconds() / b.Seconds() }
