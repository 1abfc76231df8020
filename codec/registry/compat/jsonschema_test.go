package compat

import (
	"strings"
	"testing"

	"github.com/troupeio/troupe/codec/registry"
)

// kinds are the problems of a comparison as "TYPE path" lines.
func kinds(problems []Problem) string {
	var out []string
	for _, p := range problems {
		out = append(out, p.Type+" "+p.Path)
	}
	return strings.Join(out, "\n")
}

// bothWays compares two versions: backward, the new one reads what the old one wrote;
// forward the reverse.
type bothWays struct{ name, old, new, backward, forward string }

func (b bothWays) check(t *testing.T, typ registry.Type, policy Policy) {
	t.Helper()
	older, newer := parsed(t, typ, b.old), parsed(t, typ, b.new)
	if got := kinds(newer.Reads(older, policy)); got != b.backward {
		t.Errorf("backward\nhave %s\nwant %s", got, b.backward)
	}
	if got := kinds(older.Reads(newer, policy)); got != b.forward {
		t.Errorf("forward\nhave %s\nwant %s", got, b.forward)
	}
	if got := kinds(older.Reads(older, policy)) + kinds(newer.Reads(newer, policy)); got != "" {
		t.Errorf("one that reads its own: %s", got)
	}
}

func TestJSON(t *testing.T) {
	const a, b = `"a":{"type":"string"}`, `"b":{"type":"integer"}`
	const closed, partly = `"additionalProperties":false`, `"additionalProperties":{"type":"string"}`
	object := func(properties string, more ...string) string {
		return `{"type":"object","properties":{` + properties + `}` + strings.Join(append([]string{""}, more...), ",") + `}`
	}
	array := func(more string) string { return `{"type":"array",` + more + `}` }
	for _, tt := range []bothWays{
		// Content models.
		{"property, open", object(a), object(a + "," + b), "PROPERTY_ADDED_TO_OPEN_CONTENT_MODEL #/properties/b", ""},
		{"property of any kind, open", object(a), object(a + `,"b":{}`), "", ""},
		{"property, closed", object(a, closed), object(a+","+b, closed), "", "PROPERTY_REMOVED_FROM_CLOSED_CONTENT_MODEL #/properties/b"},
		{"forbidden property, closed", object(a, closed), object(a+`,"b":false`, closed), "", ""},
		{"required property, closed", object(a, closed), object(a+","+b, closed, `"required":["b"]`),
			"REQUIRED_PROPERTY_ADDED_TO_UNOPEN_CONTENT_MODEL #/properties/b", "PROPERTY_REMOVED_FROM_CLOSED_CONTENT_MODEL #/properties/b"},
		{"required property with default, closed", object(a, closed), object(a+`,"b":{"type":"integer","default":1}`, closed, `"required":["b"]`),
			"", "PROPERTY_REMOVED_FROM_CLOSED_CONTENT_MODEL #/properties/b"},
		{"property that is covered", object(a, partly), object(a+`,"b":{"type":"string"}`, partly), "", ""},
		{"property that is not covered", object(a, partly), object(a+","+b, partly),
			"TYPE_CHANGED #/properties/b\nPROPERTY_ADDED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL #/properties/b",
			"TYPE_CHANGED #/properties/b\nPROPERTY_REMOVED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL #/properties/b"},
		{"property that a pattern covers", object(a, `"patternProperties":{"^b":{"type":"integer"}}`, closed), object(a+","+b, `"patternProperties":{"^b":{"type":"integer"}}`, closed), "", ""},
		{"property that a pattern does not cover", object(a, `"patternProperties":{"^b":{"type":"string"}}`, closed), object(a+","+b, `"patternProperties":{"^b":{"type":"string"}}`, closed),
			"TYPE_CHANGED #/properties/b\nPROPERTY_ADDED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL #/properties/b",
			"TYPE_CHANGED #/properties/b\nPROPERTY_REMOVED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL #/properties/b"},
		{"closed", object(a), object(a, closed), "ADDITIONAL_PROPERTIES_REMOVED #/additionalProperties", ""},
		{"partly open", object(a), object(a, partly), "ADDITIONAL_PROPERTIES_NARROWED #/additionalProperties", ""},
		{"partly open otherwise", object(a, partly), object(a, `"additionalProperties":{"type":"number"}`), "TYPE_CHANGED #/additionalProperties", "TYPE_CHANGED #/additionalProperties"},
		{"nested property, open", object(`"o":` + object(a)), object(`"o":` + object(a+","+b)), "PROPERTY_ADDED_TO_OPEN_CONTENT_MODEL #/properties/o/properties/b", ""},
		// Objects.
		{"required", object(a), object(a, `"required":["a"]`), "REQUIRED_ATTRIBUTE_ADDED #/required/a", ""},
		{"required with default", object(a), object(`"a":{"type":"string","default":""}`, `"required":["a"]`), "", ""},
		{"maxProperties", object(a), object(a, `"maxProperties":3`), "MAX_PROPERTIES_ADDED #/maxProperties", ""},
		{"fewer properties", object(a, `"maxProperties":4`), object(a, `"maxProperties":3`), "MAX_PROPERTIES_DECREASED #/maxProperties", ""},
		{"minProperties", object(a), object(a, `"minProperties":3`), "MIN_PROPERTIES_ADDED #/minProperties", ""},
		{"more properties", object(a, `"minProperties":3`), object(a, `"minProperties":4`), "MIN_PROPERTIES_INCREASED #/minProperties", ""},
		{"dependency", object(a), object(a, `"dependencies":{"a":["b"]}`), "DEPENDENCY_ARRAY_ADDED #/dependencies/a", ""},
		{"longer dependency", object(a, `"dependencies":{"a":["b"]}`), object(a, `"dependencies":{"a":["b","c"]}`), "DEPENDENCY_ARRAY_EXTENDED #/dependencies/a", ""},
		{"other dependency", object(a, `"dependencies":{"a":["b"]}`), object(a, `"dependencies":{"a":["c"]}`), "DEPENDENCY_ARRAY_CHANGED #/dependencies/a", "DEPENDENCY_ARRAY_CHANGED #/dependencies/a"},
		{"dependent schema", object(a), object(a, `"dependencies":{"a":`+object(b)+`}`), "DEPENDENCY_SCHEMA_ADDED #/dependencies/a", ""},
		{"other dependent schema", object(a, `"dependencies":{"a":{"maxProperties":3}}`), object(a, `"dependencies":{"a":{"maxProperties":2}}`), "MAX_PROPERTIES_DECREASED #/dependencies/a/maxProperties", ""},
		// Scalars.
		{"type", `{"type":"string"}`, `{"type":"boolean"}`, "TYPE_CHANGED #/", "TYPE_CHANGED #/"},
		{"integer to number", `{"type":"integer"}`, `{"type":"number"}`, "", "TYPE_NARROWED #/"},
		{"to anything", `{"type":"integer"}`, `{}`, "", "TYPE_CHANGED #/"},
		{"to nothing", `false`, `{"type":"integer"}`, "", "TYPE_CHANGED #/"},
		{"one more type", `{"type":"string"}`, `{"type":["string","null"]}`, "", "TYPE_CHANGED #/"},
		{"two more types", `{"type":["string","null"]}`, `{"type":["string","boolean","null"]}`, "", "SUM_TYPE_NARROWED #/"},
		{"maxLength", `{"type":"string"}`, `{"type":"string","maxLength":3}`, "MAX_LENGTH_ADDED #/maxLength", ""},
		{"shorter", `{"type":"string","maxLength":4}`, `{"type":"string","maxLength":3}`, "MAX_LENGTH_DECREASED #/maxLength", ""},
		{"minLength", `{"type":"string"}`, `{"type":"string","minLength":3}`, "MIN_LENGTH_ADDED #/minLength", ""},
		{"longer", `{"type":"string","minLength":3}`, `{"type":"string","minLength":4}`, "MIN_LENGTH_INCREASED #/minLength", ""},
		{"pattern", `{"type":"string"}`, `{"type":"string","pattern":"a"}`, "PATTERN_ADDED #/pattern", ""},
		{"other pattern", `{"type":"string","pattern":"b"}`, `{"type":"string","pattern":"a"}`, "PATTERN_CHANGED #/pattern", "PATTERN_CHANGED #/pattern"},
		{"maximum", `{"type":"number"}`, `{"type":"number","maximum":3}`, "MAXIMUM_ADDED #/maximum", ""},
		{"lower maximum", `{"type":"number","maximum":4}`, `{"type":"number","maximum":3}`, "MAXIMUM_DECREASED #/maximum", ""},
		{"minimum", `{"type":"number"}`, `{"type":"number","minimum":3}`, "MINIMUM_ADDED #/minimum", ""},
		{"higher minimum", `{"type":"number","minimum":3}`, `{"type":"number","minimum":4}`, "MINIMUM_INCREASED #/minimum", ""},
		{"exclusiveMaximum", `{"type":"number"}`, `{"type":"number","exclusiveMaximum":3}`, "EXCLUSIVE_MAXIMUM_ADDED #/exclusiveMaximum", ""},
		{"lower exclusiveMaximum", `{"type":"number","exclusiveMaximum":4}`, `{"type":"number","exclusiveMaximum":3}`, "EXCLUSIVE_MAXIMUM_DECREASED #/exclusiveMaximum", ""},
		{"exclusiveMinimum", `{"type":"number"}`, `{"type":"number","exclusiveMinimum":3}`, "EXCLUSIVE_MINIMUM_ADDED #/exclusiveMinimum", ""},
		{"higher exclusiveMinimum", `{"type":"number","exclusiveMinimum":3}`, `{"type":"number","exclusiveMinimum":4}`, "EXCLUSIVE_MINIMUM_INCREASED #/exclusiveMinimum", ""},
		{"multipleOf", `{"type":"number"}`, `{"type":"number","multipleOf":3}`, "MULTIPLE_OF_ADDED #/multipleOf", ""},
		{"larger multiples", `{"type":"number","multipleOf":3}`, `{"type":"number","multipleOf":6}`, "MULTIPLE_OF_EXPANDED #/multipleOf", ""},
		{"other multiples", `{"type":"number","multipleOf":4}`, `{"type":"number","multipleOf":6}`, "MULTIPLE_OF_CHANGED #/multipleOf", "MULTIPLE_OF_CHANGED #/multipleOf"},
		{"enum", `{"enum":["a","b"]}`, `{"enum":["a"]}`, "ENUM_ARRAY_NARROWED #/enum", ""},
		{"other enum", `{"enum":["a","b"]}`, `{"enum":["a",1]}`, "ENUM_ARRAY_CHANGED #/enum", "ENUM_ARRAY_CHANGED #/enum"},
		{"enum with a type", `{"type":"string","enum":["a","b"]}`, `{"type":"string","enum":["a"]}`, "COMBINED_TYPE_SUBSCHEMAS_CHANGED #/", ""},
		{"const", `{"const":1}`, `{"const":2}`, "ENUM_ARRAY_CHANGED #/const", "ENUM_ARRAY_CHANGED #/const"},
		{"what says nothing of data", `{"type":"string","title":"a","description":"b","default":"c","connect.index":1}`, `{"type":"string","connect.index":2}`, "", ""},
		// Arrays.
		{"items", array(`"items":{"type":"integer"}`), array(`"items":{"type":"number"}`), "", "TYPE_NARROWED #/items"},
		{"items of a kind", array(`"minItems":0`), array(`"minItems":0,"items":{"type":"number"}`), "SCHEMA_ADDED #/items", ""},
		{"maxItems", array(`"minItems":0`), array(`"minItems":0,"maxItems":3`), "MAX_ITEMS_ADDED #/maxItems", ""},
		{"fewer items", array(`"maxItems":4`), array(`"maxItems":3`), "MAX_ITEMS_DECREASED #/maxItems", ""},
		{"minItems", array(`"maxItems":4`), array(`"maxItems":4,"minItems":3`), "MIN_ITEMS_ADDED #/minItems", ""},
		{"more items", array(`"minItems":3`), array(`"minItems":4`), "MIN_ITEMS_INCREASED #/minItems", ""},
		{"uniqueItems", array(`"uniqueItems":false`), array(`"uniqueItems":true`), "UNIQUE_ITEMS_ADDED #/uniqueItems", ""},
		{"item, open", array(`"items":[{"type":"string"}]`), array(`"items":[{"type":"string"},{"type":"number"}]`), "ITEM_ADDED_TO_OPEN_CONTENT_MODEL #/items/1", ""},
		{"item of any kind, open", array(`"items":[{"type":"string"}]`), array(`"items":[{"type":"string"},{}]`), "", ""},
		{"item, closed", array(`"items":[{"type":"string"}],"additionalItems":false`), array(`"items":[{"type":"string"},{"type":"number"}],"additionalItems":false`),
			"", "ITEM_REMOVED_FROM_CLOSED_CONTENT_MODEL #/items/1"},
		{"item that is covered", array(`"items":[{"type":"string"}],"additionalItems":{"type":"number"}`), array(`"items":[{"type":"string"},{"type":"number"}],"additionalItems":{"type":"number"}`), "", ""},
		{"item that is not covered", array(`"items":[{"type":"string"}],"additionalItems":{"type":"string"}`), array(`"items":[{"type":"string"},{"type":"number"}],"additionalItems":{"type":"string"}`),
			"TYPE_CHANGED #/items/1\nITEM_ADDED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL #/items/1",
			"TYPE_CHANGED #/items/1\nITEM_REMOVED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL #/items/1"},
		{"additionalItems", array(`"items":[{"type":"string"}]`), array(`"items":[{"type":"string"}],"additionalItems":false`), "ADDITIONAL_ITEMS_REMOVED #/additionalItems", ""},
		{"additionalItems of a kind", array(`"items":[{"type":"string"}]`), array(`"items":[{"type":"string"}],"additionalItems":{"type":"number"}`), "ADDITIONAL_ITEMS_NARROWED #/additionalItems", ""},
		// Combinations.
		{"oneOf grows", `{"oneOf":[{"type":"string"},{"type":"null"}]}`, `{"oneOf":[{"type":"null"},{"type":"boolean"},{"type":"string"}]}`, "", "SUM_TYPE_NARROWED #/"},
		{"oneOf changes", `{"oneOf":[{"type":"string"},{"type":"null"}]}`, `{"oneOf":[{"type":"null"},{"type":"boolean"}]}`, "COMBINED_TYPE_SUBSCHEMAS_CHANGED #/", "COMBINED_TYPE_SUBSCHEMAS_CHANGED #/"},
		{"two for one", `{"oneOf":[{"type":"integer"},{"type":"number"}]}`, `{"oneOf":[{"type":"number"},{"type":"string"}]}`, "COMBINED_TYPE_SUBSCHEMAS_CHANGED #/", "COMBINED_TYPE_SUBSCHEMAS_CHANGED #/"},
		{"optional now", `{"type":"integer"}`, `{"oneOf":[{"type":"null"},{"type":"number"}]}`, "", "TYPE_CHANGED #/"},
		{"one of one", `{"type":"integer"}`, `{"oneOf":[{"type":"integer"}]}`, "", ""},
		{"allOf grows", `{"allOf":[{"maxLength":3},{"minLength":1}]}`, `{"allOf":[{"maxLength":3},{"minLength":1},{"pattern":"a"}]}`, "PRODUCT_TYPE_EXTENDED #/", ""},
		{"allOf begins", `{"type":"string","maxLength":3}`, `{"allOf":[{"type":"string","maxLength":3},{"type":"string","minLength":1}]}`, "TYPE_CHANGED #/", ""},
		{"allOf to anyOf", `{"allOf":[{"maxLength":3},{"minLength":1}]}`, `{"anyOf":[{"maxLength":3},{"minLength":1}]}`, "", "COMBINED_TYPE_CHANGED #/"},
		{"not", `{"not":{"type":"integer"}}`, `{"not":{"type":"number"}}`, "NOT_TYPE_EXTENDED #/not", ""},
		// References.
		{"to a place", `{"definitions":{"x":{"type":"string"}},"properties":{"a":{"$ref":"#/definitions/x"}}}`, `{"properties":{"a":{"type":"boolean"}}}`, "TYPE_CHANGED #/properties/a", "TYPE_CHANGED #/properties/a"},
		{"to a place with odd names", `{"definitions":{"x/y ~z":{"type":"string"}},"properties":{"a":{"$ref":"#/definitions/x~1y%20~0z"}}}`, `{"properties":{"a":{"type":"string"}}}`, "", ""},
		{"to itself", `{"properties":{"next":{"$ref":"#"},"v":{"type":"integer"}}}`, `{"properties":{"next":{"$ref":"#"},"v":{"type":"number"}}}`, "", "TYPE_NARROWED #/properties/v"},
		{"to an id", `{"$defs":{"x":{"$id":"http://a/x","type":"string"}},"properties":{"a":{"$ref":"http://a/x"}}}`, `{"$id":"http://a/y","$defs":{"x":{"$id":"http://a/x","type":"string"}},"properties":{"a":{"$ref":"x"}}}`, "", ""},
		{"to an anchor", `{"$defs":{"x":{"$anchor":"x","type":"string"}},"$ref":"#x"}`, `{"type":"string"}`, "", ""},
		{"to nothing but itself", `{"$ref":"#"}`, `{"type":"string"}`, "TYPE_CHANGED #/", ""},
	} {
		t.Run(tt.name, func(t *testing.T) { tt.check(t, registry.JSON, Strict) })
	}
	for _, tt := range []bothWays{
		{"property, open", object(a), object(a + "," + b), "", ""},
		{"property, closed", object(a, closed), object(a+","+b, closed), "", "PROPERTY_REMOVED_FROM_CLOSED_CONTENT_MODEL #/properties/b"},
		{"required property, closed", object(a, closed), object(a+","+b, closed, `"required":["b"]`),
			"REQUIRED_PROPERTY_ADDED_TO_UNOPEN_CONTENT_MODEL #/properties/b", "PROPERTY_REMOVED_FROM_CLOSED_CONTENT_MODEL #/properties/b"},
		{"closed", object(a), object(a, closed), "", ""},
		{"partly open", object(a), object(a, partly), "", ""},
		{"type", object(a), object(`"a":{"type":"integer"}`), "TYPE_CHANGED #/properties/a", "TYPE_CHANGED #/properties/a"},
		{"property, in a combination", `{"allOf":[` + object(a) + `,{"type":"object","minProperties":1}]}`, `{"allOf":[` + object(a+","+b) + `,{"type":"object","minProperties":1}]}`, "", ""},
	} {
		t.Run("lenient, "+tt.name, func(t *testing.T) { tt.check(t, registry.JSON, Lenient) })
	}
}

// TestJSONReferences: schemas may refer to others of the registry, by name or address.
func TestJSONReferences(t *testing.T) {
	dep := func(typ string) registry.Dependency {
		return registry.Dependency{Reference: registry.Reference{Name: "x.json"}, Schema: &registry.Schema{Text: `{"$id":"http://a/x.json","definitions":{"y":{"type":"` + typ + `"}}}`}}
	}
	for _, ref := range []string{"x.json#/definitions/y", "http://a/x.json#/definitions/y"} {
		text := `{"properties":{"a":{"$ref":"` + ref + `"}}}`
		wide, narrow := parsed(t, registry.JSON, text, dep("number")), parsed(t, registry.JSON, text, dep("integer"))
		if got := kinds(wide.Reads(narrow, Strict)); got != "" {
			t.Error(got)
		}
		if got := kinds(narrow.Reads(wide, Strict)); got != "TYPE_NARROWED #/properties/a" {
			t.Error(got)
		}
		if _, err := Parse(&registry.Schema{Type: registry.JSON, Text: text}, nil); err == nil || err.Error() != "cannot resolve the reference "+ref {
			t.Error(err)
		}
	}
}

// TestJSONSize: combinations in combinations, and schemas that contain each other, are
// compared in the end.
func TestJSONSize(t *testing.T) {
	deep := `{"type":"string"}`
	for range 40 {
		deep = `{"anyOf":[` + deep + `,{"type":"null"}],"minProperties":1}`
	}
	both := strings.Repeat(`{"anyOf":[{"type":"null"},{"properties":{"x":{"$ref":"#"},"y":`, 30) + `{"$ref":"#"}` + strings.Repeat(`}}]}`, 30)
	for _, text := range []string{deep, both} {
		p := parsed(t, registry.JSON, text)
		if got := p.Reads(p, Strict); len(got) > 0 {
			t.Errorf("%d problems with itself, the first %s", len(got), got[0])
		}
		p.Reads(parsed(t, registry.JSON, strings.Replace(text, `"null"`, `"boolean"`, 1)), Strict)
	}
}

// TestJSONWords: what the registry says.
func TestJSONWords(t *testing.T) {
	for _, tt := range []struct{ old, new, want string }{
		{`{"properties":{}}`, `{"properties":{"a":{"type":"string"}}}`, "The new schema has an open content model and has a property or item at path '#/properties/a' which is missing in the old schema"},
		{`{"properties":{"a":{"type":"string"}}}`, `{"properties":{"a":{"type":"null"}}}`, "A type at path '#/properties/a' is different between the new schema and the old schema"},
		{`{"type":"object"}`, `{"type":"object","additionalProperties":false}`, "The keyword at path '#/additionalProperties' in the new schema is not present in the old schema"},
		{`{"minLength":1}`, `{"minLength":2}`, "The value at path '#/minLength' in the new schema is more than its value in the old schema"},
		{`{"maxLength":2}`, `{"maxLength":1}`, "The value at path '#/maxLength' in the new schema is less than its value in the old schema"},
		{`{"pattern":"a"}`, `{"pattern":"b"}`, "The value at path '#/pattern' is different between the new and old schema"},
		{`{"enum":[1,2]}`, `{"enum":[1]}`, "An array or combined type at path '#/enum' has fewer elements in the new schema than the old schema"},
		{`{"dependencies":{"a":["b"]}}`, `{"dependencies":{"a":["b","c"]}}`, "An array or combined type at path '#/dependencies/a' has more elements in the new schema than the old schema"},
	} {
		problems := parsed(t, registry.JSON, tt.new).Reads(parsed(t, registry.JSON, tt.old), Strict)
		if len(problems) != 1 || problems[0].Describe("new", "old") != tt.want {
			t.Errorf("%s after %s: %v, want %s", tt.new, tt.old, problems, tt.want)
		}
	}
}
