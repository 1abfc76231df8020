package cluster_test

import (
	"context"
	"strings"
	"testing"

	"github.com/troupeio/troupe/actors/kafkaclient"
	"github.com/troupeio/troupe/cluster"
	"github.com/troupeio/troupe/codec/configdef"
	"github.com/troupeio/troupe/connectors"
	"github.com/troupeio/troupe/connectors/configprovider"
	"github.com/troupeio/troupe/connectors/connectconfig"
	"github.com/troupeio/troupe/connectors/converters"
	"github.com/troupeio/troupe/connectors/file"
)

// TestValidationOfClientTLS: what is wrong with the TLS of a connector's client is an
// error of the override that it is about. The worker's settings count.
func TestValidationOfClientTLS(t *testing.T) {
	reg, err := connectors.NewRegistry(file.Plugins(), converters.Plugins())
	if err != nil {
		t.Fatal(err)
	}
	resolver, err := configprovider.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	const converter = "org.apache.kafka.connect.storage.StringConverter"
	for _, tt := range []struct{ name, class, worker, overrides, setting, want string }{
		{"no trust store", "FileStreamSource", "", "producer.override.security.protocol=SSL\nproducer.override.ssl.truststore.location=/no/such",
			"producer.override.ssl.truststore.location", "open /no/such"},
		{"the worker says TLS", "FileStreamSource", "producer.security.protocol=SASL_SSL", "producer.override.ssl.truststore.location=/no/such",
			"producer.override.ssl.truststore.location", "open /no/such"},
		{"the worker has the password", "FileStreamSource", "producer.ssl.keystore.password=x", "producer.override.security.protocol=ssl\nproducer.override.ssl.keystore.location=/no/such",
			"producer.override.ssl.keystore.location", "open /no/such"},
		{"the worker has the store", "FileStreamSource", "producer.ssl.truststore.location=/no/such", "producer.override.security.protocol=SSL",
			"producer.override.security.protocol", "reading ssl.truststore.location: open /no/such"},
		{"a sink", "FileStreamSink", "", "consumer.override.security.protocol=SSL\nconsumer.override.ssl.truststore.location=/no/such",
			"consumer.override.ssl.truststore.location", "open /no/such"},
		{"no TLS", "FileStreamSource", "", "producer.override.ssl.truststore.location=/no/such", "", ""},
		{"TLS", "FileStreamSource", "", "producer.override.security.protocol=SSL", "", ""},
		{"none of the connector's", "FileStreamSource", "producer.security.protocol=SSL\nproducer.ssl.truststore.location=/no/such", "producer.override.linger.ms=1", "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := &cluster.Plugins{Registry: reg, Resolver: resolver, Policy: kafkaclient.All, Props: settings(tt.worker), Standalone: true,
				Worker: connectconfig.Worker{KeyConverter: converter, ValueConverter: converter}}
			config := settings("name=c\nfile=f\nconnector.class=" + tt.class + "\n" + tt.overrides)
			config["topic"] = "t"
			if tt.class == "FileStreamSink" {
				config["topics"] = "t"
			}
			out, err := p.Validate(context.Background(), tt.class, configdef.Nullable(config), nil)
			if err != nil {
				t.Fatal(err)
			}
			infos := out.(configdef.Infos)
			for _, c := range infos.Configs {
				errs := strings.Join(c.Value.Errors, "; ")
				if (c.Value.Name == tt.setting) != (errs != "") || !strings.Contains(errs, tt.want) && c.Value.Name == tt.setting {
					t.Errorf("%s: %q, want %q of %s", c.Value.Name, errs, tt.want, tt.setting)
				}
			}
			if (infos.ErrorCount > 0) != (tt.want != "") {
				t.Errorf("%d errors", infos.ErrorCount)
			}
		})
	}
}

func settings(lines string) map[string]string {
	out := map[string]string{}
	for line := range strings.Lines(lines) {
		if k, v, ok := strings.Cut(strings.TrimSpace(line), "="); ok {
			out[k] = v
		}
	}
	return out
}
