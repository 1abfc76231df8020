package connectconfig

import (
	"slices"
	"unicode/utf16"
)

// hashOrder returns the names in the order in which a java.util.HashMap that took
// them in this order iterates over them. Kafka Connect's answers show that order
// where they list the settings of converters and client overrides.
func hashOrder(names []string) []string {
	capacity := uint32(16)
	for len(names) > int(capacity)*3/4 {
		capacity *= 2
	}
	bucket := func(s string) uint32 {
		h := uint32(0)
		for _, c := range utf16.Encode([]rune(s)) {
			h = 31*h + uint32(c)
		}
		return (h ^ h>>16) & (capacity - 1)
	}
	out := slices.Clone(names)
	slices.SortStableFunc(out, func(a, b string) int { return int(bucket(a)) - int(bucket(b)) })
	return out
}
