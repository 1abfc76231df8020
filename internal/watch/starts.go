package watch

import (
	"bytes"

	"github.com/twmb/franz-go/pkg/kgo"
)

// TaskStatus begins the key of a task's record in the status topic; the connector's name,
// a dash and the task's number follow.
const TaskStatus = "status-task-"

// Starts counts the statuses that say RUNNING in records of the status topic, by key: how
// often each connector and task was started.
func Starts(recs []*kgo.Record) map[string]int {
	out := make(map[string]int)
	for _, r := range recs {
		if bytes.Contains(r.Value, []byte(`"RUNNING"`)) {
			out[string(r.Key)]++
		}
	}
	return out
}
