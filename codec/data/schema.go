// Package data is Kafka Connect's data model: schemas, values, headers and
// records. It is the ground floor: everything above speaks its types, and it
// imports nothing of ours but codec/javatext.
//
// Shape. A [Value] is a small tagged struct that holds scalars in place; a
// [Schema] is immutable and shared, so that what is derived from it can be
// cached by its pointer; a struct value is a slice beside its schema's fields.
//
// Concurrency. Schemas, values and headers are never written after they are
// made, so they may be shared freely. A [Record] belongs to one stage at a time.
package data

import (
	"fmt"
	"hash/maphash"
	"strconv"
	"strings"
	"sync"
)

// Type is a schema type of Kafka Connect.
type Type uint8

// The schema types. The zero Type is no type.
const (
	_ Type = iota
	Int8
	Int16
	Int32
	Int64
	Float32
	Float64
	Boolean
	String
	Bytes
	Array
	Map
	Struct
)

var typeNames = [...]string{"", "INT8", "INT16", "INT32", "INT64", "FLOAT32", "FLOAT64", "BOOLEAN", "STRING", "BYTES", "ARRAY", "MAP", "STRUCT"}

// String returns Kafka Connect's name of the type, such as INT32.
func (t Type) String() string {
	if int(t) < len(typeNames) {
		return typeNames[t]
	}
	return "Type(" + strconv.Itoa(int(t)) + ")"
}

// ParseType is the inverse of [Type.String].
func ParseType(name string) (Type, bool) {
	for i, n := range typeNames {
		if n == name && i > 0 {
			return Type(i), true
		}
	}
	return 0, false
}

// IsPrimitive reports whether t is one of the nine scalar types.
func (t Type) IsPrimitive() bool { return t >= Int8 && t <= Bytes }

// Logical is a logical type that Kafka Connect recognises by the schema's name.
type Logical uint8

// The logical types of org.apache.kafka.connect.data.
const (
	NotLogical Logical = iota
	LogicalDecimal
	LogicalDate
	LogicalTime
	LogicalTimestamp
)

// Names of the logical types.
const (
	DecimalName   = "org.apache.kafka.connect.data.Decimal"
	DateName      = "org.apache.kafka.connect.data.Date"
	TimeName      = "org.apache.kafka.connect.data.Time"
	TimestampName = "org.apache.kafka.connect.data.Timestamp"
	// ScaleParameter is the parameter of a Decimal schema that holds its scale.
	ScaleParameter = "scale"
)

// Param is one parameter of a schema.
type Param struct{ Key, Value string }

// Field is one field of a struct schema.
type Field struct {
	Name   string
	Index  int
	Schema *Schema
}

// Schema describes values. It is immutable; make one with a [SchemaBuilder] or
// one of the shared constants. Compare with [Schema.Equal]; a nil Schema means
// schemaless data.
type Schema struct {
	typ        Type
	optional   bool
	hasVersion bool
	logical    Logical
	version    int32
	scale      int32 // of a Decimal; meaningful when scaleOK
	scaleOK    bool
	name       string
	doc        string
	emptyName  bool // there is a name, and it is ""
	emptyDoc   bool
	params     []Param
	def        Value
	fields     []Field
	byName     map[string]int // nil for a few fields: then a scan is faster
	key, value *Schema

	repeats bool // stands for a schema around it, see SchemaBuilder.Self

	hashOnce      sync.Once
	hash          uint64
	recursiveOnce sync.Once
	recursive     bool
}

// Shared schemas of the primitive types, required and optional.
var (
	Int8Schema            = &Schema{typ: Int8}
	Int16Schema           = &Schema{typ: Int16}
	Int32Schema           = &Schema{typ: Int32}
	Int64Schema           = &Schema{typ: Int64}
	Float32Schema         = &Schema{typ: Float32}
	Float64Schema         = &Schema{typ: Float64}
	BooleanSchema         = &Schema{typ: Boolean}
	StringSchema          = &Schema{typ: String}
	BytesSchema           = &Schema{typ: Bytes}
	OptionalInt8Schema    = &Schema{typ: Int8, optional: true}
	OptionalInt16Schema   = &Schema{typ: Int16, optional: true}
	OptionalInt32Schema   = &Schema{typ: Int32, optional: true}
	OptionalInt64Schema   = &Schema{typ: Int64, optional: true}
	OptionalFloat32Schema = &Schema{typ: Float32, optional: true}
	OptionalFloat64Schema = &Schema{typ: Float64, optional: true}
	OptionalBooleanSchema = &Schema{typ: Boolean, optional: true}
	OptionalStringSchema  = &Schema{typ: String, optional: true}
	OptionalBytesSchema   = &Schema{typ: Bytes, optional: true}

	DateSchema              = &Schema{typ: Int32, name: DateName, version: 1, hasVersion: true, logical: LogicalDate}
	TimeSchema              = &Schema{typ: Int32, name: TimeName, version: 1, hasVersion: true, logical: LogicalTime}
	TimestampSchema         = &Schema{typ: Int64, name: TimestampName, version: 1, hasVersion: true, logical: LogicalTimestamp}
	OptionalDateSchema      = &Schema{typ: Int32, optional: true, name: DateName, version: 1, hasVersion: true, logical: LogicalDate}
	OptionalTimeSchema      = &Schema{typ: Int32, optional: true, name: TimeName, version: 1, hasVersion: true, logical: LogicalTime}
	OptionalTimestampSchema = &Schema{typ: Int64, optional: true, name: TimestampName, version: 1, hasVersion: true, logical: LogicalTimestamp}
)

var (
	required = [...]*Schema{nil, Int8Schema, Int16Schema, Int32Schema, Int64Schema, Float32Schema, Float64Schema, BooleanSchema, StringSchema, BytesSchema}
	optional = [...]*Schema{nil, OptionalInt8Schema, OptionalInt16Schema, OptionalInt32Schema, OptionalInt64Schema, OptionalFloat32Schema, OptionalFloat64Schema, OptionalBooleanSchema, OptionalStringSchema, OptionalBytesSchema}
)

// PrimitiveSchema returns the shared schema of a primitive type, or nil when t
// is not primitive.
func PrimitiveSchema(t Type, opt bool) *Schema {
	if !t.IsPrimitive() {
		return nil
	}
	if opt {
		return optional[t]
	}
	return required[t]
}

// Type returns the schema's type.
func (s *Schema) Type() Type { return s.typ }

// Logical returns the logical type that the schema's name stands for.
func (s *Schema) Logical() Logical { return s.logical }

// Optional reports whether null is a value of this schema.
func (s *Schema) Optional() bool { return s.optional }

// Name returns the schema's name, "" for none.
func (s *Schema) Name() string { return s.name }

// HasName reports whether the schema has a name; to Kafka Connect an empty one is
// another thing than none.
func (s *Schema) HasName() bool { return s.name != "" || s.emptyName }

// Doc returns the schema's documentation, "" for none.
func (s *Schema) Doc() string { return s.doc }

// HasDoc reports whether the schema has documentation, an empty one too.
func (s *Schema) HasDoc() bool { return s.doc != "" || s.emptyDoc }

// Version returns the schema's version; ok is false when it has none.
func (s *Schema) Version() (v int32, ok bool) { return s.version, s.hasVersion }

// Default returns the default value; it is null when there is none.
func (s *Schema) Default() Value { return s.def }

// Params returns the parameters in the order in which they were given. The
// caller must not change the slice.
func (s *Schema) Params() []Param { return s.params }

// Param returns one parameter.
func (s *Schema) Param(key string) (string, bool) {
	for _, p := range s.params {
		if p.Key == key {
			return p.Value, true
		}
	}
	return "", false
}

// Scale returns the scale of a Decimal schema; ok is false when the parameter
// is missing or no number.
func (s *Schema) Scale() (scale int32, ok bool) { return s.scale, s.scaleOK }

// Fields returns a struct schema's fields in order. The caller must not change
// the slice.
func (s *Schema) Fields() []Field { return s.fields }

// Field returns the field called name, or nil.
func (s *Schema) Field(name string) *Field {
	if s.byName != nil {
		if i, ok := s.byName[name]; ok {
			return &s.fields[i]
		}
		return nil
	}
	for i := range s.fields {
		if s.fields[i].Name == name {
			return &s.fields[i]
		}
	}
	return nil
}

// KeySchema returns the schema of a map's keys; nil when unknown.
func (s *Schema) KeySchema() *Schema { return s.key }

// ValueSchema returns the schema of a map's values or an array's elements; nil
// when unknown.
func (s *Schema) ValueSchema() *Schema { return s.value }

// String returns Kafka's text form: Schema{name:TYPE}, or Schema{TYPE}.
func (s *Schema) String() string {
	if s == nil {
		return "null"
	}
	if s.HasName() {
		return "Schema{" + s.name + ":" + s.typ.String() + "}"
	}
	return "Schema{" + s.typ.String() + "}"
}

// Equal reports whether two schemas agree in every attribute, as ConnectSchema's
// equals does. The order of parameters has no meaning.
func (s *Schema) Equal(o *Schema) bool {
	if s == o {
		return true
	}
	if s == nil || o == nil {
		return false
	}
	if s.Recursive() {
		return s.same(o, map[[2]*Schema]bool{})
	}
	if s.typ != o.typ || s.optional != o.optional || s.hasVersion != o.hasVersion || s.version != o.version ||
		s.name != o.name || s.doc != o.doc || s.emptyName != o.emptyName || s.emptyDoc != o.emptyDoc || len(s.fields) != len(o.fields) || len(s.params) != len(o.params) {
		return false
	}
	for _, p := range s.params {
		if v, ok := o.Param(p.Key); !ok || v != p.Value {
			return false
		}
	}
	for i := range s.fields {
		if s.fields[i].Name != o.fields[i].Name || !s.fields[i].Schema.Equal(o.fields[i].Schema) {
			return false
		}
	}
	return s.def.Equal(o.def) && s.key.Equal(o.key) && s.value.Equal(o.value)
}

var hashSeed = maphash.MakeSeed()

// Hash returns a hash that equal schemas share. It is computed once.
func (s *Schema) Hash() uint64 {
	if s == nil {
		return 0
	}
	s.hashOnce.Do(func() {
		var h maphash.Hash
		h.SetSeed(hashSeed)
		_ = h.WriteByte(byte(s.typ))
		_, _ = h.WriteString(s.name)
		if s.optional {
			_ = h.WriteByte(1)
		}
		for i := range s.fields {
			_, _ = h.WriteString(s.fields[i].Name)
			if s.repeats {
				continue
			}
			maphash.WriteComparable(&h, s.fields[i].Schema.Hash())
		}
		maphash.WriteComparable(&h, s.key.Hash())
		maphash.WriteComparable(&h, s.value.Hash())
		s.hash = h.Sum64()
	})
	return s.hash
}

// SchemaError is the counterpart of Kafka's SchemaBuilderException.
type SchemaError struct{ Msg string }

func (e *SchemaError) Error() string { return e.Msg }

// SchemaBuilder collects the attributes of a schema. The zero value is not
// usable; begin with [NewSchema]. Methods chain; the first error is kept and
// returned by Build.
type SchemaBuilder struct {
	s      Schema
	names  map[string]struct{}
	selves []self
	err    error
}

// NewSchema begins a schema of type t. Arrays and maps get their element
// schemas from [NewArraySchema] and [NewMapSchema].
func NewSchema(t Type) *SchemaBuilder { return &SchemaBuilder{s: Schema{typ: t}} }

// NewArraySchema begins an array schema. A nil element schema stands for an
// array of which only nulls are known.
func NewArraySchema(elem *Schema) *SchemaBuilder {
	b := NewSchema(Array)
	b.s.value = elem
	return b
}

// NewMapSchema begins a map schema.
func NewMapSchema(key, value *Schema) *SchemaBuilder {
	b := NewSchema(Map)
	b.s.key, b.s.value = key, value
	return b
}

// NewStructSchema begins a struct schema.
func NewStructSchema() *SchemaBuilder { return NewSchema(Struct) }

// NewDecimalSchema begins a Decimal schema with the given scale.
func NewDecimalSchema(scale int32) *SchemaBuilder {
	return NewSchema(Bytes).Name(DecimalName).Version(1).Param(ScaleParameter, strconv.Itoa(int(scale)))
}

func (b *SchemaBuilder) fail(format string, args ...any) *SchemaBuilder {
	if b.err == nil {
		b.err = &SchemaError{fmt.Sprintf(format, args...)}
	}
	return b
}

// Optional marks the schema as optional.
func (b *SchemaBuilder) Optional() *SchemaBuilder { b.s.optional = true; return b }

// SetOptional sets whether the schema is optional.
func (b *SchemaBuilder) SetOptional(o bool) *SchemaBuilder { b.s.optional = o; return b }

// Name sets the schema's name; "" is none.
func (b *SchemaBuilder) Name(n string) *SchemaBuilder { b.s.name, b.s.emptyName = n, false; return b }

// AnyName sets a name that may be the empty text.
func (b *SchemaBuilder) AnyName(n string) *SchemaBuilder {
	b.s.name, b.s.emptyName = n, n == ""
	return b
}

// Doc sets the schema's documentation; "" is none.
func (b *SchemaBuilder) Doc(d string) *SchemaBuilder { b.s.doc, b.s.emptyDoc = d, false; return b }

// AnyDoc sets documentation that may be the empty text.
func (b *SchemaBuilder) AnyDoc(d string) *SchemaBuilder { b.s.doc, b.s.emptyDoc = d, d == ""; return b }

// Version sets the schema's version.
func (b *SchemaBuilder) Version(v int32) *SchemaBuilder {
	b.s.version, b.s.hasVersion = v, true
	return b
}

// Param adds or replaces a parameter.
func (b *SchemaBuilder) Param(k, v string) *SchemaBuilder {
	for i := range b.s.params {
		if b.s.params[i].Key == k {
			b.s.params[i].Value = v
			return b
		}
	}
	b.s.params = append(b.s.params[:len(b.s.params):len(b.s.params)], Param{k, v})
	return b
}

// Params adds parameters.
func (b *SchemaBuilder) Params(ps []Param) *SchemaBuilder {
	for _, p := range ps {
		b.Param(p.Key, p.Value)
	}
	return b
}

// Default sets the default value. A null value means no default.
func (b *SchemaBuilder) Default(v Value) *SchemaBuilder { b.s.def = v; return b }

// Field adds a field to a struct schema.
func (b *SchemaBuilder) Field(name string, s *Schema) *SchemaBuilder {
	if b.s.typ != Struct {
		return b.fail("Cannot create fields on type %s", b.s.typ)
	}
	if name == "" {
		return b.fail("fieldName cannot be null.")
	}
	if s == nil {
		return b.fail("fieldSchema for field %s cannot be null.", name)
	}
	if b.names == nil {
		b.names = make(map[string]struct{})
	}
	if _, dup := b.names[name]; dup {
		return b.fail("Cannot create field because of field name duplication %s", name)
	}
	b.names[name] = struct{}{}
	b.s.fields = append(b.s.fields, Field{Name: name, Index: len(b.s.fields), Schema: s})
	return b
}

// CopyBasics copies name, version, doc and parameters of s: what Kafka's
// transforms keep when they rebuild a schema. Optional and default are not
// copied.
func (b *SchemaBuilder) CopyBasics(s *Schema) *SchemaBuilder {
	b.s.name, b.s.doc, b.s.version, b.s.hasVersion = s.name, s.doc, s.version, s.hasVersion
	b.s.emptyName, b.s.emptyDoc = s.emptyName, s.emptyDoc
	return b.Params(s.params)
}

// Build returns the schema, or the first error of the calls before. The default
// value is checked against the schema.
func (b *SchemaBuilder) Build() (*Schema, error) {
	if b.err != nil {
		return nil, b.err
	}
	s := &Schema{
		typ: b.s.typ, optional: b.s.optional, hasVersion: b.s.hasVersion, version: b.s.version, name: b.s.name,
		doc: b.s.doc, emptyName: b.s.emptyName, emptyDoc: b.s.emptyDoc, params: b.s.params, def: b.s.def, fields: b.s.fields, key: b.s.key, value: b.s.value,
	}
	s.finish()
	b.fillSelves(s)
	if !s.def.IsNull() {
		// A struct that is a default can only have the schema without that default.
		if err := ValidateValue(s.With(s.optional, Null), s.def); err != nil {
			return nil, &SchemaError{"Invalid default value"}
		}
	}
	return s, nil
}

// MustBuild is Build for schemas that are written in code.
func (b *SchemaBuilder) MustBuild() *Schema {
	s, err := b.Build()
	if err != nil {
		panic(err)
	}
	return s
}

func (s *Schema) finish() {
	switch s.name {
	case DecimalName:
		s.logical = LogicalDecimal
		if p, ok := s.Param(ScaleParameter); ok {
			if n, err := strconv.ParseInt(strings.TrimSpace(p), 10, 32); err == nil {
				s.scale, s.scaleOK = int32(n), true
			}
		}
	case DateName:
		s.logical = LogicalDate
	case TimeName:
		s.logical = LogicalTime
	case TimestampName:
		s.logical = LogicalTimestamp
	}
	if len(s.fields) > 8 {
		s.byName = make(map[string]int, len(s.fields))
		for i := range s.fields {
			s.byName[s.fields[i].Name] = i
		}
	}
}

// With returns s with another optionality and default value (null for none).
// It returns s itself when nothing changes.
func (s *Schema) With(opt bool, def Value) *Schema {
	if s.optional == opt && s.def.IsNull() && def.IsNull() {
		return s
	}
	c := &Schema{
		typ: s.typ, optional: opt, hasVersion: s.hasVersion, logical: s.logical, version: s.version, scale: s.scale,
		repeats: s.repeats, scaleOK: s.scaleOK, name: s.name, doc: s.doc, emptyName: s.emptyName, emptyDoc: s.emptyDoc,
		params: s.params, def: def, fields: s.fields, byName: s.byName,
		key: s.key, value: s.value,
	}
	return c
}
