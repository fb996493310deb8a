package upload

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"

	"sandbox/internal/disk"
	"sandbox/internal/hint"
	"sandbox/repo/publish"
)

// Place is a repository on a server, with a working copy here.
type Place struct {
	Address
	home  string // of the working copy and of what is known of the place
	store store

	backoff  time.Duration // before the second try; it doubles
	patience time.Duration // for a lock that does not change hands

	telling sync.Mutex // tell is called by one goroutine at a time
	tell    func(publish.Event)
}

// Open finds the place that text names, with a working copy below cache. Nothing
// is asked of the server yet.
func Open(text, cache string) (*Place, error) {
	a, err := Parse(text)
	if err != nil {
		return nil, err
	}
	p := &Place{Address: a, backoff: 300 * time.Millisecond, patience: 10 * time.Minute}
	where := a.String()
	switch a.Scheme {
	case "s3":
		home, err := disk.Home()
		if err != nil {
			return nil, err
		}
		c, err := awsConfig(os.Getenv, home)
		if err != nil {
			return nil, fmt.Errorf("cannot reach %s: %w", a, err)
		}
		b := newBucket(a, c)
		p.store, where = b, where+" "+b.base.String()
	case "ssh":
		p.store = newDirectory(a)
	}
	sum := sha256.Sum256([]byte(where))
	p.home = filepath.Join(cache, "publish", hex.EncodeToString(sum[:12]))
	return p, nil
}

// Close ends the connection.
func (p *Place) Close() error { return p.store.close() }

// dir is the working copy. It has the name of the repository, which what users
// get is called by.
func (p *Place) dir() string { return filepath.Join(p.home, "copy", p.Name()) }

// attempts are how often a change begins again because others were faster.
const attempts = 10

// Change has do work on the repository, and brings to the server what it changed.
// do may be called again, on another state, when somebody else was faster. With
// sweeps it removes files, as gc does.
func (p *Place) Change(ctx context.Context, o publish.Options, sweeps bool, do func(*publish.Repository) error) error {
	return p.transact(ctx, o, sweeps, func(s *state) error { return p.work(ctx, o, s, do) })
}

// transact keeps others out, as far as the store needs it, and repeats what they
// were faster with.
func (p *Place) transact(ctx context.Context, o publish.Options, sweeps bool, once func(*state) error) error {
	done, err := p.claim(ctx, o)
	if err != nil {
		return err
	}
	defer done()
	// Before anything is put: a place may be misspelt.
	if _, _, err := p.read(ctx, publish.LayoutFile); err != nil {
		return p.failed("read", p.none(err))
	}
	var heeds bool
	err = p.retry(ctx, func() (err error) { heeds, err = p.store.conditional(ctx); return err })
	if err != nil {
		return p.failed("reach", err)
	}
	locked := !heeds || sweeps
	if locked {
		unlock, err := p.lock(ctx, o.Wait)
		if err != nil {
			return p.failed("change", err)
		}
		defer unlock()
	}
	if !heeds && p.Scheme == "s3" {
		p.warn("this store puts whatever the condition (If-Match): let nobody else publish at the same time")
	}
	var waited watch
	for try := 1; ; try++ {
		s, err := p.pull(ctx)
		if err == nil && !locked {
			if _, held := s.remote[lockFile]; held {
				if err = p.await(ctx, &waited, o.Wait); err == nil {
					continue
				}
			}
		}
		if err == nil {
			err = once(s)
		} else {
			err = p.failed("read", err)
		}
		if !errors.Is(err, errCondition) || try == attempts {
			return err
		}
		p.report(publish.Event{Stage: "again", Text: "somebody else has changed the repository meanwhile"})
		if err := pause(ctx, p.backoff, try); err != nil {
			return err
		}
	}
}

// none says what it means that a file is missing without which there is no
// repository.
func (p *Place) none(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return hint.With(errors.New("there is no repository"), "'sandbox repo init %s' makes one", p)
	}
	return err
}

// work is one attempt of a change.
func (p *Place) work(ctx context.Context, o publish.Options, s *state, do func(*publish.Repository) error) error {
	o = p.onCopy(o, s)
	r, err := p.openCopy(ctx, o, s)
	if err != nil {
		return err
	}
	defer func() { r.Close() }()
	if err := do(r); err != nil {
		return err
	}
	fresh := func(name string) bool { _, there := s.remote[name]; return !there }
	if s.needed, err = r.Needed(ctx, fresh); err != nil {
		return err
	}
	s.swept, s.rootFirst = r.Swept(), r.RootFirst()
	return p.push(ctx, s)
}

// push brings the working copy to the server.
func (p *Place) push(ctx context.Context, s *state) error {
	var err error
	if s.local, err = p.survey(); err != nil {
		return p.failed("change", err)
	}
	for i, name := range s.lost() {
		if i == 3 {
			p.warn("and %d files more", len(s.lost())-i)
			break
		}
		p.warn("%s is gone from the server, or damaged there, and a release needs it: publish that release again with --force, or retract it", name)
	}
	if err := p.perform(ctx, makePlan(*s)); err != nil {
		return p.failed("change", err)
	}
	return p.settle()
}

// onCopy are the options for the working copy.
func (p *Place) onCopy(o publish.Options, s *state) publish.Options {
	o.Called = p.String()
	o.Elsewhere = publish.Elsewhere{Packs: map[string]int64{}, Fetch: p.fetchPack}
	for name, size := range s.remote {
		if stageOf(name, false) == stagePack {
			o.Elsewhere.Packs[name] = size
		}
	}
	return o
}

// openCopy opens the working copy. One that does not verify may have been damaged
// here: it is read once more as a whole.
func (p *Place) openCopy(ctx context.Context, o publish.Options, s *state) (*publish.Repository, error) {
	open := func() (*publish.Repository, error) {
		if err := p.checkRoots(); err != nil {
			return nil, p.failed("use", err)
		}
		return publish.Open(ctx, p.dir(), o)
	}
	r, err := open()
	if err != nil && ctx.Err() == nil {
		if err := os.RemoveAll(p.dir()); err != nil {
			return nil, err
		}
		again, e := p.pull(ctx)
		if e != nil {
			return nil, p.failed("read", e)
		}
		*s = *again
		r, err = open()
	}
	if err != nil {
		return nil, err
	}
	if err := p.note(); err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

// Look has do look at the repository as it is. It waits for nobody.
func (p *Place) Look(ctx context.Context, o publish.Options, do func(*publish.Repository) error) error {
	done, err := p.claim(ctx, o)
	if err != nil {
		return err
	}
	defer done()
	s, err := p.pull(ctx)
	if err != nil {
		return p.failed("read", err)
	}
	o.ReadOnly = true
	r, err := p.openCopy(ctx, p.onCopy(o, s), s)
	if err != nil {
		return err
	}
	defer r.Close()
	return do(r)
}

// Init makes an empty repository in a place that holds nothing. One that was cut
// short is made again.
func (p *Place) Init(ctx context.Context, o publish.InitOptions) (made *publish.Created, err error) {
	o.Called = p.String()
	done, err := p.claim(ctx, o.Options)
	if err != nil {
		return nil, err
	}
	defer done()
	if _, err := p.begin(ctx, false, o.Wait); err != nil {
		return nil, p.failed("make", err)
	}
	defer p.end(ctx)
	if made, err = publish.Init(p.dir(), o); err != nil {
		return nil, err
	}
	s := &state{remote: map[string]int64{}, known: map[string]known{}}
	if s.local, err = p.survey(); err != nil {
		return nil, p.failed("make", err)
	}
	s.needed = map[string]bool{}
	for name := range s.local {
		s.needed[name] = true
	}
	if err := p.perform(ctx, makePlan(*s)); err != nil {
		return nil, p.failed("make", err)
	}
	made.Dir, made.RemoteFile = p.String(), p.Show(made.RemoteFile)
	return made, p.settle()
}

// begin makes sure that there is no repository, takes the lock, and takes away what
// an unfinished run left. Contents that it had put already stay where resumes says
// so, and are returned.
func (p *Place) begin(ctx context.Context, resumes bool, wait func(string)) (kept map[string]int64, err error) {
	if _, _, err := p.leftovers(ctx, resumes); err != nil {
		return nil, err
	}
	unlock, err := p.lock(ctx, wait)
	if err != nil {
		return nil, err
	}
	left, kept, err := p.leftovers(ctx, resumes)
	if err == nil {
		err = each(ctx, wide, left, func(ctx context.Context, name string) error {
			return p.retry(ctx, func() error { return p.store.remove(ctx, name) })
		})
	}
	if err == nil {
		err = os.RemoveAll(p.dir())
	}
	if err != nil {
		unlock()
	}
	return kept, err
}

// leftovers are the files of a repository that was not finished, so that it never
// was one. Any other file is somebody's.
func (p *Place) leftovers(ctx context.Context, resumes bool) (left []string, kept map[string]int64, err error) {
	files, err := p.list(ctx)
	if err != nil {
		return nil, nil, err
	}
	if _, there := files[publish.LayoutFile]; there {
		return nil, nil, hint.With(errors.New("there is a repository already"), "'sandbox publish' adds to it; a new one needs a new place")
	}
	kept = map[string]int64{}
	for name, size := range files {
		switch stage := stageOf(name, false); {
		case name == lockFile, name == probeFile, isStray(name):
		case stage >= stageRole && stage <= stageSmall:
			left = append(left, name)
		case stage >= 0 && resumes:
			kept[name] = size
		default:
			return nil, nil, hint.With(fmt.Errorf("the place holds %q", name), "name an empty place or a new one")
		}
	}
	return left, kept, nil
}

// Show is a path in the working copy as it is on the server.
func (p *Place) Show(path string) string {
	if rel, err := filepath.Rel(p.dir(), path); err == nil && filepath.IsLocal(rel) {
		return p.String() + "/" + filepath.ToSlash(rel)
	}
	return path
}

// claim keeps the working copy to this process.
func (p *Place) claim(ctx context.Context, o publish.Options) (func(), error) {
	p.tell = o.Progress
	for _, dir := range []string{filepath.Dir(p.home), p.home, p.dir()} {
		if err := disk.PrivateDir(dir); err != nil {
			return nil, fmt.Errorf("cannot keep a working copy of %s: %w", p, err)
		}
	}
	if b, ok := p.store.(*bucket); ok && exposed(b.endpoint) {
		p.warn("%s is not encrypted: who is on the way there can read and change what is published; write https:// in AWS_ENDPOINT_URL", b.endpoint)
	}
	return publish.Lock(ctx, p.home, o.Wait)
}

// exposed tells whether what goes to an endpoint goes through a network as it is.
func exposed(endpoint *url.URL) bool {
	if endpoint == nil || endpoint.Scheme != "http" || endpoint.Hostname() == "localhost" {
		return false
	}
	ip, err := netip.ParseAddr(endpoint.Hostname())
	return err != nil || !ip.IsLoopback()
}

func (p *Place) report(e publish.Event) {
	if p.tell != nil {
		p.telling.Lock()
		defer p.telling.Unlock()
		p.tell(e)
	}
}

// meter returns a function that reports how much of total has been moved. It is
// told what has moved more, or less when it has to move again.
func (p *Place) meter(stage string, total int64) func(more int64) {
	var mu sync.Mutex
	var done int64
	return func(more int64) {
		mu.Lock() // so that what is reported only grows
		defer mu.Unlock()
		done += more
		p.report(publish.Event{Stage: stage, Text: p.Host, Done: done, Total: total})
	}
}

func (p *Place) warn(format string, args ...any) {
	p.report(publish.Event{Text: fmt.Sprintf(format, args...), Warning: true})
}

// failed says what could not be done where.
func (p *Place) failed(verb string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errCondition):
		err = hint.With(err, "run it again")
	case errors.Is(err, errPassing) && hint.Of(err) == "":
		err = hint.With(err, "it was tried %d times: run it again when the way there is better, it goes on from there", tries)
	case errors.Is(err, fs.ErrNotExist) && hint.Of(err) == "":
		err = hint.With(err, "the repository is not whole: look at what else writes there")
	}
	return fmt.Errorf("cannot %s %s: %w", verb, p, err)
}
