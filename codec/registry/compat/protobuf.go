package compat

import (
	"slices"
	"strconv"
	"strings"
)

// What the registry says of Protobuf's incompatibilities.
const (
	packageChanged  = "The package at '%p' in the %r schema does not match the package in the %w schema"
	messageRemoved  = "The %r schema is missing a field of type MESSAGE at path '%p' in the %w schema"
	kindChanged     = "The type of a field at path '%p' in the %r schema does  not match the %w schema"
	scalarChanged   = "The kind of a SCALAR field at path '%p' in the %r schema does not match its kind in the %w schema"
	namedChanged    = "The type of a MESSAGE field at path '%p' in the %r schema does not match its type in the %w schema"
	labelChanged    = "The label for a NUMERIC field at path '%p' in the %r schema does not match its label in the %w schema"
	requiredNew     = "A required field  at path '%p' in the %r schema is missing in the %w schema"
	requiredRemoved = "The %r schema is missing a required field at path: '%p' in the %w schema"
	oneofRemoved    = "The %r schema is missing a oneof field at path '%p' in the %w schema"
	manyMoved       = "Multiple fields in the oneof at path '%p' in the %r schema are outside a oneof in the %w schema"
	oneMoved        = "A field in the oneof at path '%p' in the %r schema is outside an existing oneof in the %w schema"
)

// protoCheck compares by the rules of Confluent's registry: messages by their names,
// fields by their numbers.
type protoCheck struct {
	r, w     *proto
	underWay map[[2]*protoMessage]bool // imported messages, which may contain themselves
	problems []Problem
}

func checkProtobuf(r, w *proto) []Problem {
	c := &protoCheck{r: r, w: w, underWay: map[[2]*protoMessage]bool{}}
	if r.pkg != w.pkg {
		c.say("PACKAGE_CHANGED", packageChanged, "#/")
	}
	c.messages(r.messages, w.messages)
	return c.problems
}

func (c *protoCheck) say(kind, format, path string) {
	c.problems = append(c.problems, Problem{Type: kind, Path: path, format: format})
}

func protoPath(name string) string { return "#/" + strings.ReplaceAll(name, ".", "/") }

func (c *protoCheck) messages(ours, theirs []*protoMessage) {
	for _, w := range theirs {
		at := slices.IndexFunc(ours, func(m *protoMessage) bool { return m.name == w.name })
		if at < 0 {
			c.say("MESSAGE_REMOVED", messageRemoved, protoPath(w.name))
			continue
		}
		c.message(ours[at], w)
		c.messages(ours[at].nested, w.nested)
	}
}

func (m *protoMessage) field(number int) *protoField {
	for _, f := range m.fields {
		if f.number == number {
			return f
		}
	}
	return nil
}

func (c *protoCheck) message(r, w *protoMessage) {
	path := protoPath(w.name)
	for _, name := range r.oneofs {
		moved, existing := 0, 0
		for _, f := range r.fields {
			if old := w.field(f.number); f.oneof == name && old != nil {
				if old.oneof == "" {
					moved++
				} else {
					existing++
				}
			}
		}
		switch {
		case moved > 1:
			c.say("MULTIPLE_FIELDS_MOVED_TO_ONEOF", manyMoved, path+"/"+name)
		case moved == 1 && existing > 0:
			c.say("FIELD_MOVED_TO_EXISTING_ONEOF", oneMoved, path+"/"+name)
		}
	}
	for _, old := range w.fields {
		at := path + "/" + strconv.Itoa(old.number)
		if old.oneof != "" {
			at = path + "/" + old.oneof + "/" + strconv.Itoa(old.number)
		}
		f := r.field(old.number)
		switch {
		case f != nil:
			c.field(f, old, at)
		case old.oneof != "" && slices.Contains(r.oneofs, old.oneof):
			c.say("ONEOF_FIELD_REMOVED", oneofRemoved, at)
		case old.label == "required":
			c.say("REQUIRED_FIELD_REMOVED", requiredRemoved, at)
		}
	}
	for _, f := range r.fields {
		if f.label == "required" && w.field(f.number) == nil {
			c.say("REQUIRED_FIELD_ADDED", requiredNew, path+"/"+strconv.Itoa(f.number))
		}
	}
}

func (c *protoCheck) field(r, w *protoField, path string) {
	if (r.key == "") != (w.key == "") {
		c.say("FIELD_KIND_CHANGED", kindChanged, path)
		return
	}
	if r.key != "" && wireGroup(r.key) != wireGroup(w.key) {
		c.say("FIELD_SCALAR_KIND_CHANGED", scalarChanged, path)
	}
	ours, theirs := wireGroup(r.typ), wireGroup(w.typ)
	ourMessage, isEnum := c.r.resolve(r, r.typ)
	theirMessage, wasEnum := c.w.resolve(w, w.typ)
	if isEnum {
		ours = "varint"
	}
	if wasEnum {
		theirs = "varint"
	}
	switch {
	case (ours == "") != (theirs == ""):
		c.say("FIELD_KIND_CHANGED", kindChanged, path)
	case ours == "":
		c.named(r, w, ourMessage, theirMessage, path)
	case ours != theirs:
		c.say("FIELD_SCALAR_KIND_CHANGED", scalarChanged, path)
	case r.label != "" && w.label != "" && r.label != w.label && ours != "bytes":
		c.say("FIELD_NUMERIC_LABEL_CHANGED", labelChanged, path)
	}
}

// named compares fields that are messages. What both files define is compared by itself;
// what they import is here.
func (c *protoCheck) named(rf, wf *protoField, r, w *protoMessage, path string) {
	switch {
	case r == nil || w == nil: // of a file that no registry needs to hold
		if strings.TrimPrefix(rf.typ, ".") != strings.TrimPrefix(wf.typ, ".") {
			c.say("FIELD_NAMED_TYPE_CHANGED", namedChanged, path)
		}
	case r.name != w.name:
		c.say("FIELD_NAMED_TYPE_CHANGED", namedChanged, path)
	case r.imported || w.imported:
		pair := [2]*protoMessage{r, w}
		if c.underWay[pair] {
			return
		}
		c.underWay[pair] = true
		defer delete(c.underWay, pair)
		before := len(c.problems)
		c.message(r, w)
		if len(c.problems) > before {
			c.say("FIELD_NAMED_TYPE_CHANGED", namedChanged, path)
		}
	}
}

// wireGroup is the same for types that read each other's bytes as the language guide
// says; none for what is no scalar.
func wireGroup(typ string) string {
	switch typ {
	case "int32", "uint32", "int64", "uint64", "bool":
		return "varint"
	case "sint32", "sint64":
		return "zigzag"
	case "fixed32", "sfixed32":
		return "fixed32"
	case "fixed64", "sfixed64":
		return "fixed64"
	case "string", "bytes":
		return "bytes"
	case "float", "double":
		return typ
	}
	return ""
}
