package file

import (
	"bytes"
	"context"
	"errors"
	"os"
	"time"
	"unicode/utf8"

	"github.com/troupeio/troupe/codec/data"
	"github.com/troupeio/troupe/connectors"
	"github.com/troupeio/troupe/connectors/file/textfile"
)

// Names in the source partition and offset.
const (
	filenameField = "filename"
	positionField = "position"
)

const pollWait = time.Second // how long a poll waits for a line; Kafka's

// SourceTask reads lines. What differs from Kafka's task:
//
//   - The position counts bytes, so that a restart of a file with other than
//     ASCII text repeats nothing.
//   - A poll drains what is buffered, and a new line ends its wait.
//   - A file that was replaced (renamed away, say by logrotate) is read to its
//     end, with its last line if that lacks a line end; then the new one is read
//     from 0. A file that was truncated is read again from 0. Both are warned of.
//   - A stored position past the end of the file means that it was replaced or
//     truncated meanwhile: it is read from 0, with a warning.
//
// Values share the chunks in which the file is read; a record costs no allocation.
type SourceTask struct {
	tc    connectors.SourceTaskContext
	path  string // "": standard input
	stdin *os.File
	batch int

	template data.Record
	start    int64 // position to open the file at
	tail     *textfile.Tail
	warned   bool // of the missing file

	// Of tail.Bytes(): whole lines end at end; up to scanned it has been searched
	// for line ends; cr is the first '\r' of the whole lines, or end.
	end, scanned, cr int
	valid            bool   // the whole lines are UTF-8
	last             []byte // last line of a replaced file, without a line end
}

// Start reads the stored position. The file is opened by the first poll.
func (t *SourceTask) Start(ctx context.Context, tc connectors.SourceTaskContext, config map[string]string) error {
	v, err := parse(sourceDef(), config)
	if err != nil {
		return err
	}
	// Kafka's definition lets a batch.size below 1 pass; it then means 1.
	t.tc, t.path, t.batch = tc, v.String(fileKey), max(1, v.Int(batchKey))
	if t.path == "" {
		if t.stdin == nil {
			t.stdin = os.Stdin
		}
		part := data.NewStringMap(filenameField, data.Null)
		offset := data.MapOffset(data.NewStringMap(positionField, data.Null))
		t.template = data.NewSourceRecord(part, offset, v.String(topicKey), data.StringSchema, data.Null)
		t.tail = textfile.FromStdin(t.stdin)
		return nil
	}
	part := data.NewStringMap(filenameField, data.OfString(t.path))
	t.template = data.NewSourceRecord(part, data.SourceOffset{}, v.String(topicKey), data.StringSchema, data.Null)
	stored, err := tc.Offsets().Offset(ctx, part)
	if err != nil {
		return connectors.Errorf("reading the stored offset of %s: %w", t.path, err)
	}
	if stored == nil {
		return nil
	}
	if pos, ok := stored.Get(positionField); ok && !pos.IsNull() {
		if !isInteger(pos) {
			return connectors.Errorf("Offset position is the incorrect type")
		}
		t.start = max(0, pos.Int())
	}
	return nil
}

// Poll returns up to batch.size lines. It waits up to a second for the first.
func (t *SourceTask) Poll(ctx context.Context) ([]data.Record, error) {
	if t.tail == nil {
		if ok, err := textfile.Await(ctx, pollWait, t.open); !ok {
			return nil, err
		}
	}
	out, err := t.collect(ctx, nil)
	if len(out) > 0 || err != nil {
		return out, err
	}
	if ok, err := textfile.Await(ctx, pollWait, func() (bool, error) { return t.look(ctx) }); !ok {
		return nil, err
	}
	return t.collect(ctx, nil)
}

// collect takes whole lines until the batch is full or the file ends.
func (t *SourceTask) collect(ctx context.Context, out []data.Record) ([]data.Record, error) {
	now := time.Now().UnixMilli()
	for {
		if t.last != nil {
			out = append(out, t.template)
			r := &out[len(out)-1]
			r.Timestamp, r.Value, r.SourceOffset = now, data.OfText(textfile.ToUTF8(t.last)), data.LongOffset(positionField, 0)
			t.last = nil
		}
		if t.end > 0 {
			if out == nil {
				out = t.tc.Batch(t.room())
			}
			out = t.take(out, now)
		}
		if len(out) >= t.batch || ctx.Err() != nil {
			return out, nil
		}
		n, err := t.fill()
		if n == 0 {
			if len(out) > 0 {
				return out, nil // an error comes again in the next poll
			}
			return nil, err
		}
	}
}

// room is how many records the batch may come to have: at the end of the file what
// is there, since a full batch's slots are hundreds of kilobytes.
func (t *SourceTask) room() int {
	if !t.tail.AtEnd() {
		return t.batch
	}
	whole := t.tail.Bytes()[:t.end]
	return min(t.batch, bytes.Count(whole, []byte{'\n'})+bytes.Count(whole[t.cr:], []byte{'\r'}))
}

// look is what a waiting poll does: read on if the file has changed, and when there is nothing see
// whether the file is still the same. It returns true once there are lines.
func (t *SourceTask) look(ctx context.Context) (bool, error) {
	if t.end == 0 && t.tail.Quiet() {
		return false, nil
	}
	for t.end == 0 && ctx.Err() == nil {
		n, err := t.fill()
		if err != nil {
			return false, err
		}
		if n > 0 {
			continue
		}
		change := t.tail.Change()
		if change == textfile.Same {
			return false, nil
		}
		return t.changed(change)
	}
	return t.end > 0, nil
}

func (t *SourceTask) changed(change textfile.Change) (bool, error) {
	rest, pos := t.tail.Bytes(), t.tail.Pos()
	if err := t.tail.Reopen(); err != nil {
		if errors.Is(err, os.ErrNotExist) {
			return false, nil // between the renaming and the new file
		}
		return false, connectors.Errorf("following %s: %w", t.path, err)
	}
	t.end, t.scanned = 0, 0
	if change == textfile.Truncated {
		t.tc.Log().Warn("The file was truncated; reading it again from its start",
			"file", t.path, "position", pos, "unfinished_line_bytes", len(rest))
		return false, nil
	}
	t.tc.Log().Warn("The file was replaced and the old one is read to its end; reading the new one from its start",
		"file", t.path, "position", pos)
	if len(rest) > 0 {
		// Nothing is going to finish this line. Its offset is that of the start of
		// the new file, which is where to go on after it.
		t.last = bytes.TrimSuffix(rest, []byte{'\r'})
		return true, nil
	}
	return false, nil
}

// open opens the file at the stored position; false while there is none.
func (t *SourceTask) open() (bool, error) {
	tail, past, err := textfile.Open(t.path, t.start)
	switch {
	case errors.Is(err, os.ErrNotExist):
		if !t.warned {
			t.warned = true
			t.tc.Log().Warn("Couldn't find file " + t.path + " for FileStreamSourceTask, sleeping to wait for it to be created")
		}
		return false, nil
	case err != nil:
		return false, connectors.Errorf("following %s: %w", t.path, err)
	case past:
		t.tc.Log().Warn("The stored position is past the end of the file, which must have been replaced or truncated; reading it from its start",
			"file", t.path, "position", t.start)
	}
	t.tail = tail
	return true, nil
}

// fill reads on and finds out how far the whole lines go. Call it when none are
// left. A '\r' that is the last byte is not a line end yet: a '\n' may follow.
func (t *SourceTask) fill() (int, error) {
	n, err := t.tail.Fill()
	if n == 0 {
		return 0, err
	}
	b := t.tail.Bytes()
	from := max(0, t.scanned-1) // the last byte may be such a '\r'
	t.scanned = len(b)
	end := 0
	if i := bytes.LastIndexByte(b[from:], '\n'); i >= 0 {
		end = from + i + 1
	}
	if from = max(from, end); from < len(b)-1 {
		if i := bytes.LastIndexByte(b[from:len(b)-1], '\r'); i >= 0 {
			end = from + i + 1
		}
	}
	if t.end = end; end > 0 {
		t.cr = indexOr(b[:end], '\r')
		t.valid = utf8.Valid(b[:end])
	}
	return n, nil
}

func indexOr(b []byte, c byte) int {
	if i := bytes.IndexByte(b, c); i >= 0 {
		return i
	}
	return len(b)
}

// take appends whole lines to out until the batch is full.
func (t *SourceTask) take(out []data.Record, now int64) []data.Record {
	b, pos := t.tail.Bytes(), t.tail.Pos()
	t.template.Timestamp = now
	counted := t.path != "" // standard input has no positions
	i, end, cr := 0, t.end, t.cr
	for i < end && len(out) < t.batch {
		var line []byte
		if n := bytes.IndexByte(b[i:cr], '\n'); n >= 0 {
			line = b[i : i+n]
			i += n + 1
		} else {
			line = b[i:cr]
			if i = cr + 1; i < end && b[i] == '\n' {
				i++
			}
			cr = i + indexOr(b[i:end], '\r')
		}
		if !t.valid {
			line = textfile.ToUTF8(line)
		}
		out = append(out, t.template)
		r := &out[len(out)-1]
		r.Value = data.OfText(line)
		if counted {
			r.SourceOffset = data.LongOffset(positionField, pos+int64(i))
		}
	}
	t.tail.Consume(i)
	t.end, t.cr, t.scanned = end-i, cr-i, t.scanned-i
	return out
}

// Stop closes the file.
func (t *SourceTask) Stop(context.Context) error {
	if t.tail == nil {
		return nil
	}
	return t.tail.Close()
}
