package jsonschema

import (
	"sort"
	"unicode/utf16"
)

// The text of a schema is its identity in a registry: another order of its
// members is another version. In Java the order is that of hash maps, so it is
// computed here as java.util.HashMap has it.

// grown returns the size of the table of a HashMap that began with capacity cap
// and holds n entries.
func grown(capacity, n int) int {
	for 4*n > 3*capacity {
		capacity *= 2
	}
	return capacity
}

// defaultTable is the table of a map made without a capacity.
func defaultTable(n int) int { return grown(16, n) }

// sizedTable is the table of a map made for n entries.
func sizedTable(n int) int {
	c := 1
	for c < n {
		c *= 2
	}
	return grown(c, n)
}

// copiedTable is the table of a map made from another one of n entries.
func copiedTable(n int) int {
	c := 1
	for c < 4*n/3+1 {
		c *= 2
	}
	return c
}

// hashOrder sorts names, which stand in the order of insertion, as a HashMap with
// such a table iterates over them.
func hashOrder(names []string, table int) []string {
	out := append([]string(nil), names...)
	bucket := make(map[string]uint32, len(out))
	for _, n := range out {
		h := javaHash(n)
		bucket[n] = (h ^ h>>16) & uint32(table-1) //nolint:gosec // a small power of two
	}
	sort.SliceStable(out, func(i, j int) bool { return bucket[out[i]] < bucket[out[j]] })
	return out
}

// javaHash is String.hashCode.
func javaHash(s string) uint32 {
	h := uint32(0)
	for _, u := range utf16.Encode([]rune(s)) {
		h = 31*h + uint32(u)
	}
	return h
}
