package transforms

import (
	"github.com/troupeio/troupe/codec/configdef"
	"github.com/troupeio/troupe/codec/data"
	"github.com/troupeio/troupe/connectors"
)

// setSchemaMetadata gives a schema another name or version.
type setSchemaMetadata struct {
	side                      side
	name                      string
	version                   int32
	changeName, changeVersion bool
	withDefault               bool
	cache                     *data.SchemaCache[*data.Schema]
	arena                     data.StructArena
}

func setSchemaMetadataSpec() spec {
	return spec{
		name: "SetSchemaMetadata", sides: true,
		keys: []configdef.Key{
			{Name: "schema.name", Type: configdef.String, Importance: configdef.High, Doc: "Schema name to set."},
			{Name: "schema.version", Type: configdef.Int, Importance: configdef.High, Doc: "Schema version to set."},
			replaceNullKey(),
		},
		transform: func(side side, c *configdef.Values) (connectors.Transformation, error) {
			t := &setSchemaMetadata{side: side, cache: data.NewSchemaCache[*data.Schema](cachedSchemas)}
			t.name, t.changeName = c.NullableString("schema.name")
			var v int64
			v, t.changeVersion = c.NullableLong("schema.version")
			t.version = int32(v)
			var err error
			if t.withDefault, err = nullDefaults(c); err != nil {
				return nil, err
			}
			if !t.changeName && !t.changeVersion {
				return nil, connectors.ConfigError("Neither schema name nor version configured")
			}
			return t, nil
		},
	}
}

// Apply implements [connectors.Transformation].
func (t *setSchemaMetadata) Apply(r *data.Record) (bool, error) {
	schema, value := t.side.at(r)
	if *schema == nil {
		if value.IsNull() {
			return true, nil
		}
		return false, data.Errorf("Schema required for [updating schema metadata]")
	}
	updated, ok := t.cache.Get(*schema)
	if !ok {
		var err error
		if updated, err = t.update(*schema); err != nil {
			return false, err
		}
		t.cache.Put(*schema, updated)
	}
	if st := value.Struct(); st != nil {
		out, vals := t.arena.New(updated)
		if err := copyStruct(vals, st, updated, t.withDefault); err != nil {
			return false, err
		}
		*value = data.OfStruct(out)
	}
	*schema = updated
	return true, nil
}

// copyStruct is copyFields for a struct whose own schema may have other fields
// than the record's.
func copyStruct(dst []data.Value, st *data.StructValue, s *data.Schema, withDefault bool) error {
	if sameFields(st.Schema(), s) {
		return copyFields(dst, st, withDefault)
	}
	for i := range s.Fields() {
		f := &s.Fields()[i]
		v, err := field(st, f.Name, withDefault)
		if err != nil {
			return err
		}
		if err := data.ValidateField(f.Name, f.Schema, v); err != nil {
			return err
		}
		dst[i] = v
	}
	return nil
}

// field is Struct.get.
func field(st *data.StructValue, name string, withDefault bool) (data.Value, error) {
	f := st.Schema().Field(name)
	if f == nil {
		return data.Null, data.Errorf("%s is not a valid field name", name)
	}
	return fieldValue(st, f.Index, withDefault), nil
}

// sameFields reports whether two struct schemas have the very same fields.
func sameFields(a, b *data.Schema) bool {
	fa, fb := a.Fields(), b.Fields()
	if len(fa) != len(fb) {
		return false
	}
	if len(fa) == 0 || &fa[0] == &fb[0] {
		return true
	}
	for i := range fa {
		if fa[i].Name != fb[i].Name || fa[i].Schema != fb[i].Schema {
			return false
		}
	}
	return true
}

func (t *setSchemaMetadata) update(s *data.Schema) (*data.Schema, error) {
	fields, err := requireFields(s)
	if err != nil {
		return nil, err
	}
	b := data.NewStructSchema().CopyBasics(s).SetOptional(s.Optional())
	if t.changeName {
		b.AnyName(t.name)
	}
	if t.changeVersion {
		b.Version(t.version)
	}
	for _, f := range fields {
		b.Field(f.Name, f.Schema)
	}
	updated, err := b.Build()
	if err != nil {
		return nil, err
	}
	// The default is kept as it is: its struct still has the schema of before.
	return updated.With(updated.Optional(), s.Default()), nil
}
