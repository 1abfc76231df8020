package kafkaclient

import (
	"slices"
	"testing"
)

// TestTable holds every row to what a row must have.
func TestTable(t *testing.T) {
	for _, kind := range []Kind{Producer, Consumer, Admin} {
		seen := map[string]bool{}
		rows := Entries(kind)
		for _, e := range rows {
			if seen[e.Name] {
				t.Errorf("%s: %s is there twice", kind, e.Name)
			}
			seen[e.Name] = true
		}
		for _, e := range rows {
			unknown := e.Name == "auto.include.jmx.reporter" || e.Name == "config.providers" // to Kafka 4.1's clients
			if full, ok := Lookup(kind, e.Name); !ok || (full.Documentation == "") != unknown {
				t.Errorf("%s: %s lacks Kafka's documentation", kind, e.Name)
			}
			if e.Note == "" || e.Importance == "" || e.Type == "" {
				t.Errorf("%s: %s lacks a note, importance or type", kind, e.Name)
			}
			if e.Null && e.Default != "" || e.Null && e.Required {
				t.Errorf("%s: %s has a default and has none", kind, e.Name)
			}
			if !e.Null && !e.Required {
				if err := e.Check(e.Default); err != nil {
					t.Errorf("%s: the default of %s: %v", kind, e.Name, err)
				}
			}
			switch e.Effect {
			case Mapped:
				if e.set == nil && !seen[e.by] {
					t.Errorf("%s: nothing reads %s", kind, e.Name)
				}
			case Returned:
				if e.set == nil {
					t.Errorf("%s: nothing returns %s", kind, e.Name)
				}
			case NoEffect:
				if e.set != nil {
					t.Errorf("%s: %s has an effect", kind, e.Name)
				}
			case Refused:
				if e.set != nil || e.check == nil {
					t.Errorf("%s: %s is not refused", kind, e.Name)
				}
			}
		}
	}
}

// TestNames holds the table to the names of Kafka 4.1's three clients.
func TestNames(t *testing.T) {
	common := []string{"bootstrap.servers", "client.dns.lookup", "client.id", "config.providers", "connections.max.idle.ms",
		"enable.metrics.push", "metadata.max.age.ms", "metadata.recovery.rebootstrap.trigger.ms", "metadata.recovery.strategy",
		"metric.reporters", "metrics.num.samples", "metrics.recording.level", "metrics.sample.window.ms", "receive.buffer.bytes",
		"reconnect.backoff.max.ms", "reconnect.backoff.ms", "request.timeout.ms", "retry.backoff.max.ms", "retry.backoff.ms",
		"security.protocol", "security.providers", "send.buffer.bytes", "socket.connection.setup.timeout.max.ms",
		"socket.connection.setup.timeout.ms", "auto.include.jmx.reporter"}
	for _, e := range slices.Concat(tlsTable(), saslTable()) {
		common = append(common, e.Name)
	}
	for kind, names := range map[Kind][]string{
		Producer: {"acks", "batch.size", "buffer.memory", "compression.gzip.level", "compression.lz4.level", "compression.type",
			"compression.zstd.level", "delivery.timeout.ms", "enable.idempotence", "interceptor.classes", "key.serializer", "linger.ms",
			"max.block.ms", "max.in.flight.requests.per.connection", "max.request.size", "metadata.max.idle.ms",
			"partitioner.adaptive.partitioning.enable", "partitioner.availability.timeout.ms", "partitioner.class",
			"partitioner.ignore.keys", "retries", "transaction.timeout.ms", "transaction.two.phase.commit.enable", "transactional.id", "value.serializer"},
		Consumer: {"allow.auto.create.topics", "auto.commit.interval.ms", "auto.offset.reset", "check.crcs", "client.rack",
			"default.api.timeout.ms", "enable.auto.commit", "exclude.internal.topics", "fetch.max.bytes", "fetch.max.wait.ms",
			"fetch.min.bytes", "group.id", "group.instance.id", "group.protocol", "group.remote.assignor", "heartbeat.interval.ms",
			"interceptor.classes", "isolation.level", "key.deserializer", "max.partition.fetch.bytes", "max.poll.interval.ms",
			"max.poll.records", "partition.assignment.strategy", "session.timeout.ms", "share.acknowledgement.mode", "value.deserializer"},
		Admin: {"bootstrap.controllers", "default.api.timeout.ms", "retries"},
	} {
		var have []string
		for _, e := range Entries(kind) {
			have = append(have, e.Name)
		}
		want := slices.Concat(common, names)
		slices.Sort(want)
		if !slices.Equal(have, want) {
			t.Errorf("%s: have %v\nwant %v", kind, have, want)
		}
	}
	if _, ok := Lookup(Producer, "group.id"); ok {
		t.Error("a producer has a group.id")
	}
	if e, ok := Lookup(Admin, "connections.max.idle.ms"); !ok || e.Default != "300000" {
		t.Errorf("the admin client's connections.max.idle.ms: %q, %v", e.Default, ok)
	}
}
