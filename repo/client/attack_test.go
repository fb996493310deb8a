package client

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"sandbox/internal/testenv"
	"sandbox/repo"
	"sandbox/repo/remote"
	"sandbox/repo/repotest"
	"sandbox/repo/store"
)

// sound checks that a store holds what it should and that nothing in it is
// damaged.
func (b *bench) sound(version string) {
	b.Helper()
	b.soundOf("Edit", version)
}

func (b *bench) soundOf(id, version string) {
	b.Helper()
	if got := b.version(id); got != version {
		b.Errorf("%q is installed of %s, not %q", got, id, version)
	}
	s, err := store.Open(b.store)
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	l, err := s.Lock(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	l.Unlock()
	if found, err := s.Verify(b.Context(), store.VerifyOptions{}); err != nil || len(found) != 0 {
		b.Errorf("damaged: %+v, %v", found, err)
	}
}

// noise does not compress.
func noise(n int) string {
	x := uint64(88172645463325252)
	var s strings.Builder
	for s.Len() < n {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		s.WriteByte(byte(x))
	}
	return s.String()
}

// heavy has a pack of several spans.
func heavy(version string) repotest.Bundle {
	return edit(version).File("files/share/a", noise(3<<20)+version).File("files/share/b", noise(1<<20)+version)
}

// refused is misbehaviour that must leave the old release, after which the same
// server, behaving, must be able to give the new one.
func refused(t *testing.T, hook repotest.Hook, want error, text string) {
	t.Helper()
	b := newBench(t, heavy("1.0"))
	b.mustInstall("Edit")
	b.publish(heavy("1.1"))
	b.server.Misbehave(hook)
	start := time.Now()
	p, _, err := b.update(PlanOptions{}, 0)
	if err == nil {
		for _, h := range p.Held {
			err = errors.Join(err, h.Err)
		}
	}
	if err == nil || want != nil && !errors.Is(err, want) || !strings.Contains(err.Error(), text) {
		t.Errorf("%v; want %v %q", err, want, text)
	}
	if d := time.Since(start); d > 10*time.Second {
		t.Errorf("held for %v", d)
	}
	b.sound("1.0")
	b.server.Misbehave(nil)
	if _, _, err := b.update(PlanOptions{}, 0); err != nil {
		t.Errorf("behaving again: %v", err)
	}
	b.sound("1.1")
}

func flip(data []byte) []byte {
	data[len(data)/2] ^= 0x10
	return data
}

func cut(data []byte) []byte { return data[:len(data)*2/3] }

// ranged lets a changed file still be asked for in parts.
func ranged(change func([]byte) []byte) repotest.Hook { return repotest.Changed(change) }

func TestMisbehavingServer(t *testing.T) {
	evil := repotest.Serve(t, repotest.New())
	for _, c := range []struct {
		name string
		hook repotest.Hook
		want error
		text string
	}{
		{"a flipped byte in a tree", repotest.Only("man/", ranged(flip)), ErrDamaged, ""},
		{"a flipped byte in a locator", repotest.Only("loc/", ranged(flip)), ErrDamaged, ""},
		{"a flipped byte in a pack", repotest.Only("pack/", ranged(flip)), nil, ""},
		{"a cut tree", repotest.Only("man/", ranged(cut)), ErrDamaged, ""},
		{"a cut pack", repotest.Only("pack/", ranged(cut)), nil, ""},
		{"a longer tree", repotest.Only("man/", ranged(func(b []byte) []byte { return append(b, 0) })), remote.ErrTooLong, ""},
		{"an endless tree", repotest.Only("man/", repotest.Endless), remote.ErrTooLong, ""},
		{"an endless timestamp", repotest.Only("timestamp.json", repotest.Endless), remote.ErrTooLong, ""},
		{"an endless root", repotest.Only("2.root.json", repotest.Endless), remote.ErrTooLong, ""},
		{"a slow timestamp", repotest.Only("timestamp.json", repotest.Drip), remote.ErrTooSlow, ""},
		{"a slow pack", repotest.Only("pack/", repotest.Drip), remote.ErrTooSlow, ""},
		{"a slow tree", repotest.Only("man/", repotest.Drip), remote.ErrTooSlow, ""},
		{"no timestamp", repotest.Only("timestamp.json", repotest.Missing), remote.ErrNotFound, ""},
		{"no snapshot", repotest.Only("meta/2.snapshot", repotest.Missing), remote.ErrNotFound, ""},
		{"no tree", repotest.Only("man/", repotest.Missing), remote.ErrNotFound, ""},
		{"no locator", repotest.Only("loc/", repotest.Missing), remote.ErrNotFound, ""},
		{"no pack", repotest.Only("pack/", repotest.Missing), remote.ErrNotFound, ""},
		{"a redirect to another host", repotest.Redirect(evil.URL + "%s"), remote.ErrRedirect, ""},
		{"a redirect of packs to another host", repotest.Only("pack/", repotest.Redirect(evil.URL+"%s")), remote.ErrRedirect, ""},
		{"a redirect to a file", repotest.Redirect("file:///etc/passwd"), remote.ErrRedirect, ""},
		{"a server that dies in every pack at the same place", repotest.Only("pack/", repotest.Dying(1000)), remote.ErrUnreachable, ""},
		{"an error for packs", repotest.Only("pack/", func(w http.ResponseWriter, r *http.Request, _ []byte) bool {
			w.WriteHeader(http.StatusInternalServerError)
			return true
		}), remote.ErrUnreachable, ""},
	} {
		t.Run(c.name, func(t *testing.T) { refused(t, c.hook, c.want, c.text) })
	}
	if asked := evil.Requests(); len(asked) != 0 {
		t.Errorf("the other host was asked for %v", asked)
	}
}

func TestServerThatIsOnlyDifficult(t *testing.T) {
	for name, hook := range map[string]repotest.Hook{
		"without ranges":             repotest.NoRanges,
		"dies midway, now and then":  repotest.Only("pack/", repotest.Times(3, repotest.Dying(700_000))),
		"dies with progress, always": repotest.Only("pack/", repotest.Dying(200_000)),
		"dies midway, without ranges": repotest.Only("pack/", repotest.Times(2, func(w http.ResponseWriter, r *http.Request, d []byte) bool {
			r.Header.Del("Range")
			return repotest.Dying(900_000)(w, r, d)
		})),
		"is busy for a moment": repotest.Times(2, func(w http.ResponseWriter, r *http.Request, _ []byte) bool { w.WriteHeader(503); return true }),
		"forgets ranges after the 1st": func() repotest.Hook {
			first := true
			var mu sync.Mutex
			return repotest.Only("pack/", func(w http.ResponseWriter, r *http.Request, d []byte) bool {
				mu.Lock()
				defer mu.Unlock()
				if !first {
					r.Header.Del("Range")
				}
				first = false
				return false
			})
		}(),
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, heavy("1.0"))
			b.server.Misbehave(hook)
			if _, r, err := b.install(PlanOptions{}, "Edit"); err != nil || len(r.Done) != 1 {
				t.Fatalf("%+v, %v", r, err)
			}
			b.sound("1.0")
		})
	}
}

// B22, B43, B46: what is deployed is what was hashed, whatever comes later.
func TestServerThatChangesItsMind(t *testing.T) {
	b := newBench(t, heavy("1.0"))
	c := b.client()
	p, err := c.PlanInstall(t.Context(), want(t, "Edit"), PlanOptions{})
	if err != nil {
		t.Fatal(err)
	}
	b.server.Misbehave(repotest.Only("pack/", ranged(flip)))
	if _, err := c.Apply(t.Context(), p); err == nil {
		t.Error("installed")
	}
	b.sound("")
	b.server.Misbehave(func(w http.ResponseWriter, r *http.Request, d []byte) bool {
		if strings.HasPrefix(r.URL.Path, "/man/") || strings.HasPrefix(r.URL.Path, "/loc/") || strings.HasPrefix(r.URL.Path, "/meta/") {
			t.Errorf("asked again for %s", r.URL.Path)
		}
		return false
	})
	if _, err := c.Apply(t.Context(), p); err != nil {
		t.Error(err)
	}
	b.sound("1.0")
}

// A locator is bound by its hash, but who signs it may lie.
func TestLocatorThatLies(t *testing.T) {
	for name, bend := range map[string]func(l *repo.Locator){
		"two contents exchanged":     func(l *repo.Locator) { o := l.Frames[0].Objects; o[0].Object, o[1].Object = o[1].Object, o[0].Object },
		"beyond the pack":            func(l *repo.Locator) { l.Packs[0].Length *= 2; l.Frames[len(l.Frames)-1].CLen *= 2 },
		"a frame at another place":   func(l *repo.Locator) { l.Frames[0].Offset++; l.Frames[0].CLen-- },
		"a frame that unpacks short": func(l *repo.Locator) { l.Frames[len(l.Frames)-1].ULen--; l.Frames[len(l.Frames)-1].Objects[0].Len-- },
		"another pack":               func(l *repo.Locator) { l.Packs[0].Digest = repo.Sum([]byte("x")) },
		"contents missing":           func(l *repo.Locator) { l.Frames = l.Frames[:1] },
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, edit("0.9"))
			x := edit("1.0").File("files/share/zz", noise(300<<10))
			d := b.repo.Release(x)
			_, l := b.repo.Pack(x)
			bend(l)
			if data, err := repo.EncodeLocator(l); err == nil {
				at := repo.LocatorPath(repo.Sum(data))
				b.repo.Files[at] = data
				d["custom"].(repotest.Doc)["locator"] = repotest.Doc{"sha256": repo.Sum(data).String(), "length": len(data)}
			} else {
				t.Skipf("cannot even be written: %v", err)
			}
			b.repo.Publish()
			if _, r, err := b.install(PlanOptions{}, "Edit"); err == nil {
				t.Errorf("installed: %+v", r)
			}
			b.sound("")
		})
	}
}

// B04: a good tree, signed for another place.
func TestRefServedAsAnother(t *testing.T) {
	for name, other := range map[string]repotest.Bundle{
		"another app":                          repotest.App("org.example.Other", "1.0"),
		"another arch":                         {ID: "org.example.Edit", Version: "1.0", Arch: "any", TOML: edit("1").TOML, Files: edit("1.0").Files, Exec: edit("1.0").Exec},
		"another version":                      edit("0.1"),
		"another kind":                         {Kind: "runtime", ID: "org.example.Edit", Version: "1.0", Files: edit("1.0").Files},
		"more permissions than the index says": edit("1.0").With(writes),
	} {
		t.Run(name, func(t *testing.T) {
			r := repotest.New()
			good := r.Target(edit("1.0"), 1)
			bad := r.Target(other, 1)
			r.Rows = nil
			// The index of the one with the tree of the other, signed by a publisher who
			// does not look.
			good["length"], good["hashes"] = bad["length"], bad["hashes"]
			r.Resign(good, edit("1.0").Ref(), 1)
			r.Targets[edit("1.0").Ref().String()] = good
			r.Publish()
			b := &bench{T: t, repo: r, server: repotest.Serve(t, r), store: filepath.Join(t.TempDir(), "store"), now: r.Now.Add(time.Hour)}
			b.add("main", b.server.URL, r.Fingerprint())
			if _, res, err := b.install(PlanOptions{}, "org.example.Edit"); err == nil {
				t.Errorf("installed: %+v", res)
			}
			b.sound("")
		})
	}
}

// B35: a pack and a tree that unpack to far more than they say.
func TestBombs(t *testing.T) {
	zeros := strings.Repeat("\x00", 64<<20)
	b := newBench(t, edit("0.9"))
	x := edit("1.0").File("files/share/zeros", zeros)
	d := b.repo.Release(x)
	packed, l := b.repo.Pack(x)
	if len(packed) > 1<<20 {
		t.Fatalf("no bomb: %d bytes", len(packed))
	}
	tree := x.Tree()
	for i := range tree.Entries { // it claims to be small
		if tree.Entries[i].Path == "files/share/zeros" {
			tree.Entries[i].Size, tree.Size = 1000, tree.Size-int64(len(zeros))+1000
		}
	}
	for i := range l.Frames {
		if l.Frames[i].ULen > 1<<20 {
			l.Frames[i].ULen, l.Frames[i].Objects[0].Len = 1000, 1000
		}
	}
	b.repo.Replace(d, edit("1").Ref(), 2, tree, l)
	b.repo.Publish()
	if _, _, err := b.install(PlanOptions{}, "Edit"); err == nil {
		t.Error("installed")
	}
	b.sound("")

	for name, bomb := range map[string][]byte{
		"an endless first line": repotest.Zstd(bytes.Repeat([]byte("a"), 200<<20)),
		"endless lines":         repotest.Zstd(bytes.Repeat([]byte("{}\n"), 60<<20)),
	} {
		b := newBench(t, edit("0.9"))
		d := b.repo.Release(edit("1.0"))
		b.repo.Put(d, bomb)
		b.repo.Resign(d, edit("1").Ref(), 2)
		b.repo.Publish()
		if _, _, err := b.install(PlanOptions{}, "Edit"); err == nil {
			t.Errorf("%s: installed", name)
		}
		b.sound("")
	}
}

func TestFrozenRepository(t *testing.T) {
	b := newBench(t, edit("1.0"))
	b.mustInstall("Edit")
	b.now = b.now.Add(20 * day)
	p, r, err := b.update(PlanOptions{}, NeedExpired)
	if err != nil || len(r.Done) != 0 || !strings.Contains(held(p, "org.example.Edit"), "expired") {
		t.Errorf("%+v, %v", p, err)
	}
	if _, _, err := b.install(PlanOptions{}, "Edit"); err == nil || !strings.Contains(err.Error(), "expired") {
		t.Errorf("%v", err)
	}
}

func TestTwoClientsAtOnce(t *testing.T) {
	b := newBench(t, heavy("1.0"), repotest.App("org.example.Draw", "1").File("files/share/a", noise(3<<20)+"1.0"))
	b.server.Misbehave(repotest.Only("pack/", func(w http.ResponseWriter, r *http.Request, d []byte) bool {
		time.Sleep(20 * time.Millisecond)
		return false
	}))
	var clients []*Client
	var plans []*Plan
	for _, name := range []string{"Edit", "Edit", "Draw", "Edit"} {
		c := b.client()
		c.Progress = nil
		p, err := c.PlanInstall(t.Context(), want(t, name), PlanOptions{})
		if err != nil {
			t.Fatal(err)
		}
		clients, plans = append(clients, c), append(plans, p)
	}
	var wg sync.WaitGroup
	done := make([]int, len(clients))
	errs := make([]error, len(clients))
	for i := range clients {
		wg.Go(func() {
			r, err := clients[i].Apply(t.Context(), plans[i])
			done[i], errs[i] = len(r.Done), err
		})
	}
	wg.Wait()
	sum := 0
	for i, err := range errs {
		if err != nil {
			t.Errorf("client %d: %v", i, err)
		}
		sum += done[i]
	}
	if sum != 2 {
		t.Errorf("%d installations of two apps", sum)
	}
	b.sound("1.0")
}

// Two remotes' states are looked at by two processes at a time.
func TestTwoRefreshesAtOnce(t *testing.T) {
	b := newBench(t, edit("1.0"))
	var wg sync.WaitGroup
	for range 8 {
		c := b.client()
		c.Progress = nil
		wg.Go(func() {
			for range 5 {
				if _, err := c.PlanInstall(context.Background(), []Want{{Text: "org.example.Edit", ID: "org.example.Edit"}}, PlanOptions{}); err != nil {
					t.Error(err)
				}
				c.origins = nil
			}
		})
	}
	wg.Wait()
	b.mustInstall("Edit")
}

func TestCancelledInstall(t *testing.T) {
	b := newBench(t, heavy("1.0"))
	c := b.client()
	p, err := c.PlanInstall(t.Context(), want(t, "Edit"), PlanOptions{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	b.server.Misbehave(repotest.Only("pack/", func(w http.ResponseWriter, r *http.Request, d []byte) bool {
		w.Write(d[:1000])
		w.(http.Flusher).Flush()
		cancel()
		<-r.Context().Done()
		return true
	}))
	if _, err := c.Apply(ctx, p); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	b.sound("")
	b.server.Misbehave(nil)
	b.mustInstall("Edit")
	b.sound("1.0")
}

// What was complete is not fetched again after an interruption.
func TestInterruptedDownloadGoesOn(t *testing.T) {
	x := edit("1.0")
	for i := range 20 {
		x = x.File("files/share/"+string(rune('a'+i)), noise(600<<10)+string(rune('a'+i)))
	}
	b := newBench(t, x)
	b.server.Misbehave(repotest.Only("pack/", func(w http.ResponseWriter, r *http.Request, d []byte) bool {
		if strings.HasPrefix(r.Header.Get("Range"), "bytes=5242880-") {
			return repotest.Missing(w, r, d) // where the first answer broke off
		}
		return repotest.Dying(5<<20)(w, r, d)
	}))
	if _, _, err := b.install(PlanOptions{}, "Edit"); err == nil {
		t.Fatal("it was to be interrupted")
	}
	b.server.Misbehave(nil)
	p, _, err := b.install(PlanOptions{}, "Edit")
	if err != nil {
		t.Fatal(err)
	}
	if left, whole := p.Steps[0].Download, int64(12<<20); left > whole-4<<20 {
		t.Errorf("%d of %d bytes again", left, whole)
	}
	b.sound("1.0")
}

func TestDiskFull(t *testing.T) {
	testenv.NeedRoot(t)
	dir := smallDisk(t, 24<<20)
	b := newBench(t, edit("1.0").File("files/share/a", noise(2<<20)))
	b.store = filepath.Join(dir, "store")
	b.add("main", b.server.URL, b.repo.Fingerprint())
	// The check before: nothing is downloaded.
	b.publish(heavy("9.0").File("files/share/c", noise(20<<20)))
	b.server.Requests()
	if _, _, err := b.install(PlanOptions{}, "Edit"); !errors.Is(err, ErrSpace) {
		t.Errorf("%v", err)
	}
	for _, r := range b.server.Requests() {
		if strings.HasPrefix(r, "pack/") {
			t.Errorf("downloaded all the same: %s", r)
		}
	}
	// And when the check was wrong, since somebody else writes meanwhile.
	c := b.client()
	p, err := c.PlanInstall(t.Context(), want(t, "Edit"), PlanOptions{Release: 1})
	if err != nil {
		t.Fatal(err)
	}
	ballast := make([]byte, 23<<20)
	var once sync.Once
	b.server.Misbehave(repotest.Only("pack/", func(w http.ResponseWriter, r *http.Request, d []byte) bool {
		once.Do(func() { os.WriteFile(filepath.Join(dir, "ballast"), ballast, 0o600) })
		return false
	}))
	if _, err := c.Apply(t.Context(), p); err == nil {
		t.Error("installed on a full disk")
	}
	if err := os.Remove(filepath.Join(dir, "ballast")); err != nil {
		t.Fatal(err)
	}
	b.server.Misbehave(nil)
	b.sound("")
	if _, _, err := b.install(PlanOptions{Release: 1}, "Edit"); err != nil {
		t.Errorf("with room again: %v", err)
	}
	b.sound("1.0")
}

func TestReadOnlyStore(t *testing.T) {
	testenv.NeedUser(t)
	b := newBench(t, edit("1.0"))
	b.mustInstall("Edit")
	b.publish(edit("1.1"))
	c := b.client()
	locked := func(mode os.FileMode) {
		filepath.WalkDir(b.store, func(path string, d os.DirEntry, err error) error {
			if err == nil && d.IsDir() {
				os.Chmod(path, mode)
			}
			return nil
		})
	}
	locked(0o555)
	p, err := c.PlanUpdate(t.Context(), nil, PlanOptions{})
	if err == nil && len(p.Steps) > 0 {
		_, err = c.Apply(t.Context(), p)
	}
	failed := err != nil || len(p.Held) > 0
	locked(0o755)
	if !failed {
		t.Error("updated a store that cannot be written")
	}
	b.sound("1.0")
	if _, _, err := b.update(PlanOptions{}, 0); err != nil {
		t.Error(err)
	}
	b.sound("1.1")
}

func TestReadOnlyDisk(t *testing.T) {
	testenv.NeedRoot(t)
	dir := smallDisk(t, 32<<20)
	b := newBench(t, edit("1.0"))
	b.store = filepath.Join(dir, "store")
	b.add("main", b.server.URL, b.repo.Fingerprint())
	b.mustInstall("Edit")
	b.publish(edit("1.1"))
	c := b.client() // opened while it could still be written
	if err := syscall.Mount("", dir, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	p, err := c.PlanUpdate(t.Context(), nil, PlanOptions{})
	if err == nil && len(p.Steps) > 0 {
		_, err = c.Apply(t.Context(), p)
	}
	if err == nil && len(p.Held) == 0 {
		t.Error("updated a disk that cannot be written")
	}
	if err := syscall.Mount("", dir, "", syscall.MS_REMOUNT, "size=32m"); err != nil {
		t.Fatal(err)
	}
	b.sound("1.0")
	if _, _, err := b.update(PlanOptions{}, 0); err != nil {
		t.Error(err)
	}
	b.sound("1.1")
}

// B41: no other program is started.
func TestNoOtherProgramIsStarted(t *testing.T) {
	strace := testenv.NeedCommand(t, "strace")
	b := newBench(t, small("1.0"))
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	run := func(op string) string {
		log := filepath.Join(t.TempDir(), "log")
		c := exec.Command(strace, "-f", "-qq", "-o", log, "-e", "trace=execve,execveat", self, "-test.run=^TestCrashChild$", "-test.count=1")
		c.Env = append(os.Environ(), crashChild+"="+strings.Join([]string{op, b.store, strconv.FormatInt(b.now.Unix(), 10)}, "\n"))
		if out, err := c.CombinedOutput(); err != nil {
			testenv.Skip(t, "needs a strace that traces: %v\n%s", err, out)
		}
		data, _ := os.ReadFile(log)
		return string(data)
	}
	if log := run("install"); strings.Count(log, "execve") != 1 {
		t.Errorf("install:\n%s", log)
	}
	b.publish(small("1.1"))
	if log := run("update"); strings.Count(log, "execve") != 1 {
		t.Errorf("update:\n%s", log)
	}
	b.sound("1.1")
}
