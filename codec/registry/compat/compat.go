// Package compat checks schemas of a registry: whether one is valid, and whether a
// reader with one can read what was written with another. Avro is checked by the
// rules of its specification's schema resolution; JSON Schema and Protobuf by those of
// Confluent's registry. It imports codec/avro/schema, codec/javaregex and
// codec/registry.
package compat

import (
	"fmt"
	"strings"

	"github.com/troupeio/troupe/codec/avro/schema"
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

// Parsed is a schema that is compared again and again. Any number of goroutines may
// use it.
type Parsed struct {
	kind  registry.Type
	text  string
	avro  *schema.Schema
	json  *jsonNode
	proto *proto
}

// Parse reads a schema. deps are what it refers to, the referred before the
// referring. The error says why it cannot be read.
func Parse(s *registry.Schema, deps []registry.Dependency) (*Parsed, error) {
	p := &Parsed{kind: s.Type, text: s.Text}
	var err error
	switch s.Type {
	case registry.Protobuf:
		p.proto, err = parseProto(s.Text, deps)
	case registry.JSON:
		p.json, err = parseJSON(s.Text, deps)
	case registry.Avro, "":
		p.kind = registry.Avro
		p.avro, err = schema.Parse(s.Text, registry.Texts(deps)...)
	default:
		err = fmt.Errorf("Invalid schema type %s", s.Type)
	}
	if err != nil {
		return nil, err
	}
	return p, nil
}

// Policy says how strictly schemas are compared; only JSON Schema knows the difference.
type Policy string

// Strict holds that what an open JSON Schema does not name may be anything. Lenient
// lets properties come and go, as in Avro.
const (
	Strict  Policy = "STRICT"
	Lenient Policy = "LENIENT"
)

// Reads says what hinders a reader with this schema from reading what another one
// wrote; nothing when it can.
func (p *Parsed) Reads(writer *Parsed, policy Policy) []Problem {
	switch {
	case p.kind != writer.kind:
		return []Problem{{Type: "TYPE_MISMATCH", Path: "/", Info: string(p.kind), format: "the %r schema is of another kind (%i) than the %w schema"}}
	case p.kind == registry.Protobuf:
		return checkProtobuf(p.proto, writer.proto)
	case p.kind == registry.JSON:
		return checkJSON(p.json, writer.json, policy)
	}
	return checkAvro(p.avro, writer.avro)
}

// Canonical returns the text by which equal schemas are told; it fails for a schema
// that can be read and is not valid: names and defaults in Avro. normalize also
// forgives the order of what has none in the language: the properties of a JSON Schema.
func (p *Parsed) Canonical(normalize bool) (string, error) {
	switch p.kind {
	case registry.Protobuf:
		return canonicalProtobuf(p.text)
	case registry.JSON:
		return canonicalJSON(p.text, normalize)
	}
	return canonicalAvro(p.text, p.avro)
}

// Texts compares two schemas once, as the converters want it: why a reader with the
// first cannot read what was written with the second.
func Texts(reader, writer *registry.Schema, readerDeps, writerDeps []registry.Dependency) []string {
	r, err := Parse(reader, readerDeps)
	if err != nil {
		return []string{"the reader's schema: " + err.Error()}
	}
	w, err := Parse(writer, writerDeps)
	if err != nil {
		return []string{"the writer's schema: " + err.Error()}
	}
	var out []string
	for _, p := range r.Reads(w, Strict) {
		out = append(out, p.String())
	}
	return out
}
