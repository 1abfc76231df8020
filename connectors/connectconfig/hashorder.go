package connectconfig

import (
	"slices"
	"unicode/utf16"
)

// HashOrder returns the names in the order in which a java.util.HashMap with that many
// buckets, a power of two, iterates over them when it took them in the given order.
// Kafka Connect's answers show that order where they list settings out of a map.
func HashOrder(names []string, buckets int) []string {
	bucket := func(s string) int {
		h := uint32(0)
		for _, c := range utf16.Encode([]rune(s)) {
			h = 31*h + uint32(c)
		}
		return int(h^h>>16) & (buckets - 1)
	}
	out := slices.Clone(names)
	slices.SortStableFunc(out, func(a, b string) int { return bucket(a) - bucket(b) })
	return out
}

// GrownBuckets is how many buckets a HashMap has that began empty and took n names.
func GrownBuckets(n int) int { return powerOfTwo(16, float64(n)/0.75) }

func grownOrder(names []string) []string { return HashOrder(names, GrownBuckets(len(names))) }

// CopiedBuckets is how many buckets a HashMap has that was made of another map of n
// names.
func CopiedBuckets(n int) int { return powerOfTwo(1, float64(n)/0.75+1) }

func powerOfTwo(from int, least float64) int {
	for float64(from) < least {
		from *= 2
	}
	return from
}
