package cgroup

import (
	"context"
	"testing"
)

func BenchmarkProbe(b *testing.B) {
	for b.Loop() {
		Probe()
	}
}

// BenchmarkCreate is a v2 leaf made and removed, without limits.
func BenchmarkCreate(b *testing.B) {
	h := Probe()
	if !h.V2.Usable {
		b.Skip("no unified hierarchy to write: " + h.V2.Why)
	}
	for b.Loop() {
		p, err := Decide(h, "benchmark", Unlimited())
		if err != nil {
			b.Fatal(err)
		}
		g, err := Create(p)
		if err != nil {
			b.Fatal(err)
		}
		if err := g.Remove(context.Background()); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecide(b *testing.B) {
	h := Probe()
	l := Unlimited()
	l.Memory, l.Pids, l.CPU = 1<<30, 100, 2
	for b.Loop() {
		if _, err := Decide(h, "benchmark", l); err != nil {
			b.Fatal(err)
		}
	}
}
