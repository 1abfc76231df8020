// Package properties reads Java .properties files, as java.util.Properties.load
// does for a UTF-8 reader. It imports the standard library only.
package properties

import (
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
)

// Entry is one key of a file with the value that it has in the end.
type Entry struct {
	Key   string
	Value string
	// Line is where the entry that won begins, counted from 1.
	Line int
}

// Properties is what a file says: its keys in the order of their first
// appearance, each with its last value. It is not changed after [Parse], so any
// number of goroutines may read it.
type Properties struct {
	entries []Entry
	index   map[string]int // key -> position in entries
}

// Get returns the value of key and whether the file has it.
func (p *Properties) Get(key string) (string, bool) {
	i, ok := p.index[key]
	if !ok {
		return "", false
	}
	return p.entries[i].Value, true
}

// Line returns the line, counted from 1, on which the value of key begins, and 0
// for a key that the file lacks.
func (p *Properties) Line(key string) int {
	if i, ok := p.index[key]; ok {
		return p.entries[i].Line
	}
	return 0
}

// Len returns the number of different keys.
func (p *Properties) Len() int { return len(p.entries) }

// Entries returns a copy of all entries, in the order in which their keys first
// appear in the file.
func (p *Properties) Entries() []Entry { return slices.Clone(p.entries) }

// Keys returns the keys in the order in which they first appear in the file.
func (p *Properties) Keys() []string {
	keys := make([]string, len(p.entries))
	for i, e := range p.entries {
		keys[i] = e.Key
	}
	return keys
}

// Map returns a new map from key to value.
func (p *Properties) Map() map[string]string {
	return maps.Collect(func(yield func(string, string) bool) {
		for _, e := range p.entries {
			if !yield(e.Key, e.Value) {
				return
			}
		}
	})
}

func (p *Properties) set(e Entry) {
	if i, ok := p.index[e.Key]; ok {
		p.entries[i] = e
		return
	}
	p.index[e.Key] = len(p.entries)
	p.entries = append(p.entries, e)
}

// SyntaxError says that a file cannot be read, and on which line. Its text holds
// nothing of the file: values may be secrets.
type SyntaxError struct {
	Line int // counted from 1
	Msg  string
}

// Error returns the line and the message.
func (e *SyntaxError) Error() string { return fmt.Sprintf("line %d: %s", e.Line, e.Msg) }

// Load reads the file at path. Errors name the file.
func Load(path string) (*Properties, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("reading properties: %w", err)
	}
	defer func() { _ = f.Close() }()
	p, err := Parse(f)
	if err != nil {
		return nil, fmt.Errorf("reading properties: %s: %w", path, err)
	}
	return p, nil
}

// Parse reads r to its end. Errors are those of r, or a [*SyntaxError] for text
// that is not UTF-8 and for a malformed \u escape; anything else is a legal
// .properties file.
func Parse(r io.Reader) (*Properties, error) {
	text, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	if line := invalidUTF8(text); line > 0 {
		return nil, &SyntaxError{Line: line, Msg: "the text is not UTF-8"}
	}
	p := &Properties{index: map[string]int{}}
	lines := lineReader{text: text, line: 1}
	for lines.next() {
		e, err := lines.entry()
		if err != nil {
			return nil, err
		}
		p.set(e)
	}
	return p, nil
}
