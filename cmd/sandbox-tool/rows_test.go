package main

import (
	"encoding/json"
	"fmt"
	"slices"
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
		p.Steps = append(p.Steps, &client.Step{Release: repo.Release{Ref: refOf(id)}, Download: 4_000_000})
	}
	return p
}

func refOf(id string) repo.Ref {
	ref, err := repo.ParseRef("app/" + id + "/any/stable")
	if err != nil {
		panic(err)
	}
	return ref
}

func comes(id string, done, total int64) client.Event {
	return client.Event{Stage: "download", Text: id, Ref: refOf(id), Done: done, Total: total}
}

func isDone(id string) client.Event {
	return client.Event{Stage: "done", Text: id, Ref: refOf(id)}
}

func installs(id string) client.Event {
	return client.Event{Stage: "install", Text: id, Ref: refOf(id)}
}

// lined wants a screen of lines that have these words in them.
func (s *screen) lined(t *testing.T, words ...string) {
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

func TestProgressOfSeveralHasALineEach(t *testing.T) {
	now := time.Unix(1000, 0)
	s := &screen{}
	p := &progress{w: s, paints: true, width: 110, now: func() time.Time { return now }}
	p.event(client.Event{Stage: "look", Text: "main"})
	p.expect(planOf("org.example.Base", "org.example.Edit", "org.example.Draw"))
	for i := range int64(11) {
		p.event(comes("org.example.Base", i*400_000, 4_000_000))
		p.event(comes("org.example.Edit", i*100_000, 4_000_000))
		now = now.Add(200 * time.Millisecond)
		if i == 5 {
			p.event(comes("org.example.Base", 2_000_000, 4_000_000))
			s.lined(t, "org.example.Base ━━━━━━━━━━━━╌╌╌╌╌╌╌╌╌╌╌╌  50% 2.0 MB of 4.0 MB, 1.7 MB/s, 1s left",
				"org.example.Edit ━━╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌  12% 500.0 kB of 4.0 MB, 416.7 kB/s, 8s left", "  0% 4.0 MB",
				"total            ━━━━╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌  20% 2.5 MB of 12.0 MB, 2.1 MB/s, 5s left")
		}
	}
	p.event(installs("org.example.Base"))
	s.lined(t, "100% installing", " 25% 1.0 MB of 4.0 MB", "  0% 4.0 MB", " 41% 5.0 MB of 12.0 MB")
	p.event(isDone("org.example.Base"))
	p.event(comes("org.example.Edit", 4_000_000, 4_000_000))
	now = now.Add(time.Second)
	p.event(comes("org.example.Edit", 4_000_000, 4_000_000))
	s.lined(t, "100% done", "100% 4.0 MB are here", "  0% 4.0 MB", "66% 8.0 MB of 12.0 MB")
	p.event(installs("org.example.Edit"))
	s.lined(t, "100% done", "100% installing", "  0% 4.0 MB", "66% 8.0 MB of 12.0 MB")
	p.event(isDone("org.example.Edit"))
	p.event(client.Event{Stage: "look", Text: "attention", Warning: true})
	now = now.Add(time.Second)
	p.event(installs("org.example.Draw")) // nothing of it had to come
	s.lined(t, "sandbox: warning: attention", "100% done", "100% done", "100% installing", "100% 8.0 MB of 8.0 MB")
	p.clear()
	s.lined(t, "attention")
}

// What was kept of an attempt that broke off does not count as fast.
func TestProgressOfWhatWasKept(t *testing.T) {
	now := time.Unix(1000, 0)
	s := &screen{}
	p := &progress{w: s, paints: true, width: 79, now: func() time.Time { return now }}
	p.expect(planOf("org.example.Edit"))
	for i := range int64(11) {
		e := comes("org.example.Edit", 2_000_000+i*100_000, 4_000_000)
		e.Kept = 2_000_000
		p.event(e)
		now = now.Add(200 * time.Millisecond)
	}
	s.lined(t, "75% org.example.Edit 3.0 MB of 4.0 MB, 500.0 kB/s, 2s left")
}

// At 80 columns and 24 lines the time that is left is seen.
func TestProgressOfSeveralAtEightyColumns(t *testing.T) {
	now := time.Unix(1000, 0)
	s := &screen{}
	p := &progress{w: s, paints: true, width: 79, now: func() time.Time { return now }}
	ids := []string{"org.example.Base", "org.example.AnAppWithALongNameThatGoesOn"}
	p.expect(planOf(ids...))
	for i := range int64(31) {
		now = now.Add(200 * time.Millisecond)
		p.event(comes(ids[0], i*100_000, 100_000_000))
		p.event(comes(ids[1], i*100_000, 100_000_000))
	}
	s.lined(t, "500.0 kB/s, 3m14s left", "…thALongNameThatGoesOn ", "1.0 MB/s")
	for _, l := range strings.Split(s.String(), "\n") {
		if len([]rune(l)) > 79 || !strings.HasSuffix(l, " left") {
			t.Errorf("%q", l)
		}
	}
}

func TestProgressOfSeveralFitsTheTerminal(t *testing.T) {
	s := &screen{}
	height := 24
	p := &progress{w: s, paints: true, now: time.Now, size: func() (int, int) { return 41, height }}
	var ids []string
	for i := range 30 {
		ids = append(ids, fmt.Sprintf("org.example.AnAppWithALongNameThatGoesOn%d", i))
	}
	p.expect(planOf(ids...))
	for i, id := range ids {
		if i == 20 {
			height = 5
		}
		p.event(installs(id))
		lines := strings.Split(s.String(), "\n")
		if want := min(mostRows, height-2) + 1; len(lines) != want {
			t.Fatalf("%d lines, want %d", len(lines), want)
		}
		for _, l := range lines {
			if len([]rune(l)) > p.width {
				t.Errorf("%q", l)
			}
		}
		if !strings.Contains(s.String(), "GoesOn"+fmt.Sprint(i)+" ") {
			t.Errorf("%s is not shown:\n%s", id, s)
		}
		p.event(isDone(id))
	}
	p.clear()
	if s.String() != "" {
		t.Errorf("left: %q", s)
	}
}

// Without a terminal each has its plain lines: at the start, at the end, and in
// between now and then.
func TestProgressOfSeveralWithoutATerminal(t *testing.T) {
	now := time.Unix(1000, 0)
	var b strings.Builder
	p := &progress{w: &b, now: func() time.Time { return now }}
	p.expect(planOf("org.example.Edit", "org.example.Draw"))
	for i := range int64(121) {
		p.event(comes("org.example.Edit", i*100_000, 12_000_000))
		p.event(comes("org.example.Draw", i*50_000, 12_000_000))
		now = now.Add(100 * time.Millisecond)
	}
	p.event(installs("org.example.Edit"))
	p.event(isDone("org.example.Edit"))
	want := `sandbox: download: org.example.Edit 0 B of 12.0 MB
sandbox: download: org.example.Draw 0 B of 12.0 MB
sandbox: download: org.example.Edit 10.0 MB of 12.0 MB, 1.0 MB/s, 2s left
sandbox: download: org.example.Draw 5.0 MB of 12.0 MB, 500.0 kB/s, 14s left
sandbox: download: org.example.Edit 12.0 MB of 12.0 MB, 1.0 MB/s
sandbox: install: org.example.Edit
`
	if b.String() != want {
		t.Errorf("%s", b.String())
	}
}

func TestProgressAsJSON(t *testing.T) {
	now := time.Unix(1000, 0)
	var b strings.Builder
	p := &progress{w: &b, json: true, now: func() time.Time { return now }}
	p.event(client.Event{Stage: "look", Text: "main"})
	p.expect(planOf("org.example.Edit", "org.example.Draw"))
	for i := range int64(21) {
		p.event(comes("org.example.Edit", i*100_000, 2_000_000))
		p.event(comes("org.example.Draw", i*50_000, 2_000_000))
		now = now.Add(100 * time.Millisecond)
	}
	p.event(installs("org.example.Edit"))
	var got []string
	for line := range strings.Lines(b.String()) {
		var e eventDoc
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("%v: %q", err, line)
		}
		got = append(got, fmt.Sprint(e.Event, " ", e.Text, " ", e.Ref, " ", e.Done, "/", e.Total, " ", e.Rate, " ", e.Left))
	}
	edit, draw := "org.example.Edit app/org.example.Edit/any/stable ", "org.example.Draw app/org.example.Draw/any/stable "
	want := []string{"look main  0/0 0 0", "download " + edit + "0/2000000 0 0", "download " + draw + "0/2000000 0 0",
		"download " + edit + "1000000/2000000 1000000 1", "download " + draw + "500000/2000000 500000 3",
		"download " + edit + "2000000/2000000 1000000 0", "download " + draw + "1000000/2000000 500000 2", "install " + edit + "0/0 0 0"}
	if !slices.Equal(got, want) {
		t.Errorf("%s", strings.Join(got, "\n"))
	}
}
