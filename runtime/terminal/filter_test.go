package terminal

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"
)

// through runs input through a filter in pieces of the given sizes, in turn.
func through(e Escapes, input []byte, sizes ...int) []byte {
	f := Filter{Escapes: e}
	var out []byte
	buf := make([]byte, Room+len(input))
	for i := 0; len(input) > 0; i++ {
		n := min(max(1, sizes[i%len(sizes)]), len(input))
		copy(buf[Room:], input[:n])
		out = append(out, f.Apply(buf[:Room+n])...)
		input = input[n:]
	}
	return append(out, f.Close(buf)...)
}

func TestFilterRefuses(t *testing.T) {
	const st = "\x1b\\"
	for name, c := range map[string]struct{ in, want string }{
		"clipboard write, BEL":             {"a\x1b]52;c;AAAA\ab", "a" + st + "b"},
		"clipboard write, ST":              {"a\x1b]52;c;AAAA\x1b\\b", "a" + st + "b"},
		"clipboard write, C1 ST":           {"a\x1b]52;c;AAAA\x9cb", "a" + st + "b"},
		"clipboard write, C1 ST in UTF-8":  {"a\x1b]52;c;AAAA\xc2\x9cb", "a" + st + "b"},
		"clipboard read":                   {"a\x1b]52;c;?\ab", "a" + st + "b"},
		"clipboard without data":           {"a\x1b]52\ab", "a" + st + "b"},
		"C1 introducer":                    {"a\x9d52;c;AAAA\ab", "a" + st + "b"},
		"C1 introducer in UTF-8":           {"a\xc2\x9d52;c;AAAA\ab", "a" + st + "b"},
		"C1 introducer after a cut char":   {"\xe2\x80\x9d\x9d52;c;AAAA\ab", "\xe2\x80\x9d" + st + "b"},
		"C1 introducer, overlong":          {"\xe0\x82\x9d52;c;AAAA\ab", "\xe0\x82" + st + "b"},
		"leading zeros":                    {"\x1b]00052;c;AAAA\ab", st + "b"},
		"more zeros than are kept":         {"\x1b]" + strings.Repeat("0", 500) + "52;c;AAAA\ab", st + "b"},
		"controls inside":                  {"\x1b\n]\x005\r2\x7f;c;AAAA\ab", st + "b"},
		"unterminated":                     {"a\x1b]52;c;AAAA", "a" + st},
		"aborted by another sequence":      {"a\x1b]52;c;AA\x1b[1mb", "a" + st + "\x1b[1mb"},
		"aborted by CAN":                   {"a\x1b]52;c;AA\x18b", "a" + st + "b"},
		"one after another":                {"\x1b]52;c;A\x1b]52;c;B\ab", st + st + "b"},
		"inside a title":                   {"\x1b]0;x\x1b]52;c;A\ab", "\x1b]0;x" + st + "b"},
		"inside a DCS, as screen unwraps":  {"\x1bP\x1b]52;c;A\a\x1b\\b", "\x1bP" + st + st + "b"},
		"in tmux's passthrough":            {"a\x1bPtmux;\x1b\x1b]52;c;A\a\x1b\\b", "a" + st + "b"},
		"in tmux's passthrough twice":      {"a\x1bPtmux;\x1b\x1bPtmux;\x1b\x1b\x1b\x1b]52;c;A\a\x1b\x1b\\\x1b\\b", "a" + st + "b"},
		"in tmux's passthrough, C1":        {"a\x90tmux;\x1b\x1b]52;c;A\a\x1b\\b", "a" + st + "b"},
		"two halves around a refused one":  {"\x1b]5\x1b]52;c;A\a2;c;AAAA\a", "\x1b]5" + st + "2;c;AAAA\a"},
		"kitty's clipboard":                {"\x1b]5522;type=write\ab", st + "b"},
		"iTerm2's clipboard":               {"\x1b]1337;Copy=:AAAA\ab", st + "b"},
		"iTerm2's clipboard, long form":    {"\x1b]1337;CopyToClipboard=\axx\x1b]1337;EndCopy\ab", st + "xx" + st + "b"},
		"title report":                     {"a\x1b[21tb", "a" + st + "b"},
		"title report, icon":               {"a\x1b[20tb", "a" + st + "b"},
		"title report, more parameters":    {"a\x1b[21;0;0tb", "a" + st + "b"},
		"title report, C1":                 {"a\x9b21tb", "a" + st + "b"},
		"font report":                      {"a\x1b]50;?\ab", "a" + st + "b"},
		"font report by number":            {"a\x1b]50;#1?\ab", "a" + st + "b"},
		"clipboard after another sequence": {"\x1b[0m\x1b]52;;A\a", "\x1b[0m" + st},
	} {
		t.Run(name, func(t *testing.T) {
			for size := 1; size <= len(c.in); size++ {
				if got := through(Escapes{}, []byte(c.in), size); string(got) != c.want {
					t.Fatalf("in pieces of %d: %q\nbecomes %q\nwant    %q", size, c.in, got, c.want)
				}
			}
			all := Escapes{Clipboard: true, Answerback: true}
			if got := through(all, []byte(c.in), len(c.in)); len(c.in) < Room && !bytes.HasPrefix(got, []byte(c.in)) {
				t.Errorf("granted, %q becomes %q", c.in, got)
			}
		})
	}
}

func TestFilterPasses(t *testing.T) {
	for name, in := range map[string]string{
		"text":                      "hello\r\n\ttab\b\a",
		"colours":                   "\x1b[1;31mred\x1b[0m\x1b[38;2;1;2;3;48;2;4;5;6;4;9m",
		"a very long colour":        "\x1b[" + strings.Repeat("38;2;1;2;3;", 60) + "1mx",
		"underline style":           "\x1b[21m\x1b[21;31mx",
		"window size report":        "\x1b[18t\x1b[22;0t\x1b[23;0t",
		"title":                     "\x1b]0;title\x07\x1b]2;naïve — “title”\x1b\\",
		"hyperlink":                 "\x1b]8;;https://example.org/52;c\x1b\\x\x1b]8;;\x1b\\",
		"colour query":              "\x1b]11;?\x07",
		"OSC 5, 2 and 520":          "\x1b]5;x\a\x1b]2;52;c;AAAA\a\x1b]520;c\a",
		"cursor shape of Konsole":   "\x1b]50;CursorShape=1\x07",
		"iTerm2's marks":            "\x1b]1337;SetMark\x07\x1b]1337;CurrentDir=/\x07\x1b]1337;Col=1\a",
		"Linux console's palette":   "\x1b]P0000000\x1b]R",
		"sixel and DECRQSS":         "\x1bPq#0;2;0;0;0~~@@\x1b\\\x1bP$q q\x1b\\\x1bP+q544e\x1b\\\x1bPtmuz;x\x1b\\",
		"character sets":            "\x1b(0lqk\x1b(B\x1b)0\x1b%G\x1b7\x1b8\x1bc\x1b=\x1b>",
		"quotation marks":           "“52;c;AAAA” ”52;c;AAAA\a",
		"Cyrillic and Hangul":       "АБВГДабвгд Ð 흐흝 한글",
		"emoji":                     "😀👩‍👩‍👧‍👦🝐",
		"Latin-1 letters":           "caf\xe9 \xff\xfe na\xefve",
		"cut characters":            "\xe2\x80 \xf0\x9f\x98 \xc2",
		"other C1 controls":         "\x84\x85\xc2\x85\x9c\x98x\x9c",
		"double escape":             "\x1b\x1b[A\x1b\x1bOP",
		"NUL":                       "a\x00b\x00",
		"an aborted sequence":       "\x1b]5\x18x\x1b[2\x1ay\x1b\x18z",
		"the clipboard's name only": "]52;c;AAAA 52;c;AAAA",
	} {
		t.Run(name, func(t *testing.T) {
			for size := 1; size <= len(in); size++ {
				if got := through(Escapes{}, []byte(in), size); string(got) != in {
					t.Fatalf("in pieces of %d: %q\nbecomes %q", size, in, got)
				}
			}
		})
	}
}

func TestFilterEndsWhatWasLeftOpen(t *testing.T) {
	for in, want := range map[string]string{
		"\x1b":     "\x1b\x18",
		"\x1b[3":   "\x1b[3\x18",
		"\x1b]0;t": "\x1b]0;t\x18",
		"\x1b]5":   "\x1b]5\x18",
		"text":     "text",
		"\xc2":     "\xc2",
	} {
		if got := through(Escapes{}, []byte(in), 1); string(got) != want {
			t.Errorf("%q ends as %q, want %q", in, got, want)
		}
	}
}

func TestEightBitTerminal(t *testing.T) {
	in := []byte("\xe2\x80\x9d52;c;AAAA\ab")
	if got := through(Escapes{EightBit: true}, in, 100); string(got) != "\xe2\x80\x1b\\b" {
		t.Errorf("got %q", got)
	}
}

func TestQueriesAreNoticed(t *testing.T) {
	for in, want := range map[string]uint{
		"\x1b[c": 1, "\x1b[>0c": 1, "\x1b[6n": 1, "\x1b[?6n": 1, "\x1bZ": 1, "\x05": 1, "\x1b[18t": 1,
		"\x1b[?2026$p": 1, "\x1b[>0q": 1, "\x1b[?u": 1, "\x1b]11;?\a": 1, "\x1bP$qm\x1b\\": 1, "\x1bP+q544e\x1b\\": 1,
		"\x1b[1m": 0, "\x1b[2 q": 0, "\x1b[u": 0, "\x1b[!p": 0, "\x1b]0;title\a": 0, "\x1b[8;24;80t": 0, "what?": 0,
	} {
		f := Filter{}
		f.Apply(append(make([]byte, Room), in...))
		if f.queries != want {
			t.Errorf("%q: %d queries, want %d", in, f.queries, want)
		}
	}
}

func TestFilterAllocatesNothing(t *testing.T) {
	in := []byte(strings.Repeat("plain \x1b[1;32mgreen\x1b[0m “да” \x1b]52;c;AAAA\a\x1b]1337;Copy=x\a\x1bPtmux;x\x1b\\\n", 40))
	buf := make([]byte, Room+len(in))
	f := Filter{}
	if n := testing.AllocsPerRun(100, func() { copy(buf[Room:], in); f.Apply(buf) }); n != 0 {
		t.Errorf("%v allocations a piece", n)
	}
}

// emulator is another reading of the standards, made for this test: it says
// which OSC and title reports a terminal would act on.
type emulator struct {
	acts []string
}

// feed reads the way a terminal in UTF-8 mode does, or one that takes each byte
// for a character (eightBit).
func (e *emulator) feed(p []byte, eightBit bool) {
	var state byte // 0 ground, e escape, c csi, o osc, s other string
	var text []byte
	for len(p) > 0 {
		r, n := rune(p[0]), 1
		if p[0] >= 0x80 && !eightBit {
			if r, n = utf8.DecodeRune(p); n == 1 {
				r = 0xfffd
			}
		}
		p = p[n:]
		finish := func() {
			if state == 'o' {
				e.osc(string(text))
			}
			state, text = 0, nil
		}
		switch {
		case r == 0x1b:
			finish() // real terminals differ on whether this dispatches: assume the worse
			state = 'e'
			continue
		case r == 0x18 || r == 0x1a:
			state, text = 0, nil
			continue
		case r == 0x9d:
			finish()
			state = 'o'
			continue
		case r == 0x9b:
			finish()
			state = 'c'
			continue
		case r == 0x90 || r == 0x98 || r == 0x9e || r == 0x9f:
			finish()
			state = 's'
			continue
		case r == 0x9c:
			finish()
			continue
		}
		switch state {
		case 'e':
			switch {
			case r < 0x20 || r == 0x7f:
			case r == ']':
				state = 'o'
			case r == '[':
				state = 'c'
			case strings.ContainsRune("PX^_", r):
				state = 's'
			default:
				state = 0
			}
		case 'o':
			switch {
			case r == 7:
				finish()
			case r >= 0x20 && r != 0x7f:
				text = append(text, string(r)...)
			}
		case 'c':
			switch {
			case r < 0x20 || r == 0x7f:
			case r >= 0x40 && r < 0x7f:
				first, _, _ := strings.Cut(string(text), ";")
				first = strings.TrimLeft(first, "0")
				if r == 't' && (first == "20" || first == "21") {
					e.acts = append(e.acts, "title report")
				}
				state, text = 0, nil
			default:
				text = append(text, string(r)...)
			}
		}
	}
}

func (e *emulator) osc(text string) {
	number, rest, more := strings.Cut(text, ";")
	switch strings.TrimLeft(number, "0") {
	case "52", "5522":
		if more {
			e.acts = append(e.acts, "clipboard")
		}
	case "50":
		if strings.HasPrefix(rest, "?") {
			e.acts = append(e.acts, "font report")
		}
	case "1337":
		if low := strings.ToLower(rest); strings.HasPrefix(low, "copy") || strings.HasPrefix(low, "endcopy") {
			e.acts = append(e.acts, "clipboard")
		}
	}
}

// unwrap is what tmux hands to the terminal outside of it.
func unwrap(p []byte) []byte {
	var out []byte
	for {
		i := bytes.Index(p, []byte("\x1bPtmux;"))
		if i < 0 {
			return out
		}
		p = p[i+7:]
		for len(p) > 0 {
			if p[0] != esc {
				out = append(out, p[0])
				p = p[1:]
				continue
			}
			if len(p) < 2 || p[1] == '\\' {
				p = p[min(2, len(p)):]
				break
			}
			out = append(out, p[1])
			p = p[2:]
		}
	}
}

func FuzzFilter(f *testing.F) {
	for _, seed := range []string{
		"plain", "\x1b]52;c;AAAA\a", "\x1b]52;c;AAAA\x1b\\x", "\x9d52;c;A\x9c", "\xc2\x9d052;\xc2\x9c", "“”52;c",
		"\x1bPtmux;\x1b\x1b]52;c;A\a\x1b\\", "\x1b]5\x1b]52;c;A\a2;c;A\a", "\x1b[21t\x1b[1;2m", "\x1b]50;?\a",
		"\x1b]1337;Copy=:A\a", "\x1b]0;title\a\x1b[38;2;1;2;3m", "\x1b\n]\r52;;\a", "\xe0\x82\x9d52;A\a", "\xf0\x9d\x9d\x9d",
		"\x1b]\x1b]\x1b]52;\x18;\a", "\x90tmux;\x9d52;\a\x1b\\", "\x1bP\x1b]52;c;A\a\x1b\\", "\x1b[2\x1b[21t1t",
	} {
		f.Add([]byte(seed), uint8(1), uint8(3))
	}
	f.Fuzz(func(t *testing.T, input []byte, a, b uint8) {
		whole := through(Escapes{}, input, len(input)+1)
		if pieces := through(Escapes{}, input, int(a), int(b)); !bytes.Equal(whole, pieces) {
			t.Fatalf("%q becomes %q whole and %q in pieces of %d and %d", input, whole, pieces, a, b)
		}
		for _, eightBit := range []bool{false, true} {
			got := whole
			if eightBit {
				got = through(Escapes{EightBit: true}, input, len(input)+1)
			}
			for what, bytes := range map[string][]byte{"terminal": got, "terminal outside tmux": unwrap(got)} {
				var e emulator
				if e.feed(bytes, eightBit); len(e.acts) > 0 {
					t.Fatalf("%q becomes %q: the %s does %v", input, got, what, e.acts)
				}
			}
			if again := through(Escapes{EightBit: eightBit}, got, len(got)+1); !bytes.Equal(again, got) {
				t.Fatalf("%q becomes %q, and that %q", input, got, again)
			}
		}
		if granted := through(Escapes{Clipboard: true, Answerback: true}, input, int(a)); !bytes.Equal(bytes.TrimSuffix(granted, []byte{can}), bytes.TrimSuffix(input, []byte{can})) && len(input) < held {
			t.Fatalf("with everything granted, %q becomes %q", input, granted)
		}
		if harmless(input) && !bytes.Equal(bytes.TrimSuffix(whole, []byte{can}), bytes.TrimSuffix(input, []byte{can})) {
			t.Fatalf("nothing in %q is refused, but it becomes %q", input, whole)
		}
	})
}

// harmless is a coarse sign that nothing can be refused.
func harmless(p []byte) bool {
	for _, part := range []string{"52", "50", "1337", "tmux;", "t"} {
		digits := strings.NewReplacer(" ", "", "+", "").Replace(strings.Map(func(r rune) rune {
			if r < 0x20 || r == 0x7f {
				return -1
			}
			return r
		}, string(p)))
		if strings.Contains(digits, part) {
			return false
		}
	}
	return len(p) < held
}

func BenchmarkFilter(b *testing.B) {
	for _, c := range []struct{ name, line string }{
		{"plain", "The quick brown fox jumps over the lazy dog, and then some.\n"},
		{"colour", "\x1b[1;32mThe quick\x1b[0m brown \x1b[4mfox\x1b[24m jumps over the lazy dog.\n"},
		{"utf8", "Съешь же ещё этих мягких французских булок “да” выпей чаю.\n"},
	} {
		b.Run(c.name, func(b *testing.B) {
			data := []byte(strings.Repeat(c.line, 4096/len(c.line)))
			buf := make([]byte, Room+len(data))
			f := Filter{}
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				copy(buf[Room:], data)
				f.Apply(buf)
			}
		})
	}
}
