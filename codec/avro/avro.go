// Package avro is the counterpart of Confluent's AvroConverter: records as Avro in
// the wire format of the schema registry. It imports codec, codec/configdef,
// codec/data, codec/javatext, codec/registry and codec/registry/compat, and has Avro's
// schemas in codec/avro/schema.
//
// Three steps, the first two once a schema. A Connect schema is mapped to an Avro
// schema or back (fromconnect.go, toconnect.go), by the rules of Confluent's
// AvroData. The pair of both is compiled into a plan (encode.go, decode.go). The
// plan turns values into bytes and back without anything between.
package avro

import (
	"github.com/troupeio/troupe/codec/avro/schema"
	"github.com/troupeio/troupe/codec/data"
)

// Names that have a meaning in the mapping.
const (
	namespace      = "io.confluent.connect.avro"
	defaultName    = "ConnectDefault" // of a struct without a name
	mapEntryName   = "MapEntry"
	anythingName   = "Anything" // the record of values without a schema
	keyField       = "key"
	valueField     = "value"
	unionName      = namespace + ".Union"
	enumParam      = namespace + ".Enum"
	sumUnionParam  = "org.apache.kafka.connect.data.Union"
	sumEnumParam   = "org.apache.kafka.connect.data.Enum"
	sumUnionPrefix = "connect_union_"

	recordDocParam    = namespace + ".record.doc"
	fieldDocParam     = namespace + ".field.doc."
	enumDocParam      = namespace + ".enum.doc."
	enumDefaultParam  = namespace + ".enum.default."
	fieldDefaultParam = namespace + ".field.default"
	plainRecordDoc    = "connect.record.doc" // with discard.type.doc.default
	plainEnumDoc      = "connect.enum.doc"

	fixedSizeParam   = "connect.fixed.size"
	precisionParam   = "connect.decimal.precision"
	defaultPrecision = 64

	propDoc        = "connect.doc"
	propVersion    = "connect.version"
	propParameters = "connect.parameters"
	propDefault    = "connect.default"
	propName       = "connect.name"
	propType       = "connect.type"
	propInternal   = "connect.internal.type"
	propScale      = "scale"
	propPrecision  = "precision"
)

// options are the settings of the mapping.
type options struct {
	enhanced       bool // enhanced.avro.schema.support
	sumTypes       bool // generalized.sum.type.support
	scrub          bool // scrub.invalid.names
	metadata       bool // connect.meta.data
	discardDocs    bool // discard.type.doc.default
	optionalKeys   bool // allow.optional.map.keys
	flattenSingle  bool // flatten.singleton.unions
	ignoreDefaults bool // ignore.default.for.nullables
}

// isUnion reports whether a struct schema stands for an Avro union.
func isUnion(s *data.Schema) bool {
	if s.Type() != data.Struct {
		return false
	}
	if s.Name() == unionName {
		return true
	}
	_, ok := s.Param(sumUnionParam)
	return ok
}

func isEnum(s *data.Schema) bool {
	if s.Type() != data.String {
		return false
	}
	_, a := s.Param(enumParam)
	_, b := s.Param(sumEnumParam)
	return a || b
}

func isFixed(s *data.Schema) bool {
	_, ok := s.Param(fixedSizeParam)
	return ok && s.Type() == data.Bytes && s.Name() != ""
}

// plainKeys reports whether a map's keys are those of an Avro map.
func (o *options) plainKeys(s *data.Schema) bool {
	k := s.KeySchema()
	return k != nil && k.Type() == data.String && (!k.Optional() || o.optionalKeys)
}

// isMapEntry reports whether arrays of this record stand for maps.
func isMapEntry(s *schema.Schema) bool {
	return s.Type == schema.Record && (s.Namespace == namespace && s.Name == mapEntryName || s.TextProp(propInternal) == mapEntryName)
}
