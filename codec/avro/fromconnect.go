package avro

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/troupeio/troupe/codec/data"
)

// fromConnect maps Connect schemas to Avro schemas, as AvroData.fromConnectSchema.
type fromConnect struct {
	*options
	unnamed int                // structs, enums and fixeds without a name so far
	cycles  map[string]*schema // records by the Connect name
	made    map[uint64][]made  // of required schemas, by hash
	seen    map[string]bool    // names of field schemas
	depth   int
}

type made struct {
	from *data.Schema
	to   *schema
}

// avroSchema returns the Avro schema of a Connect schema; nil is schemaless.
func (o *options) avroSchema(s *data.Schema) (*schema, error) {
	f := &fromConnect{options: o, cycles: make(map[string]*schema), made: make(map[uint64][]made), seen: make(map[string]bool)}
	return f.schema(s, false)
}

func (f *fromConnect) schema(s *data.Schema, ignoreOptional bool) (*schema, error) {
	if s == nil {
		return anything, nil
	}
	if f.depth++; f.depth > maxDepth {
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
	if out.typ != tUnion {
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
func nullable(s *data.Schema, out *schema) *schema {
	switch {
	case !s.Optional():
		return out
	case !s.Default().IsNull():
		return &schema{typ: tUnion, branches: []*schema{out, {typ: tNull}}}
	}
	return &schema{typ: tUnion, branches: []*schema{{typ: tNull}, out}}
}

// withCycle is schema for what stands inside: a struct that is around it, or was
// met before, is named.
func (f *fromConnect) withCycle(s *data.Schema, ignoreOptional bool) (*schema, error) {
	if s != nil && s.Name() != "" {
		if out, ok := f.cycles[s.Name()]; ok {
			if ignoreOptional {
				return out, nil
			}
			return nullable(s, out), nil
		}
	}
	return f.schema(s, ignoreOptional)
}

var avroTypes = [...]avroType{data.Int8: tInt, data.Int16: tInt, data.Int32: tInt, data.Int64: tLong, data.Float32: tFloat,
	data.Float64: tDouble, data.Boolean: tBoolean, data.String: tString, data.Bytes: tBytes}

// base returns the schema without Connect's properties.
func (f *fromConnect) base(s *data.Schema) (*schema, error) {
	var err error
	switch s.Type() {
	case data.String:
		if (f.sumTypes || f.enhanced) && isEnum(s) {
			return f.enum(s)
		}
	case data.Bytes:
		return f.bytes(s)
	case data.Array:
		out := &schema{typ: tArray}
		out.elem, err = f.withCycle(s.ValueSchema(), false)
		return out, err
	case data.Map:
		if f.plainKeys(s) {
			out := &schema{typ: tMap}
			out.elem, err = f.withCycle(s.ValueSchema(), false)
			return out, err
		}
		return f.entries(s)
	case data.Struct:
		switch {
		case isUnion(s):
			return f.union(s)
		case s.Optional():
			rec, err := f.withCycle(s.With(false, s.Default()), false)
			return &schema{typ: tUnion, branches: []*schema{{typ: tNull}, rec}}, err
		}
		return f.record(s)
	}
	return &schema{typ: avroTypes[s.Type()]}, nil
}

// named returns a schema of a named type, called by the name of s or numbered.
func (f *fromConnect) named(t avroType, s *data.Schema) (*schema, error) {
	out := &schema{typ: t}
	if s.Name() != "" {
		out.space, out.name = f.split(s.Name())
	} else {
		f.unnamed++
		out.space, out.name = namespace, defaultName
		if f.unnamed > 1 {
			out.name += strconv.Itoa(f.unnamed)
		}
	}
	return out, checkName(out.name)
}

func (f *fromConnect) enum(s *data.Schema) (*schema, error) {
	param := enumParam
	if f.sumTypes {
		param = sumEnumParam
	}
	full, ok := s.Param(param)
	if !ok {
		return nil, data.Errorf("The enum schema %s has no parameter %s", s.Name(), param)
	}
	out := &schema{typ: tEnum}
	if i := strings.LastIndexByte(full, '.'); i >= 0 {
		out.space, out.name = full[:i], full[i+1:]
	} else {
		out.name = full
	}
	for _, p := range s.Params() {
		if sym, ok := strings.CutPrefix(p.Key, param+"."); ok {
			if err := checkName(sym); err != nil {
				return nil, err
			}
			out.symbols = append(out.symbols, sym)
		}
	}
	_, name := f.split(s.Name())
	if s.Name() == "" {
		n, err := f.named(tEnum, s)
		if err != nil {
			return nil, err
		}
		name = n.name
	}
	if f.discardDocs {
		out.doc, out.hasDoc = s.Param(plainEnumDoc)
	} else {
		out.doc, out.hasDoc = s.Param(enumDocParam + name)
		out.symbol, _ = s.Param(enumDefaultParam + name)
	}
	return out, checkName(out.name)
}

func (f *fromConnect) bytes(s *data.Schema) (*schema, error) {
	out := &schema{typ: tBytes}
	if isFixed(s) {
		var err error
		if out, err = f.named(tFixed, s); err != nil {
			return nil, err
		}
		text, _ := s.Param(fixedSizeParam)
		if out.size, err = strconv.Atoi(text); err != nil || out.size < 0 {
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
		out.props = object{{propScale, intNode(int64(scale))}, {propPrecision, intNode(precision)}}
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
func (f *fromConnect) entries(s *data.Schema) (*schema, error) {
	rec := &schema{typ: tRecord, space: namespace, name: mapEntryName}
	if s.Name() != "" {
		var err error
		if rec, err = f.named(tRecord, s); err != nil {
			return nil, err
		}
		rec.props = object{{propInternal, mapEntryName}}
	}
	for _, kv := range []struct {
		name string
		s    *data.Schema
	}{{keyField, s.KeySchema()}, {valueField, s.ValueSchema()}} {
		if err := f.addField(rec, kv.name, kv.s, "", false); err != nil {
			return nil, err
		}
	}
	return &schema{typ: tArray, elem: rec}, nil
}

func (f *fromConnect) union(s *data.Schema) (*schema, error) {
	out := &schema{typ: tUnion}
	if s.Optional() {
		out.branches = append(out.branches, &schema{typ: tNull})
	}
	seen := make(map[string]bool)
	for _, fd := range s.Fields() {
		b, err := f.withCycle(fd.Schema.With(false, fd.Schema.Default()), true)
		if err != nil {
			return nil, err
		}
		if b.typ == tUnion {
			return nil, data.Errorf("Nested union: the field %s of %s", fd.Name, s.Name())
		}
		if seen[b.fullName()] {
			return nil, data.Errorf("Duplicate in union:%s", b.fullName())
		}
		seen[b.fullName()] = true
		out.branches = append(out.branches, b)
	}
	return out, nil
}

func (f *fromConnect) record(s *data.Schema) (*schema, error) {
	out, err := f.named(tRecord, s)
	if err != nil {
		return nil, err
	}
	docParam := recordDocParam
	if f.discardDocs {
		docParam = plainRecordDoc
	}
	out.doc, out.hasDoc = s.Param(docParam)
	if s.Name() != "" {
		f.cycles[s.Name()] = out
	}
	for _, fd := range s.Fields() {
		doc, hasDoc := "", false
		if !f.discardDocs {
			doc, hasDoc = s.Param(fieldDocParam + fd.Name)
		}
		name := f.scrubName(fd.Name)
		if err := checkName(name); err != nil {
			return nil, err
		}
		if out.field(name) != nil {
			return nil, data.Errorf("Duplicate field %s in record %s", name, out.fullName())
		}
		if err := f.addField(out, name, fd.Schema, doc, hasDoc); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (f *fromConnect) addField(rec *schema, name string, s *data.Schema, doc string, hasDoc bool) error {
	fd := field{name: name, doc: doc, hasDoc: hasDoc}
	if s == nil {
		s = (*data.Schema)(nil)
	} else if f.discardDocs && s.Doc() != "" {
		fd.doc, fd.hasDoc = s.Doc(), true
	}
	again := false
	if s != nil && s.Name() != "" {
		full := f.scrubFull(s.Name())
		again = f.seen[full]
		f.seen[full] = true
	}
	var err error
	if s != nil && s.Repeats() {
		fd.schema, err = f.withCycle(s, false)
	} else {
		fd.schema, err = f.schema(s, false)
	}
	if err != nil {
		return err
	}
	if s != nil {
		if def := s.Default(); !def.IsNull() {
			if fd.def, err = f.defaultJSON(s, def); err != nil {
				return err
			}
			fd.hasDef = validDefault(fd.schema, fd.def)
		} else if s.Optional() {
			fd.hasDef = validDefault(fd.schema, nil)
		}
		if f.metadata && again && hasNamed(fd.schema) {
			if params := f.params(s); len(params) > 0 {
				fd.props = object{{propParameters, params}}
			}
		}
	}
	rec.fields = append(rec.fields, fd)
	return nil
}

func hasNamed(s *schema) bool {
	for _, b := range s.branches {
		if b.typ.named() {
			return true
		}
	}
	return s.typ.named()
}

func (f *fromConnect) params(s *data.Schema) object {
	var out object
	for _, p := range s.Params() {
		if f.discardDocs || p.Key != fieldDefaultParam {
			out = append(out, member{p.Key, p.Value})
		}
	}
	return out
}

// describe adds the properties in which Connect keeps what Avro has no place for.
func (f *fromConnect) describe(s *data.Schema, out *schema) error {
	add := func(key string, v any) {
		if _, has := out.props.get(key); !has {
			out.props = append(out.props, member{key, v})
		}
	}
	if f.metadata {
		if s.Doc() != "" {
			add(propDoc, s.Doc())
		}
		if v, ok := s.Version(); ok {
			add(propVersion, intNode(int64(v)))
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
		add(propLogical, "decimal")
	case data.LogicalTime:
		add(propLogical, "time-millis")
	case data.LogicalTimestamp:
		add(propLogical, "timestamp-millis")
	case data.LogicalDate:
		add(propLogical, "date")
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
var anything = func() *schema {
	rec := &schema{typ: tRecord, space: namespace, name: anythingName}
	entry := &schema{typ: tRecord, space: namespace, name: mapEntryName,
		fields: []field{{name: keyField, schema: rec}, {name: valueField, schema: rec}}}
	for _, t := range []avroType{tBoolean, tBytes, tDouble, tFloat, tInt, tLong, tString} {
		rec.fields = append(rec.fields, anythingField(t.String(), &schema{typ: t}))
	}
	rec.fields = append(rec.fields, anythingField("array", &schema{typ: tArray, elem: rec}),
		anythingField("map", &schema{typ: tArray, elem: entry}))
	return rec
}()

func anythingField(name string, s *schema) field {
	return field{name: name, schema: &schema{typ: tUnion, branches: []*schema{{typ: tNull}, s}}, hasDef: true}
}

// validDefault reports whether a JSON value may stand as the default of a field. Of
// a union it has to be of the first branch: that is what all readers of Avro take.
func validDefault(s *schema, v any) bool {
	switch s.typ {
	case tNull:
		return v == nil
	case tBoolean:
		_, ok := v.(bool)
		return ok
	case tInt, tLong:
		n, ok := v.(json.Number)
		bits := 64
		if s.typ == tInt {
			bits = 32
		}
		_, err := strconv.ParseInt(string(n), 10, bits)
		return ok && err == nil
	case tFloat, tDouble:
		_, ok := v.(json.Number)
		return ok
	case tBytes, tString, tEnum, tFixed:
		_, ok := v.(string)
		return ok
	case tArray:
		list, ok := v.([]any)
		for _, e := range list {
			ok = ok && validDefault(s.elem, e)
		}
		return ok
	case tMap:
		obj, ok := v.(object)
		for _, m := range obj {
			ok = ok && validDefault(s.elem, m.val)
		}
		return ok
	case tUnion:
		return len(s.branches) > 0 && validDefault(s.branches[0], v)
	}
	obj, ok := v.(object)
	for i := range s.fields {
		if !ok {
			break
		}
		fd := &s.fields[i]
		if m, has := obj.get(fd.name); has {
			ok = validDefault(fd.schema, m)
		} else {
			ok = fd.hasDef && validDefault(fd.schema, fd.def)
		}
	}
	return ok
}
