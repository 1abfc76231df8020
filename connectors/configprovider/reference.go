package configprovider

import (
	"maps"
	"strings"
)

// reference is one ${provider:[path:]key} in a value.
type reference struct {
	provider, path, key string
	start, end          int // its bytes in the value, end excluded
}

// references returns the references in value from left to right. They do not
// overlap: what stands between "${" and the next "}" is one reference if it has
// a colon, and no reference begins inside another.
func references(value string) []reference {
	var refs []reference
	for pos := 0; ; {
		open := strings.Index(value[pos:], "${")
		if open < 0 {
			return refs
		}
		open += pos
		size := strings.IndexByte(value[open:], '}')
		if size < 0 {
			return refs
		}
		provider, rest, ok := strings.Cut(value[open+2:open+size], ":")
		if !ok {
			pos = open + 2
			continue
		}
		path, key, ok := strings.Cut(rest, ":")
		if !ok {
			path, key = "", rest
		}
		pos = open + size + 1
		refs = append(refs, reference{provider, path, key, open, pos})
	}
}

// HasReference reports whether value holds a reference, to whichever provider.
func HasReference(value string) bool { return len(references(value)) > 0 }

// RestoreReferences returns a copy of a task's configuration in which every key
// that is a reference in the connector's raw configuration has that raw value
// again, so that no resolved secret is stored.
func RestoreReferences(rawConnector, task map[string]string) map[string]string {
	restored := maps.Clone(task)
	for key, raw := range rawConnector {
		if _, ok := task[key]; ok && HasReference(raw) {
			restored[key] = raw
		}
	}
	return restored
}
