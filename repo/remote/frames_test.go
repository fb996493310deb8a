package remote

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"

	"sandbox/repo"
)

// layout makes a locator of frames: {pack, offset, length, part}.
func layout(frames ...[4]int64) *repo.Locator {
	l := &repo.Locator{}
	for _, f := range frames {
		fr := repo.Frame{Pack: int(f[0]), Offset: f[1], CLen: f[2], Objects: []repo.Piece{{}}}
		if f[3] > 0 {
			fr.Objects[0].Part = int(f[3])
		}
		l.Frames = append(l.Frames, fr)
	}
	return l
}

func TestSpans(t *testing.T) {
	const k, m = 1 << 10, 1 << 20
	for _, c := range []struct {
		name   string
		l      *repo.Locator
		wanted []int // nil: all
		want   string
	}{
		{"nothing wanted", layout([4]int64{0, 0, 10}), []int{}, "[]"},
		{"neighbours are one", layout([4]int64{0, 0, 10}, [4]int64{0, 10, 10}), nil, "[{0 0 20 [0 1]}]"},
		{"a gap of 64 KiB is read over", layout([4]int64{0, 0, 10}, [4]int64{0, 10 + 64*k, 10}), nil, "[{0 0 65556 [0 1]}]"},
		{"a gap of one more is not", layout([4]int64{0, 0, 10}, [4]int64{0, 11 + 64*k, 10}), nil, "[{0 0 10 [0]} {0 65547 10 [1]}]"},
		{"what is not wanted makes a gap", layout([4]int64{0, 0, 10}, [4]int64{0, 10, 65 * k}, [4]int64{0, 10 + 65*k, 10}), []int{0, 2}, "[{0 0 10 [0]} {0 66570 10 [2]}]"},
		{"packs are apart", layout([4]int64{0, 0, 10}, [4]int64{1, 0, 10}), nil, "[{0 0 10 [0]} {1 0 10 [1]}]"},
		{"a span ends at 8 MiB", layout([4]int64{0, 0, 5 * m}, [4]int64{0, 5 * m, 3 * m}, [4]int64{0, 8 * m, 1}), nil, "[{0 0 8388608 [0 1]} {0 8388608 1 [2]}]"},
		{"but not within an object", layout([4]int64{0, 0, 6 * m, 1}, [4]int64{0, 6 * m, 6 * m, 2}, [4]int64{0, 12 * m, 1, 3}, [4]int64{0, 12*m + 1, 1}), nil, "[{0 0 12582913 [0 1 2]} {0 12582913 1 [3]}]"},
	} {
		wanted := func(i int) bool { return true }
		if c.wanted != nil {
			wanted = func(i int) bool {
				for _, w := range c.wanted {
					if w == i {
						return true
					}
				}
				return false
			}
		}
		if got := fmt.Sprint(Spans(c.l, wanted, 1<<40)); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

// packs are two files of noise, cut into frames of 1 to 200 KiB.
func packs(t *testing.T) (string, *repo.Locator, map[int][]byte) {
	l := &repo.Locator{}
	files, want := map[string][]byte{}, map[int][]byte{}
	for k := range 2 {
		data := noise(3 << 20)
		data[0] = byte(k)
		l.Packs = append(l.Packs, repo.PackInfo{Digest: repo.Sum(data), Length: int64(len(data))})
		files[repo.PackPath(repo.Sum(data))] = data
		for at, i := 0, 0; at < len(data); i++ {
			n := min(1+i*37%200<<10, len(data)-at)
			want[len(l.Frames)] = data[at : at+n]
			l.Frames = append(l.Frames, repo.Frame{Pack: k, Offset: int64(at), CLen: int64(n)})
			at += n
		}
	}
	return writeTree(t, files), l, want
}

func TestFetchFrames(t *testing.T) {
	dir, l, want := packs(t)
	every := func(n int) func(int) bool { return func(i int) bool { return i%n == 0 } }
	die, _ := breaking(dir, 300_000, true, 1000)
	dieWhole, _ := breaking(dir, 1_500_000, false, 3)
	turns := atomic.Int32{}
	for name, src := range map[string]Source{
		"directory":                 source(t, dir),
		"ranges":                    at(t, http.FileServer(http.Dir(dir))),
		"without ranges":            at(t, withoutRanges(dir)),
		"breaks off all the time":   at(t, die),
		"breaks off without ranges": at(t, dieWhole),
		"forgets ranges midway": at(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if turns.Add(1) > 2 {
				r.Header.Del("Range")
			}
			http.FileServer(http.Dir(dir)).ServeHTTP(w, r)
		})),
	} {
		for _, n := range []int{1, 3, 17} {
			t.Run(fmt.Sprintf("%s, one of %d", name, n), func(t *testing.T) {
				var mu sync.Mutex
				got := map[int][]byte{}
				bytesSeen, passed := atomic.Int64{}, atomic.Int64{}
				count := func(c *atomic.Int64) func(int) { return func(n int) { c.Add(int64(n)) } }
				err := FetchFrames(t.Context(), src, l, Spans(l, every(n), Large), FetchOptions{Progress: count(&bytesSeen), Passed: count(&passed)},
					func(ctx context.Context, frames []int, frame func(int) io.Reader) error {
						for _, i := range frames {
							b, err := io.ReadAll(frame(i))
							if err != nil {
								return err
							}
							mu.Lock()
							got[i] = b
							mu.Unlock()
						}
						return nil
					})
				if err != nil {
					t.Fatal(err)
				}
				total := int64(0)
				for i := range l.Frames {
					if i%n == 0 {
						if total += int64(len(want[i])); !bytes.Equal(got[i], want[i]) {
							t.Errorf("frame %d differs", i)
						}
					} else if got[i] != nil {
						t.Errorf("frame %d was not wanted", i)
					}
				}
				if bytesSeen.Load() != total {
					t.Errorf("progress saw %d of %d bytes", bytesSeen.Load(), total)
				}
				if unasked := passed.Load() > 0; unasked && (name == "ranges" || n == 1) || !unasked && name == "without ranges" && n > 1 {
					t.Errorf("%d bytes came unasked", passed.Load())
				}
			})
		}
	}
}

// What a handler leaves unread does not reach the next frame.
func TestFramesMayBeLeftUnread(t *testing.T) {
	dir, l, want := packs(t)
	err := FetchFrames(t.Context(), source(t, dir), l, Spans(l, func(int) bool { return true }, Large), FetchOptions{Parallel: 1},
		func(ctx context.Context, frames []int, frame func(int) io.Reader) error {
			head := make([]byte, 1)
			if _, err := io.ReadFull(frame(frames[0]), head); err != nil || head[0] != want[frames[0]][0] {
				t.Errorf("frame %d: %v", frames[0], err)
			}
			return nil
		})
	if err != nil {
		t.Error(err)
	}
}

func TestFetchFramesStops(t *testing.T) {
	dir, l, _ := packs(t)
	all := Spans(l, func(int) bool { return true }, Large)
	all = append(all, all...)
	for name, src := range map[string]Source{"directory": source(t, dir), "without ranges": at(t, withoutRanges(dir))} {
		boom := errors.New("boom")
		calls := atomic.Int32{}
		err := FetchFrames(t.Context(), src, l, all, FetchOptions{}, func(context.Context, []int, func(int) io.Reader) error {
			calls.Add(1)
			return boom
		})
		if !errors.Is(err, boom) || calls.Load() > 8 {
			t.Errorf("%s: %v after %d calls", name, err, calls.Load())
		}
		ctx, cancel := context.WithCancel(t.Context())
		err = FetchFrames(ctx, src, l, all, FetchOptions{}, func(ctx context.Context, frames []int, frame func(int) io.Reader) error {
			cancel()
			_, err := io.Copy(io.Discard, frame(frames[0]))
			return err
		})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: cancelled: %v", name, err)
		}
	}
}

func TestTruncatedPack(t *testing.T) {
	dir, l, _ := packs(t)
	short := at(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Header.Del("Range")
		http.FileServer(http.Dir(dir)).ServeHTTP(&cutter{w, 1 << 20}, r)
	}))
	err := FetchFrames(t.Context(), short, l, Spans(l, func(int) bool { return true }, Large), FetchOptions{}, func(ctx context.Context, frames []int, frame func(int) io.Reader) error {
		_, err := io.Copy(io.Discard, frame(frames[0]))
		return err
	})
	if err == nil {
		t.Error("taken for whole")
	}
	for _, i := range l.Packs {
		path := dir + "/" + repo.PackPath(i.Digest)
		if err := truncate(path, 1<<20); err != nil {
			t.Fatal(err)
		}
	}
	for name, src := range map[string]Source{"directory": source(t, dir), "ranges": at(t, http.FileServer(http.Dir(dir))), "without ranges": at(t, withoutRanges(dir))} {
		err := FetchFrames(t.Context(), src, l, Spans(l, func(int) bool { return true }, Large), FetchOptions{}, func(ctx context.Context, frames []int, frame func(int) io.Reader) error {
			_, err := io.Copy(io.Discard, frame(frames[0]))
			return err
		})
		if err == nil {
			t.Errorf("%s: taken for whole", name)
		}
	}
}
