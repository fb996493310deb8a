package bundle

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"

	"sandbox/internal/amount"
	"sandbox/internal/hint"
	"sandbox/manifest"
)

// debianSource fetches and unpacks one source of type debian.
func (b *build) debianSource(ctx context.Context, src manifest.Source) error {
	if err := checkDebian(src); err != nil {
		return err
	}
	want := lockSection{Arch: debianArch(runtime.GOARCH), Suite: src.Suite, Base: "-", Packages: src.Packages}
	base, err := b.runtimeStatus()
	if err != nil {
		return err
	}
	if b.sink != nil { // an earlier debian source
		base = append(base, b.sink.statusText()...)
	}
	if base != nil {
		sum := sha256.Sum256(base)
		want.Base = hex.EncodeToString(sum[:])
	}
	locked, known := b.locked.find(want)
	if !known || b.opts.Update {
		if locked, err = b.resolve(ctx, want, base); err != nil {
			return err
		}
	} else if err := b.fetch(ctx, want.Suite, locked); err != nil {
		return err
	}
	want.Locked = locked
	b.sections = append(b.sections, want)
	return b.unpack(ctx, locked)
}

// checkDebian keeps anything that apt could take for an option or for one of
// its suffixes (name-, name/suite, name=version) from its command line.
func checkDebian(src manifest.Source) error {
	if !suiteName().MatchString(src.Suite) {
		return fmt.Errorf("unusable suite %q", src.Suite)
	}
	if len(src.Packages) == 0 {
		return errors.New("no packages are named")
	}
	for _, p := range src.Packages {
		if !packageName().MatchString(p) {
			return fmt.Errorf("unusable package name %q", p)
		}
	}
	return nil
}

// runtimeStatus is the record of what the runtime below holds; nil for a
// runtime, which has nothing below.
func (b *build) runtimeStatus() ([]byte, error) {
	if b.manifest.Kind == manifest.Runtime {
		return nil, nil
	}
	ref := b.manifest.Runtime
	if ref.ID == "" {
		return nil, hint.With(errors.New("a debian source needs a runtime to lie over"), `add runtime = "org.debian.Platform/12" to the manifest`)
	}
	if b.opts.Runtime == "" {
		return nil, hint.With(fmt.Errorf("the runtime %s is not at hand", ref), "'sandbox install %s', or name a bundle of it with --runtime DIR; 'sandbox help packaging' shows how to make one", ref)
	}
	below, err := readManifest(b.opts.Runtime)
	if err != nil {
		return nil, err
	}
	if below.m.Kind != manifest.Runtime || below.m.ID != ref.ID || below.m.Channel != ref.Channel {
		return nil, fmt.Errorf("%q holds the %s %s/%s, the manifest asks for runtime %s", b.opts.Runtime, below.m.Kind, below.m.ID, below.m.Channel, ref)
	}
	root, err := os.OpenRoot(b.opts.Runtime)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	status, err := root.ReadFile(filepath.Join("files", statusPath))
	if err != nil {
		return nil, hint.With(fmt.Errorf("the runtime does not say which packages it holds: %w", err), "a debian source needs a runtime that was built from debian sources")
	}
	return status, nil
}

func (b *build) resolve(ctx context.Context, want lockSection, base []byte) ([]lockedPackage, error) {
	a, err := openApt(ctx, b.cache, want.Suite, b.opts.Mirror, b.notify)
	if err != nil {
		return nil, err
	}
	defer a.close()
	if err := a.update(ctx, b.opts.Update); err != nil {
		return nil, err
	}
	b.notify(Event{Stage: "resolve", Text: strings.Join(want.Packages, " ")})
	locked, err := a.resolve(ctx, want.Packages, base)
	if err != nil {
		return nil, err
	}
	return locked, b.download(ctx, a, locked)
}

// fetch makes sure that every locked package is in the cache. Without need for
// the network, apt is not even looked for.
func (b *build) fetch(ctx context.Context, suite string, locked []lockedPackage) error {
	if len(b.missing(locked)) == 0 {
		return nil
	}
	a, err := openApt(ctx, b.cache, suite, b.opts.Mirror, b.notify)
	if err != nil {
		return err
	}
	defer a.close()
	if err := a.update(ctx, false); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(a.dir, "state/status"), nil, 0o644); err != nil {
		return err
	}
	return b.download(ctx, a, locked)
}

func (b *build) debPath(p lockedPackage) string {
	return filepath.Join(b.cache, "debs", p.SHA256+".deb")
}

func (b *build) missing(locked []lockedPackage) []lockedPackage {
	var out []lockedPackage
	for _, p := range locked {
		if st, err := os.Lstat(b.debPath(p)); err != nil || !st.Mode().IsRegular() || st.Size() != p.Size {
			out = append(out, p)
		}
	}
	return out
}

// download fetches what the cache lacks. apt checks each file against its
// signed index; it is checked again against the lock, whose digest names it.
func (b *build) download(ctx context.Context, a *aptRoot, locked []lockedPackage) error {
	missing := b.missing(locked)
	if len(missing) == 0 {
		return nil
	}
	var total int64
	args := []string{"-q", "download", "--"}
	for _, p := range missing {
		total += p.Size
		args = append(args, p.Name+"="+p.Version)
	}
	if err := checkSpace(b.cache, total); err != nil {
		return err
	}
	dir, err := os.MkdirTemp(filepath.Join(a.dir, "fetch"), "get-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := a.letDownload(dir); err != nil {
		return err
	}
	b.notify(Event{Stage: "download", Text: amount.Of(len(missing), "package"), Total: total})
	if _, err := a.command(ctx, dir, a.progress("download", total), "apt-get", args...); err != nil {
		return err
	}
	return b.keep(dir, missing)
}

// keep moves fetched packages to the place that their digest names.
func (b *build) keep(dir string, want []lockedPackage) error {
	names, err := filepath.Glob(filepath.Join(dir, "*.deb"))
	if err != nil {
		return err
	}
	got := map[string]string{}
	for _, name := range names {
		sum, err := fileDigest(name)
		if err != nil {
			return err
		}
		got[sum] = name
	}
	for _, p := range want {
		name, ok := got[p.SHA256]
		if !ok {
			return hint.With(fmt.Errorf("the archive has other bytes for %s %s than %s says", p.Name, p.Version, LockName), "sandbox build --update-lock takes what it has now")
		}
		if err := os.Rename(name, b.debPath(p)); err != nil {
			return err
		}
	}
	return nil
}

func fileDigest(name string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// unpack puts packages into the tree in the order of their names.
func (b *build) unpack(ctx context.Context, locked []lockedPackage) error {
	for i, p := range locked {
		if err := ctx.Err(); err != nil {
			return err
		}
		b.notify(Event{Stage: "unpack", Text: p.Name + " " + p.Version, Done: int64(i), Total: int64(len(locked))})
		if err := b.unpackOne(p); err != nil {
			return fmt.Errorf("package %s: %w", p.Name, err)
		}
	}
	return nil
}

// unpackOne reads the package once into memory and checks those bytes, so that
// nobody can exchange the file between check and use.
func (b *build) unpackOne(p lockedPackage) error {
	f, err := os.OpenFile(b.debPath(p), os.O_RDONLY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, p.Size+1))
	if err != nil {
		return err
	}
	if sum := sha256.Sum256(data); hex.EncodeToString(sum[:]) != p.SHA256 {
		os.Remove(f.Name())
		return hint.With(errors.New("its copy in the cache is damaged"), "build again: it is fetched anew")
	}
	return b.debs().add(bytes.NewReader(data), p)
}

// debs is the sink shared by all debian sources of the build.
func (b *build) debs() *debSink {
	if b.sink == nil {
		base := "usr"
		if b.manifest.Kind == manifest.Runtime {
			base = "files"
		}
		b.sink = newDebSink(b.tree, base, b.manifest.Kind == manifest.Runtime, b.notify)
	}
	return b.sink
}

// checkSpace refuses early what could not fit.
func checkSpace(dir string, need int64) error {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return nil // not worth failing for
	}
	if free := int64(st.Bavail) * int64(st.Bsize); free < need {
		return hint.With(fmt.Errorf("not enough space in %q: %s are free, %s are needed", dir, amount.Bytes(free), amount.Bytes(need)), "free some space, or set XDG_CACHE_HOME to a larger file system")
	}
	return nil
}
