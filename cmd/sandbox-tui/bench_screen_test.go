package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gdamore/tcell/v2"

	"sandbox/cmd/sandbox-tui/model"
)

var update = flag.Bool("update", false, "rewrite the golden screens")

var noon = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

// fake is a world that tests arrange.
type fake struct {
	mu   sync.Mutex
	list []model.Instance
	err  error // of every call
	log  string
	did  []string
}

func (f *fake) List() ([]model.Instance, error) { return f.list, f.err }
func (f *fake) Stop(k model.Key, _ time.Duration) (bool, error) {
	return strings.Contains(k.Name, "stubborn"), f.note("stop", k)
}
func (f *fake) Kill(k model.Key) error   { return f.note("kill", k) }
func (f *fake) Pause(k model.Key) error  { return f.note("pause", k) }
func (f *fake) Resume(k model.Key) error { return f.note("resume", k) }
func (f *fake) Log(model.Key) (string, bool, error) {
	return f.log, true, f.err
}

func (f *fake) note(what string, k model.Key) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.did = append(f.did, fmt.Sprintf("%s %s/%d", what, k.Name, k.PID))
	return f.err
}

// three instances of the kinds there are.
func three() []model.Instance {
	return []model.Instance{
		{Key: model.Key{Name: "editor", PID: 100}, App: "org.gnu.Nano", Version: "7.2", Command: []string{"nano", "plan.txt"},
			Started: noon.Add(-2 * time.Hour), Detached: false, CPU: 3 * time.Second, Memory: 5 << 20, Pids: 1, OOM: 0,
			Permissions: []string{"files:~/Documents:write", "limit:memory=512M", "limit:pids=100"}},
		{Key: model.Key{Name: "mirror", PID: 200}, App: "org.example.Mirror", Version: "1.4", Command: []string{"mirror", "--all"},
			Started: noon.Add(-80 * time.Second), Detached: true, CPU: time.Minute, Memory: 300 << 20, Pids: 12, OOM: 1,
			Permissions: []string{"env:EDITOR", "network:host", "files:home:write", "files:~/.ssh:read", "device:gpu", "socket:x11", "session-bus:talk:org.freedesktop.secrets"},
			Notes:       []string{"device:gpu gives nothing here: there is no graphics card"}},
		{Key: model.Key{Name: "shell", PID: 300}, App: "org.gnu.Bash", Version: "5.2", Command: []string{"bash"},
			Started: noon.Add(-5 * time.Second), Detached: true, Paused: true, CPU: -1, Memory: -1, Pids: -1, OOM: -1},
	}
}

// bench is an app on a simulated screen. Nothing of it runs by itself: keys,
// readings and work are done when a test says so.
type bench struct {
	t     testing.TB
	world *fake
	app   *app
	sim   tcell.SimulationScreen
	held  []func() // work that was begun, when hold is set
	hold  bool
	now   time.Time
}

func newBench(t testing.TB, w, h int, colour bool) *bench {
	t.Helper()
	b := &bench{t: t, world: &fake{list: three()}, sim: tcell.NewSimulationScreen("UTF-8"), now: noon}
	b.app = newApp(b.world, theme{colour})
	b.app.show = func(f func()) { f() }
	b.app.spawn = func(f func()) {
		if b.hold {
			b.held = append(b.held, f)
		} else {
			f()
		}
	}
	s := &steady{Screen: b.sim}
	b.app.screen = s
	if err := s.Init(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.sim.Fini)
	b.resize(w, h)
	return b
}

func (b *bench) resize(w, h int) {
	b.sim.SetSize(w, h)
	b.app.screen.(*steady).whole.Store(true)
}

// tick is one reading, a second after the last.
func (b *bench) tick() {
	b.now = b.now.Add(time.Second)
	list, err := b.world.List()
	b.app.refresh(list, err, b.now)
}

// release lets work end that was held.
func (b *bench) release() {
	work := b.held
	b.held = nil
	for _, f := range work {
		f()
	}
}

var named = map[string]tcell.Key{
	"Enter": tcell.KeyEnter, "Esc": tcell.KeyEsc, "Down": tcell.KeyDown, "Up": tcell.KeyUp, "End": tcell.KeyEnd, "Home": tcell.KeyHome,
	"PgDn": tcell.KeyPgDn, "PgUp": tcell.KeyPgUp, "Left": tcell.KeyLeft, "Ctrl-U": tcell.KeyCtrlU, "Ctrl-L": tcell.KeyCtrlL,
}

// press does as a person would: keys by name, "tick" for a second, "hold" and
// "release" for work that takes its time, "paste:TEXT".
func (b *bench) press(keys string) {
	for _, k := range strings.Fields(keys) {
		text, pasted := strings.CutPrefix(k, "paste:")
		switch {
		case pasted:
			b.app.paste(text)
		case k == "tick":
			b.tick()
		case k == "hold":
			b.hold = true
		case k == "release":
			b.hold = false
			b.release()
		case named[k] != 0:
			b.app.key(tcell.NewEventKey(named[k], 0, 0))
		default:
			for _, r := range k {
				b.app.key(tcell.NewEventKey(tcell.KeyRune, r, 0))
			}
		}
		b.draw()
	}
}

func (b *bench) draw() {
	s := b.app.screen
	s.Clear()
	r := newRoot(b.app)
	w, h := s.Size()
	r.SetRect(0, 0, w, h)
	r.Draw(s)
	s.Show()
}

// screen is what a person sees, and below it in which style: a letter for the
// tone, a capital where it is reversed.
func (b *bench) screen() string {
	b.draw()
	cells, w, h := b.sim.GetContents()
	var text, styles strings.Builder
	for y := range h {
		var line, style string
		for x := 0; x < w; {
			c := cells[y*w+x]
			line += string(c.Runes)
			style += look(c.Style)
			x += max(1, width(split(string(c.Runes))))
		}
		text.WriteString(strings.TrimRight(line, " ") + "\n")
		styles.WriteString(strings.TrimRight(style, ".") + "\n")
	}
	return text.String() + strings.Repeat("=", w) + "\n" + styles.String()
}

func look(s tcell.Style) string {
	fg, _, attr := s.Decompose()
	letter := "."
	switch {
	case fg == tcell.ColorGreen:
		letter = "g"
	case fg == tcell.ColorOlive:
		letter = "w"
	case fg == tcell.ColorMaroon:
		letter = "r"
	case attr&tcell.AttrBold != 0:
		letter = "b"
	case attr&tcell.AttrDim != 0:
		letter = "d"
	}
	if attr&tcell.AttrReverse != 0 {
		letter = strings.ToUpper(strings.ReplaceAll(letter, ".", "p"))
	}
	return letter
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", strings.ReplaceAll(name, " ", "-")+".golden")
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("the screen differs from %s (see the -update flag); it is:\n%s", path, got)
	}
}

var errTest = errors.New("cannot list instances: permission denied")
