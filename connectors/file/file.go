// Package file is Kafka Connect's FileStream connectors: a source that follows a
// text file line by line and a sink that appends one line a record. Settings,
// records, offsets and messages are Kafka's; what differs on purpose is said at
// [SourceTask]. It imports connectors, codec/data and codec/configdef.
package file

import "github.com/troupeio/troupe/connectors"

// Names of the settings.
const (
	fileKey  = "file"
	topicKey = "topic"
	batchKey = "batch.size"
)

// Plugins returns the two connectors.
func Plugins() []connectors.Plugin {
	return []connectors.Plugin{
		{
			Class:         "org.apache.kafka.connect.file.FileStreamSourceConnector",
			Kind:          connectors.SourceKind,
			Version:       connectors.KafkaVersion,
			Def:           sourceDef,
			TaskClass:     "org.apache.kafka.connect.file.FileStreamSourceTask",
			NewConnector:  func() connectors.Connector { return &SourceConnector{} },
			NewSourceTask: func() connectors.SourceTask { return &SourceTask{} },
		},
		{
			Class:        "org.apache.kafka.connect.file.FileStreamSinkConnector",
			Kind:         connectors.SinkKind,
			Version:      connectors.KafkaVersion,
			Def:          sinkDef,
			TaskClass:    "org.apache.kafka.connect.file.FileStreamSinkTask",
			NewConnector: func() connectors.Connector { return &SinkConnector{} },
			NewSinkTask:  func() connectors.SinkTask { return &SinkTask{} },
		},
	}
}
