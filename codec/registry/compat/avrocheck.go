package compat

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/troupeio/troupe/codec/registry"
)

// What the registry calls Avro's incompatibilities, and says of them.
var (
	nameMismatch  = Problem{Type: "NAME_MISMATCH", format: "The name of the schema has changed (path '%p')"}
	sizeMismatch  = Problem{Type: "FIXED_SIZE_MISMATCH", format: "The size of FIXED type field at path '%p' in the %r schema does not match with the %w schema"}
	noSymbols     = Problem{Type: "MISSING_ENUM_SYMBOLS", format: "The %r schema is missing enum symbols '%i' at path '%p' in the %w schema"}
	noDefault     = Problem{Type: "READER_FIELD_MISSING_DEFAULT_VALUE", format: "The field '%i' at path '%p' in the %r schema has no default value and is missing in the %w schema"}
	typeMismatch  = Problem{Type: "TYPE_MISMATCH", format: "The type (path '%p') of a field in the %r schema does not match with the %w schema"}
	noUnionBranch = Problem{Type: "MISSING_UNION_BRANCH", format: "The %r schema is missing a type inside a union field at path '%p' in the %w schema"}
)

func (p Problem) at(path, info string) Problem {
	if path == "" {
		path = "/"
	}
	p.Path, p.Info = path, info
	return p
}

// checkAvro follows schema resolution of the Avro specification: fields and symbols
// by name or alias, defaults, promotions, unions.
func checkAvro(reader, writer *registry.Schema, readerDeps, writerDeps []registry.Dependency) []Problem {
	r, err := parseAvro(reader.Text, readerDeps)
	if err != nil {
		return []Problem{typeMismatch.at("", "reader: "+err.Error())}
	}
	w, err := parseAvro(writer.Text, writerDeps)
	if err != nil {
		return []Problem{typeMismatch.at("", "writer: "+err.Error())}
	}
	c := avroCheck{known: map[[2]*node][]Problem{}}
	return c.check(r, w, "")
}

// avroCheck remembers pairs: a recursive type would be compared for ever. A pair
// that is under way counts as compatible; what it lacks is said where it began.
type avroCheck struct{ known map[[2]*node][]Problem }

func (c *avroCheck) check(r, w *node, path string) []Problem {
	pair := [2]*node{r, w}
	if found, ok := c.known[pair]; ok {
		return found
	}
	c.known[pair] = nil
	found := c.compare(r, w, path)
	c.known[pair] = found
	return found
}

func (c *avroCheck) compare(r, w *node, path string) (out []Problem) {
	switch {
	case w.kind == "union":
		for i, b := range w.branches {
			if problems := c.check(r, b, path+"/"+strconv.Itoa(i)); len(problems) > 0 {
				if r.kind != "union" {
					out = append(out, problems...)
					continue
				}
				out = append(out, noUnionBranch.at(path+"/"+strconv.Itoa(i), "reader union lacking writer type: "+strings.ToUpper(b.kind)))
			}
		}
		return out
	case r.kind == "union":
		var closest []Problem
		for i, b := range r.branches {
			problems := c.check(b, w, path+"/"+strconv.Itoa(i))
			if len(problems) == 0 {
				return nil
			}
			if b.kind == w.kind {
				closest = problems
			}
		}
		if closest != nil {
			return closest // a record of that name is there: what is wrong with it says more
		}
		return []Problem{noUnionBranch.at(path, "reader union lacking writer type: "+strings.ToUpper(w.kind))}
	case r.kind != w.kind:
		if promotes(w.kind, r.kind) {
			return nil
		}
		return []Problem{typeMismatch.at(path, "reader type: "+strings.ToUpper(r.kind)+" not compatible with writer type: "+strings.ToUpper(w.kind))}
	}
	switch r.kind {
	case "array":
		return c.check(r.item, w.item, path+"/items")
	case "map":
		return c.check(r.item, w.item, path+"/values")
	case "record":
		return append(sameName(r, w, path), c.fields(r, w, path)...)
	case "enum":
		out = sameName(r, w, path)
		var lacking []string
		for _, s := range w.symbols {
			if !slices.Contains(r.symbols, s) {
				lacking = append(lacking, s)
			}
		}
		if len(lacking) > 0 && !r.fallback {
			out = append(out, noSymbols.at(path+"/symbols", fmt.Sprintf("[%s]", strings.Join(lacking, ", "))))
		}
		return out
	case "fixed":
		out = sameName(r, w, path)
		if r.size != w.size {
			out = append(out, sizeMismatch.at(path+"/size", fmt.Sprintf("expected: %d, found: %d", w.size, r.size)))
		}
		return out
	}
	return nil
}

func (c *avroCheck) fields(r, w *node, path string) (out []Problem) {
	for i, f := range r.fields {
		at := slices.IndexFunc(w.fields, func(o field) bool { return o.name == f.name })
		if at < 0 {
			at = slices.IndexFunc(w.fields, func(o field) bool { return slices.Contains(f.aliases, o.name) })
		}
		where := path + "/fields/" + strconv.Itoa(i)
		switch {
		case at >= 0:
			out = append(out, c.check(f.typ, w.fields[at].typ, where+"/type")...)
		case !f.fallback:
			out = append(out, noDefault.at(where, f.name))
		}
	}
	return out
}

// sameName compares names without their namespaces, as Avro does, or the reader's
// aliases.
func sameName(r, w *node, path string) []Problem {
	last := func(name string) string { return name[strings.LastIndexByte(name, '.')+1:] }
	if last(r.name) == last(w.name) || slices.Contains(r.aliases, w.name) {
		return nil
	}
	return []Problem{nameMismatch.at(path+"/name", "expected: "+w.name)}
}

// promotes reports whether what was written as one primitive is read as another.
func promotes(from, to string) bool {
	switch from {
	case "int":
		return to == "long" || to == "float" || to == "double"
	case "long":
		return to == "float" || to == "double"
	case "float":
		return to == "double"
	case "string":
		return to == "bytes"
	case "bytes":
		return to == "string"
	}
	return false
}
