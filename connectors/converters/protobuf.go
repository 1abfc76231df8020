package converters

import (
	"github.com/troupeio/troupe/codec"
	"github.com/troupeio/troupe/codec/protobuf"
	"github.com/troupeio/troupe/connectors"
)

// ProtobufClass is the Java class of the Protobuf converter.
const ProtobufClass = "io.confluent.connect.protobuf.ProtobufConverter"

// protobufPlugin is for keys and values alone, as Confluent's is.
func protobufPlugin() connectors.Plugin {
	return connectors.Plugin{Class: ProtobufClass, Kind: connectors.ConverterKind, Version: connectors.KafkaVersion, Def: protobuf.Def,
		NewConverter: func(c map[string]string, isKey bool) (codec.Converter, error) {
			v, err := protobuf.New(c, isKey)
			if err != nil {
				return nil, configuration(err)
			}
			return v, nil
		}}
}
