package jsonschema

import (
	ejson "encoding/json"
	"slices"
	"sort"
	"strconv"

	"github.com/troupeio/troupe/codec/data"
)

// Connect returns the Connect schema of a JSON Schema: text, which may refer to
// refs by their names. version is the schema's in its subject, which the result
// has unless connect.version says otherwise; 0 is none. Errors are [data.Error] or
// [data.SchemaError] values.
func (m *Mapping) Connect(text string, refs map[string]string, version int32) (*data.Schema, error) {
	l := &loader{docs: map[string]*document{}, loaded: map[uintptr]*schema{}}
	for name, t := range refs {
		d, err := parseDocument(t)
		if err != nil {
			return nil, err
		}
		l.docs[name] = d
		if d.base != nil {
			l.docs[d.base.String()] = d
		}
	}
	root, err := parseDocument(text)
	if err != nil {
		return nil, err
	}
	l.docs[""] = root
	s, err := l.load(root, root.root, 0)
	if err != nil {
		return nil, err
	}
	r := reader{m: m, l: l, around: map[*schema]around{}, following: map[*schema]int{}}
	return r.connect(s, version, false)
}

// reader turns schemas that were read into those of Connect.
type reader struct {
	m         *Mapping
	l         *loader
	around    map[*schema]around // the structs that are being turned
	following map[*schema]int    // what references lead to, while it is being turned: how many structs are around
	unions    int
	depth     int
	nodes     int
}

// around is a struct whose fields are being turned. A reference to it becomes a
// schema that stands for it.
type around struct {
	schema   *data.SchemaBuilder
	nullable bool // a union, with null among its branches
}

func (r *reader) connect(s *schema, version int32, optional bool) (*data.Schema, error) {
	r.nodes++
	if r.depth++; r.depth > maxSchemaDepth || r.nodes > maxSchemaNodes {
		return nil, data.Errorf("JSON Schema is too large: more than %d parts or %d levels", maxSchemaNodes, maxSchemaDepth)
	}
	defer func() { r.depth-- }()
	if a, ok := r.around[s]; ok {
		return a.schema.Self(optional || a.nullable), nil
	}
	var b *data.SchemaBuilder
	var err error
	switch s.kind {
	case booleanKind:
		b = data.NewSchema(data.Boolean)
	case numberKind:
		b, err = number(s)
	case stringKind:
		b = data.NewSchema(data.String)
		if s.text(connectType) == "bytes" {
			b = data.NewSchema(data.Bytes)
		}
	case constKind, enumKind:
		b = r.enum(s.values)
	case combinedKind:
		return r.combined(s, version, optional)
	case arrayKind:
		b, err = r.array(s)
	case objectKind:
		b, err = r.object(s)
	case refKind:
		return r.reference(s, version, optional)
	default:
		return nil, unsupported(s.kind)
	}
	if err != nil {
		return nil, err
	}
	return r.finish(b, s, "", version, optional)
}

func unsupported(k kind) error {
	return data.Errorf("Unsupported schema type org.everit.json.schema.%s", string(k))
}

func (s *schema) text(name string) string {
	t, _ := s.raw[name].(string)
	return t
}

func (s *schema) integerAt(name string) (int, bool) {
	n, ok := s.raw[name].(ejson.Number)
	if !ok {
		return 0, false
	}
	i, err := strconv.ParseInt(n.String(), 10, 32)
	return int(i), err == nil
}

func number(s *schema) (*data.SchemaBuilder, error) {
	switch t := s.text(connectType); t {
	case "":
		if s.integer {
			return data.NewSchema(data.Int64), nil
		}
		return data.NewSchema(data.Float64), nil
	case "int8":
		return data.NewSchema(data.Int8), nil
	case "int16":
		return data.NewSchema(data.Int16), nil
	case "int32":
		return data.NewSchema(data.Int32), nil
	case "int64":
		return data.NewSchema(data.Int64), nil
	case "float32":
		return data.NewSchema(data.Float32), nil
	case "float64":
		return data.NewSchema(data.Float64), nil
	case "bytes":
		return data.NewSchema(data.Bytes), nil
	default:
		return nil, data.Errorf("Unsupported type %s", t)
	}
}

func (r *reader) enum(values []any) *data.SchemaBuilder {
	name := r.m.enumName()
	b := data.NewSchema(data.String).Param(name, "")
	for i, v := range values {
		symbol, ok := v.(string)
		switch {
		case v == nil:
			symbol = nullMarker
		case !ok:
			symbol = jsonText(v)
		}
		if r.m.GeneralizedSumTypes {
			b.Param(name+"."+symbol, strconv.Itoa(i))
		} else {
			b.Param(name+"."+symbol, symbol)
		}
	}
	return b
}

func (r *reader) combined(s *schema, version int32, optional bool) (*data.Schema, error) {
	if len(s.subs) == 1 && !r.m.KeepSingletonUnions {
		return r.connect(s.subs[0], 0, false)
	}
	if s.criterion == "allOf" {
		return r.allOf(s, version, optional)
	}
	name := oneOfName
	if r.m.GeneralizedSumTypes {
		name = generalUnionPrefix + strconv.Itoa(r.unions)
		r.unions++
	}
	if len(s.subs) == 2 {
		switch {
		case s.subs[0].kind == nullKind && s.subs[1].kind != nullKind:
			return r.connect(s.subs[1], version, true)
		case s.subs[1].kind == nullKind && s.subs[0].kind != nullKind:
			return r.connect(s.subs[0], version, true)
		}
	}
	b := data.NewStructSchema().Name(name)
	if r.m.GeneralizedSumTypes {
		b.Param(generalUnion, name)
	}
	r.around[s] = around{b, slices.ContainsFunc(s.subs, func(sub *schema) bool { return sub.kind == nullKind })}
	defer delete(r.around, s)
	i := 0
	for _, sub := range s.subs {
		if sub.kind == nullKind {
			b.Optional()
			continue
		}
		f, err := r.connect(sub, 0, true)
		if err != nil {
			return nil, err
		}
		field := name + ".field." + strconv.Itoa(i)
		if r.m.GeneralizedSumTypes {
			field = generalFieldPrefix + strconv.Itoa(i)
		}
		b.Field(field, f)
		i++
	}
	return r.finish(b, s, name, version, optional)
}

func (r *reader) array(s *schema) (*data.SchemaBuilder, error) {
	if s.items == nil {
		return nil, data.Errorf("Array schema did not specify the items type")
	}
	if s.text(connectType) == "map" && s.items.kind == objectKind {
		key, value := s.items.props[keyField], s.items.props[valueField]
		if key == nil || value == nil {
			return nil, &data.SchemaError{Msg: "keySchema cannot be null."}
		}
		ks, err := r.connect(key, 0, false)
		if err != nil {
			return nil, err
		}
		vs, err := r.connect(value, 0, false)
		if err != nil {
			return nil, err
		}
		return data.NewMapSchema(ks, vs), nil
	}
	elem, err := r.connect(s.items, 0, false)
	if err != nil {
		return nil, err
	}
	return data.NewArraySchema(elem), nil
}

func (r *reader) object(s *schema) (*data.SchemaBuilder, error) {
	if s.text(connectType) == "map" {
		if s.extra == nil {
			return nil, &data.SchemaError{Msg: "valueSchema cannot be null."}
		}
		vs, err := r.connect(s.extra, 0, false)
		if err != nil {
			return nil, err
		}
		return data.NewMapSchema(data.StringSchema, vs), nil
	}
	b := data.NewStructSchema()
	r.around[s] = around{schema: b}
	defer delete(r.around, s)
	for _, name := range fieldOrder(s.props) {
		if err := r.field(b, name, s.props[name], s.required[name]); err != nil {
			return nil, err
		}
	}
	return b, nil
}

func (r *reader) field(b *data.SchemaBuilder, name string, s *schema, required bool) error {
	if name == "" {
		return &data.SchemaError{Msg: "fieldName cannot be null."}
	}
	f, err := r.connect(s, 0, r.m.OptionalNonRequired && !required)
	if err != nil {
		return err
	}
	b.Field(name, f)
	return nil
}

// fieldOrder returns the names of properties in the order of their
// connect.index; one that has none takes the place that it has in Java's map of
// them.
func fieldOrder(props map[string]*schema) []string {
	names := make([]string, 0, len(props))
	for name := range props {
		names = append(names, name)
	}
	sort.Strings(names)
	names = hashOrder(names, defaultTable(len(names)))
	index := make(map[string]int, len(names))
	for i, name := range names {
		index[name] = i
		if at, ok := props[name].integerAt(connectIndex); ok {
			index[name] = at
		}
	}
	sort.SliceStable(names, func(i, j int) bool { return index[names[i]] < index[names[j]] })
	return names
}

func (r *reader) reference(s *schema, version int32, optional bool) (*data.Schema, error) {
	to, err := r.l.resolve(s)
	if err != nil {
		return nil, err
	}
	was, again := r.following[to]
	if again && was == len(r.around) {
		return nil, data.Errorf("Recursive schemas without an object among them are not supported: %s refers to a schema that it is part of", s.ref)
	}
	if !again {
		r.following[to] = len(r.around)
		defer delete(r.following, to)
	}
	return r.connect(to, version, optional)
}

// finish adds what schemas of all types have.
func (r *reader) finish(b *data.SchemaBuilder, s *schema, name string, version int32, optional bool) (*data.Schema, error) {
	if title := s.text("title"); title != "" && name == "" {
		b.Name(title)
	}
	if v, ok := s.integerAt(connectVersion); ok {
		b.Version(int32(v)) //nolint:gosec // read as an int32
	} else if version != 0 {
		b.Version(version)
	}
	if d := s.text("description"); d != "" {
		b.Doc(d)
	}
	if params, ok := s.raw[connectParameters].(map[string]any); ok {
		keys := make([]string, 0, len(params))
		for k := range params {
			keys = append(keys, k)
		}
		sort.Strings(keys)
		for _, k := range keys {
			if t, ok := params[k].(string); ok {
				b.Param(k, t)
			} else {
				b.Param(k, jsonText(params[k]))
			}
		}
	}
	if def, ok := s.raw["default"]; ok {
		if err := r.defaultValue(b, def); err != nil {
			return nil, err
		}
	}
	if optional {
		b.Optional()
	}
	return b.Build()
}

func (r *reader) defaultValue(b *data.SchemaBuilder, def any) error {
	s, err := b.Build()
	if err != nil {
		return err
	}
	v, _, err := r.m.Plan(s).Read([]byte(jsonText(def)))
	if err != nil {
		return err
	}
	if s.Type() == data.Struct || s.Recursive() && hasStruct(v) { // refers to an unfinished schema in Java, and never fits
		return &data.SchemaError{Msg: "Invalid default value"}
	}
	b.Default(v)
	return nil
}

func hasStruct(v data.Value) bool {
	switch v.Kind() {
	case data.KindStruct:
		return true
	case data.KindArray:
		return slices.ContainsFunc(v.Elems(), hasStruct)
	case data.KindMap:
		for _, e := range v.Map().Entries() {
			if hasStruct(e.Key) || hasStruct(e.Value) {
				return true
			}
		}
	}
	return false
}
