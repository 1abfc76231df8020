package converters

import (
	"github.com/troupeio/troupe/codec"
	"github.com/troupeio/troupe/codec/jsonschema"
	"github.com/troupeio/troupe/connectors"
)

// JSONSchemaClass is the Java class of the converter for JSON Schema.
const JSONSchemaClass = "io.confluent.connect.json.JsonSchemaConverter"

// jsonSchemaPlugin is for keys and values alone, as Confluent's is.
func jsonSchemaPlugin() connectors.Plugin {
	return connectors.Plugin{Class: JSONSchemaClass, Kind: connectors.ConverterKind, Version: connectors.KafkaVersion, Def: jsonschema.Def,
		NewConverter: func(c map[string]string, isKey bool) (codec.Converter, error) {
			v, err := jsonschema.New(c, isKey)
			if err != nil {
				return nil, configuration(err)
			}
			return v, nil
		}}
}
