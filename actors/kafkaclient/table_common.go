package kafkaclient

import "time"

// commonTable holds what all three clients know alike, or nearly so, apart from TLS
// and SASL.
func commonTable() []Entry {
	return []Entry{
		{Name: "bootstrap.servers", Type: List, Required: true, Importance: "HIGH", kinds: every, Effect: Mapped,
			Note: "Brokers to ask first, `host:port` separated by commas; blanks and a `PROTOCOL://` before the host are accepted.",
			set:  (*build).bootstrap},
		{Name: "client.id", Type: String, Default: "", Importance: "MEDIUM", kinds: producer | admin, Effect: Mapped,
			Note: "Sent with every request; at most 256 bytes.", set: (*build).clientID},
		{Name: "client.id", Type: String, Default: "", Importance: "LOW", kinds: consumer, Effect: Mapped,
			Note: "Sent with every request; at most 256 bytes.", set: (*build).clientID},
		{Name: "client.dns.lookup", Type: String, Default: "use_all_dns_ips", Importance: "MEDIUM", kinds: every, Effect: Refused,
			Valid: "[use_all_dns_ips, resolve_canonical_bootstrap_servers_only]",
			Note:  "`use_all_dns_ips` is what the dialer does; the canonical-name lookup is not built.",
			check: func(e *Entry, v value) *ConfigError {
				if err := oneOf("use_all_dns_ips", "resolve_canonical_bootstrap_servers_only")(e, v); err != nil {
					return err
				}
				return onlyOf("the canonical host name lookup is not supported; list the brokers' own names in bootstrap.servers", "use_all_dns_ips")(e, v)
			}},
		{Name: "metadata.max.age.ms", Type: Long, Default: "300000", Importance: "LOW", Valid: "[0,...]", kinds: every, Effect: Mapped,
			Note: "Longest time between metadata requests; raised to 1 s and lowered to 1 h where outside.", check: atLeast(0),
			set: (*build).metadataAge},
		{Name: "metadata.recovery.strategy", Type: String, Default: "rebootstrap", Importance: "LOW", Valid: "(case insensitive) [REBOOTSTRAP, NONE]", kinds: every, Effect: NoEffect,
			Note: "The client always goes back to bootstrap.servers when no other broker answers.", check: oneOfAnyCase("REBOOTSTRAP", "NONE")},
		{Name: "metadata.recovery.rebootstrap.trigger.ms", Type: Long, Default: "300000", Importance: "LOW", Valid: "[0,...]", kinds: every, Effect: NoEffect,
			Note: "Going back to bootstrap.servers doesn't wait for a time.", check: atLeast(0)},
		{Name: "send.buffer.bytes", Type: Int, Default: "131072", Importance: "MEDIUM", Valid: "[-1,...]", kinds: every, Effect: NoEffect,
			Note: "The operating system sizes the socket's buffers itself.", check: atLeast(-1)},
		{Name: "receive.buffer.bytes", Type: Int, Default: "32768", Importance: "MEDIUM", Valid: "[-1,...]", kinds: producer, Effect: NoEffect,
			Note: "The operating system sizes the socket's buffers itself.", check: atLeast(-1)},
		{Name: "receive.buffer.bytes", Type: Int, Default: "65536", Importance: "MEDIUM", Valid: "[-1,...]", kinds: consumer | admin, Effect: NoEffect,
			Note: "The operating system sizes the socket's buffers itself.", check: atLeast(-1)},
		{Name: "reconnect.backoff.ms", Type: Long, Default: "50", Importance: "LOW", Valid: "[0,...]", kinds: every, Effect: NoEffect,
			Note: "New connections are paced by retry.backoff.ms, as all retries are.", check: atLeast(0)},
		{Name: "reconnect.backoff.max.ms", Type: Long, Default: "1000", Importance: "LOW", Valid: "[0,...]", kinds: every, Effect: NoEffect,
			Note: "New connections are paced by retry.backoff.max.ms, as all retries are.", check: atLeast(0)},
		{Name: "retry.backoff.ms", Type: Long, Default: "100", Importance: "LOW", Valid: "[0,...]", kinds: every, Effect: Mapped,
			Note: "Wait before the first retry; it doubles with each further one, with 20 % of chance.", check: atLeast(0), by: "retry.backoff.max.ms"},
		{Name: "retry.backoff.max.ms", Type: Long, Default: "1000", Importance: "LOW", Valid: "[0,...]", kinds: every, Effect: Mapped,
			Note: "Longest wait before a retry; also the shortest time between metadata requests, within 250 ms and 5 s.", check: atLeast(0),
			set: (*build).retries},
		{Name: "request.timeout.ms", Type: Int, Default: "30000", Importance: "MEDIUM", Valid: "[0,...]", kinds: every, Effect: Mapped,
			Note: "How long an answer may take, 100 ms to 15 min; a produce request has it once more for the broker's wait for replicas.", check: atLeast(0),
			set: (*build).requestTimeout},
		{Name: "default.api.timeout.ms", Type: Int, Default: "60000", Importance: "MEDIUM", Valid: "[0,...]", kinds: consumer | admin, Effect: Mapped,
			Note: "Total time of a request with its retries (admin); for consumers the worker bounds its own calls with it.", check: atLeast(0),
			set: func(b *build, v value) {
				b.out.Settings.DefaultAPITimeout = millis(v.n)
				if b.kind == Admin {
					b.add(kgoRetryTimeout(max(millis(v.n), time.Millisecond)))
				}
			}},
		{Name: "socket.connection.setup.timeout.ms", Type: Long, Default: "10000", Importance: "MEDIUM", Valid: "[0,...]", kinds: every, Effect: Mapped,
			Note: "Time for a connection to be made, with its TLS handshake.", check: atLeast(0),
			set: func(b *build, v value) { b.dialTimeout = max(millis(v.n), time.Millisecond) }},
		{Name: "socket.connection.setup.timeout.max.ms", Type: Long, Default: "30000", Importance: "MEDIUM", Valid: "[0,...]", kinds: every, Effect: NoEffect,
			Note: "The time for a connection doesn't grow with failures.", check: atLeast(0)},
		{Name: "connections.max.idle.ms", Type: Long, Default: "540000", Importance: "MEDIUM", kinds: producer | consumer, Effect: Mapped,
			Note: "Closes idle connections; 100 ms to 15 min, -1 counts as 15 min.", set: (*build).idle},
		{Name: "connections.max.idle.ms", Type: Long, Default: "300000", Importance: "MEDIUM", kinds: admin, Effect: Mapped,
			Note: "Closes idle connections; 100 ms to 15 min, -1 counts as 15 min.", set: (*build).idle},
		{Name: "metrics.sample.window.ms", Type: Long, Default: "30000", Importance: "LOW", Valid: "[0,...]", kinds: every, Effect: NoEffect,
			Note: "The worker's metrics are counters without windows.", check: atLeast(0)},
		{Name: "metrics.num.samples", Type: Int, Default: "2", Importance: "LOW", Valid: "[1,...]", kinds: every, Effect: NoEffect,
			Note: "The worker's metrics are counters without windows.", check: atLeast(1)},
		{Name: "metrics.recording.level", Type: String, Default: "INFO", Importance: "LOW", Valid: "[INFO, DEBUG, TRACE]", kinds: every, Effect: NoEffect,
			Note: "The worker's metrics have one level.", check: oneOf("INFO", "DEBUG", "TRACE")},
		{Name: "metric.reporters", Type: List, Default: "org.apache.kafka.common.metrics.JmxReporter", Importance: "LOW", kinds: every, Effect: NoEffect,
			Note: "Metrics leave by the worker's own endpoints, see the page on metrics."},
		{Name: "auto.include.jmx.reporter", Type: Boolean, Default: "true", Importance: "LOW", kinds: every, Effect: NoEffect,
			Note: "There is no JMX; Kafka 4 has dropped the property."},
		{Name: "enable.metrics.push", Type: Boolean, Default: "true", Importance: "LOW", kinds: every, Effect: Mapped,
			Note: "Sends client metrics to brokers that ask for them (KIP-714).", set: (*build).metricsPush},
		{Name: "interceptor.classes", Type: List, Default: "", Importance: "LOW", kinds: producer | consumer, Effect: Refused,
			Note: "Only empty.", check: onlyOf(noClasses, "")},
		{Name: "security.providers", Type: String, Null: true, Importance: "LOW", kinds: every, Effect: Refused,
			Note: "Only empty: there are no Java security providers.", check: onlyOf(noClasses, "")},
		{Name: "config.providers", Type: List, Default: "", Importance: "LOW", kinds: every, Effect: Refused,
			Note:  "Only empty: set providers at the worker, which resolves references before a client sees them.",
			check: onlyOf("config providers are set at the worker, not at a client", "")},
		{Name: "security.protocol", Type: String, Default: "PLAINTEXT", Importance: "MEDIUM", kinds: every, Effect: Mapped,
			Valid: "(case insensitive) [SASL_SSL, PLAINTEXT, SSL, SASL_PLAINTEXT]",
			Note:  "TLS and SASL as with Kafka's clients.", check: oneOfAnyCase("SASL_SSL", "PLAINTEXT", "SSL", "SASL_PLAINTEXT"),
			set: (*build).security},
	}
}

// adminTable holds what only the admin client knows.
func adminTable() []Entry {
	return []Entry{
		{Name: "bootstrap.controllers", Type: List, Default: "", Importance: "HIGH", kinds: admin, Effect: Refused,
			Note: "Only empty: requests go to brokers.", check: onlyOf("requests go to brokers; set bootstrap.servers", "")},
		{Name: "retries", Type: Int, Default: "2147483647", Importance: "LOW", Valid: "[0,...,2147483647]", kinds: admin, Effect: Mapped,
			Note: "Attempts after the first, within default.api.timeout.ms.", check: between(0, 1<<31-1), set: (*build).adminRetries},
	}
}
