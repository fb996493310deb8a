package client

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"sandbox/repo/repotest"
	"sandbox/repo/store"
)

const memoryChild = "SANDBOX_CLIENT_MEMORY"

// TestMemoryChild is not a test: it is the process that is measured.
func TestMemoryChild(t *testing.T) {
	words := strings.Split(os.Getenv(memoryChild), "\n")
	if len(words) != 3 {
		t.Skip("started by TestMemory")
	}
	unix, _ := strconv.ParseInt(words[1], 10, 64)
	s, err := store.Open(words[0])
	if err != nil {
		t.Fatal(err)
	}
	c := &Client{Store: s, Now: func() time.Time { return time.Unix(unix, 0) }}
	p, err := c.PlanInstall(t.Context(), want(t, strings.Fields(words[2])...), PlanOptions{})
	if err == nil {
		_, err = c.Apply(t.Context(), p)
	}
	status, _ := os.ReadFile("/proc/self/status")
	peak := regexp.MustCompile(`VmHWM:\s*(\d+) kB`).FindSubmatch(status)
	fmt.Printf("peak %s kB, %v\n", peak[1], err)
}

// measured installs in a process of its own and returns its peak memory in kB.
func (b *bench) measured(names string) (kB int, err string) {
	b.Helper()
	self, e := os.Executable()
	if e != nil {
		b.Fatal(e)
	}
	c := exec.Command(self, "-test.run=^TestMemoryChild$", "-test.count=1")
	c.Env = append(os.Environ(), memoryChild+"="+b.store+"\n"+strconv.FormatInt(b.now.Unix(), 10)+"\n"+names)
	out, e := c.CombinedOutput()
	m := regexp.MustCompile(`peak (\d+) kB, (.*)`).FindSubmatch(out)
	if e != nil || m == nil {
		b.Fatalf("%v\n%s", e, out)
	}
	kB, _ = strconv.Atoi(string(m[1]))
	return kB, string(m[2])
}

const memoryLimit = 60_000 // kB

// text compresses about as programs do.
func text(n, seed int) string {
	var s strings.Builder
	for i := seed; s.Len() < n; i++ {
		fmt.Fprintf(&s, "%x line %d of something that is like code %s\n", uint32(i)*2654435761, i, strings.Repeat(string(rune('a'+i%26)), i%40))
	}
	return s.String()[:n]
}

func TestMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("installs 200 MB")
	}
	x := edit("1.0").File("files/lib/large.so", text(130<<20, 1)).File("files/lib/medium.so", text(20<<20, 7))
	x.Files = map[string]string{"files/bin/tool": x.Files["files/bin/tool"], "files/lib/large.so": x.Files["files/lib/large.so"], "files/lib/medium.so": x.Files["files/lib/medium.so"]}
	for i := range 8000 {
		x.Files[fmt.Sprintf("files/share/%02d/file-%04d.txt", i%100, i)] = text(6<<10, i*31)
	}
	b := newBench(t, x)
	b.store = filepath.Join(memory(t), "store")
	b.add("main", b.server.URL, b.repo.Fingerprint())
	kB, err := b.measured("org.example.Edit")
	t.Logf("%d MB in %d files took %d kB", x.Tree().Size>>20, len(x.Files), kB)
	if err != "<nil>" || kB > memoryLimit {
		t.Errorf("%d kB, %s", kB, err)
	}
	b.sound("1.0")
}

// Several at a time take no more than one.
func TestMemoryOfSeveral(t *testing.T) {
	if testing.Short() {
		t.Skip("installs 200 MB")
	}
	var all []repotest.Bundle
	names := []string{"org.example.Edit", "org.example.Draw", "org.example.Play", "org.example.Tell"}
	for k, name := range names {
		x := repotest.App(name, "1.0").File("files/lib/large.so", text(40<<20, k)).File("files/lib/medium.so", text(10<<20, 100+k))
		for i := range 2000 {
			x.Files[fmt.Sprintf("files/share/%02d/file-%04d.txt", i%100, i)] = text(2<<10, k*100_000+i*31)
		}
		all = append(all, x)
	}
	b := newBench(t, all...)
	b.store = filepath.Join(memory(t), "store")
	b.add("main", b.server.URL, b.repo.Fingerprint())
	kB, err := b.measured(strings.Join(names, " "))
	t.Logf("%d apps took %d kB", len(names), kB)
	if err != "<nil>" || kB > memoryLimit {
		t.Errorf("%d kB, %s", kB, err)
	}
	for _, name := range names {
		b.soundOf(name, "1.0")
	}
}

// B10, B35: what a server sends does not show in memory.
func TestMemoryUnderAttack(t *testing.T) {
	if testing.Short() {
		t.Skip("starts programs")
	}
	for name, bend := range map[string]func(b *bench){
		"endless timestamp": func(b *bench) { b.server.Misbehave(repotest.Only("timestamp.json", repotest.Endless)) },
		"endless pack":      func(b *bench) { b.server.Misbehave(repotest.Only("pack/", repotest.Endless)) },
		"a tree that is a bomb": func(b *bench) {
			bomb := repotest.Zstd([]byte(strings.Repeat("{}\n", 100<<20)))
			d := b.repo.Release(edit("1.1"))
			b.repo.Put(d, bomb)
			b.repo.Resign(d, edit("1").Ref(), 2)
			b.repo.Publish()
		},
		"a million targets in the index": func(b *bench) {
			b.repo.Break["bin-00"] = func([]byte) []byte {
				return []byte(`{"signed":{"targets":{` + strings.Repeat(`"a":{},`, 2e6) + `}},"signatures":[]}`)
			}
			b.repo.Publish()
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, heavy("1.0"))
			bend(b)
			kB, err := b.measured("org.example.Edit")
			t.Logf("%d kB, %s", kB, err)
			if err == "<nil>" || kB > memoryLimit {
				t.Errorf("%d kB, %s", kB, err)
			}
		})
	}
}
