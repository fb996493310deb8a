package upload

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"sandbox/internal/hint"
	"sandbox/repo"
	"sandbox/repo/publish"
)

// maxCopied bounds one file of a working copy, as package publish does.
const maxCopied = 64 << 20

// pull makes the working copy what the server has, all but the packs. The
// timestamp is read first: a change is put over that one, whatever comes after.
func (p *Place) pull(ctx context.Context) (*state, error) {
	s := &state{known: map[string]known{}, damaged: map[string]bool{}}
	timestamp, tag, err := p.read(ctx, publish.TimestampFile)
	missing := errors.Is(err, fs.ErrNotExist)
	if err != nil && !missing {
		return nil, err
	}
	if s.remote, err = p.list(ctx); err != nil {
		return nil, err
	}
	if _, there := s.remote[publish.LayoutFile]; !there || missing {
		return nil, p.none(fs.ErrNotExist)
	}
	if err := p.checkAge(timestamp); err != nil {
		return nil, err
	}
	if err := p.drop(s); err != nil {
		return nil, err
	}
	if err := p.copyConstant(ctx, s); err != nil {
		return nil, err
	}
	if err := p.copyChanging(ctx, s); err != nil {
		return nil, err
	}
	s.known[publish.TimestampFile] = known{tag, repo.Sum(timestamp)}
	return s, p.write(publish.TimestampFile, timestamp)
}

func (p *Place) list(ctx context.Context) (files map[string]int64, err error) {
	err = p.retry(ctx, func() error { files, err = p.store.list(ctx); return err })
	return files, err
}

// drop takes out of the working copy what the server does not have: it is left
// over from a change that failed. Packs stay: they were work, and the same bundle
// makes the same again. Those that the server has are not needed here.
func (p *Place) drop(s *state) error {
	have, err := p.names()
	if err != nil {
		return err
	}
	for name := range have {
		_, there := s.remote[name]
		if stage := stageOf(name, false); stage >= 0 && there == (stage == stagePack) {
			if err := os.Remove(p.file(name)); err != nil {
				return err
			}
		}
	}
	return nil
}

// copyConstant fetches the files that are missing and never change.
func (p *Place) copyConstant(ctx context.Context, s *state) error {
	have, err := p.names()
	if err != nil {
		return err
	}
	known, err := p.knownRoots()
	if err != nil {
		return err
	}
	var want []string
	var total int64
	for _, name := range slices.Sorted(maps.Keys(s.remote)) {
		size := s.remote[name]
		if stage := stageOf(name, false); stage < 0 || stage == stagePack || !publish.Constant(name) {
			continue
		}
		if n, here := have[name]; here && n == size && known.settled(name) {
			continue
		}
		if size > maxCopied {
			s.damaged[name] = true
			continue
		}
		want = append(want, name)
		total += size
	}
	if err := p.checkRoom(total); err != nil {
		return err
	}
	var mu sync.Mutex
	got := p.meter("reading", total)
	return each(ctx, wide, want, func(ctx context.Context, name string) error {
		whole, err := p.fetch(ctx, name, s.remote[name], got)
		if errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%s went since it was listed: %w", name, errCondition) // gc is at work
		}
		if err != nil {
			return err
		}
		if !whole {
			mu.Lock()
			s.damaged[name] = true
			mu.Unlock()
		}
		return nil
	})
}

// maxChanging is how many files may be there whose content changes: a few, and one
// for each name that the repository was given to users by.
const maxChanging = 64

// copyChanging fetches the files that change, but the timestamp.
func (p *Place) copyChanging(ctx context.Context, s *state) error {
	var names []string
	for name := range s.remote {
		if stageOf(name, false) >= 0 && !publish.Constant(name) && name != publish.TimestampFile {
			names = append(names, name)
		}
	}
	if len(names) > maxChanging {
		return hint.With(fmt.Errorf("it holds %d files *%s", len(names), publish.RemoteSuffix), "look at what else writes there, and remove those that nobody needs")
	}
	for _, name := range names {
		data, tag, err := p.read(ctx, name)
		if errors.Is(err, fs.ErrNotExist) {
			continue // since the listing
		}
		if err != nil {
			return err
		}
		s.known[name] = known{tag, repo.Sum(data)}
		if err := p.write(name, data); err != nil {
			return err
		}
	}
	return nil
}

// fetch brings a constant file into the working copy. It is not whole when its
// content is not that of its name; it is left out then.
func (p *Place) fetch(ctx context.Context, name string, size int64, got func(int64)) (whole bool, err error) {
	target := p.file(name)
	if err := os.MkdirAll(filepath.Dir(target), 0o700); err != nil {
		return false, err
	}
	f, err := os.CreateTemp(filepath.Dir(target), publish.TempPrefix+"*")
	if err != nil {
		return false, err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	h := sha256.New()
	err = p.retry(ctx, func() error {
		h.Reset()
		if err := f.Truncate(0); err != nil {
			return err
		}
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			return err
		}
		body, _, err := p.store.get(ctx, name)
		if err != nil {
			return err
		}
		defer body.Close()
		n, err := io.Copy(io.MultiWriter(f, h), counted{io.LimitReader(body, size+1), got})
		if err == nil && n < size {
			err = passing{fmt.Errorf("%s ends after %d bytes of %d", name, n, size)}
		}
		if err != nil && got != nil {
			got(-n)
		}
		return err
	})
	if err != nil {
		return false, err
	}
	if isHashed(name) && !strings.HasSuffix(name, repo.Digest(h.Sum(nil)).String()) {
		return false, nil
	}
	return true, os.Rename(f.Name(), target)
}

// fetchPack is what package publish calls when it needs what lies in a pack. One of
// another length than the releases say is not worth the way.
func (p *Place) fetchPack(ctx context.Context, name string, length int64) error {
	files, err := p.list(ctx)
	if err == nil {
		err = p.checkRoom(length)
	}
	if err != nil {
		return p.failed("read", err)
	}
	size, whole := files[name]
	if whole = whole && size == length; whole {
		whole, err = p.fetch(ctx, name, size, p.meter("reading", size))
	}
	if err == nil && !whole {
		err = hint.With(fmt.Errorf("%s is damaged there", name), "restore it from a mirror or a backup, or publish its releases again")
	}
	return p.failed("read", err)
}

func (p *Place) file(name string) string { return filepath.Join(p.dir(), filepath.FromSlash(name)) }

func (p *Place) write(name string, data []byte) error {
	target := p.file(name)
	if err := os.MkdirAll(filepath.Dir(target), 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(target), publish.TempPrefix+"*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(data)
	if e := f.Close(); err == nil {
		err = e
	}
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), target)
}

// names are the files of the working copy and their lengths.
func (p *Place) names() (map[string]int64, error) {
	files := map[string]int64{}
	err := filepath.WalkDir(p.dir(), func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		name, err := filepath.Rel(p.dir(), path)
		if err != nil {
			return err
		}
		st, err := d.Info()
		if err == nil {
			files[filepath.ToSlash(name)] = st.Size()
		}
		return err
	})
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return files, err
}

// survey is the working copy as a plan sees it.
func (p *Place) survey() (map[string]file, error) {
	have, err := p.names()
	if err != nil {
		return nil, err
	}
	files := map[string]file{}
	for name, size := range have {
		f := file{size: size}
		if stageOf(name, false) >= 0 && !publish.Constant(name) {
			data, err := os.ReadFile(p.file(name))
			if err != nil {
				return nil, err
			}
			f.sum = repo.Sum(data)
		}
		files[name] = f
	}
	return files, nil
}

// seenFile holds the version of the newest timestamp that the server is known to
// have had.
func (p *Place) seenFile() string { return filepath.Join(p.home, "seen") }

// checkAge refuses a repository that went back in time: what is published on an
// older state, users refuse.
func (p *Place) checkAge(timestamp []byte) error {
	data, err := os.ReadFile(p.seenFile())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	seen, err := strconv.ParseInt(strings.TrimSpace(string(data)), 10, 64)
	if err != nil {
		return nil
	}
	if v := versionOf(timestamp); v < seen {
		return hint.With(fmt.Errorf("it has gone back: its timestamp is number %d, and number %d was there", v, seen),
			"somebody has put an older copy there, which users' machines refuse: put the newer one back; to go on from the older one all the same, remove %s", p.seenFile())
	}
	return nil
}

func versionOf(timestamp []byte) int64 {
	var doc struct{ Signed struct{ Version int64 } }
	json.Unmarshal(timestamp, &doc) // verified when the copy is opened
	return doc.Signed.Version
}

// note keeps in mind that the server has the timestamp and the roots of the working
// copy, which are verified.
func (p *Place) note() error {
	if err := p.noteRoots(); err != nil {
		return err
	}
	timestamp, err := os.ReadFile(p.file(publish.TimestampFile))
	if err != nil {
		return err
	}
	return os.WriteFile(p.seenFile(), fmt.Appendf(nil, "%d\n", versionOf(timestamp)), 0o600)
}

// settle drops the packs, which the server has now.
func (p *Place) settle() error {
	if err := p.note(); err != nil {
		return err
	}
	return os.RemoveAll(p.file("pack"))
}
