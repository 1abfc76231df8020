package protobuf

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/troupeio/troupe/codec/data"
)

// maxDepth bounds how deep schemas are nested.
const maxDepth = 100

// Text returns the Protobuf schema of a Connect schema, and the full name of its
// message. A schema of a scalar becomes the file of the wrapper messages. Errors
// are [data.Error] values.
func (m *Mapping) Text(s *data.Schema) (text, message string, err error) {
	if s.Type().IsPrimitive() && s.Logical() == data.NotLogical {
		return wrappersText(), wrapperOf(scalarOf(s)), nil
	}
	if s.Type() != data.Struct || isUnion(s) {
		return "", "", data.Errorf("Unsupported root schema of type %s", s.Type())
	}
	w := writer{m: m}
	full := w.nameOr(s.Name())
	parts := strings.Split(full, ".")
	for i := range parts {
		parts[i] = m.scrub(parts[i])
	}
	name, pkg := parts[len(parts)-1], strings.Join(parts[:len(parts)-1], ".")
	root := w.message(&definition{head: "message", name: name, full: strings.TrimPrefix(pkg+"."+name, ".")}, s)
	if w.err != nil {
		return "", "", w.err
	}
	var b strings.Builder
	b.WriteString("syntax = \"proto3\";\n")
	if pkg != "" {
		b.WriteString("package " + pkg + ";\n")
		name = pkg + "." + name
	}
	b.WriteByte('\n')
	if len(w.imports) > 0 {
		slices.Sort(w.imports)
		for _, i := range w.imports {
			b.WriteString("import \"" + i + "\";\n")
		}
		b.WriteByte('\n')
	}
	root.write(&b, "")
	return b.String(), name, nil
}

func wrappersText() string {
	var b strings.Builder
	b.WriteString("syntax = \"proto3\";\npackage google.protobuf;\n")
	for _, w := range wrappers {
		b.WriteString("\nmessage " + w.name + " {\n  " + w.scalar + " value = 1;\n}\n")
	}
	return b.String()
}

// writer collects what a file is made of.
type writer struct {
	m       *Mapping
	names   int // that were made up
	depth   int
	known   []known // messages that contain themselves or a part of what is around them
	imports []string
	err     error
}

// definition is a message or an enum with what stands in it.
type definition struct {
	head  string // its keyword
	name  string
	full  string // the name with those of the package and the messages around, of a message
	lines []string
	inner []*definition
}

func (d *definition) write(b *strings.Builder, indent string) {
	b.WriteString(indent + d.head + " " + d.name + " {\n")
	for _, l := range d.lines {
		b.WriteString(indent + "  " + l + "\n")
	}
	for _, i := range d.inner {
		if i.head != "oneof" {
			b.WriteByte('\n')
		}
		i.write(b, indent+"  ")
	}
	b.WriteString(indent + "}\n")
}

func (d *definition) has(head, name string) bool {
	return slices.ContainsFunc(d.inner, func(i *definition) bool { return i.head == head && i.name == name })
}

func (w *writer) fail(format string, args ...any) {
	if w.err == nil {
		w.err = data.Errorf(format, args...)
	}
}

// nameOr returns a name, or makes one up.
func (w *writer) nameOr(name string) string {
	if name != "" {
		return name
	}
	w.names++
	return defaultName + strconv.Itoa(w.names)
}

func (w *writer) unqualified(name string) string {
	full := w.nameOr(name)
	return w.m.scrub(full[strings.LastIndexByte(full, '.')+1:])
}

func (w *writer) imported(path string) {
	if !slices.Contains(w.imports, path) {
		w.imports = append(w.imports, path)
	}
}

// known is a message that is written or being written, with its schema.
type known struct {
	schema *data.Schema
	def    *definition
}

// knownAs returns the message whose type s is, if there is one. Only that of a type
// that contains itself is looked for: any other is written where it is met.
func (w *writer) knownAs(s *data.Schema) *definition {
	if !s.Recursive() {
		return nil
	}
	for _, k := range slices.Backward(w.known) {
		if s.SameType(k.schema) {
			return k.def
		}
	}
	return nil
}

// message writes the fields of a message into d.
func (w *writer) message(d *definition, s *data.Schema) *definition {
	if w.depth++; w.depth > maxDepth {
		w.fail("Schema is nested more than %d levels deep", maxDepth)
		return d
	}
	defer func() { w.depth-- }()
	if s.Recursive() {
		w.known = append(w.known, known{s, d})
	}
	next, taken := 1, tags(s, map[string]bool{})
	for _, f := range s.Fields() {
		tag, ok := f.Schema.Param(tagParam)
		if !ok {
			for taken[strconv.Itoa(next)] { // in Java such a schema is invalid
				next++
			}
			tag = strconv.Itoa(next)
			next++
		}
		if f.Schema.Type() == data.Struct && isUnion(f.Schema) {
			w.union(d, f.Schema)
			continue
		}
		d.lines = append(d.lines, w.field(d, f.Schema, w.m.scrub(f.Name), tag, false))
	}
	return d
}

// tags adds the numbers that fields and members of unions ask for.
func tags(s *data.Schema, to map[string]bool) map[string]bool {
	for _, f := range s.Fields() {
		if t, ok := f.Schema.Param(tagParam); ok {
			to[t] = true
		}
		if f.Schema.Type() == data.Struct && isUnion(f.Schema) {
			tags(f.Schema, to)
		}
	}
	return to
}

func (w *writer) union(d *definition, s *data.Schema) {
	name, ok := s.Param(generalUnion)
	if !w.m.GeneralizedSumTypes || !ok {
		if !strings.HasPrefix(s.Name(), unionName+".") {
			w.fail("Union schema %s has no name for a oneof; set generalized.sum.type.support=true for unions of other formats", s.Name())
			return
		}
		name = w.unqualified(s.Name()[len(unionName)+1:])
	}
	o := &definition{head: "oneof", name: name}
	d.inner = append(d.inner, o)
	for _, f := range s.Fields() {
		tag, ok := f.Schema.Param(tagParam)
		if !ok {
			w.fail("Invalid protobuf schema definition: Field numbers must be positive integers.")
		}
		o.lines = append(o.lines, w.field(d, f.Schema, w.m.scrub(f.Name), tag, true))
	}
}

// field writes one field of d, and defines its type in d.
func (w *writer) field(d *definition, s *data.Schema, name, tag string, member bool) string {
	label := ""
	switch {
	case s.Type() == data.Array || s.Type() == data.Map:
		label = "repeated "
	case w.m.OptionalNullables && s.Optional() && !member:
		label = "optional "
	}
	if member && label != "" {
		w.fail("Invalid protobuf schema definition: %s of a oneof cannot be repeated", name)
	}
	if s.Type() == data.Array {
		s = s.ValueSchema()
		if s == nil || s.Type() == data.Array {
			w.fail("Array cannot be nested")
			return ""
		}
	}
	if n, err := strconv.Atoi(tag); err != nil || n <= 0 {
		w.fail("Invalid protobuf schema definition: field number %s of %s", tag, name)
	}
	if !plain(name) || name == "" {
		w.fail("Invalid protobuf schema definition: %q is not a valid identifier; scrub.invalid.names=true makes it one", name)
	}
	var params []data.Param
	typ := w.typeOf(d, s, name, member, &params)
	return label + typ + " " + name + " = " + tag + w.meta(params) + ";"
}

// meta writes parameters as the option that Confluent has for them.
func (w *writer) meta(params []data.Param) string {
	if len(params) == 0 {
		return ""
	}
	w.imported(metaFile)
	var parts []string
	for _, p := range params {
		parts = append(parts, fmt.Sprintf("{ key: %q, value: %q }", p.Key, p.Value))
	}
	return " [(confluent.field_meta) = { params: [" + strings.Join(parts, ", ") + "] }]"
}

func scalarOf(s *data.Schema) string {
	switch s.Type() {
	case data.Int8, data.Int16:
		return "int32"
	case data.Int32, data.Int64:
		if t, ok := s.Param(typeParam); ok {
			return t
		}
		return strings.ToLower(s.Type().String())
	case data.Float32:
		return "float"
	case data.Float64:
		return "double"
	case data.Boolean:
		return "bool"
	}
	return strings.ToLower(s.Type().String())
}

func (w *writer) typeOf(d *definition, s *data.Schema, field string, member bool, params *[]data.Param) string {
	if t, ok := logicalTypes[s.Logical()]; ok {
		if s.Logical() == data.LogicalDecimal {
			if p, ok := s.Param(precisionParam); ok {
				*params = append(*params, data.Param{Key: "precision", Value: p})
			}
			if p, ok := s.Param(data.ScaleParameter); ok {
				*params = append(*params, data.Param{Key: "scale", Value: p})
			}
		}
		w.imported(standardFile[t])
		return t
	}
	switch s.Type() {
	case data.Map:
		return w.mapEntry(d, s)
	case data.Struct:
		if isUnion(s) {
			w.fail("Union schema %s must be a field of a struct", s.Name())
			return ""
		}
		if s.Name() == variantName {
			w.imported(variantFile)
			return variantType
		}
		if m := w.knownAs(s); m != nil {
			if (m == d || slices.Contains(d.inner, m)) && m.name != field {
				return m.name
			}
			return "." + m.full // which nothing else can be taken for
		}
		name := w.unqualified(s.Name())
		if name == field {
			name += "Message" // a message and a field cannot share a name
		}
		// As in Java, what has the name of the message around is taken for it, and so
		// is what has that of another one there. A type that contains itself, and has
		// not been found around it, is another one in any case.
		if (d.name != name || s.Recursive()) && !d.has("message", name) {
			inner := &definition{head: "message", name: name, full: d.full + "." + name}
			d.inner = append(d.inner, inner)
			w.message(inner, s)
		}
		return name
	}
	if t, ok := w.enum(d, s); ok {
		return t
	}
	if s.Type() == data.Int8 || s.Type() == data.Int16 {
		*params = append(*params, data.Param{Key: connectType, Value: strings.ToLower(s.Type().String())})
	}
	t := scalarOf(s)
	if w.m.wraps(s, member) {
		if t = wrapperOf(t); t == "" {
			w.fail("Invalid protobuf schema definition: no wrapper for %s", scalarOf(s))
		}
		w.imported(wrappersFile)
	}
	return t
}

// wraps reports whether a scalar is written as a message that holds it.
func (m *Mapping) wraps(s *data.Schema, member bool) bool {
	if !m.WrapperNullables || !s.Optional() {
		return false
	}
	marked, _ := s.Param(wrapperParam)
	return !member || strings.EqualFold(marked, "true")
}

// enumOf returns the name of a schema's enum, if it is one.
func enumOf(s *data.Schema) (string, bool) {
	if s.Type() == data.String {
		if t, ok := s.Param(generalEnum); ok {
			return t, true
		}
	}
	if s.Type() == data.String || s.Type() == data.Int32 {
		return s.Param(enumParam)
	}
	return "", false
}

func (w *writer) enum(d *definition, s *data.Schema) (string, bool) {
	typ, ok := enumOf(s)
	if !ok {
		return "", false
	}
	name := w.unqualified(s.Name())
	if !d.has("enum", name) {
		e := &definition{head: "enum", name: name}
		for _, p := range s.Params() {
			if symbol, ok := strings.CutPrefix(p.Key, w.m.enumName()+"."); ok {
				e.lines = append(e.lines, symbol+" = "+p.Value+";")
			}
		}
		d.inner = append(d.inner, e)
	}
	return typ, true
}

// mapEntry defines the message of a map's entries. It is written as a message, so
// that keys may be of any type; on the wire there is no difference.
func (w *writer) mapEntry(d *definition, s *data.Schema) string {
	name := w.unqualified(s.Name())
	if strings.Contains(name, "_") {
		parts := strings.Split(name, "_")
		for i, p := range parts {
			if p != "" {
				parts[i] = strings.ToUpper(p[:1]) + strings.ToLower(p[1:])
			}
		}
		name = strings.Join(parts, "")
	}
	name += entrySuffix
	e := &definition{head: "message", name: name, full: d.full + "." + name}
	d.inner = append(d.inner, e)
	if w.depth++; w.depth > maxDepth {
		w.fail("Schema is nested more than %d levels deep", maxDepth)
		return name
	}
	defer func() { w.depth-- }()
	e.lines = append(e.lines, w.field(e, s.KeySchema(), "key", "1", false), w.field(e, s.ValueSchema(), "value", "2", false))
	return name
}
