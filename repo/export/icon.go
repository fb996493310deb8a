package export

import (
	"bytes"
	"errors"
	"fmt"
	"image/png"
	"strings"
)

const (
	maxIcon     = 1 << 20
	maxIconSide = 1024
)

// hicolor are the sizes that every icon theme inherits, from small to large.
var hicolor = []int{16, 22, 24, 32, 36, 48, 64, 72, 96, 128, 192, 256, 512}

// icon is a picture and its place in the theme hicolor.
func icon(name string, unsafePicture []byte) (dir string, data []byte, err error) {
	if strings.HasSuffix(name, ".svg") {
		if err := checkSVG(unsafePicture); err != nil {
			return "", nil, err
		}
		if strings.HasSuffix(name, "-symbolic.svg") {
			return "symbolic/apps", unsafePicture, nil
		}
		return "scalable/apps", unsafePicture, nil
	}
	side, data, err := cleanPNG(unsafePicture)
	if err != nil {
		return "", nil, err
	}
	size := hicolor[0]
	for _, s := range hicolor {
		if s <= side {
			size = s
		}
	}
	return fmt.Sprintf("%dx%d/apps", size, size), data, nil
}

// cleanPNG decodes a square picture and encodes it again: what the desktop's
// decoder gets to see was written by ours. The size is looked at first, so that
// a small file cannot ask for much memory.
func cleanPNG(unsafePicture []byte) (side int, data []byte, err error) {
	config, err := png.DecodeConfig(bytes.NewReader(unsafePicture))
	if err != nil {
		return 0, nil, fmt.Errorf("is not a PNG picture: %w", err)
	}
	if config.Width != config.Height || config.Width < 8 || config.Width > maxIconSide {
		return 0, nil, fmt.Errorf("is %d by %d pixels; an icon is a square of 8 to %d", config.Width, config.Height, maxIconSide)
	}
	picture, err := png.Decode(bytes.NewReader(unsafePicture))
	if err != nil {
		return 0, nil, fmt.Errorf("is not a PNG picture: %w", err)
	}
	var out bytes.Buffer
	if err := png.Encode(&out, picture); err != nil {
		return 0, nil, err
	}
	if out.Len() > 4*maxIcon {
		return 0, nil, errors.New("is too large")
	}
	return config.Width, out.Bytes(), nil
}
