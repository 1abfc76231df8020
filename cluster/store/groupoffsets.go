package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/troupeio/troupe/connectors"
)

// Errors of what is done to a sink's consumer group. They are the two that Kafka
// Connect answers with texts of their own; match them with [errors.Is].
var (
	// ErrGroupNotEmpty says that the group still has members: tasks that have not
	// stopped yet, or zombies.
	ErrGroupNotEmpty = errors.New("the consumer group still has members")
	// ErrGroupRefused says that the broker refused for another reason, such as an
	// unknown topic.
	ErrGroupRefused = errors.New("the broker refused")
)

// GroupOffset is the committed offset of one partition of a sink.
type GroupOffset struct {
	Partition connectors.TopicPartition
	Offset    int64
}

// ListGroupOffsets returns what the group has committed, sorted; nothing for a
// group that does not exist.
func ListGroupOffsets(ctx context.Context, adm *kadm.Client, group string) ([]GroupOffset, error) {
	got, err := adm.FetchOffsets(ctx, group)
	if errors.Is(err, kerr.GroupIDNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, groupError("listing the offsets", group, err)
	}
	var out []GroupOffset
	for _, topic := range got {
		for _, o := range topic {
			if o.Err != nil {
				return nil, groupError("listing the offsets", group, o.Err)
			}
			if o.At >= 0 {
				out = append(out, GroupOffset{connectors.TopicPartition{Topic: o.Topic, Partition: o.Partition}, o.At})
			}
		}
	}
	slices.SortFunc(out, func(a, b GroupOffset) int {
		return cmp.Or(cmp.Compare(a.Partition.Topic, b.Partition.Topic), cmp.Compare(a.Partition.Partition, b.Partition.Partition))
	})
	return out, nil
}

// AlterGroupOffsets sets offsets of a group without members.
func AlterGroupOffsets(ctx context.Context, adm *kadm.Client, group string, offsets map[connectors.TopicPartition]int64) error {
	if len(offsets) == 0 {
		return nil
	}
	var os kadm.Offsets
	for tp, at := range offsets {
		os.AddOffset(tp.Topic, tp.Partition, at, -1)
	}
	got, err := adm.CommitOffsets(ctx, group, os)
	if err == nil {
		err = got.Error()
	}
	return groupError("altering the offsets", group, err)
}

// DeleteGroupOffsets removes the offsets of partitions from a group without
// members. A group or an offset that does not exist is fine.
func DeleteGroupOffsets(ctx context.Context, adm *kadm.Client, group string, partitions []connectors.TopicPartition) error {
	if len(partitions) == 0 {
		return nil
	}
	var set kadm.TopicsSet
	for _, tp := range partitions {
		set.Add(tp.Topic, tp.Partition)
	}
	got, err := adm.DeleteOffsets(ctx, group, set)
	if errors.Is(err, kerr.GroupIDNotFound) {
		return nil
	}
	for _, topic := range got {
		for _, perr := range topic {
			if err == nil && perr != nil {
				err = perr
			}
		}
	}
	return groupError("deleting offsets", group, err)
}

// ResetGroup deletes a group without members with all of its offsets. A group that
// does not exist is fine.
func ResetGroup(ctx context.Context, adm *kadm.Client, group string) error {
	got, err := adm.DeleteGroup(ctx, group)
	if err == nil {
		err = got.Err
	}
	if errors.Is(err, kerr.GroupIDNotFound) {
		return nil
	}
	return groupError("deleting", group, err)
}

// groupError sorts a broker's refusal from a broker's absence.
func groupError(what, group string, err error) error {
	var ke *kerr.Error
	switch {
	case err == nil:
		return nil
	case errors.Is(err, kerr.NonEmptyGroup), errors.Is(err, kerr.UnknownMemberID), errors.Is(err, kerr.RebalanceInProgress),
		errors.Is(err, kerr.GroupSubscribedToTopic), errors.Is(err, kerr.IllegalGeneration):
		return fmt.Errorf("%s of consumer group %s: %w: %w", what, group, ErrGroupNotEmpty, err)
	case errors.As(err, &ke):
		return fmt.Errorf("%s of consumer group %s: %w: %w", what, group, ErrGroupRefused, err)
	}
	return fmt.Errorf("%s of consumer group %s: %w", what, group, err)
}
