package kafkaclient

import (
	"maps"
	"strconv"
	"strings"
)

// The functions here compute a client's effective properties as Kafka Connect does:
// built-in values, then the worker's settings with the client's prefix, then the
// connector's overrides; later ones win. They are pure: no argument is changed and
// the result is the caller's. worker and connector are whole configurations with
// references to config providers already resolved; connector may be nil.

const defaultBootstrap = "localhost:9092"

// forever is Long.MAX_VALUE, Kafka Connect's max.block.ms.
const forever = "9223372036854775807"

// OverridePrefix is what a connector's overrides for a kind of client begin with,
// such as "producer.override.".
func OverridePrefix(kind Kind) string { return kind.String() + ".override." }

// Overrides returns a connector's overrides for a kind of client, without prefix.
func Overrides(kind Kind, connector map[string]string) map[string]string {
	return withPrefix(connector, OverridePrefix(kind))
}

// withPrefix returns the settings that begin with prefix, without it.
func withPrefix(all map[string]string, prefix string) map[string]string {
	out := map[string]string{}
	for name, v := range all {
		if rest, ok := strings.CutPrefix(name, prefix); ok && rest != "" {
			out[rest] = v
		}
	}
	return out
}

// layer puts the worker's settings for the kind and then the connector's overrides
// over the built-in ones.
func layer(kind Kind, worker, connector, builtIn map[string]string) map[string]string {
	builtIn["bootstrap.servers"] = bootstrapOf(worker)
	maps.Copy(builtIn, withPrefix(worker, kind.String()+"."))
	maps.Copy(builtIn, Overrides(kind, connector))
	return builtIn
}

func bootstrapOf(worker map[string]string) string {
	if v := strings.TrimSpace(worker["bootstrap.servers"]); v != "" {
		return v
	}
	return defaultBootstrap
}

// ProducerProps are the properties of a source task's producer, or of a sink's for
// its dead letter queue. clientID is the built-in client.id, such as
// connector-producer-orders-0.
//
// Kafka Connect leaves idempotence off, because brokers before 2.8 want a permission
// for it, and keeps the order by one request in flight. Here it is on unless a setting
// excludes it: it keeps the order with five requests in flight, and a retry writes
// nothing twice. enable.idempotence=false brings Kafka Connect's way back.
func ProducerProps(worker, connector map[string]string, clientID string) map[string]string {
	props := layer(Producer, worker, connector, map[string]string{
		"key.serializer":      byteArraySerializer,
		"value.serializer":    byteArraySerializer,
		"max.block.ms":        forever,
		"acks":                "all",
		"delivery.timeout.ms": "2147483647",
		"client.id":           clientID,
	})
	const idempotence, inFlight = "enable.idempotence", "max.in.flight.requests.per.connection"
	if _, given := props[idempotence]; !given {
		n, err := strconv.Atoi(strings.TrimSpace(props[inFlight]))
		acks := strings.TrimSpace(props["acks"])
		fits := (acks == "all" || acks == "-1") && strings.TrimSpace(props["retries"]) != "0" && (err != nil || n <= idempotentInFlight)
		props[idempotence] = strconv.FormatBool(fits)
	}
	if _, given := props[inFlight]; !given {
		props[inFlight] = "1"
		if strings.EqualFold(strings.TrimSpace(props[idempotence]), "true") {
			props[inFlight] = strconv.Itoa(idempotentInFlight)
		}
	}
	return props
}

// TransactionalProducerProps are the properties of an exactly-once source task's
// producer. The second result holds a warning for each value of the user's that had
// to be replaced.
func TransactionalProducerProps(worker, connector map[string]string, clientID, transactionalID string) (map[string]string, []string) {
	props := layer(Producer, worker, connector, map[string]string{
		"key.serializer":                        byteArraySerializer,
		"value.serializer":                      byteArraySerializer,
		"max.block.ms":                          forever,
		"acks":                                  "all",
		"max.in.flight.requests.per.connection": "1",
		"delivery.timeout.ms":                   "2147483647",
		"client.id":                             clientID,
	})
	const condition = "for connectors when exactly-once source support is enabled"
	var warnings []string
	warnings = force(props, "enable.idempotence", "true", condition, warnings)
	warnings = force(props, "transactional.id", transactionalID, condition, warnings)
	return props, warnings
}

// force sets a property and warns, in Kafka's words, when the user had another value.
func force(props map[string]string, name, value, condition string, warnings []string) []string {
	had, ok := props[name]
	props[name] = value
	if !ok || strings.EqualFold(had, value) {
		return warnings
	}
	return append(warnings, "The value '"+had+"' for the '"+name+"' property will be ignored as it cannot be overridden "+
		condition+". The value '"+value+"' will be used instead.")
}

// ConsumerProps are the properties of a sink's consumer. clientID is the built-in
// client.id, such as connector-consumer-orders-0.
func ConsumerProps(worker, connector map[string]string, connectorName, clientID string) map[string]string {
	return layer(Consumer, worker, connector, map[string]string{
		"key.deserializer":   byteArrayDeserializer,
		"value.deserializer": byteArrayDeserializer,
		"group.id":           SinkGroup(connectorName),
		"enable.auto.commit": "false",
		"auto.offset.reset":  "earliest",
		"client.id":          clientID,
	})
}

// SinkGroup is a sink connector's consumer group where no override names another.
func SinkGroup(connectorName string) string { return "connect-" + connectorName }

// OffsetsConsumerProps are the properties of the consumer that reads a source
// connector's offsets. exactlyOnce forces read_committed, which is otherwise only the
// default. The consumer reads partitions by hand, so it has no group.
func OffsetsConsumerProps(worker, connector map[string]string, clientID string, exactlyOnce bool) (map[string]string, []string) {
	props := layer(Consumer, worker, connector, map[string]string{
		"key.deserializer":   byteArrayDeserializer,
		"value.deserializer": byteArrayDeserializer,
		"enable.auto.commit": "false",
		"auto.offset.reset":  "earliest",
		"client.id":          clientID,
	})
	delete(props, "group.id")
	const name = "isolation.level"
	var warnings []string
	if exactlyOnce {
		warnings = force(props, name, "read_committed", "for connectors when exactly-once source support is enabled", nil)
	} else if _, ok := props[name]; !ok {
		props[name] = "read_committed"
	}
	return props, warnings
}

// AdminProps are the properties of a connector's admin client: those of the worker's
// own settings that an admin client knows, then the worker's admin. settings, then
// the connector's overrides.
func AdminProps(worker, connector map[string]string, clientID string) map[string]string {
	props := map[string]string{"client.id": clientID}
	own(Admin, worker, props)
	return layer(Admin, worker, connector, props)
}

// own copies the settings without prefix that a kind of client knows, but for
// config.providers: the worker has resolved its references, and its clients have none.
func own(kind Kind, worker, props map[string]string) {
	for _, e := range Entries(kind) {
		if v, ok := worker[e.Name]; ok && e.Name != "config.providers" {
			props[e.Name] = v
		}
	}
}

// InternalProps are the properties of the worker's own clients, which use the
// internal topics and the worker's group: the settings without prefix. What the
// worker's own settings mean otherwise (its group.id and its session and heartbeat
// times) is left out; the caller sets what it needs over the result.
func InternalProps(kind Kind, worker map[string]string, clientID string) map[string]string {
	props := map[string]string{}
	own(kind, worker, props)
	for _, name := range []string{"group.id", "session.timeout.ms", "heartbeat.interval.ms"} {
		delete(props, name)
	}
	switch kind {
	case Producer:
		props["acks"] = "all"
		props["delivery.timeout.ms"] = "2147483647"
	case Consumer:
		props["enable.auto.commit"] = "false"
		props["auto.offset.reset"] = "earliest"
	}
	props["client.id"] = clientID
	props["bootstrap.servers"] = bootstrapOf(worker)
	return props
}
