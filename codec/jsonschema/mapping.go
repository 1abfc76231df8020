// Package jsonschema is the counterpart of Confluent's JsonSchemaConverter:
// records as JSON whose schema, in the language of JSON Schema, is in a schema
// registry. It imports codec, codec/data, codec/json, codec/registry and
// codec/registry/compat.
//
// Shape. [Mapping] translates schemas there and back, once for each schema; what
// is done for each record is a plan of codec/json compiled from the schema.
package jsonschema

import (
	"github.com/troupeio/troupe/codec/data"
	"github.com/troupeio/troupe/codec/json"
)

// Mapping translates Connect schemas to JSON Schema and back, as Confluent's
// JsonSchemaData does. Its methods may be called by any number of goroutines.
type Mapping struct {
	GeneralizedSumTypes bool // generalized.sum.type.support
	IgnoreDefaults      bool // ignore.default.for.nullables
	NoAdditional        bool // object.additional.properties=false
	OptionalNonRequired bool // use.optional.for.nonrequired
	NumericDecimal      bool // decimal.format=NUMERIC
	KeepSingletonUnions bool // flatten.singleton.unions=false
}

// Names in schemas.
const (
	connectType       = "connect.type"
	connectVersion    = "connect.version"
	connectParameters = "connect.parameters"
	connectIndex      = "connect.index"

	namespace = "io.confluent.connect.json"
	idParam   = namespace + ".Id"
	enumParam = namespace + ".Enum"
	oneOfName = namespace + ".OneOf"

	generalUnion       = "org.apache.kafka.connect.data.Union"
	generalEnum        = "org.apache.kafka.connect.data.Enum"
	generalUnionPrefix = "connect_union_"
	generalFieldPrefix = generalUnionPrefix + "field_"

	nullMarker = "<NULL>"
	keyField   = "key"
	valueField = "value"
)

// isUnion reports whether a struct schema is a union: whatever the settings say.
func isUnion(s *data.Schema) bool {
	if s.Name() == oneOfName {
		return true
	}
	_, ok := s.Param(generalUnion)
	return ok
}

// Plan compiles a schema for reading and writing values.
func (m *Mapping) Plan(s *data.Schema) *json.Plan {
	return json.Dialect{NumericDecimal: m.NumericDecimal, IgnoreDefaults: m.IgnoreDefaults, Union: isUnion}.Plan(s)
}

func (m *Mapping) enumName() string {
	if m.GeneralizedSumTypes {
		return generalEnum
	}
	return enumParam
}
