package upload

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"sandbox/internal/hint"
	"sandbox/repo/key"
	"sandbox/repo/publish"
)

// A server is cut off at every request, before it is carried out and after, and the
// publisher's process is gone with it. Readers see the old state or the new one,
// and the same command leads to the new one, without putting contents twice.
func TestS3CutOffAtEveryRequest(t *testing.T) {
	first := newS3Server(t)
	o := start(t, first.server())
	p := first.server().open(t, t.TempDir())
	put(t, p, o, newBundle(t, appID, "1", 200_000), newBundle(t, "org.example.Other", "1", 3000))
	if err := p.Change(context.Background(), o, false, func(r *publish.Repository) error { _, err := r.Retract(appID, true); return err }); err != nil {
		t.Fatal(err)
	}
	old := offered(t, first.server().state(t))
	bundle := newBundle(t, appID, "2", 5000)
	for name, op := range map[string]func(p *Place) error{
		"publish": func(p *Place) error { _, err := tryPut(p, o, bundle); return err },
		"gc":      func(p *Place) error { _, err := collect(p, o); return err },
		"rotate": func(p *Place) error {
			return p.Change(context.Background(), o, false, func(r *publish.Repository) error {
				_, err := r.Rotate(publish.Rotation{})
				return err
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			whole := first.clone(t)
			if err := op(whole.server().open(t, t.TempDir())); err != nil {
				t.Fatal(err)
			}
			total := len(whole.log)
			after := offered(t, whole.server().state(t))
			for stop := 1; stop <= total; stop++ {
				if testing.Short() && stop%4 != 0 {
					continue
				}
				for _, late := range []bool{false, true} {
					if late && strings.HasPrefix(whole.log[stop-1], "GET ") {
						continue // a lost answer is as good as none
					}
					s := first.clone(t)
					end := func(n int, w http.ResponseWriter, _ *http.Request) bool { return n < stop || cut(w) }
					if late {
						s.before = func(n int, w http.ResponseWriter, _ *http.Request) bool { return n <= stop || cut(w) }
						s.after = end
					} else {
						s.before = end
					}
					cache := t.TempDir()
					err := op(s.server().open(t, cache))
					got := offered(t, s.server().state(t))
					if err == nil && !slices.Equal(got, after) {
						t.Errorf("cut off at %d of %d: it is said to be done, and is not: %q", stop, total, got)
					}
					if !slices.Equal(got, old) && !slices.Equal(got, after) {
						t.Errorf("cut off at %d: neither old nor new: %q", stop, got)
					}
					if err == nil {
						continue // but for the lock, which the next one lifts
					}
					s.mu.Lock()
					s.before, s.after = nil, nil
					s.mu.Unlock()
					if err := op(s.server().open(t, cache)); err != nil {
						t.Errorf("cut off at %d (%s), then again: %v", stop, s.log[stop-1], err)
					}
					if got := offered(t, s.server().state(t)); !slices.Equal(got, after) {
						t.Errorf("cut off at %d, then again: %q, want %q", stop, got, after)
					}
					for key, n := range s.puts {
						if isHashed(strings.TrimPrefix(key, "a prefix+1/repo/")) && n > 1 && !late {
							t.Errorf("cut off at %d: %s was put %d times", stop, key, n)
						}
					}
					if _, left := s.server().state(t)[lockFile]; left {
						t.Errorf("cut off at %d, then again: the lock stays", stop)
					}
				}
			}
			t.Logf("%d requests", total)
		})
	}
}

// What passes is tried again, and nothing is lost by it.
func TestS3Misbehaves(t *testing.T) {
	once := func(what func(w http.ResponseWriter, r *http.Request)) func(*s3Server) {
		return func(s *s3Server) {
			seen := map[string]bool{}
			s.before = func(_ int, w http.ResponseWriter, r *http.Request) bool {
				s.mu.Lock()
				defer s.mu.Unlock()
				key := r.Method + r.RequestURI
				if seen[key] {
					return true
				}
				seen[key] = true
				what(w, r)
				return false
			}
		}
	}
	answer := func(status int, code string) func(*s3Server) {
		return once(func(w http.ResponseWriter, _ *http.Request) { (&s3Server{}).fault(w, status, code, "") })
	}
	for name, bend := range map[string]func(*s3Server){
		"500 once each":      answer(500, "InternalError"),
		"503 slow down":      answer(503, "SlowDown"),
		"429":                answer(429, ""),
		"409 conflict":       answer(409, "ConditionalRequestConflict"),
		"cut off once each":  once(func(w http.ResponseWriter, _ *http.Request) { cut(w) }),
		"no XML":             once(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(502); w.Write([]byte("<html>")) }),
		"pages of one":       func(s *s3Server) { s.page = 1 },
		"plain listings":     func(s *s3Server) { s.plain = true },
		"a session":          func(s *s3Server) { s.token = "token/+=" },
		"knows no condition": func(s *s3Server) { s.refuses = true },
		"heeds no condition": func(s *s3Server) { s.ignores = true },
		"answers are lost once": func(s *s3Server) {
			seen := map[string]bool{}
			s.after = func(_ int, w http.ResponseWriter, r *http.Request) bool {
				s.mu.Lock()
				defer s.mu.Unlock()
				key := r.Method + r.RequestURI
				if seen[key] {
					return true
				}
				seen[key] = true
				return cut(w)
			}
		},
		"a body that ends early": func(s *s3Server) {
			seen := map[string]bool{}
			s.after = func(_ int, w http.ResponseWriter, r *http.Request) bool {
				s.mu.Lock()
				defer s.mu.Unlock()
				if r.Method != "GET" || seen[r.RequestURI] {
					return true
				}
				seen[r.RequestURI] = true
				w.Header().Set("Content-Length", "100000")
				w.Write([]byte("<"))
				return false
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newS3Server(t)
			bend(s)
			o := start(t, s.server())
			var warned string
			o.Progress = func(e publish.Event) {
				if e.Warning {
					warned += e.Text
				}
			}
			cache := t.TempDir()
			put(t, s.server().open(t, cache), o, newBundle(t, appID, "1", 3000))
			put(t, s.server().open(t, cache), o, newBundle(t, appID, "2", 3000))
			if _, err := collect(s.server().open(t, cache), o); err != nil {
				t.Fatal(err)
			}
			if got := offered(t, s.server().state(t)); len(got) != 2 {
				t.Errorf("offered: %q", got)
			}
			if heeds := !s.ignores && !s.refuses; heeds == strings.Contains(warned, "condition") {
				t.Errorf("warned %q", warned)
			}
		})
	}
}

// Errors that stay are told at once, with the way out, and no secret.
func TestS3Refuses(t *testing.T) {
	s := newS3Server(t)
	o := start(t, s.server())
	for _, c := range []struct {
		name, address string
		env           map[string]string
		status        int
		code          string
		want, way     string
	}{
		{"another bucket", "s3://other/repo", nil, 0, "", "NoSuchBucket", `bucket "other"`},
		{"another region", "", map[string]string{"AWS_REGION": "us-east-1"}, 0, "", "AuthorizationHeaderMalformed", "AWS_REGION=eu-test-1"},
		{"an unknown id", "", map[string]string{"AWS_ACCESS_KEY_ID": "X"}, 0, "", "InvalidAccessKeyId", "AWS_ACCESS_KEY_ID"},
		{"a wrong secret", "", map[string]string{"AWS_SECRET_ACCESS_KEY": "hunter2"}, 0, "", "SignatureDoesNotMatch", "AWS_SECRET_ACCESS_KEY"},
		{"a session that is over", "", map[string]string{"AWS_SESSION_TOKEN": "hunter2"}, 0, "", "ExpiredToken", "new credentials"},
		{"no right", "", nil, 403, "AccessDenied", "403 Forbidden (AccessDenied)", "s3:PutObject"},
		{"elsewhere", "", nil, 301, "PermanentRedirect", "301", "AWS_REGION"},
		{"full", "", nil, 507, "XMinioStorageFull", "507", "repo gc"},
		{"a wrong clock", "", nil, 403, "RequestTimeTooSkewed", "RequestTimeTooSkewed", "clock"},
		{"nobody there", "", map[string]string{"AWS_ENDPOINT_URL_S3": "http://127.0.0.1:1"}, 0, "", "refused", "tried"},
		{"never a moment", "", nil, 503, "SlowDown", "503", "tried"},
	} {
		t.Run(c.name, func(t *testing.T) {
			env := s.environ()
			for name, value := range c.env {
				env[name] = value
			}
			address := s.server().address
			if c.address != "" {
				address = c.address
			}
			p := s3PlaceWith(t, env, address, t.TempDir())
			s.mu.Lock()
			if s.before = nil; c.status != 0 {
				s.before = func(_ int, w http.ResponseWriter, _ *http.Request) bool {
					s.fault(w, c.status, c.code, "")
					return false
				}
			}
			s.mu.Unlock()
			_, err := tryPut(p, o, newBundle(t, appID, "1", 10))
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(hint.Of(err), c.way) {
				t.Errorf("%v (hint %q)", err, hint.Of(err))
			}
			if err != nil && strings.Contains(err.Error()+hint.Of(err), "hunter2") {
				t.Error("a secret is shown")
			}
		})
	}
	s.before = nil
	put(t, s.server().open(t, t.TempDir()), o, newBundle(t, appID, "1", 10))
}

// Who is second with a timestamp does the work again, on what the first one made.
func TestS3LoserPublishesAgain(t *testing.T) {
	s := newS3Server(t)
	o := start(t, s.server())
	mine, theirs := s.server().open(t, t.TempDir()), s.server().open(t, t.TempDir())
	bundle := newBundle(t, "org.example.Theirs", "1", 1000)
	again := 0
	mineO := o
	mineO.Progress = func(e publish.Event) {
		if e.Stage == "again" {
			again++
		}
	}
	for n, at := range []string{"timestamp.json", ".bin-00.json", ".snapshot.json"} {
		raced := false
		s.before = func(_ int, w http.ResponseWriter, r *http.Request) bool {
			if r.Method == "PUT" && strings.HasSuffix(r.URL.Path, at) && !raced {
				raced = true
				put(t, theirs, o, bundle)
			}
			return true
		}
		put(t, mine, mineO, newBundle(t, appID, fmt.Sprint(n), 1000))
		if !raced {
			t.Fatalf("nobody came between at %s", at)
		}
		bundle = newBundle(t, "org.example.Theirs", fmt.Sprint(n+2), 1000)
	}
	if again != 3 {
		t.Errorf("began again %d times", again)
	}
	if got := offered(t, s.server().state(t)); len(got) != 6 {
		t.Errorf("offered: %q", got)
	}
	// Somebody is always faster.
	s.before = func(_ int, w http.ResponseWriter, r *http.Request) bool {
		if strings.HasSuffix(r.URL.Path, "timestamp.json") && r.Method == "PUT" {
			s.fault(w, 412, "PreconditionFailed", "")
			return false
		}
		return true
	}
	_, err := tryPut(mine, o, newBundle(t, appID, "9", 10))
	if !errors.Is(err, errCondition) || hint.Of(err) == "" {
		t.Errorf("always second: %v", err)
	}
}

// gc removes nothing that somebody begins to count on while it is at work.
func TestS3CollectingWhilePublishing(t *testing.T) {
	prepare := func(t *testing.T) (*s3Server, publish.Options, string) {
		s := newS3Server(t)
		o := start(t, s.server())
		p := s.server().open(t, t.TempDir())
		bundle := newBundle(t, appID, "1", 1000)
		put(t, p, o, bundle)
		if err := p.Change(context.Background(), o, false, func(r *publish.Repository) error { _, err := r.Retract(appID, true); return err }); err != nil {
			t.Fatal(err)
		}
		return s, o, bundle // of which everything is there, and nothing is needed
	}
	t.Run("after the publisher has looked", func(t *testing.T) {
		s, o, bundle := prepare(t)
		raced := false
		publisher, collector := s.server().open(t, t.TempDir()), s.server().open(t, t.TempDir())
		s.before = func(_ int, _ http.ResponseWriter, r *http.Request) bool {
			if r.Method == "PUT" && strings.Contains(r.URL.Path, "/meta/") && !raced {
				raced = true
				if out, err := collect(collector, o); err != nil || len(out.Removed) == 0 {
					t.Errorf("collected %+v, %v", out, err)
				}
			}
			return true
		}
		put(t, publisher, o, bundle)
		if got := offered(t, s.server().state(t)); len(got) != 1 || !raced {
			t.Errorf("offered: %q", got)
		}
	})
	t.Run("while it removes", func(t *testing.T) {
		s, o, bundle := prepare(t)
		publisher, collector := s.server().open(t, t.TempDir()), s.server().open(t, t.TempDir())
		waits, done := make(chan bool, 1), make(chan error, 1)
		raced := false
		s.before = func(_ int, _ http.ResponseWriter, r *http.Request) bool {
			s.mu.Lock()
			first := r.Method == "DELETE" && !raced
			raced = raced || first
			s.mu.Unlock()
			if first {
				p := o
				p.Wait = func(string) { waits <- true }
				go func() {
					_, err := tryPut(publisher, p, bundle)
					done <- err
				}()
				select {
				case <-waits:
				case err := <-done:
					t.Errorf("the publisher does not wait: %v", err)
					done <- err
				}
			}
			return true
		}
		if _, err := collect(collector, o); err != nil {
			t.Fatal(err)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
		if got := offered(t, s.server().state(t)); len(got) != 1 {
			t.Errorf("offered: %q", got)
		}
	})
}

// What caches and browsers are told.
func TestS3Headers(t *testing.T) {
	s := newS3Server(t)
	o := start(t, s.server())
	put(t, s.server().open(t, t.TempDir()), o, newBundle(t, appID, "1", 10))
	for key, obj := range s.objects {
		name := strings.TrimPrefix(key, "a prefix+1/repo/")
		wantCache, wantKind := "no-cache", "application/json"
		if publish.Constant(name) {
			wantCache = "public, max-age=31536000, immutable"
		}
		if isHashed(name) {
			wantKind = "application/octet-stream"
		}
		if obj.cache != wantCache || obj.kind != wantKind {
			t.Errorf("%s: %q, %q", name, obj.cache, obj.kind)
		}
	}
}

// A new repository, or a directory on its way to a bucket, is cut off at every file:
// there is nothing for readers, and the same command leads to the end.
func TestS3BeginningIsCutOff(t *testing.T) {
	dir := t.TempDir() + "/repo"
	i := initOptions(newKey(t))
	if _, err := publish.Init(dir, i); err != nil {
		t.Fatal(err)
	}
	r, err := publish.Open(context.Background(), dir, i.Options)
	if err == nil {
		_, err = r.Publish(context.Background(), publish.Request{Bundles: []string{newBundle(t, appID, "1", 5000)}})
		r.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		op   func(p *Place) error
		want []string
	}{
		"init":   {func(p *Place) error { _, err := p.Init(context.Background(), i); return err }, []string{}},
		"upload": {func(p *Place) error { return p.Adopt(context.Background(), dir, publish.Options{}) }, offered(t, readTree(t, dir))},
	} {
		t.Run(name, func(t *testing.T) {
			for stop := 1; ; stop++ {
				s := newS3Server(t)
				n := 0
				s.before = func(_ int, w http.ResponseWriter, r *http.Request) bool {
					s.mu.Lock()
					defer s.mu.Unlock()
					if r.Method == "PUT" {
						n++
					}
					return n < stop || cut(w)
				}
				cache := t.TempDir()
				if err := c.op(s.server().open(t, cache)); err == nil {
					if stop < 10 {
						t.Errorf("it was cut off %d times only", stop)
					}
					break
				}
				if _, there := s.server().state(t)[publish.LayoutFile]; there {
					t.Errorf("cut off at %d: it looks like a repository", stop)
				}
				s.mu.Lock()
				s.before = nil
				s.mu.Unlock()
				if err := c.op(s.server().open(t, cache)); err != nil {
					t.Errorf("cut off at %d, then again: %v", stop, err)
				}
				if got := offered(t, s.server().state(t)); !slices.Equal(got, c.want) {
					t.Errorf("cut off at %d, then again: %q", stop, got)
				}
				for key, n := range s.puts {
					if strings.Contains(key, "/pack/") && n != 1 {
						t.Errorf("cut off at %d: %s was put %d times", stop, key, n)
					}
				}
			}
		})
	}
}

// Where the old keys are gone, the new root has to be there before the timestamp.
// Cut off between the two, the next change makes it whole.
func TestS3RotatesWithoutTheOldKey(t *testing.T) {
	s := newS3Server(t)
	main, gone, fresh := newKey(t), newKey(t), newKey(t)
	i := initOptions(main)
	i.Keys = append(i.Keys, gone)
	i.Roles = map[string][]key.Public{"timestamp": {gone.Public()}}
	p := s.server().open(t, t.TempDir())
	if _, err := p.Init(context.Background(), i); err != nil {
		t.Fatal(err)
	}
	put(t, p, i.Options, newBundle(t, appID, "1", 10))
	o := publish.Options{Keys: []key.Signer{main, fresh}}
	s.before = func(_ int, w http.ResponseWriter, r *http.Request) bool {
		return r.Method != "PUT" || !strings.HasSuffix(r.URL.Path, "/timestamp.json") || cut(w)
	}
	err := p.Change(context.Background(), o, false, func(r *publish.Repository) error {
		_, err := r.Rotate(publish.Rotation{
			Add:    map[string][]key.Public{"timestamp": {fresh.Public()}},
			Remove: map[string][]string{"timestamp": {gone.Public().Fingerprint()}},
		})
		return err
	})
	if err == nil {
		t.Fatal("it was not cut off")
	}
	if s.server().state(t)["2.root.json"] == nil {
		t.Error("the root did not go first")
	}
	s.before = nil
	err = s.server().open(t, t.TempDir()).Change(context.Background(), o, false, func(r *publish.Repository) error { _, err := r.Refresh(); return err })
	if err != nil {
		t.Fatal(err)
	}
	if got := offered(t, s.server().state(t)); len(got) != 1 {
		t.Errorf("offered: %q", got)
	}
	if _, err := tryPut(p, i.Options, newBundle(t, appID, "2", 10)); err == nil {
		t.Error("the old key still signs")
	}
}

// A tree that is gone or damaged is told of, and put again with its release.
func TestS3IsDamaged(t *testing.T) {
	for name, harm := range map[string]func(s *s3Server, key string){
		"gone":    func(s *s3Server, key string) { delete(s.objects, key) },
		"cut":     func(s *s3Server, key string) { s.objects[key] = object{data: []byte("x")} },
		"changed": func(s *s3Server, key string) { s.objects[key] = object{data: make([]byte, len(s.objects[key].data))} },
	} {
		t.Run(name, func(t *testing.T) {
			s := newS3Server(t)
			o := start(t, s.server())
			bundle := newBundle(t, appID, "1", 1000)
			put(t, s.server().open(t, t.TempDir()), o, bundle)
			for key := range s.state("") {
				if strings.Contains(key, "/man/") {
					harm(s, key)
				}
			}
			var warned string
			o.Progress = func(e publish.Event) {
				if e.Warning {
					warned += e.Text
				}
			}
			p := s.server().open(t, t.TempDir())
			put(t, p, o, newBundle(t, "org.example.Other", "1", 10))
			if !strings.Contains(warned, "man/") || !strings.Contains(warned, "--force") {
				t.Errorf("warned %q", warned)
			}
			err := p.Change(context.Background(), o, false, func(r *publish.Repository) error {
				_, err := r.Publish(context.Background(), publish.Request{Bundles: []string{bundle}, Force: true})
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			if got := offered(t, s.server().state(t)); len(got) != 3 {
				t.Errorf("offered: %q", got)
			}
		})
	}
}

// A server that stops in the middle of an answer is asked again.
func TestS3Stalls(t *testing.T) {
	s := newS3Server(t)
	o := start(t, s.server())
	stalled := false
	s.after = func(_ int, w http.ResponseWriter, r *http.Request) bool {
		s.mu.Lock()
		first := !stalled && strings.HasSuffix(r.URL.Path, "timestamp.json")
		stalled = stalled || first
		s.mu.Unlock()
		if !first {
			return true
		}
		w.Header().Set("Content-Length", "100000")
		w.Write([]byte("{"))
		w.(http.Flusher).Flush()
		<-r.Context().Done()
		return false
	}
	p := s.server().open(t, t.TempDir())
	p.store.(*bucket).idle = 200 * time.Millisecond
	put(t, p, o, newBundle(t, appID, "1", 1000))
	if !stalled {
		t.Error("nothing stalled")
	}
}
