package avro

import (
	"encoding/json"
	"fmt"
	"strings"

	"pgregory.net/rapid"

	"github.com/troupeio/troupe/codec/data"
	"github.com/troupeio/troupe/internal/anyvalue"
)

// wild draws vectors of what AvroData may meet, good manners or not: names that Avro
// does not allow, one name for two types, parameters that have a meaning, defaults.
type wild struct {
	t     *rapid.T
	known []*data.Schema // named ones, to be used again
	avro  []string       // names of Avro types so far
	tame  bool           // only good names
	stuck bool           // no bytes are enough: a record that holds itself
	right bool           // no default of another type
}

func (w *wild) chance(percent int, what string) bool {
	return rapid.IntRange(1, 100).Draw(w.t, what) <= percent
}

func (w *wild) one(what string, of ...string) string { return rapid.SampledFrom(of).Draw(w.t, what) }

func (w *wild) config() map[string]string {
	c := map[string]string{FlattenSetting: "false"} // the fork has no such setting
	for _, name := range []string{EnhancedSetting, SumTypesSetting, ScrubSetting, DiscardDocsSetting, OptionalKeysSetting, IgnoreDefaultsSetting} {
		if w.chance(25, name) {
			c[name] = "true"
		}
	}
	if w.chance(15, MetadataSetting) {
		c[MetadataSetting] = "false"
	}
	return c
}

func (w *wild) name() string {
	if !w.tame && w.chance(15, "odd") {
		return w.one("name", "a-b", "1x", "ä", "x y", "com.acme.Or-der", "com.acme.1", namespace+".ConnectDefault", namespace+".MapEntry", "~a*b")
	}
	return w.one("name", "A", "B", "com.acme.A", "com.acme.B", "com.acme.C", "x.A", "x.y.Z", "com.acme.D", "com.acme.E")
}

func (w *wild) field(i int) string {
	if !w.tame && w.chance(10, "odd field") {
		return w.one("field", "a-b", "1x", "ä", "x y", "a.b", "_ok", "a+b") + fmt.Sprint(i)
	}
	return fmt.Sprintf("f%d", i)
}

// decorate gives a schema what any may have.
func (w *wild) decorate(b *data.SchemaBuilder, typ data.Type) {
	if w.chance(25, "doc") {
		b.Doc(w.one("text", "some doc", "ünï \"quoted\"", "line\nbreak"))
	}
	if w.chance(20, "version") {
		b.Version(int32(rapid.IntRange(0, 4).Draw(w.t, "n")))
	}
	for range rapid.IntRange(0, 2).Draw(w.t, "params") {
		if w.chance(60, "none") {
			continue
		}
		b.Param(w.one("param", "p", "q", "avroX", recordDocParam, fieldDocParam+"f0", fieldDocParam+"f1", plainRecordDoc, plainEnumDoc,
			fieldDefaultParam, enumDocParam+"A", enumDefaultParam+"A", "connect.name", "doc"), w.one("value", "v", "RED", "String", "true", ""))
	}
	if w.chance(12, "named") && typ != data.Struct {
		b.Name(w.name())
	}
}

func (w *wild) schema(depth int) *data.Schema {
	if len(w.known) > 0 && w.chance(20, "again") {
		s := rapid.SampledFrom(w.known).Draw(w.t, "known")
		if w.chance(40, "otherwise optional") {
			s = s.With(!s.Optional(), s.Default())
		}
		return s
	}
	kinds := 14
	if depth > 0 {
		kinds = 21
	}
	named := false
	var b *data.SchemaBuilder
	k := rapid.IntRange(1, kinds).Draw(w.t, "type")
	switch k {
	case 10:
		b = data.NewDecimalSchema(int32(rapid.IntRange(-2, 68).Draw(w.t, "scale")))
		if w.chance(40, "precision") {
			b.Param(precisionParam, w.one("p", "20", "64", "5"))
		}
		if w.chance(15, "fixed") {
			b.Param(fixedSizeParam, "12")
		}
	case 11:
		b = map[string]func() *data.SchemaBuilder{
			"date":      func() *data.SchemaBuilder { return data.NewSchema(data.Int32).Name(data.DateName).Version(1) },
			"time":      func() *data.SchemaBuilder { return data.NewSchema(data.Int32).Name(data.TimeName).Version(1) },
			"timestamp": func() *data.SchemaBuilder { return data.NewSchema(data.Int64).Name(data.TimestampName).Version(1) },
		}[w.one("logical", "date", "time", "timestamp")]()
		if w.chance(20, "logical with doc") {
			b.Doc("when")
		}
	case 12:
		named = true
		b = w.enum()
	case 13:
		named = true
		b = data.NewSchema(data.Bytes).Param(fixedSizeParam, "3")
		if w.chance(90, "fixed name") {
			b.Name(w.name())
		}
		if w.chance(20, "doc") {
			b.Doc("fix").Version(7)
		}
	case 14:
		b = data.NewSchema(data.String)
		w.decorate(b, data.String)
	case 15:
		b = data.NewArraySchema(w.schema(depth - 1))
		w.decorate(b, data.Array)
	case 16:
		key := data.StringSchema
		if w.chance(30, "optional key") {
			key = data.OptionalStringSchema
		}
		b = data.NewMapSchema(key, w.schema(depth-1))
		w.decorate(b, data.Map)
	case 17:
		b = data.NewMapSchema(w.key(), w.schema(depth-1))
		w.decorate(b, data.Map)
	case 18, 19, 20:
		named = true
		b = data.NewStructSchema()
		w.decorate(b, data.Struct)
		if w.chance(70, "name it") {
			b.Name(w.name())
		}
		for i := range rapid.IntRange(0, 5).Draw(w.t, "fields") {
			b.Field(w.field(i), w.schema(depth-1))
		}
	case 21:
		b = w.union(depth)
	default:
		b = data.NewSchema(data.Type(k))
		w.decorate(b, data.Type(k))
	}
	b.SetOptional(w.chance(40, "optional"))
	s, err := b.Build()
	if err != nil {
		w.t.Fatal(err)
	}
	if w.chance(25, "default") {
		def := w.value(s.With(false, data.Null))
		if st := def.Struct(); st != nil {
			def = data.OfStruct(data.NewStruct(s, st.Values()))
		}
		if d, err := b.Default(def).Build(); err == nil {
			s = d
		}
	}
	if named {
		w.known = append(w.known, s)
	}
	return s
}

func (w *wild) key() *data.Schema {
	return rapid.SampledFrom([]*data.Schema{data.Int32Schema, data.OptionalStringSchema, data.Int8Schema, data.TimestampSchema, data.OptionalInt64Schema,
		data.Float64Schema, data.NewStructSchema().Name("com.acme.Key").Field("k", data.Int32Schema).MustBuild()}).Draw(w.t, "key")
}

func (w *wild) enum() *data.SchemaBuilder {
	name := w.name()
	b := data.NewSchema(data.String).Name(name)
	param := enumParam
	if w.chance(40, "sum enum") {
		param = sumEnumParam
	}
	b.Param(param, name)
	for i, sym := range []string{"RED", "BLUE", "GREEN"}[:rapid.IntRange(1, 3).Draw(w.t, "symbols")] {
		if param == sumEnumParam {
			b.Param(param+"."+sym, fmt.Sprint(i))
		} else {
			b.Param(param+"."+sym, sym)
		}
	}
	if w.chance(20, "enum doc") {
		b.Param(w.one("which", enumDocParam+name[strings.LastIndexByte(name, '.')+1:], plainEnumDoc, enumDocParam+name), "doc of enum")
	}
	if w.chance(20, "enum default") {
		b.Param(enumDefaultParam+name[strings.LastIndexByte(name, '.')+1:], "RED")
	}
	if w.chance(20, "more") {
		b.Doc("colours").Version(2)
	}
	return b
}

// union draws a struct that stands for a union, mostly with the fields' names that
// AvroData gives them.
func (w *wild) union(depth int) *data.SchemaBuilder {
	sum := w.chance(35, "sum")
	b := data.NewStructSchema().Name(unionName)
	if sum {
		name := w.one("union", "connect_union_0", "connect_union_1", "u")
		b = data.NewStructSchema().Name(name).Param(sumUnionParam, name)
	}
	seen := map[string]bool{}
	for i := range rapid.IntRange(1, 4).Draw(w.t, "branches") {
		s := w.schema(depth - 1)
		name := fmt.Sprintf("connect_union_field_%d", i)
		if !sum {
			switch {
			case isUnion(s):
				continue
			case s.Type() == data.Struct || isEnum(s) || isFixed(s):
				if name = s.Name(); w.chance(50, "short") {
					name = name[strings.LastIndexByte(name, '.')+1:]
				}
			case s.Type() == data.Int8 || s.Type() == data.Int16:
				continue // AvroData has no name for them
			default:
				name = map[data.Type]string{data.Int32: "int", data.Int64: "long", data.Float32: "float", data.Float64: "double", data.Boolean: "boolean",
					data.String: "string", data.Bytes: "bytes", data.Array: "array", data.Map: "map"}[s.Type()]
			}
		}
		if seen[name] || name == "" {
			continue
		}
		seen[name] = true
		b.Field(name, s.With(true, s.Default()))
	}
	return b
}

func (w *wild) value(s *data.Schema) data.Value {
	d := anyvalue.Values{Union: isUnion, Special: func(t *rapid.T, s *data.Schema) (data.Value, bool) {
		switch {
		case s.Optional() && rapid.IntRange(0, 3).Draw(t, "null") == 0:
			return data.Null, true
		case isEnum(s):
			var syms []string
			for _, p := range s.Params() {
				if i := strings.Index(p.Key, "Enum."); i >= 0 && !strings.Contains(p.Key, "doc") && !strings.Contains(p.Key, "default") {
					syms = append(syms, p.Key[i+5:])
				}
			}
			return data.OfString(rapid.SampledFrom(syms).Draw(t, "symbol")), true
		case isFixed(s) && s.Logical() == data.NotLogical:
			return data.OfBytes(rapid.SliceOfN(rapid.Byte(), 3, 3).Draw(t, "bytes")), true
		}
		return data.Null, false
	}}
	return d.Draw(w.t, s)
}

// bare draws a value without a schema.
func (w *wild) bareValue(depth int) data.Value {
	n := 8
	if depth > 0 {
		n = 10
	}
	switch rapid.IntRange(0, n).Draw(w.t, "bare") {
	case 0:
		return data.Null
	case 1:
		return data.OfBool(rapid.Bool().Draw(w.t, "b"))
	case 2:
		return data.OfInt8(rapid.Int8().Draw(w.t, "b"))
	case 3:
		return data.OfInt16(rapid.Int16().Draw(w.t, "b"))
	case 4:
		return data.OfInt32(rapid.Int32().Draw(w.t, "b"))
	case 5:
		return data.OfInt64(rapid.Int64().Draw(w.t, "b"))
	case 6:
		return data.OfFloat32(rapid.Float32().Draw(w.t, "b"))
	case 7:
		return data.OfFloat64(rapid.Float64().Draw(w.t, "b"))
	case 8:
		return data.OfString(rapid.String().Draw(w.t, "b"))
	case 9:
		var out []data.Value
		for range rapid.IntRange(0, 3).Draw(w.t, "n") {
			out = append(out, w.bareValue(depth-1))
		}
		return data.OfArray(out)
	}
	var b data.MapBuilder
	for range rapid.IntRange(0, 2).Draw(w.t, "n") {
		b.Put(w.bareValue(0), w.bareValue(depth-1))
	}
	return data.OfMap(b.Build())
}

// drawConnect is a vector from Connect's side.
var drawConnect = rapid.Custom(func(t *rapid.T) *vector {
	w := &wild{t: t, tame: rapid.IntRange(0, 2).Draw(t, "tame") > 0}
	v := &vector{Config: w.config()}
	if w.chance(4, "schemaless") {
		v.Schema, v.Value = json.RawMessage("null"), mustForm(valueForm(data.OfArray([]data.Value{w.bareValue(3), w.bareValue(2)})))
		return v
	}
	s := w.schema(3)
	val := w.value(s)
	v.Schema, v.Value = mustForm(schemaForm(s)), mustForm(valueForm(val))
	return v
})

func mustForm(v any) json.RawMessage {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}
