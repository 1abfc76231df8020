package probe

import (
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/troupeio/troupe/codec/configdef"
	"github.com/troupeio/troupe/codec/data"
)

const journalKey = "journal.file"

var journalSetting = configdef.Key{Name: journalKey, Type: configdef.String, Importance: configdef.Low,
	Doc: "A file to which a line of JSON is appended when a task starts, for each batch of records and when it stops: which process and incarnation, when, which records. It tells when a task ran that reached nobody."}

// JournalEntry is a line of a journal: what an incarnation of a task did, and when.
type JournalEntry struct {
	Connector string `json:"connector"`
	Task      int    `json:"task"`
	Node      string `json:"node"` // as in [NodeHeader]
	Boot      string `json:"boot"` // as in [BootHeader]
	Epoch     int64  `json:"epoch"`
	Clock     int64  `json:"clock"` // wall clock; ns since 1970
	Did       string `json:"did"`   // one of the constants below
	// Of a source's batch: the first and last number. Of a sink's: one span of offsets
	// for each stretch of a partition.
	Spans []JournalSpan `json:"spans,omitempty"`
}

// What a line of a journal says.
const (
	DidStart = "start"
	DidBatch = "batch"
	DidStop  = "stop"
)

// JournalSpan is a run of records without a gap, both ends included.
type JournalSpan struct {
	Topic     string `json:"topic,omitempty"`
	Partition int32  `json:"partition,omitempty"`
	From      int64  `json:"from"`
	To        int64  `json:"to"`
}

// journal appends to the file of that setting. Tasks of several processes may share
// one: a line is written at once.
type journal struct {
	file  *os.File // nil: none is kept
	entry JournalEntry
}

// openJournal begins the journal of an incarnation; without a path there is none.
func (p *Probe) openJournal(path, connector string, task int, epoch int64) (*journal, error) {
	j := &journal{entry: JournalEntry{Connector: connector, Task: task, Node: p.node, Boot: p.boot, Epoch: epoch}}
	if path == "" {
		return j, nil
	}
	var err error
	if j.file, err = os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o666); err != nil {
		return nil, fmt.Errorf("opening the journal: %w", err)
	}
	return j, j.write(DidStart)
}

func (j *journal) write(did string, spans ...JournalSpan) error {
	if j == nil || j.file == nil {
		return nil
	}
	e := j.entry
	e.Clock, e.Did, e.Spans = time.Now().UnixNano(), did, spans
	line, err := json.Marshal(e)
	if err == nil {
		_, err = j.file.Write(append(line, '\n'))
	}
	if err != nil {
		return fmt.Errorf("writing the journal: %w", err)
	}
	return nil
}

// records writes which records a sink was given.
func (j *journal) records(records []data.Record) error {
	if j == nil || j.file == nil {
		return nil
	}
	var spans []JournalSpan
	for i := range records {
		r := &records[i]
		if n := len(spans) - 1; n >= 0 && spans[n].Topic == r.Topic && spans[n].Partition == r.Partition && spans[n].To+1 == r.Offset {
			spans[n].To++
			continue
		}
		spans = append(spans, JournalSpan{r.Topic, r.Partition, r.Offset, r.Offset})
	}
	return j.write(DidBatch, spans...)
}

func (j *journal) close() error {
	if j == nil || j.file == nil {
		return nil
	}
	err := j.write(DidStop)
	if cerr := j.file.Close(); err == nil {
		err = cerr
	}
	j.file = nil
	return err
}
