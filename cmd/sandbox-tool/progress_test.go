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
	for _, line := range strings.Split(b.String(), "\r") {
		if line = strings.TrimSuffix(line, "\x1b[K"); len([]rune(line)) > 60 || strings.Contains(line, "\n") {
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

// On 40 columns the words have room beside the bar.
func TestProgressOnANarrowTerminal(t *testing.T) {
	var b bytes.Buffer
	p := &progress{w: &b, paints: true, width: 39, ascii: true, now: time.Now}
	p.bytes("download", "org.git", 1, 2, 0)
	if got := b.String(); got != "\rdownload   ###...  50% org.git 1 B of 2\x1b[K" {
		t.Errorf("%q", got)
	}
}

func TestProgressSaysWhenMoreComesThanWasAskedFor(t *testing.T) {
	var b bytes.Buffer
	p := &progress{w: &b, now: time.Now}
	p.bytes("download", "org.git", 1, 2, 5_000_000)
	if want := "and 5.0 MB more: the server sends only whole files"; !strings.Contains(b.String(), want) {
		t.Errorf("%q lacks %q", b.String(), want)
	}
}

func TestUnicodeLocale(t *testing.T) {
	for _, c := range []struct {
		env  map[string]string
		want bool
	}{
		{nil, true},
		{map[string]string{"LANG": "C"}, false},
		{map[string]string{"LANG": "de_DE.UTF-8"}, true},
		{map[string]string{"LANG": "de_DE.UTF-8", "LC_ALL": "C"}, false},
		{map[string]string{"LANG": "de_DE", "LC_CTYPE": "C.utf8"}, true},
	} {
		if got := unicodeLocale(func(name string) string { return c.env[name] }); got != c.want {
			t.Errorf("%v: %v", c.env, got)
		}
	}
}
