package main

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

func TestProgressElsewhereIsPlainLines(t *testing.T) {
	var b bytes.Buffer
	p := &progress{w: &b, now: time.Now}
	p.step("download", "3 packages", 0, 10)
	p.step("download", "3 packages", 5, 10)
	p.warn("a\x1b[2Jb")
	p.step("unpack", "nano\n7.2", 0, 0)
	p.clear()
	want := "sandbox: download: 3 packages\nsandbox: warning: a\\x1b[2Jb\nsandbox: unpack: nano\\n7.2\n"
	if b.String() != want {
		t.Errorf("got  %q\nwant %q", b.String(), want)
	}
}

func TestProgressOnATerminalIsOneLine(t *testing.T) {
	var b bytes.Buffer
	now := time.Unix(0, 0)
	p := &progress{w: &b, paints: true, width: 60, now: func() time.Time { return now }}
	p.step("download", "all", 0, 4)
	p.step("download", "too soon", 1, 4)
	now = now.Add(time.Second)
	p.step("download", strings.Repeat("long ", 30), 2, 4)
	p.step("download", "all", 4, 4)
	p.clear()
	for _, line := range strings.Split(b.String(), "\r\x1b[K") {
		if len([]rune(line)) > 60 || strings.Contains(line, "\n") {
			t.Errorf("does not fit: %q", line)
		}
	}
	for _, want := range []string{"  0%", " 50%", "100%"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in %q", want, b.String())
		}
	}
	if strings.Contains(b.String(), "too soon") || !strings.HasSuffix(b.String(), "\r\x1b[K") {
		t.Errorf("%q", b.String())
	}
}
