package store

import (
	"maps"
	"slices"

	"github.com/troupeio/troupe/cluster/store/offsetfile"
)

// JavaOffsetFile is the [OffsetFile] at a path, in the form that Kafka Connect's
// standalone mode writes.
type JavaOffsetFile string

// Load implements [OffsetFile].
func (f JavaOffsetFile) Load() (map[string][]byte, error) {
	entries, err := offsetfile.Read(string(f))
	if err != nil {
		return nil, err
	}
	m := make(map[string][]byte, len(entries))
	for _, e := range entries {
		if e.Key != nil {
			m[string(e.Key)] = e.Value
		}
	}
	return m, nil
}

// Save implements [OffsetFile].
func (f JavaOffsetFile) Save(m map[string][]byte) error {
	entries := make([]offsetfile.Entry, 0, len(m))
	for _, k := range slices.Sorted(maps.Keys(m)) {
		entries = append(entries, offsetfile.Entry{Key: []byte(k), Value: m[k]})
	}
	return offsetfile.Write(string(f), entries)
}
