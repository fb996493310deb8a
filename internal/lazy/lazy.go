// Package lazy keeps regular expressions that are compiled when they are first
// used. A program knows many and one start of it needs few; some take a
// millisecond.
package lazy

import (
	"regexp"
	"sync"
)

// Regexp is the expression of text, compiled once. A text that is none panics at its
// first use, so every expression needs a test that uses it.
func Regexp(text string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(text) })
}
