package terminal

import "bytes"

// Escapes says which escape sequences the app may send beyond drawing. The zero
// value refuses them all.
type Escapes struct {
	// Clipboard: reading and writing the clipboard (OSC 52, OSC 5522 of kitty, OSC
	// 1337 Copy of iTerm2), and tmux's passthrough, which hides anything in itself.
	Clipboard bool

	// Answerback: reports whose text the app chooses (title: CSI 20 t and CSI 21 t,
	// CVE-2003-0063; font: OSC 50 ?, CVE-2022-45063).
	Answerback bool

	// EightBit: the terminal is not in UTF-8 mode, so every byte from 0x80 to 0x9f
	// is a control.
	EightBit bool
}

// Room is the free space that Apply needs in front of the data: what it held
// back of earlier data goes there.
const Room = held + 8

// held bounds what is held back of one sequence. Sequences that are refused are
// recognised within their first few bytes; longer prefixes are padding.
const held = 256

// refused replaces a sequence that is removed: String Terminator, which does
// nothing by itself. Removing without a trace would join what stood before it to
// what follows, and the two could be a refused sequence together.
const refused = "\x1b\\"

// Filter removes refused sequences from a stream that arrives in pieces of any
// size. All other bytes pass unchanged and in order, valid UTF-8 or not.
//
// It does not follow what the terminal is in the middle of: an introducer is
// taken for one wherever it stands, because terminals differ in what ends a
// string and multiplexers unwrap strings. Controls that terminals skip inside a
// sequence are skipped here too.
type Filter struct {
	Escapes

	state state
	need  int  // continuation bytes to come of a UTF-8 character
	low   byte // least and greatest value of the next of them
	high  byte
	num   int    // the number an OSC or CSI begins with, -1 before its first digit
	word  string // what is left of a keyword in a string's beginning
	hold  [held]byte
	n     int // bytes in hold

	queries uint // sequences seen that a terminal answers
}

type state uint8

const (
	ground  state = iota
	escape        // ESC
	latin         // 0xc2: a C1 control in UTF-8 may follow
	osc           // OSC and digits
	oscArg        // OSC 50 ; or 1337 ; and what follows it
	oscBody       // an OSC that passes; watched for queries only
	dcs           // DCS and its first bytes
	csi           // CSI and parameters
	drop          // in a refused string
	dropLat       // … after 0xc2
	dropEsc       // … after ESC
	wrap          // in tmux's passthrough
	wrapEsc       // … after ESC: "\" ends it, anything else is data
)

const (
	bel = 0x07
	can = 0x18
	sub = 0x1a
	esc = 0x1b
	del = 0x7f
)

// Apply filters b[Room:] and returns what is to be written, a part of b.
func (f *Filter) Apply(b []byte) []byte {
	in := b[Room:]
	if f.state == ground && f.need == 0 && f.plain(in) {
		return in
	}
	w := 0
	for r := Room; r < len(b); {
		if f.state == ground && f.need == 0 {
			// r ≥ w always: what was held came in earlier and fits in Room.
			run := f.runLength(b[r:])
			if run > 0 {
				w += copy(b[w:], b[r:r+run])
				r += run
				continue
			}
		}
		w = f.step(b, w, b[r])
		r++
	}
	return b[:w]
}

// Close returns what was held back at the end of the stream, and ends a sequence
// that was left open, so that the shell's prompt does not become part of it.
func (f *Filter) Close(b []byte) []byte {
	w := 0
	switch f.state {
	case ground:
		return nil
	case latin:
		w = f.release(b, w)
	case drop, dropLat, dropEsc, wrap, wrapEsc:
	case osc:
		if f.clipboard() && !f.Clipboard {
			w = f.refuse(b, w, ground)
			break
		}
		fallthrough
	default:
		w = f.release(b, w)
		b[w] = can
		w++
	}
	f.state, f.n = ground, 0
	return b[:w]
}

// plain says that nothing in p can begin a sequence, faster than looking at
// every byte: output without escapes costs next to nothing.
func (f *Filter) plain(p []byte) bool {
	if bytes.IndexByte(p, esc) >= 0 || bytes.IndexByte(p, enq) >= 0 || bytes.IndexByte(p, 0x9d) >= 0 ||
		bytes.IndexByte(p, 0x9b) >= 0 || bytes.IndexByte(p, 0x90) >= 0 {
		return false
	}
	if len(p) == 0 {
		return true
	}
	// A character cut by the end of the piece matters to the next one.
	for i := len(p) - 1; i >= 0 && i >= len(p)-3; i-- {
		if p[i] >= 0xc2 {
			return false
		}
	}
	return true
}

// enq asks for the answerback text.
const enq = 0x05

// runLength counts leading bytes that cannot matter: ASCII, whole characters, and
// the commonest sequences.
func (f *Filter) runLength(p []byte) int {
	i := 0
	for i < len(p) {
		c := p[i]
		switch {
		case c < 0x80 && c != esc && c != enq:
			i++
		case c == esc:
			n := drawing(p[i:])
			if n == 0 {
				return i
			}
			i += n
		case f.EightBit:
			return i
		case c >= 0xc3 && c <= 0xdf && len(p)-i > 1 && p[i+1]&0xc0 == 0x80:
			i += 2
		case c >= 0xe1 && c <= 0xec && len(p)-i > 2 && p[i+1]&0xc0 == 0x80 && p[i+2]&0xc0 == 0x80:
			i += 3
		default:
			return i
		}
	}
	return i
}

// drawing is the length of the CSI sequence that p begins with, if it is whole
// and ends in a capital letter or "m": those move, erase and colour.
func drawing(p []byte) int {
	if len(p) < 3 || p[1] != '[' {
		return 0
	}
	for i, c := range p[2:min(len(p), 32)] {
		if c >= '0' && c <= '?' {
			continue
		}
		if c == 'm' || c >= 'A' && c <= 'Z' {
			return i + 3
		}
		return 0
	}
	return 0
}

// step takes one byte, with w bytes of b already output, and returns the new w.
func (f *Filter) step(b []byte, w int, c byte) int {
	control := f.decode(c)
	switch f.state {
	case drop, dropLat, dropEsc, wrap, wrapEsc:
		return f.dropping(b, w, c, control)
	case ground:
		return f.begin(b, w, c, control)
	case latin:
		return f.second(b, w, c, control)
	case oscBody:
		return f.body(b, w, c, control)
	}
	// A sequence is held. C1 controls and characters end it, wherever they stand.
	if c >= 0x80 || c == esc {
		w = f.release(b, w)
		f.state = ground
		return f.begin(b, w, c, control)
	}
	switch f.state {
	case escape:
		return f.escaped(b, w, c)
	case osc:
		return f.number(b, w, c)
	case oscArg:
		return f.argument(b, w, c)
	case dcs:
		return f.device(b, w, c)
	default:
		return f.params(b, w, c)
	}
}

// decode follows UTF-8 and says whether c, from 0x80 to 0x9f, is a control by
// itself: it is unless it continues a character. Overlong and surrogate forms
// are not characters.
func (f *Filter) decode(c byte) bool {
	if c < 0x80 {
		f.need = 0
		return false
	}
	if f.EightBit {
		return c < 0xa0
	}
	if f.need > 0 && f.low <= c && c <= f.high {
		f.need--
		f.low, f.high = 0x80, 0xbf
		return false
	}
	f.low, f.high = 0x80, 0xbf
	switch {
	case c >= 0xc2 && c <= 0xdf:
		f.need = 1
	case c >= 0xe0 && c <= 0xef:
		f.need = 2
		if c == 0xe0 {
			f.low = 0xa0
		} else if c == 0xed {
			f.high = 0x9f
		}
	case c >= 0xf0 && c <= 0xf4:
		f.need = 3
		if c == 0xf0 {
			f.low = 0x90
		} else if c == 0xf4 {
			f.high = 0x8f
		}
	default:
		f.need = 0
	}
	return c < 0xa0
}

// begin takes a byte outside of any sequence that is held.
func (f *Filter) begin(b []byte, w int, c byte, control bool) int {
	switch {
	case c == esc:
		f.state = escape
		return f.keep(b, w, c)
	case c == 0xc2 && !f.EightBit:
		f.state = latin
		return f.keep(b, w, c)
	case control:
		if s := introduced(c); s != ground {
			f.enter(s)
			return f.keep(b, w, c)
		}
	case c == enq:
		f.queries++
	}
	b[w] = c
	return w + 1
}

// second takes the byte after 0xc2.
func (f *Filter) second(b []byte, w int, c byte, control bool) int {
	if s := introduced(c); s != ground && !control {
		f.enter(s)
		return f.keep(b, w, c)
	}
	w = f.release(b, w)
	f.state = ground
	return f.begin(b, w, c, control)
}

// introduced is the state after a C1 control.
func introduced(c byte) state {
	switch c {
	case 0x90:
		return dcs
	case 0x9b:
		return csi
	case 0x9d:
		return osc
	}
	return ground
}

func (f *Filter) enter(s state) { f.state, f.num, f.word = s, -1, "" }

// keep holds c back. A prefix that outgrows the space is padding to get past us,
// and is refused.
func (f *Filter) keep(b []byte, w int, c byte) int {
	if f.n == len(f.hold) {
		return f.refuse(b, w, drop)
	}
	f.hold[f.n] = c
	f.n++
	return w
}

// release lets through what was held.
func (f *Filter) release(b []byte, w int) int {
	w += copy(b[w:], f.hold[:f.n])
	f.n = 0
	return w
}

// refuse removes what is held; next says until where the removal goes on.
func (f *Filter) refuse(b []byte, w int, next state) int {
	f.n, f.state = 0, next
	return w + copy(b[w:], refused)
}

// pass lets through what is held and c, and goes on in state next.
func (f *Filter) pass(b []byte, w int, c byte, next state) int {
	w = f.release(b, w)
	f.state = next
	b[w] = c
	return w + 1
}

// dropping takes a byte of a refused string.
func (f *Filter) dropping(b []byte, w int, c byte, control bool) int {
	switch f.state {
	case wrap:
		if c == esc {
			f.state = wrapEsc
		}
	case wrapEsc:
		f.state = wrap
		if c == '\\' {
			f.state = ground
		}
	case drop, dropLat:
		ends := c == 0x9c && (control || f.state == dropLat)
		f.state = drop
		switch {
		case c == esc:
			f.state = dropEsc
		case c == 0xc2 && !f.EightBit:
			f.state = dropLat
		case ends || c == bel || c == can || c == sub:
			f.state = ground
		case control:
			f.state = ground
			return f.begin(b, w, c, control)
		}
	case dropEsc:
		f.state = ground
		if c != '\\' {
			// Not the end of this string but the beginning of something else.
			f.state = escape
			w = f.keep(b, w, esc)
			return f.step(b, w, c)
		}
	}
	return w
}
