package avro

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"

	"github.com/troupeio/troupe/codec/avro/schema"
	"github.com/troupeio/troupe/codec/data"
	"github.com/troupeio/troupe/internal/golden"
)

// vector is a case for AvroData, with what it made of it (testdata/README.md).
type vector struct {
	ID      string            `json:"id,omitempty"`
	Config  map[string]string `json:"config"`
	Schema  json.RawMessage   `json:"schema,omitempty"`
	Value   json.RawMessage   `json:"value,omitempty"`
	Avro    string            `json:"avro,omitempty"`
	Bytes   []byte            `json:"bytes"`
	Version *int              `json:"version,omitempty"`
	Answer  *answer           `json:"answer,omitempty"`
	// Differs says why ours is another one.
	Differs string `json:"differs,omitempty"`
}

// answer is what comes out of a vector, in either direction.
type answer struct {
	Schema any     `json:"schema,omitempty"`
	Value  any     `json:"value,omitempty"`
	Avro   string  `json:"avro,omitempty"`
	Bytes  []byte  `json:"bytes,omitempty"`
	Back   *answer `json:"back,omitempty"`  // read again
	Again  *answer `json:"again,omitempty"` // written again
	Error  string  `json:"error,omitempty"`

	opts   *options
	schema *schema.Schema
}

func (v *vector) options() *options {
	on := func(name string, def bool) bool {
		s, ok := v.Config[name]
		return ok && s == "true" || !ok && def
	}
	return &options{enhanced: on(EnhancedSetting, false), sumTypes: on(SumTypesSetting, false), scrub: on(ScrubSetting, false),
		metadata: on(MetadataSetting, true), discardDocs: on(DiscardDocsSetting, false), optionalKeys: on(OptionalKeysSetting, false),
		flattenSingle: on(FlattenSetting, true), ignoreDefaults: on(IgnoreDefaultsSetting, false)}
}

// TestAvroDataVectors replays what the fork of AvroData was recorded to make of
// schemas and values.
func TestAvroDataVectors(t *testing.T) {
	f, err := os.Open(filepath.Join("testdata", "avrodata.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	d := json.NewDecoder(f)
	d.UseNumber()
	n := 0
	for d.More() {
		var v vector
		if err := d.Decode(&v); err != nil {
			t.Fatal(err)
		}
		n++
		t.Run(v.ID, func(t *testing.T) {
			ds := compare(t, v.ours(), v.Answer)
			for _, d := range ds {
				if why := reason(&v, d); why != v.Differs || why == "" {
					t.Errorf("%s differs\nTroupe has   %s\nAvroData has %s", d.where, d.ours, d.theirs)
				}
			}
			if len(ds) == 0 && v.Differs != "" {
				t.Errorf("nothing differs any longer: %s", v.Differs)
			}
		})
	}
	if n < 200 {
		t.Errorf("there are %d vectors", n)
	}
}

// ours is our answer to a vector.
func (v *vector) ours() *answer {
	out := &answer{opts: v.options()}
	if v.Avro != "" {
		s, val := out.read(v.Avro, v.Bytes, v.Version)
		if out.Error == "" {
			out.Again = &answer{opts: out.opts}
			if !val.IsNull() {
				out.Again.write(s, val)
			}
		}
		return out
	}
	s, val, err := golden.SchemaAndValue(v.Schema, v.Value)
	if err != nil {
		out.Error = err.Error()
		return out
	}
	out.write(s, val)
	if out.Error == "" {
		out.Back = &answer{opts: out.opts}
		out.Back.read(out.Avro, out.Bytes, nil)
	}
	return out
}

func (a *answer) write(s *data.Schema, v data.Value) {
	as, err := a.opts.avroSchema(s)
	if err == nil {
		a.schema = as
		a.Avro, err = as.Print()
	}
	var e *encoder
	if err == nil {
		e, err = a.opts.encoderFor(s, as)
	}
	if err == nil {
		a.Bytes, err = (&run{}).encode(nil, e, v)
	}
	if err != nil {
		a.Error = err.Error()
	}
}

func (a *answer) read(text string, b []byte, version *int) (*data.Schema, data.Value) {
	fail := func(err error) (*data.Schema, data.Value) {
		a.Error = err.Error()
		return nil, data.Null
	}
	as, err := schema.Parse(text)
	if err != nil {
		return fail(err)
	}
	v := 0
	if version != nil {
		v = *version
	}
	s, err := a.opts.connectSchema(as, v)
	if err != nil {
		return fail(err)
	}
	d, err := decoderFor(as, s)
	if err != nil {
		return fail(err)
	}
	val, rest, err := decodeRecord(d, b, new(data.Arena))
	if err == nil && len(rest) > 0 {
		err = errors.New("bytes are left")
	}
	if err != nil {
		return fail(err)
	}
	a.Value = valueForm(val)
	if !val.IsNull() { // as Converter.ToConnect, and AvroData
		a.Schema = schemaForm(s)
	}
	return s, val
}

// difference is where two answers part.
type difference struct{ where, ours, theirs string }

// compare lists what differs; one difference hides those that follow from it.
func compare(t testing.TB, ours, theirs *answer) []difference {
	if ours == nil || theirs == nil {
		if ours != theirs {
			return []difference{{"answer", jsonText(t, ours), jsonText(t, theirs)}}
		}
		return nil
	}
	if (ours.Error != "") != (theirs.Error != "") {
		return []difference{{"error", ours.Error, theirs.Error}}
	}
	if ours.Error != "" {
		return nil
	}
	var out []difference
	for _, p := range []struct {
		where        string
		ours, theirs any
	}{{"schema", ours.Schema, theirs.Schema}, {"value", ours.Value, theirs.Value}} {
		if o, th := canonicalForm(t, p.ours), canonicalForm(t, p.theirs); o != th {
			out = append(out, difference{p.where, o, th})
		}
	}
	if ours.Avro != theirs.Avro && (ours.Avro == "" || theirs.Avro == "" || sortedMaps(t, ours.Avro) != sortedMaps(t, theirs.Avro)) {
		out = append(out, difference{"avro", ours.Avro, theirs.Avro})
	} else if !bytes.Equal(ours.Bytes, theirs.Bytes) && !sameButForOrder(t, ours, theirs) {
		out = append(out, difference{"bytes", base64.StdEncoding.EncodeToString(ours.Bytes), base64.StdEncoding.EncodeToString(theirs.Bytes)})
	}
	if len(out) > 0 {
		return out
	}
	for _, d := range compare(t, ours.Back, theirs.Back) {
		out = append(out, difference{"back." + d.where, d.ours, d.theirs})
	}
	for _, d := range compare(t, ours.Again, theirs.Again) {
		out = append(out, difference{"again." + d.where, d.ours, d.theirs})
	}
	return out
}

// sortedMaps is the text of an Avro schema with the entries of maps in its defaults
// sorted: a Java map has an order of its own. Everything else keeps its order.
func sortedMaps(t testing.TB, text string) string {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	return jsonText(t, sortedNode(t, d, false))
}

func sortedNode(t testing.TB, d *json.Decoder, inDefault bool) any {
	tok, err := d.Token()
	if err != nil {
		t.Fatal(err)
	}
	if num, ok := tok.(json.Number); ok && inDefault && strings.ContainsAny(string(num), ".E") {
		f, _ := num.Float64() // Java 17 prints some floats with more digits than later ones
		return floatForm(float64(float32(f)), 32)
	}
	if tok != json.Delim('[') && tok != json.Delim('{') {
		return tok
	}
	object, pairs := tok == json.Delim('{'), inDefault
	var out []any
	for d.More() {
		in, item := inDefault, []any(nil)
		if object {
			key, err := d.Token()
			if err != nil {
				t.Fatal(err)
			}
			in = in || key == "default" || key == propDefault
			item = append(item, key)
		}
		v := sortedNode(t, d, in)
		if object {
			v = append(item, v)
		}
		pair, ok := v.([]any)
		pairs = pairs && ok && len(pair) == 2
		out = append(out, v)
	}
	if _, err := d.Token(); err != nil {
		t.Fatal(err)
	}
	if pairs {
		sort.Slice(out, func(i, j int) bool { return jsonText(t, out[i]) < jsonText(t, out[j]) })
	}
	return out
}

// sameButForOrder reports whether bytes differ in nothing but the order of a map's
// entries.
func sameButForOrder(t testing.TB, ours, theirs *answer) bool {
	if len(ours.Bytes) != len(theirs.Bytes) || !strings.Contains(ours.Avro, `"map"`) && !strings.Contains(ours.Avro, mapEntryName) {
		return false
	}
	a, b := &answer{opts: ours.opts}, &answer{opts: ours.opts}
	a.read(ours.Avro, ours.Bytes, nil)
	b.read(ours.Avro, theirs.Bytes, nil)
	return a.Error == "" && b.Error == "" && canonicalForm(t, a.Value) == canonicalForm(t, b.Value)
}
