package client

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"sandbox/manifest"
	"sandbox/repo"
	"sandbox/repo/repotest"
	"sandbox/repo/store"
)

// paused is an installation that waits for a pack of one app until it is let go on.
type paused struct {
	asked  chan struct{} // closed when the pack is asked for
	goOn   func()
	result chan error
}

func (b *bench) pause(x repotest.Bundle, names ...string) *paused {
	b.Helper()
	_, l := b.repo.Pack(x)
	p := &paused{asked: make(chan struct{}), result: make(chan error, 1)}
	wait, done := context.WithCancel(b.Context())
	p.goOn = done
	b.server.Misbehave(repotest.Only(repo.PackPath(l.Packs[0].Digest), repotest.Times(1, func(http.ResponseWriter, *http.Request, []byte) bool {
		close(p.asked)
		<-wait.Done()
		return false
	})))
	c := b.client()
	c.Progress = nil
	c.Pace.Answer, c.Pace.Idle = 0, 0 // the defaults, which are long
	plan, err := c.PlanInstall(b.Context(), want(b.T, names...), PlanOptions{})
	if err != nil {
		b.Fatal(err)
	}
	go func() {
		_, err := c.Apply(b.Context(), plan)
		p.result <- err
	}()
	select {
	case <-p.asked:
	case err := <-p.result:
		b.Fatalf("it ended: %v", err)
	}
	return p
}

// installed waits until another has installed something.
func (b *bench) installed(r repo.Ref) {
	b.Helper()
	s := b.client().Store
	for range 2000 {
		if _, err := s.Current(r); err == nil {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	b.Fatalf("%s is not installed", r)
}

// While one downloads, others read, install something else, and clear up; none of
// them waits for it, and nothing of it is lost.
func TestNobodyWaitsForADownload(t *testing.T) {
	slow := withRuntime(repotest.App("org.example.Slow", "1.0")).File("files/share/data", noise(300<<10))
	b := newBench(t, slow, edit("1.0"), runtimeBundle("1"), repotest.App("org.example.Draw", "1.0"))
	b.mustInstall("Draw")
	p := b.pause(slow, slow.ID)
	b.installed(runtimeBundle("1").Ref())

	b.mustInstall("Edit")
	if b.version("Edit") != "1.0" || b.version("Slow") != "" {
		t.Error("not beside it")
	}
	if in, err := b.client().Info(t.Context(), want(t, "Slow")[0], InfoOptions{}); err != nil || in.Installed != nil {
		t.Errorf("%+v, %v", in, err)
	}
	s := b.client().Store
	l, err := s.Lock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Uninstall(l, repo.Ref{Kind: manifest.App, ID: "org.example.Draw", Arch: repo.HostArch(), Channel: "stable"}); err != nil {
		t.Error(err)
	}
	f, err := s.GC(l) // the runtime is there already, and nothing that is installed needs it
	if err != nil || !f.Fetching || len(f.Unused) != 0 {
		t.Errorf("%+v, %v", f, err)
	}
	l.Unlock()

	p.goOn()
	if err := <-p.result; err != nil {
		t.Fatal(err)
	}
	b.soundOf("Slow", "1.0")
	b.sound("1.0")
	if l, err = s.Lock(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer l.Unlock()
	if f, err := s.GC(l); err != nil || f.Fetching || len(f.Unused) != 0 {
		t.Errorf("%+v, %v", f, err)
	}
	b.soundAll()
}

func (b *bench) soundAll() {
	b.Helper()
	s, err := store.OpenReadOnly(b.store)
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	if found, err := s.Verify(b.Context(), store.VerifyOptions{}); err != nil || len(found) != 0 {
		b.Errorf("damaged: %+v, %v", found, err)
	}
}

// Two that install the same do it once; neither fails.
func TestTwoInstallTheSame(t *testing.T) {
	x := edit("1.0").File("files/share/data", noise(300<<10))
	b := newBench(t, x)
	p := b.pause(x, x.ID)
	b.mustInstall("Edit")
	p.goOn()
	if err := <-p.result; err != nil {
		t.Error(err)
	}
	b.sound("1.0")
	if events, err := b.client().Store.History(); err != nil || len(events) != 1 {
		t.Errorf("%+v, %v", events, err)
	}
}

// A runtime that somebody takes away while what runs on it is fetched is missed
// before that is installed.
func TestRuntimeRemovedMeanwhile(t *testing.T) {
	x := withRuntime(edit("1.0")).File("files/share/data", noise(300<<10))
	base := runtimeBundle("1")
	for name, remove := range map[string]bool{"it stays": false, "it goes": true} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, x, base)
			p := b.pause(x, x.ID)
			b.installed(base.Ref())
			s := b.client().Store
			if remove {
				l, err := s.Lock(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if _, err := s.Uninstall(l, base.Ref()); err != nil {
					t.Fatal(err)
				}
				l.Unlock()
			}
			p.goOn()
			if err := <-p.result; remove != (err != nil) || remove && !strings.Contains(err.Error(), "its runtime was removed meanwhile") {
				t.Errorf("%v", err)
			}
			if remove {
				b.server.Misbehave(nil)
				b.mustInstall("Edit")
			}
			b.sound("1.0")
		})
	}
}
