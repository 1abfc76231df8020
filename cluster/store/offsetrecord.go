package store

import (
	"fmt"
	"slices"
	"strings"

	"github.com/troupeio/troupe/codec/data"
)

// checkOffset fails unless m is a map of strings to primitive values or nil, with
// Kafka Connect's messages.
func checkOffset(m *data.MapValue) error {
	for _, e := range m.Entries() {
		if e.Key.Kind() != data.KindString {
			return data.Errorf("Offsets may only use String keys")
		}
		switch k := e.Value.Kind(); k {
		case data.KindArray, data.KindMap, data.KindStruct:
			return data.Errorf("Offsets may only contain primitive types as values, but field %s contains %s", e.Key.Str(), map[data.Kind]data.Type{data.KindArray: data.Array, data.KindMap: data.Map, data.KindStruct: data.Struct}[k])
		case data.KindDecimal, data.KindDate:
			class := k.JavaClass()
			if k == data.KindDecimal && e.Value.Decimal().Scale == 0 {
				class = "java.math.BigInteger" // a JSON integer beyond 64 bits
			}
			return data.Errorf("Offsets may only contain primitive types as values, but field %s contains class %s", e.Key.Str(), class)
		}
	}
	return nil
}

// offsetKey is the key of a source partition's records: ["connector",{partition}].
func offsetKey(connector string, partition *data.MapValue) string {
	b := appendJSONString([]byte{'['}, connector)
	b = appendJSONMap(append(b, ','), partition)
	return string(append(b, ']'))
}

// sortedKey is offsetKey with the partition's members sorted: what two keys share
// when their partitions are equal as maps.
func sortedKey(connector string, partition *data.MapValue) string {
	var entries []data.MapEntry
	for _, e := range partition.Entries() {
		entries = append(entries, e)
	}
	if slices.IsSortedFunc(entries, byKey) {
		return offsetKey(connector, partition)
	}
	slices.SortFunc(entries, byKey)
	return offsetKey(connector, data.NewMap(entries))
}

func byKey(a, b data.MapEntry) int { return strings.Compare(a.Key.String(), b.Key.String()) }

// parseOffsetKey is the inverse of offsetKey; white space and escapes of other
// writers do not matter.
func parseOffsetKey(b []byte) (connector string, partition *data.MapValue, err error) {
	v, err := parseJSON(b)
	if err != nil {
		return "", nil, err
	}
	pair := v.Elems()
	if len(pair) != 2 || pair[0].Kind() != data.KindString || pair[1].Kind() != data.KindMap && !pair[1].IsNull() {
		return "", nil, fmt.Errorf("an offset key should be a list of a connector's name and a partition")
	}
	return pair[0].Str(), pair[1].Map(), nil
}

// parseOffset reads an offset; only an object or null is one.
func parseOffset(b []byte) (*data.MapValue, error) { return parseJSONMap(b) }
