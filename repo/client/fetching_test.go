package client

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"sandbox/internal/testenv"
	"sandbox/repo"
	"sandbox/repo/repotest"
)

// several are three apps that have nothing in common.
func several(version string) (all []repotest.Bundle, names []string) {
	for i, name := range []string{"Draw", "Edit", "Play"} {
		b := repotest.App("org.example."+name, version)
		all = append(all, b.File("files/share/data", noise(300<<10)+name+version).File("files/share/more", noise(40 << 10)[i:]))
		names = append(names, b.ID)
	}
	return all, names
}

// packsOf counts what packs are asked for, and how many at a time.
type packsOf struct {
	mu    sync.Mutex // guards what follows
	now   int
	most  int
	bytes int64
}

func (p *packsOf) hook(during func(path string)) repotest.Hook {
	return repotest.Only("pack/", func(w http.ResponseWriter, r *http.Request, data []byte) bool {
		p.mu.Lock()
		p.now++
		p.most = max(p.most, p.now)
		p.mu.Unlock()
		defer func() {
			p.mu.Lock()
			p.now--
			p.mu.Unlock()
		}()
		during(r.URL.Path)
		repotest.Send(countedAnswer{w, p}, r, data)
		return true
	})
}

func (p *packsOf) seen() (most int, bytes int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.most, p.bytes
}

type countedAnswer struct {
	http.ResponseWriter
	p *packsOf
}

func (c countedAnswer) Write(b []byte) (int, error) {
	c.p.mu.Lock()
	c.p.bytes += int64(len(b))
	c.p.mu.Unlock()
	return c.ResponseWriter.Write(b)
}

// The server answers nobody before three packs are asked for: one after the other
// would never end.
func TestSeveralAreFetchedAtATime(t *testing.T) {
	all, names := several("1.0")
	b := newBench(t, all...)
	var p packsOf
	met, asked := make(chan struct{}), map[string]bool{}
	var mu sync.Mutex
	b.server.Misbehave(p.hook(func(path string) {
		mu.Lock()
		if asked[path] = true; len(asked) == 3 && path != "" {
			select {
			case <-met:
			default:
				close(met)
			}
		}
		mu.Unlock()
		select {
		case <-met:
		case <-time.After(20 * time.Second):
			t.Error("the others are not asked for")
		}
	}))
	c := b.client()
	c.Pace.Answer, c.Pace.Idle = time.Minute, time.Minute
	plan, err := c.PlanInstall(t.Context(), want(t, names...), PlanOptions{})
	if err != nil {
		t.Fatal(err)
	}
	b.events = nil
	if r, err := c.Apply(t.Context(), plan); err != nil || len(r.Done) != 3 || r.Bytes < 3*340<<10 || r.Bytes > plan.Download() {
		t.Fatalf("%+v, %v", r, err)
	}
	for _, name := range names {
		b.soundOf(name, "1.0")
	}
	if most, _ := p.seen(); most > requests {
		t.Errorf("%d requests at a time", most)
	}
	last := map[repo.Ref]Event{}
	for _, e := range b.events {
		if e.Stage == "download" {
			if e.Done < last[e.Ref].Done {
				t.Errorf("%v after %v", e, last[e.Ref])
			}
			last[e.Ref] = e
		}
	}
	for _, s := range plan.Steps {
		if e := last[s.Release.Ref]; e.Total < 340<<10 || e.Total > s.Download || e.Done > e.Total {
			t.Errorf("%s: told %+v of %d", s.Release.Ref.ID, e, s.Download)
		}
	}
}

// Many apps do not make more requests at a time than one.
func TestRequestsAtATimeAreBounded(t *testing.T) {
	var all []repotest.Bundle
	var names []string
	for i := range 8 {
		x := repotest.App(fmt.Sprintf("org.example.App%d", i), "1.0")
		for j := range 3 {
			x = x.File(fmt.Sprintf("files/share/%d", j), noise(300<<10)+fmt.Sprint(i, j))
		}
		all, names = append(all, x), append(names, x.ID)
	}
	b := newBench(t, all...)
	var p packsOf
	b.server.Misbehave(p.hook(func(string) { time.Sleep(20 * time.Millisecond) }))
	if _, r, err := b.install(PlanOptions{}, names...); err != nil || len(r.Done) != 8 {
		t.Fatalf("%+v, %v", r, err)
	}
	if most, _ := p.seen(); most < 2 || most > requests {
		t.Errorf("%d requests at a time", most)
	}
}

// What two of them need comes once; when the one that fetches it fails, the other
// does it.
func TestSharedContentIsFetchedOnce(t *testing.T) {
	shared := noise(700 << 10)
	all, names := several("1.0")
	for i := range all {
		all[i] = all[i].File("files/lib/shared.so", shared)
	}
	for name, bad := range map[string]string{"all is well": "", "one of them fails": "org.example.Draw"} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, all...)
			broken := ""
			if bad != "" {
				_, l := b.repo.Pack(all[0])
				broken = repo.PackPath(l.Packs[0].Digest)
			}
			var p packsOf
			b.server.Misbehave(p.hook(func(path string) {
				if broken != "" && strings.HasSuffix(path, broken) {
					panic(http.ErrAbortHandler)
				}
			}))
			_, r, err := b.install(PlanOptions{}, names...)
			if bad == "" && (err != nil || len(r.Done) != 3) || bad != "" && (err == nil || len(r.Done) != 2 || len(r.Failed) != 1) {
				t.Fatalf("%+v, %v", r, err)
			}
			for _, id := range names {
				if id != bad {
					b.soundOf(id, "1.0")
				}
			}
			_, sum := p.seen()
			if once := int64(len(shared) + 3*400<<10); sum > once || sum < int64(len(shared)) {
				t.Errorf("%d bytes came, at most %d are needed", sum, once)
			}
		})
	}
}

// What runs on a runtime that fails is given up; what does not, comes.
func TestOneFailureGivesUpWhatNeedsIt(t *testing.T) {
	base := runtimeBundle("1").File("files/lib/large", noise(300<<10))
	app, other := withRuntime(edit("1.0")).File("files/share/large", noise(300<<10)+"edit"), repotest.App("org.example.Draw", "1.0")
	b := newBench(t, base, app, other)
	_, l := b.repo.Pack(base)
	b.server.Misbehave(repotest.Only(repo.PackPath(l.Packs[0].Digest), repotest.Missing))
	_, r, err := b.install(PlanOptions{}, app.ID, other.ID)
	if err == nil || len(r.Done) != 1 || string(r.Done[0].Ref().ID) != other.ID || len(r.Failed) != 2 {
		t.Fatalf("%+v, %v", r, err)
	}
	if why := r.Failed[1].Why; !strings.Contains(why, errNoRuntime.Error()) {
		t.Errorf("%s", why)
	}
	b.server.Misbehave(nil)
	if _, r, err := b.install(PlanOptions{}, app.ID); err != nil || len(r.Done) != 2 {
		t.Fatalf("%+v, %v", r, err)
	}
}

// A disk that is full ends all of it; with room again it goes on.
func TestFullDiskGivesUpTheRest(t *testing.T) {
	testenv.NeedRoot(t)
	dir := smallDisk(t, 32<<20)
	all, names := several("1.0")
	b := newBench(t, all...)
	b.store = filepath.Join(dir, "store")
	b.add("main", b.server.URL, b.repo.Fingerprint())
	c := b.client()
	plan, err := c.PlanInstall(t.Context(), want(t, names...), PlanOptions{})
	if err != nil {
		t.Fatal(err)
	}
	ballast := filepath.Join(dir, "ballast")
	var once sync.Once
	b.server.Misbehave(repotest.Only("pack/", func(http.ResponseWriter, *http.Request, []byte) bool {
		once.Do(func() { os.WriteFile(ballast, make([]byte, 33<<20), 0o600) })
		return false
	}))
	r, err := c.Apply(t.Context(), plan)
	if err == nil || len(r.Done) != 0 || !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("%+v, %v", r, err)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	b.server.Misbehave(nil)
	if _, r, err := b.install(PlanOptions{}, names...); err != nil || len(r.Done) != 3 {
		t.Fatalf("%+v, %v", r, err)
	}
}
