package export

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
)

const (
	maxXMLDepth    = 64
	maxXMLElements = 20000
)

// svgRefused are elements that run code, or show something that is not in the
// file.
var svgRefused = map[string]bool{"script": true, "foreignobject": true, "iframe": true, "object": true, "embed": true,
	"audio": true, "video": true, "handler": true, "listener": true, "include": true, "set": true, "animate": true}

// checkSVG looks at every element of a drawing. Programs that show icons should
// do the same; that they do is not relied on.
func checkSVG(data []byte) error {
	first := true
	err := walkXML(data, func(e xml.StartElement) error {
		name := strings.ToLower(e.Name.Local)
		if first && (name != "svg" || e.Name.Space != "http://www.w3.org/2000/svg") {
			return fmt.Errorf("is not an SVG picture: its first element is %q", e.Name.Local)
		}
		first = false
		if svgRefused[name] {
			return fmt.Errorf("holds the element %q", e.Name.Local)
		}
		for _, a := range e.Attr {
			if err := svgAttribute(a); err != nil {
				return err
			}
		}
		return nil
	}, styleText)
	if err == nil && first {
		err = errors.New("is not an SVG picture: it is empty")
	}
	return err
}

func svgAttribute(a xml.Attr) error {
	name := strings.ToLower(a.Name.Local)
	value := strings.TrimSpace(a.Value)
	switch {
	case strings.HasPrefix(name, "on"):
		return fmt.Errorf("holds code in the attribute %q", a.Name.Local)
	case name == "href" || name == "src" || name == "base":
		if value != "" && !strings.HasPrefix(value, "#") && !strings.HasPrefix(value, "data:image/png;base64,") && !strings.HasPrefix(value, "data:image/jpeg;base64,") {
			return fmt.Errorf("refers to %q, which is not in it", clip(value))
		}
		return nil
	case a.Name.Space == "" && strings.Contains(value, `\`):
		return fmt.Errorf("holds the attribute %q that is not plain", a.Name.Local)
	}
	return styleText(value)
}

// styleText refuses styles that fetch something. Backslashes could hide the
// words from us, not from a reader of styles.
func styleText(text string) error {
	low := strings.ToLower(text)
	if strings.Contains(low, "@import") || strings.Contains(low, `\`) && strings.Contains(low, "{") {
		return errors.New("holds a style that is not plain")
	}
	for rest := low; ; {
		_, after, found := strings.Cut(rest, "url(")
		if !found {
			return nil
		}
		if target := strings.TrimLeft(after, " \t\r\n\"'"); !strings.HasPrefix(target, "#") {
			return fmt.Errorf("refers to %q, which is not in it", clip(target))
		}
		rest = after
	}
}

// walkXML reads a document with limits. There is no document type, so there are
// no entities but the five; of processing instructions there is the declaration
// alone.
func walkXML(data []byte, element func(xml.StartElement) error, text func(string) error) error {
	d := xml.NewDecoder(bytes.NewReader(data))
	d.Strict = true
	d.CharsetReader = func(charset string, _ io.Reader) (io.Reader, error) {
		return nil, fmt.Errorf("is in the encoding %q, not UTF-8", clip(charset))
	}
	depth, elements, roots := 0, 0, 0
	for {
		token, err := d.Token()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("is not sound XML: %w", err)
		}
		switch t := token.(type) {
		case xml.StartElement:
			depth, elements = depth+1, elements+1
			if depth == 1 {
				roots++
			}
			if depth > maxXMLDepth || elements > maxXMLElements || roots > 1 {
				return errors.New("has too many elements")
			}
			err = element(t)
		case xml.EndElement:
			depth--
		case xml.CharData:
			err = text(string(t))
		case xml.Directive:
			err = errors.New("has a document type or declaration")
		case xml.ProcInst:
			if t.Target != "xml" {
				err = fmt.Errorf("has the processing instruction %q", clip(t.Target))
			}
		}
		if err != nil {
			return err
		}
	}
}

func clip(s string) string {
	if len(s) > 60 {
		return s[:60] + "…"
	}
	return s
}
