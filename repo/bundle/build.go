package bundle

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"sandbox/internal/disk"
	"sandbox/internal/hint"
	"sandbox/manifest"
)

// Options say what to build and where. Only Dir is required.
type Options struct {
	Dir      string      // holds sandbox.toml
	Out      string      // the bundle; default Dir/build. Replaced when it is an earlier build
	Runtime  string      // bundle directory of the runtime, for debian sources over one
	Cache    string      // packages and package lists; default below the user's cache directory
	Mirror   string      // archive for debian sources instead of the host's own ones
	Update   bool        // resolve debian sources anew and write the lock
	Limits   Limits      // zero for the defaults
	Progress func(Event) // may be nil; called from several goroutines, one at a time
	Run      StepRunner  // runs build steps inside the sandbox; nil makes steps an error
}

// A StepRunner runs one build step, a shell line, confined to tree: the
// bundle's directory as it is so far. What a step leaves there is checked like
// any other source.
type StepRunner interface {
	Run(ctx context.Context, step string, tree string) error
}

// An Event is progress for a person. Done and Total are 0 when unknown; they
// count bytes when downloading and items otherwise.
type Event struct {
	Stage       string // source, lists, resolve, download, unpack, step, check, done
	Text        string
	Done, Total int64
	Warning     bool
}

// Layout says what the launcher has to put together.
type Layout string

const (
	Static    Layout = "static"  // files/ is all there is
	OnRuntime Layout = "runtime" // files/ beside the runtime's /usr
	Overlay   Layout = "overlay" // usr/ over the runtime's /usr, and files/
	AsRuntime Layout = "usr"     // a runtime: files/ is /usr
)

// Result is a finished bundle.
type Result struct {
	Dir      string
	Digest   string // of the canonical tree, in hex
	Files    int
	Bytes    int64
	Layout   Layout
	Warnings []string
}

type build struct {
	opts         Options
	manifest     *manifest.Manifest
	manifestText []byte
	source       *os.Root // Options.Dir
	dir          string   // Options.Dir, absolute
	out          string
	cache        string
	tree         *tree
	sink         *debSink
	locked       *lock
	sections     []lockSection
	hasApt       bool
}

// Build makes the bundle of the manifest in opts.Dir. The same manifest, files,
// lock and runtime give the same bytes. Out appears, or is replaced, at once
// and complete; on an error it is as before and nothing is left beside it.
func Build(ctx context.Context, opts Options) (*Result, error) {
	b, err := prepare(opts)
	if err != nil {
		return nil, err
	}
	defer b.source.Close()
	res, err := b.run(ctx)
	if errors.Is(err, unix.ENOSPC) && hint.Of(err) == "" {
		err = hint.With(err, "free some space beside %q and in the cache %q", b.out, b.cache)
	}
	return res, err
}

func prepare(opts Options) (*build, error) {
	loaded, err := readManifest(opts.Dir)
	if err != nil {
		return nil, err
	}
	b := &build{opts: opts, manifest: loaded.m, cache: opts.Cache, out: opts.Out, locked: &lock{}}
	if b.dir, err = filepath.Abs(opts.Dir); err != nil {
		return nil, err
	}
	if b.out == "" {
		b.out = filepath.Join(b.dir, "build")
	}
	if b.out, err = filepath.Abs(b.out); err != nil {
		return nil, err
	}
	if err := checkOut(b.out); err != nil {
		return nil, err
	}
	if len(loaded.m.Build.Steps) > 0 && opts.Run == nil {
		return nil, errors.New("cannot run build steps here: they run inside the sandbox only")
	}
	for _, s := range loaded.m.Build.Sources {
		b.hasApt = b.hasApt || s.Type == manifest.SourceDebian
	}
	if b.source, err = os.OpenRoot(b.dir); err != nil {
		return nil, err
	}
	if err := b.prepareCache(); err != nil {
		b.source.Close()
		return nil, err
	}
	return b, nil
}

func (b *build) prepareCache() error {
	if !b.hasApt {
		return nil
	}
	if b.cache == "" {
		home, err := disk.Home()
		if err != nil {
			return err
		}
		b.cache = filepath.Join(disk.UserDirs(os.Getenv, home).Cache, "build")
	}
	var err error
	if b.cache, err = filepath.Abs(b.cache); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(b.cache, "debs"), 0o755); err != nil {
		return err
	}
	f, err := b.source.OpenFile(LockName, os.O_RDONLY|unix.O_NOFOLLOW, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	if b.locked, err = parseLock(f); err != nil {
		return hint.With(fmt.Errorf("cannot read %s: %w", LockName, err), "sandbox build --update-lock writes it anew once it is removed")
	}
	return nil
}

func (b *build) notify(e Event) {
	if b.opts.Progress != nil {
		b.opts.Progress(e)
	}
}

func (b *build) run(ctx context.Context) (*Result, error) {
	st, err := newStaging(b.out)
	if err != nil {
		return nil, err
	}
	defer st.discard()
	if err := b.fillTree(ctx, st.dir); err != nil {
		return nil, err
	}
	b.notify(Event{Stage: "check", Text: string(b.manifest.ID)})
	if err := settle(st.dir); err != nil {
		return nil, err
	}
	info, err := Check(st.dir)
	if err != nil {
		return nil, err
	}
	if err := b.writeLock(); err != nil {
		return nil, err
	}
	if err := st.commit(); err != nil {
		return nil, fmt.Errorf("cannot put the bundle at %q: %w", b.out, err)
	}
	if info.Files == 1 {
		info.Warnings = append(info.Warnings, empty)
		b.notify(Event{Stage: "check", Text: empty, Warning: true})
	} else if n := len(info.Warnings); n > 0 {
		b.notify(Event{Stage: "check", Text: fmt.Sprintf("%s (%d such pairs)", info.Warnings[0], n), Warning: true})
	}
	b.notify(Event{Stage: "done", Text: info.Digest, Done: info.Bytes, Total: info.Bytes})
	return &Result{Dir: b.out, Digest: info.Digest, Files: info.Files, Bytes: info.Bytes, Layout: info.Layout, Warnings: info.Warnings}, nil
}

const empty = "the bundle holds nothing but its manifest: name a [[build.source]] there, or put the files into files/ beside it; 'sandbox help packaging' shows how"

// fillTree puts everything into the staging directory.
func (b *build) fillTree(ctx context.Context, dir string) (err error) {
	if b.tree, err = newTree(dir, b.opts.Limits); err != nil {
		return err
	}
	defer b.tree.close()
	if err := b.tree.mkdir("files"); err != nil {
		return err
	}
	if err := b.copyManifest(); err != nil {
		return err
	}
	sources := b.sources()
	for i, src := range sources {
		if err := ctx.Err(); err != nil {
			return err
		}
		b.notify(Event{Stage: "source", Text: describe(src), Done: int64(i), Total: int64(len(sources))})
		if err := b.addSource(ctx, src); err != nil {
			return fmt.Errorf("%s:%d: %s: %w", manifest.FileName, src.Line, describe(src), err)
		}
	}
	if b.sink != nil {
		if err := b.sink.finish(string(b.manifest.ID)); err != nil {
			return err
		}
	}
	for i, step := range b.manifest.Build.Steps {
		b.notify(Event{Stage: "step", Text: step, Done: int64(i), Total: int64(len(b.manifest.Build.Steps))})
		if err := b.opts.Run.Run(ctx, step, dir); err != nil {
			return fmt.Errorf("build step %d: %w", i+1, err)
		}
	}
	return b.checkManifest(dir)
}

// sources are those of the manifest; where it names none, a directory files/ beside
// it is taken as it is.
func (b *build) sources() []manifest.Source {
	const files = "files"
	if st, err := b.source.Lstat(files); len(b.manifest.Build.Sources) == 0 && err == nil && st.IsDir() {
		return []manifest.Source{{Type: manifest.SourceDir, Path: files}}
	}
	return b.manifest.Build.Sources
}

func describe(s manifest.Source) string {
	if s.Type == manifest.SourceDebian {
		return fmt.Sprintf("debian %s: %s", s.Suite, strings.Join(s.Packages, " "))
	}
	return fmt.Sprintf("%s %s", s.Type, s.Path)
}

// writeLock records what debian sources resolved to, if that is news. Sources
// that cannot be written to are no reason to have no bundle.
func (b *build) writeLock() error {
	if len(b.sections) == 0 {
		return nil
	}
	now := b.locked.prune(b.sections[0].Arch, b.sections)
	if now.String() == b.locked.String() {
		return nil
	}
	err := disk.WriteFile(filepath.Join(b.dir, LockName), []byte(now.String()), 0o644)
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, unix.EROFS) {
		b.notify(Event{Stage: "check", Text: fmt.Sprintf("cannot write %s, so the next build may differ: %v", LockName, err), Warning: true})
		return nil
	}
	return err
}
