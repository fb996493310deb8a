package bench

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A figure is a line of the table: what was to be reached, and what was.
type figure struct {
	name, detail string
	target       float64 // 0: only for comparison
	measured     float64
	unit         string
	cpu          float64 // the same ratio in processor time, 0 where it says nothing
}

const tableRow = "%-38s %-10s %9s %7s  %-4s  %s"

func (f figure) String() string {
	target, word, cpu := "", "", ""
	if f.target > 0 {
		target, word = fmt.Sprintf("<= %.3f%s", f.target, f.unit), "miss"
		if f.measured <= f.target {
			word = "PASS"
		}
	}
	if f.cpu > 0 {
		cpu = fmt.Sprintf("%.3f", f.cpu)
	}
	return fmt.Sprintf(tableRow, f.name, target, fmt.Sprintf("%.3f%s", f.measured, f.unit), cpu, word, f.detail)
}

// A sample is what one turn took.
type sample struct {
	wall, cpu time.Duration
	rss       int64 // of the largest process, KiB
}

// A turn does something once. What it has to prepare is not counted.
type turn func() sample

// race lets the sides take turns, so that whatever else the machine does meets
// them alike.
func race(rounds int, sides ...turn) [][]sample {
	out := make([][]sample, len(sides))
	for i := range rounds {
		for j := range sides {
			k := (i + j) % len(sides)
			out[k] = append(out[k], sides[k]())
		}
	}
	return out
}

func rounds(full int) int {
	if testing.Short() {
		return 1
	}
	return full
}

// timed runs a command to its end; several, one after the other, are one turn.
func (s *session) timed(lines ...[]string) sample {
	s.b.Helper()
	var out sample
	for _, line := range lines {
		c := exec.Command(line[0], line[1:]...)
		c.Env = s.env
		c.Dir = s.dir
		said, err := os.OpenFile(filepath.Join(s.dir, "said"), os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
		s.must(err)
		c.Stdout, c.Stderr = said, said
		start := time.Now()
		err = c.Run()
		out.wall += time.Since(start)
		said.Close()
		if err != nil {
			text, _ := os.ReadFile(said.Name())
			s.b.Fatalf("%q: %v\n%s", line, err, text)
		}
		out.cpu += c.ProcessState.UserTime() + c.ProcessState.SystemTime()
		if u, ok := c.ProcessState.SysUsage().(*syscall.Rusage); ok {
			out.rss = max(out.rss, int64(u.Maxrss))
		}
	}
	return out
}

func median(s []sample, of func(sample) time.Duration) time.Duration {
	var list []time.Duration
	for _, x := range s {
		list = append(list, of(x))
	}
	slices.Sort(list)
	return list[len(list)/2]
}

func wall(s []sample) time.Duration {
	return median(s, func(x sample) time.Duration { return x.wall })
}
func cpu(s []sample) time.Duration { return median(s, func(x sample) time.Duration { return x.cpu }) }

func peak(s []sample) (kib int64) {
	for _, x := range s {
		kib = max(kib, x.rss)
	}
	return kib
}

// spread is the median, the least and the most.
func spread(s []sample) string {
	var list []time.Duration
	for _, x := range s {
		list = append(list, x.wall)
	}
	return fmt.Sprintf("%s (%s-%s)", brief(wall(s)), brief(slices.Min(list)), brief(slices.Max(list)))
}

func brief(d time.Duration) string {
	if d < 100*time.Millisecond {
		return fmt.Sprintf("%.1fms", d.Seconds()*1e3)
	}
	return fmt.Sprintf("%.2fs", d.Seconds())
}

// compare is the ratio of two sides.
func compare(name string, target float64, peer string, ours, theirs []sample) figure {
	return figure{
		name: name, target: target, measured: wall(ours).Seconds() / wall(theirs).Seconds(),
		cpu:    cpu(ours).Seconds() / cpu(theirs).Seconds(),
		detail: fmt.Sprintf("sandbox %s, %s %s, %d turns", spread(ours), peer, spread(theirs), len(ours)),
	}
}

// syncs counts what a command line asks of the disk to keep, once and apart
// from the timing; empty where strace is missing.
func (s *session) syncs(line ...string) string {
	if _, err := exec.LookPath("strace"); err != nil {
		return ""
	}
	trace := filepath.Join(s.dir, "trace")
	c := exec.Command("strace", append([]string{"-f", "-qq", "-e", "trace=fsync,fdatasync,syncfs,sync", "-e", "signal=none", "-o", trace}, line...)...)
	c.Env, c.Dir = s.env, s.dir
	if said, err := c.CombinedOutput(); err != nil {
		s.b.Fatalf("%q: %v\n%s", c.Args, err, said)
	}
	text, err := os.ReadFile(trace)
	s.must(err)
	var out []string
	for _, name := range []string{"fsync", "fdatasync", "syncfs", "sync"} {
		if n := strings.Count(string(text), " "+name+"("); n > 0 {
			out = append(out, fmt.Sprintf("%d %s", n, name))
		}
	}
	return strings.Join(out, ", ")
}
