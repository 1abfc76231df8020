package kafkaclient

import "github.com/troupeio/troupe/codec/configdef"

const byteArrayDeserializer = "org.apache.kafka.common.serialization.ByteArrayDeserializer"

// consumerTable holds what only the consumer knows.
func consumerTable() []Entry {
	rows := []Entry{
		{Name: "group.id", Type: String, Null: true, Importance: "HIGH", Effect: Mapped,
			Note: "The consumer group; without it partitions are given by hand and the group's other properties have no effect.", set: (*build).group},
		{Name: "group.instance.id", Type: String, Null: true, Importance: "MEDIUM", Valid: "non-empty string", Effect: Mapped,
			Note: "Static membership, as Kafka's.", check: nonEmpty, by: "group.id"},
		{Name: "group.protocol", Type: String, Default: "classic", Importance: "HIGH", Valid: "(case insensitive) [CONSUMER, CLASSIC]", Effect: Mapped,
			Note: "`consumer` lets the broker assign partitions (KIP-848).", check: oneOfAnyCase("CONSUMER", "CLASSIC"), by: "group.id"},
		{Name: "group.remote.assignor", Type: String, Null: true, Importance: "MEDIUM", Effect: Mapped,
			Note: "`uniform` or `range`, only with group.protocol=consumer; `uniform` when not set.", by: "group.id"},
		{Name: "session.timeout.ms", Type: Int, Default: "45000", Importance: "HIGH", Effect: Mapped, Note: "As Kafka's, at least 100 ms.", by: "group.id"},
		{Name: "heartbeat.interval.ms", Type: Int, Default: "3000", Importance: "HIGH", Effect: Mapped, Note: "As Kafka's; must be below session.timeout.ms.", by: "group.id"},
		{Name: "max.poll.interval.ms", Type: Int, Default: "300000", Importance: "MEDIUM", Valid: "[1,...]", Effect: Mapped,
			Note: "The time that members have to rejoin; the worker also watches its sink tasks with it.", check: atLeast(1), by: "group.id"},
		{Name: "partition.assignment.strategy", Type: List, Importance: "MEDIUM", Effect: Mapped,
			Default: assignorPackage + "RangeAssignor," + assignorPackage + "CooperativeStickyAssignor",
			Note:    "Kafka's RangeAssignor, RoundRobinAssignor, StickyAssignor and CooperativeStickyAssignor, in order; other classes are refused.", by: "group.id"},
		{Name: "enable.auto.commit", Type: Boolean, Default: "true", Importance: "MEDIUM", Effect: Mapped,
			Note: "Kafka Connect's built-in value is `false`: the worker commits after a sink's preCommit.", by: "group.id"},
		{Name: "auto.commit.interval.ms", Type: Int, Default: "5000", Importance: "LOW", Valid: "[0,...]", Effect: Mapped,
			Note: "Only with enable.auto.commit; at least 100 ms.", check: atLeast(0), by: "group.id"},
		{Name: "auto.offset.reset", Type: String, Default: "latest", Importance: "MEDIUM", Effect: Mapped,
			Valid: "[latest, earliest, none, by_duration:PnDTnHnMn.nS]",
			Note:  "As Kafka's, for the first start and for offsets that are gone; Kafka Connect's built-in value is `earliest`. The duration of `by_duration` counts back from the client's start.",
			check: offsetReset, set: (*build).offsetReset},
		{Name: "isolation.level", Type: String, Default: "read_uncommitted", Importance: "MEDIUM", Valid: "[read_committed, read_uncommitted]", Effect: Mapped,
			Note: "As Kafka's.", check: oneOf("read_committed", "read_uncommitted"), set: (*build).isolation},
		{Name: "fetch.min.bytes", Type: Int, Default: "1", Importance: "HIGH", Valid: "[0,...]", Effect: Mapped, Note: "As Kafka's.", check: atLeast(0), set: (*build).fetchMin},
		{Name: "fetch.max.bytes", Type: Int, Default: "52428800", Importance: "MEDIUM", Valid: "[0,...]", Effect: Mapped, Note: "As Kafka's, up to 1 GiB.", check: atLeast(0), set: (*build).fetchMax},
		{Name: "fetch.max.wait.ms", Type: Int, Default: "500", Importance: "LOW", Valid: "[0,...]", Effect: Mapped, Note: "As Kafka's, at least 10 ms.", check: atLeast(0), set: (*build).fetchWait},
		{Name: "max.partition.fetch.bytes", Type: Int, Default: "1048576", Importance: "HIGH", Valid: "[0,...]", Effect: Mapped,
			Note: "As Kafka's; never more than fetch.max.bytes.", check: atLeast(0), set: (*build).fetchPartition},
		{Name: "client.rack", Type: String, Default: "", Importance: "LOW", Effect: Mapped,
			Note: "Reads from replicas in this rack where the brokers allow.", set: (*build).rack},
		{Name: "check.crcs", Type: Boolean, Default: "true", Importance: "LOW", Effect: Mapped, Note: "As Kafka's.", set: (*build).crcs},
		{Name: "allow.auto.create.topics", Type: Boolean, Default: "true", Importance: "MEDIUM", Effect: Mapped,
			Note: "Lets brokers that create topics by themselves do it. Producers always let them.", set: (*build).autoCreate},
		{Name: "max.poll.records", Type: Int, Default: "500", Importance: "MEDIUM", Valid: "[1,...]", Effect: Returned,
			Note: "Most records in one batch for a sink.", check: atLeast(1), set: func(b *build, v value) { b.out.Settings.MaxPollRecords = int(v.n) }},
		{Name: "exclude.internal.topics", Type: Boolean, Default: "true", Importance: "MEDIUM", Effect: Returned,
			Note: "Whether topics.regex passes over the brokers' internal topics.", set: func(b *build, v value) { b.out.Settings.ExcludeInternalTopics = v.b }},
		{Name: "share.acknowledgement.mode", Type: String, Default: "implicit", Importance: "MEDIUM", Valid: "(case insensitive) [implicit, explicit]", Effect: NoEffect,
			Note: "Sinks read by consumer groups, not share groups.", check: oneOfAnyCase("implicit", "explicit")},
		{Name: "key.deserializer", Type: Class, Required: true, Importance: "HIGH", Effect: Refused,
			Note: "Only Kafka's ByteArrayDeserializer: converters read the bytes.", check: onlyOf("converters read the records' bytes; only "+byteArrayDeserializer+" is supported", byteArrayDeserializer)},
		{Name: "value.deserializer", Type: Class, Required: true, Importance: "HIGH", Effect: Refused,
			Note: "Only Kafka's ByteArrayDeserializer: converters read the bytes.", check: onlyOf("converters read the records' bytes; only "+byteArrayDeserializer+" is supported", byteArrayDeserializer)},
	}
	for i := range rows {
		rows[i].kinds = consumer
	}
	return rows
}

func offsetReset(e *Entry, v value) *ConfigError {
	if _, err := parseReset(v.text); err != nil {
		return configdef.InvalidValue(e.Name, v.text, "Invalid value `"+v.text+"` for configuration "+e.Name+
			". The value must be either 'earliest', 'latest', 'none' or of the format 'by_duration:<PnDTnHnMn.nS.>'.")
	}
	return nil
}
