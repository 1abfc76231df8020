package avro

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"math"
	"sort"
	"strconv"
	"testing"

	"github.com/troupeio/troupe/codec/data"
)

// form writes schemas and values as the golden vectors have them. A struct that
// stands in itself is {"type", "optional", "cycle"}, the last its name.
type form map[string]any

func schemaForm(s *data.Schema) any {
	if s == nil {
		return nil
	}
	out := form{"type": s.Type().String(), "optional": s.Optional()}
	if s.Repeats() {
		out["cycle"] = nil
		if s.Name() != "" {
			out["cycle"] = s.Name()
		}
		return out
	}
	if s.Name() != "" {
		out["name"] = s.Name()
	}
	if v, ok := s.Version(); ok {
		out["version"] = v
	}
	if s.Doc() != "" {
		out["doc"] = s.Doc()
	}
	if ps := s.Params(); len(ps) > 0 {
		// A list would keep the order, but the form has an object: see orderedParams.
		out["parameters"] = orderedParams(ps)
	}
	if !s.Default().IsNull() {
		out["default"] = valueForm(s.Default())
	}
	switch s.Type() {
	case data.Array:
		out["valueSchema"] = schemaForm(s.ValueSchema())
	case data.Map:
		out["keySchema"], out["valueSchema"] = schemaForm(s.KeySchema()), schemaForm(s.ValueSchema())
	case data.Struct:
		fields := []any{}
		for i, f := range s.Fields() {
			fields = append(fields, form{"name": f.Name, "index": i, "schema": schemaForm(f.Schema)})
		}
		out["fields"] = fields
	}
	return out
}

// orderedParams are parameters in the order in which a schema has them, which Avro
// schemas show.
type orderedParams []data.Param

// MarshalJSON writes an object.
func (ps orderedParams) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	for i, p := range ps {
		b.WriteString(map[bool]string{true: "{", false: ","}[i == 0])
		k, err := json.Marshal(p.Key)
		if err != nil {
			return nil, err
		}
		v, err := json.Marshal(p.Value)
		if err != nil {
			return nil, err
		}
		b.Write(k)
		b.WriteByte(':')
		b.Write(v)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

func typedForm(t string, v any) any { return form{"t": t, "v": v} }

func valueForm(v data.Value) any {
	switch v.Kind() {
	case data.KindInt8, data.KindInt16, data.KindInt32:
		return typedForm(map[data.Kind]string{data.KindInt8: "int8", data.KindInt16: "int16", data.KindInt32: "int32"}[v.Kind()], v.Int())
	case data.KindInt64:
		return typedForm("int64", strconv.FormatInt(v.Int(), 10))
	case data.KindDate:
		return typedForm("date", v.Int())
	case data.KindFloat32:
		return typedForm("float32", floatForm(v.Float(), 32))
	case data.KindFloat64:
		return typedForm("float64", floatForm(v.Float(), 64))
	case data.KindBoolean:
		return typedForm("boolean", v.Bool())
	case data.KindString:
		return typedForm("string", v.Str())
	case data.KindBytes:
		return typedForm("bytes", base64.StdEncoding.EncodeToString(v.Bytes()))
	case data.KindDecimal:
		d := v.Decimal()
		return typedForm("decimal", form{"scale": d.Scale, "unscaled": d.Unscaled.String()})
	case data.KindArray:
		out := []any{}
		for _, e := range v.Elems() {
			out = append(out, valueForm(e))
		}
		return typedForm("array", out)
	case data.KindMap:
		out := []any{}
		for _, e := range v.Map().Entries() {
			out = append(out, []any{valueForm(e.Key), valueForm(e.Value)})
		}
		return typedForm("map", out)
	case data.KindStruct:
		out := []any{}
		for i, f := range v.Struct().Schema().Fields() {
			out = append(out, []any{f.Name, valueForm(v.Struct().At(i))})
		}
		return typedForm("struct", out)
	}
	return form{"t": "null"}
}

func floatForm(f float64, bits int) string {
	switch {
	case math.IsNaN(f):
		return "NaN"
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	}
	return strconv.FormatFloat(f, 'g', -1, bits)
}

// canonicalForm is JSON of the form as one text for all that is equal: members and
// the pairs of maps are sorted, floats written in one way.
func canonicalForm(t testing.TB, v any) string {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var tree any
	if err := d.Decode(&tree); err != nil {
		t.Fatal(err)
	}
	return jsonText(t, canonicalTree(t, tree))
}

func canonicalTree(t testing.TB, v any) any {
	switch v := v.(type) {
	case []any:
		for i := range v {
			v[i] = canonicalTree(t, v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = canonicalTree(t, v[k])
		}
		switch kind := v["t"]; kind {
		case "map":
			list := v["v"].([]any)
			sort.Slice(list, func(i, j int) bool { return jsonText(t, list[i]) < jsonText(t, list[j]) })
		case "float32", "float64":
			bits := map[any]int{"float32": 32, "float64": 64}[kind]
			if f, err := strconv.ParseFloat(v["v"].(string), bits); err == nil {
				v["v"] = floatForm(f, bits)
			}
		}
	}
	return v
}

func jsonText(t testing.TB, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
