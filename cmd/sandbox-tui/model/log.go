package model

import (
	"regexp"
	"strings"

	"sandbox/internal/safe"
)

// MaxLog is how many lines of a log are kept.
const MaxLog = 5000

// colours are what programs write when they believe in a terminal. Without them
// the text says the same; every other escape is left for safe.Text to show.
var colours = regexp.MustCompile(`\x1b\[[0-9;:]*m`)

// LogLines makes lines fit for a screen out of what an app wrote, the last
// MaxLog of them. With whole set data begins at the beginning of a line.
func LogLines(data string, whole bool) []Line {
	if !whole {
		_, data, _ = strings.Cut(data, "\n")
	}
	data = strings.TrimSuffix(data, "\n")
	if data == "" {
		return nil
	}
	texts := strings.Split(data, "\n")
	texts = texts[max(0, len(texts)-MaxLog):]
	out := make([]Line, len(texts))
	for i, t := range texts {
		t = strings.TrimSuffix(colours.ReplaceAllString(t, ""), "\r")
		out[i] = line(Span{safe.Text(strings.ReplaceAll(t, "\t", "    ")), Plain})
	}
	return out
}
