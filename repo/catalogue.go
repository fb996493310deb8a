package repo

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"

	"sandbox/manifest"
)

// CatalogueRow is what a search shows about one ref of the repository.
type CatalogueRow struct {
	Ref         Ref
	N           uint64
	Version     string
	Name        string
	Summary     string
	License     string
	Homepage    string
	Permissions Digest
	Installed   int64
	Download    int64
	Icon        []byte // PNG, or nothing
}

// Limits of a catalogue.
const (
	MaxCatalogue = 32 << 20 // stored bytes
	MaxRows      = 100_000
	MaxIcon      = 32 << 10
)

var catalogueLimits = limits{MaxCatalogue, 128 << 20}

const catalogueType = "sandbox-catalogue"

type catalogueLine struct {
	Ref         Ref    `json:"ref"`
	N           uint64 `json:"n"`
	Version     string `json:"version"`
	Name        string `json:"name"`
	Summary     string `json:"summary"`
	License     string `json:"license"`
	Homepage    string `json:"homepage"`
	Permissions Digest `json:"permissions"`
	Installed   int64  `json:"installed"`
	Download    int64  `json:"download"`
	Icon        string `json:"icon,omitempty"`
}

// EncodeCatalogue gives the stored bytes; rows are sorted by ref.
func EncodeCatalogue(rows []CatalogueRow) ([]byte, error) {
	if err := checkRows(rows); err != nil {
		return nil, fmt.Errorf("cannot write a catalogue: %w", err)
	}
	w := newLineWriter()
	w.line(locatorHeader{catalogueType, Format})
	for _, r := range rows {
		w.line(catalogueLine{r.Ref, r.N, r.Version, r.Name, r.Summary, r.License, r.Homepage, r.Permissions, r.Installed, r.Download,
			base64.StdEncoding.EncodeToString(r.Icon)})
	}
	stored, err := w.stored(catalogueLimits)
	if err != nil {
		return nil, fmt.Errorf("cannot write a catalogue: %w", err)
	}
	return stored, nil
}

// DecodeCatalogue reads stored bytes, whose digest the caller has compared.
func DecodeCatalogue(stored []byte) ([]CatalogueRow, error) {
	rows, err := decodeCatalogue(stored)
	if err != nil {
		return nil, fmt.Errorf("cannot read catalogue: %w", err)
	}
	return rows, nil
}

func decodeCatalogue(stored []byte) ([]CatalogueRow, error) {
	r, err := newLineReader(stored, catalogueLimits)
	if err != nil {
		return nil, err
	}
	defer r.close()
	var h locatorHeader
	if err := r.header(&h, func() error { return checkType(h.Type, h.Format, catalogueType) }); err != nil {
		return nil, err
	}
	var rows []CatalogueRow
	last := ""
	for {
		var l catalogueLine
		if err := r.next(&l); err == io.EOF {
			break
		} else if err != nil {
			return nil, err
		}
		icon, err := base64.StdEncoding.Strict().DecodeString(l.Icon)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", r.n, err)
		}
		row := CatalogueRow{l.Ref, l.N, l.Version, l.Name, l.Summary, l.License, l.Homepage, l.Permissions, l.Installed, l.Download, nil}
		if len(icon) > 0 {
			row.Icon = icon
		}
		if err := row.follows(&last, len(rows)); err != nil {
			return nil, err
		}
		rows = append(rows, row)
	}
	return rows, nil
}

func checkRows(rows []CatalogueRow) error {
	last := ""
	for i := range rows {
		if err := rows[i].follows(&last, i); err != nil {
			return err
		}
	}
	return nil
}

// follows checks a row that comes after n others, the last of them for the ref
// last.
func (r *CatalogueRow) follows(last *string, n int) error {
	if n >= MaxRows {
		return fmt.Errorf("over %d rows", MaxRows)
	}
	if err := r.check(); err != nil {
		return fmt.Errorf("row %d: %w", n+1, err)
	}
	ref := r.Ref.String()
	if ref <= *last {
		return fmt.Errorf("row %d: %s is not in order", n+1, ref)
	}
	*last = ref
	return nil
}

var pngMagic = []byte("\x89PNG\r\n\x1a\n")

func (r *CatalogueRow) check() error {
	if err := r.Ref.check(); err != nil {
		return err
	}
	if err := manifest.CheckVersion(r.Version); err != nil {
		return err
	}
	switch {
	case r.N == 0 || r.N > MaxN:
		return fmt.Errorf("release number %d", r.N)
	case r.Permissions.IsZero():
		return fmt.Errorf("%s has no permissions", r.Ref)
	case r.Installed < 0 || r.Installed > MaxBytes || r.Download < 0 || r.Download > MaxBytes:
		return fmt.Errorf("download of %d bytes, %d installed", r.Download, r.Installed)
	case len(r.Icon) > MaxIcon || len(r.Icon) > 0 && !bytes.HasPrefix(r.Icon, pngMagic):
		return fmt.Errorf("icon of %s is no PNG of at most %d bytes", r.Ref, MaxIcon)
	}
	for _, s := range []struct {
		what, text string
		limit      int
	}{{"name", r.Name, 80}, {"summary", r.Summary, 200}, {"license", r.License, 1024}, {"homepage", r.Homepage, 2048}} {
		if err := checkSentence(s.what, s.text, s.limit); err != nil {
			return err
		}
	}
	return nil
}
