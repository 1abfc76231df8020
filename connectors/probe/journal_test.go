package probe

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/troupeio/troupe/codec/data"
	"github.com/troupeio/troupe/connectors/file/faketask"
)

// TestJournal has a source and a sink keep one journal.
func TestJournal(t *testing.T) {
	p, tc := New(io.Discard), faketask.New()
	path := filepath.Join(t.TempDir(), "journal")
	src := startSource(t, p, tc, "limit", "5", "batch.size", "3", journalKey, path, taskKey, "2")
	sink := startSink(t, p, tc, "name", "snk", journalKey, path)
	recs := append(poll(t, src), poll(t, src)...)
	for i, at := range []int64{10, 11, 13, 14, 15} { // 12 is another's
		recs[i].Partition, recs[i].Offset = 1, at
	}
	for _, batch := range [][]data.Record{recs, nil} {
		if err := sink.Put(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
	}
	if err := src.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := sink.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	last := int64(0)
	for line := range strings.Lines(string(b)) {
		var e JournalEntry
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if e.Node != p.node || e.Boot != p.Boot() || e.Epoch == 0 || e.Clock < last {
			t.Errorf("stamps of %q", line)
		}
		last = e.Clock
		got = append(got, fmt.Sprintf("%s-%d %s %v", e.Connector, e.Task, e.Did, e.Spans))
	}
	want := []string{"c-2 start []", "snk-0 start []", "c-2 batch [{ 0 0 2}]", "c-2 batch [{ 0 3 4}]", "snk-0 batch [{t 1 10 11} {t 1 13 15}]", "c-2 stop []", "snk-0 stop []"}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("the journal says\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
