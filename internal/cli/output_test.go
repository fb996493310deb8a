package cli

import (
	"bytes"
	"encoding/json"
	"testing"
)

// JSON goes to terminals too: nothing in it may act there, and a program reads
// what was meant.
func TestWriteJSONIsPlain(t *testing.T) {
	hostile := "a\x1b[2K\x7f\u009b2J\u202eb\u2066\u200b\u00ad\U000e0041\r\n\\u009b é 漢 😀 <&>"
	var b bytes.Buffer
	if err := WriteJSON(&b, map[string]string{hostile: hostile}); err != nil {
		t.Fatal(err)
	}
	for _, r := range b.String() {
		switch {
		case r == '\n':
		case r < 0x20, r >= 0x7f && r < 0xa0, r == '\u00ad', r == '\u202e', r == '\u2066', r == '\u200b', r == '\U000e0041':
			t.Errorf("%U is in the output", r)
		}
	}
	var back map[string]string
	if err := json.Unmarshal(b.Bytes(), &back); err != nil || back[hostile] != hostile {
		t.Errorf("%q, %v", back, err)
	}
	if !bytes.Contains(b.Bytes(), []byte("é 漢 😀 <&>")) {
		t.Errorf("plain text was changed: %s", b.Bytes())
	}
}
