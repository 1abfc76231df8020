package store

import (
	"log/slog"
	"slices"
	"strings"
	"sync"

	"github.com/troupeio/troupe/codec/data"
	"github.com/troupeio/troupe/connectors"
)

// offsetTable holds the newest offset of each source partition, by the bytes of
// the key in their compact form. Values stay bytes: they are asked for only when a
// task starts.
//
// A partition is found by its exact key first, else by one that is equal as a map:
// Kafka Connect writes members in the order of a Java hash map, which a plugin
// here need not share, and a migrated connector must find its offsets again.
type offsetTable struct {
	log *slog.Logger

	mu         sync.Mutex
	connectors map[string]map[string][]byte // connector -> key -> value
	byMap      map[string]string            // sorted key -> key, where they differ
}

func newOffsetTable(log *slog.Logger) *offsetTable {
	return &offsetTable{log: log, connectors: make(map[string]map[string][]byte), byMap: make(map[string]string)}
}

// apply takes one record in.
func (t *offsetTable) apply(key, value []byte, offset int64) {
	connector, partition, err := parseOffsetKey(key)
	if err != nil {
		t.log.Warn("Ignoring a record of the offset topic with a key that cannot be read", "key", string(key), "offset", offset, "error", err)
		return
	}
	if value != nil {
		m, err := parseOffset(value)
		if err != nil {
			t.log.Warn("Ignoring a record of the offset topic that cannot be read", "key", string(key), "offset", offset, "error", err)
			return
		}
		if m == nil { // a JSON null
			value = nil
		}
	}
	t.put(connector, partition, offsetKey(connector, partition), value)
}

func (t *offsetTable) put(connector string, partition *data.MapValue, key string, value []byte) {
	sorted := sortedKey(connector, partition)
	t.mu.Lock()
	defer t.mu.Unlock()
	parts := t.connectors[connector]
	if value == nil {
		if delete(parts, key); len(parts) == 0 {
			delete(t.connectors, connector)
		}
		if t.byMap[sorted] == key {
			delete(t.byMap, sorted)
		}
		return
	}
	if parts == nil {
		parts = make(map[string][]byte)
		t.connectors[connector] = parts
	}
	parts[key] = slices.Clone(value)
	if sorted != key {
		t.byMap[sorted] = key
	}
}

// keyOf returns the key under which a partition is stored, or would be.
func (t *offsetTable) keyOf(connector string, partition *data.MapValue) string {
	key := offsetKey(connector, partition)
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.keyLocked(connector, partition, key)
}

func (t *offsetTable) keyLocked(connector string, partition *data.MapValue, key string) string {
	parts := t.connectors[connector]
	if _, ok := parts[key]; ok || partition.Len() < 2 {
		return key
	}
	sorted := sortedKey(connector, partition)
	if _, ok := parts[sorted]; ok {
		return sorted
	}
	if other, ok := t.byMap[sorted]; ok {
		return other
	}
	return key
}

func (t *offsetTable) get(connector string, partitions []*data.MapValue) ([]*data.MapValue, error) {
	out := make([]*data.MapValue, len(partitions))
	for i, p := range partitions {
		if err := checkOffset(p); err != nil {
			return nil, err
		}
		key := t.keyOf(connector, p)
		t.mu.Lock()
		value := t.connectors[connector][key]
		t.mu.Unlock()
		if value == nil {
			continue
		}
		m, err := parseOffset(value)
		if err != nil {
			return nil, err
		}
		out[i] = m
	}
	return out, nil
}

func (t *offsetTable) all(connector string) []connectors.PartitionOffset {
	t.mu.Lock()
	defer t.mu.Unlock()
	parts := t.connectors[connector]
	keys := make([]string, 0, len(parts))
	for k := range parts {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, strings.Compare)
	out := make([]connectors.PartitionOffset, 0, len(keys))
	for _, k := range keys {
		_, partition, err := parseOffsetKey([]byte(k))
		offset, oerr := parseOffset(parts[k])
		if err == nil && oerr == nil {
			out = append(out, connectors.PartitionOffset{Partition: partition, Offset: offset})
		}
	}
	return out
}

// offsetChange is a record of the offset topic to be.
type offsetChange struct {
	partition *data.MapValue
	key       string
	value     []byte
}

// changes checks offsets and makes records of them, in their order.
func (t *offsetTable) changes(connector string, offsets []connectors.PartitionOffset) ([]offsetChange, error) {
	out := make([]offsetChange, len(offsets))
	for i, o := range offsets {
		if err := checkOffset(o.Partition); err != nil {
			return nil, err
		}
		if err := checkOffset(o.Offset); err != nil {
			return nil, err
		}
		out[i] = offsetChange{partition: o.Partition, key: t.keyOf(connector, o.Partition)}
		if o.Offset != nil {
			out[i].value = appendJSONMap(nil, o.Offset)
		}
	}
	return out, nil
}
