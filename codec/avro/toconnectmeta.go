package avro

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/troupeio/troupe/codec/avro/schema"
	"github.com/troupeio/troupe/codec/data"
)

// addDoc gives a Connect schema the documentation of an Avro schema or its field.
func (t *toConnect) addDoc(a *schema.Schema, b *data.SchemaBuilder, f fieldInfo) {
	if !t.discardDocs {
		if d, ok := a.Prop(propDoc); ok && t.metadata {
			if text, ok := d.(string); ok {
				b.Doc(text)
			}
		}
		return
	}
	switch {
	case f.hasDoc:
		b.Doc(f.doc)
	case a.HasDoc:
		b.Doc(a.Doc)
	default:
		b.Doc(a.TextProp(propDoc))
	}
	if t.metadata && a.HasDoc {
		b.Param(plainRecordDoc, a.Doc)
	}
}

func (t *toConnect) addMetadata(a *schema.Schema, b *data.SchemaBuilder, logical string, version int) error {
	own := logical != "" && a.Type != schema.Union // a logical type has version 1
	if v, ok := a.Prop(propVersion); ok {
		num, ok := v.(json.Number)
		n, err := strconv.ParseInt(string(num), 10, 32)
		if !ok || err != nil {
			return data.Errorf("Invalid Connect version found: %s", schema.AppendJSON(nil, v))
		}
		version = int(n)
	} else if version == 0 || own {
		version = -1 // the registry's number is no reason to refuse a logical type
	}
	if version >= 0 {
		if own && version != 1 {
			return data.Errorf("Mismatched versions: version already added to SchemaBuilder (1) differs from version in source schema (%d)", version)
		}
		b.Version(int32(version)) //nolint:gosec // parsed with 32 bits
	}
	if v, ok := a.Prop(propParameters); ok && t.metadata {
		obj, ok := v.(schema.Object)
		if !ok {
			return data.Errorf("Expected JSON object for schema parameters but found: %s", schema.AppendJSON(nil, v))
		}
		for _, m := range obj {
			text, ok := m.Value.(string)
			if !ok {
				return data.Errorf("Expected schema parameter values to be strings but found: %s", schema.AppendJSON(nil, m.Value))
			}
			b.Param(m.Key, text)
		}
	}
	for _, m := range a.Props {
		if strings.HasPrefix(m.Key, "avro") {
			text, ok := m.Value.(string)
			if !ok {
				text = string(schema.AppendJSON(nil, m.Value))
			}
			b.Param(m.Key, text)
		}
	}
	if logical == "" {
		return nil
	}
	n, ok := a.Prop(propName)
	if own, _ := n.(string); ok && n != logical && !strings.HasPrefix(own, namespace+"."+defaultName) {
		return data.Errorf("Mismatched names: name already added to SchemaBuilder (%s) differs from name in source schema (%s)", logical, schema.AppendJSON(nil, n))
	}
	return nil
}

func (t *toConnect) nameOf(a *schema.Schema) (string, error) {
	name := ""
	if v, ok := a.Prop(propName); ok && v != nil {
		if name, ok = v.(string); !ok {
			return "", data.Errorf("Invalid schema name: %s", schema.AppendJSON(nil, v))
		}
	} else if a.Type.Named() {
		name = a.FullName()
	}
	if strings.HasPrefix(name, namespace+"."+defaultName) {
		return "", nil
	}
	return name, nil
}

// withParams adds a field's own parameters to those of the named type it refers to.
func withParams(s *data.Schema, params any) (*data.Schema, error) {
	obj, ok := params.(schema.Object)
	if !ok || s.Repeats() {
		return s, nil
	}
	differ := false
	var add []data.Param
	for _, m := range obj {
		text, isText := m.Value.(string)
		if !isText {
			text = string(schema.AppendJSON(nil, m.Value))
		}
		have, _ := s.Param(m.Key)
		differ = differ || have != text
		add = append(add, data.Param{Key: m.Key, Value: text})
	}
	if !differ {
		return s, nil
	}
	var b *data.SchemaBuilder
	switch s.Type() {
	case data.Array:
		b = data.NewArraySchema(s.ValueSchema())
	case data.Map:
		b = data.NewMapSchema(s.KeySchema(), s.ValueSchema())
	default:
		b = data.NewSchema(s.Type())
	}
	for _, f := range s.Fields() {
		b.Field(f.Name, f.Schema)
	}
	return b.CopyBasics(s).SetOptional(s.Optional()).Params(add).Default(s.Default()).Build()
}
