package upload

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// credentials are those of an S3-compatible store.
type credentials struct {
	id, secret, token string
}

const (
	amzDate    = "20060102T150405Z"
	emptyHash  = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	signMethod = "AWS4-HMAC-SHA256"
)

// sign adds an AWS Signature Version 4 to a request for S3, over all headers it
// has. bodyHash is the SHA-256 of the body in hex.
func sign(q *http.Request, c credentials, region, bodyHash string, now time.Time) {
	date := now.UTC().Format(amzDate)
	q.Header.Set("X-Amz-Date", date)
	q.Header.Set("X-Amz-Content-Sha256", bodyHash)
	if c.token != "" {
		q.Header.Set("X-Amz-Security-Token", c.token)
	}
	names, headers := canonicalHeaders(q)
	request := strings.Join([]string{q.Method, q.URL.EscapedPath(), q.URL.RawQuery, headers, names, bodyHash}, "\n")
	scope := date[:8] + "/" + region + "/s3/aws4_request"
	hash := sha256.Sum256([]byte(request))
	text := strings.Join([]string{signMethod, date, scope, hex.EncodeToString(hash[:])}, "\n")
	key := []byte("AWS4" + c.secret)
	for _, part := range []string{date[:8], region, "s3", "aws4_request"} {
		key = mac(key, part)
	}
	q.Header.Set("Authorization", signMethod+" Credential="+c.id+"/"+scope+", SignedHeaders="+names+", Signature="+hex.EncodeToString(mac(key, text)))
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

func canonicalHeaders(q *http.Request) (names, headers string) {
	values := map[string]string{"host": q.URL.Host}
	for name, v := range q.Header {
		values[strings.ToLower(name)] = strings.TrimSpace(strings.Join(v, ","))
	}
	var all []string
	for name := range values {
		all = append(all, name)
	}
	slices.Sort(all)
	var b strings.Builder
	for _, name := range all {
		b.WriteString(name + ":" + values[name] + "\n")
	}
	return strings.Join(all, ";"), b.String()
}

// query encodes parameters as signatures want them: sorted, spaces as %20.
func query(values url.Values) string {
	var parts []string
	for name, v := range values {
		parts = append(parts, escaped(name, false)+"="+escaped(v[0], false))
	}
	slices.Sort(parts)
	return strings.Join(parts, "&")
}

// escaped leaves alone what RFC 3986 calls unreserved, and in paths slashes.
func escaped(text string, isPath bool) string {
	const hexDigits = "0123456789ABCDEF"
	var b strings.Builder
	for _, c := range []byte(text) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte("-_.~", c) >= 0, isPath && c == '/':
			b.WriteByte(c)
		default:
			b.Write([]byte{'%', hexDigits[c>>4], hexDigits[c&15]})
		}
	}
	return b.String()
}
