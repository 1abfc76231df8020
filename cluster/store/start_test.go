package store

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/troupeio/troupe/connectors"
)

// TestStartIsFast has a generous bound: what it prints is the figure.
func TestStartIsFast(t *testing.T) {
	c := broker(t, kfake.NumBrokers(3))
	begin := time.Now()
	s := startStores(t, c)
	made := time.Since(begin)
	must(t, s.configs.PutConnector(deadline(t), "c", map[string]string{"a": "b"}, nil))
	begin = time.Now()
	s2 := startStores(t, c)
	there := time.Since(begin)
	begin = time.Now()
	must(t, s2.configs.Refresh(deadline(t)))
	refresh := time.Since(begin)
	begin = time.Now()
	s2.stop()
	t.Logf("three new topics %v, three that are there %v, a refresh %v, stop %v", made, there, refresh, time.Since(begin))
	if there > 2*time.Second {
		t.Errorf("starting took %v", there)
	}
}

// TestManyConnectorsAreRead starts on a config topic of 2,000 connectors.
func TestManyConnectorsAreRead(t *testing.T) {
	c := broker(t)
	s := startStores(t, c)
	config := map[string]string{"connector.class": "org.apache.kafka.connect.file.FileStreamSourceConnector", "tasks.max": "1", "file": "/tmp/in.txt", "topic": "t"}
	var group []record
	for i := range 2000 {
		name := fmt.Sprintf("connector-number-%d", i)
		group = append(group, connectorRecord(name, config), taskRecord(connectors.TaskID{Connector: name}, config), commitRecord(name, 1))
	}
	must(t, s.configs.write(deadline(t), group))
	s.stop()
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	begin := time.Now()
	s2 := startStores(t, c)
	took := time.Since(begin)
	runtime.GC()
	runtime.ReadMemStats(&after)
	t.Logf("start %v, heap +%.1f MB", took, float64(int64(after.HeapAlloc)-int64(before.HeapAlloc))/1e6)
	if n := len(s2.configs.Snapshot().Connectors()); n != 2000 {
		t.Errorf("%d connectors", n)
	}
}
