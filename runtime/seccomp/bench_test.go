package seccomp

import (
	goruntime "runtime"
	"strconv"
	"strings"
	"testing"
)

// Run with -bench Syscall: nanoseconds per call without and with the filter,
// and their ratio. Calls that are allowed whatever their arguments are in the
// kernel's bitmap (Linux 5.11) and never reach the program.
func BenchmarkSyscall(b *testing.B) {
	for name, v := range map[string]victim{
		"getppid": {Getppids: 1e6},
		"read":    {Reads: 1e6},
	} {
		b.Run(name, func(b *testing.B) {
			free, caught := 1e9, 1e9
			for b.Loop() {
				v.Filter = nil
				free = min(free, v.nanoseconds(b))
				v.Filter = filtered(0)
				caught = min(caught, v.nanoseconds(b))
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(free, "ns/free")
			b.ReportMetric(caught, "ns/filtered")
			b.ReportMetric(caught/free, "ratio")
		})
	}
}

func (v victim) nanoseconds(b *testing.B) float64 {
	out, err := v.start(b).Output()
	if err != nil {
		b.Fatal(err)
	}
	n, err := strconv.ParseFloat(strings.TrimSpace(string(out)), 64)
	if err != nil {
		b.Fatal(err)
	}
	return n
}

func BenchmarkProgram(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Program(goruntime.GOARCH, Multiarch); err != nil {
			b.Fatal(err)
		}
	}
}
