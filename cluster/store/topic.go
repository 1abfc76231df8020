package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Topic says which internal topic to use and how to create it.
type Topic struct {
	Name       string
	Setting    string // the worker setting that names it, for messages
	Purpose    string // what is in it, for messages
	Partitions int32  // -1 is the broker's default
	Replicas   int16  // -1 is the broker's default
	Settings   map[string]string
	// Single says that the topic must not have more than one partition.
	Single bool
}

// ConfigTopic, OffsetTopic and StatusTopic describe the three internal topics of a
// worker. cleanup.policy in settings is overridden: it is always compact.

// ConfigTopic is the topic of connector configurations; it has one partition.
func ConfigTopic(name string, replicas int16, settings map[string]string) Topic {
	return Topic{Name: name, Setting: "config.storage.topic", Purpose: "connector configurations", Partitions: 1, Replicas: replicas, Settings: settings, Single: true}
}

// OffsetTopic is the topic of source offsets.
func OffsetTopic(name string, partitions int32, replicas int16, settings map[string]string) Topic {
	return Topic{Name: name, Setting: "offset.storage.topic", Purpose: "source connector offsets", Partitions: partitions, Replicas: replicas, Settings: settings}
}

// StatusTopic is the topic of statuses.
func StatusTopic(name string, partitions int32, replicas int16, settings map[string]string) Topic {
	return Topic{Name: name, Setting: "status.storage.topic", Purpose: "connector and task statuses", Partitions: partitions, Replicas: replicas, Settings: settings}
}

// TopicError says that an internal topic is not fit for its purpose. Its text is
// Kafka Connect's. Trying again does not help.
type TopicError struct{ Msg string }

func (e *TopicError) Error() string { return e.Msg }

func (t Topic) policyError(policy string) error {
	return &TopicError{fmt.Sprintf("Topic '%s' supplied via the '%s' property is required to have 'cleanup.policy=compact' to guarantee consistency and durability of %s, but found the topic currently has 'cleanup.policy=%s'. Continuing would likely result in eventually losing %s and problems restarting this Connect cluster in the future. Change the '%s' property in the Connect worker configurations to use a topic with 'cleanup.policy=compact'.",
		t.Name, t.Setting, t.Purpose, policy, t.Purpose, t.Setting)}
}

func (t Topic) singleError(partitions int) error {
	return &TopicError{fmt.Sprintf("Topic '%s' supplied via the '%s' property is required to have a single partition in order to guarantee consistency of connector configurations, but found %d partitions.",
		t.Name, t.Setting, partitions)}
}

// described is what a broker says of a topic.
type described struct {
	id         [16]byte
	partitions int32
	ready      bool // each partition has a leader
}

// ensureTopics creates the topics that are missing, checks the others, and returns
// when each has a leader for each partition. While brokers cannot be reached it
// tries again until ctx is done.
func (s *Logs) ensureTopics(ctx context.Context) (map[string]described, error) {
	checked, created := make(map[string]bool), make(map[string]bool)
	var last error
	for wait := 5 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		found, err := s.ensureOnce(ctx, checked, created)
		if err == nil {
			return found, nil
		}
		var bad *TopicError
		if errors.As(err, &bad) {
			return nil, err
		}
		if ctx.Err() == nil {
			last = err
		}
		if !retriable(err) {
			return nil, err
		}
		if wait >= 100*time.Millisecond {
			s.log.Warn("Could not create or verify the internal topics yet, trying again", "error", err)
		}
		select {
		case <-ctx.Done():
			if last == nil {
				last = ctx.Err()
			}
			return nil, fmt.Errorf("creating or verifying the internal topics: %w", last)
		case <-time.After(wait):
		}
	}
}

// retriable is true for anything that a broker may answer otherwise, or at all,
// later. Too few brokers is one: they may still be starting.
func retriable(err error) bool {
	var ke *kerr.Error
	if errors.As(err, &ke) {
		return ke.Retriable || ke == kerr.InvalidReplicationFactor || ke == kerr.TopicAlreadyExists
	}
	return !errors.Is(err, kgo.ErrClientClosed)
}

var errNoLeader = errors.New("a partition has no leader yet")

func (s *Logs) ensureOnce(ctx context.Context, checked, created map[string]bool) (map[string]described, error) {
	found, err := describeTopics(ctx, s.cl, s.names())
	if err != nil {
		return nil, err
	}
	var missing, check []Topic
	for _, l := range s.logs {
		d, ok := found[l.topic.Name]
		switch {
		case !ok:
			missing = append(missing, l.topic)
		case l.topic.Single && d.partitions > 1:
			return nil, l.topic.singleError(int(d.partitions))
		case !checked[l.topic.Name] && !created[l.topic.Name]:
			check = append(check, l.topic)
		}
	}
	if err := s.checkPolicies(ctx, check); err != nil {
		return nil, err
	}
	for _, t := range check {
		checked[t.Name] = true
	}
	if len(missing) > 0 {
		if err := s.createTopics(ctx, missing, created); err != nil {
			return nil, err
		}
		if found, err = describeTopics(ctx, s.cl, s.names()); err != nil {
			return nil, err
		}
	}
	for _, l := range s.logs {
		if d, ok := found[l.topic.Name]; !ok || !d.ready {
			return nil, fmt.Errorf("topic %s: %w", l.topic.Name, errNoLeader)
		}
	}
	return found, nil
}

// describeTopics leaves out topics that do not exist.
func describeTopics(ctx context.Context, cl *kgo.Client, names []string) (map[string]described, error) {
	req := kmsg.NewPtrMetadataRequest()
	req.AllowAutoTopicCreation = false
	for _, n := range names {
		t := kmsg.NewMetadataRequestTopic()
		t.Topic = kmsg.StringPtr(n)
		req.Topics = append(req.Topics, t)
	}
	resp, err := req.RequestWith(ctx, cl)
	if err != nil {
		return nil, err
	}
	out := make(map[string]described, len(names))
	for _, t := range resp.Topics {
		if t.Topic == nil || t.ErrorCode == kerr.UnknownTopicOrPartition.Code {
			continue
		}
		d := described{id: t.TopicID, partitions: int32(len(t.Partitions)), ready: len(t.Partitions) > 0}
		if err := kerr.ErrorForCode(t.ErrorCode); err != nil {
			if !kerr.IsRetriable(err) {
				return nil, fmt.Errorf("topic %s: %w", *t.Topic, err)
			}
			d.ready = false
		}
		for _, p := range t.Partitions {
			d.ready = d.ready && p.Leader >= 0
		}
		out[*t.Topic] = d
	}
	return out, nil
}

func (s *Logs) createTopics(ctx context.Context, topics []Topic, created map[string]bool) error {
	req := kmsg.NewPtrCreateTopicsRequest()
	req.TimeoutMillis = 15_000
	for _, t := range topics {
		ct := kmsg.NewCreateTopicsRequestTopic()
		ct.Topic, ct.NumPartitions, ct.ReplicationFactor = t.Name, t.Partitions, t.Replicas
		set := func(k, v string) {
			c := kmsg.NewCreateTopicsRequestTopicConfig()
			c.Name, c.Value = k, kmsg.StringPtr(v)
			ct.Configs = append(ct.Configs, c)
		}
		set("cleanup.policy", "compact")
		for k, v := range t.Settings {
			if k != "cleanup.policy" {
				set(k, v)
			}
		}
		req.Topics = append(req.Topics, ct)
	}
	resp, err := req.RequestWith(ctx, s.cl)
	if err != nil {
		return err
	}
	for _, t := range resp.Topics {
		switch err := kerr.ErrorForCode(t.ErrorCode); {
		case err == nil:
			created[t.Topic] = true
			s.log.Info("Created the internal topic", "topic", t.Topic)
		case errors.Is(err, kerr.TopicAlreadyExists): // another worker was first; it is checked in the next round
			return fmt.Errorf("creating topic %s: %w", t.Topic, err)
		default:
			msg := ""
			if t.ErrorMessage != nil {
				msg = " (" + *t.ErrorMessage + ")"
			}
			return fmt.Errorf("creating topic %s: %w%s", t.Topic, err, msg)
		}
	}
	return nil
}

// checkPolicies fails when a topic is not compacted. Who may not read a topic's
// settings is not held up.
func (s *Logs) checkPolicies(ctx context.Context, topics []Topic) error {
	if len(topics) == 0 {
		return nil
	}
	byName := make(map[string]Topic, len(topics))
	req := kmsg.NewPtrDescribeConfigsRequest()
	for _, t := range topics {
		byName[t.Name] = t
		r := kmsg.NewDescribeConfigsRequestResource()
		r.ResourceType, r.ResourceName, r.ConfigNames = kmsg.ConfigResourceTypeTopic, t.Name, []string{"cleanup.policy"}
		req.Resources = append(req.Resources, r)
	}
	resp, err := req.RequestWith(ctx, s.cl)
	if err != nil {
		return err
	}
	for _, r := range resp.Resources {
		switch err := kerr.ErrorForCode(r.ErrorCode); {
		case err == nil:
		case errors.Is(err, kerr.TopicAuthorizationFailed), errors.Is(err, kerr.ClusterAuthorizationFailed), errors.Is(err, kerr.UnsupportedVersion):
			s.log.Info("Not allowed to read the cleanup policy of the internal topic; it is taken to be compact", "topic", r.ResourceName, "error", err)
			continue
		default:
			return fmt.Errorf("reading the cleanup policy of topic %s: %w", r.ResourceName, err)
		}
		for _, c := range r.Configs {
			if c.Name == "cleanup.policy" && c.Value != nil && *c.Value != "compact" {
				return byName[r.ResourceName].policyError(*c.Value)
			}
		}
	}
	return nil
}
