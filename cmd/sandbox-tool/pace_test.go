package main

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

func TestPace(t *testing.T) {
	now := time.Unix(1000, 0)
	var p pace
	for i := range 101 {
		rate, left := p.see("x", int64(i)*100_000, 20_000_000, now)
		switch {
		case i < 5 && rate != 0:
			t.Fatalf("after %d steps: %d", i, rate)
		case i == 100 && (rate != 1_000_000 || left != 10*time.Second):
			t.Errorf("%d bytes a second, %v left", rate, left)
		}
		now = now.Add(100 * time.Millisecond)
	}
	// It stalls: the rate of the last seconds counts.
	for range 60 {
		now = now.Add(100 * time.Millisecond)
		p.see("x", 10_000_000, 20_000_000, now)
	}
	if rate, left := p.see("x", 10_000_000, 20_000_000, now); rate != 0 || left != 0 {
		t.Errorf("stalled: %d, %v", rate, left)
	}
	if rate, _ := p.see("y", 5, 10, now); rate != 0 || len(p.marks) != 1 {
		t.Errorf("the next one begins with %d", rate)
	}
}

// Without a terminal there is a line at the start, one every ten seconds, and one
// at the end.
func TestProgressOfBytesWithoutATerminal(t *testing.T) {
	now := time.Unix(1000, 0)
	var b bytes.Buffer
	p := &progress{w: &b, now: func() time.Time { return now }}
	for i := range 251 {
		p.bytes("download", "org.example.Edit", int64(i)*40_000, 10_000_000, 0)
		now = now.Add(100 * time.Millisecond)
	}
	got := strings.Split(strings.TrimSpace(b.String()), "\n")
	if len(got) != 4 || !strings.Contains(got[1], "4.0 MB of 10.0 MB, 400.0 kB/s, 15s left") || !strings.Contains(got[3], "10.0 MB of 10.0 MB") || strings.Contains(b.String(), "\x1b") {
		t.Errorf("%d lines:\n%s", len(got), b.String())
	}
}
