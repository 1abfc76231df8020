package connectconfig

import "github.com/troupeio/troupe/codec/configdef"

// The groups of the framework's settings.
const (
	groupCommon        = "Common"
	groupTransforms    = "Transforms"
	groupPredicates    = "Predicates"
	groupErrors        = "Error Handling"
	groupTopicCreation = "Topic Creation"
	groupExactlyOnce   = "Exactly Once Support"
	groupOffsetsTopic  = "offsets.topic"
)

// commonKeys are the settings that every connector has. Those that depend on the plugins are completed by enrich.
func commonKeys() []configdef.Key {
	return []configdef.Key{
		{
			Name: "name", Type: configdef.String, Default: configdef.Required, Importance: configdef.High,
			Validator: configdef.NonEmptyWithoutControlChars(),
			Group:     groupCommon, Order: 1, Width: configdef.WidthMedium, DisplayName: "Connector name",
			Doc: "Globally unique name to use for this connector.",
		},
		{
			Name: "connector.class", Type: configdef.String, Default: configdef.Required, Importance: configdef.High,
			Group: groupCommon, Order: 2, Width: configdef.WidthLong, DisplayName: "Connector class",
			Doc: "Name or alias of the class for this connector. Must be a subclass of org.apache.kafka.connect.connector.Connector. If the connector is org.apache.kafka.connect.file.FileStreamSinkConnector, you can either specify this full name,  or use \"FileStreamSink\" or \"FileStreamSinkConnector\" to make the configuration a bit shorter",
		},
		{
			Name: "connector.plugin.version", Type: configdef.String, Importance: configdef.Medium,
			Group: groupCommon, Order: 3, Width: configdef.WidthMedium, DisplayName: "Connector version",
			Doc: "Version of the connector.",
		},
		{
			Name: "tasks.max", Type: configdef.Int, Default: "1", Importance: configdef.High,
			Validator: configdef.AtLeast(1),
			Group:     groupCommon, Order: 4, Width: configdef.WidthShort, DisplayName: "Tasks max",
			Doc: "Maximum number of tasks to use for this connector.",
		},
		{
			Name: "tasks.max.enforce", Type: configdef.Boolean, Default: "true", Importance: configdef.Low,
			Group: groupCommon, Order: 5, Width: configdef.WidthShort, DisplayName: "Enforce tasks max",
			Doc: "(Deprecated) Whether to enforce that the tasks.max property is respected by the connector. By default, connectors that generate too many tasks will fail, and existing sets of tasks that exceed the tasks.max property will also be failed. If this property is set to false, then connectors will be allowed to generate more than the maximum number of tasks, and existing sets of tasks that exceed the tasks.max property will be allowed to run. This property is deprecated and will be removed in an upcoming major release.",
		},
		{
			Name: "key.converter", Type: configdef.ClassType, Importance: configdef.Low,
			Group: groupCommon, Order: 6, Width: configdef.WidthShort, DisplayName: "Key converter class",
			Doc: "Converter class used to convert between Kafka Connect format and the serialized form that is written to Kafka. This controls the format of the keys in messages written to or read from Kafka, and since this is independent of connectors it allows any connector to work with any serialization format. Examples of common formats include JSON and Avro.",
		},
		{
			Name: "key.converter.plugin.version", Type: configdef.String, Importance: configdef.Low,
			Group: groupCommon, Order: 7, Width: configdef.WidthShort, DisplayName: "Key converter version",
			Doc: "Version of the key converter.",
		},
		{
			Name: "value.converter", Type: configdef.ClassType, Importance: configdef.Low,
			Group: groupCommon, Order: 8, Width: configdef.WidthShort, DisplayName: "Value converter class",
			Doc: "Converter class used to convert between Kafka Connect format and the serialized form that is written to Kafka. This controls the format of the values in messages written to or read from Kafka, and since this is independent of connectors it allows any connector to work with any serialization format. Examples of common formats include JSON and Avro.",
		},
		{
			Name: "value.converter.plugin.version", Type: configdef.String, Importance: configdef.Low,
			Group: groupCommon, Order: 9, Width: configdef.WidthShort, DisplayName: "Value converter version",
			Doc: "Version of the value converter.",
		},
		{
			Name: "header.converter", Type: configdef.ClassType, Importance: configdef.Low,
			Group: groupCommon, Order: 10, Width: configdef.WidthShort, DisplayName: "Header converter class",
			Doc: "HeaderConverter class used to convert between Kafka Connect format and the serialized form that is written to Kafka. This controls the format of the header values in messages written to or read from Kafka, and since this is independent of connectors it allows any connector to work with any serialization format. Examples of common formats include JSON and Avro. By default, the SimpleHeaderConverter is used to serialize header values to strings and deserialize them by inferring the schemas.",
		},
		{
			Name: "header.converter.plugin.version", Type: configdef.String, Importance: configdef.Low,
			Group: groupCommon, Order: 11, Width: configdef.WidthShort, DisplayName: "Header converter version",
			Doc: "Version of the header converter.",
		},
		{
			Name: "transforms", Type: configdef.List, Default: "", Importance: configdef.Low,
			Validator: configdef.Composite(configdef.NonNull(), configdef.UniqueAliases()),
			Group:     groupTransforms, Order: 12, Width: configdef.WidthLong, DisplayName: "Transforms",
			Doc: "Aliases for the transformations to be applied to records.",
		},
		{
			Name: "predicates", Type: configdef.List, Default: "", Importance: configdef.Low,
			Validator: configdef.Composite(configdef.NonNull(), configdef.UniqueAliases()),
			Group:     groupPredicates, Order: 13, Width: configdef.WidthLong, DisplayName: "Predicates",
			Doc: "Aliases for the predicates used by transformations.",
		},
		{
			Name: "config.action.reload", Type: configdef.String, Default: "restart", Importance: configdef.Low,
			Validator: configdef.OneOf("none", "restart"),
			Group:     groupCommon, Order: 14, Width: configdef.WidthMedium, DisplayName: "Reload Action",
			Doc: "The action that Connect should take on the connector when changes in external configuration providers result in a change in the connector's configuration properties. A value of 'none' indicates that Connect will do nothing. A value of 'restart' indicates that Connect should restart/reload the connector with the updated configuration properties.The restart may actually be scheduled in the future if the external configuration provider indicates that a configuration value will expire in the future.",
		},
		{
			Name: "errors.retry.timeout", Type: configdef.Long, Default: "0", Importance: configdef.Medium,
			Group: groupErrors, Order: 1, Width: configdef.WidthMedium, DisplayName: "Retry Timeout for Errors",
			Doc: "The maximum duration in milliseconds that a failed operation will be reattempted. The default is 0, which means no retries will be attempted. Use -1 for infinite retries.",
		},
		{
			Name: "errors.retry.delay.max.ms", Type: configdef.Long, Default: "60000", Importance: configdef.Medium,
			Group: groupErrors, Order: 2, Width: configdef.WidthMedium, DisplayName: "Maximum Delay Between Retries for Errors",
			Doc: "The maximum duration in milliseconds between consecutive retry attempts. Jitter will be added to the delay once this limit is reached to prevent thundering herd issues.",
		},
		{
			Name: "errors.tolerance", Type: configdef.String, Default: "none", Importance: configdef.Medium,
			Validator: configdef.OneOf("none", "all"),
			Group:     groupErrors, Order: 3, Width: configdef.WidthShort, DisplayName: "Error Tolerance",
			Doc: "Behavior for tolerating errors during connector operation. 'none' is the default value and signals that any error will result in an immediate connector task failure; 'all' changes the behavior to skip over problematic records.",
		},
		{
			Name: "errors.log.enable", Type: configdef.Boolean, Default: "false", Importance: configdef.Medium,
			Group: groupErrors, Order: 4, Width: configdef.WidthShort, DisplayName: "Log Errors",
			Doc: "If true, write each error and the details of the failed operation and problematic record to the Connect application log. This is 'false' by default, so that only errors that are not tolerated are reported.",
		},
		{
			Name: "errors.log.include.messages", Type: configdef.Boolean, Default: "false", Importance: configdef.Medium,
			Group: groupErrors, Order: 5, Width: configdef.WidthShort, DisplayName: "Log Error Details",
			Doc: "Whether to include in the log the Connect record that resulted in a failure. For sink records, the topic, partition, offset, and timestamp will be logged. For source records, the key and value (and their schemas), all headers, and the timestamp, Kafka topic, Kafka partition, source partition, and source offset will be logged. This is 'false' by default, which will prevent record keys, values, and headers from being written to log files.",
		},
	}
}

// sourceKeys are the further settings of source connectors.
func sourceKeys() []configdef.Key {
	return []configdef.Key{
		{
			Name: "topic.creation.groups", Type: configdef.List, Default: "", Importance: configdef.Low,
			Validator: configdef.Composite(configdef.NonNull(), configdef.UniqueAliases()),
			Group:     groupTopicCreation, Order: 1, Width: configdef.WidthLong, DisplayName: "Topic Creation Groups",
			Doc: "Groups of configurations for topics created by source connectors",
		},
		{
			Name: "exactly.once.support", Type: configdef.String, Default: "requested", Importance: configdef.Medium,
			Validator: configdef.OneOfAnyCase("required", "requested"),
			Group:     groupExactlyOnce, Order: 2, Width: configdef.WidthShort, DisplayName: "Exactly once support",
			Doc: "Permitted values are requested, required. If set to \"required\", forces a preflight check for the connector to ensure that it can provide exactly-once semantics with the given configuration. Some connectors may be capable of providing exactly-once semantics but not signal to Connect that they support this; in that case, documentation for the connector should be consulted carefully before creating it, and the value for this property should be set to \"requested\". Additionally, if the value is set to \"required\" but the worker that performs preflight validation does not have exactly-once support enabled for source connectors, requests to create or validate the connector will fail.",
		},
		{
			Name: "transaction.boundary", Type: configdef.String, Default: "poll", Importance: configdef.Medium,
			Validator: configdef.OneOfAnyCase("interval", "poll", "connector"),
			Group:     groupExactlyOnce, Order: 3, Width: configdef.WidthShort, DisplayName: "Transaction Boundary",
			Doc: "Permitted values are: poll, interval, connector. If set to 'poll', a new producer transaction will be started and committed for every batch of records that each task from this connector provides to Connect. If set to 'connector', relies on connector-defined transaction boundaries; note that not all connectors are capable of defining their own transaction boundaries, and in that case, attempts to instantiate a connector with this value will fail. Finally, if set to 'interval', commits transactions only after a user-defined time interval has passed.",
		},
		{
			Name: "transaction.boundary.interval.ms", Type: configdef.Long, Importance: configdef.Low,
			Validator: configdef.NullOr(configdef.AtLeast(0)),
			Group:     groupExactlyOnce, Order: 4, Width: configdef.WidthShort, DisplayName: "Transaction boundary interval",
			Doc: "If 'transaction.boundary' is set to 'interval', determines the interval for producer transaction commits by connector tasks. If unset, defaults to the value of the worker-level 'offset.flush.interval.ms' property. It has no effect if a different transaction.boundary is specified.",
		},
		{
			Name: "offsets.storage.topic", Type: configdef.String, Importance: configdef.Low,
			Validator: configdef.NonEmpty(),
			Group:     groupOffsetsTopic, Order: 1, Width: configdef.WidthLong, DisplayName: "Offsets topic",
			Doc: "The name of a separate offsets topic to use for this connector. If empty or not specified, the worker’s global offsets topic name will be used. If specified, the offsets topic will be created if it does not already exist on the Kafka cluster targeted by this connector (which may be different from the one used for the worker's global offsets topic if the bootstrap.servers property of the connector's producer has been overridden from the worker's). Only applicable in distributed mode; in standalone mode, setting this property will have no effect.",
		},
	}
}

// sinkKeys are the further settings of sink connectors.
func sinkKeys() []configdef.Key {
	return []configdef.Key{
		{
			Name: "topics", Type: configdef.List, Default: "", Importance: configdef.High,
			Group: groupCommon, Order: 4, Width: configdef.WidthLong, DisplayName: "Topics",
			Doc: "List of topics to consume, separated by commas",
		},
		{
			Name: "topics.regex", Type: configdef.String, Default: "", Importance: configdef.High,
			Validator: configdef.Regex(),
			Group:     groupCommon, Order: 4, Width: configdef.WidthLong, DisplayName: "Topics regex",
			Doc: "Regular expression giving topics to consume. Under the hood, the regex is compiled to a <code>java.util.regex.Pattern</code>. Only one of topics or topics.regex should be specified.",
		},
		{
			Name: "errors.deadletterqueue.topic.name", Type: configdef.String, Default: "", Importance: configdef.Medium,
			Group: groupErrors, Order: 6, Width: configdef.WidthMedium, DisplayName: "Dead Letter Queue Topic Name",
			Doc: "The name of the topic to be used as the dead letter queue (DLQ) for messages that result in an error when processed by this sink connector, or its transformations or converters. The topic name is blank by default, which means that no messages are to be recorded in the DLQ.",
		},
		{
			Name: "errors.deadletterqueue.topic.replication.factor", Type: configdef.Short, Default: "3", Importance: configdef.Medium,
			Group: groupErrors, Order: 7, Width: configdef.WidthMedium, DisplayName: "Dead Letter Queue Topic Replication Factor",
			Doc: "Replication factor used to create the dead letter queue topic when it doesn't already exist.",
		},
		{
			Name: "errors.deadletterqueue.context.headers.enable", Type: configdef.Boolean, Default: "false", Importance: configdef.Medium,
			Group: groupErrors, Order: 8, Width: configdef.WidthMedium, DisplayName: "Enable Error Context Headers",
			Doc: "If true, add headers containing error context to the messages written to the dead letter queue. To avoid clashing with headers from the original record, all error context header keys, all error context header keys will start with <code>__connect.errors.</code>",
		},
	}
}
