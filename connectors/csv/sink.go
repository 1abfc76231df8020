package csv

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"

	"github.com/troupeio/troupe/codec/data"
	"github.com/troupeio/troupe/connectors"
	"github.com/troupeio/troupe/connectors/file/textfile"
)

const keepBuffer = 4 << 20 // a larger buffer is given back after its Put

// SinkTask appends rows to a file, those of a Put in one write.
//
// The columns are those of the setting; else those of the header that the file
// has already; else the fields of the first record's struct. A field that a record
// lacks is an empty field. A field that has no column is an error, unless the
// columns were set: then it was left out on purpose. So a schema that changes
// while a file is written cannot drop data unseen, and needs a new file.
//
// The file is locked while the task runs, against other CSV sinks on this machine.
// Every write ends with a row, so a file whose last row is not complete was left
// by a crash: Start cuts that row off, to which the next would be glued, and keeps
// it in a file of the same name with ".torn" behind. That is safe as long as no
// program that heeds no lock writes to the file at that moment.
type SinkTask struct {
	tc  connectors.SinkTaskContext
	set *settings
	log *slog.Logger

	path    string
	out     *textfile.Appender
	columns []string
	header  bool // still to be written
	buf     []byte
	text    []byte

	schema *data.Schema // to which index belongs
	index  []int        // field of each column, or -1
}

// Start opens, locks and repairs the file, and reads its header.
func (t *SinkTask) Start(_ context.Context, tc connectors.SinkTaskContext, config map[string]string) error {
	s, err := parseSettings(sinkDef(), config, false)
	if err != nil {
		return err
	}
	t.tc, t.set, t.log, t.path = tc, s, tc.Log(), s.v.String(fileKey)
	f, err := os.OpenFile(t.path, os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o666)
	if err != nil {
		return connectors.Errorf("opening the file to append to: %w", err)
	}
	t.out = textfile.NewAppender(t.path, f)
	if !t.out.Lock() {
		return connectors.Retriable(fmt.Errorf("locking %s: another task writes to it", t.path))
	}
	for _, c := range s.columns {
		t.columns = append(t.columns, c.name)
	}
	first, err := t.repair(f)
	if err != nil {
		return err
	}
	t.header = s.header && first == nil
	if s.header && first != nil {
		return t.useHeader(first)
	}
	return nil
}

// useHeader takes the columns from the file's first row, or compares them with
// those of the settings.
func (t *SinkTask) useHeader(row []byte) error {
	fields, err := split(row, t.set.dialect, nil)
	if err != nil {
		return data.Errorf("reading the header of %s: %v", t.path, err)
	}
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = string(textfile.ToUTF8(f.text))
	}
	if t.columns == nil {
		t.columns = names
		return nil
	}
	if fmt.Sprintf("%q", names) != fmt.Sprintf("%q", t.columns) {
		return connectors.ConfigError("the header of %s has the columns %q, the setting %q has %q", t.path, names, columnsKey, t.columns)
	}
	return nil
}

// repair goes over the file, cuts off a last row that is not complete, and returns
// the first row; nil when there is none.
func (t *SinkTask) repair(f *os.File) (first []byte, err error) {
	fail := func(err error) ([]byte, error) {
		return nil, connectors.Errorf("looking for the last complete row of %s: %w", t.path, err)
	}
	if st, err := f.Stat(); err != nil {
		return fail(err)
	} else if !st.Mode().IsRegular() {
		return nil, nil // a pipe or device cannot be read back
	}
	tail, _, err := textfile.Open(t.path, 0)
	if err != nil {
		return fail(err)
	}
	defer func() { _ = tail.Close() }()
	for s := (scanner{}); ; {
		n, complete := s.next(tail.Bytes(), t.set.dialect)
		if complete {
			if first == nil {
				first = tail.Bytes()[:n]
				if string(first[:min(3, n)]) == "\ufeff" {
					first = first[3:]
				}
			}
			tail.Consume(n)
			continue
		}
		got, err := tail.Fill()
		if err != nil {
			return fail(err)
		}
		if got == 0 {
			break
		}
	}
	torn := tail.Bytes()
	if len(torn) == 0 {
		return first, nil
	}
	if err := keepTorn(t.path+".torn", torn); err != nil {
		return fail(err)
	}
	if err := f.Truncate(tail.Pos()); err != nil {
		return fail(err)
	}
	t.log.Warn("The last row of the file was not complete, which a crash leaves; it was cut off and kept beside the file",
		"file", t.path, "position", tail.Pos(), "bytes", len(torn), "kept_in", t.path+".torn")
	return first, nil
}

// keepTorn appends a torn row to a file beside, and makes sure that it is there
// before it is cut off.
func keepTorn(path string, torn []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o666)
	if err != nil {
		return err
	}
	if _, err = f.Write(append(torn[:len(torn):len(torn)], '\n')); err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return err
}

// Put appends the records' rows. A record that has no row goes to the reporter of
// errant records, if there is one, and fails the Put otherwise.
func (t *SinkTask) Put(ctx context.Context, records []data.Record) error {
	buf := t.buf[:0]
	withHeader := false
	for i := range records {
		r := &records[i]
		start := len(buf)
		row, err := t.appendRow(buf, r, t.header && !withHeader)
		if err != nil {
			buf = row[:start]
			err = data.Errorf("writing the record at %s-%d@%d to %s: %v", r.Topic, r.Partition, r.Offset, t.path, err)
			reporter := t.tc.ErrantRecords()
			if reporter == nil {
				return err
			}
			if err := reporter.Report(ctx, r, err); err != nil {
				return err
			}
			continue
		}
		buf, withHeader = row, true
	}
	err := t.out.Append(buf)
	if err == nil && len(buf) > 0 {
		t.header = false
	}
	if cap(buf) > keepBuffer {
		buf = nil
	}
	t.buf = buf
	return err
}

// appendRow appends the row of r, after the header if that is asked for.
func (t *SinkTask) appendRow(buf []byte, r *data.Record, header bool) ([]byte, error) {
	st, m := r.Value.Struct(), r.Value.Map()
	if st == nil && m == nil {
		return buf, fmt.Errorf("the value is %s, not a struct or map", kindName(r.Value))
	}
	if t.columns == nil {
		if st == nil {
			return buf, fmt.Errorf("a map has no order of columns; set %q", columnsKey)
		}
		for _, f := range st.Schema().Fields() {
			t.columns = append(t.columns, f.Name)
		}
		if t.columns == nil {
			return buf, errors.New("the struct has no fields")
		}
	}
	if st != nil {
		if err := t.align(st.Schema()); err != nil {
			return buf, err
		}
	} else if t.set.columns == nil {
		for _, e := range m.Entries() {
			if !t.has(e.Key.String()) {
				return buf, fmt.Errorf("the key %q has no column", e.Key)
			}
		}
	}
	var err error
	if header {
		for i, name := range t.columns {
			if buf, err = t.field(buf, i, []byte(name)); err != nil {
				return buf, fmt.Errorf("the header: %w", err)
			}
		}
		buf = append(buf, '\n')
	}
	for i, name := range t.columns {
		var v data.Value
		var s *data.Schema
		if st != nil {
			if j := t.index[i]; j >= 0 {
				v, s = st.GetAt(j), t.schema.Fields()[j].Schema
			}
		} else {
			v, _ = m.Get(name)
		}
		if v.IsNull() {
			if i > 0 {
				buf = append(buf, t.set.dialect.delim)
			}
			continue
		}
		if t.text, err = appendText(t.text[:0], v, s); err == nil {
			buf, err = t.field(buf, i, t.text)
		}
		if err != nil {
			return buf, fmt.Errorf("column %q: %w", name, err)
		}
	}
	return append(buf, '\n'), nil
}

func (t *SinkTask) field(buf []byte, i int, text []byte) ([]byte, error) {
	if i > 0 {
		buf = append(buf, t.set.dialect.delim)
	}
	buf, ok := appendField(buf, text, t.set.dialect)
	if !ok {
		return buf, fmt.Errorf("%s needs quotes and %q is empty", shown(text), quoteKey)
	}
	return buf, nil
}

func (t *SinkTask) has(name string) bool {
	for _, c := range t.columns {
		if c == name {
			return true
		}
	}
	return false
}

// align finds the field for each column.
func (t *SinkTask) align(s *data.Schema) error {
	if s == t.schema {
		return nil
	}
	if t.set.columns == nil {
		for _, f := range s.Fields() {
			if !t.has(f.Name) {
				return fmt.Errorf("the field %q has no column: the file was begun with the columns %q; write to a new file, or set %q", f.Name, t.columns, columnsKey)
			}
		}
	}
	index := make([]int, len(t.columns))
	for i, name := range t.columns {
		index[i] = -1
		if f := s.Field(name); f != nil {
			index[i] = f.Index
		}
	}
	t.schema, t.index = s, index
	return nil
}

func kindName(v data.Value) string {
	if v.IsNull() {
		return "null"
	}
	return "a " + v.Kind().JavaClass()
}

// Flush does nothing: nothing is held back.
func (t *SinkTask) Flush(context.Context, map[connectors.TopicPartition]int64) error { return nil }

// Stop closes the file.
func (t *SinkTask) Stop(context.Context) error {
	if t.out == nil {
		return nil
	}
	return t.out.Close()
}
