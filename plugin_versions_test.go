package main

import (
	"strings"
	"testing"

	"github.com/troupeio/troupe/connectors"
)

// TestPluginVersions: what Kafka Connect comes with reports Kafka's version, all
// else Troupe's, whoever's name it has.
func TestPluginVersions(t *testing.T) {
	reg, err := registry()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range reg.All() {
		want := connectors.TroupeVersion
		if strings.HasPrefix(p.Class, "org.apache.kafka.") {
			want = connectors.KafkaVersion
		}
		if p.Version != want {
			t.Errorf("%s reports version %q, want %q", p.Class, p.Version, want)
		}
	}
}
