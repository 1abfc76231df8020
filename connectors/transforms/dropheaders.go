package transforms

import (
	"github.com/troupeio/troupe/codec/configdef"
	"github.com/troupeio/troupe/codec/data"
	"github.com/troupeio/troupe/connectors"
)

// dropHeaders removes the headers with certain keys.
type dropHeaders struct{ names map[string]bool }

func dropHeadersSpec() spec {
	return spec{
		name: "DropHeaders",
		keys: []configdef.Key{{Name: "headers", Type: configdef.List, Default: configdef.Required, Importance: configdef.High,
			Validator: configdef.NonEmptyList(), Doc: "The name of the headers to be removed."}},
		transform: func(_ side, c *configdef.Values) (connectors.Transformation, error) {
			return dropHeaders{set(c.List("headers"))}, nil
		},
	}
}

// Apply implements [connectors.Transformation].
func (t dropHeaders) Apply(r *data.Record) (bool, error) {
	if len(r.Headers) > 0 {
		r.Headers = r.Headers.Without(func(key string) bool { return t.names[key] })
	}
	return true, nil
}
