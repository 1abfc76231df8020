package kafkaclient

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// with adds pairs of names and values to the properties that every client needs.
func with(pairs ...string) map[string]string {
	props := map[string]string{"bootstrap.servers": "localhost:9092"}
	for i := 0; i < len(pairs); i += 2 {
		props[pairs[i]] = pairs[i+1]
	}
	return props
}

// newClient makes a client that never connects, to look at its options.
func newClient(t *testing.T, kind Kind, props map[string]string, env Env) (*kgo.Client, Result) {
	t.Helper()
	res, err := Options(kind, props, env)
	if err != nil {
		t.Fatal(err)
	}
	cl, err := kgo.NewClient(res.Opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	return cl, res
}

func TestMapping(t *testing.T) {
	const ms = time.Millisecond
	long := strings.Repeat("x", 10)
	for _, row := range []struct {
		name  string
		kind  Kind
		props map[string]string
		opt   any
		want  any
	}{
		{"brokers", Producer, with("bootstrap.servers", " a:9092 , b:1 ,SSL://c:9093, [::1]:9094"), kgo.SeedBrokers, []string{"a:9092", "b:1", "c:9093", "[::1]:9094"}},
		{"client id", Producer, with("client.id", long), kgo.ClientID, long},
		{"client id of the environment", Producer, with(), kgo.ClientID, "fallback"},
		{"request timeout", Producer, with("request.timeout.ms", "5000"), kgo.RequestTimeoutOverhead, 5000 * ms},
		{"request timeout for the broker", Producer, with("request.timeout.ms", "5000"), kgo.ProduceRequestTimeout, 5000 * ms},
		{"request timeout, too short", Admin, with("request.timeout.ms", "0"), kgo.RequestTimeoutOverhead, 100 * ms},
		{"metadata age", Consumer, with("metadata.max.age.ms", "60000"), kgo.MetadataMaxAge, time.Minute},
		{"metadata age, too long", Consumer, with("metadata.max.age.ms", "9223372036854775807"), kgo.MetadataMaxAge, time.Hour},
		{"metadata age, none", Consumer, with("metadata.max.age.ms", "0"), kgo.MetadataMaxAge, time.Second},
		{"idle", Consumer, with("connections.max.idle.ms", "60000"), kgo.ConnIdleTimeout, time.Minute},
		{"idle for ever", Consumer, with("connections.max.idle.ms", "-1"), kgo.ConnIdleTimeout, 15 * time.Minute},
		{"connection timeout", Consumer, with("socket.connection.setup.timeout.ms", "1234"), kgo.DialTimeout, 1234 * ms},

		{"acks by default", Producer, with(), kgo.RequiredAcks, kgo.AllISRAcks()},
		{"acks 1", Producer, with("acks", "1"), kgo.RequiredAcks, kgo.LeaderAck()},
		{"acks 0", Producer, with("acks", "0"), kgo.RequiredAcks, kgo.NoAck()},
		{"acks 1 switches idempotence off", Producer, with("acks", "1"), kgo.DisableIdempotentWrite, true},
		{"idempotence by default", Producer, with(), kgo.DisableIdempotentWrite, false},
		{"idempotence off", Producer, with("enable.idempotence", "FALSE"), kgo.DisableIdempotentWrite, true},
		{"in flight", Producer, with("enable.idempotence", "false", "max.in.flight.requests.per.connection", "3"), kgo.MaxProduceRequestsInflightPerBroker, 3},
		{"many in flight switch idempotence off", Producer, with("max.in.flight.requests.per.connection", "9"), kgo.MaxProduceRequestsInflightPerBroker, 9},
		{"retries", Producer, with("retries", "7"), kgo.RecordRetries, int64(7)},
		{"retries by default", Producer, with(), kgo.RecordRetries, int64(math.MaxInt64)},
		{"transactional id", Producer, with("transactional.id", "t"), kgo.TransactionalID, "t"},
		{"transaction timeout", Producer, with("transaction.timeout.ms", "900000"), kgo.TransactionTimeout, 15 * time.Minute},
		{"no compression by default", Producer, with(), kgo.ProducerBatchCompression, []kgo.CompressionCodec{kgo.NoCompression()}},
		{"gzip", Producer, with("compression.type", "gzip", "compression.gzip.level", "9"), kgo.ProducerBatchCompression, []kgo.CompressionCodec{kgo.GzipCompression().WithLevel(9)}},
		{"snappy", Producer, with("compression.type", "snappy"), kgo.ProducerBatchCompression, []kgo.CompressionCodec{kgo.SnappyCompression()}},
		{"lz4", Producer, with("compression.type", "lz4"), kgo.ProducerBatchCompression, []kgo.CompressionCodec{kgo.Lz4Compression()}},
		{"lz4, level", Producer, with("compression.type", "lz4", "compression.lz4.level", "1"), kgo.ProducerBatchCompression, []kgo.CompressionCodec{kgo.Lz4Compression().WithLevel(512)}},
		{"zstd", Producer, with("compression.type", "zstd"), kgo.ProducerBatchCompression, []kgo.CompressionCodec{kgo.ZstdCompression().WithLevel(2)}},
		{"zstd, level", Producer, with("compression.type", "zstd", "compression.zstd.level", "22"), kgo.ProducerBatchCompression, []kgo.CompressionCodec{kgo.ZstdCompression().WithLevel(4)}},
		{"no linger by default", Producer, with(), kgo.ProducerLinger, time.Duration(0)},
		{"linger", Producer, with("linger.ms", "5"), kgo.ProducerLinger, 5 * ms},
		{"buffer", Producer, with(), kgo.MaxBufferedBytes, int64(33554432)},
		{"buffer 0 is not unlimited", Producer, with("buffer.memory", "0"), kgo.MaxBufferedBytes, int64(1)},
		{"delivery timeout by default", Producer, with(), kgo.RecordDeliveryTimeout, 2 * time.Minute},
		{"delivery timeout grows", Producer, with("request.timeout.ms", "130000"), kgo.RecordDeliveryTimeout, 130005 * ms},
		{"delivery for ever", Producer, with("delivery.timeout.ms", "2147483647"), kgo.RecordDeliveryTimeout, time.Duration(0)},
		{"delivery may give up", Producer, with(), kgo.AllowIdempotentProduceCancellation, true},
		{"delivery in a transaction may not", Producer, with("transactional.id", "t"), kgo.AllowIdempotentProduceCancellation, false},
		{"unknown topic for ever", Producer, with("max.block.ms", forever), kgo.UnknownTopicRetries, int64(-1)},
		{"unknown topic for a minute", Producer, with("max.block.ms", "60000"), kgo.UnknownTopicRetries, int64(60)},
		{"topics are created", Producer, with(), kgo.AllowAutoTopicCreation, true},
		{"write bytes", Producer, with("max.request.size", "209715200"), kgo.BrokerMaxWriteBytes, int32(209715200 + 64<<10)},

		{"group", Consumer, with("group.id", "g"), kgo.ConsumerGroup, "g"},
		{"no group", Consumer, with(), kgo.ConsumerGroup, ""},
		{"instance", Consumer, with("group.id", "g", "group.instance.id", "i"), kgo.InstanceID, "i"},
		{"session", Consumer, with("group.id", "g", "session.timeout.ms", "20000"), kgo.SessionTimeout, 20 * time.Second},
		{"heartbeat", Consumer, with("group.id", "g", "heartbeat.interval.ms", "700"), kgo.HeartbeatInterval, 700 * ms},
		{"poll interval", Consumer, with("group.id", "g", "max.poll.interval.ms", "1000"), kgo.RebalanceTimeout, time.Second},
		{"no auto commit", Consumer, with("group.id", "g", "enable.auto.commit", "false"), kgo.DisableAutoCommit, true},
		{"auto commit interval", Consumer, with("group.id", "g", "auto.commit.interval.ms", "1"), kgo.AutoCommitInterval, 100 * ms},
		{"start at the end by default", Consumer, with(), kgo.ConsumeStartOffset, kgo.NewOffset().AtEnd()},
		{"start at the beginning", Consumer, with("auto.offset.reset", "Earliest"), kgo.ConsumeStartOffset, kgo.NewOffset().AtStart()},
		{"reset to the beginning", Consumer, with("auto.offset.reset", "earliest"), kgo.ConsumeResetOffset, kgo.NewOffset().AtStart()},
		{"no reset", Consumer, with("auto.offset.reset", "none"), kgo.ConsumeResetOffset, kgo.NoResetOffset()},
		{"isolation", Consumer, with("isolation.level", "read_committed"), kgo.FetchIsolationLevel, int8(1)},
		{"fetch wait", Consumer, with(), kgo.FetchMaxWait, 500 * ms},
		{"fetch min", Consumer, with("fetch.min.bytes", "100"), kgo.FetchMinBytes, int32(100)},
		{"fetch max", Consumer, with("fetch.max.bytes", "209715200"), kgo.FetchMaxBytes, int32(209715200)},
		{"read bytes", Consumer, with("fetch.max.bytes", "209715200"), kgo.BrokerMaxReadBytes, int32(209715200)},
		{"partition bytes", Consumer, with("max.partition.fetch.bytes", "1000"), kgo.FetchMaxPartitionBytes, int32(1000)},
		{"rack", Consumer, with("client.rack", "r"), kgo.Rack, "r"},
		{"crcs", Consumer, with("check.crcs", "false"), kgo.DisableFetchCRCValidation, true},
		{"consumers create topics", Consumer, with(), kgo.AllowAutoTopicCreation, true},
		{"consumers don't create topics", Consumer, with("allow.auto.create.topics", "false"), kgo.AllowAutoTopicCreation, false},
		{"no metrics", Consumer, with("enable.metrics.push", "false"), kgo.DisableClientMetrics, true},
		{"server side", Consumer, with("group.id", "g", "group.protocol", "consumer"), kgo.ServerSideBalancer, true},
		{"admin retries", Admin, with("retries", "3"), kgo.RequestRetries, int64(3)},
	} {
		t.Run(row.name, func(t *testing.T) {
			cl, _ := newClient(t, row.kind, row.props, Env{ClientID: "fallback"})
			if have := cl.OptValue(row.opt); !reflect.DeepEqual(have, row.want) {
				t.Errorf("have %v (%T), want %v (%T)", have, have, row.want, row.want)
			}
		})
	}
}

func TestBalancers(t *testing.T) {
	const p = assignorPackage
	for _, row := range []struct {
		name  string
		props map[string]string
		want  []string
	}{
		{"Java's default", with("group.id", "g"), []string{"range", "cooperative-sticky"}},
		{"all four", with("group.id", "g", "partition.assignment.strategy", p+"StickyAssignor, "+p+"RoundRobinAssignor,"+p+"CooperativeStickyAssignor,"+p+"RangeAssignor"),
			[]string{"sticky", "roundrobin", "cooperative-sticky", "range"}},
		{"the broker's default", with("group.id", "g", "group.protocol", "CONSUMER"), []string{"sticky"}},
		{"the broker's range", with("group.id", "g", "group.protocol", "CONSUMER", "group.remote.assignor", "range"), []string{"range"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			cl, _ := newClient(t, Consumer, row.props, Env{})
			var have []string
			for _, b := range cl.OptValue(kgo.Balancers).([]kgo.GroupBalancer) {
				have = append(have, b.ProtocolName())
			}
			if !slices.Equal(have, row.want) {
				t.Errorf("have %v, want %v", have, row.want)
			}
		})
	}
}

// TestErrors holds each message to Kafka's, or ours where Kafka has none. Every
// message names its property.
func TestErrors(t *testing.T) {
	for _, row := range []struct {
		name  string
		kind  Kind
		props map[string]string
		want  []string // all messages, in any order
	}{
		{"no brokers", Producer, map[string]string{}, []string{"No bootstrap urls given in bootstrap.servers"}},
		{"bad broker", Producer, with("bootstrap.servers", "a:9092,b"), []string{"Invalid url in bootstrap.servers: b"}},
		{"bad port", Producer, with("bootstrap.servers", "a:99999"), []string{"Invalid port in bootstrap.servers: a:99999"}},
		{"not a number", Producer, with("linger.ms", "zz"), []string{"Invalid value zz for configuration linger.ms: Not a number of type LONG"}},
		{"too large a number", Consumer, with("max.poll.records", "3000000000"), []string{"Invalid value 3000000000 for configuration max.poll.records: Not a number of type INT"}},
		{"too small a number", Consumer, with("max.poll.records", "0"), []string{"Invalid value 0 for configuration max.poll.records: Value must be at least 1"}},
		{"two at once", Producer, with("acks", "2", "retries", "-1"), []string{
			"Invalid value 2 for configuration acks: String must be one of: all, -1, 0, 1",
			"Invalid value -1 for configuration retries: Value must be at least 0"}},
		{"not a boolean", Consumer, with("enable.auto.commit", "yes"), []string{"Invalid value yes for configuration enable.auto.commit: Expected value to be either true or false"}},
		{"compression", Producer, with("compression.type", "br"), []string{"Invalid value br for configuration compression.type: String must be one of: none, gzip, snappy, lz4, zstd"}},
		{"protocol", Producer, with("security.protocol", "TLS"), []string{"Invalid value TLS for configuration security.protocol: String must be one of (case insensitive): SASL_SSL, PLAINTEXT, SSL, SASL_PLAINTEXT"}},
		{"partitioner", Producer, with("partitioner.class", "a.B"), []string{"Invalid value a.B for configuration partitioner.class: Class a.B could not be found."}},
		{"assignor", Consumer, with("partition.assignment.strategy", "a.B"), []string{"Invalid value a.B for configuration partition.assignment.strategy: Class a.B could not be found."}},
		{"interceptor", Producer, with("interceptor.classes", "a.B"), []string{"Invalid value a.B for configuration interceptor.classes: " + noClasses}},
		{"callback handler", Producer, with("sasl.login.callback.handler.class", "a.B"), []string{"Invalid value a.B for configuration sasl.login.callback.handler.class: " + noClasses}},
		{"engine factory", Producer, with("ssl.engine.factory.class", "a.B"), []string{"Invalid value a.B for configuration ssl.engine.factory.class: " + noClasses}},
		{"serializer", Producer, with("key.serializer", "a.B"), []string{"Invalid value a.B for configuration key.serializer: records are written as the converters' bytes; only " + byteArraySerializer + " is supported"}},
		{"provider", Consumer, with("config.providers", "file"), []string{"Invalid value file for configuration config.providers: config providers are set at the worker, not at a client"}},
		{"dns", Admin, with("client.dns.lookup", "resolve_canonical_bootstrap_servers_only"), []string{
			"Invalid value resolve_canonical_bootstrap_servers_only for configuration client.dns.lookup: the canonical host name lookup is not supported; list the brokers' own names in bootstrap.servers"}},
		{"idempotence and acks", Producer, with("enable.idempotence", "true", "acks", "1"), []string{"Must set acks to all in order to use the idempotent producer. Otherwise we cannot guarantee idempotence."}},
		{"idempotence and retries", Producer, with("enable.idempotence", "true", "retries", "0"), []string{"Must set retries to non-zero when using the idempotent producer."}},
		{"idempotence and in flight", Producer, with("enable.idempotence", "true", "max.in.flight.requests.per.connection", "6"), []string{"Must set max.in.flight.requests.per.connection to at most 5 to use the idempotent producer."}},
		{"transactions without idempotence", Producer, with("transactional.id", "t", "enable.idempotence", "false"), []string{"Cannot set a transactional.id without also enabling idempotence."}},
		{"empty transactional id", Producer, with("transactional.id", ""), []string{"Invalid value  for configuration transactional.id: String must be non-empty"}},
		{"delivery timeout", Producer, with("delivery.timeout.ms", "1000"), []string{"delivery.timeout.ms should be equal to or larger than linger.ms + request.timeout.ms"}},
		{"reset", Consumer, with("auto.offset.reset", "first"), []string{"Invalid value first for configuration auto.offset.reset: Invalid value `first` for configuration auto.offset.reset. The value must be either 'earliest', 'latest', 'none' or of the format 'by_duration:<PnDTnHnMn.nS.>'."}},
		{"new protocol with old properties", Consumer, with("group.id", "g", "group.protocol", "consumer", "session.timeout.ms", "1000"), []string{"session.timeout.ms cannot be set when group.protocol=CONSUMER"}},
		{"old protocol with a remote assignor", Consumer, with("group.id", "g", "group.remote.assignor", "range"), []string{"group.remote.assignor cannot be set when group.protocol=CLASSIC"}},
		{"heartbeat", Consumer, with("group.id", "g", "heartbeat.interval.ms", "45000"), []string{"Heartbeat must be set lower than the session timeout: heartbeat.interval.ms is 45000, session.timeout.ms is 45000"}},
		{"no login", Producer, with("security.protocol", "SASL_PLAINTEXT", "sasl.mechanism", "PLAIN"), []string{"sasl.jaas.config is not set, and sasl.mechanism PLAIN needs it: " + plainModule + " required …;"}},
		{"mechanism", Producer, with("security.protocol", "sasl_ssl", "sasl.mechanism", "DIGEST-MD5"), []string{"Invalid value DIGEST-MD5 for configuration sasl.mechanism: only PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER, AWS_MSK_IAM and GSSAPI are supported"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, err := Options(row.kind, row.props, Env{})
			if err == nil {
				t.Fatal("no error")
			}
			have := strings.Split(err.Error(), "\n")
			slices.Sort(have)
			slices.Sort(row.want)
			if !slices.Equal(have, row.want) {
				t.Errorf("have %q\nwant %q", have, row.want)
			}
			var config *ConfigError
			if !errors.As(err, &config) || config.Name == "" || !strings.Contains(config.Message, config.Name) && config.Name != "enable.idempotence" {
				t.Errorf("the error doesn't name its property: %#v", config)
			}
		})
	}
}

// TestEveryBadValue gives every property that has a restricted type a value that
// can't be right, and expects an error that names it.
func TestEveryBadValue(t *testing.T) {
	for _, kind := range []Kind{Producer, Consumer, Admin} {
		for _, e := range Entries(kind) {
			if e.check == nil && slices.Contains([]Type{String, List, Class, Password}, e.Type) {
				continue
			}
			_, err := Options(kind, with(e.Name, "no such value"), Env{})
			if e.Name == "transactional.id" || e.Name == "group.instance.id" {
				if err != nil {
					t.Errorf("%s: %v", e.Name, err)
				}
				continue
			}
			if err == nil || !strings.Contains(err.Error(), " for configuration "+e.Name+": ") {
				t.Errorf("%s %s: %v", kind, e.Name, err)
			}
		}
	}
}

func TestParseTypeOnly(t *testing.T) {
	e, _ := Lookup(Consumer, "max.poll.records")
	if err := e.ParseType("0"); err != nil {
		t.Errorf("the type of 0: %v", err)
	}
	err := e.ParseType("x")
	if err == nil || err.Error() != "Invalid value x for configuration max.poll.records: Not a number of type INT" {
		t.Errorf("the type of x: %v", err)
	}
	if err := e.Check("0"); err == nil {
		t.Error("0 records are allowed")
	}
}

func TestReport(t *testing.T) {
	res, err := Options(Consumer, with("metric.reporters", "a.B", "reconnect.backoff.ms", "1", "max.poll.records", "7",
		"zz", "1", "acks", "all", "metrics.context.connect.group.id", "x"), Env{})
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"acks", "zz"}; !slices.Equal(res.Report.Unknown, want) {
		t.Errorf("unknown: have %v, want %v", res.Report.Unknown, want)
	}
	if want := []string{"metric.reporters", "reconnect.backoff.ms"}; !slices.Equal(res.Report.NoEffect, want) {
		t.Errorf("no effect: have %v, want %v", res.Report.NoEffect, want)
	}
	var log strings.Builder
	res.Report.Log(context.Background(), slog.New(slog.NewTextHandler(&log, nil)))
	if n := strings.Count(log.String(), "\n"); n != 2 {
		t.Errorf("the report has %d lines:\n%s", n, log.String())
	}
}

func TestSettings(t *testing.T) {
	_, p := newClient(t, Producer, with("client.id", "p", "max.block.ms", forever, "delivery.timeout.ms", "2147483647", "transactional.id", "t"), Env{})
	wantP := Settings{BootstrapServers: []string{"localhost:9092"}, ClientID: "p", RequestTimeout: 30 * time.Second,
		MaxBlock: 1<<63 - 1, Idempotent: true, TransactionalID: "t", MaxRequestSize: 1048576}
	if !reflect.DeepEqual(p.Settings, wantP) {
		t.Errorf("producer: have %+v\nwant %+v", p.Settings, wantP)
	}
	_, c := newClient(t, Consumer, with("group.id", "g", "group.instance.id", "i", "isolation.level", "read_committed"), Env{})
	wantC := Settings{BootstrapServers: []string{"localhost:9092"}, RequestTimeout: 30 * time.Second, DefaultAPITimeout: time.Minute,
		GroupID: "g", GroupInstanceID: "i", MaxPollRecords: 500, MaxPollInterval: 5 * time.Minute, AutoCommit: true,
		ExcludeInternalTopics: true, ReadCommitted: true}
	if !reflect.DeepEqual(c.Settings, wantC) {
		t.Errorf("consumer: have %+v\nwant %+v", c.Settings, wantC)
	}
}

func TestBatchLimit(t *testing.T) {
	topics := map[string]int32{"small": 1000, "tiny": 5, "large": 1 << 24}
	limit := batchLimit(1<<20, func(topic string) int32 { return topics[topic] })
	for topic, want := range map[string]int32{"": 1 << 20, "small": 1000, "tiny": minBatch, "large": 1 << 20, "unknown": 1 << 20} {
		if have := limit(topic); have != want {
			t.Errorf("%q: have %d, want %d", topic, have, want)
		}
	}
	if have := batchLimit(7777, nil)("a"); have != 7777 {
		t.Errorf("without knowledge: have %d", have)
	}
}

func TestBackoff(t *testing.T) {
	for _, row := range []struct {
		fails  int
		random float64
		want   time.Duration
	}{{1, 0.5, 100 * time.Millisecond}, {2, 0.5, 200 * time.Millisecond}, {3, 0.5, 400 * time.Millisecond},
		{9, 0.5, time.Second}, {9, 0, 800 * time.Millisecond}, {0, 0.5, 100 * time.Millisecond}} {
		have := backoff(100*time.Millisecond, time.Second, row.fails, row.random)
		if (have - row.want).Abs() > time.Microsecond {
			t.Errorf("after %d failures: have %v, want %v", row.fails, have, row.want)
		}
	}
}

func TestISODuration(t *testing.T) {
	for text, want := range map[string]time.Duration{"P1D": 24 * time.Hour, "PT1H30M": 90 * time.Minute, "P2DT0.5S": 48*time.Hour + 500*time.Millisecond, "pt5s": 5 * time.Second} {
		if have, err := parseISODuration(text); err != nil || have != want {
			t.Errorf("%s: have %v, %v; want %v", text, have, err, want)
		}
	}
	for _, text := range []string{"", "P", "PT", "P1DT", "1D", "P-1D", "PT1", "P999999999D", "P1H"} {
		if have, err := parseISODuration(text); err == nil {
			t.Errorf("%q is %v", text, have)
		}
	}
}
