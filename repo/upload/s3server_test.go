package upload

import (
	"bytes"
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// s3Server is a store with one bucket in memory. It checks signatures from the
// specification and not with our code, heeds conditions, and misbehaves where a
// test wants it. What is in the bucket may be read without a signature, as behind
// a bucket's public address.
type s3Server struct {
	*httptest.Server
	t              testing.TB
	bucket, region string
	id, secret     string
	token          string // of a session, or ""
	ignores        bool   // conditions
	refuses        bool   // conditions, as something it does not know
	page           int    // of a listing
	plain          bool   // names in listings are not encoded

	mu      sync.Mutex
	objects map[string]object
	log     []string // METHOD KEY of what was signed
	puts    map[string]int

	// before is called with each signed request. Unless it returns true, it has
	// answered. after is called when the request was carried out, before the answer.
	before func(n int, w http.ResponseWriter, r *http.Request) bool
	after  func(n int, w http.ResponseWriter, r *http.Request) bool
}

type object struct {
	data        []byte
	cache, kind string
}

func (o object) tag() string {
	sum := md5.Sum(o.data)
	return `"` + hex.EncodeToString(sum[:]) + `"`
}

func newS3Server(t testing.TB) *s3Server {
	s := &s3Server{t: t, bucket: "apps", region: "eu-test-1", id: "AKID", secret: "s3cr3t/+key", page: 1000, objects: map[string]object{}, puts: map[string]int{}}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Server.Close)
	return s
}

// environ is what a user exports to reach it.
func (s *s3Server) environ() map[string]string {
	return map[string]string{"AWS_ACCESS_KEY_ID": s.id, "AWS_SECRET_ACCESS_KEY": s.secret, "AWS_SESSION_TOKEN": s.token, "AWS_REGION": s.region, "AWS_ENDPOINT_URL_S3": s.URL}
}

// state is a copy of what is below a prefix.
func (s *s3Server) state(prefix string) map[string][]byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	files := map[string][]byte{}
	for key, o := range s.objects {
		if name, ok := strings.CutPrefix(key, prefix); ok {
			files[name] = o.data
		}
	}
	return files
}

// clone is another server with the same content.
func (s *s3Server) clone(t testing.TB) *s3Server {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := newS3Server(t)
	c.objects, c.token = maps.Clone(s.objects), s.token
	return c
}

func (s *s3Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	key, ok := strings.CutPrefix(r.URL.Path, "/"+s.bucket+"/")
	if r.Header.Get("Authorization") == "" && r.Method == http.MethodGet && key != "" {
		s.mu.Lock()
		o, there := s.objects[key]
		s.mu.Unlock()
		if !there {
			s.fault(w, 404, "NoSuchKey", "")
			return
		}
		w.Header().Set("Cache-Control", o.cache)
		w.Header().Set("Content-Type", o.kind)
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(o.data))
		return
	}
	s.mu.Lock()
	s.log = append(s.log, r.Method+" "+key)
	n := len(s.log)
	before, after := s.before, s.after
	s.mu.Unlock()
	if before != nil && !before(n, w, r) {
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	if code := s.verify(r, body); code != "" {
		s.fault(w, map[string]int{"AuthorizationHeaderMalformed": 400, "XAmzContentSHA256Mismatch": 400, "BadDigest": 400}[code], code, "<Region>"+s.region+"</Region>")
		return
	}
	if !ok {
		s.fault(w, 404, "NoSuchBucket", "")
		return
	}
	answer := s.act(key, r, body)
	if after != nil && !after(n, w, r) {
		return
	}
	answer(w)
}

func (s *s3Server) act(key string, r *http.Request, body []byte) func(http.ResponseWriter) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o, there := s.objects[key]
	fault := func(status int, code string) func(http.ResponseWriter) {
		return func(w http.ResponseWriter) { s.fault(w, status, code, "") }
	}
	switch {
	case r.Method == http.MethodGet && key == "":
		return s.list(r.URL.Query())
	case r.Method == http.MethodGet && !there:
		return fault(404, "NoSuchKey")
	case r.Method == http.MethodGet:
		return func(w http.ResponseWriter) {
			w.Header().Set("ETag", o.tag())
			w.Write(o.data)
		}
	case r.Method == http.MethodDelete:
		delete(s.objects, key)
		return func(w http.ResponseWriter) { w.WriteHeader(204) }
	case r.Method == http.MethodPut:
		none, match := r.Header.Get("If-None-Match"), r.Header.Get("If-Match")
		if s.refuses && none+match != "" {
			return fault(501, "NotImplemented")
		}
		if !s.ignores && (none == "*" && there || match != "" && (!there || match != o.tag())) {
			return fault(412, "PreconditionFailed")
		}
		s.puts[key]++
		o = object{body, r.Header.Get("Cache-Control"), r.Header.Get("Content-Type")}
		s.objects[key] = o
		return func(w http.ResponseWriter) { w.Header().Set("ETag", o.tag()) }
	}
	return fault(405, "MethodNotAllowed")
}

func (s *s3Server) list(q url.Values) func(http.ResponseWriter) {
	type row struct {
		Key  string
		Size int
	}
	var page struct {
		XMLName               xml.Name `xml:"ListBucketResult"`
		IsTruncated           bool
		NextContinuationToken string `xml:",omitempty"`
		EncodingType          string `xml:",omitempty"`
		Contents              []row
	}
	for _, key := range slices.Sorted(maps.Keys(s.objects)) {
		if !strings.HasPrefix(key, q.Get("prefix")) || key <= q.Get("continuation-token") {
			continue
		}
		if len(page.Contents) == s.page {
			page.IsTruncated = true
			break
		}
		shown := key
		if page.EncodingType = ""; !s.plain {
			page.EncodingType, shown = "url", url.QueryEscape(key)
		}
		page.Contents = append(page.Contents, row{shown, len(s.objects[key].data)})
		page.NextContinuationToken = key
	}
	return func(w http.ResponseWriter) { xml.NewEncoder(w).Encode(page) }
}

func (s *s3Server) fault(w http.ResponseWriter, status int, code, more string) {
	if status == 0 {
		status = 403
	}
	w.WriteHeader(status)
	fmt.Fprintf(w, "<?xml version=\"1.0\"?><Error><Code>%s</Code><Message>no</Message>%s</Error>", code, more)
}

// verify follows "Authenticating Requests (AWS Signature Version 4)". It returns
// the code of what is wrong.
func (s *s3Server) verify(r *http.Request, body []byte) string {
	auth, ok := strings.CutPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 ")
	parts := map[string]string{}
	for _, p := range strings.Split(auth, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(p), "=")
		parts[name] = value
	}
	scope := strings.Split(parts["Credential"], "/")
	if !ok || len(scope) != 5 || scope[3] != "s3" || scope[4] != "aws4_request" || scope[2] != s.region {
		return "AuthorizationHeaderMalformed"
	}
	if scope[0] != s.id {
		return "InvalidAccessKeyId"
	}
	if r.Header.Get("X-Amz-Security-Token") != s.token {
		return "ExpiredToken"
	}
	date := r.Header.Get("X-Amz-Date")
	when, err := time.Parse("20060102T150405Z", date)
	if err != nil || time.Since(when).Abs() > 15*time.Minute || date[:8] != scope[1] {
		return "RequestTimeTooSkewed"
	}
	signed := strings.Split(parts["SignedHeaders"], ";")
	for name := range r.Header { // all of ours must be covered
		if lower := strings.ToLower(name); (strings.HasPrefix(lower, "x-amz-") || strings.HasPrefix(lower, "if-")) && !slices.Contains(signed, lower) {
			return "SignatureDoesNotMatch"
		}
	}
	if !slices.Contains(signed, "host") || !slices.IsSorted(signed) {
		return "SignatureDoesNotMatch"
	}
	var canonical bytes.Buffer
	path, rawQuery, _ := strings.Cut(r.RequestURI, "?")
	fields := strings.Split(rawQuery, "&")
	slices.Sort(fields)
	fmt.Fprintf(&canonical, "%s\n%s\n%s\n", r.Method, path, strings.Join(fields, "&"))
	for _, name := range signed {
		value := r.Header.Get(name)
		if name == "host" {
			value = r.Host
		}
		fmt.Fprintf(&canonical, "%s:%s\n", name, value)
	}
	fmt.Fprintf(&canonical, "\n%s\n%s", parts["SignedHeaders"], r.Header.Get("X-Amz-Content-Sha256"))
	hash := sha256.Sum256(canonical.Bytes())
	text := fmt.Sprintf("AWS4-HMAC-SHA256\n%s\n%s\n%x", date, strings.Join(scope[1:], "/"), hash)
	sum := []byte("AWS4" + s.secret)
	for _, word := range append(scope[1:], text) {
		h := hmac.New(sha256.New, sum)
		io.WriteString(h, word)
		sum = h.Sum(nil)
	}
	if hex.EncodeToString(sum) != parts["Signature"] {
		return "SignatureDoesNotMatch"
	}
	content := sha256.Sum256(body)
	if r.Header.Get("X-Amz-Content-Sha256") != hex.EncodeToString(content[:]) {
		return "XAmzContentSHA256Mismatch"
	}
	if r.Method == http.MethodPut && r.Header.Get("X-Amz-Checksum-Sha256") != base64.StdEncoding.EncodeToString(content[:]) {
		return "BadDigest"
	}
	return ""
}

// cut breaks the connection off.
func cut(w http.ResponseWriter) bool {
	c, _, err := w.(http.Hijacker).Hijack()
	if err == nil {
		c.Close()
	}
	return false
}
