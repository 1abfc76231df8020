package csv

import (
	"context"
	"encoding/json"
	"time"

	"github.com/troupeio/troupe/codec/data"
	"github.com/troupeio/troupe/connectors"
	"github.com/troupeio/troupe/connectors/file/textfile"
)

const pollWait = time.Second // how long a poll waits for a row

// SourceTask reads the rows of its files, in turn. A record's value is a struct
// of the columns, all of them optional; its offset {"position": n} is the byte
// after the row. A row is taken when its line end is there. Rotation and
// truncation are dealt with as by the FileStream source.
type SourceTask struct {
	tc    connectors.SourceTaskContext
	batch int
	files []*reader
	first int           // whose turn it is
	spare []data.Record // of a poll that brought nothing
}

// Start reads the stored positions. Files are opened by polls.
func (t *SourceTask) Start(ctx context.Context, tc connectors.SourceTaskContext, config map[string]string) error {
	s, err := parseSettings(sourceDef(), config, true)
	if err != nil {
		return err
	}
	t.tc, t.batch = tc, s.v.Int(batchKey)
	paths := []string{s.v.String(fileKey)}
	if list := config[filesKey]; list != "" {
		if err := json.Unmarshal([]byte(list), &paths); err != nil {
			return connectors.ConfigError("Invalid value %s for configuration %s: %v", list, filesKey, err)
		}
	}
	parts := make([]*data.MapValue, len(paths))
	for i, p := range paths {
		parts[i] = data.NewStringMap(filenameField, data.OfString(p))
	}
	stored, err := tc.Offsets().Offsets(ctx, parts)
	if err != nil {
		return connectors.Errorf("reading the stored offsets: %w", err)
	}
	for i, p := range paths {
		r := &reader{path: p, log: tc.Log(), set: s, max: s.v.Int(maxRowKey), skip: s.v.String(onErrorKey) == onErrorSkip,
			template: data.NewSourceRecord(parts[i], data.SourceOffset{}, s.v.String(topicKey), nil, data.Null)}
		if pos, ok := stored[i].Get(positionField); ok && !pos.IsNull() {
			if pos.Kind() < data.KindInt8 || pos.Kind() > data.KindInt64 {
				return connectors.Errorf("the stored position of %s is %s, which is no number", p, pos)
			}
			r.start = max(0, pos.Int())
		}
		t.files = append(t.files, r)
	}
	return nil
}

// Poll returns up to batch.size rows, of one file after the other. It waits up to
// a second for the first.
func (t *SourceTask) Poll(ctx context.Context) ([]data.Record, error) {
	out := t.spare
	if t.spare = nil; out == nil {
		out = t.tc.Batch(t.batch)
	}
	_, err := textfile.Await(ctx, pollWait, func() (bool, error) {
		now := time.Now().UnixMilli()
		for range t.files {
			r := t.files[t.first]
			r.template.Timestamp = now
			var err error
			if out, err = r.collect(ctx, out, t.batch); err != nil {
				if len(out) > 0 {
					return true, nil // the error comes again in the next poll
				}
				return false, err
			}
			// A file that fills the batch lets the next one go first.
			t.first = (t.first + 1) % len(t.files)
			if len(out) >= t.batch {
				break
			}
		}
		return len(out) > 0, nil
	})
	if err != nil || len(out) == 0 {
		t.spare = out
		return nil, err
	}
	return out, nil
}

// Skipped returns how many rows were skipped since the task started.
func (t *SourceTask) Skipped() int64 {
	var n int64
	for _, r := range t.files {
		n += r.skipped
	}
	return n
}

// Stop closes the files.
func (t *SourceTask) Stop(context.Context) error {
	for _, r := range t.files {
		r.close()
	}
	return nil
}
