package client

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sandbox/repo/repotest"
)

// vast has one content that is kept as it comes.
func vast() repotest.Bundle { return edit("1.0").File("files/lib/vast.so", noise(2<<20)) }

// stalls answers requests for packs with some bytes, and then with nothing more.
func stalls(after int) repotest.Hook {
	return repotest.Only("pack/", func(w http.ResponseWriter, r *http.Request, data []byte) bool {
		repotest.Send(&stalling{w, r.Context(), after}, r, data)
		return true
	})
}

type stalling struct {
	http.ResponseWriter
	ctx  context.Context
	left int
}

func (s *stalling) Write(b []byte) (int, error) {
	n, _ := s.ResponseWriter.Write(b[:min(len(b), s.left)])
	if s.left -= n; s.left == 0 {
		s.ResponseWriter.(http.Flusher).Flush()
		<-s.ctx.Done()
	}
	return n, s.ctx.Err()
}

// partial is the one file that is kept; nil when there is none.
func (b *bench) partial() (string, []byte) {
	b.Helper()
	list, err := filepath.Glob(filepath.Join(b.store, "partial", "*"))
	if err != nil || len(list) > 1 {
		b.Fatalf("%q, %v", list, err)
	}
	if len(list) == 0 {
		return "", nil
	}
	data, err := os.ReadFile(list[0])
	if err != nil {
		b.Fatal(err)
	}
	return list[0], data
}

// interrupted is a bench whose first installation was killed when a good part of
// the vast content had come.
func interrupted(t *testing.T) *bench {
	t.Helper()
	b := newBench(t, vast())
	b.server.Misbehave(stalls(1500 << 10))
	c := b.child("install")
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(20 * time.Second)
	for {
		if _, data := b.partial(); len(data) >= 1300<<10 {
			break
		}
		if time.Now().After(deadline) {
			c.Process.Kill()
			c.Wait()
			t.Fatalf("nothing is kept\n%s", &out)
		}
		time.Sleep(5 * time.Millisecond)
	}
	c.Process.Kill()
	c.Wait()
	b.server.Misbehave(nil)
	b.server.Requests()
	if got := b.version("Edit"); got != "" {
		t.Fatalf("%q is installed", got)
	}
	return b
}

// again installs and returns how many bytes of packs were asked for.
func (b *bench) again(keepFrom int64) (asked, came, kept int64) {
	b.Helper()
	c := b.client()
	c.keepFrom = keepFrom
	p, err := c.PlanInstall(b.Context(), want(b.T, "org.example.Edit"), PlanOptions{})
	if err != nil {
		b.Fatal(err)
	}
	b.events, b.told = nil, p.Download()
	r, err := c.Apply(b.Context(), p)
	if err != nil {
		b.Fatal(err)
	}
	for _, e := range b.events {
		kept = max(kept, e.Kept)
		if e.Done > e.Total {
			b.Errorf("%+v", e)
		}
	}
	for _, q := range b.server.Requests() {
		var from, to int64
		if i := strings.Index(q, "bytes="); strings.HasPrefix(q, "pack/") && i > 0 {
			fmt.Sscanf(q[i:], "bytes=%d-%d", &from, &to)
			asked += to - from + 1
		}
	}
	b.sound("1.0")
	return asked, r.Bytes, kept
}

const keepFrom = 64 << 10

// A large content of which a good part had come when the process was killed is not
// fetched whole by the next.
func TestKilledDownloadGoesOn(t *testing.T) {
	b := interrupted(t)
	_, data := b.partial()
	asked, came, kept := b.again(keepFrom)
	if b.told != came {
		t.Errorf("%d bytes were to come, and %d did", b.told, came)
	}
	if whole := int64(2 << 20); asked > whole-int64(len(data))+64<<10 || came != asked || kept != int64(len(data)) {
		t.Errorf("%d bytes were kept, and then %d asked for, %d came, %d told", len(data), asked, came, kept)
	}
	if name, _ := b.partial(); name != "" {
		t.Errorf("%s stays", name)
	}
}

// What was kept is believed in nothing: when it is wrong it is fetched anew.
func TestSpoiltPartialIsThrownAway(t *testing.T) {
	for name, spoil := range map[string]func([]byte) []byte{
		"a bit is another":         func(d []byte) []byte { d[len(d)/2] ^= 1; return d },
		"a power cut lost its end": func(d []byte) []byte { clear(d[len(d)-64<<10:]); return d },
		"it is of something else":  func(d []byte) []byte { return []byte(text(len(d), 3)) },
		"it is too long":           func(d []byte) []byte { return append(d, make([]byte, 2<<20)...) },
		"it is empty":              func([]byte) []byte { return nil },
	} {
		t.Run(name, func(t *testing.T) {
			b := interrupted(t)
			path, data := b.partial()
			if err := os.WriteFile(path, spoil(data), 0o600); err != nil {
				t.Fatal(err)
			}
			if asked, _, _ := b.again(keepFrom); asked < 2<<20 {
				t.Errorf("%d bytes were asked for", asked)
			}
			if name, _ := b.partial(); name != "" {
				t.Errorf("%s stays", name)
			}
		})
	}
}

// Bytes that a server made up are not kept for the next attempt, from a better one.
func TestPartialOfABadServerIsThrownAway(t *testing.T) {
	b := newBench(t, vast())
	b.server.Misbehave(repotest.Only("pack/", repotest.Changed(func(d []byte) []byte { d[1<<20] ^= 1; return d })))
	c := b.client()
	c.keepFrom = keepFrom
	p, err := c.PlanInstall(t.Context(), want(t, "Edit"), PlanOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Apply(t.Context(), p); err == nil {
		t.Fatal("installed")
	}
	if name, _ := b.partial(); name != "" {
		t.Errorf("%s stays", name)
	}
	b.server.Misbehave(nil)
	b.server.Requests()
	if asked, _, _ := b.again(keepFrom); asked < 2<<20 {
		t.Errorf("%d bytes were asked for", asked)
	}
}

// Who comes while another process has the kept bytes open does without them.
func TestPartialInUse(t *testing.T) {
	b := interrupted(t)
	_, before := b.partial()
	other := b.client()
	_, l := b.repo.Pack(vast())
	var held int
	for _, f := range l.Frames {
		if p := other.Store.Partial(l.Packs[0].Digest, f.Offset, f.CLen); p != nil && p.Size() > 0 {
			held++
			defer p.Close()
		} else if p != nil {
			p.Drop()
		}
	}
	if held != 1 {
		t.Fatalf("%d are held", held)
	}
	if asked, _, kept := b.again(keepFrom); asked < 2<<20 || kept != 0 {
		t.Errorf("%d bytes were asked for, %d were kept", asked, kept)
	}
	if _, after := b.partial(); !bytes.Equal(before, after) {
		t.Error("the other's bytes have changed")
	}
}

// From a directory nothing is kept: it would be copied twice.
func TestNothingIsKeptOfADirectory(t *testing.T) {
	b := newBench(t, vast())
	dir := t.TempDir()
	for name, data := range b.repo.Files {
		os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755)
		os.WriteFile(filepath.Join(dir, name), data, 0o644)
	}
	b.remove("main")
	b.add("disk", dir, b.repo.Fingerprint())
	c := b.client()
	c.keepFrom = keepFrom
	p, err := c.PlanInstall(t.Context(), want(t, "Edit"), PlanOptions{})
	if err != nil || p.scratch() != 0 {
		t.Fatalf("%v", err)
	}
	place, then := filepath.Join(b.store, "partial"), time.Unix(1_000_000_000, 0)
	if err := os.Chtimes(place, then, then); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Apply(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	if st, err := os.Stat(place); err != nil || !st.ModTime().Equal(then) {
		t.Errorf("something was kept for a while: %v, %v", st, err)
	}
	b.sound("1.0")
}

// The room that kept bytes take until they are unpacked is asked for.
func TestKeptBytesNeedRoom(t *testing.T) {
	b := newBench(t, vast())
	c := b.client()
	c.keepFrom = keepFrom
	p, err := c.PlanInstall(t.Context(), want(t, "Edit"), PlanOptions{})
	if err != nil || p.scratch() < 2<<20 || p.scratch() > p.Download() {
		t.Errorf("%d of %d, %v", p.scratch(), p.Download(), err)
	}
	many := edit("2.0")
	for i := range 30 { // one request, and none of them large
		many = many.File(fmt.Sprint("files/share/", i), noise(40<<10)+fmt.Sprint(i))
	}
	b.publish(many)
	c = b.client()
	c.keepFrom = 128 << 10
	if p, err = c.PlanInstall(t.Context(), want(t, "Edit"), PlanOptions{}); err != nil || p.scratch() != 0 || p.Download() < c.keepFrom {
		t.Errorf("%d of %d, %v", p.scratch(), p.Download(), err)
	}
	p = &Plan{Steps: []*Step{{kept: []int64{1, 2, 3}}, {kept: []int64{4, 5, 6}}, {}}}
	if p.scratch() != 6+5+4+3 {
		t.Errorf("%d", p.scratch())
	}
}
