package converters

import (
	"github.com/troupeio/troupe/codec"
	"github.com/troupeio/troupe/codec/avro"
	"github.com/troupeio/troupe/connectors"
)

// AvroClass is the Java class of the Avro converter.
const AvroClass = "io.confluent.connect.avro.AvroConverter"

// registryVersion is the version of the converters with a schema registry, which are
// no part of Kafka Connect.
const registryVersion = "0.1.0"

// avroPlugin is for keys and values alone, as Confluent's is.
func avroPlugin() connectors.Plugin {
	return connectors.Plugin{Class: AvroClass, Kind: connectors.ConverterKind, Version: registryVersion, Def: avro.Def,
		NewConverter: func(c map[string]string, isKey bool) (codec.Converter, error) {
			v, err := avro.New(c, isKey)
			if err != nil {
				return nil, configuration(err)
			}
			return v, nil
		}}
}
