package transforms

import (
	"github.com/troupeio/troupe/codec/configdef"
	"github.com/troupeio/troupe/codec/data"
	"github.com/troupeio/troupe/connectors"
)

const insertPurpose = "field insertion"

// insertField adds metadata of the record, or a fixed text, as fields.
type insertField struct {
	side                                side
	topic, partition, offset, ts, fixed *insertion
	text                                data.Value // of the fixed field
	withDefault                         bool
	cache                               *data.SchemaCache[*data.Schema]
}

// insertion is one field to insert.
type insertion struct {
	name     string
	optional bool
}

// parseInsertion reads a name with its suffix: "!" for a required field, "?" for
// an optional one, which is the default.
func parseInsertion(c *configdef.Values, setting string) *insertion {
	name, ok := c.NullableString(setting)
	if !ok {
		return nil
	}
	if n := len(name); n > 0 {
		switch name[n-1] {
		case '?':
			return &insertion{name[:n-1], true}
		case '!':
			return &insertion{name[:n-1], false}
		}
	}
	return &insertion{name, true}
}

func insertFieldSpec() spec {
	const suffix = " Suffix with <code>!</code> to make this a required field, or <code>?</code> to keep it optional (the default)."
	key := func(name, doc string) configdef.Key {
		return configdef.Key{Name: name, Type: configdef.String, Importance: configdef.Medium, Doc: doc}
	}
	return spec{
		name: "InsertField", sides: true,
		keys: []configdef.Key{
			key("topic.field", "Field name for Kafka topic."+suffix),
			key("partition.field", "Field name for Kafka partition."+suffix),
			key("offset.field", "Field name for Kafka offset - only applicable to sink connectors.<br/>"+suffix[1:]),
			key("timestamp.field", "Field name for record timestamp."+suffix),
			key("static.field", "Field name for static data field."+suffix),
			key("static.value", "Static field value, if field name configured."),
			replaceNullKey(),
		},
		transform: func(side side, c *configdef.Values) (connectors.Transformation, error) {
			t := &insertField{
				side: side, topic: parseInsertion(c, "topic.field"), partition: parseInsertion(c, "partition.field"),
				offset: parseInsertion(c, "offset.field"), ts: parseInsertion(c, "timestamp.field"), fixed: parseInsertion(c, "static.field"),
				withDefault: c.Bool(replaceNull), cache: data.NewSchemaCache[*data.Schema](cachedSchemas),
			}
			if t.topic == nil && t.partition == nil && t.offset == nil && t.ts == nil && t.fixed == nil {
				return nil, connectors.ConfigError("No field insertion configured")
			}
			text, ok := c.NullableString("static.value")
			if t.fixed != nil && !ok {
				// Java prints the object, which has no text form of its own.
				return nil, invalidValue("static.value", "null", "No value specified for static field: "+pkg+"InsertField$InsertionSpec@0")
			}
			t.text = data.OfString(text)
			return t, nil
		},
	}
}

// Apply implements [connectors.Transformation].
func (t *insertField) Apply(r *data.Record) (bool, error) {
	schema, value := t.side.at(r)
	switch {
	case value.IsNull():
		return true, nil
	case *schema == nil:
		m, err := requireMap(*value, insertPurpose)
		if err != nil {
			return false, err
		}
		b := data.CopyMap(m, 5)
		if err := t.insert(r, func(f *insertion, v data.Value) error {
			if f == t.ts {
				v = data.OfInt64(r.Timestamp)
			}
			b.PutString(f.name, v)
			return nil
		}); err != nil {
			return false, err
		}
		*value = data.OfMap(b.Build())
		return true, nil
	}
	st, err := requireStruct(*value, insertPurpose)
	if err != nil {
		return false, err
	}
	updated, ok := t.cache.Get(st.Schema())
	if !ok {
		if updated, err = t.schema(st.Schema()); err != nil {
			return false, err
		}
		t.cache.Put(st.Schema(), updated)
	}
	out, vals := data.AllocStruct(updated)
	if err := copyFields(vals, st, t.withDefault); err != nil {
		return false, err
	}
	n := len(st.Values())
	if t.fixed != nil && len(vals) == n+1 { // the one field is the fixed text
		vals[n] = t.text
	} else if err := t.insert(r, func(f *insertion, v data.Value) error {
		if v.IsNull() && !f.optional {
			return data.ValidateField(f.name, updated.Field(f.name).Schema, v)
		}
		vals[updated.Field(f.name).Index] = v
		return nil
	}); err != nil {
		return false, err
	}
	*schema, *value = updated, data.OfStruct(out)
	return true, nil
}

// insert calls put with each field that has something to insert.
func (t *insertField) insert(r *data.Record, put func(f *insertion, v data.Value) error) error {
	if t.topic != nil {
		v := data.Null
		if r.Topic != "" {
			v = data.OfString(r.Topic)
		}
		if err := put(t.topic, v); err != nil {
			return err
		}
	}
	if t.partition != nil && r.Partition != data.NoPartition {
		if err := put(t.partition, data.OfInt32(r.Partition)); err != nil {
			return err
		}
	}
	if t.offset != nil {
		if !r.Sink {
			return data.Errorf("Only SinkRecord supported for [%s], found: org.apache.kafka.connect.source.SourceRecord", insertPurpose)
		}
		if err := put(t.offset, data.OfInt64(r.Offset)); err != nil {
			return err
		}
	}
	if t.ts != nil && r.Timestamp != data.NoTimestamp {
		if err := put(t.ts, data.OfDate(r.Timestamp)); err != nil {
			return err
		}
	}
	if t.fixed != nil {
		return put(t.fixed, t.text)
	}
	return nil
}

func (t *insertField) schema(s *data.Schema) (*data.Schema, error) {
	b := data.NewStructSchema().CopyBasics(s)
	for _, f := range s.Fields() {
		b.Field(f.Name, f.Schema)
	}
	add := func(f *insertion, required, optional *data.Schema) {
		switch {
		case f == nil:
		case f.optional:
			b.Field(f.name, optional)
		default:
			b.Field(f.name, required)
		}
	}
	add(t.topic, data.StringSchema, data.OptionalStringSchema)
	add(t.partition, data.Int32Schema, data.OptionalInt32Schema)
	add(t.offset, data.Int64Schema, data.OptionalInt64Schema)
	add(t.ts, data.TimestampSchema, data.OptionalTimestampSchema)
	add(t.fixed, data.StringSchema, data.OptionalStringSchema)
	return b.Build()
}
