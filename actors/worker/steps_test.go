package worker

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"github.com/troupeio/troupe/codec/data"
	"github.com/troupeio/troupe/connectors"
	"github.com/troupeio/troupe/connectors/transforms"
)

// TestTransformsLog: a transform that logs gets the task's logger, with its own name.
func TestTransformsLog(t *testing.T) {
	reg, err := connectors.NewRegistry(transforms.Plugins())
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	log := slog.New(slog.NewTextHandler(&out, nil)).With("connector", "c", "task", 3)
	steps, err := buildSteps(reg, map[string]string{"transforms": "none", "transforms.none.type": "io.confluent.connect.transforms.TombstoneHandler"},
		&PartNames{Transforms: map[string]PluginName{}, Predicates: map[string]PluginName{}}, log)
	if err != nil {
		t.Fatal(err)
	}
	r := data.Record{Sink: true, OriginalTopic: "t"}
	if keep, err := steps[0].Transform.Apply(&r); keep || err != nil {
		t.Error(keep, err)
	}
	if want := "level=WARN msg=\"Tombstone record encountered\" connector=c task=3 transform=none topic=t partition=0 offset=0"; !strings.Contains(out.String(), want) {
		t.Errorf("it logs %s, want %s", &out, want)
	}
}
