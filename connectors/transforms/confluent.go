package transforms

import (
	"strings"

	"github.com/troupeio/troupe/codec/configdef"
	"github.com/troupeio/troupe/codec/data"
	"github.com/troupeio/troupe/codec/jsonpath"
	"github.com/troupeio/troupe/connectors"
)

// confluentPkg is the package of the transforms that Confluent gives away beside
// Kafka's. These are written after their public documentation.
const confluentPkg = "io.confluent.connect.transforms."

// confluentSpecs returns the classes of confluentPkg in the order of their names.
func confluentSpecs() []spec {
	out := []spec{dropSpec(), extractTopicSpec(), conditionFilterSpec(), messageTimestampRouterSpec(), nestedReplaceSpec(), tombstoneHandlerSpec()}
	for i := range out {
		out[i].pkg = confluentPkg
	}
	return out
}

// drop makes the key or value null.
type drop struct {
	side     side
	behavior string
	cache    *data.SchemaCache[*data.Schema]
}

func dropSpec() spec {
	return spec{
		name: "Drop", sides: true,
		keys: []configdef.Key{{Name: "schema.behavior", Type: configdef.String, Default: "nullify", Importance: configdef.Medium,
			Validator: configdef.OneOfAnyCase("nullify", "retain", "validate", "force_optional"),
			Doc: "What becomes of the schema, if there is one: `nullify` makes it null, `retain` leaves it, `validate` leaves it and fails if it is not optional, " +
				"`force_optional` makes it optional."}},
		transform: func(side side, c *configdef.Values) (connectors.Transformation, error) {
			return &drop{side: side, behavior: strings.ToLower(c.String("schema.behavior")), cache: data.NewSchemaCache[*data.Schema](cachedSchemas)}, nil
		},
	}
}

// Apply implements [connectors.Transformation].
func (t *drop) Apply(r *data.Record) (bool, error) {
	schema, value := t.side.at(r)
	if *schema != nil {
		switch t.behavior {
		case "nullify":
			*schema = nil
		case "validate":
			if !(*schema).Optional() {
				return false, data.Errorf("The schema %s is not optional and schema.behavior is validate", *schema)
			}
		case "force_optional":
			*schema = t.optional(*schema)
		}
	}
	*value = data.Null
	return true, nil
}

func (t *drop) optional(s *data.Schema) *data.Schema {
	if s.Optional() {
		return s
	}
	out, ok := t.cache.Get(s)
	if !ok {
		out = s.With(true, s.Default())
		t.cache.Put(s, out)
	}
	return out
}

// conditionFilter keeps or drops the records that a JSONPath finds something in.
type conditionFilter struct {
	side    side
	path    *jsonpath.Path
	include bool   // what is found stays, the rest goes
	missing string // fail, include or exclude
}

func conditionFilterSpec() spec {
	return spec{
		name: "Filter", sides: true,
		keys: []configdef.Key{
			{Name: "filter.condition", Type: configdef.String, Default: configdef.Required, Importance: configdef.High,
				Validator: configdef.Lambda(func(name string, value any) error {
					text, _ := value.(string)
					if _, err := jsonpath.Compile(text); err != nil {
						return invalidValue(name, text, err.Error())
					}
					return nil
				}, "a JSONPath"),
				Doc: "JSONPath of the records that match: those in which it finds something."},
			{Name: "filter.type", Type: configdef.String, Default: configdef.Required, Importance: configdef.High,
				Validator: configdef.OneOfAnyCase("include", "exclude"), Doc: "Whether the records that match are kept (`include`) or dropped (`exclude`)."},
			{Name: "missing.or.null.behavior", Type: configdef.String, Default: "fail", Importance: configdef.Medium,
				Validator: configdef.OneOfAnyCase("fail", "include", "exclude"),
				Doc: "What becomes of a record that lacks a field which the path names, or has null there: an error (`fail`), it is kept (`include`) or dropped (`exclude`). " +
					"Fields within [?()] are no part of this: what they lack they do not match."},
		},
		transform: func(side side, c *configdef.Values) (connectors.Transformation, error) {
			path, err := jsonpath.Compile(c.String("filter.condition"))
			if err != nil {
				return nil, err
			}
			return &conditionFilter{side: side, path: path, include: strings.EqualFold(c.String("filter.type"), "include"),
				missing: strings.ToLower(c.String("missing.or.null.behavior"))}, nil
		},
	}
}

// Apply implements [connectors.Transformation].
func (t *conditionFilter) Apply(r *data.Record) (bool, error) {
	_, value := t.side.at(r)
	found, ok, err := t.path.Find(*value)
	switch {
	case err != nil:
		return false, data.Errorf("filter.condition %s: %v", t.path, err)
	case !ok || t.path.Definite() && found[0].IsNull():
		if t.missing == "fail" {
			return false, data.Errorf("filter.condition %s: the record has no such field, or null in it", t.path)
		}
		return t.missing == "include", nil
	}
	return (len(found) > 0) == t.include, nil
}

// nestedReplaceSpec is ReplaceField with dotted paths throughout.
func nestedReplaceSpec() spec {
	s := replaceFieldSpec()
	s.keys = []configdef.Key{
		{Name: "exclude", Type: configdef.List, Default: []string{}, Importance: configdef.Medium,
			Doc: "Fields to leave out, as paths with dots. This goes before include."},
		{Name: "include", Type: configdef.List, Default: []string{}, Importance: configdef.Medium,
			Doc: "Fields to keep, as paths with dots; all others are left out."},
		{Name: "renames", Type: configdef.List, Default: []string{}, Importance: configdef.Medium, Validator: s.keys[2].Validator,
			Doc: "New names of fields: foo.bar:baz calls the field bar in foo baz."},
		replaceNullKey(),
	}
	s.transform = func(side side, c *configdef.Values) (connectors.Transformation, error) {
		pairs, err := parseRenames(c.List("renames"))
		if err != nil {
			return nil, err
		}
		return replaceWithPaths(side, c.List("exclude"), c.List("include"), pairs, c.Bool(replaceNull))
	}
	return s
}
