// Package protobuf is the counterpart of Confluent's ProtobufConverter: records as
// Protobuf messages whose schema is in a schema registry. It imports codec,
// codec/data, codec/registry and codec/registry/compat.
//
// Shape. [Mapping] translates schemas there and back, once for each schema; what
// is done for each record is a plan from the fields of a struct to the numbers of
// a message, or back, on the wire format itself.
package protobuf

import (
	"net/url"
	"strings"

	"github.com/troupeio/troupe/codec/data"
)

// Mapping translates Connect schemas to Protobuf and back, as Confluent's
// ProtobufData does. Its methods may be called by any number of goroutines.
type Mapping struct {
	GeneralizedSumTypes bool // generalized.sum.type.support
	IgnoreDefaults      bool // ignore.default.for.nullables
	Enhanced            bool // enhanced.protobuf.schema.support
	ScrubNames          bool // scrub.invalid.names
	IntEnums            bool // int.for.enums
	OptionalNullables   bool // optional.for.nullables
	NoProto2Optional    bool // optional.for.proto2=false
	WrapperNullables    bool // wrapper.for.nullables
	NoRawWrappers       bool // wrapper.for.raw.primitives=false
	StructForNulls      bool // generate.struct.for.nulls
	NoUnionIndex        bool // generate.index.for.unions=false
	FlattenUnions       bool // flatten.unions
}

// Names in schemas.
const (
	namespace    = "io.confluent.connect.protobuf"
	enumParam    = namespace + ".Enum"
	unionName    = namespace + ".Union"
	tagParam     = namespace + ".Tag"
	typeParam    = namespace + ".Type"
	wrapperParam = namespace + ".Wrapper"

	generalUnion   = "org.apache.kafka.connect.data.Union"
	generalEnum    = "org.apache.kafka.connect.data.Enum"
	precisionParam = "connect.decimal.precision"
	connectType    = "connect.type" // among the parameters of confluent.field_meta

	defaultName = "ConnectDefault"
	entrySuffix = "Entry"

	decimalType   = "confluent.type.Decimal"
	dateType      = "google.type.Date"
	timeType      = "google.type.TimeOfDay"
	timestampType = "google.protobuf.Timestamp"
	variantType   = "confluent.type.Variant"
	variantName   = "org.apache.kafka.connect.data.Variant"
)

// logicalTypes are the messages of the logical types.
var logicalTypes = map[data.Logical]string{
	data.LogicalDecimal: decimalType, data.LogicalDate: dateType, data.LogicalTime: timeType, data.LogicalTimestamp: timestampType,
}

// wrappers are the messages that hold one scalar, with the types of what they
// hold, in the order in which they stand in their file.
var wrappers = []struct {
	name, scalar string
	typ          data.Type
}{
	{"DoubleValue", "double", data.Float64}, {"FloatValue", "float", data.Float32}, {"Int64Value", "int64", data.Int64},
	{"UInt64Value", "uint64", data.Int64}, {"Int32Value", "int32", data.Int32}, {"UInt32Value", "uint32", data.Int64},
	{"BoolValue", "bool", data.Boolean}, {"StringValue", "string", data.String}, {"BytesValue", "bytes", data.Bytes},
}

const wellKnown = "google.protobuf."

// wrapperOf returns the wrapper message of a scalar, "" for what has none.
func wrapperOf(scalar string) string {
	switch scalar {
	case "fixed32":
		scalar = "uint32"
	case "fixed64":
		scalar = "uint64"
	case "sint32", "sfixed32":
		scalar = "int32"
	case "sint64", "sfixed64":
		scalar = "int64"
	}
	for _, w := range wrappers {
		if w.scalar == scalar {
			return wellKnown + w.name
		}
	}
	return ""
}

func isUnion(s *data.Schema) bool {
	_, ok := s.Param(generalUnion)
	return ok || strings.HasPrefix(s.Name(), unionName)
}

func (m *Mapping) enumName() string {
	if m.GeneralizedSumTypes {
		return generalEnum
	}
	return enumParam
}

func (m *Mapping) scrub(name string) string {
	if !m.ScrubNames || name == "" || plain(name) && name[0] != '_' && (name[0] < '0' || name[0] > '9') {
		return name
	}
	// As java.net.URLEncoder writes it, which leaves these as they are and makes
	// a blank a plus sign; then all that is no letter or digit is an underscore.
	enc := strings.NewReplacer("%2A", "*", "~", "%7E").Replace(url.QueryEscape(name))
	if enc[0] == '_' || enc[0] >= '0' && enc[0] <= '9' {
		enc = "x" + enc
	}
	out := []byte(enc)
	for i, c := range out {
		if !plain(string(c)) {
			out[i] = '_'
		}
	}
	return string(out)
}

// plain reports whether a name is made of letters, digits and underscores.
func plain(name string) bool {
	for i := range len(name) {
		c := name[i]
		if c != '_' && (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z') {
			return false
		}
	}
	return true
}
