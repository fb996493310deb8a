package model

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"sandbox/internal/safe"
)

func text(lines []Line) string {
	var b strings.Builder
	for _, l := range lines {
		for _, s := range l.Spans {
			b.WriteString(s.Text)
		}
		b.WriteString("\n")
	}
	return b.String()
}

func TestWorstComesFirst(t *testing.T) {
	var list []string
	for n := range 50 {
		list = append(list, fmt.Sprintf("env:HARMLESS_%d=x", n))
	}
	grants, limits := Grants(append(list, "limit:memory=512M", "files:~/Documents:read", "files:home:write", "what is this"))
	if len(limits) != 1 || limits[0].Key != "limit:memory=512M" {
		t.Errorf("limits %v", limits)
	}
	if grants[0].Key != "files:home:write" && grants[1].Key != "files:home:write" {
		t.Errorf("the home comes after %v", grants[:2])
	}
	if Dangerous(grants) != 2 {
		t.Errorf("%d are dangerous: the home, and what cannot be read", Dangerous(grants))
	}
	for n := 1; n < len(grants); n++ {
		if grants[n].Risk > grants[n-1].Risk {
			t.Errorf("%v after %v", grants[n], grants[n-1])
		}
	}
}

func TestDetailsInWords(t *testing.T) {
	i := instance("a", 2)
	i.Permissions = []string{"network:host", "files:~/Documents:write", "limit:pids=100"}
	i.Notes = []string{"no camera here"}
	i.Command = []string{"edit", "a file"}
	short, full := text(Details(i, noon, false)), text(Details(i, noon, true))
	for _, want := range []string{
		"a can (1 dangerous permission)\n", "HIGH    use the host's own network", "medium  read and change the files in ~/Documents  files:~/Documents:write\n",
		"what it can read, it can send away", "Note     no camera here\n", "Limits   run up to 100", "Command  edit a file\n",
	} {
		if !strings.Contains(short, want) {
			t.Errorf("no %q in\n%s", want, short)
		}
	}
	for _, want := range []string{"nothing is filtered", "App      org.example.a\n", "1m 0s ago", "Memory   -\n", "CPU      this machine cannot tell"} {
		if !strings.Contains(full, want) {
			t.Errorf("no %q in\n%s", want, full)
		}
	}
}

func TestTogetherNeedsBoth(t *testing.T) {
	for _, c := range []struct {
		name string
		list []string
		want bool
	}{
		{"files and network", []string{"files:~/x:read", "network:internet"}, true},
		{"files", []string{"files:~/x:read"}, false},
		{"network", []string{"network:internet"}, false},
		{"files and no network", []string{"files:~/x:read", "network:none"}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if grants, _ := Grants(c.list); together(grants) != "" != c.want {
				t.Errorf("%q", together(grants))
			}
		})
	}
}

func TestNothingGranted(t *testing.T) {
	i := instance("a", 2)
	i.Permissions = []string{"limit:pids=3"}
	if got := text(Details(i, noon, false)); !strings.HasPrefix(got, "a was granted nothing") {
		t.Error(got)
	}
}

func TestHostileTextIsShownAsItIs(t *testing.T) {
	const evil = "x\x1b[2K\x1b]0;t\a\u202e\u009b2J\r\n\x7f\xff"
	i := Instance{Key: Key{evil, 2}, App: evil, Version: evil, Command: []string{evil}, Permissions: []string{evil, "files:~/" + evil}, Notes: []string{evil}}
	var r Running
	r.Update([]Instance{i}, noon)
	row := r.Rows()[0]
	q, k := StopQuestion(i, time.Second), KillQuestion(i)
	all := []string{row.Name, row.App, q.Title, k.Title, strings.Join(q.Text, ""), strings.Join(k.Text, "")}
	for _, l := range append(Details(i, noon, true), LogLines(evil, true)...) {
		for _, s := range l.Spans {
			all = append(all, s.Text)
		}
	}
	shown := false
	for _, s := range all {
		if safe.Text(s) != s {
			t.Errorf("not fit for a terminal: %q", s)
		}
		shown = shown || strings.Contains(s, `\x1b]0;t\x07\u202e`)
	}
	if !shown {
		t.Error("the trick is hidden")
	}
}

func TestLogLines(t *testing.T) {
	for _, c := range []struct {
		name, data string
		whole      bool
		want       string
	}{
		{"nothing", "", true, ""},
		{"lines", "a\nb\n", true, "a\nb\n"},
		{"a line that is being written", "a\nb", true, "a\nb\n"},
		{"an empty line", "a\n\nb\n", true, "a\n\nb\n"},
		{"the first line is cut", "tail of a\nb\n", false, "b\n"},
		{"colours are dropped", "\x1b[1;31mred\x1b[0m\n", true, "red\n"},
		{"other escapes are shown", "\x1b[2Jx\n", true, "\\x1b[2Jx\n"},
		{"a carriage return at the end", "a\r\n", true, "a\n"},
		{"a tab", "a\tb\n", true, "a    b\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := text(LogLines(c.data, c.whole)); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
	if n := len(LogLines(strings.Repeat("x\n", MaxLog*2), true)); n != MaxLog {
		t.Errorf("%d lines kept", n)
	}
}

func TestQuestionsNameTheConsequence(t *testing.T) {
	i := instance("a", 2)
	if q := StopQuestion(i, 10*time.Second); !strings.Contains(strings.Join(q.Text, " "), "after 10s, it is killed") || q.Bad {
		t.Errorf("%+v", q)
	}
	i.Paused = true
	if q := StopQuestion(i, time.Second); !strings.Contains(strings.Join(q.Text, " "), "goes on for that") {
		t.Errorf("%+v", q)
	}
	for pids, want := range map[int64]string{-1: "Every process", 1: "1 process or thread of it ends", 7: "All 7 processes and threads of it end"} {
		i.Pids = pids
		if q := KillQuestion(i); !strings.Contains(q.Text[0], want) || !q.Bad {
			t.Errorf("%d: %+v", pids, q)
		}
	}
}

func FuzzLogLines(f *testing.F) {
	f.Add("a\x1b[31mb\n\xff\u202e\n", true)
	f.Fuzz(func(t *testing.T, data string, whole bool) {
		lines := LogLines(data, whole)
		if len(lines) > MaxLog {
			t.Fatalf("%d lines", len(lines))
		}
		for _, l := range lines {
			for _, s := range l.Spans {
				if safe.Text(s.Text) != s.Text {
					t.Fatalf("not fit for a terminal: %q", s.Text)
				}
			}
		}
	})
}
