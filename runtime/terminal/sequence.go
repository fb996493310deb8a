package terminal

import "strings"

// skipped says that terminals execute or ignore c inside a sequence and go on
// with the sequence.
func skipped(c byte) bool { return c < 0x20 && c != can && c != sub && c != esc || c == del }

// escaped takes the byte after ESC.
func (f *Filter) escaped(b []byte, w int, c byte) int {
	switch {
	case skipped(c):
		return f.keep(b, w, c)
	case c == ']':
		f.enter(osc)
	case c == 'P':
		f.enter(dcs)
	case c == '[':
		f.enter(csi)
	default:
		if c == 'Z' {
			f.queries++ // DECID
		}
		return f.pass(b, w, c, ground)
	}
	return f.keep(b, w, c)
}

// number takes a byte of an OSC's leading number. Blanks and signs are skipped,
// as scanf-like readers do.
func (f *Filter) number(b []byte, w int, c byte) int {
	switch {
	case c >= '0' && c <= '9':
		f.num = min(max(f.num, 0)*10+int(c-'0'), 1<<20)
		return f.keep(b, w, c)
	case c != bel && skipped(c) || c == ' ' || c == '+':
		return f.keep(b, w, c)
	}
	if f.clipboard() && !f.Clipboard {
		w = f.refuse(b, w, drop)
		return f.dropping(b, w, c, false)
	}
	if c == ';' && (f.num == 50 || f.num == 1337) {
		f.state, f.word = oscArg, ""
		return f.keep(b, w, c)
	}
	if c != ';' {
		return f.pass(b, w, c, ground)
	}
	return f.pass(b, w, c, oscBody)
}

func (f *Filter) clipboard() bool { return f.num == 52 || f.num == 5522 }

// argument takes a byte after OSC 50 ; or OSC 1337 ; until it is clear what the
// sequence does.
func (f *Filter) argument(b []byte, w int, c byte) int {
	if c != bel && skipped(c) {
		return f.keep(b, w, c)
	}
	if f.num == 50 {
		if c == '?' && !f.Answerback {
			return f.refuse(b, w, drop)
		}
		if c == '#' || c == '+' || c == '-' || c >= '0' && c <= '9' || c == ' ' {
			return f.keep(b, w, c) // xterm: a font number, relative or not, before the "?"
		}
	} else if word, whole := f.spell(lower(c), "copy", "endcopy"); word {
		if whole && !f.Clipboard {
			return f.refuse(b, w, drop)
		} else if !whole {
			return f.keep(b, w, c)
		}
	}
	if c == '?' {
		f.queries++
	}
	if c == bel || c == can || c == sub {
		return f.pass(b, w, c, ground)
	}
	return f.pass(b, w, c, oscBody)
}

// spell adds c to the word being read and says whether it may still become, or
// is, one of words.
func (f *Filter) spell(c byte, words ...string) (part, whole bool) {
	for _, word := range words {
		if n := len(f.word); n < len(word) && word[:n] == f.word && word[n] == c {
			f.word = word[:n+1]
			return true, n+1 == len(word)
		}
	}
	return false, false
}

// lower folds case: iTerm2 does not tell "Copy" from "copy".
func lower(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// body takes a byte of an OSC that passes.
func (f *Filter) body(b []byte, w int, c byte, control bool) int {
	switch {
	case c == esc || c == 0xc2 || control:
		f.state = ground
		return f.begin(b, w, c, control)
	case c == bel || c == can || c == sub:
		f.state = ground
	case c == '?':
		f.queries++ // a colour is asked for, most likely
	}
	b[w] = c
	return w + 1
}

// device takes one of the first bytes of a DCS.
func (f *Filter) device(b []byte, w int, c byte) int {
	if skipped(c) {
		return f.keep(b, w, c)
	}
	part, whole := f.spell(c, "tmux;", "$q", "+q")
	switch {
	case !part:
		return f.pass(b, w, c, ground)
	case !whole:
		return f.keep(b, w, c)
	case strings.HasPrefix(f.word, "tmux"):
		if !f.Clipboard {
			return f.refuse(b, w, wrap)
		}
	default:
		f.queries++ // DECRQSS, XTGETTCAP
	}
	return f.pass(b, w, c, ground)
}

// params takes a byte of a CSI sequence. Its first number and final byte decide.
func (f *Filter) params(b []byte, w int, c byte) int {
	switch {
	case c >= '0' && c <= '9':
		if f.word == "" {
			f.num = min(max(f.num, 0)*10+int(c-'0'), 1<<20)
		}
	case c >= 0x20 && c <= 0x3f:
		if f.word == "" || c < 0x30 {
			f.word = marks[c : c+1] // the first separator or private mark, or the last intermediate
		}
	case skipped(c):
	case c == can || c == sub:
		return f.pass(b, w, c, ground)
	default:
		if c == 't' && (f.num == 20 || f.num == 21) && !f.Answerback {
			return f.refuse(b, w, ground)
		}
		if f.asks(c) {
			f.queries++
		}
		return f.pass(b, w, c, ground)
	}
	if f.n == len(f.hold) && f.num != 20 && f.num != 21 {
		return f.pass(b, w, c, ground) // long, as colours may be, and not what we look for
	}
	return f.keep(b, w, c)
}

// marks lets a one-byte string be cut without allocation.
var marks = func() string {
	var b [0x40]byte
	for i := range b {
		b[i] = byte(i)
	}
	return string(b[:])
}()

// asks says whether a terminal answers the CSI sequence that ends in final.
func (f *Filter) asks(final byte) bool {
	switch final {
	case 'c', 'n', 'x':
		return true // device attributes, status and cursor position, parameters
	case 't':
		return f.num >= 11
	case 'p':
		return f.word == "$" // DECRQM
	case 'q':
		return f.word == ">" // XTVERSION
	case 'u':
		return f.word == "?" // kitty's keyboard
	case 'y':
		return f.word == "*" // DECRQCRA
	}
	return false
}
