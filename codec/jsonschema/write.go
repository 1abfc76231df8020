package jsonschema

import (
	"strconv"
	"strings"

	"github.com/troupeio/troupe/codec/data"
	"github.com/troupeio/troupe/codec/json"
)

// Text returns the JSON Schema of a Connect schema: the text that Confluent's
// converter registers, member for member. Errors are [data.Error] values.
func (m *Mapping) Text(s *data.Schema) (string, error) {
	w := writer{m: m, ids: map[string]bool{}}
	w.collect(s)
	w.schema(s, noIndex, false)
	if w.err != nil {
		return "", w.err
	}
	w.appendDefinitions()
	return string(w.out), nil
}

const noIndex = -1

// writer writes one schema.
type writer struct {
	m      *Mapping
	out    []byte
	ids    map[string]bool // ids of the schemas that were begun
	defs   []*definition
	selves []*data.Schema // what stands for others
	depth  int
	err    error
}

// object is one object that is being written.
type object struct {
	w     *writer
	first bool
}

func (w *writer) begin() *object {
	w.out = append(w.out, '{')
	return &object{w: w, first: true}
}

func (o *object) key(name string) {
	if !o.first {
		o.w.out = append(o.w.out, ',')
	}
	o.first = false
	o.w.str(name)
	o.w.out = append(o.w.out, ':')
}

func (o *object) text(name, value string) {
	o.key(name)
	o.w.str(value)
}

func (o *object) end() { o.w.out = append(o.w.out, '}') }

func (w *writer) str(s string) { w.out = json.AppendString(w.out, s) }

// schema writes s. index is its place among the fields of a struct or union;
// ignoreOptional says that s is a branch of a union, where null is one of its own.
func (w *writer) schema(s *data.Schema, index int, ignoreOptional bool) {
	if w.depth++; w.depth > maxSchemaDepth {
		w.err = data.Errorf("Schema is nested more than %d levels deep", maxSchemaDepth)
		return
	}
	defer func() { w.depth-- }()
	id, hasID := s.Param(idParam)
	if hasID {
		w.ids[id] = true
	}
	if s.Type() == data.Struct && s.Recursive() && w.recursive(s, index, ignoreOptional) {
		return
	}
	switch {
	case s.Type() == data.Struct && isUnion(s):
		w.union(s, id, index)
	case s.Optional() && !ignoreOptional:
		o := w.combined(id, index)
		w.out = append(w.out, `{"type":"null"},`...)
		if s.Type() == data.Struct {
			w.plain(s, id, noIndex)
		} else {
			w.plain(s, "", noIndex)
		}
		w.out = append(w.out, ']')
		o.end()
	default:
		w.plain(s, id, index)
	}
}

func (w *writer) union(s *data.Schema, id string, index int) {
	o := w.combined(id, index)
	first := true
	if s.Optional() {
		w.out = append(w.out, `{"type":"null"}`...)
		first = false
	}
	for _, f := range s.Fields() {
		if !first {
			w.out = append(w.out, ',')
		}
		first = false
		w.schema(f.Schema.With(false, f.Schema.Default()), f.Index, true)
	}
	w.out = append(w.out, ']')
	o.end()
}

// combined writes a oneOf up to its branches.
func (w *writer) combined(id string, index int) *object {
	o := w.begin()
	if id != "" {
		o.text("id", id)
	}
	if index != noIndex {
		o.key(connectIndex)
		w.out = strconv.AppendInt(w.out, int64(index), 10)
	}
	o.key("oneOf")
	w.out = append(w.out, '[')
	return o
}

// plain writes s as if it were required.
func (w *writer) plain(s *data.Schema, id string, index int) {
	o := w.begin()
	ct := ""
	switch s.Type() {
	case data.Int8, data.Int16, data.Int32, data.Int64:
		ct = strings.ToLower(s.Type().String())
		o.text("type", "integer")
	case data.Float32, data.Float64:
		ct = strings.ToLower(s.Type().String())
		o.text("type", "number")
	case data.String:
		w.stringType(o, s)
	case data.Bytes:
		ct = "bytes"
		if s.Logical() == data.LogicalDecimal && w.m.NumericDecimal {
			o.text("type", "number")
		} else {
			o.text("type", "string")
		}
	case data.Array:
		o.text("type", "array")
	case data.Map:
		ct = "map"
		if !objectMap(s) {
			o.text("type", "array")
		} else {
			o.text("type", "object")
		}
	case data.Struct:
		o.text("type", "object")
		if w.m.NoAdditional {
			o.key("additionalProperties")
			w.out = append(w.out, "false"...)
		}
	}
	w.common(o, s, ct, id, index)
	switch s.Type() {
	case data.Boolean:
		o.text("type", "boolean")
	case data.Array:
		o.key("items")
		w.ref(s.ValueSchema(), noIndex)
	case data.Map:
		if objectMap(s) {
			o.key("additionalProperties")
			w.schema(s.ValueSchema(), noIndex, false)
			break
		}
		o.key("items")
		e := w.begin()
		e.text("type", "object")
		e.key("properties")
		w.properties([]data.Field{{Name: keyField, Index: 0, Schema: s.KeySchema()}, {Name: valueField, Index: 1, Schema: s.ValueSchema()}})
		e.end()
	case data.Struct:
		if len(s.Fields()) > 0 {
			o.key("properties")
			w.properties(s.Fields())
		}
	}
	o.end()
}

func objectMap(s *data.Schema) bool {
	return s.KeySchema().Type() == data.String && !s.KeySchema().Optional()
}

func (w *writer) stringType(o *object, s *data.Schema) {
	_, general := s.Param(generalEnum)
	_, own := s.Param(enumParam)
	if !general && !own {
		o.text("type", "string")
		return
	}
	var symbols []string
	for _, p := range s.Params() {
		if symbol, ok := strings.CutPrefix(p.Key, w.m.enumName()+"."); ok {
			if symbol == nullMarker {
				symbol = "" // null, whose hash is that of the empty string
			}
			symbols = append(symbols, symbol)
		}
	}
	o.key("enum")
	w.out = append(w.out, '[')
	for i, symbol := range hashOrder(symbols, defaultTable(len(symbols))) {
		if i > 0 {
			w.out = append(w.out, ',')
		}
		if symbol == "" {
			w.out = append(w.out, "null"...)
		} else {
			w.str(symbol)
		}
	}
	w.out = append(w.out, ']')
}

// common writes what schemas of all types have.
func (w *writer) common(o *object, s *data.Schema, ct, id string, index int) {
	if s.Name() != "" {
		o.text("title", s.Name())
	}
	if s.Doc() != "" {
		o.text("description", s.Doc())
	}
	if def := s.Default(); !def.IsNull() {
		o.key("default")
		w.defaultValue(s, def)
	}
	if id != "" {
		o.text("id", id)
	}
	var params []string
	for _, p := range s.Params() {
		if !strings.HasPrefix(p.Key, namespace) {
			params = append(params, p.Key)
		}
	}
	var names []string
	if ct != "" {
		names = append(names, connectType)
	}
	version, hasVersion := s.Version()
	if hasVersion {
		names = append(names, connectVersion)
	}
	if len(params) > 0 {
		names = append(names, connectParameters)
	}
	if index != noIndex {
		names = append(names, connectIndex)
	}
	for _, name := range hashOrder(hashOrder(names, defaultTable(len(names))), copiedTable(len(names))) {
		o.key(name)
		switch name {
		case connectType:
			w.str(ct)
		case connectVersion:
			w.out = strconv.AppendInt(w.out, int64(version), 10)
		case connectIndex:
			w.out = strconv.AppendInt(w.out, int64(index), 10)
		case connectParameters:
			p := w.begin()
			inMap := hashOrder(params, defaultTable(len(params)))
			for _, key := range hashOrder(inMap, sizedTable(len(params))) {
				v, _ := s.Param(key)
				p.text(key, v)
			}
			p.end()
		}
	}
}

// defaultValue writes a default. Numbers lose the zeros behind their point, as
// org.json writes them.
func (w *writer) defaultValue(s *data.Schema, def data.Value) {
	at := len(w.out)
	out, err := w.m.Plan(s.With(s.Optional(), data.Null)).Append(w.out, def)
	if err != nil {
		if w.err == nil {
			w.err = err
		}
		return
	}
	w.out = out
	if text := string(out[at:]); s.Type() == data.Float32 || s.Type() == data.Float64 {
		if strings.Contains(text, ".") && !strings.ContainsAny(text, "eE") {
			text = strings.TrimSuffix(strings.TrimRight(text, "0"), ".")
		}
		w.out = append(out[:at], text...)
	}
}

func (w *writer) properties(fields []data.Field) {
	byName := make(map[string]data.Field, len(fields))
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i], byName[f.Name] = f.Name, f
	}
	o := w.begin()
	for _, name := range hashOrder(names, defaultTable(len(names))) {
		o.key(name)
		w.ref(byName[name].Schema, byName[name].Index)
	}
	o.end()
}

// ref writes s, or a reference to it when it has an id that was written before.
func (w *writer) ref(s *data.Schema, index int) {
	if s == nil {
		w.err = data.Errorf("Array schema did not specify the items type")
		return
	}
	if id, ok := s.Param(idParam); ok && w.ids[id] {
		o := w.begin()
		o.text("$ref", id)
		o.end()
		return
	}
	w.schema(s, index, false)
}
