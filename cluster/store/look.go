package store

import (
	"context"
	"fmt"

	"github.com/troupeio/troupe/connectors"
)

// Contents is what a cluster's topics held when somebody looked.
type Contents struct {
	Configs *Snapshot
	// Offsets are the source offsets of each connector that has any.
	Offsets map[string][]connectors.PartitionOffset
}

// Look reads a config topic and an offset topic to their ends and changes nothing:
// it only asks for metadata, offsets and records. A topic whose name is empty is left
// out; one that does not exist is an error. Records that cannot be read go to
// [Options.Log], as errors and warnings.
func Look(ctx context.Context, o Options, config, offset string) (*Contents, error) {
	s := NewLogs(o)
	defer s.Stop()
	out := &Contents{Configs: newConfigState(s.log).snapshot(nil), Offsets: make(map[string][]connectors.PartitionOffset)}
	var configs *ConfigStore
	var offsets *OffsetStore
	if config != "" {
		configs = NewConfigStore(s, Topic{Name: config}, nil)
	}
	if offset != "" {
		offsets = NewOffsetStore(s, Topic{Name: offset})
	}
	if len(s.logs) == 0 {
		return out, nil
	}
	cl, err := o.Client(s.clientOptions()...)
	if err != nil {
		return nil, fmt.Errorf("making the client of the internal topics: %w", err)
	}
	s.cl = cl
	ctx, cancel := context.WithTimeout(ctx, s.o.StartTimeout)
	defer cancel()
	found, err := describeTopics(ctx, cl, s.names())
	if err != nil {
		return nil, err
	}
	for _, l := range s.logs {
		if d, ok := found[l.topic.Name]; !ok {
			return nil, fmt.Errorf("topic %s does not exist", l.topic.Name)
		} else if !d.ready {
			return nil, fmt.Errorf("topic %s: %w", l.topic.Name, errNoLeader)
		}
	}
	if err := s.follow(ctx, ctx, found); err != nil {
		return nil, err
	}
	if configs != nil {
		out.Configs = configs.Snapshot()
	}
	if offsets != nil {
		offsets.table.mu.Lock()
		names := make([]string, 0, len(offsets.table.connectors))
		for name := range offsets.table.connectors {
			names = append(names, name)
		}
		offsets.table.mu.Unlock()
		for _, name := range names {
			out.Offsets[name] = offsets.table.all(name)
		}
	}
	return out, nil
}

// Fit tells whether an existing topic will do: the number of its partitions and its
// cleanup.policy, which is "" when it is not known. The error is a [*TopicError].
func (t Topic) Fit(partitions int, policy string) error {
	if t.Single && partitions > 1 {
		return t.singleError(partitions)
	}
	if policy != "" && policy != "compact" {
		return t.policyError(policy)
	}
	return nil
}
