package main_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"sandbox/internal/e2e"
)

// A granted file is edited in place: the host has the text, and the file is
// still its owner's.
func TestNanoEditsAGrantedFile(t *testing.T) {
	t.Parallel()
	h := e2e.NewHome(t)
	file := h.Write("notes/todo.txt", "first\n")
	before, _ := os.Stat(file)
	s := onScreen(t, h, app(t, "org.gnu.Nano", []string{"--grant", "files:" + file + ":write"}, file)...)
	s.shows("first")
	s.keys("second", "Enter")
	s.keys("C-o")
	s.shows("File Name to Write")
	s.keys("Enter")
	s.shows("Wrote 2 lines")
	s.keys("C-x")
	if code := s.ended(); code != "0" {
		t.Errorf("nano ended with %s", code)
	}
	if got := e2e.Read(file); got != "second\nfirst\n" {
		t.Errorf("the file holds %q", got)
	}
	if after, _ := os.Stat(file); !os.SameFile(before, after) || before.Mode() != after.Mode() {
		t.Errorf("the file is another one now: %v, was %v", after, before)
	}
}

// What is not granted is not there: nano shows a new, empty buffer and says
// that it cannot write.
func TestNanoCannotTouchWhatIsNotGranted(t *testing.T) {
	t.Parallel()
	h := e2e.NewHome(t)
	file := h.Write("notes/todo.txt", "first\n")
	s := onScreen(t, h, app(t, "org.gnu.Nano", nil, file)...)
	text := s.shows("[ ")
	if strings.Contains(text, "first") {
		t.Errorf("nano shows a file that was not granted:\n%s", text)
	}
	s.keys("second", "Enter", "C-o")
	s.shows("File Name to Write")
	s.keys("Enter")
	s.shows("Error writing")
	s.keys("C-x")
	s.shows("Save modified buffer")
	s.keys("n")
	s.ended()
	if got := e2e.Read(file); got != "first\n" {
		t.Errorf("the file holds %q", got)
	}
}

// A read-only grant shows the text and keeps it.
func TestNanoSaysThatAFileIsReadOnly(t *testing.T) {
	t.Parallel()
	h := e2e.NewHome(t)
	file := h.Write("todo.txt", "first\n")
	s := onScreen(t, h, app(t, "org.gnu.Nano", []string{"--grant", "files:" + file + ":read"}, file)...)
	s.shows("first")
	s.shows("unwritable")
	s.keys("second", "Enter", "C-o")
	s.shows("File Name to Write")
	s.keys("Enter")
	s.shows("Error writing")
	s.keys("C-x", "n")
	s.ended()
	if got := e2e.Read(file); got != "first\n" {
		t.Errorf("the file holds %q", got)
	}
}

// A directory that is granted can be saved into, too.
func TestNanoSavesANewFileInAGrantedDirectory(t *testing.T) {
	t.Parallel()
	h := e2e.NewHome(t)
	dir := h.Mkdir("notes")
	s := onScreen(t, h, app(t, "org.gnu.Nano", []string{"--grant", "files:~/notes:write"}, dir+"/new.txt")...)
	s.shows("New File")
	s.keys("text")
	s.shows("text")
	s.keys("C-x")
	s.shows("Save modified buffer")
	s.keys("y")
	s.shows("File Name to Write")
	s.keys("Enter")
	s.ended()
	if got := e2e.Read(dir + "/new.txt"); got != "text\n" {
		t.Errorf("the file holds %q", got)
	}
	st, err := os.Stat(dir + "/new.txt")
	if err != nil || owner(st) != os.Getuid() {
		t.Errorf("the file belongs to %d: %v", owner(st), err)
	}
}

// Nano fills a window that grew: its help bar moves to the new last row.
func TestNanoRedrawsAfterAResize(t *testing.T) {
	t.Parallel()
	h := e2e.NewHome(t)
	s := onScreen(t, h, app(t, "org.gnu.Nano", nil)...)
	lastRow := func(row int) func(string) bool {
		return func(text string) bool {
			lines := strings.Split(text, "\n")
			return len(lines) >= row && strings.Contains(lines[row-1], "^X Exit")
		}
	}
	s.until("the help bar in row 24", lastRow(24))
	s.resize("120", "40")
	s.until("the help bar in row 40", lastRow(40))
	s.resize("60", "15")
	s.until("the help bar in row 15", lastRow(15))
	s.keys("C-x")
	s.ended()
}

// The window's size reaches what runs inside, at the start and later.
func TestShellSeesTheWindowsSize(t *testing.T) {
	t.Parallel()
	h := e2e.NewHome(t)
	s := onScreen(t, h, app(t, "org.gnu.Bash", nil, "--norc", "-i")...)
	s.keys(`echo "<$(tput cols)x$(tput lines) $TERM $(tput colors)>"`, "Enter")
	s.shows("<80x24 tmux-256color 256>")
	s.keys("clear; trap 'echo [WINCH]' WINCH", "Enter")
	s.until("an empty screen", func(text string) bool { return !strings.Contains(text, "tput") })
	s.resize("120", "40")
	s.keys("", "Enter")
	s.shows("[WINCH]")
	s.keys(`echo "<$(stty size)>"`, "Enter")
	s.shows("<40 120>")
	s.keys("exit 3", "Enter")
	if code := s.ended(); code != "3" {
		t.Errorf("ended with %s", code)
	}
}

// Colours arrive as they were sent, all 256 and the true ones.
func TestColoursReachTheTerminal(t *testing.T) {
	t.Parallel()
	h := e2e.NewHome(t)
	s := onScreen(t, h, bash(t, `printf '\033[31mred\033[0m \033[38;5;208morange\033[0m \033[38;2;1;2;3mnight\033[0m \033[1;7mbold\033[0m\n'; ls --color=always -d /app; read -r`)...)
	s.shows("/app")
	text := s.tmux("capture-pane", "-p", "-e")
	s.keys("Enter")
	s.ended()
	for _, want := range []string{"\x1b[31mred", "\x1b[38;5;208morange", "\x1b[38;2;1;2;3mnight", "\x1b[1;7mbold", "/app"} {
		if !strings.Contains(text, want) {
			t.Errorf("the terminal did not get %q but %q", want, text)
		}
	}
}

// htop draws its meters in colours and shows three processes: init, the
// program and nobody else's.
func TestHtopShowsItsOwnProcessesOnly(t *testing.T) {
	t.Parallel()
	h := e2e.NewHome(t)
	s := onScreen(t, h, app(t, "org.htop.Htop", nil)...)
	s.shows("F10")
	text := s.until("a process called htop", regexp.MustCompile(`(?m)^ +\d+ .*htop *$`).MatchString)
	rows := regexp.MustCompile(`(?m)^ *\d+ +[a-z]\S* .*$`).FindAllString(text, -1)
	if len(rows) == 0 || len(rows) > 2 {
		t.Errorf("htop shows %d processes:\n%s", len(rows), text)
	}
	if !strings.Contains(s.tmux("capture-pane", "-p", "-e"), "\x1b[3") {
		t.Error("htop shows no colours")
	}
	s.resize("120", "40")
	s.until("the function keys in row 40", func(text string) bool {
		lines := strings.Split(text, "\n")
		return len(lines) >= 40 && strings.Contains(lines[39], "F10")
	})
	s.keys("q")
	if code := s.ended(); code != "0" {
		t.Errorf("htop ended with %s", code)
	}
}

// The same for top and ps, which come with the runtime.
func TestPsAndTopShowTheirOwnProcessesOnly(t *testing.T) {
	t.Parallel()
	h := e2e.NewHome(t)
	r := h.Run(bash(t, `ps -e -o pid=,comm=; top -b -n 1 | tail -n +8`)...)
	lines := strings.Split(strings.TrimSpace(r.Stdout), "\n")
	if r.Code != 0 || len(lines) < 5 || len(lines) > 8 {
		t.Errorf("ended with %d, saw %q\n%s", r.Code, lines, r.Stderr)
	}
	for _, want := range []string{"1 sandbox-init", "bash", "ps", "top"} {
		if !strings.Contains(r.Stdout, want) {
			t.Errorf("%q is not among %q", want, lines)
		}
	}
}
