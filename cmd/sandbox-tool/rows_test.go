package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"sandbox/repo"
	"sandbox/repo/client"
)

// screen is as much of a terminal as progress uses.
type screen struct {
	lines [][]rune
	y, x  int
}

func (s *screen) Write(p []byte) (int, error) {
	for in := []rune(string(p)); len(in) > 0; {
		for s.y >= len(s.lines) {
			s.lines = append(s.lines, nil)
		}
		up := 0
		switch text := string(in); {
		case in[0] == '\r':
			s.x, in = 0, in[1:]
		case in[0] == '\n':
			s.y, s.x, in = s.y+1, 0, in[1:]
		case strings.HasPrefix(text, "\x1b[K"):
			s.lines[s.y], in = s.lines[s.y][:s.x], in[3:]
		case strings.HasPrefix(text, "\x1b[J"):
			s.lines[s.y] = s.lines[s.y][:s.x]
			s.lines, in = s.lines[:s.y+1], in[3:]
		case in[0] == '\x1b':
			if _, err := fmt.Sscanf(text, "\x1b[%dA", &up); err != nil || up > s.y {
				return 0, fmt.Errorf("what is %q", text)
			}
			s.y, in = s.y-up, in[len(fmt.Sprintf("\x1b[%dA", up)):]
		default:
			s.lines[s.y] = append(s.lines[s.y][:s.x], in[0])
			s.x, in = s.x+1, in[1:]
		}
	}
	return len(p), nil
}

func (s *screen) String() string {
	var b strings.Builder
	for _, l := range s.lines {
		b.WriteString(string(l) + "\n")
	}
	return strings.TrimRight(b.String(), "\n")
}

func planOf(ids ...string) *client.Plan {
	p := &client.Plan{}
	for _, id := range ids {
		ref, err := repo.ParseRef("app/" + id + "/any/stable")
		if err != nil {
			panic(err)
		}
		p.Steps = append(p.Steps, &client.Step{Release: repo.Release{Ref: ref}, Download: 4_000_000})
	}
	return p
}

func TestProgressOfSeveralHasALineEach(t *testing.T) {
	now := time.Unix(1000, 0)
	s := &screen{}
	p := &progress{w: s, paints: true, width: 100, now: func() time.Time { return now }}
	want := func(words ...string) {
		t.Helper()
		lines := strings.Split(s.String(), "\n")
		if len(lines) != len(words) {
			t.Fatalf("%d lines, want %d:\n%s", len(lines), len(words), s)
		}
		for i, w := range words {
			if !strings.Contains(lines[i], w) {
				t.Errorf("line %d: %q, want %q", i, lines[i], w)
			}
		}
	}
	p.event(client.Event{Stage: "look", Text: "main"})
	p.expect(planOf("org.example.Base", "org.example.Edit", "org.example.Draw"))
	for i := range int64(11) {
		p.event(client.Event{Stage: "download", Text: "org.example.Base", Done: i * 400_000, Total: 4_000_000})
		now = now.Add(200 * time.Millisecond)
		if i == 5 {
			want("org.example.Base ━━━━━━━━━━━━╌╌╌╌╌╌╌╌╌╌╌╌  50% 2.0 MB of 4.0 MB, 2.0 MB/s, 1s left", "0% 4.0 MB", "0% 4.0 MB")
		}
	}
	p.event(client.Event{Stage: "install", Text: "org.example.Base"})
	want("100% installing", "  0% 4.0 MB", "  0% 4.0 MB")
	p.event(client.Event{Stage: "download", Text: "org.example.Edit", Done: 1_000_000, Total: 4_000_000})
	want("100% done", " 25% 1.0 MB of 4.0 MB", "  0% 4.0 MB")
	p.event(client.Event{Stage: "look", Text: "attention", Warning: true})
	p.event(client.Event{Stage: "install", Text: "org.example.Draw"}) // nothing of it had to come
	want("sandbox: warning: attention", "100% done", "100% done", "100% installing")
	p.clear()
	want("attention")
}

func TestProgressOfSeveralFitsTheTerminal(t *testing.T) {
	s := &screen{}
	p := &progress{w: s, paints: true, width: 40, now: time.Now}
	var ids []string
	for i := range 30 {
		ids = append(ids, fmt.Sprintf("org.example.AnAppWithALongNameThatGoesOn%d", i))
	}
	p.expect(planOf(ids...))
	for _, id := range ids {
		p.event(client.Event{Stage: "install", Text: id})
		lines := strings.Split(s.String(), "\n")
		if len(lines) != mostRows {
			t.Fatalf("%d lines", len(lines))
		}
		for _, l := range lines {
			if len([]rune(l)) > p.width {
				t.Errorf("%q", l)
			}
		}
	}
	p.clear()
	if s.String() != "" {
		t.Errorf("left: %q", s)
	}
	// One alone has the one line, and elsewhere there are plain ones.
	if p.expect(planOf("org.example.Edit")); p.rows != nil {
		t.Error("a row for one")
	}
	p.paints = false
	if p.expect(planOf("org.example.Edit", "org.example.Draw")); p.rows != nil {
		t.Error("rows without a terminal")
	}
}
