package transforms

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/troupeio/troupe/codec/data"
	"github.com/troupeio/troupe/connectors"
	"github.com/troupeio/troupe/internal/golden"
)

func TestParsePath(t *testing.T) {
	for _, row := range []struct {
		path string
		want string // steps in brackets, or the error's position
	}{
		{"a", "[a]"},
		{"a.b", "[a][b]"},
		{"", ""},
		{".", "[][]"},
		{"a.", "[a][]"},
		{"a..b", "[a][][b]"},
		{"`a.b`.c", "[a.b][c]"},
		{"`a`b`", "[a`b]"},
		{"`a\\`.b`.c", "[a`.b][c]"},
		{"a`b.c", "[a`b][c]"},
		{"``", "[]"},
		{"``.a", "[][a]"},
		{"`a`.", "[a][]"},
		{"a[].b", "[a]*[b]"},
		{"a[][]", "[a]**"},
		{"[]", "[[]]"},
		{"`a.b`[].c", "[a.b]*[c]"},
		{"`a[]`", "[a[]]"},
		{"`a`[]x`.b", "[a`[]x][b]"},
		{"`a", "position 0"},
		{"b.`a\\`", "position 2"},
		{"é.`a", "position 2"},
	} {
		steps, err := parsePath(row.path)
		got := ""
		for _, s := range steps {
			got += "[" + s.name + "]" + strings.Repeat("*", s.elems)
		}
		if err != nil {
			if !strings.HasPrefix(row.want, "position") || !strings.Contains(err.Error(), row.want+" ") {
				t.Errorf("%s: %v", row.path, err)
			}
			continue
		}
		if got != row.want {
			t.Errorf("%s: got %s, want %s", row.path, got, row.want)
		}
	}
}

func TestNumbersOfText(t *testing.T) {
	for text, want := range map[string]float64{
		"1": 1, " 1.5 ": 1.5, "1e3": 1000, "-.5": -.5, "1.": 1, "1d": 1, "1F": 1, "0x1.8p1": 3, "0x1p-1d": .5, "1e400": math.Inf(1), "-Infinity": math.Inf(-1),
	} {
		if got, ok := parseFloat(text, 64); !ok || got != want {
			t.Errorf("%q is %v, %v, want %v", text, got, ok, want)
		}
	}
	for _, text := range []string{"", " ", "+", "1_0", "0x10", "inf", "nan", "1e", "1ff", "٣", "infinity", "1 2", "NaNd", "0x1.8p1q"} {
		if got, ok := parseFloat(text, 64); ok {
			t.Errorf("%q is %v", text, got)
		}
	}
	for text, want := range map[string]int64{"127": 127, "-128": -128, "+5": 5, "٣": 3, "007": 7} {
		if got, ok := parseInt(text, 8); !ok || got != want {
			t.Errorf("%q is %v, %v, want %v", text, got, ok, want)
		}
	}
	for _, text := range []string{"", "128", "-129", "-", "1.0", " 1", "1-", "0x1"} {
		if got, ok := parseInt(text, 8); ok {
			t.Errorf("%q is %v", text, got)
		}
	}
}

func TestDecimalsNarrow(t *testing.T) {
	for _, row := range []struct {
		d    *data.Decimal
		want int64
	}{
		{data.NewDecimal(-199, 2), -1}, {data.NewDecimal(5, -3), 5000}, {data.NewDecimal(5, 400), 0}, {data.NewDecimal(math.MaxInt64, -1), -10},
		{data.NewDecimal(7, -64), 0}, {data.NewDecimal(7, math.MinInt32), 0}, {data.NewDecimal(7, math.MaxInt32), 0},
	} {
		if got := decimalToInt64(row.d); got != row.want {
			t.Errorf("%v: got %d, want %d", row.d, got, row.want)
		}
	}
}

func TestHashMapOrder(t *testing.T) {
	// By the hash codes: "a" is 97, bucket 1 of 16; "b" 2; "q" 113, bucket 1 after "a"; "Aa" and "BB" have the same one.
	got := hashMapOrder([]string{"q", "b", "BB", "a", "Aa"})
	if want := []string{"BB", "Aa", "q", "a", "b"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// TestRenamesThatMeet holds what ReplaceField does when a field's new name leads
// back to another field than the one that had it.
func TestRenamesThatMeet(t *testing.T) {
	fields := func(names ...string) data.Record {
		b := data.NewStructSchema()
		var vals []data.Value
		for _, n := range names {
			b.Field(n, data.StringSchema)
			vals = append(vals, data.OfString("was "+n))
		}
		s := b.MustBuild()
		return data.Record{ValueSchema: s, Value: data.OfStruct(data.NewStruct(s, vals))}
	}
	for _, row := range []struct {
		name, renames, exclude string
		in                     data.Record
		want                   string // text of the value, or of the error
	}{
		{"swap", "a:b,b:a", "", fields("a", "b"), "Struct{b=was a,a=was b}"},
		{"origin is missing", "z:a", "", fields("a"), "z is not a valid field name"},
		{"origin is excluded", "z:a", "z", fields("a", "z"), "Struct{a=was z}"},
		{"two to one", "a:c,b:c", "", fields("a", "b"), "Cannot create field because of field name duplication c"},
		{"empty origin", ":b", "", fields("a"), "Struct{a=was a}"},
	} {
		t.Run(row.name, func(t *testing.T) {
			tr := newTransform(t, "ReplaceField$Value", map[string]string{"renames": row.renames, "exclude": row.exclude})
			got := row.in
			_, err := tr.Apply(&got)
			text := got.Value.String()
			if err != nil {
				text = err.Error()
			}
			if text != row.want {
				t.Errorf("got %s, want %s", text, row.want)
			}
		})
	}
}

func TestRouterOfManyTopics(t *testing.T) {
	tr := newTransform(t, "RegexRouter", map[string]string{"regex": "in-(\\d+)", "replacement": "out-$1"}).(*regexRouter)
	for round := range 2 {
		for i := range 3 * cachedTopics {
			r := data.Record{Topic: fmt.Sprintf("in-%d", i)}
			if _, err := tr.Apply(&r); err != nil || r.Topic != fmt.Sprintf("out-%d", i) {
				t.Fatalf("round %d: %d became %s, %v", round, i, r.Topic, err)
			}
			r.Topic = fmt.Sprintf("in-%d", i) // the one that it remembers best
			if _, err := tr.Apply(&r); err != nil || r.Topic != fmt.Sprintf("out-%d", i) {
				t.Fatalf("round %d: %d became %s, %v", round, i, r.Topic, err)
			}
		}
		if len(tr.known) > cachedTopics {
			t.Errorf("%d topics are remembered", len(tr.known))
		}
	}
}

func TestErrorsAreAboutTheRecord(t *testing.T) {
	for class, config := range map[string]map[string]string{
		"HoistField$Value": {"field": ""}, "ExtractField$Value": {"field": "zz"}, "TimestampRouter": {}, "RegexRouter": {"regex": ".*", "replacement": "$9"},
		"TimestampConverter$Value": {"target.type": "unix"}, "HeaderFrom$Value": {"fields": "zz", "headers": "h", "operation": "copy"},
	} {
		s := data.NewStructSchema().Field("a", data.StringSchema).MustBuild()
		r := data.Record{Topic: "t", Timestamp: data.NoTimestamp, ValueSchema: s, Value: data.OfStruct(data.NewStruct(s, []data.Value{data.OfString("x")}))}
		if _, err := newTransform(t, class, config).Apply(&r); connectors.ClassOf(err) != connectors.Poison {
			t.Errorf("%s: %v is of class %s", class, err, connectors.ClassOf(err))
		}
	}
}

// TestTransformsKeepTheirPromises applies every transform to random structs: the
// input stays as it was, the result is valid under its schema, and a schema that
// was met before gives the same as the first time.
func TestTransformsKeepTheirPromises(t *testing.T) {
	configs := []struct {
		class  string
		config map[string]string
	}{
		{"HoistField$Value", map[string]string{"field": "h"}},
		{"InsertField$Value", map[string]string{"topic.field": "tt", "partition.field": "pp?", "timestamp.field": "ts", "static.field": "ss!", "static.value": "v"}},
		{"ReplaceField$Value", map[string]string{"exclude": "a", "renames": "b:bb"}},
		{"Cast$Value", map[string]string{"spec": "a:string,b:string"}},
		{"Flatten$Value", map[string]string{"delimiter": "_"}},
		{"HeaderFrom$Value", map[string]string{"fields": "a", "headers": "h", "operation": "move"}},
		{"HeaderFrom$Value", map[string]string{"fields": "b", "headers": "h", "operation": "move"}},
		{"HeaderFrom$Value", map[string]string{"fields": "a", "headers": "h", "operation": "copy"}},
		{"MaskField$Value", map[string]string{"fields": "a,b"}},
		{"SetSchemaMetadata$Value", map[string]string{"schema.name": "n", "schema.version": "7"}},
		{"TimestampConverter$Value", map[string]string{"field": "zz", "target.type": "unix"}},
		{"ValueToKey", map[string]string{"fields": "b,a"}},
		{"ExtractField$Value", map[string]string{"field": "a"}},
		{"InsertHeader", map[string]string{"header": "x", "value.literal": "1"}},
		{"DropHeaders", map[string]string{"headers": "old"}},
	}
	rapid.Check(t, func(rt *rapid.T) {
		schema := structSchema(rt, "s", 2)
		c := rapid.SampledFrom(configs).Draw(rt, "transform")
		tr := newTransform(t, c.class, c.config)
		for i := range 2 {
			value := valueOf(rt, schema, fmt.Sprintf("v%d", i))
			in := data.Record{Topic: "t", Partition: 3, Timestamp: 5, ValueSchema: schema, Value: value, Headers: data.NewHeaders(data.Header{Key: "old", Value: data.OfInt8(1)})}
			before := in.String()
			got, again := in, in
			_, err := tr.Apply(&got)
			if in.String() != before {
				rt.Fatalf("%s wrote to its input: %s became %s", c.class, before, &in)
			}
			if err != nil {
				rt.Fatalf("%s of %s: %v", c.class, before, err)
			}
			if !data.Valid(got.ValueSchema, got.Value) || got.KeySchema != nil && !data.Valid(got.KeySchema, got.Key) {
				rt.Fatalf("%s of %s is not valid: %s", c.class, before, &got)
			}
			if _, err := tr.Apply(&again); err != nil || golden.DiffRecord(&got, &again) != "" {
				rt.Fatalf("%s: the second time differs: %v, %s", c.class, err, golden.DiffRecord(&got, &again))
			}
		}
	})
}

// structSchema draws a struct schema with the fields a and b, and perhaps others.
func structSchema(t *rapid.T, label string, depth int) *data.Schema {
	types := []data.Type{data.Int8, data.Int64, data.Float64, data.Boolean, data.String}
	b := data.NewStructSchema()
	for _, name := range []string{"a", "b"} {
		b.Field(name, data.PrimitiveSchema(rapid.SampledFrom(types).Draw(t, label+name), rapid.Bool().Draw(t, label+name+"?")))
	}
	if rapid.Bool().Draw(t, label+" has c") {
		b.Field("c", data.NewSchema(data.Int32).Optional().Default(data.OfInt32(7)).MustBuild())
	}
	if depth > 0 && rapid.Bool().Draw(t, label+" has n") {
		b.Field("n", structSchema(t, label+"n", depth-1))
	}
	return b.SetOptional(rapid.Bool().Draw(t, label+" optional")).MustBuild()
}

// valueOf draws a valid value, with nulls where they are allowed.
func valueOf(t *rapid.T, s *data.Schema, label string) data.Value {
	if s.Optional() && s.Type() != data.Struct && rapid.Bool().Draw(t, label+" is null") {
		return data.Null
	}
	switch s.Type() {
	case data.Int8:
		return data.OfInt8(rapid.Int8().Draw(t, label))
	case data.Int32:
		return data.OfInt32(rapid.Int32().Draw(t, label))
	case data.Int64:
		return data.OfInt64(rapid.Int64().Draw(t, label))
	case data.Float64:
		return data.OfFloat64(rapid.Float64().Draw(t, label))
	case data.Boolean:
		return data.OfBool(rapid.Bool().Draw(t, label))
	case data.String:
		return data.OfString(rapid.String().Draw(t, label))
	}
	vals := make([]data.Value, len(s.Fields()))
	for i, f := range s.Fields() {
		vals[i] = valueOf(t, f.Schema, label+f.Name)
	}
	return data.OfStruct(data.NewStruct(s, vals))
}

// TestMovedFieldsLeaveTheRest: what HeaderFrom leaves in one piece is what it was, but
// for nulls that a default replaces, or that are refused.
func TestMovedFieldsLeaveTheRest(t *testing.T) {
	schema := data.NewStructSchema().Field("a", data.Int32Schema).Field("b", data.StringSchema).
		Field("c", data.NewSchema(data.Int32).Optional().Default(data.OfInt32(7)).MustBuild()).Field("d", data.OptionalStringSchema).MustBuild()
	for _, row := range []struct {
		replace string
		rest    []data.Value // of b, c and d
		want    string
	}{
		{"true", []data.Value{data.OfString("x"), data.OfInt32(1), data.OfString("y")}, "Struct{b=x,c=1,d=y}"},
		{"true", []data.Value{data.OfString("x"), data.OfInt32(1), data.Null}, "Struct{b=x,c=1}"},
		{"true", []data.Value{data.OfString("x"), data.Null, data.Null}, "Struct{b=x,c=7}"},
		{"false", []data.Value{data.OfString("x"), data.Null, data.Null}, "Struct{b=x}"},
		{"false", []data.Value{data.Null, data.OfInt32(1), data.Null}, `error: Invalid value: null used for required field: "b", schema type: STRING`},
	} {
		tr := newTransform(t, "HeaderFrom$Value", map[string]string{"fields": "a", "headers": "h", "operation": "move", "replace.null.with.default": row.replace})
		vals := append([]data.Value{data.OfInt32(5)}, row.rest...)
		r := data.Record{ValueSchema: schema, Value: data.OfStruct(data.NewStruct(schema, slices.Clone(vals)))}
		before := r.Value
		_, err := tr.Apply(&r)
		got := "error: " + fmt.Sprint(err)
		if err == nil {
			got = r.Value.String()
			if h, ok := r.Headers.Last("h"); !ok || h.Value.Int() != 5 || r.Headers.Len() != 1 {
				t.Errorf("%v: headers of %s", row.rest, &r)
			}
		}
		if got != row.want {
			t.Errorf("replace %s of %v: got %s, want %s", row.replace, row.rest, got, row.want)
		}
		if !slices.EqualFunc(before.Struct().Values(), vals, data.Value.Equal) {
			t.Errorf("%v was written to: %s", row.rest, before)
		}
	}
}
