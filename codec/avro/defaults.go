package avro

import (
	"encoding/json"
	"math"
	"strconv"

	"github.com/troupeio/troupe/codec/avro/schema"
	"github.com/troupeio/troupe/codec/data"
)

const millisPerDay = 86_400_000

// dateNumber is the number that Avro has for a date, a time or a timestamp.
func dateNumber(l data.Logical, v data.Value) (int64, error) {
	if v.Kind() != data.KindDate {
		name := [...]string{data.LogicalDate: "Date", data.LogicalTime: "Time", data.LogicalTimestamp: "Timestamp"}[l]
		return 0, data.Errorf("Invalid type for %s, expected Date but was class %s", name, v.Kind().JavaClass())
	}
	ms := v.Int()
	switch l {
	case data.LogicalDate:
		if ms%millisPerDay != 0 {
			return 0, data.Errorf("Kafka Connect Date type should not have any time fields set to non-zero values.")
		}
		return int64(int32(ms / millisPerDay)), nil //nolint:gosec // Java cuts it off too
	case data.LogicalTime:
		if ms < 0 || ms > millisPerDay {
			return 0, data.Errorf("Kafka Connect Time type should not have any date fields set to non-zero values.")
		}
	}
	return ms, nil
}

// appendDecimal appends the bytes of a Decimal's unscaled value.
func appendDecimal(dst []byte, s *data.Schema, v data.Value) ([]byte, error) {
	d := v.Decimal()
	if d == nil {
		return dst, data.Errorf("Invalid type for Decimal, expected BigDecimal but was class %s", v.Kind().JavaClass())
	}
	if scale, _ := s.Scale(); d.Scale != scale {
		return dst, data.Errorf("Decimal value has mismatching scale for given Decimal schema. Schema has scale %d, value has scale %d.", scale, d.Scale)
	}
	return d.AppendUnscaled(dst), nil
}

// defaultJSON is a value of s as JSON, as it stands in Avro schemas.
func (o *options) defaultJSON(s *data.Schema, v data.Value) (any, error) {
	switch {
	case v.IsNull():
		return nil, nil
	case s == nil:
		return nil, data.Errorf("A default value without a schema has no form in Avro")
	}
	switch s.Logical() {
	case data.LogicalDecimal:
		b, err := appendDecimal(nil, s, v)
		return schema.Latin1(b), err
	case data.LogicalDate, data.LogicalTime, data.LogicalTimestamp:
		n, err := dateNumber(s.Logical(), v)
		return schema.IntNode(n), err
	}
	switch v.Kind() {
	case data.KindInt8, data.KindInt16, data.KindInt32, data.KindInt64:
		return schema.IntNode(v.Int()), nil
	case data.KindFloat32:
		return schema.FloatNode(v.Float(), 32), nil
	case data.KindFloat64:
		return schema.FloatNode(v.Float(), 64), nil
	case data.KindBoolean:
		return v.Bool(), nil
	case data.KindString:
		return v.Str(), nil
	case data.KindBytes:
		return schema.Latin1(v.Bytes()), nil
	case data.KindArray:
		out := []any{}
		for _, e := range v.Elems() {
			j, err := o.defaultJSON(s.ValueSchema(), e)
			if err != nil {
				return nil, err
			}
			out = append(out, j)
		}
		return out, nil
	case data.KindMap:
		return o.defaultMap(s, v.Map())
	case data.KindStruct:
		return o.defaultStruct(s, v.Struct())
	}
	return nil, data.Errorf("Unknown schema type:%s", s.Type())
}

func (o *options) defaultMap(s *data.Schema, m *data.MapValue) (any, error) {
	pairs, obj := []any{}, schema.Object{}
	for _, e := range m.Entries() {
		val, err := o.defaultJSON(s.ValueSchema(), e.Value)
		if err != nil {
			return nil, err
		}
		if o.plainKeys(s) {
			if e.Key.IsNull() { // allow.optional.map.keys promises that there is none
				return nil, data.Errorf("A map of the default value has a null for a key, which Avro has not")
			}
			obj = append(obj, schema.Member{Key: e.Key.Str(), Value: val})
			continue
		}
		key, err := o.defaultJSON(s.KeySchema(), e.Key)
		if err != nil {
			return nil, err
		}
		pairs = append(pairs, []any{key, val})
	}
	if o.plainKeys(s) {
		return obj, nil
	}
	return pairs, nil
}

func (o *options) defaultStruct(s *data.Schema, st *data.StructValue) (any, error) {
	out := schema.Object{}
	for i, f := range s.Fields() {
		j, err := o.defaultJSON(f.Schema, st.GetAt(i))
		if err != nil {
			return nil, err
		}
		if isUnion(s) {
			return j, nil // the default of a union is of its first branch
		}
		out = append(out, schema.Member{Key: o.scrubName(f.Name), Value: j})
	}
	return out, nil
}

var errDefault = data.Errorf("Invalid default value")

// defaultOf is the inverse of defaultJSON: the value of s that stands in an Avro
// schema as JSON. Its error means that there is no default.
func (o *options) defaultOf(s *data.Schema, a *schema.Schema, v any) (data.Value, error) {
	if v == nil {
		return data.Null, nil
	}
	if s == nil {
		return data.Null, errDefault
	}
	switch s.Type() {
	case data.Int8, data.Int16, data.Int32, data.Int64:
		return intDefault(s, v)
	case data.Float32, data.Float64:
		f, err := floatDefault(v)
		if s.Type() == data.Float32 {
			return data.OfFloat32(float32(f)), err
		}
		return data.OfFloat64(f), err
	case data.Boolean:
		b, ok := v.(bool)
		return data.OfBool(b), okOr(ok)
	case data.String:
		t, ok := v.(string)
		return data.OfString(t), okOr(ok)
	case data.Bytes:
		t, ok := v.(string)
		if !ok {
			return data.Null, errDefault
		}
		b := schema.FromLatin1(t)
		if s.Logical() != data.LogicalDecimal {
			return data.OfBytes(b), nil
		}
		scale, _ := s.Scale()
		d, err := data.DecimalFromUnscaled(b, scale)
		if err != nil {
			return data.Null, errDefault
		}
		return data.OfDecimal(d), nil
	case data.Array:
		return o.arrayDefault(s, a, v)
	case data.Map:
		return o.mapDefault(s, a, v)
	}
	return o.structDefault(s, a, v)
}

func okOr(ok bool) error {
	if ok {
		return nil
	}
	return errDefault
}

func intDefault(s *data.Schema, v any) (data.Value, error) {
	num, ok := v.(json.Number)
	n, err := strconv.ParseInt(string(num), 10, 64)
	if !ok || err != nil {
		return data.Null, errDefault
	}
	if s.Type() != data.Int64 && n != int64(int32(n)) { //nolint:gosec // that is the question
		return data.Null, errDefault
	}
	return intValue(s, n)
}

// intValue makes an Avro int or long a value of s.
func intValue(s *data.Schema, n int64) (data.Value, error) {
	switch s.Logical() {
	case data.LogicalDate:
		return data.OfDate(n * millisPerDay), nil
	case data.LogicalTime:
		if n < 0 || n > millisPerDay {
			return data.Null, data.Errorf("Time values must use number of milliseconds greater than 0 and less than 86400000")
		}
		return data.OfDate(n), nil
	case data.LogicalTimestamp:
		return data.OfDate(n), nil
	}
	switch s.Type() {
	case data.Int8:
		return data.OfInt8(int8(n)), nil //nolint:gosec // Java cuts it off too
	case data.Int16:
		return data.OfInt16(int16(n)), nil //nolint:gosec // Java cuts it off too
	case data.Int32:
		return data.OfInt32(int32(n)), nil //nolint:gosec // an Avro int
	}
	return data.OfInt64(n), nil
}

func floatDefault(v any) (float64, error) {
	switch v := v.(type) {
	case json.Number:
		f, err := strconv.ParseFloat(string(v), 64)
		return f, okOr(err == nil)
	case string:
		switch v {
		case "NaN":
			return math.NaN(), nil
		case "Infinity":
			return math.Inf(1), nil
		case "-Infinity":
			return math.Inf(-1), nil
		}
	}
	return 0, errDefault
}

func (o *options) arrayDefault(s *data.Schema, a *schema.Schema, v any) (data.Value, error) {
	list, ok := v.([]any)
	if !ok || a.Type != schema.Array {
		return data.Null, errDefault
	}
	out := make([]data.Value, len(list))
	for i, e := range list {
		var err error
		if out[i], err = o.defaultOf(s.ValueSchema(), branchOf(a.Elem, e), e); err != nil {
			return data.Null, err
		}
	}
	return data.OfArray(out), nil
}

func (o *options) mapDefault(s *data.Schema, a *schema.Schema, v any) (data.Value, error) {
	var out data.MapBuilder
	put := func(ks *data.Schema, ka *schema.Schema, k any, va *schema.Schema, e any) error {
		key, err := o.defaultOf(ks, branchOf(ka, k), k)
		if err != nil {
			return err
		}
		val, err := o.defaultOf(s.ValueSchema(), branchOf(va, e), e)
		out.Put(key, val)
		return err
	}
	switch v := v.(type) {
	case schema.Object:
		if a.Type != schema.Map {
			return data.Null, errDefault
		}
		for _, m := range v {
			if err := put(s.KeySchema(), &schema.Schema{Type: schema.String}, m.Key, a.Elem, m.Value); err != nil {
				return data.Null, err
			}
		}
	case []any: // of pairs; Java writes this form but does not read it
		if a.Type != schema.Array || !isMapEntry(a.Elem) {
			return data.Null, errDefault
		}
		for _, e := range v {
			pair, ok := e.([]any)
			if !ok || len(pair) != 2 {
				return data.Null, errDefault
			}
			if err := put(s.KeySchema(), a.Elem.Field(keyField).Schema, pair[0], a.Elem.Field(valueField).Schema, pair[1]); err != nil {
				return data.Null, err
			}
		}
	default:
		return data.Null, errDefault
	}
	return data.OfMap(out.Build()), nil
}

// branchOf returns what a nested JSON value is of: the branch beside null of a
// nullable schema.
func branchOf(a *schema.Schema, v any) *schema.Schema {
	if a.Type == schema.Union && len(a.Branches) == 2 && v != nil {
		for i, b := range a.Branches {
			if b.Type == schema.Null {
				return a.Branches[1-i]
			}
		}
	}
	return a
}

func (o *options) structDefault(s *data.Schema, a *schema.Schema, v any) (data.Value, error) {
	if isUnion(s) {
		if a.Type != schema.Union || len(a.Branches) == 0 || a.Branches[0].Type == schema.Null || len(s.Fields()) == 0 {
			return data.Null, errDefault
		}
		st, vals := data.AllocStruct(s)
		var err error
		vals[0], err = o.defaultOf(s.Fields()[0].Schema, a.Branches[0], v)
		return data.OfStruct(st), err
	}
	obj, ok := v.(schema.Object)
	if !ok || a.Type != schema.Record || len(a.Fields) != len(s.Fields()) {
		return data.Null, errDefault
	}
	st, vals := data.AllocStruct(s)
	for i, f := range s.Fields() {
		j, has := obj.Get(a.Fields[i].Name)
		if !has {
			vals[i] = f.Schema.Default()
			continue
		}
		var err error
		if vals[i], err = o.defaultOf(f.Schema, branchOf(a.Fields[i].Schema, j), j); err != nil {
			return data.Null, err
		}
	}
	return data.OfStruct(st), nil
}
