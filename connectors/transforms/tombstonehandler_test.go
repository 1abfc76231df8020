package transforms

import (
	"bytes"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupeio/troupe/codec/data"
	"github.com/troupeio/troupe/connectors"
)

// TestTombstonesAreLogged: by the behavior's level, with the record's place, a line at
// most every ten seconds.
func TestTombstonesAreLogged(t *testing.T) {
	sink := data.Record{Topic: "routed", Partition: 9, Sink: true, OriginalTopic: "orders", OriginalPartition: 2, OriginalOffset: 17, Offset: 1}
	source := data.NewSourceRecord(data.NewStringMap("file", data.OfString("a")), data.LongOffset("position", 5), "lines", nil, data.Null)
	full := sink
	full.Value = data.OfInt64(1)
	const place = "topic=orders partition=2 offset=17"
	line := func(level, rest string) string {
		return "level=" + level + " msg=\"Tombstone record encountered\" connector=c task=0 " + rest + "\n"
	}
	for _, tt := range []struct {
		settings string
		level    slog.Level
		records  []data.Record // one a second
		want     string
	}{
		{"", slog.LevelInfo, []data.Record{sink}, line("WARN", place)},
		{"", slog.LevelInfo, []data.Record{source}, line("WARN", "topic=lines partition=\"{file=a}\" offset=\"{position=5}\"")},
		{"", slog.LevelInfo, []data.Record{full}, ""},
		{"behavior=ignore", slog.LevelInfo, []data.Record{sink}, ""},
		{"behavior=Ignore", slog.LevelDebug, []data.Record{sink}, line("DEBUG", place)},
		{"behavior=fail", slog.LevelInfo, []data.Record{sink}, ""},
		{"behavior=fail", slog.LevelDebug, []data.Record{sink}, line("DEBUG", place)},
		{"behavior=WARN", slog.LevelError, []data.Record{sink}, ""},
		{"", slog.LevelInfo, []data.Record{sink, full, sink, sink, sink, sink, sink, sink, sink, sink, source, sink},
			line("WARN", place) + line("WARN", "topic=lines partition=\"{file=a}\" offset=\"{position=5}\" others=8")},
	} {
		synctest.Test(t, func(t *testing.T) {
			tr, err := byClass(t, confluentPkg+"TombstoneHandler", tt.settings)
			if err != nil {
				t.Fatal(err)
			}
			var out bytes.Buffer
			log := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: tt.level, ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
				if a.Key == slog.TimeKey {
					return slog.Attr{}
				}
				return a
			}}))
			tr.(connectors.Logging).SetLog(log.With("connector", "c", "task", 0))
			for _, r := range tt.records {
				_, _ = tr.Apply(&r)
				time.Sleep(time.Second)
			}
			if out.String() != tt.want {
				t.Errorf("%q at %s logs\n%swant\n%s", tt.settings, tt.level, &out, tt.want)
			}
		})
	}
}
