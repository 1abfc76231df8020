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
	arena                               data.StructArena
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
		paths: []string{"topic.field", "partition.field", "offset.field", "timestamp.field", "static.field"},
		keys: []configdef.Key{
			key("topic.field", "Field name for Kafka topic."+suffix),
			key("partition.field", "Field name for Kafka partition."+suffix),
			key("offset.field", "Field name for Kafka offset - only applicable to sink connectors.<br/>"+suffix[1:]),
			key("timestamp.field", "Field name for record timestamp."+suffix),
			key("static.field", "Field name for static data field."+suffix),
			key("static.value", "Static field value, if field name configured."),
			replaceNullKey(), addedSyntaxKey(),
		},
		transform: func(side side, c *configdef.Values) (connectors.Transformation, error) {
			t := &insertField{
				side: side, topic: parseInsertion(c, "topic.field"), partition: parseInsertion(c, "partition.field"),
				offset: parseInsertion(c, "offset.field"), ts: parseInsertion(c, "timestamp.field"), fixed: parseInsertion(c, "static.field"),
				cache: data.NewSchemaCache[*data.Schema](cachedSchemas),
			}
			var err error
			if t.withDefault, err = nullDefaults(c); err != nil {
				return nil, err
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
			if usesPaths(c) {
				return t.withPaths()
			}
			return t, nil
		},
	}
}

// Apply implements [connectors.Transformation].
func (t *insertField) Apply(r *data.Record) (bool, error) {
	var room [5]inserted
	schema, value := t.side.at(r)
	switch {
	case value.IsNull():
		return true, nil
	case *schema == nil:
		m, err := requireMap(*value, insertPurpose)
		if err != nil {
			return false, err
		}
		ins, err := t.values(r, room[:0])
		if err != nil {
			return false, err
		}
		b := data.CopyMap(m, len(ins))
		for _, i := range ins {
			v := i.value
			if i.insertion == t.ts {
				v = data.OfInt64(r.Timestamp) // no schema says that it is a time
			}
			b.PutString(i.name, v)
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
	out, vals := t.arena.New(updated)
	if err := copyFields(vals, st, t.withDefault); err != nil {
		return false, err
	}
	ins, err := t.values(r, room[:0])
	for _, i := range ins {
		slot := t.slot(len(st.Values()), i.insertion)
		if i.value.IsNull() && !i.optional {
			return false, data.ValidateField(i.name, updated.Fields()[slot].Schema, i.value)
		}
		vals[slot] = i.value
	}
	if err != nil {
		return false, err
	}
	*schema, *value = updated, data.OfStruct(out)
	return true, nil
}

// inserted is one field to insert, with its value for one record.
type inserted struct {
	*insertion
	value data.Value
}

// values appends the fields for which there is something to insert, in Kafka
// Connect's order. With an error it has those before the one that failed.
func (t *insertField) values(r *data.Record, to []inserted) ([]inserted, error) {
	if t.topic != nil {
		v := data.Null
		if r.Topic != "" {
			v = data.OfString(r.Topic)
		}
		to = append(to, inserted{t.topic, v})
	}
	if t.partition != nil && r.Partition != data.NoPartition {
		to = append(to, inserted{t.partition, data.OfInt32(r.Partition)})
	}
	if t.offset != nil {
		if !r.Sink {
			return to, data.Errorf("Only SinkRecord supported for [%s], found: org.apache.kafka.connect.source.SourceRecord", insertPurpose)
		}
		to = append(to, inserted{t.offset, data.OfInt64(r.Offset)})
	}
	if t.ts != nil && r.Timestamp != data.NoTimestamp {
		to = append(to, inserted{t.ts, data.OfDate(r.Timestamp)})
	}
	if t.fixed != nil {
		to = append(to, inserted{t.fixed, t.text})
	}
	return to, nil
}

// slot returns where a field is inserted in a struct that had n of its own.
func (t *insertField) slot(n int, f *insertion) int {
	for _, g := range [...]*insertion{t.topic, t.partition, t.offset, t.ts, t.fixed} {
		if g == f {
			break
		}
		if g != nil {
			n++
		}
	}
	return n
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
