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
// together, since they are unpacked in a row.
func Spans(l *repo.Locator, wanted func(frame int) bool) []Span {
	var spans []Span
	var last *Span
	for i := range l.Frames {
		if !wanted(i) {
			continue
		}
		f := &l.Frames[i]
		fresh := last == nil || last.Pack != f.Pack || f.Offset-(last.Off+last.Len) > spanGap ||
			f.Offset+f.CLen-last.Off > spanSize && !continues(f)
		if fresh {
			spans = append(spans, Span{Pack: f.Pack, Off: f.Offset})
			last = &spans[len(spans)-1]
		}
		last.Len = f.Offset + f.CLen - last.Off
		last.Frames = append(last.Frames, i)
	}
	return spans
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
