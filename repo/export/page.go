package export

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

const (
	maxPage       = 1 << 20 // as it is in the bundle
	maxPageText   = 4 << 20 // unpacked
	maxCompletion = 256 << 10
)

// manPage is a manual page unpacked, without control characters: a page is shown
// by programs that trust it.
func manPage(name string, unsafePage []byte) (file string, text []byte, err error) {
	file, packed := strings.CutSuffix(name, ".gz")
	text = unsafePage
	if packed {
		if text, err = gunzip(unsafePage); err != nil {
			return "", nil, err
		}
	}
	if bytes.HasPrefix(text, []byte{0x1f, 0x8b}) {
		return "", nil, errors.New("is packed, but its name does not end with .gz")
	}
	if err := plainText(text); err != nil {
		return "", nil, err
	}
	return file, text, nil
}

func gunzip(data []byte) ([]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("cannot be unpacked: %w", err)
	}
	text, err := io.ReadAll(io.LimitReader(z, maxPageText+1))
	if err != nil {
		return nil, fmt.Errorf("cannot be unpacked: %w", err)
	}
	if len(text) > maxPageText {
		return nil, fmt.Errorf("is larger than %d KiB when unpacked", maxPageText>>10)
	}
	return text, nil
}

// plainText refuses control characters but tab and the line ends.
func plainText(text []byte) error {
	for i, c := range text {
		if c < ' ' && c != '\t' && c != '\n' && c != '\r' || c == 0x7f {
			return fmt.Errorf("holds the control character %#02x at byte %d", c, i)
		}
	}
	if !utf8.Valid(text) {
		return errors.New("is not UTF-8")
	}
	return nil
}

// pageDir is where a page belongs: SECTION is a digit and perhaps letters.
func pageDir(file string) (dir, stem string) {
	i := strings.LastIndexByte(file, '.')
	return "man/man" + file[i+1:i+2], file[:i]
}

// completionFile is where the shells look for a completion of that name.
func completionFile(name string) (path, command string) {
	if command, ok := strings.CutPrefix(name, "_"); ok {
		return "zsh/site-functions/" + name, command
	}
	if command, ok := strings.CutSuffix(name, ".fish"); ok {
		return "fish/vendor_completions.d/" + name, command
	}
	command = strings.TrimSuffix(name, ".bash")
	return "bash-completion/completions/" + command, command
}
