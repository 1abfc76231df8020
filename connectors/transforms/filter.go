package transforms

import (
	"github.com/troupeio/troupe/codec/configdef"
	"github.com/troupeio/troupe/codec/data"
	"github.com/troupeio/troupe/connectors"
)

// filter drops every record; a predicate says which ones it sees.
type filter struct{}

func filterSpec() spec {
	return spec{name: "Filter", transform: func(side, *configdef.Values) (connectors.Transformation, error) { return filter{}, nil }}
}

// Apply implements [connectors.Transformation].
func (filter) Apply(*data.Record) (bool, error) { return false, nil }
