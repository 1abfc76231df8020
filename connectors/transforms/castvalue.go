package transforms

import (
	"encoding/base64"
	"strconv"
	"strings"

	"github.com/troupeio/troupe/codec/data"
	"github.com/troupeio/troupe/codec/javatext"
)

const msPerDay = 86_400_000

// castValue casts v, which is of schema s if there is one, to the given type.
func castValue(s *data.Schema, v data.Value, to data.Type) (data.Value, error) {
	if v.IsNull() {
		return v, nil
	}
	from := data.Type(v.Kind()) // kinds and types run in step
	if s != nil {
		from = s.Type()
	} else if from > data.Struct {
		return v, data.Errorf("Cast transformation was passed a value of type class %s which is not supported by Connect's data API", className(v))
	}
	if !from.IsPrimitive() {
		return v, data.Errorf("Cast transformation does not support casting from %s; supported types are [INT8, INT16, INT32, INT64, FLOAT32, FLOAT64, BOOLEAN, STRING, BYTES]", from)
	}
	if to == data.String {
		return data.OfString(castText(v)), nil
	}
	if s != nil && s.Logical() != data.NotLogical {
		var err error
		if v, err = encodeLogical(s, v); err != nil {
			return v, err
		}
	}
	switch v.Kind() {
	case data.KindInt8, data.KindInt16, data.KindInt32, data.KindInt64, data.KindBoolean:
		return castInt(v, to), nil
	case data.KindFloat32, data.KindFloat64:
		return castFloat(v.Float(), to), nil
	case data.KindDecimal:
		return castDecimal(v.Decimal(), to), nil
	case data.KindString:
		return castString(v, to)
	}
	return v, data.Errorf("Unexpected type in Cast transformation: class %s", className(v))
}

// encodeLogical turns a Date, Time or Timestamp into the number that it is
// stored as.
func encodeLogical(s *data.Schema, v data.Value) (data.Value, error) {
	if v.Kind() != data.KindDate {
		if s.Logical() == data.LogicalDecimal {
			return v, nil
		}
		return v, recordError(classCastException, "class "+className(v)+" cannot be cast to class java.util.Date")
	}
	ms := v.Int()
	switch s.Logical() {
	case data.LogicalDate:
		if ms%msPerDay != 0 {
			return v, data.Errorf("Kafka Connect Date type should not have any time fields set to non-zero values.")
		}
		return data.OfInt32(int32(ms / msPerDay)), nil
	case data.LogicalTime:
		if ms < 0 || ms > msPerDay {
			return v, data.Errorf("Kafka Connect Time type should not have any date fields set to non-zero values.")
		}
		return data.OfInt32(int32(ms)), nil
	case data.LogicalTimestamp:
		return data.OfInt64(ms), nil
	}
	return v, nil
}

func castInt(v data.Value, to data.Type) data.Value {
	n := v.Int()
	switch to {
	case data.Int8:
		return data.OfInt8(int8(n))
	case data.Int16:
		return data.OfInt16(int16(n))
	case data.Int32:
		return data.OfInt32(int32(n))
	case data.Int64:
		return data.OfInt64(n)
	case data.Float32:
		return data.OfFloat32(float32(n))
	case data.Float64:
		return data.OfFloat64(float64(n))
	}
	return data.OfBool(n != 0)
}

// castFloat narrows as Java does: to an int first, then to what is smaller.
func castFloat(f float64, to data.Type) data.Value {
	switch to {
	case data.Int8:
		return data.OfInt8(int8(floatToInt32(f)))
	case data.Int16:
		return data.OfInt16(int16(floatToInt32(f)))
	case data.Int32:
		return data.OfInt32(floatToInt32(f))
	case data.Int64:
		return data.OfInt64(floatToInt64(f))
	case data.Float32:
		return data.OfFloat32(float32(f))
	case data.Float64:
		return data.OfFloat64(f)
	}
	return data.OfBool(floatToInt64(f) != 0)
}

func castDecimal(d *data.Decimal, to data.Type) data.Value {
	switch to {
	case data.Float32:
		f, _ := strconv.ParseFloat(d.String(), 32)
		return data.OfFloat32(float32(f))
	case data.Float64:
		f, _ := strconv.ParseFloat(d.String(), 64)
		return data.OfFloat64(f)
	}
	return castInt(data.OfInt64(decimalToInt64(d)), to)
}

var intBits = map[data.Type]int{data.Int8: 8, data.Int16: 16, data.Int32: 32, data.Int64: 64}

func castString(v data.Value, to data.Type) (data.Value, error) {
	text := v.Str()
	switch to {
	case data.Boolean:
		return data.OfBool(strings.EqualFold(text, "true")), nil
	case data.Float32:
		if f, ok := parseFloat(text, 32); ok {
			return data.OfFloat32(float32(f)), nil
		}
	case data.Float64:
		if f, ok := parseFloat(text, 64); ok {
			return data.OfFloat64(f), nil
		}
	default:
		if n, ok := parseInt(text, intBits[to]); ok {
			return castInt(data.OfInt64(n), to), nil
		}
	}
	return v, data.Errorf("Value (%s) was out of range for requested data type", text)
}

// The formats of dates as text.
var (
	timeFormat      = javatext.MustSimpleDateFormat("HH:mm:ss.SSS'Z'")
	dateFormat      = javatext.MustSimpleDateFormat("yyyy-MM-dd")
	timestampFormat = javatext.MustSimpleDateFormat("yyyy-MM-dd'T'HH:mm:ss.SSS'Z'")
)

// castText is the text of a value. Which form a date gets depends on the instant
// and not on the schema; everything before the second day of 1970 is a time.
func castText(v data.Value) string {
	switch v.Kind() {
	case data.KindBytes:
		return base64.StdEncoding.EncodeToString(v.Bytes())
	case data.KindDate:
		ms := v.Int()
		switch {
		case ms < msPerDay:
			return timeFormat.Format(ms)
		case ms%msPerDay == 0:
			return dateFormat.Format(ms)
		}
		return timestampFormat.Format(ms)
	}
	return v.String()
}
