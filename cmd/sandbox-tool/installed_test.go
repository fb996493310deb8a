package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"sandbox/internal/cli"
	"sandbox/internal/disk"
	"sandbox/internal/e2e"
	"sandbox/internal/hint"
	"sandbox/internal/testenv"
	"sandbox/repo/snapshot"
	"sandbox/repo/store"
	"sandbox/repo/store/storetest"
)

// session is a user's home with a store in it.
type session struct {
	*testing.T
	dirs disk.Dirs
	s    *store.Store
}

func newSession(t *testing.T) *session {
	t.Helper()
	home := testenv.TempXDG(t)
	t.Setenv("SANDBOX_SYSTEM_DIR", filepath.Join(home, "machine/store"))
	dirs := disk.UserDirs(os.Getenv, home)
	return &session{t, dirs, storetest.OpenAt(t, store.UserDir(dirs))}
}

func tool(t testing.TB, id, version string, more ...string) string {
	t.Helper()
	return e2e.Bundle(t, fmt.Sprintf("id = %q\nversion = %q\ncommand = \"tool\"\narch = [\"any\"]\n%s\n", id, version, strings.Join(more, "\n")),
		map[string]string{"files/bin/tool": "=#!/bin/sh\necho " + version + "\n", "files/share/same": "=" + strings.Repeat("the same in all\n", 100)})
}

func platform(t testing.TB) string {
	t.Helper()
	return e2e.Bundle(t, "id = \"org.example.Platform\"\nversion = \"1\"\nkind = \"runtime\"\nchannel = \"1\"\n", map[string]string{"files/lib/libc": "=libc\n"})
}

func (x *session) install(bundle, channel string, n uint64, change ...func(*store.Record)) {
	x.Helper()
	l := storetest.Lock(x, x.s)
	defer l.Unlock()
	rec, tree, stored := storetest.Record(x, bundle, channel, n)
	for _, c := range change {
		c(&rec)
	}
	storetest.Fill(x, x.s, bundle, tree, stored)
	if err := x.s.Deploy(l, rec); err != nil {
		x.Fatal(err)
	}
}

// run is one command, with what it wrote.
func (x *session) run(args ...string) (stdout, stderr string, err error) {
	x.Helper()
	var out, errs bytes.Buffer
	root := newRoot()
	root.SetOut(&out)
	root.SetErr(&errs)
	root.SetArgs(args)
	err = root.ExecuteContext(x.Context())
	return out.String(), errs.String(), err
}

func (x *session) must(args ...string) string {
	x.Helper()
	out, _, err := x.run(args...)
	if err != nil {
		x.Fatalf("%q: %v (hint %q)", args, err, hint.Of(err))
	}
	return out
}

func (x *session) json(v any, args ...string) {
	x.Helper()
	if out := x.must(append(args, "--json")...); json.Unmarshal([]byte(out), v) != nil {
		x.Fatalf("%q prints no JSON: %s", args, out)
	}
}

func (x *session) refuses(words, way string, args ...string) {
	x.Helper()
	out, _, err := x.run(args...)
	if err == nil || !strings.Contains(err.Error(), words) || !strings.Contains(hint.Of(err), way) {
		x.Errorf("%q: %v (hint %q), printed %q", args, err, hint.Of(err), out)
	}
}

// home makes what an app would have kept.
func (x *session) home(id, text string) string {
	x.Helper()
	dir := filepath.Join(x.dirs.Data, "app", id, "home")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		x.Fatal(err)
	}
	if err := os.WriteFile(dir+"/kept", []byte(text), 0o600); err != nil {
		x.Fatal(err)
	}
	return dir + "/kept"
}

func TestList(t *testing.T) {
	x := newSession(t)
	if out, said, err := x.run("list"); err != nil || out != "" || !strings.Contains(said, "nothing is installed") {
		t.Errorf("%q %q %v", out, said, err)
	}
	x.install(platform(t), "1", 1, func(r *store.Record) { r.Explicit = false })
	x.install(tool(t, "org.example.One", "1.0", `runtime = "org.example.Platform/1"`), "stable", 3)
	x.install(tool(t, "org.example.One", "1.1", `runtime = "org.example.Platform/1"`), "stable", 4)
	x.install(tool(t, "org.example.Two", "2.0"), "stable", 1)
	x.must("hold", "two")
	if out := x.must("list"); out != "APP              VERSION  RELEASE  CHANNEL  SIZE    FROM  NOTE\n"+
		"org.example.One  1.1      4        stable   1.6 kB  test  \n"+
		"org.example.Two  2.0      1        stable   1.6 kB  test  held\n" {
		t.Errorf("got\n%s", out)
	}
	var rows []installedRow
	x.json(&rows, "list", "--all", "--size")
	var got []string
	for _, r := range rows {
		got = append(got, fmt.Sprintf("%s@%d %v", r.Ref, r.N, r.Current))
	}
	if want := []string{"app/org.example.One/any/stable@4 true", "app/org.example.One/any/stable@3 false", "app/org.example.Two/any/stable@1 true",
		"runtime/org.example.Platform/any/1@1 true"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	// What two apps have is shared; the rest is each one's own.
	if rows[0].Shared == nil || *rows[0].Shared != 1600 || *rows[2].Shared != 1600 || *rows[0].Own < 40 || rows[1].Own != nil {
		t.Errorf("sizes: %+v", rows)
	}
	if out := x.must("list", "ONE", "org.example.Platform/1"); strings.Count(out, "\n") != 3 || !strings.Contains(out, "runtime") {
		t.Errorf("got\n%s", out)
	}
	x.refuses(`"tow" is not installed`, "did you mean two?", "list", "tow")
	x.refuses(`"zzz" is not installed`, "list --all", "list", "zzz")
}

func TestUninstall(t *testing.T) {
	x := newSession(t)
	x.refuses("not installed", "", "uninstall", "org.example.One")
	x.install(platform(t), "1", 1, func(r *store.Record) { r.Explicit = false })
	x.install(tool(t, "org.example.One", "1.0", `runtime = "org.example.Platform/1"`), "stable", 3)
	x.install(tool(t, "org.example.Two", "2.0"), "stable", 1)
	kept := x.home("org.example.One", "mine")
	x.refuses("org.example.One needs it", "these first", "uninstall", "org.example.Platform")
	out, said, err := x.run("uninstall", "one")
	if err != nil || out != "org.example.One 1.0 3\n" || !strings.Contains(said, "org.example.Platform went too") || !strings.Contains(said, "the data of org.example.One stay") {
		t.Errorf("%q %q %v", out, said, err)
	}
	if e2e.Read(kept) != "mine" {
		t.Error("data went without a word")
	}
	if out := x.must("list", "--all"); strings.Count(out, "\n") != 2 {
		t.Errorf("there is still\n%s", out)
	}
	// Data go only when it is said, and without a terminal only beforehand.
	x.install(tool(t, "org.example.One", "1.0"), "stable", 3)
	x.refuses("no terminal", "--yes", "uninstall", "--delete-data", "one")
	if out := x.must("list"); !strings.Contains(out, "org.example.One") {
		t.Error("it was removed although nobody agreed")
	}
	fd, err := unix.Open(filepath.Join(x.dirs.Data, "app/org.example.One", disk.HomeLock), unix.O_RDWR|unix.O_CREAT|unix.O_CLOEXEC, 0o600)
	if err != nil || errors.Join(disk.TryShared(fd), disk.PassGate(fd)) != nil {
		t.Fatal(err)
	}
	x.refuses("running", "sandbox stop", "uninstall", "--delete-data", "-y", "one")
	unix.Close(fd)
	var doc uninstallDoc
	x.json(&doc, "uninstall", "--delete-data", "-y", "one", "two")
	if len(doc.Removed) != 2 || len(doc.Data) != 1 || doc.Freed == 0 || doc.Busy {
		t.Errorf("got %+v", doc)
	}
	if _, err := os.Stat(filepath.Dir(filepath.Dir(kept))); err == nil {
		t.Error("the data are still there")
	}
	// Two channels of an app have one home.
	x.install(tool(t, "org.example.Both", "1.0"), "stable", 1)
	x.install(tool(t, "org.example.Both", "1.1", `channel = "beta"`), "beta", 1)
	kept = x.home("org.example.Both", "of both")
	x.refuses("also those of app/org.example.Both/any/stable", "uninstall that too", "uninstall", "--delete-data", "-y", "org.example.Both/beta")
	x.must("uninstall", "org.example.Both/beta")
	x.must("uninstall", "--delete-data", "-y", "org.example.Both")
	if e2e.Read(kept) != "" {
		t.Error("the data are still there")
	}
	// All names are looked at before anything is done.
	x.install(tool(t, "org.example.Two", "2.0"), "stable", 1)
	x.refuses("not installed", "", "uninstall", "two", "three")
	x.must("list", "two")
}

// The store of the machine is root's to change and everybody's to read.
func TestMachine(t *testing.T) {
	x := newSession(t)
	machine := *x
	bundle := tool(t, "org.example.Shared", "1.0")
	mask := unix.Umask(0o077)
	machine.s = storetest.OpenAt(t, store.SystemDir())
	if !machine.s.System() {
		t.Fatal("it is not taken for the machine's")
	}
	machine.install(bundle, "stable", 1)
	unix.Umask(mask)
	x.install(tool(t, "org.example.Mine", "1.0"), "stable", 1)
	st, err := os.Stat(store.SystemDir())
	if err != nil || st.Mode().Perm() != 0o755 {
		t.Errorf("others cannot read it: %v %v", st, err)
	}
	// Everything in it is, whatever the umask of who made it, but for what is locked.
	locks := []string{"lock", "fetching"}
	filepath.WalkDir(store.SystemDir(), func(p string, d os.DirEntry, err error) error {
		if info, err := d.Info(); err == nil && d.Type()&os.ModeSymlink == 0 && !slices.Contains(locks, filepath.Base(p)) && info.Mode()&0o044 != 0o044 {
			t.Errorf("others cannot read %s: %v", p, info.Mode())
		}
		return nil
	})
	if st, err = os.Stat(x.s.Dir()); err != nil || st.Mode().Perm() != 0o700 {
		t.Errorf("others can read a user's own: %v %v", st, err)
	}
	if out := x.must("list"); !strings.Contains(out, "org.example.Shared") || !strings.Contains(out, "of the machine") || !strings.Contains(out, "org.example.Mine") {
		t.Errorf("got\n%s", out)
	}
	if out := x.must("list", "--system"); strings.Contains(out, "org.example.Mine") {
		t.Errorf("got\n%s", out)
	}
	x.refuses("installed for the whole machine", "--system", "uninstall", "shared")
	if os.Geteuid() != 0 {
		for _, args := range [][]string{{"uninstall", "shared"}, {"hold", "shared"}, {"gc"}, {"rollback", "shared"}} {
			x.refuses("not root", "leave --system out", append(args, "--system")...)
		}
		x.must("verify")
		return
	}
	x.must("hold", "--system", "shared")
	x.must("verify", "--system")
	x.must("uninstall", "--system", "shared")
	if out := x.must("list"); strings.Contains(out, "org.example.Shared") {
		t.Errorf("got\n%s", out)
	}
}

func TestRollbackWithData(t *testing.T) {
	x := newSession(t)
	x.install(tool(t, "org.example.One", "1.0"), "stable", 3)
	kept := x.home("org.example.One", "of 1.0")
	x.refuses("no release older", "history", "rollback", "one")
	// What an update does first.
	l := storetest.Lock(t, x.s)
	old, err := x.s.Find("one")
	if err != nil {
		t.Fatal(err)
	}
	l.Unlock()
	if err := snapshotBefore(t.Context(), old, old.Release); err != nil {
		t.Fatal(err)
	}
	x.install(tool(t, "org.example.One", "1.1"), "stable", 4)
	x.home("org.example.One", "of 1.1")

	var doc rollbackDoc
	x.json(&doc, "rollback", "--with-data", "--dry-run", "one")
	if doc.Done || doc.Restored == nil || doc.Restored.N != 3 || e2e.Read(kept) != "of 1.1" {
		t.Errorf("a dry run: %+v", doc)
	}
	out, said, err := x.run("rollback", "--with-data", "one")
	if err != nil || out != "org.example.One 1.0 3\n" || !strings.Contains(said, "until there is a release after 4") {
		t.Errorf("%q %q %v", out, said, err)
	}
	if got := e2e.Read(kept); got != "of 1.0" {
		t.Errorf("the data are %q", got)
	}
	rec, err := x.s.Find("one")
	if err != nil || rec.Release.N != 3 || rec.Rejected != 4 || rec.Stays(4) == "" || rec.Stays(5) != "" {
		t.Errorf("%+v %v", rec, err)
	}
	// Forward again, and what was there before the rollback too.
	if out := x.must("rollback", "--release", "4", "one"); out != "org.example.One 1.1 4\n" {
		t.Errorf("forward: %q", out)
	}
	if e2e.Read(kept) != "of 1.0" {
		t.Error("data were changed without a word")
	}
	x.must("snapshot", "restore", "one")
	if got := e2e.Read(kept); got != "of 1.1" {
		t.Errorf("the data from before the rollback are %q", got)
	}
	x.refuses("is the current one", "", "rollback", "--release", "4", "one")
	x.refuses("is not kept", "list --all", "rollback", "--release", "9", "one")
	x.install(tool(t, "org.example.Three", "1.0"), "stable", 1)
	x.install(tool(t, "org.example.Three", "1.1"), "stable", 2)
	x.refuses("no snapshot was made", "without --with-data", "rollback", "--with-data", "three")
}

func TestHoldAndPin(t *testing.T) {
	x := newSession(t)
	x.install(tool(t, "org.example.One", "1.0"), "stable", 3)
	stays := func(n uint64) string {
		rec, err := x.s.Find("one")
		if err != nil {
			t.Fatal(err)
		}
		return rec.Stays(n)
	}
	x.must("hold", "one")
	if stays(9) == "" {
		t.Error("a held app is updated")
	}
	x.must("unhold", "one")
	if why := stays(9); why != "" {
		t.Errorf("an app stays: %s", why)
	}
	x.must("pin", "one")
	if stays(9) == "" || stays(3) != "" {
		t.Error("a pinned app is updated")
	}
	_, said, err := x.run("pin", "one", "7")
	if err != nil || !strings.Contains(said, "update org.example.One --release 7") || stays(7) != "" {
		t.Errorf("%q %v", said, err)
	}
	var row installedRow
	x.json(&row, "unpin", "one")
	if row.Pinned != 0 || stays(9) != "" {
		t.Errorf("got %+v", row)
	}
	for _, bad := range []string{"0", "x", "1.1", ""} {
		_, _, err := x.run("pin", "one", bad)
		if s, ok := errors.AsType[cli.Status](err); !ok || s.Code != cli.UsageError {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestHistory(t *testing.T) {
	x := newSession(t)
	x.install(tool(t, "org.example.One", "1.0"), "stable", 3)
	x.install(tool(t, "org.example.Two", "1.0"), "stable", 3)
	x.install(tool(t, "org.example.One", "1.1"), "stable", 4)
	x.must("rollback", "one")
	x.must("uninstall", "one")
	var rows []historyRow
	x.json(&rows, "history", "one")
	var got []string
	for _, r := range rows {
		got = append(got, r.Action+" "+r.what())
	}
	want := []string{"install 1.0 (3) from test", "update 1.0 (3) → 1.1 (4) from test", "rollback 1.1 (4) → 1.0 (3)", "uninstall 1.0 (3)"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
	if out := x.must("history"); strings.Count(out, "\n") != 5 {
		t.Errorf("got\n%s", out)
	}
	x.refuses("no history", "did you mean two?", "history", "tow")
}

func TestVerifyAndRepair(t *testing.T) {
	x := newSession(t)
	x.install(tool(t, "org.example.One", "1.0"), "stable", 3)
	x.install(tool(t, "org.example.Two", "1.0"), "stable", 3)
	if out := x.must("verify"); out != "" {
		t.Errorf("got %s", out)
	}
	rec, _ := x.s.Find("one")
	evil := filepath.Join(x.s.BundleDir(rec), "files/bin/evil\x1b[2J")
	if err := os.WriteFile(evil, nil, 0o755); err != nil {
		t.Fatal(err)
	}
	out, _, err := x.run("verify")
	if err == nil || out != "app/org.example.One/any/stable@3: files/bin/evil\\x1b[2J: it does not belong there\n" {
		t.Errorf("%q %v", out, err)
	}
	if out := x.must("verify", "two"); out != "" {
		t.Errorf("of another app: %s", out)
	}
	x.refuses("not as it was installed: 1 thing", "sandbox repair", "verify", "one")
	var done store.Repaired
	x.json(&done, "repair")
	if done.Releases != 1 || len(done.Left) > 0 {
		t.Errorf("got %+v", done)
	}
	x.must("verify")
	x.refuses("not installed", "", "verify", "three")
}

func TestGC(t *testing.T) {
	x := newSession(t)
	for n := uint64(1); n < 6; n++ {
		x.install(tool(t, "org.example.One", fmt.Sprint(n)), "stable", n)
	}
	x.must("pin", "one", "1")
	var f store.Freed
	x.json(&f, "gc")
	if f.Releases != 1 || f.Objects == 0 || f.Bytes == 0 {
		t.Errorf("got %+v", f)
	}
	rec, err := x.s.Find("one")
	if err != nil {
		t.Fatal(err)
	}
	list, err := x.s.Deployments(rec.Ref())
	var got []uint64
	for _, r := range list {
		got = append(got, r.Release.N)
	}
	if err != nil || !slices.Equal(got, []uint64{5, 4, 3, 1}) { // current, two for a rollback, the pinned
		t.Errorf("there is %v, %v", got, err)
	}
	if out := x.must("gc"); !strings.HasPrefix(out, "0 B freed: 0 contents, 0 releases") {
		t.Errorf("again: %s", out)
	}
}

func TestSnapshotVerbs(t *testing.T) {
	x := newSession(t)
	x.refuses("no data here", "once it has run", "snapshot", "create", "one")
	if out := x.must("snapshot", "list"); strings.Count(out, "\n") != 1 {
		t.Errorf("got %s", out)
	}
	x.install(tool(t, "org.example.One", "1.0"), "stable", 3)
	kept := x.home("org.example.One", "first")
	name := strings.TrimSpace(x.must("snapshot", "create", "one", "--note", "for \x1b[2Jlater"))
	x.home("org.example.One", "second")
	if out := x.must("snapshot", "list", "one"); strings.Contains(out, "\x1b") || !strings.Contains(out, "by hand, of version 1.0 (3): for ") {
		t.Errorf("got %q", out)
	}
	var doc restoreDoc
	x.json(&doc, "snapshot", "restore", "one", name)
	if e2e.Read(kept) != "first" || doc.Restored.Name != name || doc.Saved == nil {
		t.Errorf("%q %+v", e2e.Read(kept), doc)
	}
	x.refuses("no terminal", "--yes", "snapshot", "delete", "one", name)
	x.refuses("there is no snapshot", "snapshot list", "snapshot", "delete", "-y", "one", name, "1999")
	var rows []snapshot.Info
	x.json(&rows, "snapshot", "list")
	if len(rows) != 2 {
		t.Errorf("got %+v", rows)
	}
	if out := x.must("snapshot", "delete", "-y", "org.example.One", name); out != name+"\n" {
		t.Errorf("got %q", out)
	}
	x.refuses("no data here", "did you mean one?", "snapshot", "restore", "oen")
}
