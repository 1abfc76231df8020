// Package csv is a source that follows CSV files row by row and a sink that
// appends rows to one, after RFC 4180. It imports connectors, codec/data,
// codec/configdef and the text files of connectors/file/textfile.
//
// Both sides agree on a null, an empty field, and on an empty string, an empty
// field in quotes, so that what the sink writes the source reads back.
package csv

import "github.com/troupeio/troupe/connectors"

// Plugins returns the two connectors.
func Plugins() []connectors.Plugin {
	return []connectors.Plugin{
		{
			Class:         "troupe.csv.CsvSourceConnector",
			Kind:          connectors.SourceKind,
			Version:       connectors.TroupeVersion,
			Def:           sourceDef,
			TaskClass:     "troupe.csv.CsvSourceTask",
			NewConnector:  func() connectors.Connector { return &SourceConnector{} },
			NewSourceTask: func() connectors.SourceTask { return &SourceTask{} },
		},
		{
			Class:        "troupe.csv.CsvSinkConnector",
			Kind:         connectors.SinkKind,
			Version:      connectors.TroupeVersion,
			Def:          sinkDef,
			TaskClass:    "troupe.csv.CsvSinkTask",
			NewConnector: func() connectors.Connector { return &SinkConnector{} },
			NewSinkTask:  func() connectors.SinkTask { return &SinkTask{} },
		},
	}
}
