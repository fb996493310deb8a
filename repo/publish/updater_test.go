package publish

import (
	"fmt"
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
func newUpdater(t *testing.T, dir string) *updater.Updater {
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

// accepts has go-tuf's client find every target there is, and download it.
func accepts(t *testing.T, dir string, o Options) {
	t.Helper()
	u := newUpdater(t, dir)
	if err := u.Refresh(); err != nil {
		t.Fatalf("go-tuf refuses the repository: %v", err)
	}
	r := open(t, dir, o)
	defer r.Close()
	all, err := r.releases()
	if err != nil {
		t.Fatal(err)
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
