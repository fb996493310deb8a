package main

import (
	"fmt"
	"math/rand"
	"strings"
	"testing"
	"time"

	"github.com/gdamore/tcell/v2"

	"sandbox/cmd/sandbox-tui/model"
	"sandbox/internal/safe"
)

func TestScreens(t *testing.T) {
	empty := func(b *bench) { b.world.list = nil }
	written := func(b *bench) {
		for n := range 60 {
			b.world.log += fmt.Sprintf("line %d\n", n)
		}
	}
	for _, c := range []struct {
		name string
		w, h int
		keys string
		set  func(*bench)
	}{
		{"list 80x24", 80, 24, "tick tick", nil},
		{"list 120x40", 120, 40, "tick tick j", nil},
		{"list 160x30", 160, 30, "tick tick j", nil},
		{"list 40x10", 40, 10, "tick tick Down", nil},
		{"too small", 19, 4, "tick", nil},
		{"dangerous first", 80, 14, "tick j", nil},
		{"many", 60, 14, "tick G", func(b *bench) { b.world.list = many(40) }},
		{"empty", 80, 24, "tick", empty},
		{"empty 40x10", 40, 10, "tick", empty},
		{"before the first answer", 80, 24, "", nil},
		{"filter being typed", 80, 24, "tick / or paste:g.gnu", nil},
		{"filter kept", 80, 24, "tick / paused Enter", nil},
		{"filter matches nothing", 80, 24, "tick / zzz Enter", nil},
		{"details", 80, 24, "tick tick j Enter", nil},
		{"details of what has ended", 80, 24, "tick Enter", func(b *bench) {}},
		{"stop asked", 80, 24, "tick s", nil},
		{"kill asked", 80, 24, "tick j K", nil},
		{"kill asked 40x10", 40, 10, "tick j K", nil},
		{"being stopped", 80, 24, "tick hold s y", nil},
		{"log", 80, 24, "tick j l tick", written},
		{"log scrolled", 80, 24, "tick j l k k PgUp tick", written},
		{"log empty", 80, 24, "tick j l", nil},
		{"log not to be had", 80, 24, "tick l", nil},
		{"help", 80, 30, "tick ?", nil},
		{"reading fails", 80, 24, "tick", nil},
		{"hostile", 80, 24, "tick", func(b *bench) { b.world.list = hostile() }},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t, c.w, c.h, true)
			if c.set != nil {
				c.set(b)
			}
			b.press(c.keys)
			switch c.name {
			case "details of what has ended":
				b.world.list = b.world.list[1:]
				b.press("tick")
			case "reading fails":
				b.world.err = errTest
				b.press("tick")
			}
			golden(t, c.name, b.screen())
		})
	}
	t.Run("without colours", func(t *testing.T) {
		b := newBench(t, 80, 24, false)
		b.press("tick tick j")
		golden(t, "without colours", b.screen())
	})
}

func many(n int) []model.Instance {
	var out []model.Instance
	for i := range n {
		out = append(out, model.Instance{Key: model.Key{Name: fmt.Sprintf("worker-%02d", i), PID: 1000 + i}, App: "org.example.Worker", Started: noon, Memory: 1 << 20, Pids: 1})
	}
	return out
}

// hostile instances have names that would break a screen which trusts them.
func hostile() []model.Instance {
	var out []model.Instance
	for n, evil := range []string{
		"[red]x[-:-:-]", "[:::https://evil/x]y", "[black:black]x[-]", "\x1b[2K\x1b[1A", "\x1b]0;title\a", "\x9b2J\u009b2J", "a\u202eb\u2066c", "x\r\n\t\b\x7f", "z" + strings.Repeat("\u0301", 40),
		"メモ帳", "e\u200bvil\u2028\ufeff", "\U000e0041tag",
	} {
		out = append(out, model.Instance{Key: model.Key{Name: evil, PID: 10 + n}, App: "org." + evil, Version: evil, Command: []string{evil}, Started: noon, Memory: 1 << 20, Pids: 1,
			Permissions: []string{"files:~/" + evil, evil}, Notes: []string{evil}})
	}
	return out
}

// What an app says about itself is on the screen letter by letter, and moves no
// column.
func TestHostileNames(t *testing.T) {
	for _, size := range [][2]int{{40, 10}, {80, 24}, {120, 40}, {160, 40}} {
		b := newBench(t, size[0], size[1], true)
		b.world.list = hostile()
		b.world.log = "\x1b]52;c;AAAA\a\x1b[2J[red]x\n"
		b.press("tick")
		column := -1
		for range b.world.list {
			for _, keys := range []string{"", "Enter", "q s", "Esc K", "Esc /", "Esc ?", "q"} {
				b.press(keys)
				text, _, _ := strings.Cut(b.screen(), "\n===")
				for line := range strings.Lines(text) {
					line = strings.TrimSuffix(line, "\n")
					if safe.Text(line) != line {
						t.Fatalf("after %q the screen holds %q", keys, line)
					}
					head, _, ok := strings.Cut(line, "  running ")
					if keys == "" && ok {
						if column < 0 {
							column = width(split(head))
						}
						if got := width(split(head)); got != column {
							t.Errorf("%dx%d: the state is at %d, elsewhere at %d: %q", size[0], size[1], got, column, line)
						}
					}
				}
			}
			b.press("j")
		}
		if b.press("Home"); size[0] >= 80 && !strings.Contains(b.screen(), "[red]x[-:-:-]") {
			t.Errorf("a tag is not shown as it is:\n%s", b.screen())
		}
	}
}

func TestLogOfHostileApp(t *testing.T) {
	b := newBench(t, 80, 24, true)
	b.world.log = "\x1b]52;c;AAAA\a\x1b[2J[red]x\n"
	b.press("tick j l")
	if got := b.screen(); !strings.Contains(got, `\x1b]52;c;AAAA\x07\x1b[2J[red]x`) {
		t.Error(got)
	}
}

func TestKeysDoWhatTheySay(t *testing.T) {
	for _, c := range []struct {
		name, keys, did, shows string
	}{
		{"stop needs a yes", "tick s", "", "Stop editor?"},
		{"stop", "tick s y", "stop editor/100", "editor has stopped"},
		{"Enter is no yes", "tick s Enter", "", "editor"},
		{"Esc is no yes", "tick K Esc y", "", "editor"},
		{"s twice is no yes", "tick s s s", "", "Stop editor?"},
		{"K twice is no yes", "tick K K K", "", "KILL editor?"},
		{"kill", "tick K y", "kill editor/100", "editor was killed"},
		{"pause", "tick p", "pause editor/100", "editor is paused"},
		{"resume", "tick G p", "resume shell/300", "shell goes on"},
		{"acts on the selected one", "tick j s y", "stop mirror/200", "mirror has stopped"},
		{"acts under a filter", "tick / mirror Enter K y", "kill mirror/200", ""},
		{"not on what the filter hides", "tick / zzz Enter K", "", "kill is not possible: no instance is selected"},
		{"not while it is being stopped", "tick hold s y p release", "stop editor/100", "editor has stopped"},
		{"kill while it is being stopped", "tick hold s y K y release", "stop editor/100,kill editor/100", ""},
		{"from the details", "tick j Enter s y", "stop mirror/200", ""},
		{"typing a filter stops nothing", "tick / sKp y", "", ""},
		{"pasting stops nothing", "tick paste:sy", "", "pasted text does nothing here"},
		{"a paste is no yes", "tick s paste:y", "", "Stop editor?"},
		{"no log of what has a terminal", "tick l", "", "was not started with --detach"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t, 120, 30, true)
			b.press(c.keys)
			if got := strings.Join(b.world.did, ","); got != c.did {
				t.Errorf("did %q, want %q", got, c.did)
			}
			if got := b.screen(); !strings.Contains(got, c.shows) {
				t.Errorf("no %q on\n%s", c.shows, got)
			}
		})
	}
}

func TestRowsMoveWhileAQuestionIsOpen(t *testing.T) {
	b := newBench(t, 80, 24, true)
	b.press("tick j K")
	b.world.list = append(many(3), b.world.list[1:]...)
	b.press("tick y")
	if got := strings.Join(b.world.did, ","); got != "kill mirror/200" {
		t.Errorf("did %q", got)
	}
}

func TestQuestionAboutWhatHasEndedIsWithdrawn(t *testing.T) {
	b := newBench(t, 80, 24, true)
	b.press("tick K")
	b.world.list = b.world.list[1:]
	b.press("tick")
	if got := b.screen(); !strings.Contains(got, "editor has ended by itself") || strings.Contains(got, "KILL") {
		t.Error(got)
	}
	if b.press("y"); len(b.world.did) > 0 {
		t.Errorf("did %q", b.world.did)
	}
}

func TestForcedStopIsSaid(t *testing.T) {
	b := newBench(t, 80, 24, true)
	b.world.list[0].Name = "stubborn"
	if b.press("tick s y"); !strings.Contains(b.screen(), "stubborn did not end in 10s and was killed") {
		t.Error(b.screen())
	}
}

func TestErrorsAreShown(t *testing.T) {
	b := newBench(t, 80, 24, true)
	b.press("tick")
	b.world.err = fmt.Errorf("cannot pause editor: \x1b[2J")
	if b.press("p"); !strings.Contains(b.screen(), `cannot pause editor: \x1b[2J`) {
		t.Error(b.screen())
	}
}

// Every screen can be left by Esc, and only the first one by leaving the program.
func TestEscLeadsBack(t *testing.T) {
	for _, keys := range []string{"/", "/ x", "Enter", "?", "s", "K", "j l", "Enter ?", "Enter K", "j Enter l ?", "/ x Enter"} {
		b := newBench(t, 80, 24, true)
		b.press("tick " + keys)
		for range 5 {
			b.press("Esc")
		}
		if len(b.app.views) != 1 || b.app.running.Filter() != "" {
			t.Errorf("%s: %d views, filter %q", keys, len(b.app.views), b.app.running.Filter())
		}
	}
}

// A key that is shown is a key that works, and help knows every key.
func TestHelpIsComplete(t *testing.T) {
	b := newBench(t, 100, 60, true)
	b.press("tick j")
	for _, keys := range []string{"", "Enter", "l"} {
		b.press(keys)
		of := b.app.top()
		b.press("?")
		text := b.screen()
		for _, own := range of.bindings() {
			if own.do == nil || len(own.strokes) == 0 || !strings.Contains(text, own.does) {
				t.Errorf("%s: %q (%s) is not explained, or does nothing", of.title(), own.does, own.short)
			}
		}
		b.press("Esc Esc")
	}
}

func TestNoKeyTwice(t *testing.T) {
	b := newBench(t, 80, 24, true)
	b.press("tick j")
	for _, keys := range []string{"", "Enter", "l", "?", "q q q K"} {
		b.press(keys)
		seen := map[stroke]string{}
		for _, own := range append(b.app.top().bindings(), b.app.global()...) {
			for _, s := range own.strokes {
				if seen[s] != "" {
					t.Errorf("%s: %v does %q and %q", b.app.top().title(), s, seen[s], own.does)
				}
				seen[s] = own.does
			}
		}
	}
}

// Whatever is typed on whatever size: no crash, and nothing ends without a yes
// to its question.
func TestMonkey(t *testing.T) {
	random := rand.New(rand.NewSource(1))
	b := newBench(t, 80, 24, true)
	b.world.log = strings.Repeat("a line of the log\n", 200)
	keys := []string{"j", "k", "g", "G", "s", "K", "p", "l", "y", "n", "/", "?", "q", "h", "f", "x", " ", "é", "語"}
	special := []tcell.Key{tcell.KeyEnter, tcell.KeyEsc, tcell.KeyUp, tcell.KeyDown, tcell.KeyPgUp, tcell.KeyPgDn, tcell.KeyHome, tcell.KeyEnd, tcell.KeyLeft,
		tcell.KeyRight, tcell.KeyTab, tcell.KeyBackspace2, tcell.KeyCtrlU, tcell.KeyCtrlW, tcell.KeyCtrlL, tcell.KeyDelete, tcell.KeyF1}
	agreed := 0
	for range 1500 {
		_, asked := b.app.top().(*confirmView)
		switch n := random.Intn(40); {
		case n == 0:
			b.resize(random.Intn(140), random.Intn(50))
		case n == 1:
			b.world.list = append(many(random.Intn(30)), three()[random.Intn(4):]...)
			b.tick()
		case n < 10:
			b.app.key(tcell.NewEventKey(special[random.Intn(len(special))], 0, 0))
		default:
			k := keys[random.Intn(len(keys))]
			if asked && k == "y" {
				agreed++
			}
			b.app.key(tcell.NewEventKey(tcell.KeyRune, []rune(k)[0], 0))
		}
		b.draw()
	}
	ended := 0
	for _, d := range b.world.did {
		if strings.HasPrefix(d, "stop") || strings.HasPrefix(d, "kill") {
			ended++
		}
	}
	if ended != agreed || ended == 0 {
		t.Errorf("%d instances were ended, %d questions were agreed to", ended, agreed)
	}
}

func TestEverySize(t *testing.T) {
	b := newBench(t, 0, 0, true)
	b.world.log = "x\n"
	for _, keys := range []string{"tick", "Enter", "q /", "Esc s", "Esc j l", "q ?"} {
		for w := 0; w < 170; w += 13 {
			for h := 0; h < 45; h += 5 {
				b.resize(w, h)
				b.draw()
			}
		}
		b.resize(80, 24)
		b.press(keys)
	}
}

func BenchmarkFrame(b *testing.B) {
	s := newBench(b, 120, 40, true)
	s.world.list = many(200)
	s.tick()
	for b.Loop() {
		s.now = s.now.Add(time.Second)
		s.tick()
		s.draw()
	}
}
