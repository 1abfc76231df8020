// Package registry is what the converters with a schema registry share: a client of
// the registry's REST interface with caches, the settings that say how to reach it,
// the rules by which a record's schema becomes an id, and the bytes in which that
// id stands before the record. It speaks Confluent's interface and wire format,
// through franz-go's pkg/sr, and imports codec, codec/configdef and
// codec/tlsconfig.
package registry

import (
	"strconv"
	"strings"
)

// Type is the language of a schema, as the registry names it.
type Type string

// The types of Confluent's registry. A registry that names none means Avro.
const (
	Avro     Type = "AVRO"
	Protobuf Type = "PROTOBUF"
	JSON     Type = "JSON"
)

// Reference is a schema that another one refers to by a name of its own: in Avro
// the full name of a type, in Protobuf the path of an import, in JSON Schema a
// URI.
type Reference struct {
	Name    string `json:"name"`
	Subject string `json:"subject"`
	Version int    `json:"version"`
}

// Schema is a schema as the registry keeps it. It is not changed once it was given
// to this package or came from it, so any number of goroutines may read it.
type Schema struct {
	Type       Type // "" is Avro
	Text       string
	References []Reference
}

// Registered is a schema with the places that it has in the registry.
type Registered struct {
	ID      int    // unique in the registry
	Version int    // within the subject, from 1; 0 where the registry's answer has none
	Subject string // "" where the registry's answer has none
	Schema  *Schema
}

// Dependency is a schema that another one refers to, with its text.
type Dependency struct {
	Reference
	Schema *Schema
}

// Texts returns the texts of what a schema refers to, in their order.
func Texts(deps []Dependency) []string {
	out := make([]string, len(deps))
	for i := range deps {
		out[i] = deps[i].Schema.Text
	}
	return out
}

func (s *Schema) kind() Type {
	if s.Type == "" {
		return Avro
	}
	return s.Type
}

// key identifies a schema by its content.
func (s *Schema) key() string {
	var b strings.Builder
	b.WriteString(string(s.kind()))
	for _, r := range s.References {
		// Names cannot hold a zero byte, so no two lists give the same key.
		b.WriteString("\x00" + r.Name + "\x00" + r.Subject + "\x00" + strconv.Itoa(r.Version))
	}
	b.WriteString("\x00\x00")
	b.WriteString(s.Text)
	return b.String()
}
