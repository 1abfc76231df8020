// Package counter is the example of docs/writing-a-connector.md: a source that
// counts and a sink that adds up what arrives. It imports connectors,
// codec/configdef and codec/data.
package counter

import (
	"github.com/troupeio/troupe/codec/configdef"
	"github.com/troupeio/troupe/connectors"
)

const version = "1.0.0"

// Plugins returns the two connectors.
func Plugins() []connectors.Plugin {
	return []connectors.Plugin{
		{
			Class:         "example.counter.CounterSourceConnector",
			Kind:          connectors.SourceKind,
			Version:       version,
			Def:           sourceDef,
			TaskClass:     "example.counter.CounterSourceTask",
			NewConnector:  func() connectors.Connector { return &SourceConnector{} },
			NewSourceTask: func() connectors.SourceTask { return &SourceTask{} },
		},
		{
			Class:        "example.counter.CounterSinkConnector",
			Kind:         connectors.SinkKind,
			Version:      version,
			Def:          sinkDef,
			TaskClass:    "example.counter.CounterSinkTask",
			NewConnector: func() connectors.Connector { return &SinkConnector{} },
			NewSinkTask:  func() connectors.SinkTask { return &SinkTask{} },
		},
	}
}

func sourceDef() *configdef.Def {
	return configdef.New(
		configdef.Key{Name: "topic", Type: configdef.String, Default: configdef.Required, Importance: configdef.High,
			Validator: configdef.NonEmpty(), Doc: "The topic to count into."},
		configdef.Key{Name: "interval.ms", Type: configdef.Int, Default: 1000, Importance: configdef.Medium,
			Validator: configdef.AtLeast(1), Doc: "The time from one number to the next, in milliseconds."},
	)
}

func sinkDef() *configdef.Def {
	return configdef.New(
		configdef.Key{Name: "file", Type: configdef.String, Default: configdef.Required, Importance: configdef.High,
			Validator: configdef.NonEmpty(), Doc: "The file that holds the sum."},
	)
}

// parse says which setting is wrong; such an error is not retried.
func parse(def *configdef.Def, config map[string]string) (*configdef.Values, error) {
	v, err := def.Parse(config)
	if err != nil {
		return nil, connectors.ConfigError("%s", err)
	}
	return v, nil
}
