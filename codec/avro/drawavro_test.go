package avro

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"strings"

	"pgregory.net/rapid"

	"github.com/troupeio/troupe/codec/avro/schema"
)

// drawAvro is a vector from Avro's side: a schema as a person writes it, and bytes
// by it.
var drawAvro = rapid.Custom(func(t *rapid.T) *vector {
	w := &wild{t: t, tame: true}
	v := &vector{Config: w.config()}
	delete(v.Config, ScrubSetting)
	b, err := json.Marshal(w.avroSchema(3, ""))
	if err != nil {
		t.Fatal(err)
	}
	v.Avro = string(b)
	if w.chance(20, "version") {
		n := rapid.IntRange(1, 3).Draw(t, "of the registry")
		v.Version = &n
	}
	if s, err := schema.Parse(v.Avro); err == nil {
		v.Bytes = w.avroBytes([]byte{}, s, 0)
	}
	return v
})

// avroSchema draws an Avro schema as JSON; around is the namespace.
func (w *wild) avroSchema(depth int, around string) any {
	if len(w.avro) > 0 && w.chance(20, "again") {
		return rapid.SampledFrom(w.avro).Draw(w.t, "known")
	}
	n := 10
	if depth > 0 {
		n = 16
	}
	k := rapid.IntRange(1, n).Draw(w.t, "avro type")
	switch k {
	case 1, 2, 3, 4:
		return w.one("primitive", "boolean", "int", "long", "float", "double", "bytes", "string")
	case 5, 6:
		return w.props(form{"type": w.one("primitive", "boolean", "int", "long", "float", "double", "bytes", "string")})
	case 7, 8:
		return w.logical(around)
	case 9:
		return w.avroNamed(form{"type": "enum", "symbols": []string{"RED", "BLUE", "GREEN"}[:rapid.IntRange(1, 3).Draw(w.t, "symbols")]}, around, func(o form, _ string) {
			if w.chance(30, "enum default") {
				o["default"] = "RED"
			}
		})
	case 10:
		return w.avroNamed(form{"type": "fixed", "size": rapid.IntRange(0, 5).Draw(w.t, "size")}, around, func(form, string) {})
	case 11:
		return w.props(form{"type": "array", "items": w.avroSchema(depth-1, around)})
	case 12:
		return w.props(form{"type": "map", "values": w.avroSchema(depth-1, around)})
	case 13, 14:
		return w.avroUnion(depth, around)
	}
	return w.avroNamed(form{"type": "record"}, around, func(o form, space string) {
		fields := []any{}
		for i := range rapid.IntRange(0, 5).Draw(w.t, "fields") {
			f := form{"name": fmt.Sprintf("f%d", i), "type": w.avroSchema(depth-1, space)}
			if w.chance(20, "field doc") {
				f["doc"] = "doc of a field"
			}
			if w.chance(10, "order") {
				f["order"] = w.one("which", "ascending", "descending", "ignore")
			}
			if w.chance(10, "field aliases") {
				f["aliases"] = []string{"g"}
			}
			if w.chance(5, "field prop") {
				f["prop"] = "of a field"
			}
			if w.chance(45, "default") {
				if def, ok := w.avroDefault(f["type"]); ok {
					f["default"] = def
				}
			}
			fields = append(fields, f)
		}
		o["fields"] = fields
	})
}

func (w *wild) avroNamed(o form, around string, fill func(o form, space string)) any {
	name := fmt.Sprintf("N%d", len(w.avro))
	space := around
	switch rapid.IntRange(0, 3).Draw(w.t, "namespace") {
	case 0:
		space = w.one("space", "com.acme", "x.y", "a")
		o["namespace"] = space
	case 1:
		space = w.one("space", "com.acme", "b")
		name = space + "." + name
	}
	o["name"] = name
	full := name
	if space != "" && !strings.Contains(name, ".") {
		full = space + "." + name
	}
	w.avro = append(w.avro, full)
	if w.chance(20, "doc") {
		o["doc"] = "doc of a type"
	}
	if w.chance(10, "aliases") {
		o["aliases"] = []string{"Old", "z.Older"}
	}
	fill(o, space)
	return w.props(o)
}

// props adds properties that have a meaning to AvroData.
func (w *wild) props(o form) form {
	if w.chance(75, "no props") {
		return o
	}
	switch w.one("prop", "name", "version", "doc", "params", "default", "type", "avro", "other", "internal") {
	case "name":
		o[propName] = w.one("connect name", "com.acme.Named", "n", namespace+".ConnectDefault2")
	case "version":
		o[propVersion] = rapid.IntRange(0, 3).Draw(w.t, "v")
	case "doc":
		o[propDoc] = "Connect's doc"
	case "params":
		o[propParameters] = form{"p": "v", "q": "w"}
	case "default":
		w.right = true // AvroData makes what it can of another one
		if def, ok := w.avroDefault(o["type"]); ok {
			o[propDefault] = def
		}
		w.right = false
	case "type":
		o[propType] = w.one("connect type", "int8", "int16")
	case "avro":
		o["avro.java.string"] = "String"
	case "other":
		o["other"] = form{"a": []int{1}}
	case "internal":
		o[propInternal] = mapEntryName
	}
	return o
}

func (w *wild) logical(around string) any {
	switch w.one("logical", "date", "time-millis", "timestamp-millis", "time-micros", "timestamp-micros", "local-timestamp-millis", "local-timestamp-micros",
		"uuid", "decimal", "fixed decimal", "duration", "own", "timestamp-nanos", "odd") {
	case "date":
		return form{"type": "int", "logicalType": "date"}
	case "time-millis":
		return w.props(form{"type": "int", "logicalType": "time-millis"})
	case "timestamp-millis":
		return w.props(form{"type": "long", "logicalType": "timestamp-millis"})
	case "time-micros":
		return form{"type": "long", "logicalType": "time-micros"}
	case "timestamp-micros":
		return w.props(form{"type": "long", "logicalType": "timestamp-micros"})
	case "timestamp-nanos":
		return form{"type": "long", "logicalType": "timestamp-nanos"}
	case "local-timestamp-millis":
		return form{"type": "long", "logicalType": "local-timestamp-millis"}
	case "local-timestamp-micros":
		return form{"type": "long", "logicalType": "local-timestamp-micros"}
	case "uuid":
		return form{"type": "string", "logicalType": "uuid"}
	case "decimal":
		o := form{"type": "bytes", "logicalType": "decimal", "precision": rapid.SampledFrom([]int{4, 20, 64}).Draw(w.t, "precision")}
		if w.chance(70, "scale") {
			o["scale"] = rapid.IntRange(0, 4).Draw(w.t, "s")
		}
		return w.props(o)
	case "fixed decimal":
		return w.avroNamed(form{"type": "fixed", "size": 6, "logicalType": "decimal", "precision": 12, "scale": 2}, around, func(form, string) {})
	case "duration":
		return w.avroNamed(form{"type": "fixed", "size": 12, "logicalType": "duration"}, around, func(form, string) {})
	case "own":
		return form{"type": w.one("of", "string", "int", "bytes", "long"), "logicalType": "my-own"}
	}
	return form{"type": w.one("of", "string", "int", "long", "bytes"), "logicalType": w.one("odd", "date", "timestamp-millis", "decimal", "uuid", "DATE")}
}

func (w *wild) avroUnion(depth int, around string) any {
	out := []any{}
	if w.chance(70, "null") {
		out = append(out, "null")
	}
	seen := map[string]bool{}
	for range rapid.IntRange(1, 3).Draw(w.t, "branches") {
		b := w.avroSchema(depth-1, around)
		if _, ok := b.([]any); ok {
			continue
		}
		key := typeKey(b)
		if seen[key] {
			continue
		}
		seen[key] = true
		out = append(out, b)
	}
	if w.chance(20, "null last") && len(out) > 1 && out[0] == "null" {
		out = append(out[1:], "null")
	}
	return out
}

func typeKey(b any) string {
	if o, ok := b.(form); ok {
		if n, ok := o["name"].(string); ok {
			return n
		}
		return fmt.Sprint(o["type"])
	}
	return fmt.Sprint(b)
}

// avroDefault draws a default of a type as JSON, a wrong one now and then.
func (w *wild) avroDefault(typ any) (any, bool) {
	if !w.right && w.chance(4, "wrong") {
		return rapid.SampledFrom([]any{"text", 1, true, []any{}, form{}}).Draw(w.t, "wrong default"), true
	}
	switch typ := typ.(type) {
	case []any:
		if len(typ) == 0 {
			return nil, false
		}
		return w.avroDefault(typ[0])
	case form:
		switch typ["type"] {
		case "enum":
			return "RED", true
		case "fixed":
			return strings.Repeat("ÿ", typ["size"].(int)), true
		case "array":
			e, ok := w.avroDefault(typ["items"])
			if !ok {
				return []any{}, true
			}
			return []any{e, e}, true
		case "map":
			e, ok := w.avroDefault(typ["values"])
			if !ok {
				return form{}, true
			}
			return form{"k": e}, true
		case "record":
			out := form{}
			for _, f := range typ["fields"].([]any) {
				f := f.(form)
				if _, has := f["default"]; has && w.chance(50, "left out") {
					continue
				}
				e, ok := w.avroDefault(f["type"])
				if !ok {
					return nil, false
				}
				out[f["name"].(string)] = e
			}
			return out, true
		}
		return w.avroDefault(typ["type"])
	case string:
		switch typ {
		case "null":
			return nil, true
		case "boolean":
			return true, true
		case "int", "long":
			return rapid.IntRange(-3, 200).Draw(w.t, "n"), true
		case "float", "double":
			return rapid.SampledFrom([]any{1.5, 0, -2.25, 2.5e-7, 3}).Draw(w.t, "f"), true
		case "bytes":
			return "\u00ff\u0001", true
		case "string":
			return w.one("text", "", "text", "ünï"), true
		}
	}
	return nil, false
}

// avroBytes draws bytes by a schema.
func (w *wild) avroBytes(dst []byte, s *schema.Schema, depth int) []byte {
	few := func() int {
		if depth > 6 {
			return 0
		}
		return rapid.IntRange(0, 2).Draw(w.t, "items")
	}
	if w.stuck = w.stuck || depth > 40; w.stuck {
		return dst
	}
	switch s.Type {
	case schema.Boolean:
		return append(dst, byte(rapid.IntRange(0, 1).Draw(w.t, "b")))
	case schema.Int:
		if s.IsLogical("time-millis") {
			return binary.AppendVarint(dst, int64(rapid.IntRange(0, 86_400_000).Draw(w.t, "time")))
		}
		return binary.AppendVarint(dst, int64(rapid.Int32().Draw(w.t, "int")))
	case schema.Long:
		return binary.AppendVarint(dst, rapid.Int64().Draw(w.t, "long"))
	case schema.Float:
		return binary.LittleEndian.AppendUint32(dst, math.Float32bits(rapid.Float32().Draw(w.t, "float")))
	case schema.Double:
		return binary.LittleEndian.AppendUint64(dst, math.Float64bits(rapid.Float64().Draw(w.t, "double")))
	case schema.Bytes, schema.String:
		text := rapid.StringN(1, 6, -1).Draw(w.t, "text")
		return append(binary.AppendVarint(dst, int64(len(text))), text...)
	case schema.Fixed:
		return append(dst, rapid.SliceOfN(rapid.Byte(), s.Size, s.Size).Draw(w.t, "fixed")...)
	case schema.Enum:
		return binary.AppendVarint(dst, int64(rapid.IntRange(0, len(s.Symbols)-1).Draw(w.t, "symbol")))
	case schema.Array, schema.Map:
		n := few()
		if n > 0 {
			dst = binary.AppendVarint(dst, int64(n))
		}
		for i := range n {
			if s.Type == schema.Map {
				dst = append(binary.AppendVarint(dst, 1), byte('a'+i))
			}
			dst = w.avroBytes(dst, s.Elem, depth+1)
		}
		return append(dst, 0)
	case schema.Union:
		if len(s.Branches) == 0 {
			return dst
		}
		at := rapid.IntRange(0, len(s.Branches)-1).Draw(w.t, "branch")
		if depth > 6 {
			for i, b := range s.Branches {
				if b.Type == schema.Null {
					at = i
				}
			}
		}
		return w.avroBytes(binary.AppendVarint(dst, int64(at)), s.Branches[at], depth+1)
	case schema.Record:
		for i := range s.Fields {
			dst = w.avroBytes(dst, s.Fields[i].Schema, depth+1)
		}
	}
	return dst
}
