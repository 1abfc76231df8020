package kafkaclient

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

// broker starts a fake cluster of one broker with the topic "t".
func broker(t *testing.T, opts ...kfake.Opt) string {
	t.Helper()
	c, err := kfake.NewCluster(append(opts, kfake.NumBrokers(1), kfake.SeedTopics(2, "t"))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c.ListenAddrs()[0]
}

// roundTrip writes a record and reads it in a group, with the properties that Kafka
// Connect would give its clients.
func roundTrip(t *testing.T, addr string, security map[string]string, env Env) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	worker := map[string]string{"bootstrap.servers": addr}
	for name, v := range security {
		worker["producer."+name], worker["consumer."+name] = v, v
	}
	made, err := Options(Producer, ProducerProps(worker, nil, "p"), env)
	if err != nil {
		return err
	}
	p, err := kgo.NewClient(made.Opts...)
	if err != nil {
		return err
	}
	defer p.Close()
	if err := p.Ping(ctx); err != nil {
		return err
	}
	rec := &kgo.Record{Topic: "t", Partition: 1, Key: []byte("k"), Value: []byte(t.Name())}
	if err := p.ProduceSync(ctx, rec).FirstErr(); err != nil {
		return err
	}
	if rec.Partition != 1 {
		t.Errorf("the record went to partition %d, not to its own", rec.Partition)
	}
	read, err := Options(Consumer, ConsumerProps(worker, nil, "c", "c"), env)
	if err != nil {
		return err
	}
	c, err := kgo.NewClient(append(read.Opts, kgo.ConsumeTopics("t"))...)
	if err != nil {
		return err
	}
	defer c.Close()
	// Other trips may have left records before this one's.
	for {
		fetches := c.PollRecords(ctx, read.Settings.MaxPollRecords)
		if err := fetches.Err(); err != nil {
			return err
		}
		for _, r := range fetches.Records() {
			if r.Partition == 1 && string(r.Value) == t.Name() {
				return nil
			}
		}
	}
}

func TestPlainText(t *testing.T) {
	var dials atomic.Int32
	env := Env{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		dials.Add(1)
		return (&net.Dialer{}).DialContext(ctx, network, address)
	}}
	if err := roundTrip(t, broker(t), nil, env); err != nil {
		t.Fatal(err)
	}
	if dials.Load() == 0 {
		t.Error("the given dialer was not used")
	}
}

func TestSASL(t *testing.T) {
	const secret = `s3"c\ret`
	quoted := strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(secret)
	for _, mechanism := range []string{"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"} {
		t.Run(mechanism, func(t *testing.T) {
			addr := broker(t, kfake.EnableSASL(), kfake.Superuser(mechanism, "alice", secret))
			module := scramModule
			if mechanism == "PLAIN" {
				module = plainModule
			}
			props := map[string]string{
				"security.protocol": "SASL_PLAINTEXT",
				"sasl.mechanism":    mechanism,
				"sasl.jaas.config":  module + ` required username="alice" password="` + quoted + `";`,
			}
			if err := roundTrip(t, addr, props, Env{}); err != nil {
				t.Error(err)
			}
			var log strings.Builder
			props["sasl.jaas.config"] = module + ` required username="alice" password="wrongpw";`
			err := roundTrip(t, addr, props, Env{Logger: slog.New(slog.NewTextHandler(&log, nil))})
			if err == nil {
				t.Error("a wrong password was let in")
			} else if strings.Contains(err.Error()+log.String(), "wrongpw") {
				t.Errorf("the password shows: %v, %s", err, log.String())
			}
			props["sasl.jaas.config"] = oauthModule + ` required username="alice" password="wrongpw";`
			err = roundTrip(t, addr, props, Env{})
			if err == nil || !strings.Contains(err.Error(), "sasl.mechanism "+mechanism+" needs the login module "+module) || strings.Contains(err.Error(), "wrongpw") {
				t.Errorf("the wrong module: %v", err)
			}
		})
	}
}

func TestTLSBroker(t *testing.T) {
	pki := newPKI(t)
	server := &tls.Config{Certificates: []tls.Certificate{pki.server}}
	mutual := &tls.Config{Certificates: []tls.Certificate{pki.server}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pki.pool}
	plain, both := broker(t, kfake.TLS(server)), broker(t, kfake.TLS(mutual))
	for _, row := range []struct {
		name string
		addr string
		want string // part of the error
		ssl  map[string]string
	}{
		{"PEM trust file", plain, "", map[string]string{"ssl.truststore.type": "PEM", "ssl.truststore.location": pki.file("ca.pem")}},
		{"PEM trust text", plain, "", map[string]string{"ssl.truststore.type": "PEM", "ssl.truststore.certificates": pki.text("ca.pem")}},
		{"PEM trust text in one line", plain, "", map[string]string{"ssl.truststore.type": "PEM", "ssl.truststore.certificates": strings.ReplaceAll(pki.text("ca.pem"), "\n", " ")}},
		{"JKS trust", plain, "", map[string]string{"ssl.truststore.location": pki.file("trust.jks"), "ssl.truststore.password": storePassword}},
		{"JKS trust without password", plain, "", map[string]string{"ssl.truststore.location": pki.file("trust.jks")}},
		{"PKCS12 trust", plain, "", map[string]string{"ssl.truststore.type": "PKCS12", "ssl.truststore.location": pki.file("trust.p12"), "ssl.truststore.password": storePassword}},
		{"PKCS12 that is called JKS", plain, "", map[string]string{"ssl.truststore.location": pki.file("trust.p12"), "ssl.truststore.password": storePassword}},
		{"the system's trust", plain, "certificate", nil},
		{"another authority", plain, "certificate", map[string]string{"ssl.truststore.type": "PEM", "ssl.truststore.location": pki.file("other.pem"), "ssl.endpoint.identification.algorithm": ""}},
		{"PEM key file", both, "", map[string]string{"ssl.truststore.type": "PEM", "ssl.truststore.location": pki.file("ca.pem"), "ssl.keystore.type": "PEM", "ssl.keystore.location": pki.file("client.pem")}},
		{"PEM key text", both, "", map[string]string{"ssl.truststore.type": "PEM", "ssl.truststore.location": pki.file("ca.pem"), "ssl.keystore.type": "PEM",
			"ssl.keystore.key": pki.text("client.key"), "ssl.keystore.certificate.chain": pki.text("client.crt")}},
		{"JKS key", both, "", map[string]string{"ssl.truststore.location": pki.file("trust.jks"), "ssl.truststore.password": storePassword,
			"ssl.keystore.location": pki.file("client.jks"), "ssl.keystore.password": storePassword, "ssl.key.password": keyPassword}},
		{"PKCS12 key", both, "", map[string]string{"ssl.truststore.location": pki.file("trust.jks"), "ssl.truststore.password": storePassword,
			"ssl.keystore.type": "PKCS12", "ssl.keystore.location": pki.file("client.p12"), "ssl.keystore.password": storePassword}},
		{"no key", both, "tls", map[string]string{"ssl.truststore.location": pki.file("trust.jks"), "ssl.truststore.password": storePassword}},
	} {
		t.Run(row.name, func(t *testing.T) {
			props := map[string]string{"security.protocol": "SSL", "request.timeout.ms": "2000"}
			for k, v := range row.ssl {
				props[k] = v
			}
			err := roundTrip(t, row.addr, props, Env{})
			switch {
			case row.want == "" && err != nil:
				t.Error(err)
			case row.want != "" && (err == nil || !strings.Contains(err.Error(), row.want)):
				t.Errorf("have %v, want %q in it", err, row.want)
			}
		})
	}
	t.Run("SASL over TLS through a dialer", func(t *testing.T) {
		addr := broker(t, kfake.TLS(server), kfake.EnableSASL(), kfake.Superuser("PLAIN", "a", "b"))
		err := roundTrip(t, addr, map[string]string{
			"security.protocol": "SASL_SSL", "sasl.mechanism": "PLAIN", "sasl.jaas.config": plainModule + ` required username="a" password="b";`,
			"ssl.truststore.location": pki.file("trust.jks"),
		}, Env{DialContext: (&net.Dialer{}).DialContext})
		if err != nil {
			t.Error(err)
		}
	})
}

// TestNoReset: with auto.offset.reset=none a group without committed offsets reads
// nothing and says why.
func TestNoReset(t *testing.T) {
	addr := broker(t)
	props := with("bootstrap.servers", addr, "group.id", "g", "auto.offset.reset", "none", "enable.auto.commit", "false")
	c, _ := newClient(t, Consumer, props, Env{})
	c.AddConsumeTopics("t")
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
	defer cancel()
	err := c.PollFetches(ctx).Err()
	if err == nil || !strings.Contains(err.Error(), "Undefined offset with no reset policy for partitions: [t-") {
		t.Errorf("have %v", err)
	}
}

// TestPartitioning compares the default partitioner with Kafka's for known keys, and
// looks that records without a partition are spread at all.
func TestPartitioning(t *testing.T) {
	addr := broker(t, kfake.DefaultNumPartitions(10), kfake.AllowAutoTopicCreation())
	for _, class := range []string{"", roundRobinPartitioner} {
		props := with("bootstrap.servers", addr, "batch.size", "1")
		if class != "" {
			props["partitioner.class"] = class
		}
		p, _ := newClient(t, Producer, props, Env{})
		seen := map[int32]bool{}
		for range 60 {
			r := &kgo.Record{Topic: "auto", Partition: AnyPartition, Value: []byte("v")}
			if err := p.ProduceSync(t.Context(), r).FirstErr(); err != nil {
				t.Fatal(err)
			}
			seen[r.Partition] = true
		}
		if len(seen) < 5 {
			t.Errorf("%q: 60 records went to %d of 10 partitions", class, len(seen))
		}
		r := &kgo.Record{Topic: "auto", Partition: 7, Key: []byte("k")}
		if err := p.ProduceSync(t.Context(), r).FirstErr(); err != nil || r.Partition != 7 {
			t.Errorf("%q: a given partition became %d: %v", class, r.Partition, err)
		}
	}
	// murmur2 of "21" is -973932308 and of "foobar" -790332482, from Kafka's own test
	// of it; the sign bit is cut off before the remainder.
	p, _ := newClient(t, Producer, with("bootstrap.servers", addr), Env{})
	for key, hash := range map[string]int32{"21": -973932308, "foobar": -790332482} {
		r := &kgo.Record{Topic: "auto", Partition: AnyPartition, Key: []byte(key)}
		if err := p.ProduceSync(t.Context(), r).FirstErr(); err != nil {
			t.Fatal(err)
		}
		if want := (hash & 0x7fffffff) % 10; r.Partition != want {
			t.Errorf("%s went to %d, want %d", key, r.Partition, want)
		}
	}
}
