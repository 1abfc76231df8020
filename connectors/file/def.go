package file

import (
	"github.com/troupeio/troupe/codec/configdef"
	"github.com/troupeio/troupe/connectors"
)

// sourceDef is the ConfigDef of FileStreamSourceConnector.
func sourceDef() *configdef.Def {
	return configdef.New(
		configdef.Key{Name: fileKey, Type: configdef.String, Importance: configdef.High,
			Doc: "Source filename. If not specified, the standard input will be used"},
		configdef.Key{Name: topicKey, Type: configdef.String, Default: configdef.Required, Importance: configdef.High,
			Validator: configdef.NonEmpty(), Doc: "The topic to publish data to"},
		configdef.Key{Name: batchKey, Type: configdef.Int, Default: 2000, Importance: configdef.Low,
			Doc: "The maximum number of records the source task can read from the file each time it is polled"},
	)
}

// sinkDef is the ConfigDef of FileStreamSinkConnector.
func sinkDef() *configdef.Def {
	return configdef.New(
		configdef.Key{Name: fileKey, Type: configdef.String, Importance: configdef.High,
			Doc: "Destination filename. If not specified, the standard output will be used"},
	)
}

func parse(def *configdef.Def, config map[string]string) (*configdef.Values, error) {
	v, err := def.Parse(config)
	if err != nil {
		return nil, connectors.ConfigError("%s", err)
	}
	return v, nil
}
