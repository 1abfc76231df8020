package compat

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/troupeio/troupe/codec/avro/schema"
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
func checkAvro(r, w *schema.Schema) []Problem {
	c := avroCheck{known: map[[2]*schema.Schema][]Problem{}}
	return c.check(r, w, "")
}

// avroCheck remembers pairs of records, which alone can contain themselves: they would
// be compared for ever. A pair that is under way counts as compatible; what it lacks
// is said where it began.
type avroCheck struct {
	known map[[2]*schema.Schema][]Problem
}

func (c *avroCheck) check(r, w *schema.Schema, path string) []Problem {
	if r.Type != schema.Record || w.Type != schema.Record {
		return c.compare(r, w, path)
	}
	pair := [2]*schema.Schema{r, w}
	if found, ok := c.known[pair]; ok {
		return found
	}
	c.known[pair] = nil
	found := c.compare(r, w, path)
	c.known[pair] = found
	return found
}

func (c *avroCheck) compare(r, w *schema.Schema, path string) (out []Problem) {
	switch {
	case w.Type == schema.Union:
		for i, b := range w.Branches {
			if problems := c.check(r, b, path+"/"+strconv.Itoa(i)); len(problems) > 0 {
				if r.Type != schema.Union {
					out = append(out, problems...)
					continue
				}
				out = append(out, noUnionBranch.at(path+"/"+strconv.Itoa(i), "reader union lacking writer type: "+upper(b)))
			}
		}
		return out
	case r.Type == schema.Union:
		for i, b := range r.Branches {
			if len(c.check(b, w, path+"/"+strconv.Itoa(i))) == 0 {
				return nil
			}
		}
		return []Problem{noUnionBranch.at(path, "reader union lacking writer type: "+upper(w))}
	case r.Type != w.Type:
		if promotes(w.Type, r.Type) {
			return nil
		}
		return []Problem{typeMismatch.at(path, "reader type: "+upper(r)+" not compatible with writer type: "+upper(w))}
	}
	switch r.Type {
	case schema.Array:
		return c.check(r.Elem, w.Elem, path+"/items")
	case schema.Map:
		return c.check(r.Elem, w.Elem, path+"/values")
	case schema.Record:
		return append(sameName(r, w, path), c.fields(r, w, path)...)
	case schema.Enum:
		out = sameName(r, w, path)
		var lacking []string
		for _, s := range w.Symbols {
			if !slices.Contains(r.Symbols, s) {
				lacking = append(lacking, s)
			}
		}
		if len(lacking) > 0 && r.Symbol == "" {
			out = append(out, noSymbols.at(path+"/symbols", fmt.Sprintf("[%s]", strings.Join(lacking, ", "))))
		}
		return out
	case schema.Fixed:
		out = sameName(r, w, path)
		if r.Size != w.Size {
			out = append(out, sizeMismatch.at(path+"/size", fmt.Sprintf("expected: %d, found: %d", w.Size, r.Size)))
		}
		return out
	}
	return nil
}

func (c *avroCheck) fields(r, w *schema.Schema, path string) (out []Problem) {
	var byName map[string]int // of the writer's fields, made when it is needed
	find := func(name string) (int, bool) {
		if byName == nil {
			byName = make(map[string]int, len(w.Fields))
			for i, f := range w.Fields {
				byName[f.Name] = i
			}
		}
		at, ok := byName[name]
		return at, ok
	}
	for i, f := range r.Fields {
		// Versions of a subject mostly have their fields in one order.
		at, ok := i, i < len(w.Fields) && w.Fields[i].Name == f.Name
		if !ok {
			at, ok = find(f.Name)
		}
		for k := 0; !ok && k < len(f.Aliases); k++ {
			at, ok = find(f.Aliases[k])
		}
		switch {
		case ok && f.Schema.Type == w.Fields[at].Schema.Type && f.Schema.Type <= schema.String: // primitive ones are equal
		case ok:
			out = append(out, c.check(f.Schema, w.Fields[at].Schema, path+"/fields/"+strconv.Itoa(i)+"/type")...)
		case !f.HasDefault:
			out = append(out, noDefault.at(path+"/fields/"+strconv.Itoa(i), f.Name))
		}
	}
	return out
}

// sameName compares names without their namespaces, as Avro does, or the reader's
// aliases.
func sameName(r, w *schema.Schema, path string) []Problem {
	if r.Name == w.Name || slices.Contains(r.Aliases, w.FullName()) {
		return nil
	}
	return []Problem{nameMismatch.at(path+"/name", "expected: "+w.FullName())}
}

// promotes reports whether what was written as one primitive is read as another.
func promotes(from, to schema.Type) bool {
	switch from {
	case schema.Int:
		return to == schema.Long || to == schema.Float || to == schema.Double
	case schema.Long:
		return to == schema.Float || to == schema.Double
	case schema.Float:
		return to == schema.Double
	case schema.String:
		return to == schema.Bytes
	case schema.Bytes:
		return to == schema.String
	}
	return false
}

func upper(s *schema.Schema) string { return strings.ToUpper(s.Type.String()) }

func canonicalAvro(text string, parsed *schema.Schema) (string, error) {
	if err := parsed.Validate(); err != nil {
		return "", err
	}
	v, err := decodeJSON(text)
	if err != nil {
		v = strings.TrimSpace(text) // the bare name of a primitive
	}
	return marshal(v)
}
