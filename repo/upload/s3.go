package upload

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"sandbox/internal/hint"
	"sandbox/internal/lazy"
	"sandbox/repo/publish"
)

// bucket is a store in a bucket of an S3-compatible service.
type bucket struct {
	bucketConfig
	name, prefix string // the prefix ends in "/" or is ""
	base         url.URL
	client       *http.Client
	now          func() time.Time
	idle         time.Duration // a connection that moves nothing for so long is given up

	probing       sync.Mutex
	probed, heeds bool // guarded by probing
}

const (
	maxFiles    = 2 << 20
	maxListing  = 16 << 20 // one page of it
	maxVain     = 100      // pages in a row without any further file
	maxPut      = 5 << 30  // S3 takes no more at once
	patientBody = 1 << 20  // from here on, ask before sending
)

func newBucket(a Address, c bucketConfig) *bucket {
	b := &bucket{bucketConfig: c, name: a.Host, now: time.Now, idle: time.Minute}
	if a.Path != "" {
		b.prefix = a.Path + "/"
	}
	b.base = baseOf(a.Host, c)
	b.client = &http.Client{
		Transport: &http.Transport{
			Proxy:                  http.ProxyFromEnvironment,
			DialContext:            (&net.Dialer{Timeout: 20 * time.Second}).DialContext,
			TLSHandshakeTimeout:    20 * time.Second,
			TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
			ExpectContinueTimeout:  2 * time.Second,
			ResponseHeaderTimeout:  2 * time.Minute,
			MaxResponseHeaderBytes: 64 << 10,
			MaxIdleConnsPerHost:    wide,
			IdleConnTimeout:        30 * time.Second,
			DisableCompression:     true,
		},
		// A signature is for one host.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return b
}

// baseOf is where the bucket begins: a host of its own at AWS, where its name can
// be part of one, else a directory of the endpoint.
func baseOf(name string, c bucketConfig) url.URL {
	if c.endpoint != nil {
		u := *c.endpoint
		u.Path = strings.TrimSuffix(u.Path, "/") + "/" + name + "/"
		return u
	}
	host := "s3." + c.region + ".amazonaws.com"
	if strings.Contains(name, ".") { // no certificate fits
		return url.URL{Scheme: "https", Host: host, Path: "/" + name + "/"}
	}
	return url.URL{Scheme: "https", Host: name + "." + host, Path: "/"}
}

func (b *bucket) close() error {
	b.client.CloseIdleConnections()
	return nil
}

// request is one exchange. The key is relative to the bucket.
type request struct {
	method, key string
	query       url.Values
	header      map[string]string
	body        *content
	sent        func(int64)
}

// do sends a request and returns its answer if that is a success. Reading the
// body of it may not stop for longer than idle.
func (b *bucket) do(ctx context.Context, q request) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	watch := time.AfterFunc(b.idle, func() { cancel(errIdle) })
	watch.Stop()
	w, err := b.exchange(ctx, q, watch)
	watch.Stop()
	if err != nil {
		if context.Cause(ctx) == errIdle {
			err = passing{errIdle}
		}
		cancel(nil)
		return nil, b.explain(err)
	}
	w.Body = &watched{w.Body, watch, b.idle, ctx, cancel}
	return w, nil
}

var errIdle = errors.New("the server takes nothing and sends nothing")

func (b *bucket) exchange(ctx context.Context, q request, watch *time.Timer) (*http.Response, error) {
	u := b.base
	u.Path += q.key
	u.RawPath = escaped(u.Path, true)
	u.RawQuery = query(q.query)
	r, err := http.NewRequestWithContext(ctx, q.method, u.String(), nil)
	if err != nil {
		return nil, err
	}
	for name, value := range q.header {
		r.Header.Set(name, value)
	}
	hash := emptyHash
	if q.body != nil {
		hash = hex.EncodeToString(q.body.sum[:])
	}
	sign(r, b.credentials, b.region, hash, b.now())
	r.Header.Set("User-Agent", "sandbox")
	if q.body != nil && q.body.size > 0 {
		f, err := q.body.open()
		if err != nil {
			return nil, err
		}
		watch.Reset(b.idle)
		r.Body = &watched{io.NopCloser(io.LimitReader(counted{f, q.sent}, q.body.size)), watch, b.idle, ctx, nil}
		defer f.Close()
		r.ContentLength = q.body.size
		if q.body.size >= patientBody {
			r.Header.Set("Expect", "100-continue")
		}
	}
	w, err := b.client.Do(r)
	if err != nil {
		if ctx.Err() == nil {
			err = passing{plain(err)}
		}
		return nil, err
	}
	if w.StatusCode/100 != 2 {
		defer w.Body.Close()
		return nil, readFault(w)
	}
	return w, nil
}

// plain is an error of the client without the address, which messages have
// already.
func plain(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err
	}
	return err
}

// watched is a body that must move.
type watched struct {
	io.ReadCloser
	timer  *time.Timer
	idle   time.Duration
	ctx    context.Context
	cancel context.CancelCauseFunc
}

func (w *watched) Read(p []byte) (int, error) {
	w.timer.Reset(w.idle)
	n, err := w.ReadCloser.Read(p)
	if err != nil {
		w.timer.Stop()
	}
	if err != nil && err != io.EOF {
		if context.Cause(w.ctx) == errIdle {
			err = errIdle
		}
		if w.ctx.Err() == nil || errors.Is(err, errIdle) {
			err = passing{err}
		}
	}
	return n, err
}

func (w *watched) Close() error {
	w.timer.Stop()
	if w.cancel != nil {
		w.cancel(nil)
	}
	return w.ReadCloser.Close()
}

func (b *bucket) list(ctx context.Context) (map[string]int64, error) {
	files := map[string]int64{}
	for next, vain := "", 0; ; {
		before := len(files)
		q := url.Values{"list-type": {"2"}, "prefix": {b.prefix}, "encoding-type": {"url"}}
		if next != "" {
			q.Set("continuation-token", next)
		}
		page, err := b.listPage(ctx, q)
		if err != nil {
			return nil, err
		}
		for _, c := range page.Contents {
			key := c.Key
			if page.EncodingType == "url" { // it was asked for, and some do not do it
				if key, err = url.QueryUnescape(c.Key); err != nil {
					return nil, fmt.Errorf("its listing has the name %q", c.Key)
				}
			}
			if name, ok := strings.CutPrefix(key, b.prefix); ok && name != "" && c.Size >= 0 {
				files[name] = c.Size
			}
		}
		if !page.IsTruncated || page.NextContinuationToken == "" {
			return files, nil
		}
		if next = page.NextContinuationToken; len(files) > maxFiles {
			return nil, errTooMany
		}
		if vain++; len(files) > before {
			vain = 0
		}
		if vain > maxVain {
			return nil, errors.New("the server's listing does not end")
		}
	}
}

type listing struct {
	IsTruncated           bool
	NextContinuationToken string
	EncodingType          string
	Contents              []struct {
		Key  string
		Size int64
	}
}

func (b *bucket) listPage(ctx context.Context, q url.Values) (*listing, error) {
	w, err := b.do(ctx, request{method: http.MethodGet, query: q})
	if err != nil {
		return nil, err
	}
	defer w.Body.Close()
	data, err := io.ReadAll(io.LimitReader(w.Body, maxListing))
	if err != nil {
		return nil, err
	}
	page := &listing{}
	if err := xml.Unmarshal(data, page); err != nil {
		return nil, passing{fmt.Errorf("the server's listing cannot be read: %w", err)}
	}
	return page, nil
}

func (b *bucket) get(ctx context.Context, name string) (io.ReadCloser, string, error) {
	w, err := b.do(ctx, request{method: http.MethodGet, key: b.prefix + name})
	if f, ok := errors.AsType[*fault](err); ok && (f.code == "NoSuchKey" || f.status == http.StatusNotFound && f.code == "") {
		return nil, "", fmt.Errorf("%s: %w", name, fs.ErrNotExist)
	}
	if err != nil {
		return nil, "", err
	}
	return w.Body, w.Header.Get("ETag"), nil
}

func (b *bucket) put(ctx context.Context, name string, c content, when condition, sent func(int64)) error {
	if c.size > maxPut {
		return hint.With(fmt.Errorf("%s has %d bytes, and S3 takes 5 GiB at once", name, c.size), "split the largest file of the bundle")
	}
	heeds, err := b.conditional(ctx)
	if err != nil {
		return err
	}
	if !heeds {
		if err := b.compare(ctx, name, when); err != nil {
			return err
		}
		when = condition{}
	}
	return b.putObject(ctx, name, c, when, sent)
}

func (b *bucket) putObject(ctx context.Context, name string, c content, when condition, sent func(int64)) error {
	var out int64
	count := func(n int64) {
		out += n
		if sent != nil {
			sent(n)
		}
	}
	header := map[string]string{"X-Amz-Checksum-Sha256": base64.StdEncoding.EncodeToString(c.sum[:])}
	if cache, kind, ok := publish.Headers(name); ok {
		header["Cache-Control"], header["Content-Type"] = cache, kind
	} else {
		header["Cache-Control"], header["Content-Type"] = "no-cache", "application/json"
	}
	switch {
	case when.absent:
		header["If-None-Match"] = "*"
	case when.tag != "":
		header["If-Match"] = when.tag
	}
	w, err := b.do(ctx, request{method: http.MethodPut, key: b.prefix + name, header: header, body: &c, sent: count})
	if err != nil {
		if sent != nil {
			sent(-out)
		}
		if f, ok := errors.AsType[*fault](err); ok && (f.status == http.StatusPreconditionFailed || f.code == "NoSuchKey" && when.tag != "") {
			return fmt.Errorf("%s: %w", name, errCondition)
		}
		return err
	}
	io.Copy(io.Discard, io.LimitReader(w.Body, 64<<10)) // so that the connection is used again
	return w.Body.Close()
}

// compare is for services that know no conditions: it looks before. Somebody may
// come between.
func (b *bucket) compare(ctx context.Context, name string, when condition) error {
	if when == (condition{}) {
		return nil
	}
	body, tag, err := b.get(ctx, name)
	if errors.Is(err, fs.ErrNotExist) {
		tag, err = "", nil
	} else if err == nil {
		body.Close()
	}
	if err == nil && tag != when.tag {
		err = fmt.Errorf("%s: %w", name, errCondition)
	}
	return err
}

// probeFile is put to see whether the service heeds conditions.
const probeFile = publish.StateDir + "/probe"

// conditional finds out whether the service heeds conditions: some take them and
// put nevertheless.
func (b *bucket) conditional(ctx context.Context) (bool, error) {
	b.probing.Lock()
	defer b.probing.Unlock()
	if b.probed {
		return b.heeds, nil
	}
	c := bytesOf([]byte("{}\n"))
	err := b.putObject(ctx, probeFile, c, condition{}, nil)
	if err != nil {
		return false, err
	}
	err = b.putObject(ctx, probeFile, c, condition{absent: true}, nil)
	f, _ := errors.AsType[*fault](err)
	switch {
	case errors.Is(err, errCondition):
		b.heeds = true
	case err == nil, f != nil && f.status == http.StatusNotImplemented:
	default:
		return false, err
	}
	b.probed = true
	return b.heeds, nil
}

func (b *bucket) remove(ctx context.Context, name string) error {
	w, err := b.do(ctx, request{method: http.MethodDelete, key: b.prefix + name})
	if f, ok := errors.AsType[*fault](err); ok && f.status == http.StatusNotFound && f.code == "NoSuchKey" {
		return nil
	}
	if err != nil {
		return err
	}
	return w.Body.Close()
}

// fault is an answer that is no success.
type fault struct {
	status int
	code   string
	region string // where the bucket is, if the server says so
}

func (f *fault) Error() string {
	text := "the server answers " + strconv.Itoa(f.status) + " " + http.StatusText(f.status)
	if f.code != "" {
		text += " (" + f.code + ")"
	}
	return text
}

func (f *fault) Is(target error) bool {
	if target != errPassing {
		return false
	}
	switch f.code {
	case "RequestTimeout", "SlowDown", "OperationAborted", "ConditionalRequestConflict":
		return true
	}
	return f.status >= 500 && f.status != http.StatusNotImplemented || f.status == http.StatusTooManyRequests || f.status == http.StatusRequestTimeout
}

func readFault(w *http.Response) error {
	f := &fault{status: w.StatusCode, region: word(w.Header.Get("X-Amz-Bucket-Region"))}
	data, _ := io.ReadAll(io.LimitReader(w.Body, 64<<10))
	var doc struct{ Code, Message, Region string }
	if xml.Unmarshal(data, &doc) == nil {
		f.code = word(doc.Code)
		if f.region == "" {
			f.region = word(doc.Region)
		}
	}
	return f
}

// word is what a server says, if it is no more than a word: users copy commands
// that it is part of.
func word(unsafeText string) string {
	if faultWord().MatchString(unsafeText) {
		return unsafeText
	}
	return ""
}

var faultWord = lazy.Regexp(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// explain adds the way out to what a server answers.
func (b *bucket) explain(err error) error {
	if dns, ok := errors.AsType[*net.DNSError](err); ok && dns.IsNotFound {
		return hint.With(err, "look at AWS_ENDPOINT_URL and AWS_REGION (%s)", b.region)
	}
	f, ok := errors.AsType[*fault](err)
	if !ok {
		return err
	}
	switch f.code {
	case "NoSuchBucket":
		return hint.With(err, "make the bucket %q first, where your web server or its own address will show it", b.name)
	case "InvalidAccessKeyId", "XAdminUserNotFound":
		return hint.With(err, "the server does not know AWS_ACCESS_KEY_ID: look at the credentials, AWS_PROFILE and AWS_ENDPOINT_URL")
	case "SignatureDoesNotMatch":
		return hint.With(err, "look at AWS_SECRET_ACCESS_KEY")
	case "ExpiredToken", "InvalidToken":
		return hint.With(err, "the session is over: get new credentials")
	case "RequestTimeTooSkewed":
		return hint.With(err, "the clock of this machine is wrong")
	case "PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException", "TemporaryRedirect":
		if f.region != "" && f.region != b.region {
			return hint.With(err, "the bucket is in another region: export AWS_REGION=%s", f.region)
		}
		return hint.With(err, "the bucket is not in %q: export AWS_REGION", b.region)
	case "XAmzContentSHA256Mismatch", "BadDigest":
		return hint.With(err, "the bytes were changed on the way: run it again")
	case "QuotaExceeded", "XMinioStorageFull":
		return hint.With(err, "the store is full: 'sandbox repo gc' removes what no release needs")
	}
	switch {
	case f.status == http.StatusForbidden:
		return hint.With(err, "the credentials may not do that: publishing takes s3:ListBucket on the bucket, and s3:GetObject, s3:PutObject and s3:DeleteObject below the prefix")
	case f.status/100 == 3:
		return hint.With(err, "look at AWS_REGION (%s) and AWS_ENDPOINT_URL", b.region)
	}
	return err
}
