package model

// Tone is what a piece of text means; a theme makes a colour of it. No meaning
// is carried by tone alone.
type Tone uint8

const (
	Plain Tone = iota
	Dim
	Strong
	Good
	Warn
	Bad
)

// Span is text of one tone.
type Span struct {
	Text string
	Tone Tone
}

// Line is a paragraph. What does not fit is continued below, indented by Hang
// columns.
type Line struct {
	Spans []Span
	Hang  int
}

func line(spans ...Span) Line { return Line{Spans: spans} }
