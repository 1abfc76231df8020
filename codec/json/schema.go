package json

import (
	"strconv"
	"strings"

	"github.com/troupeio/troupe/codec/data"
)

// The names of the schema types in JSON.
var typeNames = [...]string{
	data.Int8: "int8", data.Int16: "int16", data.Int32: "int32", data.Int64: "int64", data.Float32: "float",
	data.Float64: "double", data.Boolean: "boolean", data.String: "string", data.Bytes: "bytes",
	data.Array: "array", data.Map: "map", data.Struct: "struct",
}

// schemaOf reads a schema from its JSON form; null is schemaless.
func (c *Converter) schemaOf(n *node) (*data.Schema, error) {
	if n.typ == nullNode {
		return nil, nil
	}
	t := n.get("type")
	if !t.isText() {
		return nil, data.Errorf("Schema must contain 'type' field")
	}
	typ := data.Type(0)
	for i, name := range typeNames {
		if name != "" && name == string(t.text) {
			typ = data.Type(i)
		}
	}
	var b *data.SchemaBuilder
	switch typ {
	case 0:
		return nil, data.Errorf("Unknown schema type: %s", t.text)
	case data.Array:
		items := n.get("items")
		if items.isNull() {
			return nil, data.Errorf("Array schema did not specify the element type")
		}
		elem, err := c.schemaOf(items)
		if err != nil {
			return nil, err
		}
		b = data.NewArraySchema(elem)
	case data.Map:
		keys, values := n.get("keys"), n.get("values")
		if keys == nil {
			return nil, data.Errorf("Map schema did not specify the key type")
		}
		if values == nil {
			return nil, data.Errorf("Map schema did not specify the value type")
		}
		ks, err := c.schemaOf(keys)
		if err != nil {
			return nil, err
		}
		vs, err := c.schemaOf(values)
		if err != nil {
			return nil, err
		}
		if ks == nil {
			return nil, &data.SchemaError{Msg: "keySchema cannot be null."}
		}
		if vs == nil {
			return nil, &data.SchemaError{Msg: "valueSchema cannot be null."}
		}
		b = data.NewMapSchema(ks, vs)
	case data.Struct:
		b = data.NewStructSchema()
		fields := n.get("fields")
		if fields == nil || fields.typ != arrayNode {
			return nil, data.Errorf(`Struct schema's "fields" argument is not an array.`)
		}
		seen := make(map[string]bool, len(fields.kids))
		for _, f := range fields.kids {
			name := f.get("field")
			if !name.isText() {
				return nil, data.Errorf("Struct schema's field name not specified properly")
			}
			fs, err := c.schemaOf(f)
			if err != nil {
				return nil, err
			}
			if seen[string(name.text)] {
				return nil, &data.SchemaError{Msg: "Cannot create field because of field name duplication " + string(name.text)}
			}
			if len(name.text) == 0 {
				return nil, &data.SchemaError{Msg: "fieldName cannot be null."}
			}
			seen[string(name.text)] = true
			b.Field(string(name.text), fs)
		}
	default:
		b = data.NewSchema(typ)
	}
	return c.attributes(b, n)
}

// attributes reads what all types have. Attributes of a wrong type are as if
// they were not there.
func (c *Converter) attributes(b *data.SchemaBuilder, n *node) (*data.Schema, error) {
	if o := n.get("optional"); o != nil && o.typ == booleanNode {
		b.SetOptional(o.b)
	}
	if a := n.get("name"); a.isText() {
		b.AnyName(string(a.text))
	}
	if a := n.get("version"); a != nil && a.isInt {
		b.Version(wrapInt(a.text))
	}
	if a := n.get("doc"); a.isText() {
		b.AnyDoc(string(a.text))
	}
	if a := n.get("parameters"); a != nil && a.typ == objectNode {
		for i, p := range a.kids {
			if !p.isText() {
				return nil, data.Errorf("Schema parameters must have string values.")
			}
			b.Param(strings.Clone(a.names[i]), string(p.text))
		}
	}
	def := n.get("default")
	s, err := b.Build()
	if def == nil || err != nil {
		return s, err
	}
	v, err := c.convert(s, def)
	if err != nil {
		return nil, err
	}
	// In Java the default struct refers to the builder and never fits: a schema
	// with such a default cannot be read.
	if !v.IsNull() && s.Type() == data.Struct || v.IsNull() && !s.Optional() {
		return nil, &data.SchemaError{Msg: "Invalid default value"}
	}
	return b.Default(detach(v)).Build()
}

// detach copies a value's text out of the document: a default outlives it.
func detach(v data.Value) data.Value {
	switch v.Kind() {
	case data.KindString:
		return data.OfString(string(v.Bytes()))
	case data.KindArray:
		out := make([]data.Value, len(v.Elems()))
		for i, e := range v.Elems() {
			out[i] = detach(e)
		}
		return data.OfArray(out)
	case data.KindMap:
		var b data.MapBuilder
		for _, e := range v.Map().Entries() {
			b.Put(detach(e.Key), detach(e.Value))
		}
		return data.OfMap(b.Build())
	case data.KindStruct:
		vals := make([]data.Value, len(v.Struct().Values()))
		for i, e := range v.Struct().Values() {
			vals[i] = detach(e)
		}
		return data.OfStruct(data.NewStruct(v.Struct().Schema(), vals))
	}
	return v
}

// appendSchema writes a schema in its JSON form. field is the name under which
// it stands in a struct, hasField whether it does.
func (c *Converter) appendSchema(dst []byte, s *data.Schema, field string, hasField bool) ([]byte, error) {
	if s == nil {
		return append(dst, "null"...), nil
	}
	var err error
	dst = append(dst, `{"type":"`...)
	dst = append(dst, typeNames[s.Type()]...)
	dst = append(dst, '"')
	switch s.Type() {
	case data.Array:
		dst = append(dst, `,"items":`...)
		if dst, err = c.appendSchema(dst, s.ValueSchema(), "", false); err != nil {
			return dst, err
		}
	case data.Map:
		dst = append(dst, `,"keys":`...)
		if dst, err = c.appendSchema(dst, s.KeySchema(), "", false); err != nil {
			return dst, err
		}
		dst = append(dst, `,"values":`...)
		if dst, err = c.appendSchema(dst, s.ValueSchema(), "", false); err != nil {
			return dst, err
		}
	case data.Struct:
		dst = append(dst, `,"fields":[`...)
		for i, f := range s.Fields() {
			if i > 0 {
				dst = append(dst, ',')
			}
			if dst, err = c.appendSchema(dst, f.Schema, f.Name, true); err != nil {
				return dst, err
			}
		}
		dst = append(dst, ']')
	}
	dst = append(dst, `,"optional":`...)
	dst = strconv.AppendBool(dst, s.Optional())
	if s.HasName() {
		dst = appendString(append(dst, `,"name":`...), s.Name())
	}
	if v, ok := s.Version(); ok {
		dst = strconv.AppendInt(append(dst, `,"version":`...), int64(v), 10)
	}
	if s.HasDoc() {
		dst = appendString(append(dst, `,"doc":`...), s.Doc())
	}
	if ps := s.Params(); len(ps) > 0 {
		dst = append(dst, `,"parameters":{`...)
		for i, p := range ps {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(appendString(dst, p.Key), ':')
			dst = appendString(dst, p.Value)
		}
		dst = append(dst, '}')
	}
	if def := s.Default(); !def.IsNull() {
		e := c.compile(s.With(s.Optional(), data.Null))
		if dst, err = c.encode(append(dst, `,"default":`...), e, def, 0); err != nil {
			return dst, err
		}
	}
	if hasField {
		dst = appendString(append(dst, `,"field":`...), field)
	}
	return append(dst, '}'), nil
}
