// Package converters describes the converters of codec as plugins: their Java
// class names and settings. It imports connectors, codec and its converters' folders, and
// codec/configdef.
package converters

import (
	"github.com/troupeio/troupe/codec"
	"github.com/troupeio/troupe/codec/avro"
	"github.com/troupeio/troupe/codec/configdef"
	"github.com/troupeio/troupe/codec/json"
	"github.com/troupeio/troupe/codec/jsonschema"
	"github.com/troupeio/troupe/codec/protobuf"
	"github.com/troupeio/troupe/connectors"
)

// Java packages of the converters.
const (
	storage    = "org.apache.kafka.connect.storage."
	converters = "org.apache.kafka.connect.converters."
)

// Plugins returns the converters that Kafka Connect comes with, as converters of
// keys and values and as converters of headers, and those with a schema registry.
func Plugins() []connectors.Plugin {
	out := []connectors.Plugin{{
		Class: storage + "SimpleHeaderConverter", Kind: connectors.HeaderConverterKind, Version: connectors.KafkaVersion,
		Def:                func() *configdef.Def { return configdef.New() },
		NewHeaderConverter: func(map[string]string) (codec.HeaderConverter, error) { return &codec.SimpleHeaderConverter{}, nil },
	}}
	add := func(class string, def func() *configdef.Def,
		conv func(map[string]string, bool) (codec.Converter, error), header func(map[string]string) (codec.HeaderConverter, error)) {
		out = append(out,
			connectors.Plugin{Class: class, Kind: connectors.ConverterKind, Version: connectors.KafkaVersion, Def: def,
				NewConverter: func(c map[string]string, isKey bool) (codec.Converter, error) {
					v, err := conv(c, isKey)
					if err != nil {
						return nil, configuration(err)
					}
					return v, nil
				}},
			connectors.Plugin{Class: class, Kind: connectors.HeaderConverterKind, Version: connectors.KafkaVersion, Def: def,
				NewHeaderConverter: func(c map[string]string) (codec.HeaderConverter, error) {
					v, err := header(c)
					if err != nil {
						return nil, configuration(err)
					}
					return v, nil
				}})
	}
	add("org.apache.kafka.connect.json.JsonConverter", jsonDef,
		func(c map[string]string, isKey bool) (codec.Converter, error) { return json.New(c, isKey) },
		func(c map[string]string) (codec.HeaderConverter, error) { return json.NewHeader(c) })
	add(storage+"StringConverter", stringDef,
		func(c map[string]string, isKey bool) (codec.Converter, error) {
			return codec.NewStringConverter(c, isKey)
		},
		func(c map[string]string) (codec.HeaderConverter, error) { return codec.NewStringHeaderConverter(c) })
	// Bytes are the one converter that takes a header's configuration unseen.
	add(converters+"ByteArrayConverter", typeDef,
		func(map[string]string, bool) (codec.Converter, error) { return codec.ByteArrayConverter{}, nil },
		func(map[string]string) (codec.HeaderConverter, error) { return codec.ByteArrayConverter{}, nil })
	add(converters+"BooleanConverter", typeDef,
		func(map[string]string, bool) (codec.Converter, error) { return codec.BooleanConverter{}, nil },
		func(c map[string]string) (codec.HeaderConverter, error) {
			return codec.BooleanConverter{}, codec.Settings(c).CheckType()
		})
	for _, n := range []struct {
		name string
		conv codec.NumberConverter
	}{
		{"ShortConverter", codec.ShortConverter}, {"IntegerConverter", codec.IntegerConverter}, {"LongConverter", codec.LongConverter},
		{"FloatConverter", codec.FloatConverter}, {"DoubleConverter", codec.DoubleConverter},
	} {
		add(converters+n.name, typeDef,
			func(map[string]string, bool) (codec.Converter, error) { return n.conv, nil },
			func(c map[string]string) (codec.HeaderConverter, error) { return n.conv, codec.Settings(c).CheckType() })
	}
	return append(out,
		registryPlugin("io.confluent.connect.avro.AvroConverter", avro.Def, avro.New),
		registryPlugin("io.confluent.connect.json.JsonSchemaConverter", jsonschema.Def, jsonschema.New),
		registryPlugin("io.confluent.connect.protobuf.ProtobufConverter", protobuf.Def, protobuf.New))
}

// registryPlugin describes a converter with a schema registry: for keys and values
// alone, as Confluent's are.
func registryPlugin[C codec.Converter](class string, def func() *configdef.Def, build func(config map[string]string, isKey bool) (C, error)) connectors.Plugin {
	return connectors.Plugin{Class: class, Kind: connectors.ConverterKind, Version: connectors.TroupeVersion, Def: def,
		NewConverter: func(c map[string]string, isKey bool) (codec.Converter, error) {
			v, err := build(c, isKey)
			if err != nil {
				return nil, configuration(err)
			}
			return v, nil
		}}
}

// configuration says that an error is the configuration's.
func configuration(err error) error {
	return &connectors.Error{JavaClass: connectors.JavaClass(err), Msg: err.Error(), Class: connectors.Configuration}
}

// typeDef returns the setting that all converters have.
func typeDef() *configdef.Def {
	return configdef.New(configdef.Key{Name: codec.TypeSetting, Type: configdef.String, Default: configdef.Required,
		Validator: configdef.OneOf("key", "value", "header"), Importance: configdef.Low, Doc: "How this converter will be used."})
}

func stringDef() *configdef.Def {
	return typeDef().Define(configdef.Key{Name: codec.EncodingSetting, Type: configdef.String, Default: "UTF-8", Importance: configdef.High,
		Doc:   "The name of the Java character set to use for encoding strings as byte arrays.",
		Width: configdef.WidthMedium, DisplayName: "Encoding"})
}

func jsonDef() *configdef.Def {
	return typeDef().Define(configdef.Key{Name: json.SchemasEnableSetting, Type: configdef.Boolean, Default: true, Importance: configdef.High,
		Doc:   "Include schemas within each of the serialized values and keys.",
		Group: "Schemas", Order: 0, Width: configdef.WidthMedium, DisplayName: "Enable Schemas",
	}).Define(configdef.Key{Name: json.CacheSizeSetting, Type: configdef.Int, Default: 1000, Importance: configdef.High,
		Doc:   "The maximum number of schemas that can be cached in this converter instance.",
		Group: "Schemas", Order: 1, Width: configdef.WidthMedium, DisplayName: "Schema Cache Size",
	}).Define(configdef.Key{Name: json.DecimalSetting, Type: configdef.String, Default: "BASE64", Importance: configdef.Low,
		Validator: configdef.OneOfAnyCase("NUMERIC", "BASE64"),
		Doc:       "Controls which format this converter will serialize decimals in. This value is case insensitive and can be either 'BASE64' (default) or 'NUMERIC'",
		Group:     "Serialization", Order: 0, Width: configdef.WidthMedium, DisplayName: "Decimal Format",
	}).Define(configdef.Key{Name: json.ReplaceNullSetting, Type: configdef.Boolean, Default: true, Importance: configdef.Low,
		Doc:   "Whether to replace fields that have a default value and that are null to the default value. When set to true, the default value is used, otherwise null is used.",
		Group: "Serialization", Order: 1, Width: configdef.WidthMedium, DisplayName: "Replace null with default",
	}).Define(configdef.Key{Name: json.SchemaContentSetting, Type: configdef.String, Importance: configdef.High,
		Doc: "A schema in JSON, as it would stand in the envelope. When set, it is the schema of all that is read, and bodies have no envelope; what is written has one all the same. " +
			"It needs schemas.enable.",
		Group: "Troupe", Order: 0, Width: configdef.WidthMedium, DisplayName: "Schema Content",
	})
}
