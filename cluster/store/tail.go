package store

import (
	"context"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Tail is one more compacted topic of one partition on the client of the logs, for
// what has its meaning elsewhere.
type Tail struct{ log *topicLog }

// NewTail adds a topic to logs, which the caller starts. handle is called by the
// reading goroutine with the records of one poll, in order, without control records; it
// must not block.
func NewTail(logs *Logs, t Topic, handle func([]*kgo.Record)) *Tail {
	return &Tail{logs.add(t, handle)}
}

// Topic is the topic's name.
func (t *Tail) Topic() string { return t.log.topic.Name }

// Refresh reads the topic to its end as of now.
func (t *Tail) Refresh(ctx context.Context) error { return t.log.readToEnd(ctx) }

// WaitFor returns once everything before offset end has been handled.
func (t *Tail) WaitFor(ctx context.Context, end int64) error {
	return t.log.waitFor(ctx, []int64{end})
}

// AssignmentTopic is the topic of the assignment log; it has one partition.
func AssignmentTopic(name string, replicas int16, settings map[string]string) Topic {
	return Topic{Name: name, Setting: "assignment.storage.topic", Purpose: "assignments of connectors and tasks", Partitions: 1, Replicas: replicas, Settings: settings, Single: true}
}
