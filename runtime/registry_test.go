package runtime

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sandbox/internal/disk"
)

func testRegistry(t *testing.T) *Registry {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "instances")
	if err := disk.PrivateDir(dir); err != nil {
		t.Fatal(err)
	}
	return &Registry{dir}
}

func TestRegistryListsOnlyTheLiving(t *testing.T) {
	r := testRegistry(t)
	live := &Entry{Instance: "nano-1", App: "org.gnu.Nano", PID: os.Getpid(), Started: time.Now()}
	if err := r.add(live); err != nil {
		t.Fatal(err)
	}
	dead := &Entry{Instance: "nano-2", App: "org.gnu.Nano", PID: os.Getpid(), Started: time.Now()}
	if err := r.add(dead); err != nil {
		t.Fatal(err)
	}
	dead.lock.Close() // what the kernel does when a supervisor is killed
	all, err := r.List()
	if err != nil || len(all) != 1 || all[0].Instance != "nano-1" {
		t.Fatalf("List: %v, %v", all, err)
	}
	if _, err := os.Stat(r.file("nano-2")); err == nil {
		t.Error("the entry of a killed supervisor stays")
	}
	live.remove()
	if all, _ := r.List(); len(all) != 0 {
		t.Errorf("after remove: %v", all)
	}
}

func TestRegistryNamesAreUniqueAmongTheLiving(t *testing.T) {
	r := testRegistry(t)
	first := &Entry{Instance: "x", App: "a", PID: os.Getpid()}
	if err := r.add(first); err != nil {
		t.Fatal(err)
	}
	if err := r.add(&Entry{Instance: "x", App: "a", PID: os.Getpid()}); err == nil {
		t.Error("a second instance took the name of a running one")
	}
	first.lock.Close()
	if err := r.add(&Entry{Instance: "x", App: "a", PID: os.Getpid()}); err != nil {
		t.Errorf("the name of a dead one cannot be used again: %v", err)
	}
}

func TestFindByNameAppAndShortName(t *testing.T) {
	r := testRegistry(t)
	for _, e := range []*Entry{
		{Instance: "nano-1", App: "org.gnu.Nano", PID: os.Getpid()},
		{Instance: "nano-2", App: "org.gnu.Nano", PID: os.Getpid()},
		{Instance: "htop-1", App: "org.htop.Htop", PID: os.Getpid()},
	} {
		if err := r.add(e); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]string{"nano-2": "nano-2", "htop": "htop-1", "org.htop.Htop": "htop-1"} {
		if e, err := r.Find(name); err != nil || e.Instance != want {
			t.Errorf("Find(%q): %v, %v", name, e, err)
		}
	}
	if _, err := r.Find("nano"); err == nil || errors.Is(err, ErrNoInstance) {
		t.Errorf("an ambiguous name: %v", err)
	}
	_, err := r.Find("vi")
	if missing, ok := errors.AsType[*NoInstance](err); !ok || !errors.Is(err, ErrNoInstance) || missing.Name != "vi" || len(missing.Running) != 3 {
		t.Errorf("an unknown name: %v", err)
	}
}

// V10, L20, L29: what stands in the registry is believed only as far as it can
// be checked, and a forged entry reaches no process.
func TestForgedEntriesReachNobody(t *testing.T) {
	r := testRegistry(t)
	for name, text := range map[string]string{
		"zero":   `{"instance":"zero","pid":0}`,
		"one":    `{"instance":"one","pid":1}`,
		"minus":  `{"instance":"minus","pid":-1}`,
		"other":  `{"instance":"another","pid":99}`,
		"broken": `{"instance":`,
	} {
		f, err := os.OpenFile(r.file(name), os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		f.WriteString(text)
		unix.Flock(int(f.Fd()), unix.LOCK_EX)
		if e, err := r.load(name); err == nil {
			t.Errorf("%s is believed: %+v", name, e)
		}
	}
	secret := filepath.Join(t.TempDir(), "secret")
	os.WriteFile(secret, []byte(`{"instance":"link","pid":99}`), 0o600)
	os.Symlink(secret, r.file("link"))
	if _, err := r.load("link"); err == nil {
		t.Error("a link is followed")
	}
	if err := unix.Mkfifo(r.file("fifo"), 0o600); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { r.load("fifo"); close(done) }()
	select {
	case <-done:
	case <-time.After(2 * time.Second):
		t.Error("a FIFO in the registry blocks")
	}
}

func TestValidInstance(t *testing.T) {
	for name, want := range map[string]bool{
		"nano-1": true, "a.b_c": true, strings.Repeat("x", 64): true,
		"": false, ".": false, "..": false, "a/b": false, "-x": false, "a b": false, "a\n": false, strings.Repeat("x", 65): false, "ü": false,
	} {
		if ValidInstance(name) != want {
			t.Errorf("ValidInstance(%q) = %v", name, !want)
		}
	}
}

func TestParseStatSurvivesHostileNames(t *testing.T) {
	text := "42 (a) S 1 (b)) S 7 0 0 0 0 0 0 0 0 0 11 12 13 14 20 0 3 0 99 0 5 0\n"
	s, ok := parseStat(42, []byte(text))
	if !ok || s.parent != 7 || s.threads != 3 {
		t.Errorf("parseStat: %+v, %v", s, ok)
	}
	if _, ok := parseStat(1, []byte("1 (x")); ok {
		t.Error("a truncated line is accepted")
	}
}
