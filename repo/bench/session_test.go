package bench

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"sandbox/internal/e2e"
	"sandbox/internal/testenv"
)

func TestMain(m *testing.M) { os.Exit(e2e.Main(m)) }

// A session is a user with a home of their own, the two trees, our programs
// and the peers'.
type session struct {
	b       *testing.B
	dir     string
	env     []string
	sandbox string
	trees   trees

	oldBundle, newBundle   string
	oldFlatpak, newFlatpak string
	fresh                  int
}

func newSession(b *testing.B) *session {
	b.Helper()
	for _, name := range []string{"ostree", "flatpak"} {
		testenv.NeedCommand(b, name)
	}
	dir, err := os.MkdirTemp("/var/tmp", "sandbox-bench-") // a disk, not memory
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { os.RemoveAll(dir) })
	s := &session{b: b, dir: dir, trees: debianTrees(b)}
	s.sandbox = e2e.Program(b, "sandbox")
	e2e.Program(b, "sandbox-tool")
	s.env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + s.mkdir("home"), "XDG_RUNTIME_DIR=" + s.mkdir("run"), "LC_ALL=C.UTF-8"}
	s.must(os.Chmod(s.path("run"), 0o700))
	s.oldBundle = bundleOf(b, s.path("bundle-old"), s.trees.old, "1")
	s.newBundle = bundleOf(b, s.path("bundle-new"), s.trees.new, "2")
	s.oldFlatpak, s.newFlatpak = s.flatpakOf("flatpak-old", s.trees.old), s.flatpakOf("flatpak-new", s.trees.new)
	s.must(os.WriteFile(s.path("passphrase"), []byte("a passphrase\n"), 0o600))
	s.timed(s.ours("key", "create", "--passphrase-file", s.path("passphrase"), "bench"))
	return s
}

func (s *session) must(err error) {
	s.b.Helper()
	if err != nil {
		s.b.Fatal(err)
	}
}

func (s *session) path(name string) string { return filepath.Join(s.dir, name) }

func (s *session) mkdir(name string) string {
	s.b.Helper()
	s.must(os.MkdirAll(s.path(name), 0o755))
	return s.path(name)
}

// next is a name that nothing has yet.
func (s *session) next(name string) string {
	s.fresh++
	return s.path(fmt.Sprintf("%s-%d", name, s.fresh))
}

func (s *session) ours(args ...string) []string { return append([]string{s.sandbox}, args...) }

// --- publishing

func (s *session) initOurs(dir string) {
	s.timed(s.ours("repo", "init", "--key", "bench", "--passphrase-file", s.path("passphrase"), "--timestamp-days", "30", dir))
}

func (s *session) publishOurs(dir string, bundles ...string) []string {
	return append(s.ours("publish", "--repo", dir, "--key", "bench", "--passphrase-file", s.path("passphrase")), bundles...)
}

func (s *session) initOSTree(dir string) {
	s.timed([]string{"ostree", "--repo=" + dir, "init", "--mode=archive"})
}

const branch = "office"

func (s *session) publishOSTree(dir, tree string) [][]string {
	return [][]string{
		{"ostree", "--repo=" + dir, "commit", "--branch=" + branch, "--tree=dir=" + tree},
		{"ostree", "--repo=" + dir, "summary", "--update"},
	}
}

// flatpakOf is a tree in the layout that flatpak exports.
func (s *session) flatpakOf(name, tree string) string {
	dir := s.mkdir(name)
	for _, sub := range []string{"files", "export", "var"} {
		s.mkdir(filepath.Join(name, sub))
	}
	copyTree(s.b, tree, filepath.Join(dir, "usr"))
	ref := officeID + "/x86_64/stable"
	s.must(os.WriteFile(filepath.Join(dir, "metadata"), []byte("[Runtime]\nname="+officeID+"\nruntime="+ref+"\nsdk="+ref+"\n"), 0o644))
	return dir
}

func (s *session) publishFlatpak(dir, tree string) [][]string {
	return [][]string{
		{"flatpak", "build-export", "--arch=x86_64", "--runtime", dir, tree, "stable"},
		{"flatpak", "build-update-repo", dir},
	}
}

// --- the web server's log

// traffic is what was asked of it since the last time.
type traffic struct {
	requests int
	bytes    int64
}

type access struct {
	path string
	seen int
}

func (a *access) since(s *session) (t traffic) {
	text, err := os.ReadFile(a.path)
	s.must(err)
	for line := range strings.Lines(string(text[a.seen:])) {
		// address - user [time] "request" status bytes "referer" "agent"
		_, rest, _ := strings.Cut(line, `" `)
		fields := strings.Fields(rest)
		if len(fields) < 2 {
			continue
		}
		n, _ := strconv.ParseInt(fields[1], 10, 64)
		t.requests++
		t.bytes += n
	}
	a.seen = len(text)
	return t
}

func (t traffic) String() string {
	return fmt.Sprintf("%d requests, %.1f MB", t.requests, float64(t.bytes)/1e6)
}
