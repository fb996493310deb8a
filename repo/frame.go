package repo

import (
	"errors"
	"fmt"

	"github.com/klauspost/compress/zstd"
)

// checkFrame wants stored to be one zstd frame and nothing else (RFC 8878,
// section 3.1.1). A decoder goes on with the next frame after the first, and
// passes over those that are to be skipped: one hash would have two spellings
// of the same document, and room for things in between.
func checkFrame(stored []byte) error {
	var h zstd.Header
	if err := h.Decode(stored); err != nil {
		return err
	}
	switch {
	case h.Skippable:
		return errors.New("it is a frame to be skipped")
	case h.DictionaryID != 0:
		return errors.New("it wants a dictionary")
	case !h.SingleSegment && h.WindowSize > MaxWindow, h.SingleSegment && h.FrameContentSize > MaxWindow:
		return fmt.Errorf("it needs a window of over %d bytes", MaxWindow)
	}
	rest := stored[h.HeaderSize:]
	for last := false; !last; {
		if len(rest) < 3 {
			return errCut
		}
		block := int(rest[0]) | int(rest[1])<<8 | int(rest[2])<<16
		last = block&1 != 0
		size := block >> 3
		if kind := block >> 1 & 3; kind == 1 { // a byte, repeated
			size = 1
		}
		if len(rest)-3 < size {
			return errCut
		}
		rest = rest[3+size:]
	}
	if h.HasCheckSum {
		if len(rest) < 4 {
			return errCut
		}
		rest = rest[4:]
	}
	if len(rest) != 0 {
		return fmt.Errorf("%d bytes follow its end", len(rest))
	}
	return nil
}

var errCut = errors.New("it is cut short")
