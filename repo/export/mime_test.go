package export

import (
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sandbox/internal/testenv"
)

// endings reads the tree of a mime.cache back: "ending type weight".
func endings(t *testing.T, data []byte) []string {
	t.Helper()
	number := func(at uint32) uint32 { return binary.BigEndian.Uint32(data[at:]) }
	text := func(at uint32) string {
		s, _, _ := strings.Cut(string(data[at:]), "\x00")
		return s
	}
	var out []string
	var walk func(n, at uint32, ending string)
	walk = func(n, at uint32, ending string) {
		for i := range n {
			node := at + 12*i
			if letter := number(node); letter == 0 {
				out = append(out, ending+" "+text(number(node+4)))
			} else {
				walk(number(node+4), number(node+8), string(rune(letter))+ending)
			}
		}
	}
	tree := number(4 + 3*4)
	walk(number(tree), number(tree+4), "")
	slices.Sort(out)
	return out
}

func TestMimeBinary(t *testing.T) {
	data := mimeBinary([]fileType{
		{name: "text/x-b", globs: []string{"*.tar.B", "*.b", "Bfile"}, parents: []string{"text/plain", "text/x-a"}},
		{name: "text/x-a", globs: []string{"*.a", "*.b"}, parents: []string{"text/plain"}},
	})
	want := []string{".a text/x-a", ".b text/x-a", ".b text/x-b", ".tar.b text/x-b"}
	if got := endings(t, data); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if len(data)%4 != 0 {
		t.Error("the file does not end with a whole number")
	}
}

// The desktop's own library finds the type of a file by its name, and the app
// that opens it.
func TestDesktopFindsTypes(t *testing.T) {
	gio := testenv.NeedCommand(t, "gio")
	p := newPlace(t)
	p.Program = "/bin/true" // one that exists, or the entry does not count
	syncs(t, p, full(t))
	dir := t.TempDir()
	file := filepath.Join(dir, "a.tool")
	write(t, file, "text")
	run := func(args ...string) string {
		t.Helper()
		c := exec.Command(gio, args...)
		c.Env = append(os.Environ(), "XDG_DATA_DIRS=/usr/local/share:/usr/share:"+p.Share(), "XDG_DATA_HOME="+dir, "HOME="+dir, "LANG=C.UTF-8")
		out, err := c.CombinedOutput()
		if err != nil {
			t.Errorf("gio %q: %v", args, err)
		}
		return string(out)
	}
	if out := run("info", "-a", "standard::content-type", file); !strings.Contains(out, "application/x-tool") {
		t.Errorf("the type is not known: %s", out)
	}
	if out := run("mime", "application/x-tool"); !strings.Contains(out, "org.example.Tool.desktop") {
		t.Errorf("nothing opens the type: %s", out)
	}
}
