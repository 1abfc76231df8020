// Package golden reads the vectors that were recorded from Kafka Connect 4.1
// (testdata/golden, or the directory named by TROUPE_GOLDEN) into the data
// model. Only tests import it. The encodings are described in the README beside
// the vectors.
package golden

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/troupeio/troupe/codec/data"
)

// Dir returns the directory of the vectors.
func Dir() string {
	if d := os.Getenv("TROUPE_GOLDEN"); d != "" {
		return d
	}
	return filepath.Join(root(), "testdata", "golden")
}

// root is the folder of go.mod, this one where there is none.
func root() string {
	d, err := os.Getwd()
	for err == nil {
		if _, e := os.Stat(filepath.Join(d, "go.mod")); e == nil {
			return d
		}
		up := filepath.Dir(d)
		if up == d {
			break
		}
		d = up
	}
	return "."
}

// Lines calls f with each line of a file of vectors and of those that go with it:
// with smt.jsonl go smt_more.jsonl and all others whose names begin with smt_. When
// the directory has none of them the test is skipped by name.
func Lines(t testing.TB, file string, f func(line []byte)) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(Dir(), strings.TrimSuffix(file, ".jsonl")+"_*.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	if first := filepath.Join(Dir(), file); exists(first) {
		paths = append([]string{first}, paths...)
	}
	if len(paths) == 0 {
		t.Skipf("no vectors: %s is not in %s", file, Dir())
	}
	for _, path := range paths {
		linesOf(t, path, f)
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return !os.IsNotExist(err)
}

func linesOf(t testing.TB, path string, f func(line []byte)) {
	t.Helper()
	fh, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = fh.Close() }()
	sc := bufio.NewScanner(fh)
	sc.Buffer(make([]byte, 1<<20), 64<<20)
	n := 0
	for sc.Scan() {
		if len(bytes.TrimSpace(sc.Bytes())) == 0 {
			continue
		}
		n++
		f(bytes.Clone(sc.Bytes()))
	}
	if err := sc.Err(); err != nil {
		t.Fatal(err)
	}
	if n == 0 {
		t.Fatalf("%s holds no vectors", path)
	}
}

// Read decodes each line of a file of vectors into a T.
func Read[T any](t testing.TB, file string) []T {
	t.Helper()
	var out []T
	Lines(t, file, func(line []byte) {
		var v T
		if err := json.Unmarshal(line, &v); err != nil {
			t.Fatalf("%s: %v in %.200s", file, err, line)
		}
		out = append(out, v)
	})
	return out
}

// Bytes is a recorded byte array.
type Bytes struct {
	UTF8   *string
	Base64 *string
}

// Decode returns the bytes; nil for a nil receiver (Java's null array).
func (b *Bytes) Decode() []byte {
	switch {
	case b == nil:
		return nil
	case b.UTF8 != nil:
		return append([]byte{}, *b.UTF8...)
	}
	raw, err := base64.StdEncoding.DecodeString(*b.Base64)
	if err != nil {
		panic(err)
	}
	return append([]byte{}, raw...)
}

type schemaJSON struct {
	Type       string
	Optional   bool
	Name       *string
	Version    *int32
	Doc        *string
	Parameters json.RawMessage
	Default    json.RawMessage
	Fields     []struct {
		Name   string
		Index  int
		Schema json.RawMessage
	}
	KeySchema   json.RawMessage
	ValueSchema json.RawMessage
}

// Schema decodes a recorded schema; JSON null (or nothing) is nil.
func Schema(raw json.RawMessage) (*data.Schema, error) {
	if isNull(raw) {
		return nil, nil
	}
	var j schemaJSON
	if err := json.Unmarshal(raw, &j); err != nil {
		return nil, err
	}
	typ, ok := data.ParseType(j.Type)
	if !ok {
		return nil, fmt.Errorf("unknown schema type %q", j.Type)
	}
	key, err := Schema(j.KeySchema)
	if err != nil {
		return nil, err
	}
	val, err := Schema(j.ValueSchema)
	if err != nil {
		return nil, err
	}
	var b *data.SchemaBuilder
	switch typ {
	case data.Array:
		b = data.NewArraySchema(val)
	case data.Map:
		b = data.NewMapSchema(key, val)
	default:
		b = data.NewSchema(typ)
	}
	b.SetOptional(j.Optional)
	if j.Name != nil {
		b.AnyName(*j.Name)
	}
	if j.Doc != nil {
		b.AnyDoc(*j.Doc)
	}
	if j.Version != nil {
		b.Version(*j.Version)
	}
	if !isNull(j.Parameters) {
		if err := object(j.Parameters, func(k string, v json.RawMessage) error {
			var s string
			if err := json.Unmarshal(v, &s); err != nil {
				return err
			}
			b.Param(k, s)
			return nil
		}); err != nil {
			return nil, err
		}
	}
	for _, f := range j.Fields {
		fs, err := Schema(f.Schema)
		if err != nil {
			return nil, err
		}
		b.Field(f.Name, fs)
	}
	if !isNull(j.Default) {
		plain, err := b.Build()
		if err != nil {
			return nil, err
		}
		def, err := Value(j.Default, plain)
		if err != nil {
			return nil, err
		}
		// Not by the builder: the struct that is a default can have another schema.
		return plain.With(plain.Optional(), def), nil
	}
	return b.Build()
}

// object walks a JSON object in its written order.
func object(raw json.RawMessage, f func(k string, v json.RawMessage) error) error {
	d := json.NewDecoder(bytes.NewReader(raw))
	if _, err := d.Token(); err != nil {
		return err
	}
	for d.More() {
		k, err := d.Token()
		if err != nil {
			return err
		}
		var v json.RawMessage
		if err := d.Decode(&v); err != nil {
			return err
		}
		if err := f(k.(string), v); err != nil {
			return err
		}
	}
	return nil
}

func isNull(raw json.RawMessage) bool {
	return len(raw) == 0 || string(bytes.TrimSpace(raw)) == "null"
}

// Value decodes a recorded typed value. around is the schema that surrounds it;
// it gives structs their schema when they carry none of their own.
func Value(raw json.RawMessage, around *data.Schema) (data.Value, error) {
	if isNull(raw) {
		return data.Null, nil
	}
	var j struct {
		T      string
		V      json.RawMessage
		Schema json.RawMessage
	}
	if err := json.Unmarshal(raw, &j); err != nil {
		return data.Null, err
	}
	num := func(bits int) (int64, error) { return strconv.ParseInt(unquote(j.V), 10, bits) }
	switch j.T {
	case "null":
		return data.Null, nil
	case "int8":
		n, err := num(8)
		return data.OfInt8(int8(n)), err
	case "int16":
		n, err := num(16)
		return data.OfInt16(int16(n)), err
	case "int32":
		n, err := num(32)
		return data.OfInt32(int32(n)), err
	case "int64":
		n, err := num(64)
		return data.OfInt64(n), err
	case "date":
		n, err := num(64)
		return data.OfDate(n), err
	case "float32":
		f, err := float(unquote(j.V), 32)
		return data.OfFloat32(float32(f)), err
	case "float64":
		f, err := float(unquote(j.V), 64)
		return data.OfFloat64(f), err
	case "boolean":
		return data.OfBool(string(j.V) == "true"), nil
	case "string":
		var s string
		err := json.Unmarshal(j.V, &s)
		return data.OfString(s), err
	case "bytes":
		b, err := base64.StdEncoding.DecodeString(unquote(j.V))
		return data.OfBytes(b), err
	case "decimal":
		var d struct {
			Scale    int32
			Unscaled string
		}
		if err := json.Unmarshal(j.V, &d); err != nil {
			return data.Null, err
		}
		u, ok := new(big.Int).SetString(d.Unscaled, 10)
		if !ok {
			return data.Null, fmt.Errorf("bad decimal %s", j.V)
		}
		return data.OfDecimal(&data.Decimal{Unscaled: u, Scale: d.Scale}), nil
	case "array":
		var elems []json.RawMessage
		if err := json.Unmarshal(j.V, &elems); err != nil {
			return data.Null, err
		}
		var es *data.Schema
		if around != nil && around.Type() == data.Array {
			es = around.ValueSchema()
		}
		out := make([]data.Value, len(elems))
		for i, e := range elems {
			v, err := Value(e, es)
			if err != nil {
				return data.Null, err
			}
			out[i] = v
		}
		return data.OfArray(out), nil
	case "map":
		var pairs [][2]json.RawMessage
		if err := json.Unmarshal(j.V, &pairs); err != nil {
			return data.Null, err
		}
		var ks, vs *data.Schema
		if around != nil && around.Type() == data.Map {
			ks, vs = around.KeySchema(), around.ValueSchema()
		}
		var b data.MapBuilder
		for _, p := range pairs {
			k, err := Value(p[0], ks)
			if err != nil {
				return data.Null, err
			}
			v, err := Value(p[1], vs)
			if err != nil {
				return data.Null, err
			}
			b.Put(k, v)
		}
		return data.OfMap(b.Build()), nil
	case "struct":
		s := around
		if !isNull(j.Schema) {
			var err error
			if s, err = Schema(j.Schema); err != nil {
				return data.Null, err
			}
			// The struct's own schema is written without its top-level default;
			// where the surrounding schema is otherwise the same, it is that one.
			if around != nil && around.With(around.Optional(), data.Null).Equal(s) {
				s = around
			}
		}
		if s == nil || s.Type() != data.Struct {
			return data.Null, fmt.Errorf("a struct value without a struct schema: %.100s", raw)
		}
		var fields [][2]json.RawMessage
		if err := json.Unmarshal(j.V, &fields); err != nil {
			return data.Null, err
		}
		vals := make([]data.Value, len(s.Fields()))
		for _, f := range fields {
			var name string
			if err := json.Unmarshal(f[0], &name); err != nil {
				return data.Null, err
			}
			fd := s.Field(name)
			if fd == nil {
				return data.Null, fmt.Errorf("struct value has unknown field %q", name)
			}
			v, err := Value(f[1], fd.Schema)
			if err != nil {
				return data.Null, err
			}
			vals[fd.Index] = v
		}
		return data.OfStruct(data.NewStruct(s, vals)), nil
	}
	return data.Null, fmt.Errorf("unknown value type %q", j.T)
}

func unquote(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	return string(raw)
}

func float(s string, bits int) (float64, error) {
	switch s {
	case "NaN":
		return math.NaN(), nil
	case "Infinity":
		return math.Inf(1), nil
	case "-Infinity":
		return math.Inf(-1), nil
	}
	return strconv.ParseFloat(s, bits)
}

// Record decodes a recorded source or sink record; JSON null is nil.
func Record(raw json.RawMessage) (*data.Record, error) {
	if isNull(raw) {
		return nil, nil
	}
	var j struct {
		Kind, TimestampType string
		Topic               *string
		Partition           *int32
		Timestamp, Offset   *int64
		KeySchema, Key      json.RawMessage
		ValueSchema, Value  json.RawMessage
		Headers             []struct {
			Key           string
			Schema, Value json.RawMessage
		}
	}
	if err := json.Unmarshal(raw, &j); err != nil {
		return nil, err
	}
	r := &data.Record{Partition: data.NoPartition, Timestamp: data.NoTimestamp, TimestampType: data.NoTimestampType, Sink: j.Kind == "sink"}
	if j.Topic != nil {
		r.Topic = *j.Topic
	}
	if j.Partition != nil {
		r.Partition = *j.Partition
	}
	if j.Timestamp != nil {
		r.Timestamp = *j.Timestamp
	}
	if j.Offset != nil {
		r.Offset = *j.Offset
	}
	switch j.TimestampType {
	case "CreateTime":
		r.TimestampType = data.CreateTime
	case "LogAppendTime":
		r.TimestampType = data.LogAppendTime
	}
	if r.Sink {
		r.OriginalTopic, r.OriginalPartition, r.OriginalOffset = r.Topic, r.Partition, r.Offset
	}
	var err error
	if r.KeySchema, r.Key, err = SchemaAndValue(j.KeySchema, j.Key); err != nil {
		return nil, fmt.Errorf("key: %w", err)
	}
	if r.ValueSchema, r.Value, err = SchemaAndValue(j.ValueSchema, j.Value); err != nil {
		return nil, fmt.Errorf("value: %w", err)
	}
	var headers []data.Header
	for _, h := range j.Headers {
		s, v, err := SchemaAndValue(h.Schema, h.Value)
		if err != nil {
			return nil, fmt.Errorf("header %s: %w", h.Key, err)
		}
		headers = append(headers, data.Header{Key: h.Key, Schema: s, Value: v})
	}
	r.Headers = data.NewHeaders(headers...)
	return r, nil
}

// SchemaAndValue decodes a schema and a value under it.
func SchemaAndValue(schema, value json.RawMessage) (*data.Schema, data.Value, error) {
	s, err := Schema(schema)
	if err != nil {
		return nil, data.Null, err
	}
	v, err := Value(value, s)
	return s, v, err
}

// DiffRecord describes how two records differ in what a transform may change,
// "" when they don't.
func DiffRecord(want, got *data.Record) string {
	switch {
	case (want == nil) != (got == nil):
		return fmt.Sprintf("want %v, got %v", want, got)
	case want == nil:
		return ""
	case want.Topic != got.Topic:
		return fmt.Sprintf("topic: want %q, got %q", want.Topic, got.Topic)
	case want.Partition != got.Partition:
		return fmt.Sprintf("partition: want %d, got %d", want.Partition, got.Partition)
	case want.Timestamp != got.Timestamp:
		return fmt.Sprintf("timestamp: want %d, got %d", want.Timestamp, got.Timestamp)
	case want.Sink && (want.Offset != got.Offset || want.TimestampType != got.TimestampType):
		return fmt.Sprintf("offset or timestamp type: want %v, got %v", want, got)
	case want.Headers.Len() != got.Headers.Len():
		return fmt.Sprintf("headers: want %v, got %v", want, got)
	}
	if d := Diff(want.KeySchema, want.Key, got.KeySchema, got.Key); d != "" {
		return "key: " + d
	}
	if d := Diff(want.ValueSchema, want.Value, got.ValueSchema, got.Value); d != "" {
		return "value: " + d
	}
	for i := range want.Headers.Len() {
		w, g := want.Headers.At(i), got.Headers.At(i)
		if w.Key != g.Key {
			return fmt.Sprintf("header %d: want key %q, got %q", i, w.Key, g.Key)
		}
		if d := Diff(w.Schema, w.Value, g.Schema, g.Value); d != "" {
			return fmt.Sprintf("header %d: %s", i, d)
		}
	}
	return ""
}

// Diff describes how two schemas and values differ, "" when they don't.
func Diff(ws *data.Schema, wv data.Value, gs *data.Schema, gv data.Value) string {
	if !ws.Equal(gs) {
		return "schema: want " + Describe(ws) + ", got " + Describe(gs)
	}
	if !bare(wv).Equal(bare(gv)) {
		return fmt.Sprintf("want %s %v, got %s %v", wv.Kind().JavaClass(), wv, gv.Kind().JavaClass(), gv)
	}
	return ""
}

// bare returns v with structs whose schemas have no default of their own, because
// the recorded form leaves that out.
func bare(v data.Value) data.Value {
	switch v.Kind() {
	case data.KindArray:
		out := make([]data.Value, 0, len(v.Elems()))
		for _, e := range v.Elems() {
			out = append(out, bare(e))
		}
		return data.OfArray(out)
	case data.KindMap:
		var b data.MapBuilder
		for _, e := range v.Map().Entries() {
			b.Put(e.Key, bare(e.Value))
		}
		return data.OfMap(b.Build())
	case data.KindStruct:
		st := v.Struct()
		vals := make([]data.Value, 0, len(st.Values()))
		for _, e := range st.Values() {
			vals = append(vals, bare(e))
		}
		return data.OfStruct(data.NewStruct(st.Schema().With(st.Schema().Optional(), data.Null), vals))
	}
	return v
}

// Describe writes out a schema for a failure message.
func Describe(s *data.Schema) string {
	if s == nil {
		return "null"
	}
	out := s.Type().String()
	if s.Optional() {
		out += "?"
	}
	if s.HasName() {
		out += " " + s.Name()
	}
	if v, ok := s.Version(); ok {
		out += fmt.Sprintf(" v%d", v)
	}
	if s.HasDoc() {
		out += fmt.Sprintf(" doc=%q", s.Doc())
	}
	for _, p := range s.Params() {
		out += " " + p.Key + "=" + p.Value
	}
	if !s.Default().IsNull() {
		out += fmt.Sprintf(" default=%v", s.Default())
	}
	if s.Repeats() {
		return out + "(...)"
	}
	switch s.Type() {
	case data.Array:
		out += "[" + Describe(s.ValueSchema()) + "]"
	case data.Map:
		out += "{" + Describe(s.KeySchema()) + ":" + Describe(s.ValueSchema()) + "}"
	case data.Struct:
		out += "("
		for i, f := range s.Fields() {
			if i > 0 {
				out += ", "
			}
			out += f.Name + " " + Describe(f.Schema)
		}
		out += ")"
	}
	return out
}
