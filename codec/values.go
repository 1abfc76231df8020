package codec

import (
	"encoding/base64"

	"github.com/troupeio/troupe/codec/data"
)

// The schemas whose types the named conversions ask for.
var (
	anyList   = data.NewArraySchema(data.StringSchema).MustBuild()
	anyMap    = data.NewMapSchema(data.StringSchema, data.StringSchema).MustBuild()
	anyStruct = data.NewStructSchema().MustBuild()
)

// ConvertTo… are the functions of Kafka's Values: they turn a value of schema s
// (which may be nil) into one of the type in their name, null into null for the
// primitive types, and fail with a [data.Error].

// ConvertToBoolean makes a boolean: "true" and "false", else whether a number is
// not zero.
func ConvertToBoolean(s *data.Schema, v data.Value) (data.Value, error) {
	return Convert(data.OptionalBooleanSchema, s, v)
}

// ConvertToByte makes an int8; a wider number is cut off.
func ConvertToByte(s *data.Schema, v data.Value) (data.Value, error) {
	return Convert(data.OptionalInt8Schema, s, v)
}

// ConvertToShort makes an int16; a wider number is cut off.
func ConvertToShort(s *data.Schema, v data.Value) (data.Value, error) {
	return Convert(data.OptionalInt16Schema, s, v)
}

// ConvertToInteger makes an int32; a wider number is cut off.
func ConvertToInteger(s *data.Schema, v data.Value) (data.Value, error) {
	return Convert(data.OptionalInt32Schema, s, v)
}

// ConvertToLong makes an int64; a wider number is cut off.
func ConvertToLong(s *data.Schema, v data.Value) (data.Value, error) {
	return Convert(data.OptionalInt64Schema, s, v)
}

// ConvertToFloat makes a float32.
func ConvertToFloat(s *data.Schema, v data.Value) (data.Value, error) {
	return Convert(data.OptionalFloat32Schema, s, v)
}

// ConvertToDouble makes a float64.
func ConvertToDouble(s *data.Schema, v data.Value) (data.Value, error) {
	return Convert(data.OptionalFloat64Schema, s, v)
}

// ConvertToString makes the text that a header has.
func ConvertToString(s *data.Schema, v data.Value) (data.Value, error) {
	return Convert(data.OptionalStringSchema, s, v)
}

// ConvertToList makes an array, also of text in brackets.
func ConvertToList(s *data.Schema, v data.Value) (data.Value, error) { return Convert(anyList, s, v) }

// ConvertToMap makes a map, also of text in braces.
func ConvertToMap(s *data.Schema, v data.Value) (data.Value, error) { return Convert(anyMap, s, v) }

// ConvertToStruct takes a struct only.
func ConvertToStruct(s *data.Schema, v data.Value) (data.Value, error) {
	return Convert(anyStruct, s, v)
}

// ConvertToDate makes a Date; a number counts days.
func ConvertToDate(s *data.Schema, v data.Value) (data.Value, error) {
	return Convert(data.DateSchema, s, v)
}

// ConvertToTime makes a Time; a number counts milliseconds of the day.
func ConvertToTime(s *data.Schema, v data.Value) (data.Value, error) {
	return Convert(data.TimeSchema, s, v)
}

// ConvertToTimestamp makes a Timestamp; a number counts milliseconds.
func ConvertToTimestamp(s *data.Schema, v data.Value) (data.Value, error) {
	return Convert(data.TimestampSchema, s, v)
}

// ConvertToDecimal makes a Decimal. Its scale is that of the number; the given
// one matters to bytes only.
func ConvertToDecimal(s *data.Schema, v data.Value, scale int32) (data.Value, error) {
	return Convert(data.NewDecimalSchema(scale).MustBuild(), s, v)
}

// Convert is Values.convertTo: it turns v, of schema from (nil when unknown), into
// a value of schema to.
func Convert(to, from *data.Schema, v data.Value) (data.Value, error) {
	if v.IsNull() {
		if to.Optional() {
			return v, nil
		}
		return data.Null, data.Errorf("Unable to convert a null value to a schema that requires a value")
	}
	switch t := to.Type(); t {
	case data.Bytes:
		if v.Kind() == data.KindBytes && to.Logical() != data.LogicalDecimal {
			return v, nil
		}
		if to.Logical() == data.LogicalDecimal {
			if d, done, err := toDecimal(to, v); done {
				return d, err
			}
		}
		if d := v.Decimal(); d != nil {
			return data.OfBytes(d.AppendUnscaled(nil)), nil
		}
	case data.String:
		if v.Kind() == data.KindString {
			return v, nil
		}
		text, err := appendLiteral(nil, v, false)
		return data.OfText(text), err
	case data.Boolean:
		if v.Kind() == data.KindBoolean {
			return v, nil
		}
		if v.Kind() == data.KindString {
			if _, b := ParseString(v.Str()); b.Kind() == data.KindBoolean {
				return b, nil
			}
		}
		n, err := asLong(v, from)
		return data.OfBool(n != 0), err
	case data.Int32, data.Int64:
		if to.Logical() != data.NotLogical && to.Logical() != data.LogicalDecimal {
			return toTemporal(to, from, v)
		}
		fallthrough
	case data.Int8, data.Int16:
		if v.Kind() == data.Kind(t) {
			return v, nil
		}
		n, err := asLong(v, from)
		return numberOf(data.OfInt64(n), t), err
	case data.Float32, data.Float64:
		if v.Kind() == data.Kind(t) {
			return v, nil
		}
		f, err := asDouble(v, from)
		return numberOf(data.OfFloat64(f), t), err
	case data.Array, data.Map:
		if v.Kind() == data.KindString {
			_, v = ParseString(v.Str())
			if v.IsNull() {
				return v, data.Errorf("Unable to convert a null value to a schema that requires a value")
			}
		}
		if v.Kind() == data.Kind(t) {
			return v, nil
		}
	case data.Struct:
		if v.Kind() == data.KindStruct {
			return v, nil
		}
	}
	return data.Null, data.Errorf("Unable to convert %s (class %s) to %s", v, v.Kind().JavaClass(), to)
}

func toDecimal(to *data.Schema, v data.Value) (data.Value, bool, error) {
	switch v.Kind() {
	case data.KindDecimal:
		return v, true, nil
	case data.KindBytes:
		scale, ok := to.Scale()
		if !ok {
			return data.Null, true, data.Errorf("Invalid Decimal schema: scale parameter not found.")
		}
		d, err := data.DecimalFromUnscaled(v.Bytes(), scale)
		if err != nil {
			return data.Null, true, data.Errorf("%s", err)
		}
		return data.OfDecimal(d), true, nil
	case data.KindString:
		d, ok := ParseDecimal(v.Str())
		if !ok {
			return data.Null, true, data.Errorf("%s is no decimal number", v.Str())
		}
		return data.OfDecimal(d), true, nil
	}
	if isNumber(v) {
		d, ok := decimalOfDouble(doubleOf(v))
		if !ok {
			return data.Null, true, data.Errorf("%s is no decimal number", v)
		}
		return data.OfDecimal(d), true, nil
	}
	return data.Null, false, nil
}

// toTemporal makes a Date, a Time or a Timestamp.
func toTemporal(to, from *data.Schema, v data.Value) (data.Value, error) {
	if v.Kind() == data.KindString {
		if _, v = ParseString(v.Str()); v.IsNull() {
			return v, data.Errorf("Unable to convert a null value to a schema that requires a value")
		}
	}
	if v.Kind() == data.KindDate {
		if from == nil || from.Logical() == to.Logical() {
			return v, nil
		}
		ms := v.Int()
		switch is := from.Logical(); {
		case to.Logical() == data.LogicalDate && is == data.LogicalTimestamp:
			return data.OfDate(int64(int32(ms/millisPerDay)) * millisPerDay), nil
		case to.Logical() == data.LogicalTime && is == data.LogicalTimestamp:
			return timeOf(ms - floorDiv(ms, millisPerDay)*millisPerDay)
		case to.Logical() == data.LogicalTimestamp && is == data.LogicalDate:
			n, err := asLong(v, from)
			return data.OfDate(n * millisPerDay), err
		case to.Logical() == data.LogicalTimestamp && is == data.LogicalTime:
			n, err := asLong(v, from)
			return data.OfDate(n), err
		}
	}
	n, err := asLong(v, from)
	if err != nil {
		return data.Null, err
	}
	switch to.Logical() {
	case data.LogicalDate:
		return data.OfDate(int64(int32(n)) * millisPerDay), nil
	case data.LogicalTime:
		return timeOf(int64(int32(n)))
	}
	return data.OfDate(n), nil
}

func timeOf(ms int64) (data.Value, error) {
	if ms < 0 || ms > millisPerDay {
		return data.Null, data.Errorf("Time values must use number of milliseconds greater than 0 and less than 86400000")
	}
	return data.OfDate(ms), nil
}

// asLong is Values.asLong: numbers, text of a number, and dates whose schema says
// what they count.
func asLong(v data.Value, from *data.Schema) (int64, error) {
	if isNumber(v) {
		return longOf(v), nil
	}
	if v.Kind() == data.KindString {
		if d, ok := ParseDecimal(v.Str()); ok {
			return decimalLong(d), nil
		}
	}
	if from == nil {
		return 0, data.Errorf("Unable to convert %s (class %s) to a number", v, v.Kind().JavaClass())
	}
	if v.Kind() == data.KindDate {
		ms := v.Int()
		switch from.Logical() {
		case data.LogicalDate:
			if ms%millisPerDay != 0 {
				return 0, data.Errorf("Kafka Connect Date type should not have any time fields set to non-zero values.")
			}
			return int64(int32(ms / millisPerDay)), nil
		case data.LogicalTime:
			if ms < 0 || ms > millisPerDay {
				return 0, data.Errorf("Kafka Connect Time type should not have any date fields set to non-zero values.")
			}
			return ms, nil
		case data.LogicalTimestamp:
			return ms, nil
		}
	}
	return 0, data.Errorf("Unable to convert %s (class %s) to %s", v, v.Kind().JavaClass(), from)
}

func asDouble(v data.Value, from *data.Schema) (float64, error) {
	if isNumber(v) {
		return doubleOf(v), nil
	}
	if v.Kind() == data.KindString {
		if d, ok := ParseDecimal(v.Str()); ok {
			return decimalFloat(d, 64), nil
		}
	}
	n, err := asLong(v, from)
	return float64(n), err
}

// appendLiteral appends v as a literal that [ParseString] reads; strings are in
// quotation marks only where they are embedded in something else.
func appendLiteral(b []byte, v data.Value, embedded bool) ([]byte, error) {
	var err error
	switch v.Kind() {
	case data.KindString:
		if embedded {
			return appendQuoted(b, v.Str()), nil
		}
		return append(b, v.Str()...), nil
	case data.KindBytes: // base64 has nothing to escape
		if embedded {
			b = append(b, '"')
		}
		b = base64.StdEncoding.AppendEncode(b, v.Bytes())
		if embedded {
			b = append(b, '"')
		}
		return b, nil
	case data.KindDate:
		return appendDate(b, v.Int()), nil
	case data.KindArray:
		b = append(b, '[')
		for i, e := range v.Elems() {
			if i > 0 {
				b = append(b, ',')
			}
			if b, err = appendLiteral(b, e, true); err != nil {
				return b, err
			}
		}
		return append(b, ']'), nil
	case data.KindMap:
		b = append(b, '{')
		for i, e := range v.Map().Entries() {
			if i > 0 {
				b = append(b, ',')
			}
			if b, err = appendLiteral(b, e.Key, true); err != nil {
				return b, err
			}
			if b, err = appendLiteral(append(b, ':'), e.Value, true); err != nil {
				return b, err
			}
		}
		return append(b, '}'), nil
	case data.KindStruct:
		st := v.Struct()
		b = append(b, '{')
		for i, f := range st.Schema().Fields() {
			if i > 0 {
				b = append(b, ',')
			}
			if b, err = appendLiteral(append(appendQuoted(b, f.Name), ':'), st.GetAt(i), true); err != nil {
				return b, err
			}
		}
		return append(b, '}'), nil
	}
	return v.AppendText(b), nil
}

// appendQuoted appends text in quotation marks.
func appendQuoted(b []byte, text string) []byte {
	b = append(b, '"')
	done := 0
	for i := range len(text) {
		if c := text[i]; c == '"' || c == '\\' {
			b = append(append(b, text[done:i]...), '\\', c)
			done = i + 1
		}
	}
	return append(append(b, text[done:]...), '"')
}

// InferSchema returns the schema that Values.inferSchema finds for a value: nil
// for null, dates, decimals, and for arrays and maps that are empty or mixed.
func InferSchema(v data.Value) *data.Schema {
	switch v.Kind() {
	case data.KindStruct:
		return v.Struct().Schema()
	case data.KindArray:
		var elem *data.Schema
		for _, e := range v.Elems() {
			s := InferSchema(e)
			if s == nil || elem != nil && !elem.Equal(s) {
				return nil
			}
			elem = s
		}
		if elem == nil {
			return nil
		}
		return data.NewArraySchema(elem).MustBuild()
	case data.KindMap:
		var ks, vs *data.Schema
		for _, e := range v.Map().Entries() {
			k, val := InferSchema(e.Key), InferSchema(e.Value)
			if k == nil || val == nil || ks != nil && !ks.Equal(k) || vs != nil && !vs.Equal(val) {
				return nil
			}
			ks, vs = k, val
		}
		if ks == nil {
			return nil
		}
		return data.NewMapSchema(ks, vs).MustBuild()
	case data.KindNull, data.KindDecimal, data.KindDate:
		return nil
	}
	return data.PrimitiveSchema(data.Type(v.Kind()), false)
}
