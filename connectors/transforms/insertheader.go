package transforms

import (
	"github.com/troupeio/troupe/codec"
	"github.com/troupeio/troupe/codec/configdef"
	"github.com/troupeio/troupe/codec/data"
	"github.com/troupeio/troupe/connectors"
)

// insertHeader adds a header with a fixed value to every record.
type insertHeader struct {
	adder *data.HeaderAdder
	value data.Value
}

func insertHeaderSpec() spec {
	key := func(name, doc string) configdef.Key {
		return configdef.Key{Name: name, Type: configdef.String, Default: configdef.Required, Importance: configdef.High,
			Validator: configdef.NonNull(), Doc: doc}
	}
	return spec{
		name: "InsertHeader",
		keys: []configdef.Key{
			key("header", "The name of the header."),
			key("value.literal", "The literal value that is to be set as the header value on all records."),
		},
		transform: func(_ side, c *configdef.Values) (connectors.Transformation, error) {
			schema, value := codec.ParseString(c.String("value.literal"))
			return &insertHeader{data.NewHeaderAdder(data.HeaderKey{Key: c.String("header"), Schema: schema}), value}, nil
		},
	}
}

// Apply implements [connectors.Transformation].
func (t *insertHeader) Apply(r *data.Record) (bool, error) {
	headers, added := t.adder.Extend(r.Headers)
	added[0] = &t.value
	r.Headers = headers
	return true, nil
}
