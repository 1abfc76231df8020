package compat

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sort"
)

// What is said of JSON Schema's incompatibilities.
var (
	typeNarrowed     = Problem{Type: "TYPE_NARROWED", format: "The %r schema at path '%p' does not allow the type %i, which the %w schema allows"}
	requiredAdded    = Problem{Type: "REQUIRED_ATTRIBUTE_ADDED", format: "The %r schema requires the property '%i' at path '%p', which the %w schema does not require, and it has no default"}
	enumNarrowed     = Problem{Type: "ENUM_ARRAY_NARROWED", format: "The %r schema at path '%p' does not allow the value %i, which the %w schema allows"}
	propertyRemoved  = Problem{Type: "PROPERTY_REMOVED_FROM_CLOSED_CONTENT_MODEL", format: "The property '%i' at path '%p' is missing in the %r schema, which allows no additional properties"}
	additionalClosed = Problem{Type: "ADDITIONAL_PROPERTIES_REMOVED", format: "The %r schema at path '%p' allows no additional properties, which the %w schema allows%i"}
)

// checkJSON compares types, required properties, enumerations and closed objects,
// through properties and items. Of combinations (oneOf, anyOf, allOf, $ref) only a
// oneOf of null and one schema is compared, as which Connect writes what is optional;
// patterns and bounds are not.
func checkJSON(r, w any) []Problem { return compareJSON(r, w, "#", 0) }

func compareJSON(reader, writer any, path string, depth int) (out []Problem) {
	r, rok := reader.(map[string]any)
	w, wok := writer.(map[string]any)
	if !rok || !wok || depth > maxDepth {
		if allowed, ok := reader.(bool); ok && !allowed && writer != false {
			return []Problem{typeNarrowed.at(path, "of anything")}
		}
		return nil // true, or a schema that the other leaves open
	}
	r, w = nullable(r), nullable(w)
	rt, wt := typesOf(r), typesOf(w)
	for _, t := range wt {
		if rt != nil && !slices.Contains(rt, t) && (t != "integer" || !slices.Contains(rt, "number")) {
			out = append(out, typeNarrowed.at(path, t))
		}
	}
	if values, ok := r["enum"].([]any); ok {
		theirs, ok := w["enum"].([]any)
		if !ok {
			theirs = []any{"of any kind"}
		}
		for _, v := range theirs {
			if !slices.ContainsFunc(values, func(o any) bool { return short(o) == short(v) }) {
				out = append(out, enumNarrowed.at(path+"/enum", short(v)))
			}
		}
	}
	rp, _ := r["properties"].(map[string]any)
	wp, _ := w["properties"].(map[string]any)
	needed := stringsOf(w["required"])
	for _, name := range stringsOf(r["required"]) {
		p, _ := rp[name].(map[string]any)
		if _, has := p["default"]; !has && !slices.Contains(needed, name) {
			out = append(out, requiredAdded.at(path+"/required", name))
		}
	}
	closed := r["additionalProperties"] == false
	if closed && w["additionalProperties"] != false {
		out = append(out, additionalClosed.at(path, ""))
	}
	for _, name := range sortedNames(wp) {
		theirs := wp[name]
		if ours, ok := rp[name]; ok {
			out = append(out, compareJSON(ours, theirs, path+"/properties/"+name, depth+1)...)
		} else if closed {
			out = append(out, propertyRemoved.at(path+"/properties/"+name, name))
		}
	}
	if r["items"] != nil && w["items"] != nil {
		out = append(out, compareJSON(r["items"], w["items"], path+"/items", depth+1)...)
	}
	return out
}

// nullable returns the one schema beside null of a oneOf, with null among its types;
// any other schema as it is.
func nullable(s map[string]any) map[string]any {
	either, _ := s["oneOf"].([]any)
	if len(either) != 2 {
		return s
	}
	for i, one := range either {
		null, _ := one.(map[string]any)
		other, ok := either[1-i].(map[string]any)
		types := typesOf(other)
		if !ok || null["type"] != "null" || types == nil {
			continue
		}
		out := maps.Clone(other)
		out["type"] = []any{"null"}
		for _, t := range types {
			out["type"] = append(out["type"].([]any), t)
		}
		return out
	}
	return s
}

func sortedNames(m map[string]any) []string {
	out := make([]string, 0, len(m))
	for name := range m {
		out = append(out, name)
	}
	sort.Strings(out)
	return out
}

// typesOf returns the allowed types; nil for any.
func typesOf(s map[string]any) []string {
	if t, ok := s["type"].(string); ok {
		return []string{t}
	}
	return stringsOf(s["type"])
}

func parseJSON(text string) (any, error) {
	v, err := decodeJSON(text)
	if err != nil {
		return nil, err
	}
	switch v := v.(type) {
	case bool:
	case map[string]any:
		for _, t := range typesOf(v) {
			if !slices.Contains([]string{"null", "boolean", "object", "array", "number", "string", "integer"}, t) {
				return nil, fmt.Errorf("unknown type %q", t)
			}
		}
	default:
		return nil, errors.New("a JSON Schema is an object or a boolean")
	}
	return v, nil
}

func canonicalJSON(text string, v any, normalize bool) (string, error) {
	if normalize {
		return marshal(v)
	}
	var b bytes.Buffer
	err := json.Compact(&b, []byte(text))
	return b.String(), err
}
