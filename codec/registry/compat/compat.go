// Package compat checks schemas of a registry: whether one is valid, and whether a
// reader with one can read what was written with another. Avro is checked by the
// rules of its specification's schema resolution; JSON Schema and Protobuf by the
// commonest of theirs, see the functions. It imports
// codec/avro/schema and codec/registry.
package compat

import (
	"fmt"
	"strings"

	"github.com/troupeio/troupe/codec/registry"
)

// Problem is one reason why a reader cannot read what a writer wrote.
type Problem struct {
	Type string // in the registry's words, such as READER_FIELD_MISSING_DEFAULT_VALUE
	Path string // in the schema, such as /fields/1/type
	Info string // what is at fault: a name, a list of symbols, a type

	format string // of the description; %r, %w, %p and %i stand for reader, writer, path and info
}

// Describe says what is wrong; reader and writer are what the two schemas are
// called: "new" and "old" or the reverse.
func (p Problem) Describe(reader, writer string) string {
	return strings.NewReplacer("%r", reader, "%w", writer, "%p", p.Path, "%i", p.Info).Replace(p.format)
}

// String describes the problem between a reader and a writer.
func (p Problem) String() string { return p.Describe("reader's", "writer's") }

// Check says what hinders a reader with one schema from reading what another one
// wrote; nothing when it can. deps are what each refers to, the referred before the
// referring.
func Check(reader, writer *registry.Schema, readerDeps, writerDeps []registry.Dependency) []Problem {
	if reader.Type != writer.Type {
		return []Problem{{Type: "TYPE_MISMATCH", Path: "/", Info: string(reader.Type), format: "the %r schema is of another kind (%i) than the %w schema"}}
	}
	switch reader.Type {
	case registry.Protobuf:
		return checkProtobuf(reader, writer)
	case registry.JSON:
		return checkJSON(reader, writer)
	default:
		return checkAvro(reader, writer, readerDeps, writerDeps)
	}
}

// Texts is [Check] as the converters want it.
func Texts(reader, writer *registry.Schema, readerDeps, writerDeps []registry.Dependency) []string {
	var out []string
	for _, p := range Check(reader, writer, readerDeps, writerDeps) {
		out = append(out, p.String())
	}
	return out
}

// Canonical returns the text by which equal schemas are told; it fails for a schema
// that is not valid. normalize also forgives the order of what has none in the
// language: the properties of a JSON Schema.
func Canonical(s *registry.Schema, deps []registry.Dependency, normalize bool) (string, error) {
	switch s.Type {
	case registry.Protobuf:
		return canonicalProtobuf(s.Text)
	case registry.JSON:
		return canonicalJSON(s.Text, normalize)
	case registry.Avro, "":
		return canonicalAvro(s, deps)
	}
	return "", fmt.Errorf("Invalid schema type %s", s.Type) //nolint:staticcheck // the registry's words
}
