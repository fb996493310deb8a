package export

import (
	"cmp"
	"encoding/binary"
	"slices"
	"strings"
)

// mimeBinary is mime.cache of the Shared MIME-info specification, version 1.2:
// numbers of 32 bits, big-endian, and offsets from the start of the file. GLib
// reads no other form once one of its directories has this one.
func mimeBinary(all []fileType) []byte {
	c := &mimeWriter{texts: map[string]uint32{}, data: make([]byte, 4+9*4)}
	binary.BigEndian.PutUint16(c.data[0:], 1)
	binary.BigEndian.PutUint16(c.data[2:], 2)
	var literals, parents [][]uint32
	root := &suffix{}
	for _, t := range all {
		for _, g := range t.globs {
			if rest, ok := strings.CutPrefix(g, "*"); ok {
				root.add(strings.ToLower(rest), t.name)
			} else {
				literals = append(literals, []uint32{c.text(strings.ToLower(g)), c.text(t.name), mimeWeight})
			}
		}
		if len(t.parents) > 0 {
			list := make([]uint32, 0, len(t.parents)+1)
			list = append(list, uint32(len(t.parents)))
			for _, p := range t.parents {
				list = append(list, c.text(p))
			}
			parents = append(parents, []uint32{c.text(t.name), c.put(list...)})
		}
	}
	// Readers look names up by halving, so they are in the order of their texts.
	for _, list := range [][][]uint32{literals, parents} {
		slices.SortFunc(list, func(a, b []uint32) int { return cmp.Compare(c.textAt(a[0]), c.textAt(b[0])) })
	}
	none := c.put(0)
	for i, offset := range []uint32{
		none,              // aliases
		c.table(parents),  // parents
		c.table(literals), // names
		c.suffixes(root),  // endings
		none,              // patterns
		c.put(0, 0, none), // rules on contents: how many, how far they look, where
		none,              // XML name spaces
		none,              // icons
		none,              // generic icons
	} {
		binary.BigEndian.PutUint32(c.data[4+4*i:], offset)
	}
	return c.data
}

type mimeWriter struct {
	data  []byte
	texts map[string]uint32
}

// put appends numbers and gives their offset.
func (c *mimeWriter) put(numbers ...uint32) uint32 {
	at := uint32(len(c.data))
	for _, n := range numbers {
		c.data = binary.BigEndian.AppendUint32(c.data, n)
	}
	return at
}

// text appends a text once, ended by NUL and filled up to whole numbers.
func (c *mimeWriter) text(s string) uint32 {
	at, ok := c.texts[s]
	if !ok {
		at = uint32(len(c.data))
		c.texts[s] = at
		c.data = append(c.data, s...)
		c.data = append(c.data, make([]byte, 4-len(s)%4)...)
	}
	return at
}

func (c *mimeWriter) textAt(at uint32) string {
	s, _, _ := strings.Cut(string(c.data[at:]), "\x00")
	return s
}

// table is a count and rows.
func (c *mimeWriter) table(rows [][]uint32) uint32 {
	at := c.put(uint32(len(rows)))
	for _, row := range rows {
		c.put(row...)
	}
	return at
}

// suffix is a node of the tree of endings, which is walked from the last letter
// of a name to the first.
type suffix struct {
	letter byte
	below  []*suffix // by letter
	types  []string  // that end here
}

func (s *suffix) add(ending, name string) {
	if ending == "" {
		if !slices.Contains(s.types, name) {
			s.types = append(s.types, name)
		}
		return
	}
	last := ending[len(ending)-1]
	i, found := slices.BinarySearchFunc(s.below, last, func(b *suffix, l byte) int { return cmp.Compare(b.letter, l) })
	if !found {
		s.below = slices.Insert(s.below, i, &suffix{letter: last})
	}
	s.below[i].add(ending[:len(ending)-1], name)
}

// suffixes is the tree: how many roots, and where.
func (c *mimeWriter) suffixes(root *suffix) uint32 {
	n, at := c.children(root)
	return c.put(n, at)
}

// children writes the nodes below one: the types that end there, with a letter
// of 0, then the letters.
func (c *mimeWriter) children(s *suffix) (n, at uint32) {
	var rows []uint32
	for _, t := range s.types {
		rows = append(rows, 0, c.text(t), mimeWeight)
	}
	for _, b := range s.below {
		n, at := c.children(b)
		rows = append(rows, uint32(b.letter), n, at)
	}
	return uint32(len(rows) / 3), c.put(rows...)
}
