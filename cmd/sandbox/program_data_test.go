package main_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sandbox/internal/e2e"
)

// repository is a git repository of the host with one commit.
func repository(t *testing.T, h *e2e.Home) string {
	t.Helper()
	dir := h.Mkdir("work/repo")
	h.Write(".gitconfig", "[user]\nname = Me\nemail = me@example.org\n[init]\ndefaultBranch = main\n")
	h.Write("work/repo/file", "one\n")
	for _, args := range [][]string{{"init", "-q"}, {"add", "."}, {"commit", "-q", "-m", "first"}} {
		if r := outside(t, h, "git", append([]string{"-C", dir}, args...)...); r.Code != 0 {
			t.Fatalf("git %q: %+v", args, r)
		}
	}
	return dir
}

// gitAs are the flags by which git knows who commits: the user's own
// configuration is not shown to it.
var gitAs = []string{"--env", "GIT_AUTHOR_NAME=Inside", "--env", "GIT_AUTHOR_EMAIL=in@example.org",
	"--env", "GIT_COMMITTER_NAME=Inside", "--env", "GIT_COMMITTER_EMAIL=in@example.org"}

func TestGitWorksOnAGrantedRepository(t *testing.T) {
	t.Parallel()
	h := e2e.NewHome(t)
	dir := repository(t, h)
	git := func(args ...string) e2e.Result {
		t.Helper()
		line := app(t, "org.git_scm.Git", append([]string{"--grant", "files:~/work:write"}, gitAs...), args...)
		return h.Do(e2e.Cmd{Args: line, Dir: dir})
	}
	// The owner is us inside too, so git trusts the repository as it is.
	wants(t, git("status", "--short", "--branch"), 0, "## main\n")
	wants(t, git("log", "--format=%an %s"), 0, "Me first\n")
	h.Write("work/repo/file", "two\n")
	wants(t, git("diff", "--stat", "--exit-code"), 1, " file | 2 +-\n 1 file changed, 1 insertion(+), 1 deletion(-)\n")
	if r := git("commit", "-q", "-a", "-m", "second"); r.Code != 0 {
		t.Fatalf("commit: %+v", r)
	}
	// Outside, git finds a sound repository, all of it ours.
	wants(t, outside(t, h, "git", "-C", dir, "log", "--format=%an %s"), 0, "Inside second\nMe first\n")
	wants(t, outside(t, h, "git", "-C", dir, "fsck", "--strict"), 0, "")
	allOurs(t, dir)

	if r := git("clone", "-q", dir, filepath.Join(h.Dir, "work/copy")); r.Code != 0 {
		t.Fatalf("clone: %+v", r)
	}
	wants(t, outside(t, h, "git", "-C", filepath.Join(h.Dir, "work/copy"), "log", "--format=%s"), 0, "second\nfirst\n")
	allOurs(t, filepath.Join(h.Dir, "work/copy"))
	if r := git("-C", filepath.Join(h.Dir, "work/copy"), "gc", "-q"); r.Code != 0 {
		t.Errorf("gc: %+v", r)
	}
}

// allOurs checks that every file of a tree belongs to who runs the test.
func allOurs(t *testing.T, dir string) {
	t.Helper()
	filepath.Walk(dir, func(path string, st os.FileInfo, err error) error {
		if err == nil && owner(st) != os.Getuid() {
			t.Errorf("%s belongs to uid %d", path, owner(st))
		}
		return nil
	})
}

func TestGitCannotCommitToAReadOnlyGrant(t *testing.T) {
	t.Parallel()
	h := e2e.NewHome(t)
	dir := repository(t, h)
	before := e2e.Snapshot(dir)
	git := func(args ...string) e2e.Result {
		t.Helper()
		line := app(t, "org.git_scm.Git", append([]string{"--grant", "files:" + dir + ":read"}, gitAs...), args...)
		return h.Do(e2e.Cmd{Args: line, Dir: dir})
	}
	wants(t, git("log", "--format=%s"), 0, "first\n")
	if r := git("commit", "--allow-empty", "-m", "second"); r.Code == 0 || !strings.Contains(r.Stderr, "Read-only file system") {
		t.Errorf("commit: %+v", r)
	}
	if now := e2e.Snapshot(dir); now != before {
		t.Errorf("the repository changed:\n%s\nwas:\n%s", now, before)
	}
	// Cloned into the app's own home it can be worked on, and stays there.
	own := h.Dir + "/mine"
	if r := git("clone", "-q", dir, own); r.Code != 0 {
		t.Fatalf("clone: %+v", r)
	}
	wants(t, git("-C", own, "commit", "-q", "--allow-empty", "-m", "second"), 0, "")
	wants(t, git("-C", own, "log", "--format=%s"), 0, "second\nfirst\n")
	if _, err := os.Lstat(own); err == nil {
		t.Error("the clone is in the user's home")
	}
}

func TestGitWithoutAGrantSeesNothing(t *testing.T) {
	t.Parallel()
	h := e2e.NewHome(t)
	dir := repository(t, h)
	r := h.Do(e2e.Cmd{Args: app(t, "org.git_scm.Git", nil, "-C", dir, "log"), Dir: dir})
	if r.Code != 128 || !strings.Contains(r.Stderr, "No such file or directory") {
		t.Errorf("got %+v", r)
	}
}

// An editor that git starts has the terminal.
func TestGitStartsAnEditorOnTheTerminal(t *testing.T) {
	t.Parallel()
	h := e2e.NewHome(t)
	dir := repository(t, h)
	flags := append([]string{"--grant", "files:~/work:write", "--env", "GIT_EDITOR=sh -c 'read line </dev/tty; echo \"$line\" >\"$1\"' ed", "--cwd", dir}, gitAs...)
	p := h.Pty(app(t, "org.git_scm.Git", flags, "commit", "--allow-empty")...)
	p.Type("typed message\r")
	if code := p.Wait(soon); code != 0 {
		t.Fatalf("ended with %d: %s", code, p.Output())
	}
	wants(t, outside(t, h, "git", "-C", dir, "log", "-1", "--format=%s"), 0, "typed message\n")
}

// With its directory granted, a database is written with its journal beside it.
func TestSqliteInAGrantedDirectory(t *testing.T) {
	t.Parallel()
	h := e2e.NewHome(t)
	dir := h.Mkdir("data")
	sqlite := func(args ...string) e2e.Result {
		t.Helper()
		return h.Run(app(t, "org.sqlite.Sqlite3", []string{"--grant", "files:~/data:write"}, args...)...)
	}
	db := dir + "/my.db"
	wants(t, sqlite(db, "create table t(x); insert into t values(1),(2);"), 0, "")
	wants(t, sqlite(db, "select sum(x) from t"), 0, "3\n")
	wants(t, sqlite(db, "pragma journal_mode=wal; insert into t values(3); select sum(x) from t"), 0, "wal\n6\n")
	names, _ := os.ReadDir(dir)
	if len(names) != 1 {
		t.Errorf("left in the directory: %v", names)
	}
	allOurs(t, dir)
	if head := e2e.Read(db); !strings.HasPrefix(head, "SQLite format 3\x00") {
		t.Errorf("the file begins with %q", head[:min(len(head), 16)])
	}
}

// With only the file granted, reading works. Writing needs a journal beside the
// file: it lands in the app's own directory of that name, which is not the
// host's, so the transaction is whole but a crash could not be rolled back by
// others. What must not happen is that the file is damaged or the host gets a
// stray file.
func TestSqliteWithOnlyTheFileGranted(t *testing.T) {
	t.Parallel()
	h := e2e.NewHome(t)
	dir := h.Mkdir("data")
	db := dir + "/my.db"
	flags := []string{"--grant", "files:~/data/my.db:write"}
	wants(t, h.Run(app(t, "org.sqlite.Sqlite3", []string{"--grant", "files:~/data:write"}, db, "create table t(x); insert into t values(1);")...), 0, "")
	wants(t, h.Run(app(t, "org.sqlite.Sqlite3", flags, db, "select x from t")...), 0, "1\n")
	r := h.Run(app(t, "org.sqlite.Sqlite3", flags, db, "insert into t values(2); select count(*) from t")...)
	wants(t, r, 0, "2\n")
	wants(t, h.Run(app(t, "org.sqlite.Sqlite3", flags, db, "pragma integrity_check")...), 0, "ok\n")
	if names, _ := os.ReadDir(dir); len(names) != 1 {
		t.Errorf("the host's directory holds %v", names)
	}
	wants(t, h.Run(app(t, "org.sqlite.Sqlite3", flags, db, "pragma journal_mode=memory; insert into t values(3)")...), 0, "memory\n")
	ro := h.Run(app(t, "org.sqlite.Sqlite3", []string{"--grant", "files:~/data:read"}, db, "insert into t values(4)")...)
	if ro.Code == 0 || !strings.Contains(ro.Stderr, "readonly") {
		t.Errorf("writing to a read-only grant: %+v", ro)
	}
}
