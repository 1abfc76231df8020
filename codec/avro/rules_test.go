package avro

import (
	"encoding/json"
	"strings"
)

// knownDifference is one between the fork and us that stays.
type knownDifference struct {
	why   string
	match func(v *vector, d difference) bool
}

// reason is why a difference stays, "" for one that may not.
func reason(v *vector, d difference) string {
	for _, k := range knownDifferences {
		if k.match(v, d) {
			return k.why
		}
	}
	return ""
}

var knownDifferences = []knownDifference{
	{"fork: a decimal is not padded to the size of its fixed", func(v *vector, d difference) bool {
		return strings.Contains(d.theirs, "arraycopy: last source index")
	}},
	{"fork: a fixed decimal has two names", func(v *vector, d difference) bool {
		return strings.Contains(d.theirs, "Mismatched names: name already added to SchemaBuilder (org.apache.kafka.connect.data.Decimal)")
	}},
	{"fork: a default of another type fails", func(v *vector, d difference) bool {
		return strings.Contains(d.theirs, "NumberFormatException") || strings.Contains(d.theirs, "IndexOutOfBounds") && strings.Contains(v.Avro, `"default"`)
	}},
	{"Java: NaN and the infinities of connect.default are read as zero", func(v *vector, d difference) bool {
		return d.where == "back.schema" && (strings.Contains(d.ours, `"NaN"`) || strings.Contains(d.ours, `Infinity"`))
	}},
	{"Java: one union of two equal records", func(v *vector, d difference) bool {
		return strings.HasPrefix(d.ours, "Duplicate in union")
	}},
	{"Java: a struct default is of no schema", func(v *vector, d difference) bool {
		return strings.Contains(d.theirs, "Mismatching struct schema") && strings.Contains(string(v.Schema), `"t":"struct"`)
	}},
	{"Java: a name without a namespace in one with", func(v *vector, d difference) bool {
		return strings.Contains(d.theirs, "Undefined schema: ") || strings.Contains(d.ours, "would be read as")
	}},
	{"Java: a logical type's version", func(v *vector, d difference) bool {
		return strings.Contains(d.theirs, "Mismatched versions") && v.Version != nil
	}},
	{"Java: a required field of its own record", func(v *vector, d difference) bool {
		return strings.Contains(d.theirs, "StackOverflow")
	}},
	{"Java: fixed too small for the precision", func(v *vector, d difference) bool {
		return strings.Contains(d.theirs, "fixed(12) cannot store 64 digits")
	}},
	{"Java: branches of generalized unions", func(v *vector, d difference) bool {
		return v.Config[SumTypesSetting] == "true" && (strings.Contains(d.theirs, "is not a valid field name") ||
			strings.Contains(d.theirs, "Invalid Java object for schema"))
	}},
	{"Java: one name for two types is found out by the registry", func(v *vector, d difference) bool {
		return strings.HasPrefix(d.ours, "Can't redefine")
	}},
	{"Java: an illegal name is found out by the registry", func(v *vector, d difference) bool {
		return strings.HasPrefix(d.ours, "Illegal initial character: ä")
	}},
	{"fork: scrubbing puts an x before what begins with an escape", func(v *vector, d difference) bool {
		return d.where == "avro" && strings.NewReplacer("x_C3_A4", "_C3_A4", "x_7Ea_b", "_7Ea_b").Replace(d.theirs) == d.ours
	}},
	{"fork: a field's own parameters are not kept", func(v *vector, d difference) bool {
		return strings.HasSuffix(d.where, "avro") && withoutFieldParams(d.ours) == withoutFieldParams(d.theirs) && d.ours != d.theirs
	}},
	{"Java: bytes or fixed", func(v *vector, d difference) bool {
		return strings.HasSuffix(d.where, "value") && strings.Contains(v.Avro, `"bytes"`) && strings.Contains(v.Avro, `"fixed"`)
	}},
	{"Java: a record in its own record is written once more", func(v *vector, d difference) bool {
		return strings.HasSuffix(d.where, "schema") && strings.Contains(d.ours, `"cycle"`) && strings.Contains(d.theirs, `"cycle"`) && len(d.theirs) > len(d.ours)
	}},
	{"Java: defaults with an optional in them are lost", func(v *vector, d difference) bool {
		return strings.HasSuffix(d.where, "schema") && strings.Contains(d.ours, `"default"`) &&
			withoutDefaults(d.ours) == withoutDefaults(d.theirs)
	}},
	{"Java: no branch found", func(v *vector, d difference) bool {
		return strings.Contains(d.theirs, "Did not find matching union field for data")
	}},
}

// withoutDefaults is a schema's form less the defaults of arrays, maps and structs.
func withoutDefaults(text string) string {
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		panic(err)
	}
	var strip func(v any)
	strip = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, e := range v {
				strip(e)
			}
		case map[string]any:
			switch v["type"] {
			case "ARRAY", "MAP", "STRUCT":
				delete(v, "default")
			}
			for _, e := range v {
				strip(e)
			}
		}
	}
	strip(v)
	b, _ := json.Marshal(v)
	return string(b)
}

// withoutFieldParams is the text of an Avro schema less the parameters that stand at
// fields.
func withoutFieldParams(text string) string {
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		panic(err)
	}
	var strip func(v any, field bool)
	strip = func(v any, field bool) {
		switch v := v.(type) {
		case []any:
			for _, e := range v {
				strip(e, field)
			}
		case map[string]any:
			if field {
				delete(v, propParameters)
			}
			for k, e := range v {
				strip(e, k == "fields")
			}
		}
	}
	strip(v, false)
	b, _ := json.Marshal(v)
	return string(b)
}
