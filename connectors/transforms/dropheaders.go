package transforms

import (
	"github.com/troupeio/troupe/codec/configdef"
	"github.com/troupeio/troupe/codec/data"
	"github.com/troupeio/troupe/connectors"
)

// dropHeaders removes the headers with certain keys.
type dropHeaders struct{ dropper *data.HeaderDropper }

func dropHeadersSpec() spec {
	return spec{
		name: "DropHeaders",
		keys: []configdef.Key{{Name: "headers", Type: configdef.List, Default: configdef.Required, Importance: configdef.High,
			Validator: configdef.NonEmptyList(), Doc: "The name of the headers to be removed."}},
		transform: func(_ side, c *configdef.Values) (connectors.Transformation, error) {
			names := set(c.List("headers"))
			return dropHeaders{data.NewHeaderDropper(func(key string) bool { return names[key] })}, nil
		},
	}
}

// Apply implements [connectors.Transformation].
func (t dropHeaders) Apply(r *data.Record) (bool, error) {
	r.Headers = t.dropper.Drop(r.Headers)
	return true, nil
}
