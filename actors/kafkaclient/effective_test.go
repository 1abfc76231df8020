package kafkaclient

import (
	"maps"
	"slices"
	"testing"
)

func TestEffective(t *testing.T) {
	worker := map[string]string{
		"bootstrap.servers": "w:9092", "group.id": "cluster", "session.timeout.ms": "9999", "security.protocol": "SSL", "key.converter": "x",
		"request.timeout.ms": "1000", "client.id": "worker", "config.providers": "env",
		"producer.acks": "1", "producer.linger.ms": "3", "consumer.max.poll.records": "9", "admin.retries": "2", "admin.request.timeout.ms": "2000",
	}
	connector := map[string]string{
		"name": "c", "producer.override.linger.ms": "4", "producer.override.bootstrap.servers": "o:1",
		"consumer.override.group.id": "mine", "admin.override.client.id": "adm", "producer.override.": "x",
	}
	before := maps.Clone(worker)
	for _, row := range []struct {
		name       string
		have, want map[string]string
	}{
		{"producer, nothing set", ProducerProps(nil, nil, "id"), map[string]string{
			"bootstrap.servers": "localhost:9092", "key.serializer": byteArraySerializer, "value.serializer": byteArraySerializer,
			"max.block.ms": "9223372036854775807", "enable.idempotence": "true", "acks": "all",
			"max.in.flight.requests.per.connection": "5", "delivery.timeout.ms": "2147483647", "client.id": "id"}},
		{"producer", ProducerProps(worker, connector, "id"), map[string]string{
			"bootstrap.servers": "o:1", "key.serializer": byteArraySerializer, "value.serializer": byteArraySerializer,
			"max.block.ms": "9223372036854775807", "enable.idempotence": "false", "acks": "1", "linger.ms": "4",
			"max.in.flight.requests.per.connection": "1", "delivery.timeout.ms": "2147483647", "client.id": "id"}},
		{"producer without idempotence", ProducerProps(map[string]string{"producer.enable.idempotence": "false"}, nil, "id"), map[string]string{
			"bootstrap.servers": "localhost:9092", "key.serializer": byteArraySerializer, "value.serializer": byteArraySerializer,
			"max.block.ms": "9223372036854775807", "enable.idempotence": "false", "acks": "all",
			"max.in.flight.requests.per.connection": "1", "delivery.timeout.ms": "2147483647", "client.id": "id"}},
		{"sink consumer", ConsumerProps(worker, nil, "c", "id"), map[string]string{
			"bootstrap.servers": "w:9092", "key.deserializer": byteArrayDeserializer, "value.deserializer": byteArrayDeserializer,
			"group.id": "connect-c", "enable.auto.commit": "false", "auto.offset.reset": "earliest", "client.id": "id", "max.poll.records": "9"}},
		{"admin", AdminProps(worker, connector, "id"), map[string]string{
			"bootstrap.servers": "w:9092", "security.protocol": "SSL", "request.timeout.ms": "2000", "retries": "2", "client.id": "adm"}},
		{"internal producer", InternalProps(Producer, worker, "id"), map[string]string{
			"bootstrap.servers": "w:9092", "security.protocol": "SSL", "request.timeout.ms": "1000", "acks": "all", "delivery.timeout.ms": "2147483647", "client.id": "id"}},
		{"internal consumer", InternalProps(Consumer, worker, "id"), map[string]string{
			"bootstrap.servers": "w:9092", "security.protocol": "SSL", "request.timeout.ms": "1000", "enable.auto.commit": "false", "auto.offset.reset": "earliest", "client.id": "id"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			if !maps.Equal(row.have, row.want) {
				t.Errorf("have %v\nwant %v", row.have, row.want)
			}
		})
	}
	if g := ConsumerProps(worker, connector, "c", "id")["group.id"]; g != "mine" {
		t.Errorf("the overridden group is %q", g)
	}
	if !maps.Equal(before, worker) {
		t.Error("the worker's settings were changed")
	}
	// What is built in must be what Options takes.
	for _, p := range []struct {
		kind  Kind
		props map[string]string
	}{{Producer, ProducerProps(nil, nil, "i")}, {Consumer, ConsumerProps(nil, nil, "c", "i")}, {Admin, AdminProps(nil, nil, "i")}} {
		res, err := Options(p.kind, p.props, Env{})
		if err != nil || len(res.Report.Unknown)+len(res.Report.NoEffect) > 0 {
			t.Errorf("%s: %v, %+v", p.kind, err, res.Report)
		}
	}
}

func TestForced(t *testing.T) {
	connector := map[string]string{"producer.override.enable.idempotence": "false", "producer.override.transactional.id": "x", "consumer.override.isolation.level": "read_uncommitted"}
	props, warnings := TransactionalProducerProps(nil, connector, "i", "g-c-0")
	want := []string{
		"The value 'false' for the 'enable.idempotence' property will be ignored as it cannot be overridden for connectors when exactly-once source support is enabled. The value 'true' will be used instead.",
		"The value 'x' for the 'transactional.id' property will be ignored as it cannot be overridden for connectors when exactly-once source support is enabled. The value 'g-c-0' will be used instead.",
	}
	if !slices.Equal(warnings, want) || props["enable.idempotence"] != "true" || props["transactional.id"] != "g-c-0" {
		t.Errorf("have %q, %v", warnings, props)
	}
	if err := Validate(Producer, props); err != nil {
		t.Error(err)
	}
	if _, warnings := TransactionalProducerProps(nil, nil, "i", "g-c-0"); len(warnings) > 0 {
		t.Errorf("warned of nothing: %q", warnings)
	}
	props, warnings = OffsetsConsumerProps(nil, connector, "i", true)
	if len(warnings) != 1 || props["isolation.level"] != "read_committed" || props["group.id"] != "" {
		t.Errorf("forced: %q, %v", warnings, props)
	}
	props, warnings = OffsetsConsumerProps(nil, connector, "i", false)
	if len(warnings) != 0 || props["isolation.level"] != "read_uncommitted" {
		t.Errorf("not forced: %q, %v", warnings, props)
	}
}

func TestPolicy(t *testing.T) {
	overrides := map[string]string{"sasl.mechanism": "PLAIN", "acks": "all", "sasl.jaas.config": "x", "security.protocol": "SSL"}
	for _, row := range []struct {
		name string
		want []string
	}{
		{"All", nil},
		{"org.apache.kafka.connect.connector.policy.AllConnectorClientConfigOverridePolicy", nil},
		{"Principal", []string{"The 'Principal' policy does not allow 'acks' to be overridden in the connector configuration."}},
		{" NoneConnectorClientConfigOverridePolicy", []string{
			"The 'None' policy does not allow 'acks' to be overridden in the connector configuration.",
			"The 'None' policy does not allow 'sasl.jaas.config' to be overridden in the connector configuration.",
			"The 'None' policy does not allow 'sasl.mechanism' to be overridden in the connector configuration.",
			"The 'None' policy does not allow 'security.protocol' to be overridden in the connector configuration."}},
	} {
		t.Run(row.name, func(t *testing.T) {
			p, err := PolicyFor(row.name)
			if err != nil {
				t.Fatal(err)
			}
			var have []string
			for _, v := range p.Check(overrides) {
				have = append(have, v.Message)
			}
			if !slices.Equal(have, row.want) {
				t.Errorf("have %q", have)
			}
		})
	}
	if _, err := PolicyFor("a.B"); err == nil || err.Error() != "Invalid value a.B for configuration connector.client.config.override.policy: Class a.B could not be found." {
		t.Errorf("an unknown policy: %v", err)
	}
}
