package avro

import (
	"encoding/binary"
	"encoding/json"
	"math"
	"strconv"

	"github.com/troupeio/troupe/codec/avro/schema"
	"github.com/troupeio/troupe/codec/data"
)

// planner compiles encoders. The Avro schema is the writer's: usually what the
// Connect schema was mapped to, else one that stood in the registry before. Records
// are matched by the names of their fields; a field that Connect has not is written
// with its default.
type planner struct {
	*options
	done map[pair]*encoder
}

type pair struct {
	s *data.Schema
	a *schema.Schema
}

// encoderFor returns the plan from s (nil: schemaless) to a.
func (o *options) encoderFor(s *data.Schema, a *schema.Schema) (*encoder, error) {
	if s == nil {
		if a == anything || schema.Same(a, anything) {
			return anyEncoder, nil
		}
		return nil, data.Errorf("Data without a schema cannot be written with the Avro schema %s", a.FullName())
	}
	p := &planner{options: o, done: make(map[pair]*encoder)}
	return p.compile(s, a)
}

func (p *planner) compile(s *data.Schema, a *schema.Schema) (*encoder, error) {
	if s == nil {
		if a == anything || schema.Same(a, anything) {
			return anyEncoder, nil
		}
		return nil, data.Errorf("Data without a schema cannot be written with the Avro schema %s", a.FullName())
	}
	if e, ok := p.done[pair{s, a}]; ok {
		return e, nil
	}
	e := &encoder{schema: s, optional: s.Optional(), kind: kindOf(s)}
	p.done[pair{s, a}] = e
	if isUnion(s) {
		return e, p.union(e, s, a)
	}
	if a.Type == schema.Union {
		best, at := 0, -1
		for i, b := range a.Branches {
			if b.Type == schema.Null {
				e.null = branchIndex(i)
			} else if n := fits(s, b, p.options); n > best {
				best, at = n, i
			}
		}
		if at < 0 {
			return nil, mismatched(s, a)
		}
		e.branch = branchIndex(at)
		a = a.Branches[at]
	}
	return e, p.plain(e, s, a)
}

func branchIndex(i int) []byte { return binary.AppendVarint(nil, int64(i)) }

func mismatched(s *data.Schema, a *schema.Schema) error {
	text, _ := a.Print()
	if len(text) > 200 {
		text = text[:200] + "..."
	}
	return data.Errorf("Data of %s cannot be written with the Avro schema %s", s, text)
}

// kindOf is the kind that values of a schema have.
func kindOf(s *data.Schema) data.Kind {
	switch s.Logical() {
	case data.LogicalDecimal:
		return data.KindDecimal
	case data.LogicalDate, data.LogicalTime, data.LogicalTimestamp:
		return data.KindDate
	}
	return data.Kind(s.Type()) // the two enumerations run in step
}

// fits says how well values of s fit a branch; 0: not at all.
func fits(s *data.Schema, a *schema.Schema, o *options) int {
	switch s.Type() {
	case data.Int8, data.Int16, data.Int32:
		return [...]int{schema.Int: 9, schema.Long: 3, schema.Double: 2, schema.Float: 1, schema.Fixed: 0}[a.Type]
	case data.Int64:
		return [...]int{schema.Long: 9, schema.Double: 2, schema.Float: 1, schema.Fixed: 0}[a.Type]
	case data.Float32:
		return [...]int{schema.Float: 9, schema.Double: 2, schema.Fixed: 0}[a.Type]
	case data.Float64:
		return [...]int{schema.Double: 9, schema.Fixed: 0}[a.Type]
	case data.Boolean:
		return [...]int{schema.Boolean: 9, schema.Fixed: 0}[a.Type]
	case data.String:
		if a.Type == schema.Enum {
			return 2 + named(s, a, o)
		}
		return [...]int{schema.String: 4, schema.Fixed: 0}[a.Type]
	case data.Bytes:
		if a.Type == schema.Fixed {
			if size, ok := s.Param(fixedSizeParam); ok && size != strconv.Itoa(a.Size) {
				return 0
			}
			return 2 + named(s, a, o)
		}
		return [...]int{schema.Bytes: 4, schema.Fixed: 0}[a.Type]
	case data.Array:
		return [...]int{schema.Array: 9, schema.Fixed: 0}[a.Type]
	case data.Map:
		if a.Type == schema.Array && (a.Elem.Type != schema.Record || a.Elem.Field(keyField) == nil || a.Elem.Field(valueField) == nil) {
			return 0
		}
		return [...]int{schema.Map: 9, schema.Array: 5, schema.Fixed: 0}[a.Type]
	}
	if a.Type == schema.Record {
		return 1 + named(s, a, o)
	}
	return 0
}

// sameUnit reports whether a number of a logical type means the same in Avro: days,
// milliseconds, a decimal's scale. Another writer's schema may have microseconds.
func sameUnit(s *data.Schema, a *schema.Schema) bool {
	logical := a.TextProp(schema.LogicalType)
	switch s.Logical() {
	case data.LogicalDecimal:
		scale, _ := s.Scale()
		return !a.IsLogical("decimal") || scale == scaleOf(a)
	case data.LogicalDate:
		return a.Type == schema.Int && (logical == "" || a.IsLogical("date"))
	case data.LogicalTime:
		return a.Type == schema.Int && (logical == "" || a.IsLogical("time-millis"))
	case data.LogicalTimestamp:
		return a.Type == schema.Long && (logical == "" || a.IsLogical("timestamp-millis"))
	}
	return true
}

// named says whether a schema and a named type are called the same: 4 in full, 3
// without the namespace.
func named(s *data.Schema, a *schema.Schema, o *options) int {
	full := s.Name()
	if isEnum(s) {
		if n, ok := s.Param(enumParam); ok {
			full = n
		}
		if n, ok := s.Param(sumEnumParam); ok {
			full = n
		}
	}
	if full == "" {
		if a.Namespace == namespace {
			return 3
		}
		return 0
	}
	space, name := o.split(full)
	switch {
	case full == a.FullName() || space == a.Namespace && name == a.Name:
		return 4
	case name == a.Name:
		return 3
	}
	return 0
}

func (p *planner) union(e *encoder, s *data.Schema, a *schema.Schema) error {
	e.op = encUnion
	e.fields = make([]encField, len(s.Fields()))
	branches := a.Branches
	if a.Type != schema.Union { // a writer with one branch less than a union
		branches = []*schema.Schema{a}
	}
	taken := make([]bool, len(branches))
	for i, b := range branches {
		if b.Type == schema.Null {
			e.null, taken[i] = branchIndex(i), true
			if a.Type != schema.Union {
				e.null = []byte{}
			}
		}
	}
	for i, f := range s.Fields() {
		best, at := 0, -1
		for j, b := range branches {
			n := fits(f.Schema, b, p.options)
			if n > 0 && p.branchName(b, j) == f.Name {
				n += 10
			}
			if !taken[j] && n > best {
				best, at = n, j
			}
		}
		if at < 0 {
			continue // an error of the records that use it
		}
		taken[at] = true
		inner, err := p.compile(f.Schema, branches[at])
		if err != nil {
			return err
		}
		e.fields[i] = encField{at: i, enc: inner}
		if a.Type == schema.Union {
			e.fields[i].constant = branchIndex(at)
		}
		if !p.ignoreDefaults {
			e.fields[i].def = f.Schema.Default()
		}
	}
	return nil
}

func (p *planner) plain(e *encoder, s *data.Schema, a *schema.Schema) error {
	if fits(s, a, p.options) == 0 || !sameUnit(s, a) {
		return mismatched(s, a)
	}
	var err error
	switch s.Type() {
	case data.Int8, data.Int16, data.Int32, data.Int64:
		switch {
		case e.kind == data.KindDate:
			e.op = encDate
		case a.Type == schema.Float:
			e.op = encIntAs
		case a.Type == schema.Double:
			e.op = encDouble
		default:
			e.op = encInt
		}
	case data.Float32, data.Float64:
		e.op = encFloat
		if a.Type == schema.Double {
			e.op = encDouble
		}
	case data.Boolean:
		e.op = encBoolean
	case data.String:
		e.op = encText
		if a.Type == schema.Enum {
			e.op = encEnum
			e.symbols = make(map[string]int, len(a.Symbols))
			for i, sym := range a.Symbols {
				e.symbols[sym] = i
			}
		}
	case data.Bytes:
		e.op, e.size = encText, a.Size
		switch {
		case e.kind == data.KindDecimal && a.Type == schema.Fixed:
			e.op = encFixedDecimal
		case e.kind == data.KindDecimal:
			e.op = encDecimal
		case a.Type == schema.Fixed:
			e.op = encFixed
		}
	case data.Array:
		e.op = encArray
		e.elem, err = p.compile(s.ValueSchema(), a.Elem)
	case data.Map:
		return p.mapOf(e, s, a)
	case data.Struct:
		return p.record(e, s, a)
	}
	return err
}

func (p *planner) mapOf(e *encoder, s *data.Schema, a *schema.Schema) (err error) {
	if a.Type == schema.Map {
		if s.KeySchema() == nil || s.KeySchema().Type() != data.String {
			return mismatched(s, a)
		}
		e.op = encMap
		e.key = &encoder{op: encText, kind: data.KindString, schema: s.KeySchema()}
		e.elem, err = p.compile(s.ValueSchema(), a.Elem)
		return err
	}
	e.op = encEntries
	k, v := a.Elem.Field(keyField), a.Elem.Field(valueField)
	if len(a.Elem.Fields) != 2 || &a.Elem.Fields[0] != k {
		return mismatched(s, a)
	}
	if e.key, err = p.compile(s.KeySchema(), k.Schema); err == nil {
		e.elem, err = p.compile(s.ValueSchema(), v.Schema)
	}
	return err
}

func (p *planner) record(e *encoder, s *data.Schema, a *schema.Schema) error {
	e.op = encStruct
	byName := make(map[string]int, len(s.Fields()))
	for i, f := range s.Fields() {
		byName[p.scrubName(f.Name)] = i
	}
	e.fields = make([]encField, len(a.Fields))
	for i := range a.Fields {
		af := &a.Fields[i]
		at, ok := byName[af.Name]
		if !ok {
			if !af.HasDefault {
				return data.Errorf("The field %s of the Avro record %s has no default and is not in the data", af.Name, a.FullName())
			}
			b, err := defaultBytes(nil, af.Schema, af.Default)
			if err != nil {
				return err
			}
			e.fields[i] = encField{at: -1, constant: b}
			continue
		}
		f := s.Fields()[at]
		enc, err := p.compile(f.Schema, af.Schema)
		if err != nil {
			return err
		}
		e.fields[i] = encField{at: at, enc: enc}
		if !p.ignoreDefaults {
			def := f.Schema.Default()
			e.fields[i].def = def
			if st := def.Struct(); st != nil && enc.known == nil {
				enc.known = st.Schema() // was checked when the schema was built
			}
		}
	}
	return nil
}

// defaultBytes appends a field's default as Avro writes it.
func defaultBytes(dst []byte, a *schema.Schema, v any) ([]byte, error) {
	if !schema.ValidDefault(a, v) {
		return dst, data.Errorf("The default %s does not fit its Avro schema", schema.AppendJSON(nil, v))
	}
	num, _ := v.(json.Number)
	text, _ := v.(string)
	switch a.Type {
	case schema.Boolean:
		if v == true {
			return append(dst, 1), nil
		}
		return append(dst, 0), nil
	case schema.Int, schema.Long:
		n, err := num.Int64()
		return binary.AppendVarint(dst, n), err
	case schema.Float:
		f, err := floatDefault(v)
		return binary.LittleEndian.AppendUint32(dst, math.Float32bits(float32(f))), err
	case schema.Double:
		f, err := floatDefault(v)
		return binary.LittleEndian.AppendUint64(dst, math.Float64bits(f)), err
	case schema.String:
		return append(binary.AppendVarint(dst, int64(len(text))), text...), nil
	case schema.Bytes:
		b := schema.FromLatin1(text)
		return append(binary.AppendVarint(dst, int64(len(b))), b...), nil
	case schema.Fixed:
		b := schema.FromLatin1(text)
		if len(b) != a.Size {
			return dst, data.Errorf("The default of the fixed %s has %d bytes, not %d", a.FullName(), len(b), a.Size)
		}
		return append(dst, b...), nil
	case schema.Enum:
		for i, sym := range a.Symbols {
			if sym == text {
				return binary.AppendVarint(dst, int64(i)), nil
			}
		}
		return dst, data.Errorf("%q is not a symbol of the enum %s", text, a.FullName())
	case schema.Union:
		for i, b := range a.Branches {
			if schema.ValidDefault(b, v) {
				return defaultBytes(append(dst, branchIndex(i)...), b, v)
			}
		}
	case schema.Array:
		list, _ := v.([]any)
		return defaultList(dst, len(list), func(dst []byte, i int) ([]byte, error) { return defaultBytes(dst, a.Elem, list[i]) })
	case schema.Map:
		obj, _ := v.(schema.Object)
		return defaultList(dst, len(obj), func(dst []byte, i int) ([]byte, error) {
			dst = append(binary.AppendVarint(dst, int64(len(obj[i].Key))), obj[i].Key...)
			return defaultBytes(dst, a.Elem, obj[i].Value)
		})
	case schema.Record:
		obj, _ := v.(schema.Object)
		for i := range a.Fields {
			f := &a.Fields[i]
			j, ok := obj.Get(f.Name)
			if !ok {
				j = f.Default
			}
			var err error
			if dst, err = defaultBytes(dst, f.Schema, j); err != nil {
				return dst, err
			}
		}
	}
	return dst, nil
}

func defaultList(dst []byte, n int, item func([]byte, int) ([]byte, error)) ([]byte, error) {
	if n > 0 {
		dst = binary.AppendVarint(dst, int64(n))
	}
	var err error
	for i := range n {
		if dst, err = item(dst, i); err != nil {
			return dst, err
		}
	}
	return append(dst, 0), nil
}
