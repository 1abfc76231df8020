package avro

import (
	"encoding/binary"
	"encoding/json"
	"math"
	"strconv"

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
	a *schema
}

// encoderFor returns the plan from s (nil: schemaless) to a.
func (o *options) encoderFor(s *data.Schema, a *schema) (*encoder, error) {
	if s == nil {
		if a == anything || same(a, anything) {
			return anyEncoder, nil
		}
		return nil, data.Errorf("Data without a schema cannot be written with the Avro schema %s", a.fullName())
	}
	p := &planner{options: o, done: make(map[pair]*encoder)}
	return p.compile(s, a)
}

func (p *planner) compile(s *data.Schema, a *schema) (*encoder, error) {
	if s == nil {
		if a == anything || same(a, anything) {
			return anyEncoder, nil
		}
		return nil, data.Errorf("Data without a schema cannot be written with the Avro schema %s", a.fullName())
	}
	if e, ok := p.done[pair{s, a}]; ok {
		return e, nil
	}
	e := &encoder{schema: s, optional: s.Optional(), kind: kindOf(s)}
	p.done[pair{s, a}] = e
	if isUnion(s) {
		return e, p.union(e, s, a)
	}
	if a.typ == tUnion {
		best, at := 0, -1
		for i, b := range a.branches {
			if b.typ == tNull {
				e.null = branchIndex(i)
			} else if n := fits(s, b, p.options); n > best {
				best, at = n, i
			}
		}
		if at < 0 {
			return nil, mismatched(s, a)
		}
		e.branch = branchIndex(at)
		a = a.branches[at]
	}
	return e, p.plain(e, s, a)
}

func branchIndex(i int) []byte { return binary.AppendVarint(nil, int64(i)) }

func mismatched(s *data.Schema, a *schema) error {
	text, _ := a.print()
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
func fits(s *data.Schema, a *schema, o *options) int {
	switch s.Type() {
	case data.Int8, data.Int16, data.Int32:
		return [...]int{tInt: 9, tLong: 3, tDouble: 2, tFloat: 1, tFixed: 0}[a.typ]
	case data.Int64:
		return [...]int{tLong: 9, tDouble: 2, tFloat: 1, tFixed: 0}[a.typ]
	case data.Float32:
		return [...]int{tFloat: 9, tDouble: 2, tFixed: 0}[a.typ]
	case data.Float64:
		return [...]int{tDouble: 9, tFixed: 0}[a.typ]
	case data.Boolean:
		return [...]int{tBoolean: 9, tFixed: 0}[a.typ]
	case data.String:
		if a.typ == tEnum {
			return 2 + named(s, a, o)
		}
		return [...]int{tString: 4, tFixed: 0}[a.typ]
	case data.Bytes:
		if a.typ == tFixed {
			if size, ok := s.Param(fixedSizeParam); ok && size != strconv.Itoa(a.size) {
				return 0
			}
			return 2 + named(s, a, o)
		}
		return [...]int{tBytes: 4, tFixed: 0}[a.typ]
	case data.Array:
		return [...]int{tArray: 9, tFixed: 0}[a.typ]
	case data.Map:
		if a.typ == tArray && (a.elem.typ != tRecord || a.elem.field(keyField) == nil || a.elem.field(valueField) == nil) {
			return 0
		}
		return [...]int{tMap: 9, tArray: 5, tFixed: 0}[a.typ]
	}
	if a.typ == tRecord {
		return 1 + named(s, a, o)
	}
	return 0
}

// sameUnit reports whether a number of a logical type means the same in Avro: days,
// milliseconds, a decimal's scale. Another writer's schema may have microseconds.
func sameUnit(s *data.Schema, a *schema) bool {
	logical := a.text(propLogical)
	switch s.Logical() {
	case data.LogicalDecimal:
		scale, _ := s.Scale()
		return !a.logical("decimal") || scale == scaleOf(a)
	case data.LogicalDate:
		return a.typ == tInt && (logical == "" || a.logical("date"))
	case data.LogicalTime:
		return a.typ == tInt && (logical == "" || a.logical("time-millis"))
	case data.LogicalTimestamp:
		return a.typ == tLong && (logical == "" || a.logical("timestamp-millis"))
	}
	return true
}

// named says whether a schema and a named type are called the same: 4 in full, 3
// without the namespace.
func named(s *data.Schema, a *schema, o *options) int {
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
		if a.space == namespace {
			return 3
		}
		return 0
	}
	space, name := o.split(full)
	switch {
	case full == a.fullName() || space == a.space && name == a.name:
		return 4
	case name == a.name:
		return 3
	}
	return 0
}

func (p *planner) union(e *encoder, s *data.Schema, a *schema) error {
	e.op = encUnion
	e.fields = make([]encField, len(s.Fields()))
	branches := a.branches
	if a.typ != tUnion { // a writer with one branch less than a union
		branches = []*schema{a}
	}
	taken := make([]bool, len(branches))
	for i, b := range branches {
		if b.typ == tNull {
			e.null, taken[i] = branchIndex(i), true
			if a.typ != tUnion {
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
		if a.typ == tUnion {
			e.fields[i].constant = branchIndex(at)
		}
		if !p.ignoreDefaults {
			e.fields[i].def = f.Schema.Default()
		}
	}
	return nil
}

func (p *planner) plain(e *encoder, s *data.Schema, a *schema) error {
	if fits(s, a, p.options) == 0 || !sameUnit(s, a) {
		return mismatched(s, a)
	}
	var err error
	switch s.Type() {
	case data.Int8, data.Int16, data.Int32, data.Int64:
		switch {
		case e.kind == data.KindDate:
			e.op = encDate
		case a.typ == tFloat:
			e.op = encIntAs
		case a.typ == tDouble:
			e.op = encDouble
		default:
			e.op = encInt
		}
	case data.Float32, data.Float64:
		e.op = encFloat
		if a.typ == tDouble {
			e.op = encDouble
		}
	case data.Boolean:
		e.op = encBoolean
	case data.String:
		e.op = encText
		if a.typ == tEnum {
			e.op = encEnum
			e.symbols = make(map[string]int, len(a.symbols))
			for i, sym := range a.symbols {
				e.symbols[sym] = i
			}
		}
	case data.Bytes:
		e.op, e.size = encText, a.size
		switch {
		case e.kind == data.KindDecimal && a.typ == tFixed:
			e.op = encFixedDecimal
		case e.kind == data.KindDecimal:
			e.op = encDecimal
		case a.typ == tFixed:
			e.op = encFixed
		}
	case data.Array:
		e.op = encArray
		e.elem, err = p.compile(s.ValueSchema(), a.elem)
	case data.Map:
		return p.mapOf(e, s, a)
	case data.Struct:
		return p.record(e, s, a)
	}
	return err
}

func (p *planner) mapOf(e *encoder, s *data.Schema, a *schema) (err error) {
	if a.typ == tMap {
		if s.KeySchema() == nil || s.KeySchema().Type() != data.String {
			return mismatched(s, a)
		}
		e.op = encMap
		e.key = &encoder{op: encText, kind: data.KindString, schema: s.KeySchema()}
		e.elem, err = p.compile(s.ValueSchema(), a.elem)
		return err
	}
	e.op = encEntries
	k, v := a.elem.field(keyField), a.elem.field(valueField)
	if len(a.elem.fields) != 2 || &a.elem.fields[0] != k {
		return mismatched(s, a)
	}
	if e.key, err = p.compile(s.KeySchema(), k.schema); err == nil {
		e.elem, err = p.compile(s.ValueSchema(), v.schema)
	}
	return err
}

func (p *planner) record(e *encoder, s *data.Schema, a *schema) error {
	e.op = encStruct
	byName := make(map[string]int, len(s.Fields()))
	for i, f := range s.Fields() {
		byName[p.scrubName(f.Name)] = i
	}
	e.fields = make([]encField, len(a.fields))
	for i := range a.fields {
		af := &a.fields[i]
		at, ok := byName[af.name]
		if !ok {
			if !af.hasDef {
				return data.Errorf("The field %s of the Avro record %s has no default and is not in the data", af.name, a.fullName())
			}
			b, err := defaultBytes(nil, af.schema, af.def)
			if err != nil {
				return err
			}
			e.fields[i] = encField{at: -1, constant: b}
			continue
		}
		f := s.Fields()[at]
		enc, err := p.compile(f.Schema, af.schema)
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
func defaultBytes(dst []byte, a *schema, v any) ([]byte, error) {
	if !validDefault(a, v) {
		return dst, data.Errorf("The default %s does not fit its Avro schema", appendJSON(nil, v))
	}
	num, _ := v.(json.Number)
	text, _ := v.(string)
	switch a.typ {
	case tBoolean:
		if v == true {
			return append(dst, 1), nil
		}
		return append(dst, 0), nil
	case tInt, tLong:
		n, err := num.Int64()
		return binary.AppendVarint(dst, n), err
	case tFloat:
		f, err := num.Float64()
		return binary.LittleEndian.AppendUint32(dst, math.Float32bits(float32(f))), err
	case tDouble:
		f, err := num.Float64()
		return binary.LittleEndian.AppendUint64(dst, math.Float64bits(f)), err
	case tString:
		return append(binary.AppendVarint(dst, int64(len(text))), text...), nil
	case tBytes:
		b := unLatin1(text)
		return append(binary.AppendVarint(dst, int64(len(b))), b...), nil
	case tFixed:
		b := unLatin1(text)
		if len(b) != a.size {
			return dst, data.Errorf("The default of the fixed %s has %d bytes, not %d", a.fullName(), len(b), a.size)
		}
		return append(dst, b...), nil
	case tEnum:
		for i, sym := range a.symbols {
			if sym == text {
				return binary.AppendVarint(dst, int64(i)), nil
			}
		}
		return dst, data.Errorf("%q is not a symbol of the enum %s", text, a.fullName())
	case tUnion:
		return defaultBytes(append(dst, 0), a.branches[0], v)
	case tArray:
		list, _ := v.([]any)
		return defaultList(dst, len(list), func(dst []byte, i int) ([]byte, error) { return defaultBytes(dst, a.elem, list[i]) })
	case tMap:
		obj, _ := v.(object)
		return defaultList(dst, len(obj), func(dst []byte, i int) ([]byte, error) {
			dst = append(binary.AppendVarint(dst, int64(len(obj[i].key))), obj[i].key...)
			return defaultBytes(dst, a.elem, obj[i].val)
		})
	case tRecord:
		obj, _ := v.(object)
		for i := range a.fields {
			f := &a.fields[i]
			j, ok := obj.get(f.name)
			if !ok {
				j = f.def
			}
			var err error
			if dst, err = defaultBytes(dst, f.schema, j); err != nil {
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
