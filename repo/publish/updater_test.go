package publish

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"
	tufconfig "github.com/theupdateframework/go-tuf/v2/metadata/config"
	"github.com/theupdateframework/go-tuf/v2/metadata/updater"

	"sandbox/repo"
	"sandbox/repo/trust"
)

// layoutFetcher maps the names that a TUF client asks for to ours.
type layoutFetcher struct{ dir string }

var rootName = regexp.MustCompile(`^[0-9]+\.root\.json$`)

func (f layoutFetcher) DownloadFile(url string, limit int64, _ time.Duration) ([]byte, error) {
	name, ok := strings.CutPrefix(url, "http://repo/")
	if !ok {
		return nil, fmt.Errorf("asked for %q", url)
	}
	switch {
	case name == timestampFile, rootName.MatchString(name), strings.HasPrefix(name, "man/"), strings.HasPrefix(name, "cat/"):
	default:
		name = metaDir + "/" + name
	}
	data, err := os.ReadFile(filepath.Join(f.dir, name))
	if os.IsNotExist(err) {
		return nil, &metadata.ErrDownloadHTTP{StatusCode: http.StatusNotFound, URL: url}
	}
	if err == nil && int64(len(data)) > limit {
		return nil, &metadata.ErrDownloadLengthMismatch{Msg: name}
	}
	return data, err
}

// newUpdater is go-tuf's own client, trusting the repository's first root.
func newUpdater(t testing.TB, dir string) *updater.Updater {
	t.Helper()
	root, err := os.ReadFile(filepath.Join(dir, rootFile(1)))
	if err != nil {
		t.Fatal(err)
	}
	c, err := tufconfig.New("http://repo", root)
	if err != nil {
		t.Fatal(err)
	}
	c.Fetcher = layoutFetcher{dir}
	c.DisableLocalCache = true
	c.PrefixTargetsWithHash = false
	u, err := updater.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// accepts has go-tuf's client and our own find every target there is.
func accepts(t testing.TB, dir string, o Options) {
	t.Helper()
	r := open(t, dir, o)
	defer r.Close()
	all, err := r.releases()
	if err != nil {
		t.Fatal(err)
	}
	trustAccepts(t, dir, o, all)
	if r.bins > 1 {
		return // go-tuf 2.4.2 compares hash prefixes with base64
	}
	u := newUpdater(t, dir)
	u.UnsafeSetRefTime(o.now())
	if err := u.Refresh(); err != nil {
		t.Fatalf("go-tuf refuses the repository: %v", err)
	}
	for _, e := range all {
		info, err := u.GetTargetInfo(e.target)
		if err != nil {
			t.Errorf("go-tuf does not find %s: %v", e.target, err)
			continue
		}
		info.Path = repo.TreePath(e.Tree)
		_, data, err := u.DownloadTarget(info, "unused", "http://repo/")
		if err != nil || repo.Sum(data) != e.Tree {
			t.Errorf("go-tuf does not get %s: %v", e.target, err)
		}
	}
	if _, err := u.GetTargetInfo("app/org.example.Nobody/x86_64/stable"); err == nil {
		t.Error("go-tuf finds what is not there")
	}
}

// trustAccepts asks the client's own reading of the metadata.
func trustAccepts(t testing.TB, dir string, o Options, all []*entry) {
	t.Helper()
	ctx := context.Background()
	root, err := os.ReadFile(filepath.Join(dir, rootFile(1)))
	if err != nil {
		t.Fatal(err)
	}
	c := trust.New(dirFetcher{dir}, trust.Options{Root: root, Now: o.now, NotFound: func(err error) bool { return errors.Is(err, fs.ErrNotExist) }})
	if err := c.Refresh(ctx); err != nil {
		t.Fatalf("our client refuses the repository: %v", err)
	}
	arches := map[string]int{}
	for _, e := range all {
		got, err := c.ReleaseAt(ctx, e.Ref, e.N)
		if e.current {
			got, err = c.Release(ctx, e.Ref)
			arches[e.Ref.Arch]++
		}
		if err != nil || got.Tree != e.Tree || got.N != e.N || got.Locator != e.Locator {
			t.Errorf("our client finds %s as n=%d, %v", e.target, got.N, err)
		}
	}
	for arch, n := range arches {
		rows, err := c.Catalogue(ctx, arch)
		if err != nil || len(rows) != n {
			t.Errorf("our client finds %d of %d rows for %s, %v", len(rows), n, arch, err)
		}
	}
	if _, err := c.Release(ctx, ref(t, "app/org.example.Nobody/any/stable")); err == nil {
		t.Error("our client finds what is not there")
	}
}

type dirFetcher struct{ dir string }

func (f dirFetcher) Fetch(_ context.Context, path string, limit int64) ([]byte, error) {
	return readBounded(filepath.Join(f.dir, path), limit)
}

func (f dirFetcher) String() string { return f.dir }

func TestUpdaterAcceptsWhatWePublish(t *testing.T) {
	dir, o := newRepo(t)
	accepts(t, dir, o)
	for v := range 3 {
		publish(t, dir, o, Request{Bundles: []string{
			newBundle(t, app, fmt.Sprint(v), "", nil),
			newBundle(t, "org.example.Other", fmt.Sprint(v), "", nil),
		}})
	}
	accepts(t, dir, o)
}

func TestClientFindsWhatIsInBins(t *testing.T) {
	for _, bins := range []int{16, 256} {
		dir, o := newRepo(t, func(i *InitOptions) { i.Bins = bins })
		var bundles []string
		for i := range 5 {
			bundles = append(bundles, newBundle(t, fmt.Sprintf("org.example.App%d", i), "1", "", nil))
		}
		publish(t, dir, o, Request{Bundles: bundles})
		publish(t, dir, o, Request{Bundles: bundles, Force: true})
		if err := with(t, dir, o, func(r *Repository) error { _, err := r.Retract("org.example.App1", false); return err }); err != nil {
			t.Fatal(err)
		}
		accepts(t, dir, o)
		checkAll(t, dir, o)
		used := 0
		r := open(t, dir, o)
		for _, m := range r.roles {
			if len(m.Signed.Targets) > 0 {
				used++
			}
		}
		r.Close()
		if used < 3 {
			t.Errorf("%d of %d bins are used", used, bins)
		}
	}
}
