package remote

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"sandbox/repo"
)

// shelf is a place for what is kept.
type shelf struct {
	mu    sync.Mutex // guards what follows
	data  []byte
	drops int
	fails error // of writing and reading
}

func (s *shelf) Size() int64  { return int64(len(s.data)) }
func (s *shelf) Close() error { return nil }

func (s *shelf) Drop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.data, s.drops = nil, s.drops+1
}

func (s *shelf) ReadAt(b []byte, off int64) (int, error) {
	if s.fails != nil {
		return 0, s.fails
	}
	return bytes.NewReader(s.data).ReadAt(b, off)
}

func (s *shelf) WriteAt(b []byte, off int64) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fails != nil {
		return 0, s.fails
	}
	s.data = append(s.data[:off], b...)
	return len(b), nil
}

// large is a pack with one large frame between two small ones.
func large(t *testing.T) (dir string, l *repo.Locator, data []byte) {
	data = noise(5<<20 + 2000)
	l = layout([4]int64{0, 0, 1000}, [4]int64{0, 1000, 5 << 20}, [4]int64{0, 1000 + 5<<20, 1000})
	l.Packs = []repo.PackInfo{{Digest: repo.Sum(data), Length: int64(len(data))}}
	return writeTree(t, map[string][]byte{repo.PackPath(repo.Sum(data)): data}), l, data
}

var errWrong = errors.New("another hash")

func TestLargeObjectsHaveASpanOfTheirOwn(t *testing.T) {
	const m = 1 << 20
	for _, c := range []struct {
		name string
		l    *repo.Locator
		want string
	}{
		{"between small ones", layout([4]int64{0, 0, 10}, [4]int64{0, 10, 4 * m}, [4]int64{0, 10 + 4*m, 10}), "[{0 0 10 [0]} {0 10 4194304 [1]} {0 4194314 10 [2]}]"},
		{"a byte less is not large", layout([4]int64{0, 0, 10}, [4]int64{0, 10, 4*m - 1}, [4]int64{0, 9 + 4*m, 10}), "[{0 0 4194323 [0 1 2]}]"},
		{"in parts", layout([4]int64{0, 0, 10}, [4]int64{0, 10, 3 * m, 1}, [4]int64{0, 10 + 3*m, 3 * m, 2}, [4]int64{0, 10 + 6*m, 10}), "[{0 0 10 [0]} {0 10 6291456 [1 2]} {0 6291466 10 [3]}]"},
		{"two of them", layout([4]int64{0, 0, 4 * m}, [4]int64{0, 4 * m, 4 * m}), "[{0 0 4194304 [0]} {0 4194304 4194304 [1]}]"},
	} {
		if got := fmt.Sprint(Spans(c.l, func(int) bool { return true }, Large)); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

func TestWhatWasKeptIsNotFetchedAgain(t *testing.T) {
	dir, l, data := large(t)
	object := data[1000 : 1000+5<<20]
	const half = 3 << 20
	type outcome struct {
		asked   string // the range of the large one, each time
		fresh   int64  // bytes of it that came
		resumed int64  // that need not come
		vain    int64
		err     error
	}
	first, rest := "bytes=1000-5243879", fmt.Sprintf("bytes=%d-5243879", 1000+half)
	for _, c := range []struct {
		name string
		kept []byte
		fail error // of the handler, in the end
		io   error // of the shelf
		whole, forgets,
		dies bool
		want  outcome
		left  int // bytes that are kept afterwards
		drops int
	}{
		{name: "nothing", want: outcome{first, 5 << 20, 0, 0, nil}, drops: 1},
		{name: "half of it", kept: object[:half], want: outcome{rest, 2 << 20, half, 0, nil}, drops: 1},
		{name: "all but the last byte is asked for", kept: object, want: outcome{"bytes=5243879-5243879", 1, 5<<20 - 1, 0, nil}, drops: 1},
		{name: "more than all", kept: append(slices.Clone(object), 1), want: outcome{first, 5 << 20, 0, 0, nil}, drops: 1},
		{name: "something else", kept: make([]byte, half), want: outcome{rest + " " + first, 7 << 20, half, 5 << 20, nil}, drops: 2},
		{name: "it cannot be read", kept: object[:half], io: syscall.EIO, want: outcome{rest + " " + first, 5 << 20, half, half, nil}, drops: 2},
		{name: "the server knows no ranges", kept: object[:half], whole: true, want: outcome{"", 5 << 20, 0, 0, nil}, left: half},
		{name: "the server forgets ranges", kept: object[:half], forgets: true, want: outcome{rest, 5 << 20, 0, 0, nil}, drops: 1},
		{name: "it breaks off", kept: object[:half], dies: true, want: outcome{rest, 1 << 20, half, 0, ErrUnreachable}, left: 4 << 20},
		{name: "nothing was kept and it is wrong", fail: errWrong, want: outcome{first, 5 << 20, 0, 0, errWrong}, drops: 1},
		{name: "the disk is full", kept: object[:half], fail: syscall.ENOSPC, want: outcome{rest, 2 << 20, half, 0, syscall.ENOSPC}, drops: 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			var asked string
			var mu sync.Mutex
			src := at(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if span := r.Header.Get("Range"); span != "bytes=0-999" && span != "bytes=5243880-5244879" {
					mu.Lock()
					if asked != "" {
						asked += " "
					}
					asked += span
					mu.Unlock()
					if c.dies {
						w = &breaker{ResponseWriter: w, left: 1 << 20}
					}
				}
				if c.whole || c.forgets && asked != "" {
					r.Header.Del("Range")
				}
				http.FileServer(http.Dir(dir)).ServeHTTP(w, r)
			}))
			if c.dies {
				src.(*httpSource).pace.Retries = -1
			}
			s := &shelf{data: c.kept, fails: c.io}
			fresh, resumed, vain := atomic.Int64{}, atomic.Int64{}, atomic.Int64{}
			opt := FetchOptions{Parallel: 1, KeepFrom: Large, Progress: func(n int) { fresh.Add(int64(n)) }, Resumed: func(n int) { resumed.Add(int64(n)) }, Vain: func(kept, came int) { vain.Add(int64(kept + came)) },
				Keep: func(pack repo.Digest, off, n int64) Kept {
					if pack != l.Packs[0].Digest || off != 1000 || n != 5<<20 {
						t.Errorf("kept: %d from %d", n, off)
					}
					return s
				}}
			err := FetchFrames(t.Context(), src, l, Spans(l, func(int) bool { return true }, Large), opt, func(_ context.Context, frames []int, frame func(int) io.Reader) error {
				for _, i := range frames {
					got, err := io.ReadAll(frame(i))
					if err != nil {
						return err
					}
					f := l.Frames[i]
					if !bytes.Equal(got, data[f.Offset:f.Offset+f.CLen]) {
						return errWrong
					}
					if i == 1 {
						return c.fail
					}
				}
				return nil
			})
			got := outcome{asked, fresh.Load(), resumed.Load(), vain.Load(), err}
			small := int64(2000)
			if err != nil {
				small = 1000 // the last one is not come to
			}
			if got.fresh -= small; got.asked != c.want.asked || got.fresh != c.want.fresh || got.resumed != c.want.resumed || got.vain != c.want.vain || !errors.Is(err, c.want.err) {
				t.Errorf("%+v, want %+v", got, c.want)
			}
			if len(s.data) != c.left || s.drops != c.drops {
				t.Errorf("%d bytes are kept after %d drops", len(s.data), s.drops)
			}
		})
	}
}

// Where nothing can be kept it is fetched all the same, and of small ones nothing is
// kept.
func TestNothingIsKept(t *testing.T) {
	dir, l, _ := large(t)
	for name, keep := range map[string]KeepFunc{"there is no place": func(repo.Digest, int64, int64) Kept { return nil }, "it is not wanted": nil} {
		n := atomic.Int64{}
		opt := FetchOptions{KeepFrom: Large, Keep: keep, Progress: func(m int) { n.Add(int64(m)) }}
		err := FetchFrames(t.Context(), at(t, http.FileServer(http.Dir(dir))), l, Spans(l, func(int) bool { return true }, Large), opt, func(_ context.Context, frames []int, frame func(int) io.Reader) error {
			_, err := io.Copy(io.Discard, frame(frames[0]))
			return err
		})
		if err != nil || n.Load() != 5<<20+2000 {
			t.Errorf("%s: %d, %v", name, n.Load(), err)
		}
	}
}
