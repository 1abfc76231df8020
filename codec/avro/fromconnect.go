package avro

import (
	"strconv"
	"strings"

	"github.com/troupeio/troupe/codec/avro/schema"
	"github.com/troupeio/troupe/codec/data"
)

// fromConnect maps Connect schemas to Avro schemas, as AvroData.fromConnectSchema.
type fromConnect struct {
	*options
	unnamed int               // structs, enums and fixeds without a name so far
	records map[string]made   // by the Connect name, those around included
	made    map[uint64][]made // of required schemas, by hash
	seen    map[string]bool   // names of field schemas
	depth   int
}

type made struct {
	from *data.Schema
	to   *schema.Schema
}

// avroSchema returns the Avro schema of a Connect schema; nil is schemaless.
func (o *options) avroSchema(s *data.Schema) (*schema.Schema, error) {
	f := &fromConnect{options: o, records: make(map[string]made), made: make(map[uint64][]made), seen: make(map[string]bool)}
	return f.schema(s, false)
}

func (f *fromConnect) schema(s *data.Schema, ignoreOptional bool) (*schema.Schema, error) {
	if s == nil {
		return anything, nil
	}
	if f.depth++; f.depth > schema.MaxDepth {
		return nil, data.Errorf("The schema %s nests too deeply for Avro", s.Name())
	}
	defer func() { f.depth-- }()
	keep := !s.Optional()
	if keep && !isUnion(s) {
		for _, m := range f.made[s.Hash()] {
			if m.from.Equal(s) {
				return m.to, nil
			}
		}
	}
	out, err := f.base(s)
	if err != nil {
		return nil, err
	}
	if out.Type != schema.Union {
		if err := f.describe(s, out); err != nil {
			return nil, err
		}
		if !ignoreOptional {
			out = nullable(s, out)
		}
	}
	if keep {
		f.made[s.Hash()] = append(f.made[s.Hash()], made{s, out})
	}
	return out, nil
}

// nullable puts null beside out when s is optional. The default has to be of the
// first branch.
func nullable(s *data.Schema, out *schema.Schema) *schema.Schema {
	switch {
	case !s.Optional():
		return out
	case !s.Default().IsNull():
		return &schema.Schema{Type: schema.Union, Branches: []*schema.Schema{out, {Type: schema.Null}}}
	}
	return &schema.Schema{Type: schema.Union, Branches: []*schema.Schema{{Type: schema.Null}, out}}
}

// withCycle is schema for what stands inside: a struct that is around it, or was
// met before, is named.
func (f *fromConnect) withCycle(s *data.Schema, ignoreOptional bool) (*schema.Schema, error) {
	if s != nil && s.Type() == data.Struct && s.Name() != "" {
		if r, ok := f.records[s.Name()]; ok && (s.Repeats() || r.from.Equal(s.With(r.from.Optional(), r.from.Default()))) {
			if ignoreOptional {
				return r.to, nil
			}
			return nullable(s, r.to), nil
		}
	}
	return f.schema(s, ignoreOptional)
}

var avroTypes = [...]schema.Type{data.Int8: schema.Int, data.Int16: schema.Int, data.Int32: schema.Int, data.Int64: schema.Long, data.Float32: schema.Float,
	data.Float64: schema.Double, data.Boolean: schema.Boolean, data.String: schema.String, data.Bytes: schema.Bytes}

// base returns the schema without Connect's properties.
func (f *fromConnect) base(s *data.Schema) (*schema.Schema, error) {
	var err error
	switch s.Type() {
	case data.String:
		if (f.sumTypes || f.enhanced) && isEnum(s) {
			return f.enum(s)
		}
	case data.Bytes:
		return f.bytes(s)
	case data.Array:
		out := &schema.Schema{Type: schema.Array}
		out.Elem, err = f.withCycle(s.ValueSchema(), false)
		return out, err
	case data.Map:
		if f.plainKeys(s) {
			out := &schema.Schema{Type: schema.Map}
			out.Elem, err = f.withCycle(s.ValueSchema(), false)
			return out, err
		}
		return f.entries(s)
	case data.Struct:
		switch {
		case isUnion(s):
			return f.union(s)
		case s.Optional():
			rec, err := f.withCycle(s.With(false, s.Default()), false)
			return &schema.Schema{Type: schema.Union, Branches: []*schema.Schema{{Type: schema.Null}, rec}}, err
		}
		return f.record(s)
	}
	return &schema.Schema{Type: avroTypes[s.Type()]}, nil
}

// named returns a schema of a named type, called by the name of s or numbered.
func (f *fromConnect) named(t schema.Type, s *data.Schema) (*schema.Schema, error) {
	out := &schema.Schema{Type: t}
	if s.Name() != "" {
		out.Namespace, out.Name = f.split(s.Name())
	} else {
		f.unnamed++
		out.Namespace, out.Name = namespace, defaultName
		if f.unnamed > 1 {
			out.Name += strconv.Itoa(f.unnamed)
		}
	}
	return out, schema.CheckName(out.Name)
}

func (f *fromConnect) enum(s *data.Schema) (*schema.Schema, error) {
	param := enumParam
	if f.sumTypes {
		param = sumEnumParam
	}
	full, ok := s.Param(param)
	if !ok {
		return nil, data.Errorf("The enum schema %s has no parameter %s", s.Name(), param)
	}
	out := &schema.Schema{Type: schema.Enum}
	if i := strings.LastIndexByte(full, '.'); i >= 0 {
		out.Namespace, out.Name = full[:i], full[i+1:]
	} else {
		out.Name = full
	}
	for _, p := range s.Params() {
		if sym, ok := strings.CutPrefix(p.Key, param+"."); ok {
			if err := schema.CheckName(sym); err != nil {
				return nil, err
			}
			out.Symbols = append(out.Symbols, sym)
		}
	}
	_, name := f.split(s.Name())
	if s.Name() == "" {
		n, err := f.named(schema.Enum, s)
		if err != nil {
			return nil, err
		}
		name = n.Name
	}
	if f.discardDocs {
		out.Doc, out.HasDoc = s.Param(plainEnumDoc)
	} else {
		out.Doc, out.HasDoc = s.Param(enumDocParam + name)
		out.Symbol, _ = s.Param(enumDefaultParam + name)
	}
	return out, schema.CheckName(out.Name)
}

func (f *fromConnect) bytes(s *data.Schema) (*schema.Schema, error) {
	out := &schema.Schema{Type: schema.Bytes}
	if isFixed(s) {
		var err error
		if out, err = f.named(schema.Fixed, s); err != nil {
			return nil, err
		}
		text, _ := s.Param(fixedSizeParam)
		if out.Size, err = strconv.Atoi(text); err != nil || out.Size < 0 {
			return nil, data.Errorf("Invalid %s: %s", fixedSizeParam, text)
		}
	}
	if s.Logical() == data.LogicalDecimal {
		scale, ok := s.Scale()
		if !ok {
			return nil, data.Errorf("Invalid Decimal schema: scale parameter not found.")
		}
		precision, err := precisionOf(s)
		if err != nil {
			return nil, err
		}
		out.Props = schema.Object{{Key: propScale, Value: schema.IntNode(int64(scale))}, {Key: propPrecision, Value: schema.IntNode(precision)}}
	}
	return out, nil
}

func precisionOf(s *data.Schema) (int64, error) {
	text, ok := s.Param(precisionParam)
	if !ok {
		return defaultPrecision, nil
	}
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil {
		return 0, data.Errorf("Invalid %s: %s", precisionParam, text)
	}
	return n, nil
}

// entries is the schema of a map whose keys Avro cannot have: an array of pairs.
func (f *fromConnect) entries(s *data.Schema) (*schema.Schema, error) {
	rec := &schema.Schema{Type: schema.Record, Namespace: namespace, Name: mapEntryName}
	if s.Name() != "" {
		var err error
		if rec, err = f.named(schema.Record, s); err != nil {
			return nil, err
		}
		rec.Props = schema.Object{{Key: propInternal, Value: mapEntryName}}
	}
	for _, kv := range []struct {
		name string
		s    *data.Schema
	}{{keyField, s.KeySchema()}, {valueField, s.ValueSchema()}} {
		if err := f.addField(rec, kv.name, kv.s, "", false); err != nil {
			return nil, err
		}
	}
	return &schema.Schema{Type: schema.Array, Elem: rec}, nil
}

func (f *fromConnect) union(s *data.Schema) (*schema.Schema, error) {
	out := &schema.Schema{Type: schema.Union}
	if s.Optional() {
		out.Branches = append(out.Branches, &schema.Schema{Type: schema.Null})
	}
	seen := make(map[string]bool)
	for _, fd := range s.Fields() {
		b, err := f.withCycle(fd.Schema.With(false, fd.Schema.Default()), true)
		if err != nil {
			return nil, err
		}
		if b.Type == schema.Union {
			return nil, data.Errorf("Nested union: the field %s of %s", fd.Name, s.Name())
		}
		if seen[b.FullName()] {
			return nil, data.Errorf("Duplicate in union:%s", b.FullName())
		}
		seen[b.FullName()] = true
		out.Branches = append(out.Branches, b)
	}
	return out, nil
}

func (f *fromConnect) record(s *data.Schema) (*schema.Schema, error) {
	out, err := f.named(schema.Record, s)
	if err != nil {
		return nil, err
	}
	docParam := recordDocParam
	if f.discardDocs {
		docParam = plainRecordDoc
	}
	out.Doc, out.HasDoc = s.Param(docParam)
	if s.Name() != "" {
		f.records[s.Name()] = made{s, out}
	}
	for _, fd := range s.Fields() {
		doc, hasDoc := "", false
		if !f.discardDocs {
			doc, hasDoc = s.Param(fieldDocParam + fd.Name)
		}
		name := f.scrubName(fd.Name)
		if err := schema.CheckName(name); err != nil {
			return nil, err
		}
		if out.Field(name) != nil {
			return nil, data.Errorf("Duplicate field %s in record %s", name, out.FullName())
		}
		if err := f.addField(out, name, fd.Schema, doc, hasDoc); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (f *fromConnect) addField(rec *schema.Schema, name string, s *data.Schema, doc string, hasDoc bool) error {
	fd := schema.Field{Name: name, Doc: doc, HasDoc: hasDoc}
	if s == nil {
		s = (*data.Schema)(nil)
	} else if f.discardDocs && s.Doc() != "" {
		fd.Doc, fd.HasDoc = s.Doc(), true
	}
	again := false
	if s != nil && s.Name() != "" {
		full := f.scrubFull(s.Name())
		again = f.seen[full]
		f.seen[full] = true
	}
	var err error
	if s != nil && s.Repeats() {
		fd.Schema, err = f.withCycle(s, false)
	} else {
		fd.Schema, err = f.schema(s, false)
	}
	if err != nil {
		return err
	}
	if s != nil {
		if def := s.Default(); !def.IsNull() {
			if fd.Default, err = f.defaultJSON(s, def); err != nil {
				return err
			}
			fd.HasDefault = schema.ValidDefault(fd.Schema, fd.Default)
		} else if s.Optional() {
			fd.HasDefault = schema.ValidDefault(fd.Schema, nil)
		}
		if f.metadata && again && hasNamed(fd.Schema) {
			if params := f.params(s); len(params) > 0 {
				fd.Props = schema.Object{{Key: propParameters, Value: params}}
			}
		}
	}
	rec.Fields = append(rec.Fields, fd)
	return nil
}

func hasNamed(s *schema.Schema) bool {
	for _, b := range s.Branches {
		if b.Type.Named() {
			return true
		}
	}
	return s.Type.Named()
}

func (f *fromConnect) params(s *data.Schema) schema.Object {
	var out schema.Object
	for _, p := range s.Params() {
		if f.discardDocs || p.Key != fieldDefaultParam {
			out = append(out, schema.Member{Key: p.Key, Value: p.Value})
		}
	}
	return out
}

// describe adds the properties in which Connect keeps what Avro has no place for.
func (f *fromConnect) describe(s *data.Schema, out *schema.Schema) error {
	add := func(key string, v any) {
		if _, has := out.Props.Get(key); !has {
			out.Props = append(out.Props, schema.Member{Key: key, Value: v})
		}
	}
	if f.metadata {
		if s.Doc() != "" {
			add(propDoc, s.Doc())
		}
		if v, ok := s.Version(); ok {
			add(propVersion, schema.IntNode(int64(v)))
		}
		if params := f.params(s); len(params) > 0 {
			add(propParameters, params)
		}
		_, fromField := s.Param(fieldDefaultParam)
		if def := s.Default(); !def.IsNull() && (f.discardDocs || !fromField) {
			j, err := f.defaultJSON(s, def)
			if err != nil {
				return err
			}
			add(propDefault, j)
		}
		if s.Name() != "" {
			add(propName, s.Name())
		}
		switch s.Type() {
		case data.Int8:
			add(propType, "int8")
		case data.Int16:
			add(propType, "int16")
		}
	}
	switch s.Logical() {
	case data.LogicalDecimal:
		add(schema.LogicalType, "decimal")
	case data.LogicalTime:
		add(schema.LogicalType, "time-millis")
	case data.LogicalTimestamp:
		add(schema.LogicalType, "timestamp-millis")
	case data.LogicalDate:
		add(schema.LogicalType, "date")
	}
	for _, p := range s.Params() {
		if strings.HasPrefix(p.Key, "avro") {
			add(p.Key, p.Value)
		}
	}
	return nil
}

// anything is the schema of values without a schema: a record of which one field is
// set, or none for null.
var anything = func() *schema.Schema {
	rec := &schema.Schema{Type: schema.Record, Namespace: namespace, Name: anythingName}
	entry := &schema.Schema{Type: schema.Record, Namespace: namespace, Name: mapEntryName,
		Fields: []schema.Field{{Name: keyField, Schema: rec}, {Name: valueField, Schema: rec}}}
	for _, t := range []schema.Type{schema.Boolean, schema.Bytes, schema.Double, schema.Float, schema.Int, schema.Long, schema.String} {
		rec.Fields = append(rec.Fields, anythingField(t.String(), &schema.Schema{Type: t}))
	}
	rec.Fields = append(rec.Fields, anythingField("array", &schema.Schema{Type: schema.Array, Elem: rec}),
		anythingField("map", &schema.Schema{Type: schema.Array, Elem: entry}))
	return rec
}()

func anythingField(name string, s *schema.Schema) schema.Field {
	return schema.Field{Name: name, Schema: &schema.Schema{Type: schema.Union, Branches: []*schema.Schema{{Type: schema.Null}, s}}, HasDefault: true}
}
