package csv

import (
	"errors"
	"fmt"
	"math/big"
	"strconv"
	"strings"
	"time"

	"github.com/troupeio/troupe/codec/data"
	"github.com/troupeio/troupe/connectors/file/textfile"
)

// column is one column with its type.
type column struct {
	name   string
	schema *data.Schema // always optional: an empty field is null
	digits int          // of a decimal: its precision, 0 for any
}

// maxDigits bounds decimals: longer ones are no numbers that anybody meant.
const maxDigits = 1000

var simpleTypes = map[string]*data.Schema{
	"string": data.OptionalStringSchema, "int8": data.OptionalInt8Schema, "int16": data.OptionalInt16Schema,
	"int32": data.OptionalInt32Schema, "int64": data.OptionalInt64Schema, "float32": data.OptionalFloat32Schema,
	"float64": data.OptionalFloat64Schema, "boolean": data.OptionalBooleanSchema, "date": data.OptionalDateSchema,
	"time": data.OptionalTimeSchema, "timestamp": data.OptionalTimestampSchema,
}

// parseColumns reads "id:int64, price:decimal(10,2), name".
func parseColumns(text string) ([]column, error) {
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	var out []column
	seen := make(map[string]bool)
	for _, part := range splitOutside(text) {
		// The type is after the last colon, so that a name may hold one.
		name, typ := strings.TrimSpace(part), "string"
		if i := strings.LastIndexByte(part, ':'); i >= 0 {
			name, typ = strings.TrimSpace(part[:i]), strings.ToLower(strings.TrimSpace(part[i+1:]))
		}
		if name == "" {
			return nil, errors.New("a column has no name")
		}
		if seen[name] {
			return nil, fmt.Errorf("column %q is there twice", name)
		}
		seen[name] = true
		c := column{name: name, schema: simpleTypes[typ]}
		if c.schema == nil {
			args, ok := strings.CutPrefix(typ, "decimal(")
			if ok {
				args, ok = strings.CutSuffix(args, ")")
			}
			if !ok {
				return nil, fmt.Errorf("column %q has the unknown type %q", name, typ)
			}
			precision, scale, two := strings.Cut(args, ",")
			if !two {
				precision, scale = "0", args
			}
			p, err1 := strconv.Atoi(strings.TrimSpace(precision))
			s, err2 := strconv.Atoi(strings.TrimSpace(scale))
			if err1 != nil || err2 != nil || p < 0 || s < 0 || p > maxDigits || s > maxDigits || two && (p == 0 || s > p) {
				return nil, fmt.Errorf("column %q has the type %q; want decimal(scale) or decimal(precision,scale)", name, typ)
			}
			c.digits, c.schema = p, data.NewDecimalSchema(int32(s)).Optional().MustBuild()
		}
		out = append(out, c)
	}
	return out, nil
}

// splitOutside splits at the commas that are not in parentheses.
func splitOutside(s string) []string {
	var out []string
	depth, from := 0, 0
	for i := range len(s) {
		switch s[i] {
		case '(':
			depth++
		case ')':
			depth--
		case ',':
			if depth == 0 {
				out = append(out, s[from:i])
				from = i + 1
			}
		}
	}
	return append(out, s[from:])
}

// value reads a field. An empty field is null, unless it is a string in quotes.
func (c *column) value(f field) (data.Value, error) {
	if len(f.text) == 0 {
		if f.quoted && c.schema.Type() == data.String {
			return data.OfText(f.text), nil
		}
		return data.Null, nil
	}
	switch c.schema.Logical() {
	case data.LogicalDecimal:
		scale, _ := c.schema.Scale()
		d, err := parseDecimal(string(f.text), int(scale), c.digits)
		if err != nil {
			return data.Null, err
		}
		return data.OfDecimal(d), nil
	case data.LogicalDate, data.LogicalTime, data.LogicalTimestamp:
		return parseTime(string(f.text), c.schema.Logical())
	}
	switch c.schema.Type() {
	case data.Int8:
		n, err := parseInt(f.text, 8)
		return data.OfInt8(int8(n)), err
	case data.Int16:
		n, err := parseInt(f.text, 16)
		return data.OfInt16(int16(n)), err
	case data.Int32:
		n, err := parseInt(f.text, 32)
		return data.OfInt32(int32(n)), err
	case data.Int64:
		n, err := parseInt(f.text, 64)
		return data.OfInt64(n), err
	case data.Float32:
		n, err := parseFloat(f.text, 32)
		return data.OfFloat32(float32(n)), err
	case data.Float64:
		n, err := parseFloat(f.text, 64)
		return data.OfFloat64(n), err
	case data.Boolean:
		switch s := string(f.text); {
		case strings.EqualFold(s, "true"):
			return data.OfBool(true), nil
		case strings.EqualFold(s, "false"):
			return data.OfBool(false), nil
		}
		return data.Null, fmt.Errorf("%s is neither true nor false", shown(f.text))
	}
	return data.OfText(textfile.ToUTF8(f.text)), nil
}

// shown quotes text for a message, cut to a length that a log can bear.
func shown(text []byte) string {
	const most = 64
	if len(text) > most {
		return strconv.Quote(string(text[:most])) + "..."
	}
	return strconv.Quote(string(text))
}

func parseInt(b []byte, bits int) (int64, error) {
	n, err := strconv.ParseInt(string(b), 10, bits)
	if err != nil {
		return 0, fmt.Errorf("%s is no int%d", shown(b), bits)
	}
	return n, nil
}

// parseFloat reads what Go and Java agree on: decimal digits, NaN, Infinity.
func parseFloat(b []byte, bits int) (float64, error) {
	s := string(b)
	n, err := strconv.ParseFloat(s, bits)
	if err != nil || strings.ContainsAny(s, "xXpP_") {
		return 0, fmt.Errorf("%s is no float%d", shown(b), bits)
	}
	return n, nil
}

// parseDecimal reads plain digits. It does not round: more places than the scale
// are an error, unless they are zeros.
func parseDecimal(s string, scale, precision int) (*data.Decimal, error) {
	bad := func(why string) error { return fmt.Errorf("%s is no decimal: %s", shown([]byte(s)), why) }
	digits, sign := s, ""
	if digits[0] == '-' || digits[0] == '+' {
		sign, digits = strings.TrimPrefix(digits[:1], "+"), digits[1:]
	}
	whole, frac, _ := strings.Cut(digits, ".")
	frac = strings.TrimRight(frac, "0")
	for _, r := range whole + frac {
		if r < '0' || r > '9' {
			return nil, bad("it is not written in plain digits")
		}
	}
	switch {
	case !strings.ContainsAny(digits, "0123456789"):
		return nil, bad("it has no digits")
	case len(frac) > scale:
		return nil, bad(fmt.Sprintf("it has more than %d decimal places", scale))
	case len(whole) > maxDigits:
		return nil, bad(fmt.Sprintf("it has more than %d digits", maxDigits))
	}
	u, ok := new(big.Int).SetString(sign+whole+frac+strings.Repeat("0", scale-len(frac)), 10)
	if !ok { // "0" with scale 0 and the like are covered by the checks above
		u = new(big.Int)
	}
	if precision > 0 && len(new(big.Int).Abs(u).String()) > precision {
		return nil, bad(fmt.Sprintf("it has more than %d digits", precision))
	}
	return &data.Decimal{Unscaled: u, Scale: int32(scale)}, nil
}

// Layouts of dates and times; a fraction of a second may follow the seconds when
// they are read. Times without a zone are in UTC.
const (
	dateLayout      = "2006-01-02"
	timeLayout      = "15:04:05"
	timestampLayout = "2006-01-02T15:04:05.000Z07:00"
)

func parseTime(s string, l data.Logical) (data.Value, error) {
	layouts := []string{dateLayout}
	what := "date (2006-01-02)"
	switch l {
	case data.LogicalTime:
		layouts, what = []string{timeLayout, "15:04"}, "time (15:04:05.999)"
	case data.LogicalTimestamp:
		layouts = []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05", dateLayout}
		what = "timestamp (2006-01-02T15:04:05.999Z)"
	}
	for _, layout := range layouts {
		if t, err := time.Parse(layout, s); err == nil {
			if l == data.LogicalTime { // Go puts a bare time in the year 0
				t = t.AddDate(1970, 0, 0)
			}
			return data.OfDate(t.UnixMilli()), nil
		}
	}
	return data.Null, fmt.Errorf("%s is no %s", shown([]byte(s)), what)
}

// appendText appends the text form of a value, the inverse of column.value. s is
// the value's schema, which may be nil.
func appendText(b []byte, v data.Value, s *data.Schema) ([]byte, error) {
	switch v.Kind() {
	case data.KindArray, data.KindMap, data.KindStruct:
		return b, errors.New("arrays, maps and structs have no place in a CSV field (the Flatten transform takes structs apart)")
	case data.KindBytes:
		return b, errors.New("bytes have no place in a CSV field")
	case data.KindDecimal:
		if d := v.Decimal(); d.Scale < -maxDigits {
			return b, fmt.Errorf("the decimal has a scale of %d", d.Scale)
		}
		return append(b, v.Decimal().PlainString()...), nil
	case data.KindDate:
		layout := timestampLayout
		if s != nil && s.Logical() == data.LogicalDate {
			layout = dateLayout
		} else if s != nil && s.Logical() == data.LogicalTime {
			layout = timeLayout + ".000"
		}
		return v.Time().AppendFormat(b, layout), nil
	}
	return v.AppendText(b), nil
}
