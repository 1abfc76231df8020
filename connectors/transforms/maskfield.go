package transforms

import (
	"github.com/troupeio/troupe/codec"
	"github.com/troupeio/troupe/codec/configdef"
	"github.com/troupeio/troupe/codec/data"
	"github.com/troupeio/troupe/connectors"
)

const maskPurpose = "mask fields"

// maskField replaces the values of fields by something that tells nothing.
type maskField struct {
	side        side
	fields      []string
	masked      map[string]bool
	replacement string
	custom      bool
	withDefault bool
	cache       *data.SchemaCache[[]bool] // which slots are masked
	arena       data.StructArena
}

func maskFieldSpec() spec {
	return spec{
		name: "MaskField", sides: true,
		paths: []string{"fields"},
		keys: []configdef.Key{
			{Name: "fields", Type: configdef.List, Default: configdef.Required, Importance: configdef.High,
				Validator: configdef.NonEmptyList(), Doc: "Names of fields to mask."},
			{Name: "replacement", Type: configdef.String, Importance: configdef.Low, Validator: configdef.NonEmpty(),
				Doc: "Custom value replacement, that will be applied to all 'fields' values (numeric or non-empty string values only)."},
			replaceNullKey(), addedSyntaxKey(),
		},
		transform: func(side side, c *configdef.Values) (connectors.Transformation, error) {
			t := &maskField{side: side, cache: data.NewSchemaCache[[]bool](cachedSchemas)}
			t.masked = set(c.List("fields"))
			t.fields = hashMapOrder(distinct(c.List("fields")))
			t.replacement, t.custom = c.NullableString("replacement")
			var err error
			if t.withDefault, err = nullDefaults(c); err != nil {
				return nil, err
			}
			if usesPaths(c) {
				return t.withPaths()
			}
			return t, nil
		},
	}
}

// Apply implements [connectors.Transformation].
func (t *maskField) Apply(r *data.Record) (bool, error) {
	schema, value := t.side.at(r)
	if *schema == nil {
		m, err := requireMap(*value, maskPurpose)
		if err != nil {
			return false, err
		}
		b := data.CopyMap(m, len(t.fields))
		for _, name := range t.fields {
			v, _ := m.Get(name)
			if v, err = t.mask(v); err != nil {
				return false, err
			}
			b.PutString(name, v)
		}
		*value = data.OfMap(b.Build())
		return true, nil
	}
	st, err := requireStruct(*value, maskPurpose)
	if err != nil {
		return false, err
	}
	fields := st.Schema().Fields()
	which, ok := t.cache.Get(st.Schema())
	if !ok {
		which = make([]bool, len(fields))
		for i := range fields {
			which[i] = t.masked[fields[i].Name]
		}
		t.cache.Put(st.Schema(), which)
	}
	out, vals := t.arena.New(st.Schema())
	for i := range fields {
		v := fieldValue(st, i, t.withDefault)
		if which[i] {
			if v, err = t.mask(v); err != nil {
				return false, err
			}
		}
		if err := checkNull(&fields[i], v); err != nil {
			return false, err
		}
		vals[i] = v
	}
	*value = data.OfStruct(out)
	return true, nil
}

func (t *maskField) mask(v data.Value) (data.Value, error) {
	switch {
	case v.IsNull():
		return v, nil
	case t.custom:
		return replaceValue(v, t.replacement)
	}
	switch v.Kind() {
	case data.KindBoolean:
		return data.OfBool(false), nil
	case data.KindInt8, data.KindInt16, data.KindInt32, data.KindInt64, data.KindFloat32, data.KindFloat64:
		return castInt(data.OfInt8(0), data.Type(v.Kind())), nil
	case data.KindDecimal:
		return data.OfDecimal(data.NewDecimal(0, 0)), nil
	case data.KindDate:
		return data.OfDate(0), nil
	case data.KindString:
		return data.OfString(""), nil
	case data.KindArray:
		return data.OfArray(nil), nil
	case data.KindMap:
		return data.OfMap(&data.MapValue{}), nil
	}
	return v, data.Errorf("Cannot mask value of type: class %s", className(v))
}

// replaceValue makes a value of v's kind out of the replacement. A number may be
// written in any form that BigDecimal reads; what does not fit is cut.
func replaceValue(v data.Value, text string) (data.Value, error) {
	switch v.Kind() {
	case data.KindString:
		return data.OfString(text), nil
	case data.KindDecimal:
		d, ok := codec.ParseDecimal(text)
		if !ok {
			return v, data.Errorf("Unable to convert %s (class java.lang.String) to number", text)
		}
		return data.OfDecimal(d), nil
	case data.KindInt8, data.KindInt16, data.KindInt32, data.KindInt64, data.KindFloat32, data.KindFloat64:
		d, ok := codec.ParseDecimal(text)
		if !ok {
			return v, data.Errorf("Unable to convert %s (class java.lang.String) to a number", text)
		}
		if v.Kind() == data.KindFloat32 {
			// By way of the double, as Java does.
			return castFloat(castDecimal(d, data.Float64).Float(), data.Float32), nil
		}
		return castDecimal(d, data.Type(v.Kind())), nil
	}
	return v, data.Errorf("Cannot mask value of type class %s with custom replacement.", className(v))
}
