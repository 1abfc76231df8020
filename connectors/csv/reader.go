package csv

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"time"

	"github.com/troupeio/troupe/codec/data"
	"github.com/troupeio/troupe/connectors"
	"github.com/troupeio/troupe/connectors/file/textfile"
)

// Names in the source partition and offset.
const (
	filenameField = "filename"
	positionField = "position"
)

// lookEvery is how often a file that brings nothing is looked for, or at, anew.
const lookEvery = 100 * time.Millisecond

var byteOrderMark = []byte("\ufeff")

// reader follows one file.
type reader struct {
	path string
	log  *slog.Logger
	set  *settings
	max  int // row.max.bytes

	template data.Record
	start    int64 // position to open the file at
	tail     *textfile.Tail
	warned   bool      // of the missing file
	looked   time.Time // for the file, or whether it is still the same

	scan     scanner
	columns  []column // known once the header was read
	schema   *data.Schema
	skipping bool // to the next line end, after a row that was too long
	fields   []field

	skip    bool // on.error=skip
	skipped int64
	told    time.Time // of skipped rows
}

// open opens the file at the stored position; false while there is none.
func (r *reader) open() (bool, error) {
	if time.Since(r.looked) < lookEvery {
		return false, nil
	}
	r.looked = time.Now()
	tail, past, err := textfile.Open(r.path, r.start)
	switch {
	case errors.Is(err, os.ErrNotExist):
		if !r.warned {
			r.warned = true
			r.log.Warn("The file is not there; waiting for it", "file", r.path)
		}
		return false, nil
	case err != nil:
		return false, connectors.Errorf("following %s: %w", r.path, err)
	case past:
		r.log.Warn("The stored position is past the end of the file, which must have been replaced or truncated; reading it from its start",
			"file", r.path, "position", r.start)
	}
	r.tail = tail
	if tail.Pos() > 0 && r.set.header {
		if err := r.readHeader(); err != nil {
			_ = tail.Close()
			r.tail = nil
			return false, err
		}
	}
	return true, nil
}

// readHeader reads the first row of a file whose rows are resumed further on.
func (r *reader) readHeader() error {
	tail, _, err := textfile.Open(r.path, 0)
	if err != nil {
		return connectors.Errorf("reading the header of %s: %w", r.path, err)
	}
	defer func() { _ = tail.Close() }()
	for s := (scanner{}); ; {
		n, err := tail.Fill()
		if err != nil {
			return connectors.Errorf("reading the header of %s: %w", r.path, err)
		}
		if end, ok := s.next(tail.Bytes(), r.set.dialect); ok {
			return r.header(tail.Bytes()[:end])
		}
		if n == 0 || len(tail.Bytes()) > r.max {
			return data.Errorf("reading the header of %s: its first row does not end", r.path)
		}
	}
}

// header takes the names of columns from the first row; types come from the
// settings.
func (r *reader) header(row []byte) error {
	bad := func(format string, args ...any) error {
		return data.Errorf("reading the header of %s: %s", r.path, fmt.Sprintf(format, args...))
	}
	fields, err := split(bytes.TrimPrefix(row, byteOrderMark), r.set.dialect, nil)
	if err != nil {
		return bad("column %d: %v", len(fields)+1, err)
	}
	types := make(map[string]column)
	for _, c := range r.set.columns {
		types[c.name] = c
	}
	columns := make([]column, len(fields))
	for i, f := range fields {
		name := string(textfile.ToUTF8(f.text))
		c, ok := types[name]
		if !ok {
			c = column{name: name, schema: data.OptionalStringSchema}
		}
		columns[i] = c
	}
	for _, c := range r.set.columns {
		if !slices.ContainsFunc(columns, func(h column) bool { return h.name == c.name }) {
			return bad("column %q of the setting %q is not in it", c.name, columnsKey)
		}
	}
	if err := r.setColumns(columns); err != nil {
		return bad("%v", err)
	}
	return nil
}

func (r *reader) setColumns(columns []column) error {
	b := data.NewStructSchema()
	for i, c := range columns {
		if c.name == "" {
			return fmt.Errorf("column %d has no name", i+1)
		}
		b.Field(c.name, c.schema)
	}
	s, err := b.Build()
	if err != nil {
		return err
	}
	// Files with the same columns share their schema, and so do restarts of one.
	if r.schema == nil || !r.schema.Equal(s) {
		r.schema = s
	}
	r.columns, r.template.ValueSchema = columns, r.schema
	return nil
}

// collect appends rows to out until there are most, or no more just now.
func (r *reader) collect(ctx context.Context, out []data.Record, most int) ([]data.Record, error) {
	if r.tail == nil {
		if ok, err := r.open(); !ok {
			return out, err
		}
	}
	for len(out) < most && ctx.Err() == nil {
		n, complete := r.scanRow()
		if complete {
			rec, err := r.row(r.tail.Bytes()[:n], r.tail.Pos(), r.tail.Pos()+int64(n))
			if err != nil {
				// The row stays where it is: what comes before it goes out first.
				return out, err
			}
			if rec != nil {
				out = append(out, *rec)
			}
			r.tail.Consume(n)
			continue
		}
		if len(r.tail.Bytes()) > r.max && !r.skipping {
			if err := r.bad(r.tail.Pos(), fmt.Errorf("it has more than %d bytes and no end; is a quote not closed?", r.max)); err != nil {
				return out, err
			}
			r.scan, r.skipping = scanner{}, true
			continue
		}
		if n, err := r.tail.Fill(); err != nil {
			return out, err
		} else if n > 0 {
			continue
		}
		rec, err := r.atEnd()
		if rec != nil {
			out = append(out, *rec)
		}
		return out, err
	}
	return out, nil
}

// scanRow is scanner.next on what is read, after what is to be skipped.
func (r *reader) scanRow() (int, bool) {
	if r.skipping {
		b := r.tail.Bytes()
		i := bytes.IndexByte(b, '\n')
		if i < 0 {
			r.tail.Consume(len(b))
			return 0, false
		}
		r.tail.Consume(i + 1)
		r.skipping = false
	}
	return r.scan.next(r.tail.Bytes(), r.set.dialect)
}

// row makes a record of a row that starts at pos; nil for the header, for blank
// lines and for rows that are skipped.
func (r *reader) row(row []byte, pos, next int64) (*data.Record, error) {
	if pos == 0 {
		row = bytes.TrimPrefix(row, byteOrderMark)
	}
	if r.columns == nil {
		if r.set.header {
			return nil, r.header(row)
		}
		if err := r.setColumns(r.set.columns); err != nil {
			return nil, err
		}
	}
	if len(trimEnd(row)) == 0 && len(r.columns) > 1 {
		return nil, nil
	}
	fields, err := split(row, r.set.dialect, r.fields[:0])
	r.fields = fields
	if err != nil {
		return nil, r.bad(pos, r.inColumn(len(fields), err))
	}
	if len(fields) != len(r.columns) {
		return nil, r.bad(pos, fmt.Errorf("it has %d fields and the file %d columns", len(fields), len(r.columns)))
	}
	vals := make([]data.Value, len(fields))
	for i := range fields {
		if vals[i], err = r.columns[i].value(fields[i]); err != nil {
			return nil, r.bad(pos, r.inColumn(i, err))
		}
	}
	rec := r.template
	rec.Value = data.OfStruct(data.NewStruct(r.schema, vals))
	rec.SourceOffset = data.LongOffset(positionField, next)
	return &rec, nil
}

func (r *reader) inColumn(i int, err error) error {
	if i < len(r.columns) {
		return fmt.Errorf("column %d (%s): %w", i+1, r.columns[i].name, err)
	}
	return fmt.Errorf("column %d: %w", i+1, err)
}

// bad deals with a row that cannot be read: it returns the error for it, or nil
// when it is to be skipped.
func (r *reader) bad(pos int64, cause error) error {
	err := data.Errorf("reading the row at byte %d of %s: %v", pos, r.path, cause)
	if !r.skip {
		return err
	}
	r.skipped++
	if now := time.Now(); now.Sub(r.told) >= time.Second { // a file of the wrong format must not flood the log
		r.told = now
		r.log.Warn("Skipping a row", "file", r.path, "skipped", r.skipped, "err", err)
	}
	return nil
}

// atEnd looks whether the file is still the same when it brings nothing new.
func (r *reader) atEnd() (*data.Record, error) {
	if time.Since(r.looked) < lookEvery {
		return nil, nil
	}
	r.looked = time.Now()
	change := r.tail.Change()
	if change == textfile.Same {
		return nil, nil
	}
	rest, pos := r.tail.Bytes(), r.tail.Pos()
	if err := r.tail.Reopen(); err != nil {
		if errors.Is(err, os.ErrNotExist) {
			return nil, nil
		}
		return nil, connectors.Errorf("following %s: %w", r.path, err)
	}
	var rec *data.Record
	var err error
	if change == textfile.Truncated {
		r.log.Warn("The file was truncated; reading it again from its start", "file", r.path, "position", pos, "unfinished_row_bytes", len(rest))
	} else {
		r.log.Warn("The file was replaced and the old one is read to its end; reading the new one from its start", "file", r.path, "position", pos)
		if len(rest) > 0 && !r.skipping && (r.columns != nil || !r.set.header) {
			// The last row lacks its line end and won't get it any more. Its offset is
			// where to go on after it: at the start of the new file.
			rec, err = r.row(rest, pos, 0)
		}
	}
	r.scan, r.skipping, r.columns = scanner{}, false, nil
	return rec, err
}

func (r *reader) close() {
	if r.tail != nil {
		_ = r.tail.Close()
	}
}
