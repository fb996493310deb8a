package store_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sandbox/internal/e2e"
	"sandbox/internal/hint"
	"sandbox/repo"
	"sandbox/repo/installed"
	"sandbox/repo/store"
	"sandbox/repo/store/storetest"
)

func TestOneWriter(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	a, b := storetest.OpenAt(t, dir), storetest.OpenAt(t, dir)
	first := storetest.Lock(t, a)
	told := make(chan store.Holder, 1)
	b.Waiting = func(h store.Holder) { told <- h }
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, err := b.Lock(ctx)
	if err == nil || !strings.Contains(err.Error(), "is at it") || !strings.Contains(err.Error(), "(pid ") || hint.Of(err) == "" {
		t.Errorf("a second writer: %v", err)
	}
	select {
	case h := <-told:
		if h.PID != os.Getpid() || !strings.HasPrefix(h.Command, "sandbox") || h.Since.IsZero() {
			t.Errorf("it is said to be %+v", h)
		}
	default:
		t.Error("nobody was told")
	}
	// It goes on as soon as the first is done.
	go func() {
		time.Sleep(50 * time.Millisecond)
		first.Unlock()
	}()
	l, err := b.Lock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	l.Unlock()
	// Nothing is changed without the lock.
	for name, err := range map[string]error{
		"deploy": b.Deploy(l, store.Record{}), "hold": b.SetHeld(nil, editRef, true), "of another store": b.SetHeld(storetest.Lock(t, a), editRef, true),
	} {
		if err == nil || !strings.Contains(err.Error(), "internal error") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRollback(t *testing.T) {
	s := storetest.Open(t)
	l := storetest.Lock(t, s)
	for n := uint64(1); n < 4; n++ {
		storetest.Deploy(t, s, l, editor(t, string('0'+rune(n)), nil), "stable", n)
	}
	from, to, err := s.Rollback(l, editRef, 0)
	if err != nil || from.Release.N != 3 || to.Release.N != 2 {
		t.Fatalf("%d → %d, %v", from.Release.N, to.Release.N, err)
	}
	now, err := s.Current(editRef)
	if err != nil || now.Release.N != 2 || now.Stays(3) == "" || now.Stays(4) != "" {
		t.Errorf("%+v %v", now, err)
	}
	if _, to, err = s.Rollback(l, editRef, 0); err != nil || to.Release.N != 1 {
		t.Errorf("once more: %d %v", to.Release.N, err)
	}
	if now, _ = s.Current(editRef); now.Stays(3) == "" {
		t.Error("what was rejected first is forgotten")
	}
	if _, _, err = s.Rollback(l, editRef, 0); err == nil {
		t.Error("there is nothing before the first")
	}
	if _, _, err = s.Rollback(l, editRef, 3); err != nil {
		t.Errorf("forward: %v", err)
	}
	if now, _ = s.Current(editRef); now.Stays(3) != "" || now.Rejected != 0 {
		t.Errorf("forward again, %+v", now.State)
	}
	// Installing what was rejected, or what is past it, settles it too.
	for _, n := range []uint64{3, 4} {
		if _, _, err := s.Rollback(l, editRef, 2); err != nil {
			t.Fatal(err)
		}
		storetest.Deploy(t, s, l, editor(t, string('0'+rune(n)), nil), "stable", n)
		if now, _ = s.Current(editRef); now.Release.N != n || now.Rejected != 0 {
			t.Errorf("release %d installed, %+v", now.Release.N, now.State)
		}
	}
	// What a person decided goes with the app.
	if err := s.SetHeld(l, editRef, true); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Uninstall(l, editRef); err != nil {
		t.Fatal(err)
	}
	storetest.Deploy(t, s, l, editor(t, "5", nil), "stable", 5)
	if now, _ = s.Current(editRef); now.State != (store.State{}) {
		t.Errorf("after an uninstall: %+v", now.State)
	}
	if n, _ := s.Floor(editRef, storetest.Fingerprint); n != 5 {
		t.Errorf("the floor is %d", n)
	}
}

// A rollback downloads and copies nothing.
func BenchmarkRollback(b *testing.B) {
	s := storetest.Open(b)
	l := storetest.Lock(b, s)
	storetest.Deploy(b, s, l, editor(b, "1", nil), "stable", 1)
	storetest.Deploy(b, s, l, editor(b, "2", nil), "stable", 2)
	for n := uint64(0); b.Loop(); n++ {
		if _, _, err := s.Rollback(l, editRef, n%2+1); err != nil {
			b.Fatal(err)
		}
	}
}

func TestSurplus(t *testing.T) {
	const tree = "0123456789ab"
	for _, c := range []struct {
		name    string
		all     []uint64
		broken  []uint64
		current uint64
		pinned  uint64
		want    []uint64
	}{
		{"one alone", []uint64{1}, nil, 1, 0, nil},
		{"two are kept", []uint64{3, 2, 1}, nil, 3, 0, nil},
		{"and no more", []uint64{5, 4, 3, 2, 1}, nil, 5, 0, []uint64{2, 1}},
		{"newer ones too", []uint64{5, 4, 3, 2, 1}, nil, 3, 0, []uint64{2, 1}},
		{"the pinned stays", []uint64{5, 4, 3, 2, 1}, nil, 5, 1, []uint64{2}},
		{"the current stays although it is the oldest", []uint64{5, 4, 3, 1}, nil, 1, 0, []uint64{3}},
		{"what has no record is nobody's", []uint64{3, 2, 1}, []uint64{2}, 3, 0, []uint64{2}},
		{"be it pinned", []uint64{3, 2, 1}, []uint64{2}, 3, 2, []uint64{2}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var all []installed.Deployment
			for _, n := range c.all {
				all = append(all, installed.Deployment{N: n, Tree: tree})
			}
			var got []uint64
			for _, d := range store.Surplus(all, installed.Deployment{N: c.current, Tree: tree}, c.pinned, func(d installed.Deployment) bool { return !slices.Contains(c.broken, d.N) }) {
				got = append(got, d.N)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

// A store of a newer kind is left alone.
func TestUnknownFormat(t *testing.T) {
	s := storetest.Open(t)
	if err := os.WriteFile(filepath.Join(s.Dir(), "format"), []byte("sandbox-store 2\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for name, open := range map[string]func(string) (*store.Store, error){"to change": store.Open, "to read": store.OpenReadOnly} {
		if _, err := open(s.Dir()); err == nil || !strings.Contains(hint.Of(err), "newer version") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := store.OpenReadOnly(filepath.Join(t.TempDir(), "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("none: %v", err)
	}
}

func TestSizesAreHonest(t *testing.T) {
	s := storetest.Open(t)
	l := storetest.Lock(t, s)
	storetest.Deploy(t, s, l, editor(t, "1", nil), "stable", 1)
	alone, err := s.Sizes()
	if err != nil || alone[editRef].Shared != 0 {
		t.Fatalf("%v %v", alone, err)
	}
	// A copy in another channel shares everything but what names it.
	storetest.Deploy(t, s, l, editor(t, "1", nil), "beta", 1)
	both, err := s.Sizes()
	beta := editRef
	beta.Channel = "beta"
	if err != nil || both[editRef] != both[beta] || both[editRef].Shared == 0 || both[editRef].Own+both[editRef].Shared != alone[editRef].Own {
		t.Errorf("alone %+v, both %+v, %v", alone, both, err)
	}
	before := objects(t, s)
	if _, err := s.Uninstall(l, beta); err != nil {
		t.Fatal(err)
	}
	f, err := s.GC(l)
	if err != nil || f.Bytes != 0 || objects(t, s) != before {
		t.Errorf("an uninstall freed what is shared: %+v %v", f, err)
	}
}

func objects(t testing.TB, s *store.Store) (n int) {
	t.Helper()
	filepath.WalkDir(filepath.Join(s.Dir(), "objects"), func(_ string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			n++
		}
		return nil
	})
	return n
}

// Runtimes stay as long as a release that lies here runs on them, and go with the
// last one; what a person asked for by name stays.
func TestUnusedRuntimesGo(t *testing.T) {
	s := storetest.Open(t)
	l := storetest.Lock(t, s)
	deploy := func(dir, channel string, n uint64, explicit bool) {
		t.Helper()
		rec, tree, stored := storetest.Record(t, dir, channel, n)
		rec.Explicit = explicit
		storetest.Fill(t, s, dir, tree, stored)
		if err := s.Deploy(l, rec); err != nil {
			t.Fatal(err)
		}
	}
	gone := func() (refs []string) {
		t.Helper()
		f, err := s.GC(l)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range f.Unused {
			refs = append(refs, string(r.ID)+"/"+r.Channel)
		}
		return refs
	}
	on := func(v, runtime string) string { return on(t, v, runtime) }
	deploy(runtimeOf(t, "1"), "1", 1, false)
	deploy(runtimeOf(t, "2"), "2", 1, false)
	deploy(runtimeOf(t, "3"), "3", 1, true)
	deploy(on("1", "1"), "stable", 1, true)
	if got := gone(); !slices.Equal(got, []string{"org.example.Platform/2"}) {
		t.Errorf("gone: %v", got)
	}
	deploy(runtimeOf(t, "2"), "2", 1, false)
	deploy(on("2", "2"), "stable", 2, true) // the release before still needs the first
	if got := gone(); len(got) > 0 {
		t.Errorf("gone: %v", got)
	}
	if _, _, err := s.Rollback(l, editRef, 0); err != nil {
		t.Fatal(err)
	}
	if got := gone(); len(got) > 0 {
		t.Errorf("gone: %v", got)
	}
	if _, err := s.Uninstall(l, editRef); err != nil {
		t.Fatal(err)
	}
	if got := gone(); !slices.Equal(got, []string{"org.example.Platform/1", "org.example.Platform/2"}) {
		t.Errorf("gone: %v", got)
	}
	if list, _ := s.Records(); len(list) != 1 || list[0].Release.Ref.Channel != "3" {
		t.Errorf("there is %+v", list)
	}
}

func on(t testing.TB, v, runtime string) string {
	return editorOf(t, v, `runtime = "org.example.Platform/`+runtime+`"`)
}

// Contents of a download that was interrupted wait for the next attempt.
func TestTrimKeepsDownloads(t *testing.T) {
	s := storetest.Open(t)
	l := storetest.Lock(t, s)
	storetest.Deploy(t, s, l, editor(t, "1", nil), "stable", 1)
	data := []byte("half of an update")
	if err := s.WriteObject(repo.Sum(data), int64(len(data)), false, bytes.NewReader(data)); err != nil {
		t.Fatal(err)
	}
	if f, err := s.Trim(l); err != nil || f.Objects != 0 || !s.HasObject(repo.Sum(data), false) {
		t.Errorf("trim: %+v %v", f, err)
	}
	if f, err := s.GC(l); err != nil || f.Objects != 1 || s.HasObject(repo.Sum(data), false) {
		t.Errorf("gc: %+v %v", f, err)
	}
	for n := uint64(2); n < 5; n++ {
		storetest.Deploy(t, s, l, editor(t, string('0'+rune(n)), nil), "stable", n)
	}
	if f, err := s.Trim(l); err != nil || f.Releases != 1 || f.Objects == 0 {
		t.Errorf("trim after updates: %+v %v", f, err)
	}
}

func TestChoose(t *testing.T) {
	rec := func(text string) store.Record {
		r, err := repo.ParseRef(text)
		if err != nil {
			t.Fatal(err)
		}
		return store.Record{Release: repo.Release{Ref: r}}
	}
	all := []store.Record{rec("app/org.example.Edit/any/stable"), rec("app/org.example.Edit/any/beta"), rec("app/com.example.Tool/any/one"),
		rec("app/org.example.Tool/any/stable"), rec("runtime/org.example.Base/any/1"), rec("runtime/org.example.Base/any/2"), rec("app/org.example.Base/any/stable")}
	for name, want := range map[string]string{
		"edit": "app/org.example.Edit/any/stable", "EDIT": "app/org.example.Edit/any/stable", "org.example.Edit": "app/org.example.Edit/any/stable",
		"org.example.Edit/beta": "app/org.example.Edit/any/beta", "app/org.example.Edit/any/beta": "app/org.example.Edit/any/beta",
		"tool": "", "com.example.Tool": "app/com.example.Tool/any/one", "base": "app/org.example.Base/any/stable",
		"org.example.Base/2": "runtime/org.example.Base/any/2", "nothing": "", "": "", "../x": "",
	} {
		got, err := store.Choose(all, name)
		if got.Ref().String() != want || (err == nil) != (want != "") {
			t.Errorf("%q: %s, %v", name, got.Ref(), err)
		}
	}
}

func TestHistoryIsBounded(t *testing.T) {
	s := storetest.Open(t)
	l := storetest.Lock(t, s)
	name := filepath.Join(s.Dir(), "history.jsonl")
	long := store.Event{Action: "update", Ref: editRef, Note: strings.Repeat("x", 64<<10)}
	for n := range uint64(40) {
		long.To = n + 1
		if err := s.Note(l, long); err != nil {
			t.Fatal(err)
		}
	}
	st, err := os.Stat(name)
	if err != nil || st.Size() > 2*int64(store.MaxHistory) {
		t.Errorf("%v %v", st.Size(), err)
	}
	// A line that a crash cut is passed over.
	f, _ := os.OpenFile(name, os.O_APPEND|os.O_WRONLY, 0)
	f.WriteString("{\"action\":\"inst\n")
	f.Close()
	if err := s.Note(l, store.Event{Action: "install", Ref: editRef, To: 99}); err != nil {
		t.Fatal(err)
	}
	list, err := s.History()
	if err != nil || len(list) < 5 || list[len(list)-1].To != 99 || list[len(list)-2].To != 40 {
		t.Errorf("%d events, %v", len(list), err)
	}
}

// Clear leaves what an instance runs from, and nothing else but floors.
func TestClear(t *testing.T) {
	s := storetest.Open(t)
	l := storetest.Lock(t, s)
	storetest.Deploy(t, s, l, editor(t, "1", nil), "stable", 1)
	other := storetest.Deploy(t, s, l, e2e.Bundle(t, "id = \"org.example.Other\"\nversion = \"1\"\ncommand = \"main\"\n", map[string]string{"files/bin/main": "=other\n"}), "stable", 4)
	ref := other.Ref()
	held, err := installed.Hold(installed.Place{Dir: s.Dir()}, installed.Ref{Kind: ref.Kind, ID: ref.ID, Arch: ref.Arch, Channel: ref.Channel})
	if err != nil || held.Dir != s.BundleDir(other) {
		t.Fatalf("%+v, %v", held, err)
	}
	f, err := s.Clear(l)
	if err != nil || f.Busy != 1 || len(f.Unused) != 1 || f.Unused[0] != editRef || f.Bytes == 0 {
		t.Errorf("%+v, %v", f, err)
	}
	if _, err := s.Current(ref); err != nil {
		t.Errorf("what runs is gone: %v", err)
	}
	if found, err := s.Verify(t.Context(), store.VerifyOptions{}); err != nil || len(found) > 0 {
		t.Errorf("%v, %v", found, err)
	}
	held.Release()
	if f, err = s.Clear(l); err != nil || f.Busy != 0 || len(f.Unused) != 1 || f.Objects == 0 {
		t.Errorf("%+v, %v", f, err)
	}
	if all, err := s.Records(); err != nil || len(all) != 0 {
		t.Errorf("%v, %v", all, err)
	}
	if n, err := s.Floor(ref, other.RemoteFingerprint); err != nil || n != 4 {
		t.Errorf("the floor is %d, %v", n, err)
	}
	if _, err := installed.Hold(installed.Place{Dir: s.Dir()}, installed.Ref{Kind: ref.Kind, ID: ref.ID, Arch: ref.Arch, Channel: ref.Channel}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("held all the same: %v", err)
	}
}
