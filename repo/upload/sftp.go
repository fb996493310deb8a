package upload

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"sync"

	"github.com/pkg/sftp"

	"sandbox/internal/hint"
	"sandbox/repo"
	"sandbox/repo/publish"
)

// directory is a store in a directory behind ssh. It has no conditions of its own:
// whoever changes it holds the lock, and put looks before.
type directory struct {
	at   Address
	root string
	dial func(context.Context, Address) (*session, error)

	mu   sync.Mutex
	live *session        // guarded by mu; nil when there is none
	met  bool            // guarded by mu; there was one
	made map[string]bool // guarded by mu; directories that are there
}

func newDirectory(a Address) *directory {
	return &directory{at: a, root: strings.TrimPrefix(a.Path, "~/"), dial: dial, made: map[string]bool{}}
}

func (d *directory) path(name string) string { return path.Join(d.root, name) }

func (d *directory) close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.live == nil {
		return nil
	}
	s := d.live
	d.live = nil
	return s.close()
}

// use runs do with a session, a new one when the last was lost.
func (d *directory) use(ctx context.Context, do func(s *session) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s, err := d.session(ctx)
	if err != nil {
		return err
	}
	err = do(s)
	if !s.lost(err) {
		return d.explain(s, err)
	}
	d.mu.Lock()
	if d.live == s {
		d.live = nil
		s.close()
	}
	d.mu.Unlock()
	if s.seen.over() {
		return errTooMany
	}
	if said := strings.TrimSpace(s.said.String()); said != "" {
		return passing{s.said.explain(d.at, nil)}
	}
	return passing{errors.New("the connection broke")}
}

func (d *directory) session(ctx context.Context) (*session, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.live == nil {
		s, err := d.dial(ctx, d.at)
		if p, ok := err.(passing); ok && !d.met {
			err = p.err // who has not come there yet will hardly do so in a moment
		}
		if err != nil {
			return nil, err
		}
		d.live, d.met = s, true
	}
	return d.live, nil
}

// explain finds out what an sftp server means by "failure": it has no code for
// most of what can go wrong.
func (d *directory) explain(s *session, err error) error {
	var status *sftp.StatusError
	switch {
	case err == nil || hint.Of(err) != "":
		return err
	case errors.Is(err, fs.ErrPermission):
		return hint.With(err, "make the directory yours there: it must be writable for the user of ssh")
	case !errors.As(err, &status) || status.FxCode() != sftp.ErrSSHFxFailure:
		return err
	}
	if st, e := s.StatVFS(d.existing(s)); e == nil {
		const readOnly = 1
		switch {
		case st.Flag&readOnly != 0:
			return hint.With(fmt.Errorf("the server's file system is read-only: %w", err), "have it mounted for writing")
		case st.Bavail*st.Frsize < 1<<20:
			return hint.With(fmt.Errorf("the server's disk is full: %w", err), "free some space there and run it again: nothing that is published was changed")
		case st.Files > 0 && st.Favail == 0:
			return hint.With(fmt.Errorf("the server's file system takes no more files: %w", err), "remove some there and run it again: nothing that is published was changed")
		}
	}
	return err
}

// existing is the directory, or the nearest above it that is there.
func (d *directory) existing(s *session) string {
	dir := d.path("")
	for dir != "/" && dir != "." {
		if _, err := s.Stat(dir); err == nil {
			break
		}
		dir = path.Dir(dir)
	}
	return dir
}

// rooms are the directories of a repository; those that are true have two levels.
var rooms = map[string]bool{"": false, "meta": false, "cat": false, publish.StateDir: false, "man": true, "loc": true, "pack": true, "delta": true}

func (d *directory) list(ctx context.Context) (map[string]int64, error) {
	files := map[string]int64{}
	var deep []string
	if err := d.use(ctx, func(s *session) error { s.seen.names.Store(0); return nil }); err != nil {
		return nil, err
	}
	for room, two := range rooms {
		err := d.readDir(ctx, room, func(name string, st os.FileInfo) {
			_, isRoom := rooms[name]
			switch {
			case st.Mode().IsRegular():
				files[name] = st.Size()
			case st.IsDir() && two:
				deep = append(deep, name)
			case room == "" && !isRoom:
				files[name+"/"] = 0 // somebody else's
			}
		})
		if err != nil {
			return nil, err
		}
	}
	var mu sync.Mutex
	err := each(ctx, wide, deep, func(ctx context.Context, dir string) error {
		return d.readDir(ctx, dir, func(name string, st os.FileInfo) {
			mu.Lock()
			defer mu.Unlock()
			if st.Mode().IsRegular() {
				files[name] = st.Size()
			}
		})
	})
	return files, err
}

func (d *directory) readDir(ctx context.Context, dir string, visit func(name string, st os.FileInfo)) error {
	return d.use(ctx, func(s *session) error {
		entries, err := s.ReadDirContext(ctx, d.path(dir))
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s: %w", d.path(dir), err)
		}
		d.mu.Lock()
		d.made[d.path(dir)] = true
		d.mu.Unlock()
		for _, st := range entries {
			visit(path.Join(dir, st.Name()), st)
		}
		return nil
	})
}

func (d *directory) get(ctx context.Context, name string) (body io.ReadCloser, tag string, err error) {
	err = d.use(ctx, func(s *session) error {
		f, err := s.Open(d.path(name))
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if publish.Constant(name) {
			body = &sftpBody{f}
			return nil
		}
		defer f.Close()
		data, err := io.ReadAll(io.LimitReader(f, maxSmall+1))
		if err != nil {
			return err
		}
		c := bytesOf(data)
		body, _ = c.open()
		tag = c.sum.String()
		return nil
	})
	return body, tag, err
}

// sftpBody says of a broken connection that another try may do.
type sftpBody struct{ *sftp.File }

func (b *sftpBody) Read(p []byte) (int, error) {
	n, err := b.File.Read(p)
	if cutOff(err) {
		err = passing{err}
	}
	return n, err
}

// put writes a file beside and gives it its name: plain rename fails where there is
// one, posix-rename replaces.
func (d *directory) put(ctx context.Context, name string, c content, when condition, sent func(int64)) error {
	return d.use(ctx, func(s *session) error {
		if err := d.mkdir(s, path.Dir(d.path(name))); err != nil {
			return err
		}
		if err := d.check(s, name, when); err != nil {
			return err
		}
		temp := path.Join(path.Dir(d.path(name)), strayPrefix+random())
		if err := d.write(ctx, s, temp, c, sent); err != nil {
			err = d.explain(s, err) // while the disk is as full as it was
			s.Remove(temp)
			return fmt.Errorf("%s: %w", name, err)
		}
		give := s.PosixRename
		if when.absent {
			give = s.Rename
		}
		if err := give(temp, d.path(name)); err != nil {
			s.Remove(temp)
			if e := d.check(s, name, when); e != nil {
				return e
			}
			return fmt.Errorf("%s: %w", name, err)
		}
		return nil
	})
}

// strayPrefix marks what has no name yet. Who holds the lock may remove it.
const strayPrefix = publish.TempPrefix + "upload-"

func random() string {
	var b [8]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

func (d *directory) check(s *session, name string, when condition) error {
	switch {
	case when.absent:
		if _, err := s.Lstat(d.path(name)); !errors.Is(err, fs.ErrNotExist) {
			if err == nil {
				err = fmt.Errorf("%s: %w", name, errCondition)
			}
			return err
		}
	case when.tag != "":
		f, err := s.Open(d.path(name))
		if errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%s: %w", name, errCondition)
		}
		if err != nil {
			return err
		}
		defer f.Close()
		h := sha256.New()
		if _, err := io.Copy(h, io.LimitReader(f, maxSmall+1)); err != nil {
			return err
		}
		if hex.EncodeToString(h.Sum(nil)) != when.tag {
			return fmt.Errorf("%s: %w", name, errCondition)
		}
	}
	return nil
}

func (d *directory) write(ctx context.Context, s *session, temp string, c content, sent func(int64)) error {
	in, err := c.open()
	if err != nil {
		return err
	}
	defer in.Close()
	var out int64
	sum := sha256.New()
	f, err := s.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL)
	if err != nil {
		return err
	}
	defer f.Close()
	undo := func(err error) error {
		if sent != nil {
			sent(-out)
		}
		return err
	}
	count := counted{io.TeeReader(bound{ctx, in}, sum), func(n int64) {
		out += n
		if sent != nil {
			sent(n)
		}
	}}
	// It sends many packets ahead when it does not know the length.
	n, err := f.ReadFromWithConcurrency(count, 64)
	if err != nil {
		return undo(err)
	}
	if got := repo.Digest(sum.Sum(nil)); n != c.size || got != c.sum {
		return undo(errors.New("the file has changed while it was sent"))
	}
	st, err := f.Stat()
	if err != nil {
		return undo(err)
	}
	if st.Size() != c.size {
		return undo(passing{fmt.Errorf("%d bytes of %d have arrived", st.Size(), c.size)})
	}
	if mode := st.Mode().Perm(); mode&0o444 != 0o444 {
		// What its umask made private is for a web server.
		if err := f.Chmod(mode | 0o444); err != nil {
			return undo(err)
		}
	}
	if _, ok := s.HasExtension("fsync@openssh.com"); ok {
		if err := f.Sync(); err != nil {
			return undo(err)
		}
	}
	if err := f.Close(); err != nil {
		return undo(err)
	}
	return nil
}

// bound is a reader that ends with a context.
type bound struct {
	ctx context.Context
	r   io.Reader
}

func (b bound) Read(p []byte) (int, error) {
	if err := b.ctx.Err(); err != nil {
		return 0, err
	}
	return b.r.Read(p)
}

// mkdir makes a directory and those above it, for a web server to read.
func (d *directory) mkdir(s *session, dir string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.mkdirLocked(s, dir)
}

func (d *directory) mkdirLocked(s *session, dir string) error {
	if d.made[dir] || dir == "/" || dir == "." {
		return nil
	}
	st, err := s.Stat(dir)
	if err == nil && !st.IsDir() {
		return fmt.Errorf("%s is no directory", dir)
	}
	if errors.Is(err, fs.ErrNotExist) {
		if err := d.mkdirLocked(s, path.Dir(dir)); err != nil {
			return err
		}
		err = s.Mkdir(dir)
		st, e := s.Stat(dir)
		switch {
		case e != nil || !st.IsDir():
		case err != nil:
			err = nil // somebody else was faster
		case st.Mode().Perm()&0o555 != 0o555:
			err = s.Chmod(dir, st.Mode().Perm()|0o555)
		}
	}
	if err != nil {
		return fmt.Errorf("%s: %w", dir, err)
	}
	d.made[dir] = true
	return nil
}

func (d *directory) remove(ctx context.Context, name string) error {
	return d.use(ctx, func(s *session) error {
		if err := s.Remove(d.path(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%s: %w", name, err)
		}
		return nil
	})
}

func (d *directory) conditional(context.Context) (bool, error) { return false, nil }
