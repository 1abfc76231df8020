package file

import (
	"context"
	"fmt"
	"os"

	"github.com/troupeio/troupe/codec/data"
	"github.com/troupeio/troupe/connectors"
	"github.com/troupeio/troupe/connectors/file/textfile"
)

const keepBuffer = 4 << 20 // a larger buffer is given back after its Put

// SinkTask appends one line a record: Java's text of the value.
//
// The lines of a Put go out in one write, and are in the file, for every reader
// of it, when Put returns: there is nothing for Flush to do, and as in Kafka
// Connect nothing is forced to the disk. A Put that a full disk stops is taken
// back as far as can be and tried again, see [textfile.Appender].
type SinkTask struct {
	out    *textfile.Appender
	stdout *os.File
	buf    []byte
}

// Start opens the file and creates it if it is missing; its directory must exist.
func (t *SinkTask) Start(_ context.Context, _ connectors.SinkTaskContext, config map[string]string) error {
	v, err := parse(sinkDef(), config)
	if err != nil {
		return err
	}
	path := v.String(fileKey)
	if path == "" {
		if t.stdout == nil {
			t.stdout = os.Stdout
		}
		t.out = textfile.ToStdout(t.stdout)
		return nil
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o666)
	if err != nil {
		return &connectors.Error{JavaClass: connectors.ConnectException,
			Msg: fmt.Sprintf("Couldn't find or create file '%s' for FileStreamSinkTask", path), Cause: err}
	}
	t.out = textfile.NewAppender(path, f)
	return nil
}

// Put appends the records' values.
func (t *SinkTask) Put(_ context.Context, records []data.Record) error {
	buf := t.buf[:0]
	for i := range records {
		buf = records[i].Value.AppendText(buf)
		buf = append(buf, '\n')
	}
	err := t.out.Append(buf)
	if cap(buf) > keepBuffer {
		buf = nil
	}
	t.buf = buf
	return err
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
