package remote

import "sandbox/repo"

// Span is a part of a pack that one request brings.
type Span struct {
	Pack     int // in the locator
	Off, Len int64
	Frames   []int // wanted, in the locator
}

const (
	// spanGap is how many bytes nobody wants are read over rather than asked
	// around: a request costs about as much.
	spanGap = 64 << 10
	// spanSize is where a span ends, so that several can be fetched at a time.
	spanSize = 8 << 20
)

// Spans covers the wanted frames of a locator. The parts of one object stay
// together, since they are unpacked in a row; an object of large packed bytes has
// a span of its own.
func Spans(l *repo.Locator, wanted func(frame int) bool, large int64) []Span {
	var spans []Span
	alone := false // the last one takes no more
	for i := 0; i < len(l.Frames); {
		if !wanted(i) {
			i++
			continue
		}
		s := object(l, i, wanted)
		i += len(s.Frames)
		last := len(spans) - 1
		if apart := s.Len >= large; alone || apart || last < 0 || !spans[last].join(s) {
			spans, alone = append(spans, s), apart
		}
	}
	return spans
}

// object is the span of the object that begins with a frame, or of that frame.
func object(l *repo.Locator, first int, wanted func(int) bool) Span {
	f := &l.Frames[first]
	s := Span{Pack: f.Pack, Off: f.Offset, Len: f.CLen, Frames: []int{first}}
	for i := first + 1; i < len(l.Frames) && continues(&l.Frames[i]) && wanted(i) && l.Frames[i].Pack == s.Pack; i++ {
		s.Len = l.Frames[i].Offset + l.Frames[i].CLen - s.Off
		s.Frames = append(s.Frames, i)
	}
	return s
}

// join takes in the next span, where one request for both is better than two.
func (s *Span) join(next Span) bool {
	end := next.Off + next.Len
	if s.Pack != next.Pack || next.Off-(s.Off+s.Len) > spanGap || end-s.Off > spanSize {
		return false
	}
	s.Len = end - s.Off
	s.Frames = append(s.Frames, next.Frames...)
	return true
}

// continues tells whether a frame goes on with the object of the one before.
func continues(f *repo.Frame) bool { return len(f.Objects) > 0 && f.Objects[0].Part > 1 }

// whole joins the spans of each pack, for servers without ranges.
func whole(spans []Span) []Span {
	var all []Span
	for _, s := range spans {
		if n := len(all); n > 0 && all[n-1].Pack == s.Pack {
			last := &all[n-1]
			last.Len = s.Off + s.Len - last.Off
			last.Frames = append(last.Frames, s.Frames...)
			continue
		}
		s.Frames = append([]int(nil), s.Frames...)
		all = append(all, s)
	}
	return all
}

// group takes the frames of one object, or a single frame, from the front.
func group(l *repo.Locator, frames []int) (first, rest []int) {
	n := 1
	for n < len(frames) && continues(&l.Frames[frames[n]]) {
		n++
	}
	return frames[:n], frames[n:]
}
