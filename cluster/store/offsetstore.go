package store

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/troupeio/troupe/codec/data"
	"github.com/troupeio/troupe/connectors"
)

// OffsetStore is the [Offsets] of a distributed worker: the offset topic.
type OffsetStore struct {
	log     *topicLog
	table   *offsetTable
	observe func(connector string, partition *data.MapValue, r *kgo.Record)
}

// NewOffsetStore adds an offset topic to logs, which the caller starts.
func NewOffsetStore(logs *Logs, t Topic) *OffsetStore {
	s := &OffsetStore{table: newOffsetTable(logs.log)}
	s.log = logs.add(t, s.records)
	s.log.appender = &appender{logs: logs}
	return s
}

// Observe sets a function that sees each readable record of the topic with its
// headers, after it has taken effect. Call it before the logs start; see the
// package comment on how f is called.
func (s *OffsetStore) Observe(f func(connector string, partition *data.MapValue, r *kgo.Record)) {
	s.observe = f
}

func (s *OffsetStore) records(recs []*kgo.Record) {
	for _, r := range recs {
		s.table.apply(r.Key, r.Value, r.Offset)
		if s.observe != nil {
			if connector, partition, err := parseOffsetKey(r.Key); err == nil {
				s.observe(connector, partition, r)
			}
		}
	}
}

// Refresh implements [Offsets].
func (s *OffsetStore) Refresh(ctx context.Context) error { return s.log.readToEnd(ctx) }

// Get implements [Offsets].
func (s *OffsetStore) Get(ctx context.Context, connector string, partitions []*data.MapValue) ([]*data.MapValue, error) {
	if err := s.log.readToEnd(ctx); err != nil {
		return nil, err
	}
	return s.table.get(connector, partitions)
}

// All implements [Offsets].
func (s *OffsetStore) All(ctx context.Context, connector string) ([]connectors.PartitionOffset, error) {
	if err := s.log.readToEnd(ctx); err != nil {
		return nil, err
	}
	return s.table.all(connector), nil
}

// Put implements [Offsets]. A Put whose ctx has ended does not take effect later, but
// for what the broker's machine has received already.
func (s *OffsetStore) Put(ctx context.Context, connector string, offsets []connectors.PartitionOffset, headers ...kgo.RecordHeader) error {
	recs, err := s.Records(connector, offsets, headers...)
	if err != nil {
		return err
	}
	if len(recs) > 0 {
		if _, err := s.log.append(ctx, recs...); err != nil {
			return fmt.Errorf("storing offsets of connector %s: %w", connector, err)
		}
	}
	return nil
}

// Records returns the records that Put would write, for a caller that writes them
// itself, as within a transaction.
func (s *OffsetStore) Records(connector string, offsets []connectors.PartitionOffset, headers ...kgo.RecordHeader) ([]*kgo.Record, error) {
	changes, err := s.table.changes(connector, offsets)
	if err != nil {
		return nil, err
	}
	recs := make([]*kgo.Record, len(changes))
	for i, c := range changes {
		recs[i] = &kgo.Record{Topic: s.log.topic.Name, Key: []byte(c.key), Value: c.value, Headers: headers}
	}
	return recs, nil
}

// Rewrite stores the record of a partition again; a nil value removes.
func (s *OffsetStore) Rewrite(ctx context.Context, key, value []byte, headers ...kgo.RecordHeader) error {
	_, err := s.log.append(ctx, &kgo.Record{Key: key, Value: value, Headers: headers})
	return err
}

// OffsetFile loads and saves the whole file of a standalone worker's offsets, keys
// and values as in the offset topic. Load of a file that does not exist is empty.
type OffsetFile interface {
	Load() (map[string][]byte, error)
	Save(map[string][]byte) error
}

// FileOffsetStore is the [Offsets] of a standalone worker. The file is written
// whole by each Put.
type FileOffsetStore struct {
	file  OffsetFile
	table *offsetTable

	mu  sync.Mutex // one Put at a time
	raw map[string][]byte
}

// NewFileOffsetStore loads the file. log may be nil.
func NewFileOffsetStore(file OffsetFile, log *slog.Logger) (*FileOffsetStore, error) {
	raw, err := file.Load()
	if err != nil {
		return nil, fmt.Errorf("loading the offsets file: %w", err)
	}
	s := &FileOffsetStore{file: file, table: newOffsetTable(logger(log)), raw: make(map[string][]byte, len(raw))}
	for k, v := range raw {
		s.table.apply([]byte(k), v, -1)
		if connector, partition, err := parseOffsetKey([]byte(k)); err == nil {
			k = offsetKey(connector, partition)
		}
		s.raw[k] = v
	}
	return s, nil
}

// Refresh implements [Offsets]; there is nothing to read.
func (s *FileOffsetStore) Refresh(context.Context) error { return nil }

// Get implements [Offsets].
func (s *FileOffsetStore) Get(_ context.Context, connector string, partitions []*data.MapValue) ([]*data.MapValue, error) {
	return s.table.get(connector, partitions)
}

// All implements [Offsets].
func (s *FileOffsetStore) All(_ context.Context, connector string) ([]connectors.PartitionOffset, error) {
	return s.table.all(connector), nil
}

// Put implements [Offsets]; headers are dropped. When the file cannot be written
// nothing has changed.
func (s *FileOffsetStore) Put(_ context.Context, connector string, offsets []connectors.PartitionOffset, _ ...kgo.RecordHeader) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	changes, err := s.table.changes(connector, offsets)
	if err != nil || len(changes) == 0 {
		return err
	}
	next := make(map[string][]byte, len(s.raw)+len(changes))
	for k, v := range s.raw {
		next[k] = v
	}
	for _, c := range changes {
		if c.value == nil {
			delete(next, c.key)
		} else {
			next[c.key] = slices.Clone(c.value)
		}
	}
	if err := s.file.Save(next); err != nil {
		return fmt.Errorf("storing offsets of connector %s: %w", connector, err)
	}
	s.raw = next
	for _, c := range changes {
		s.table.put(connector, c.partition, c.key, c.value)
	}
	return nil
}

var (
	_ Offsets = (*OffsetStore)(nil)
	_ Offsets = (*FileOffsetStore)(nil)
)
