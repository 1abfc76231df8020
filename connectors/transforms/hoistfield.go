package transforms

import (
	"github.com/troupeio/troupe/codec/configdef"
	"github.com/troupeio/troupe/codec/data"
	"github.com/troupeio/troupe/connectors"
)

// hoistField wraps the key or value into a struct or map with one field.
type hoistField struct {
	side  side
	field string
	key   data.Value // of the map: the field's name, null when that is null
	cache *data.SchemaCache[*data.Schema]
	arena data.StructArena
}

func hoistFieldSpec() spec {
	return spec{
		name: "HoistField", sides: true,
		paths: []string{"hoisted"},
		keys: []configdef.Key{
			{Name: "field", Type: configdef.String, Default: configdef.Required, Importance: configdef.Medium,
				Doc: "Field name for the single field that will be created in the resulting Struct or Map."},
			{Name: "hoisted", Type: configdef.String, Importance: configdef.Medium, Group: ownGroup,
				Doc: "Path of the field that is hoisted where it stands. Without it the whole is. It needs field.syntax.version=V2."},
			addedSyntaxKey(),
		},
		transform: func(side side, c *configdef.Values) (connectors.Transformation, error) {
			field, ok := c.NullableString("field")
			t := &hoistField{side: side, field: field, cache: data.NewSchemaCache[*data.Schema](cachedSchemas)}
			if ok {
				t.key = data.OfString(field)
			}
			return t.withPaths(c)
		},
	}
}

// Apply implements [connectors.Transformation].
func (t *hoistField) Apply(r *data.Record) (bool, error) {
	schema, value := t.side.at(r)
	if *schema == nil {
		*value = data.OfMap(data.NewMap([]data.MapEntry{{Key: t.key, Value: *value}}))
		return true, nil
	}
	updated, ok := t.cache.Get(*schema)
	if !ok {
		var err error
		if updated, err = data.NewStructSchema().Field(t.field, *schema).Build(); err != nil {
			return false, err
		}
		t.cache.Put(*schema, updated)
	}
	if !data.Valid(*schema, *value) {
		return false, data.ValidateField(t.field, *schema, *value)
	}
	st, vals := t.arena.New(updated)
	vals[0] = *value
	*schema, *value = updated, data.OfStruct(st)
	return true, nil
}
