package avro

import (
	"encoding/json"
	"strconv"

	"github.com/troupeio/troupe/codec/avro/schema"
	"github.com/troupeio/troupe/codec/data"
)

// toConnect maps Avro schemas to Connect schemas, as AvroData.toConnectSchema.
type toConnect struct {
	*options
	unions int                                    // generalized unions so far
	around map[*schema.Schema]*data.SchemaBuilder // records that are being built
	done   map[mapped]*data.Schema
	depth  int
}

// mapped is everything on which a Connect schema depends, but for field defaults.
type mapped struct {
	s        *schema.Schema
	optional bool
	doc      string
}

// fieldInfo is what a field says about its schema.
type fieldInfo struct {
	def    any
	hasDef bool
	doc    string
	hasDoc bool
}

// connectSchema returns the Connect schema of an Avro schema; nil for that of
// schemaless values. version is the registry's, 0 for none; it counts where the
// schema has no connect.version.
func (o *options) connectSchema(a *schema.Schema, version int) (*data.Schema, error) {
	if a.FullName() == anything.FullName() && schema.Same(a, anything) {
		return nil, nil
	}
	t := &toConnect{options: o, around: make(map[*schema.Schema]*data.SchemaBuilder), done: make(map[mapped]*data.Schema)}
	return t.schema(a, false, fieldInfo{}, version)
}

// inside is schema for what stands inside another one.
func (t *toConnect) inside(a *schema.Schema, optional bool, doc string, hasDoc bool) (*data.Schema, error) {
	if b, ok := t.around[a]; ok {
		return b.Self(optional), nil
	}
	return t.schema(a, optional, fieldInfo{doc: doc, hasDoc: hasDoc}, 0)
}

func (t *toConnect) schema(a *schema.Schema, optional bool, f fieldInfo, version int) (*data.Schema, error) {
	if b, ok := t.around[a]; ok {
		return b.Self(optional), nil
	}
	if t.depth++; t.depth > schema.MaxDepth {
		return nil, schema.ErrDeep
	}
	defer func() { t.depth-- }()
	key := mapped{a, optional, f.doc}
	reuse := !f.hasDef && version == 0 && !(a.Type == schema.Union && t.sumTypes) // those are numbered
	if s, ok := t.done[key]; ok && reuse {
		return s, nil
	}
	s, err := t.build(a, optional, f, version)
	if err == nil && reuse {
		t.done[key] = s
	}
	return s, err
}

func (t *toConnect) build(a *schema.Schema, optional bool, f fieldInfo, version int) (*data.Schema, error) {
	var b *data.SchemaBuilder
	var name string // that the schema has already
	var err error
	switch a.Type {
	case schema.Null:
		return nil, data.Errorf("Standalone null schemas are not supported by this converter")
	case schema.Union:
		if s, ok, err := t.simpleUnion(a, f); ok || err != nil {
			return s, err
		}
		b, name, optional, err = t.union(a, optional)
	case schema.Record:
		b, err = t.record(a)
	default:
		b, name, err = t.plain(a)
	}
	if err != nil {
		delete(t.around, a)
		return nil, err
	}
	t.addDoc(a, b, f)
	if err := t.addMetadata(a, b, name, version); err != nil {
		delete(t.around, a)
		return nil, err
	}
	def, hasDef := f.def, f.hasDef
	if connect, ok := a.Prop(propDefault); !hasDef {
		def, hasDef = connect, ok
	} else if !t.discardDocs && t.metadata && !ok {
		b.Param(fieldDefaultParam, "true")
	}
	if name == "" {
		if name, err = t.nameOf(a); err != nil {
			return nil, err
		}
		if name != "" {
			b.Name(name)
		}
	}
	b.SetOptional(optional)
	delete(t.around, a)
	s, err := b.Build()
	if err != nil || !hasDef {
		return s, err
	}
	// A default that does not fit is left out, as in Java.
	if v, err := t.defaultOf(s, a, def); err == nil && !v.IsNull() {
		if withDef, err := b.Default(v).Build(); err == nil {
			return withDef, nil
		}
		return b.Default(data.Null).Build()
	}
	return s, nil
}

// simpleUnion maps the unions that leave no trace: null and one other type, and
// one type alone.
func (t *toConnect) simpleUnion(a *schema.Schema, f fieldInfo) (*data.Schema, bool, error) {
	if len(a.Branches) == 1 && t.flattenSingle {
		s, err := t.inside(a.Branches[0], false, f.doc, f.hasDoc)
		return s, true, err
	}
	if len(a.Branches) == 2 {
		for i, b := range a.Branches {
			if b.Type == schema.Null && len(b.Props) == 0 {
				s, err := t.inside(a.Branches[1-i], true, f.doc, f.hasDoc)
				return s, true, err
			}
		}
	}
	return nil, false, nil
}

// branchName is the name of the field of a union's struct that holds a branch.
func (o *options) branchName(a *schema.Schema, index int) string {
	switch {
	case o.sumTypes:
		return sumUnionPrefix + "field_" + strconv.Itoa(index)
	case !a.Type.Named():
		return a.Type.String()
	case o.enhanced:
		return a.FullName()
	}
	_, name := o.split(a.Name)
	return name
}

func (t *toConnect) union(a *schema.Schema, optional bool) (*data.SchemaBuilder, string, bool, error) {
	name := unionName
	if t.sumTypes {
		name = sumUnionPrefix + strconv.Itoa(t.unions)
		t.unions++
	}
	b := data.NewStructSchema().Name(name)
	if t.sumTypes {
		b.Param(sumUnionParam, name)
	}
	seen := make(map[string]bool)
	for i, m := range a.Branches {
		if m.Type == schema.Null {
			optional = true
			continue
		}
		field := t.branchName(m, i)
		if seen[field] {
			return nil, "", false, data.Errorf("Multiple union schemas map to the Connect union field name")
		}
		seen[field] = true
		s, err := t.inside(m, true, "", false)
		if err != nil {
			return nil, "", false, err
		}
		b.Field(field, s)
	}
	return b, name, optional, nil
}

func (t *toConnect) record(a *schema.Schema) (*data.SchemaBuilder, error) {
	b := data.NewStructSchema()
	t.around[a] = b
	docs := !t.discardDocs && t.metadata
	if docs && a.HasDoc {
		b.Param(recordDocParam, a.Doc)
	}
	for i := range a.Fields {
		f := &a.Fields[i]
		if docs && f.HasDoc {
			b.Param(fieldDocParam+f.Name, f.Doc)
		}
		s, err := t.schema(f.Schema, false, fieldInfo{f.Default, f.HasDefault, f.Doc, f.HasDoc}, 0)
		if err != nil {
			return nil, err
		}
		if p, ok := f.Props.Get(propParameters); ok && t.metadata {
			if s, err = withParams(s, p); err != nil {
				return nil, err
			}
		}
		b.Field(f.Name, s)
	}
	return b, nil
}

// plain maps what is neither a record nor a union. name is that of a logical type.
func (t *toConnect) plain(a *schema.Schema) (b *data.SchemaBuilder, name string, err error) {
	switch a.Type {
	case schema.Boolean:
		return data.NewSchema(data.Boolean), "", nil
	case schema.Float:
		return data.NewSchema(data.Float32), "", nil
	case schema.Double:
		return data.NewSchema(data.Float64), "", nil
	case schema.String:
		return data.NewSchema(data.String), "", nil
	case schema.Bytes, schema.Fixed:
		b = data.NewSchema(data.Bytes)
		if a.IsLogical("decimal") {
			name = data.DecimalName
			if b, err = decimalSchema(a); err != nil {
				return nil, "", err
			}
		}
		if a.Type == schema.Fixed {
			b.Param(fixedSizeParam, strconv.Itoa(a.Size))
		}
		return b, name, nil
	case schema.Int:
		return intSchema(a)
	case schema.Long:
		if a.IsLogical("timestamp-millis") {
			return data.NewSchema(data.Int64).Name(data.TimestampName).Version(1), data.TimestampName, nil
		}
		return data.NewSchema(data.Int64), "", nil
	case schema.Enum:
		return t.enum(a), "", nil
	case schema.Map:
		v, err := t.inside(a.Elem, false, "", false)
		return data.NewMapSchema(data.StringSchema, v), "", err
	}
	if !isMapEntry(a.Elem) {
		v, err := t.inside(a.Elem, false, "", false)
		return data.NewArraySchema(v), "", err
	}
	kf, vf := a.Elem.Field(keyField), a.Elem.Field(valueField)
	if len(a.Elem.Fields) != 2 || kf == nil || vf == nil {
		return nil, "", data.Errorf("Found map encoded as array of key-value pairs, but array elements do not match the expected format.")
	}
	k, err := t.inside(kf.Schema, false, "", false)
	if err != nil {
		return nil, "", err
	}
	v, err := t.inside(vf.Schema, false, "", false)
	return data.NewMapSchema(k, v), "", err
}

// scaleOf returns a decimal's scale, 0 where it has none.
func scaleOf(a *schema.Schema) int32 {
	v, _ := a.Prop(propScale)
	n, _ := v.(json.Number)
	scale, _ := strconv.ParseInt(string(n), 10, 32)
	return int32(scale) //nolint:gosec // parsed with 32 bits
}

func decimalSchema(a *schema.Schema) (*data.SchemaBuilder, error) {
	b := data.NewDecimalSchema(scaleOf(a))
	v, ok := a.Prop(propPrecision)
	if !ok || v == nil {
		return b, nil
	}
	n, ok := v.(json.Number)
	if !ok {
		return nil, data.Errorf("precision property must be a JSON Integer. https://avro.apache.org/docs/1.9.1/spec.html#Decimal")
	}
	if string(n) != strconv.Itoa(defaultPrecision) {
		b.Param(precisionParam, string(n))
	}
	return b, nil
}

func intSchema(a *schema.Schema) (*data.SchemaBuilder, string, error) {
	_, isLogical := a.Prop(schema.LogicalType)
	typ, hasType := a.Prop(propType)
	switch {
	case isLogical && a.IsLogical("date"):
		return data.NewSchema(data.Int32).Name(data.DateName).Version(1), data.DateName, nil
	case isLogical && a.IsLogical("time-millis"):
		return data.NewSchema(data.Int32).Name(data.TimeName).Version(1), data.TimeName, nil
	case isLogical || !hasType:
		return data.NewSchema(data.Int32), "", nil
	case typ == "int8":
		return data.NewSchema(data.Int8), "", nil
	case typ == "int16":
		return data.NewSchema(data.Int16), "", nil
	}
	return nil, "", data.Errorf("Connect type annotation for Avro int field is null")
}

func (t *toConnect) enum(a *schema.Schema) *data.SchemaBuilder {
	b := data.NewSchema(data.String)
	if t.metadata && a.HasDoc {
		if t.discardDocs {
			b.Param(plainEnumDoc, a.Doc)
		} else {
			b.Param(enumDocParam+a.Name, a.Doc)
		}
	}
	if t.metadata && !t.discardDocs && a.Symbol != "" {
		b.Param(enumDefaultParam+a.Name, a.Symbol)
	}
	param := enumParam
	if t.sumTypes {
		param = sumEnumParam
	}
	b.Param(param, a.FullName())
	for i, sym := range a.Symbols {
		if t.sumTypes {
			b.Param(param+"."+sym, strconv.Itoa(i))
		} else {
			b.Param(param+"."+sym, sym)
		}
	}
	return b
}
